//! A simulated host: the activities under their real names, with answers that the flow decides.

use dixmgr_contract::activity::Report;
use dixmgr_contract::{FailureKind, Guard};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use temporalio_common::data_converters::RawValue;
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

/// What was asked of the host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// `start`, `stop` or `restart`, with its guard.
    pub(crate) orders: Vec<(&'static str, Guard)>,
    pub(crate) reports: Vec<Report>,
}

/// How the next orders end; all others end well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Fails(FailureKind),
    /// Fails with a type that no dixmgr knows.
    FailsStrangely,
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct MockHost {
    asked: Arc<Mutex<Asked>>,
    endings: Arc<Mutex<VecDeque<Ending>>>,
}

impl MockHost {
    pub(crate) fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn next(&self, endings: &[Ending]) {
        self.endings.lock().unwrap().extend(endings);
    }

    fn act(&self, verb: &'static str, call: &RawValue) -> Result<(), ActivityError> {
        let unit: String = serde_json::from_slice(&call.payloads[0].data).unwrap();
        assert_eq!(unit, "api.service");
        let guard = serde_json::from_slice(&call.payloads[1].data).unwrap();
        self.asked.lock().unwrap().orders.push((verb, guard));
        let (kind, text) = match self.endings.lock().unwrap().pop_front() {
            None => return Ok(()),
            Some(Ending::Fails(kind)) => (kind.as_str(), "the host says no"),
            Some(Ending::FailsStrangely) => ("SomethingNew", "the host says something new"),
        };
        let failure = ApplicationFailure::builder(std::io::Error::other(text)).type_name(kind.to_owned());
        Err(ActivityError::application(failure.non_retryable(true).build()))
    }
}

#[activities]
impl MockHost {
    #[activity(name = "StartSystemdServiceActivity")]
    pub(crate) async fn start(self: Arc<Self>, _ctx: ActivityContext, call: RawValue) -> Result<(), ActivityError> {
        self.act("start", &call)
    }

    #[activity(name = "StopSystemdServiceActivity")]
    pub(crate) async fn stop(self: Arc<Self>, _ctx: ActivityContext, call: RawValue) -> Result<(), ActivityError> {
        self.act("stop", &call)
    }

    #[activity(name = "RestartSystemdServiceActivity")]
    pub(crate) async fn restart(self: Arc<Self>, _ctx: ActivityContext, call: RawValue) -> Result<(), ActivityError> {
        self.act("restart", &call)
    }

    #[activity(name = "ReportServiceActivity")]
    pub(crate) async fn report(self: Arc<Self>, _ctx: ActivityContext, report: Report) -> Result<(), ActivityError> {
        self.asked.lock().unwrap().reports.push(report);
        Ok(())
    }
}
