//! The activities that workflows call: declarations by name, so that nothing here knows who carries them out.

use dixmgr_contract::activity::{
    REPORT_CLUSTER, REPORT_SERVICE, RESTART_SYSTEMD_SERVICE, Report, START_SYSTEMD_SERVICE, STOP_SYSTEMD_SERVICE,
    SUBSCRIBE, Subscription,
};
use dixmgr_contract::cluster::ClusterReport;
use dixmgr_contract::host::{HOST_LEASE, Handover, HostReport, Lease, LossMark, MARK_HOST_LOST, REPORT_HOST};
use dixmgr_contract::plan::{FAN_OUT, FanOut, FannedOut, RETIRE_SERVICES, Retire};

use dixmgr_contract::telling::{
    IncidentNews, NOTIFY, NotifyArgs, RAISE_INCIDENT, RECORD_INCIDENT, Raise, SPREAD_SILENCES, TELL_CAUSE, TellCause,
};
use dixmgr_contract::{Delivery, Guard, Silence, Verb};
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

macro_rules! calls {
    ($($(#[$doc:meta])* $call:ident($input:ty) -> $output:ty = $name:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $call;

        impl ActivityDefinition for $call {
            type Input = $input;
            type Output = $output;

            fn name(&self) -> &str {
                $name
            }
        }
    )+};
}

calls! {
    /// `ReportServiceActivity(report)`.
    ReportService(Report) -> () = REPORT_SERVICE;
    /// `SubscribeActivity(subscription)`.
    SubscribeTo(Subscription) -> () = SUBSCRIBE;
    /// `ReportClusterActivity(report)`.
    ReportCluster(ClusterReport) -> () = REPORT_CLUSTER;
    /// `ReportHostActivity(report)`.
    ReportHost(HostReport) -> () = REPORT_HOST;
    /// `MarkHostLostActivity(mark)`.
    MarkHostLost(LossMark) -> () = MARK_HOST_LOST;
    /// `HostLeaseActivity(lease)`.
    TakeLease(Lease) -> Handover = HOST_LEASE;
    /// `FanOutActivity(order)`.
    SendToMany(FanOut) -> FannedOut = FAN_OUT;
    /// `RetireServicesActivity(retire)`.
    RetireServices(Retire) -> () = RETIRE_SERVICES;
    /// `RaiseIncidentActivity(raise)`.
    RaiseIncident(Raise) -> () = RAISE_INCIDENT;
    /// `TellCauseActivity(tell)`.
    TellTheCause(TellCause) -> () = TELL_CAUSE;
    /// `NotifyActivity(args)`.
    Notify(NotifyArgs) -> Delivery = NOTIFY;
    /// `RecordIncidentActivity(news)`.
    RecordIncident(IncidentNews) -> () = RECORD_INCIDENT;
    /// `SpreadSilencesActivity(silences)`.
    SpreadSilences(Vec<Silence>) -> () = SPREAD_SILENCES;
}

/// A host that is cut off from the network still counts as one that takes work, for up to a minute: what it is given is
/// lost, and known to be by a beat that is missed.
const FLEET_BEAT: Duration = Duration::from_secs(5);

/// What any host does for the fleet within `time`, tried again by Temporal `attempts` times.
pub(crate) fn for_the_fleet(time: Duration, attempts: u32) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(time)
        .heartbeat_timeout(FLEET_BEAT)
        .retry_policy(RetryPolicy::builder().maximum_attempts(attempts).build())
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
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
            start_to_close: FLEET_BEAT,
            schedule_to_close: Duration::from_secs(240),
        };
        ActivityOptions::with_close_timeouts(timeouts)
            .retry_policy(retries)
            .cancellation_token(WorkflowCancellationToken::new())
            .build()
    }
}
