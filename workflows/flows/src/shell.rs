//! What all flows share: the loop that feeds the machine from the desk.
//!
//! Rejected: a loop in each flow. The order of these steps is what replay depends on; it is written down once.

use crate::desk::AtDesk;
use crate::inflight::InFlight;
use crate::wait::{Alarm, Mailbox, Woken, wait};
use dixmgr_contract::Time;
use temporalio_workflow::{WorkflowContext, WorkflowTermination};

/// A run with more events than this starts a new one at the next chance.
const LONG_HISTORY: u32 = 2_000;

/// A flow around a machine.
pub(crate) trait Shell: AtDesk + Sized {
    /// What the machine wants done.
    type Action;
    /// Time has passed.
    const TICK: Self::Event;

    /// Feeds one event to the machine.
    fn step(&mut self, event: Self::Event, now: Time) -> Vec<Self::Action>;

    /// When the machine wants to hear that time has passed.
    fn wake_at(&self) -> Option<Time>;
}

impl<W: Shell> Mailbox for W {
    fn has_mail(&self) -> bool {
        !self.desk().inbox.is_empty()
    }
}

/// The workflow's time.
pub(crate) fn now<W>(ctx: &WorkflowContext<W>) -> Time {
    ctx.workflow_time().map(Time::from).unwrap_or_default()
}

/// True if the history is long enough for a new run.
pub(crate) fn is_long<W>(ctx: &WorkflowContext<W>) -> bool {
    ctx.history_length() > LONG_HISTORY || ctx.continue_as_new_suggested()
}

/// Feeds the machine one event; `None` when none waits.
pub(crate) fn next<W: Shell>(ctx: &WorkflowContext<W>, now: Time) -> Option<Vec<W::Action>> {
    ctx.state_mut(|flow| {
        let event = flow.desk_mut().inbox.pop_front()?;
        Some(flow.step(event, now))
    })
}

/// Sets the alarm and waits for whatever comes next, which is then in the inbox.
pub(crate) async fn rest<'a, W: Shell>(
    ctx: &'a WorkflowContext<W>,
    operations: &mut InFlight<'a, Option<W::Event>>,
    alarm: &mut Alarm<'a>,
    now: Time,
) -> Result<(), WorkflowTermination> {
    alarm.set(ctx, ctx.state(W::wake_at), now);
    let events = match wait(ctx, operations, alarm).await? {
        Woken::Mail => Vec::new(),
        Woken::Alarm => vec![W::TICK],
        Woken::Ended(events) => events,
    };
    // What has ended is heard before what was said meanwhile: a name that was handed over is free for who asks for it.
    ctx.state_mut(|flow| events.into_iter().rev().for_each(|event| flow.desk_mut().inbox.push_front(event)));
    Ok(())
}
