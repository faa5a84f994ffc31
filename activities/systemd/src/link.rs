//! A connection as those see it who look and act: calls go out here, answers come back through the session.
//!
//! The session reads answers and signals in the order of the wire. It registers a job of ours *while* it reads the
//! answer that names it, so no signal about that job can be read before we know whose it is.

use crate::{ACT_TIMEOUT, ActError, table::Table, wire};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use zbus::{Connection, Message, zvariant::ObjectPath};

/// Calls in flight at most: a thousand services may fail at once, and a bus refuses what goes beyond its limit.
pub(crate) const CALLS: usize = 48;

/// What systemd answered; for a call that queues a job also where its result will arrive.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) message: Message,
    pub(crate) job: Option<oneshot::Receiver<String>>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// To the task that writes: a caller that gives up in the middle must not leave half a message on the wire.
    outgoing: mpsc::Sender<Message>,
    calls: Mutex<Calls>,
    window: Semaphore,
}

#[derive(Debug, Default)]
struct Calls {
    closed: bool,
    waiting: HashMap<NonZeroU32, Waiting>,
    /// Jobs of ours → who waits for their results.
    jobs: HashMap<u32, Vec<oneshot::Sender<String>>>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<Answer>,
    /// The unit that a job was asked for.
    job_of: Option<usize>,
}

impl Link {
    pub(crate) fn new(connection: Connection) -> Self {
        let (outgoing, mut to_write) = mpsc::channel::<Message>(CALLS);
        tokio::spawn(async move {
            while let Some(message) = to_write.recv().await {
                if connection.send(&message).await.is_err() {
                    // The session sees the same, and closes this link.
                    return;
                }
            }
        });
        Self { outgoing, calls: Mutex::default(), window: Semaphore::new(CALLS) }
    }

    /// Sends a call and waits for its answer, at most `timeout`.
    pub(crate) async fn call(&self, message: zbus::Result<Message>, timeout: Duration) -> Result<Message, ActError> {
        let message = message.map_err(ActError::unavailable)?;
        Ok(self.send(message, None, timeout).await?.message)
    }

    /// Sends a call that queues a job on the unit at `job_of`; the caller has told the table that it asks.
    pub(crate) async fn ask(&self, message: Message, job_of: usize) -> Result<Answer, ActError> {
        self.send(message, Some(job_of), ACT_TIMEOUT).await
    }

    async fn send(&self, message: Message, job_of: Option<usize>, timeout: Duration) -> Result<Answer, ActError> {
        let _turn = self.window.acquire().await;
        let (answer, answered) = oneshot::channel();
        {
            let mut calls = self.lock();
            if calls.closed {
                return Err(ActError::unavailable("the connection was lost"));
            }
            calls.waiting.insert(message.primary_header().serial_num(), Waiting { answer, job_of });
        }
        let exchange = async {
            self.outgoing.send(message).await.map_err(|_| ActError::unavailable("the connection was lost"))?;
            answered.await.map_err(|_| ActError::unavailable("the connection was lost"))
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(ActError::unavailable(format!("no answer within {} s", timeout.as_secs()))))
    }

    /// An answer has been read. `table` learns of the job in the same step.
    pub(crate) fn answered(&self, serial: NonZeroU32, message: Message, table: &mut Table) {
        let mut calls = self.lock();
        let Some(waiting) = calls.waiting.remove(&serial) else { return };
        let job = waiting.job_of.and_then(|index| {
            let id = job_of(&message);
            table.answered(index, serial, id);
            let (result, finished) = oneshot::channel();
            calls.jobs.entry(id?).or_default().push(result);
            Some(finished)
        });
        // An error only says that the caller no longer waits.
        let _ = waiting.answer.send(Answer { message, job });
    }

    /// `JobRemoved` has been read.
    pub(crate) fn finished(&self, job: u32, result: &str) {
        for waiting in self.lock().jobs.remove(&job).unwrap_or_default() {
            let _ = waiting.send(result.to_owned());
        }
    }

    /// The connection is gone: everybody who waits is told.
    pub(crate) fn close(&self) {
        *self.lock() = Calls { closed: true, ..Calls::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn job_of(message: &Message) -> Option<u32> {
    let body = message.body();
    let path: ObjectPath<'_> = body.deserialize().ok()?;
    wire::job_id(path.as_str())
}
