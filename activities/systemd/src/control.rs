//! The capability to act. Two round trips before systemd starts the unit: a fresh look, then the request.

use crate::{
    ActError, Observer, UnitControl,
    act::{self, Go},
    error,
    link::{Answer, Link},
    observer::properties_of,
    session::error_text,
    wire,
};
use dixmgr_contract::{FailureKind, Guard, UnitName, Verb};
use futures_util::future::{BoxFuture, join};
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};
use zbus::{message::Type, zvariant::Value};

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
        let link = shared.link()?;
        let deadline = Instant::now() + timeout;
        if self.check(&link, unit, verb, guard).await? == Go::Nothing {
            return Ok(());
        }
        let answer = self.ask(&link, index, unit, verb).await?;
        if answer.message.message_type() == Type::Error {
            let header = answer.message.header();
            let name = header.error_name().map_or("", |name| name.as_str());
            return Err(error::from_dbus(unit, Some(verb), name, &error_text(&answer.message)));
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
    async fn check(&self, link: &Link, unit: &UnitName, verb: Verb, guard: Option<&Guard>) -> Result<Go, ActError> {
        let shared = &self.observer.shared;
        let (unit_answer, manager_answer) =
            join(link.call(wire::get_all(unit, wire::UNIT)), link.call(wire::system_state())).await;
        let patch = properties_of(unit, &unit_answer?)?;
        let invocation = patch.invocation.clone().flatten();
        let manager = manager_answer?;
        let stopping = manager.body().deserialize::<Value<'_>>().is_ok_and(|state| state == Value::from("stopping"));
        let mut state = {
            let table = shared.table();
            table.read_as(table.index_of(unit), unit, patch, Instant::now())
        };
        // Not what is remembered of an unloaded unit: the unit as it is.
        state.invocation = invocation;
        act::check(unit, verb, guard, &state, stopping || shared.shutdown_announced())
    }

    /// Queues the job. A reset of the failed state goes before a start, in the same breath: without it a unit that hit
    /// its start limit would be refused. That there was nothing to reset is no matter.
    async fn ask(&self, link: &Link, index: usize, unit: &UnitName, verb: Verb) -> Result<Answer, ActError> {
        let job = wire::queue_job(unit, verb).map_err(ActError::unavailable)?;
        let _asking = Asking::new(&self.observer, index, job.primary_header().serial_num());
        if verb == Verb::Stop {
            return link.ask(job, index).await;
        }
        join(link.call(wire::reset_failed(unit)), link.ask(job, index)).await.1
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
