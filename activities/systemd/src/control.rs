//! The capability to act. Two round trips before systemd starts the unit: a fresh look, then the request.

use crate::{
    ACT_TIMEOUT, ActError, Observer, UnitControl,
    act::{self, Go},
    answer::{error_name, error_text},
    error,
    link::{Answer, Link},
    wire,
};
use dixmgr_contract::{FailureKind, Guard, UnitName, UnitState, Verb};
use futures_util::future::{BoxFuture, join};
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// Jobs of ours at a time. For each job that a client asks for over the bus, systemd adds a match rule to its own
/// connection, and loses the connection when the bus refuses one (at 512 on a system bus; seen with systemd 252).
pub(crate) const JOBS: usize = 128;

/// May start and stop the units that its observer watches, and no others.
#[derive(Clone, Debug)]
pub struct Control {
    observer: Observer,
}

impl Control {
    /// Acts over the observer's connection.
    pub fn new(observer: &Observer) -> Self {
        Self { observer: observer.clone() }
    }

    async fn run(&self, unit: &UnitName, verb: Verb, guard: Option<&Guard>, timeout: Duration) -> Result<(), ActError> {
        let shared = &self.observer.shared;
        let Some(index) = shared.table().index_of(unit) else {
            return Err(ActError::new(
                FailureKind::NotAllowed,
                format!("{unit} is not in this host's configuration; only units that it names are acted on"),
            ));
        };
        let turn = tokio::time::timeout(timeout, shared.jobs.acquire()).await;
        let _turn = turn.map_err(|_| ActError::unavailable("it is busy with other jobs of ours"))?;
        let link = shared.link()?;
        let deadline = Instant::now() + timeout;
        if self.check(unit, verb, guard).await? == Go::Nothing {
            return Ok(());
        }
        let answer = self.ask(&link, index, unit, verb).await?;
        if let Some(name) = error_name(&answer.message) {
            return Err(error::from_dbus(unit, Some(verb), &name, &error_text(&answer.message)));
        }
        let Some(job) = answer.job else {
            return Err(ActError::new(
                FailureKind::Unexpected,
                format!("systemd's answer to the {verb} of {unit} names no job"),
            ));
        };
        match tokio::time::timeout_at(deadline.into(), job).await {
            Ok(Ok(result)) => act::judge(unit, verb, &result, shared.table().snapshot(index).as_ref()),
            Ok(Err(_)) => Err(ActError::unavailable(format!("the connection was lost during the {verb} of {unit}"))),
            Err(_) => Err(ActError::new(
                FailureKind::JobTimeout,
                format!(
                    "the {verb} of {unit} is not done after {timeout:?}; it goes on, `systemctl list-jobs` shows it"
                ),
            )),
        }
    }

    /// Looks at the unit and the manager, in one round trip, and decides whether this may be done.
    async fn check(&self, unit: &UnitName, verb: Verb, guard: Option<&Guard>) -> Result<Go, ActError> {
        let fresh = self.observer.fresh_and_manager(unit).await?;
        let stopping = fresh.manager_stopping || self.observer.shared.shutdown_announced();
        // Not what is remembered of an unloaded unit: the unit as it is.
        let state = UnitState { invocation: fresh.invocation, ..fresh.state };
        act::check(unit, verb, guard, &state, stopping)
    }

    /// Queues the job. A reset of the failed state goes before a start, in the same breath: without it a unit that hit
    /// its start limit would be refused. That there was nothing to reset is no matter.
    async fn ask(&self, link: &Link, index: usize, unit: &UnitName, verb: Verb) -> Result<Answer, ActError> {
        let job = wire::queue_job(unit, verb).map_err(ActError::unavailable)?;
        let _asking = Asking::new(&self.observer, index, job.primary_header().serial_num());
        if verb == Verb::Stop {
            return link.ask(job, index).await;
        }
        join(link.call(wire::reset_failed(unit), ACT_TIMEOUT), link.ask(job, index)).await.1
    }
}

impl UnitControl for Control {
    fn act<'a>(
        &'a self,
        unit: &'a UnitName,
        verb: Verb,
        guard: Option<&'a Guard>,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<(), ActError>> {
        Box::pin(self.run(unit, verb, guard, timeout))
    }
}

/// Tells the table that a call is under way, and when it ends, answered or not, that it is not any more.
struct Asking<'a> {
    observer: &'a Observer,
    index: usize,
    serial: NonZeroU32,
}

impl<'a> Asking<'a> {
    fn new(observer: &'a Observer, index: usize, serial: NonZeroU32) -> Self {
        observer.shared.table().asking(index, serial);
        Self { observer, index, serial }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        // After an answer the session has done so already, in step with the signals.
        self.observer.shared.table().answered(self.index, self.serial, None);
    }
}
