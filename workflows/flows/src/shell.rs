//! What all flows share: an inbox for the handlers, one loop that feeds the machine, and the answers to those who wait.
//!
//! Rejected: a loop in each flow. The order of these steps is what replay depends on; it is written down once.

use crate::inflight::InFlight;
use crate::wait::{Alarm, Mailbox, Woken, wait};
use dixmgr_contract::Time;
use std::collections::{BTreeMap, VecDeque};
use temporalio_workflow::{WorkflowContext, WorkflowTermination};

/// A run with more events than this starts a new one at the next chance.
const LONG_HISTORY: u32 = 2_000;
/// Events waiting for a machine; beyond it handlers refuse or replace.
pub(crate) const INBOX_LIMIT: usize = 256;
/// Answers kept for those who wait for them.
const ANSWERS: usize = 256;

/// A flow around a machine.
pub(crate) trait Shell: Sized {
    /// What can happen to the machine.
    type Event;
    /// What it wants done.
    type Action;
    /// Time has passed.
    const TICK: Self::Event;

    /// The events that wait for the machine.
    fn inbox(&mut self) -> &mut VecDeque<Self::Event>;

    /// True if there are any.
    fn has_events(&self) -> bool;

    /// Feeds one event to the machine.
    fn step(&mut self, event: Self::Event, now: Time) -> Vec<Self::Action>;

    /// When the machine wants to hear that time has passed.
    fn wake_at(&self) -> Option<Time>;
}

impl<W: Shell> Mailbox for W {
    fn has_mail(&self) -> bool {
        self.has_events()
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
        let event = flow.inbox().pop_front()?;
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
    ctx.state_mut(|flow| events.into_iter().rev().for_each(|event| flow.inbox().push_front(event)));
    Ok(())
}

/// Answers to requests, until they are fetched.
#[derive(Debug)]
pub(crate) struct Answers<T>(BTreeMap<String, T>);

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Answers<T> {
    /// Keeps an answer. Nobody may come for it: then the oldest names give way.
    pub(crate) fn put(&mut self, id: String, answer: T) {
        if self.0.len() >= ANSWERS {
            self.0.pop_first();
        }
        self.0.insert(id, answer);
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(crate) fn take(&mut self, id: &str) -> Option<T> {
        self.0.remove(id)
    }
}
