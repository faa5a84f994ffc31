//! Waiting: for mail, for the end of an operation, for the machine's own alarm, or for cancellation.
//!
//! Whatever is raced here has a cancellation token of its own: the SDK never frees a future that was dropped with the
//! workflow's root token registered.

use crate::inflight::InFlight;
use dixmgr_contract::Time;
use futures_util::FutureExt;
use futures_util::future::{FusedFuture, LocalBoxFuture};
use std::future::poll_fn;
use std::task::Poll;
use temporalio_workflow::{
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, WorkflowTermination,
};

/// The machine's alarm: one timer, set anew only when its moment changes.
pub(crate) struct Alarm<'a> {
    at: Option<Time>,
    token: WorkflowCancellationToken,
    timer: Option<LocalBoxFuture<'a, ()>>,
}

impl<'a> Alarm<'a> {
    pub(crate) fn none() -> Self {
        Self { at: None, token: WorkflowCancellationToken::new(), timer: None }
    }

    pub(crate) fn set<W>(&mut self, ctx: &'a WorkflowContext<W>, at: Option<Time>, now: Time) {
        if self.at == at {
            return;
        }
        if self.timer.take().is_some() {
            self.token.cancel();
        }
        self.at = at;
        self.token = WorkflowCancellationToken::new();
        let token = self.token.clone();
        self.timer = at.map(|at| {
            let options = TimerOptions::builder(at.since(now).duration()).cancellation_token(token).build();
            ctx.timer(options).map(|_| ()).boxed_local()
        });
    }
}

/// A workflow whose handlers put their mail into an inbox.
pub(crate) trait Mailbox {
    /// True if there is something in it.
    fn has_mail(&self) -> bool;
}

/// What has ended a wait.
pub(crate) enum Woken<E> {
    /// There is mail.
    Mail,
    /// The alarm went off.
    Alarm,
    /// Operations have ended, in these events.
    Ended(Vec<E>),
}

/// Waits until there is something in the inbox, an operation has ended, or the alarm goes off.
pub(crate) async fn wait<W: Mailbox, E>(
    ctx: &WorkflowContext<W>,
    operations: &mut InFlight<'_, Option<E>>,
    alarm: &mut Alarm<'_>,
) -> Result<Woken<E>, WorkflowTermination> {
    let token = WorkflowCancellationToken::new();
    let options = WaitConditionOptions::builder().cancellation_token(token).build();
    let mut mail = Box::pin(ctx.wait_condition_with_options(W::has_mail, options));
    let mut cancelled = Box::pin(ctx.cancelled());
    poll_fn(|cx| {
        if !cancelled.is_terminated() && cancelled.poll_unpin(cx).is_ready() {
            return Poll::Ready(Err(WorkflowTermination::cancelled()));
        }
        if let Poll::Ready(events) = operations.poll(cx) {
            return Poll::Ready(Ok(Woken::Ended(events.into_iter().flatten().collect())));
        }
        if alarm.timer.as_mut().is_some_and(|timer| timer.poll_unpin(cx).is_ready()) {
            alarm.timer = None;
            alarm.at = None;
            return Poll::Ready(Ok(Woken::Alarm));
        }
        mail.poll_unpin(cx).map(|_| Ok(Woken::Mail))
    })
    .await
}
