//! The activities that workflows call: declarations by name, so that nothing here knows who carries them out.

use dixmgr_contract::activity::{
    REPORT_SERVICE, RESTART_SYSTEMD_SERVICE, Report, START_SYSTEMD_SERVICE, STOP_SYSTEMD_SERVICE,
};
use dixmgr_contract::{Guard, Verb};
use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::common::data_converters::MultiArgs2;

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
