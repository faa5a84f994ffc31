//! The activities that workflows call: declarations by name, so that nothing here knows who carries them out.

use dixmgr_contract::activity::{
    REPORT_SERVICE, RESTART_SYSTEMD_SERVICE, Report, START_SYSTEMD_SERVICE, STOP_SYSTEMD_SERVICE, SUBSCRIBE,
    Subscription,
};

use dixmgr_contract::{Guard, Verb};
use std::time::Duration;
use temporalio_workflow::common::ActivityCloseTimeouts;
use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::common::data_converters::MultiArgs2;
use temporalio_workflow::{ActivityOptions, RetryPolicy, WorkflowCancellationToken};

/// `Start…`, `Stop…`, `RestartSystemdServiceActivity(unit, guard)`.
#[derive(Clone, Copy, Debug)]
pub struct ActOnUnit(pub Verb);

impl ActivityDefinition for ActOnUnit {
    type Input = MultiArgs2<String, Guard>;
    type Output = ();

    fn name(&self) -> &str {
        match self.0 {
            Verb::Start => START_SYSTEMD_SERVICE,
            Verb::Stop => STOP_SYSTEMD_SERVICE,
            Verb::Restart => RESTART_SYSTEMD_SERVICE,
        }
    }
}

/// `ReportServiceActivity(report)`.
#[derive(Clone, Copy, Debug)]
pub struct ReportService;

impl ActivityDefinition for ReportService {
    type Input = Report;
    type Output = ();

    fn name(&self) -> &str {
        REPORT_SERVICE
    }
}

/// `SubscribeActivity(subscription)`.
#[derive(Clone, Copy, Debug)]
pub struct SubscribeTo;

impl ActivityDefinition for SubscribeTo {
    type Input = Subscription;
    type Output = ();

    fn name(&self) -> &str {
        SUBSCRIBE
    }
}

impl SubscribeTo {
    /// Temporal asks again by itself while the service's workflow does not exist yet: that costs no history. Now and then
    /// it gives up, so that whoever waits can begin a new run.
    pub(crate) fn options() -> ActivityOptions {
        let retries = RetryPolicy::builder()
            .initial_interval(Duration::from_millis(250))
            .backoff_coefficient(1.5)
            .maximum_interval(Duration::from_secs(2))
            .build();
        let timeouts = ActivityCloseTimeouts::ScheduleAndStartToClose {
            start_to_close: Duration::from_secs(10),
            schedule_to_close: Duration::from_secs(240),
        };
        ActivityOptions::with_close_timeouts(timeouts)
            .retry_policy(retries)
            .cancellation_token(WorkflowCancellationToken::new())
            .build()
    }
}
