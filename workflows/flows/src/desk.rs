//! The desk between a flow's handlers and its main loop: what came in and waits for the machine, the machine's answers to
//! those who wait, and what could not be read.

use crate::wire::Wire;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use temporalio_workflow::WorkflowContext;

/// Events waiting for a machine; beyond it people are asked to come again. Signals are taken all the same: none may be lost, a
/// task empties the inbox, and the server takes no more than 10,000 for a run (`history.maximumSignalsPerExecution`).
const INBOX_LIMIT: usize = 256;
/// Answers kept for those who wait for them.
const ANSWERS: usize = 256;

/// What a handler may fail with.
pub(crate) type Boxed = Box<dyn Error + Send + Sync>;

/// Events in, answers out.
#[derive(Debug)]
pub(crate) struct Desk<E, A = Result<String, String>> {
    pub(crate) inbox: VecDeque<E>,
    answers: BTreeMap<String, A>,
    /// Why the last signal was not understood.
    pub(crate) input_error: Option<String>,
}

/// A flow that has one.
pub(crate) trait AtDesk {
    /// What can happen to the machine.
    type Event;
    /// What it answers.
    type Answer;

    fn desk(&self) -> &Desk<Self::Event, Self::Answer>;

    fn desk_mut(&mut self) -> &mut Desk<Self::Event, Self::Answer>;
}

impl<E, A> Desk<E, A> {
    /// One with these events on it.
    pub(crate) fn new(first: impl IntoIterator<Item = E>) -> Self {
        Self { inbox: first.into_iter().collect(), answers: BTreeMap::new(), input_error: None }
    }

    /// A signal that cannot be read is noted, and harms nothing.
    pub(crate) fn take<T>(&mut self, signal: &str, argument: Wire<T>, event: impl FnOnce(T) -> E) {
        match argument.0 {
            Ok(argument) => self.inbox.push_back(event(argument)),
            Err(error) => self.input_error = Some(format!("{signal}: {error}")),
        }
    }

    /// Whether an update may be put to the machine: its argument can be read, and there is room.
    pub(crate) fn admits<T>(&self, update: &str, argument: &Wire<T>, meant: &str) -> Result<(), Boxed> {
        match &argument.0 {
            Err(error) => Err(format!("the argument of {update} is {meant}: {error}").into()),
            Ok(_) if self.inbox.len() >= INBOX_LIMIT => Err("too much is waiting; try again".into()),
            Ok(_) => Ok(()),
        }
    }

    /// Keeps an answer. Nobody may come for it: then the oldest names give way.
    pub(crate) fn put(&mut self, id: String, answer: A) {
        if self.answers.len() >= ANSWERS {
            self.answers.pop_first();
        }
        self.answers.insert(id, answer);
    }
}

/// Puts a request to the machine and waits for its answer.
pub(crate) async fn ask<W: AtDesk>(
    ctx: &mut WorkflowContext<W>,
    id: &str,
    event: W::Event,
) -> Result<W::Answer, Boxed> {
    ctx.state_mut(|flow| flow.desk_mut().inbox.push_back(event));
    ctx.wait_condition(|flow| flow.desk().answers.contains_key(id)).await?;
    ctx.state_mut(|flow| flow.desk_mut().answers.remove(id)).ok_or_else(|| "the answer was lost".into())
}

/// The machine's objection, as an update's validator says it.
pub(crate) fn unless(objection: Option<String>) -> Result<(), Boxed> {
    objection.map_or(Ok(()), |objection| Err(objection.into()))
}

/// The two ways to a flow's desk, where the field is named `desk`.
macro_rules! at_desk {
    ($flow:ty, $event:ty, $answer:ty) => {
        impl crate::desk::AtDesk for $flow {
            type Event = $event;
            type Answer = $answer;

            fn desk(&self) -> &crate::desk::Desk<$event, $answer> {
                &self.desk
            }

            fn desk_mut(&mut self) -> &mut crate::desk::Desk<$event, $answer> {
                &mut self.desk
            }
        }
    };
}

pub(crate) use at_desk;
