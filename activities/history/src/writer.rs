//! The one task that writes: it gathers events for a quarter of a second and samples for half a minute, writes batches, sums up, forgets, and lives with a store
//! that cannot be written.
//!
//! Nothing waits for it. It opens the store in its own time, so that a server that is away or a locked file delays no start;
//! as long as there is trouble it keeps what comes in a bounded ring and tries again, after 1 s, then later and later, up to
//! a minute. An idle host wakes it once a minute, for the mark that says how long it is known to have lived.

use crate::desk::Desk;
use crate::notice::{Counts, Tell};
use crate::recorder::{Ends, Numbered, Recorder};
use crate::upkeep::Step;
use crate::{Keep, Target};
use dixmgr_contract::{HostName, Time};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// How long the first event of a batch waits for more.
const GATHER: Duration = Duration::from_millis(250);
/// How long samples do, which nobody waits for: each transaction writes some pages, however little is new in them.
const GATHER_SAMPLES: Duration = Duration::from_secs(30);
/// So many rows are a batch.
pub(crate) const BATCH: usize = 500;
/// How often the mark is written.
const MARK: Duration = Duration::from_secs(60);
const UPKEEP: Duration = Duration::from_secs(300);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// After so many batches the queues are looked at again.
const AT_ONCE: usize = 16;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// What a writer needs to know.
#[derive(Clone)]
pub struct Options {
    /// Where it writes.
    pub target: Target,
    /// Whose history it is.
    pub host: HostName,
    /// How much is kept.
    pub keep: Keep,
    /// The host's clock.
    pub clock: Clock,
    /// Who is told what happens to the store.
    pub tell: Tell,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("target", &self.target).field("host", &self.host).finish_non_exhaustive()
    }
}

impl Options {
    /// With the defaults and the system's clock; nobody is told anything.
    pub fn new(target: Target, host: HostName) -> Self {
        let clock = || Time::from(std::time::SystemTime::now());
        Self { target, host, keep: Keep::default(), clock: Arc::new(clock), tell: Arc::new(|_| {}) }
    }
}

enum Order {
    Flush(oneshot::Sender<bool>),
    Upkeep(oneshot::Sender<bool>),
    Stop(oneshot::Sender<bool>),
}

/// The running writer.
#[derive(Debug)]
pub struct Writer {
    orders: mpsc::Sender<Order>,
    task: tokio::task::JoinHandle<()>,
}

impl Writer {
    /// Starts it on the current runtime. Opening the store is already its own work: this cannot fail.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start(options: Options) -> (Recorder, Self) {
        let started = (options.clock)();
        // Numbers go on growing over restarts, as long as fewer than 4,096 are taken a millisecond.
        let (recorder, ends) = Recorder::new(started.unix_millis() << 12);
        let (orders, inbox) = mpsc::channel(4);
        let task = tokio::spawn(Loop::new(options, started, ends).run(inbox));
        (recorder, Self { orders, task })
    }

    /// Tries now to write all that was recorded before; true if nothing is left.
    pub async fn flush(&self) -> bool {
        self.order(Order::Flush).await
    }

    /// The same, and then sums up and forgets all that is due, which otherwise happens every five minutes.
    pub async fn upkeep(&self) -> bool {
        self.order(Order::Upkeep).await
    }

    async fn order(&self, order: fn(oneshot::Sender<bool>) -> Order) -> bool {
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.is_ok() && answer.await.unwrap_or(false)
    }

    /// Writes what there is, marks the end, and ends; true if nothing is left. After `limit` it is given up.
    pub async fn stop(self, limit: Duration) -> bool {
        let outcome = tokio::time::timeout(limit, self.order(Order::Stop)).await;
        if outcome.is_err() {
            self.task.abort();
        }
        // Ended, or aborted just now: either way it is over.
        let _ = self.task.await;
        outcome.unwrap_or(false)
    }
}

struct Loop {
    desk: Desk,
    events: mpsc::Receiver<Numbered>,
    samples: mpsc::Receiver<Numbered>,
    flush_at: Option<Instant>,
    mark_at: Instant,
    upkeep_at: Instant,
    steps: Vec<Step>,
    retry: Option<(Instant, Duration)>,
}

impl Loop {
    fn new(options: Options, started: Time, ends: Ends) -> Self {
        let Ends { events, samples, shared } = ends;
        let (now, steps) = (Instant::now(), Vec::new());
        let desk = Desk::new(options, started, shared);
        Self { desk, events, samples, flush_at: Some(now), mark_at: now, upkeep_at: now + MARK, steps, retry: None }
    }

    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let wake = self.wake();
            let mut order = None;
            let mut is_over = false;
            tokio::select! {
                biased;
                Some(found) = orders.recv() => order = Some(found),
                // No record means that no handle is left: nothing will come any more.
                found = self.events.recv() => match found {
                    Some(record) => self.desk.take([record].into_iter()),
                    None => is_over = true,
                },
                Some(record) = self.samples.recv() => self.desk.take([record].into_iter()),
                () = sleep_until(wake) => {}
            }
            self.take_all();
            if order.is_none() && !is_over {
                self.turn().await;
                continue;
            }
            self.desk.mark_due();
            let mut all = self.write(usize::MAX).await;
            is_over |= matches!(order, Some(Order::Stop(_)));
            if is_over {
                self.desk.close().await;
            }
            if matches!(order, Some(Order::Upkeep(_))) {
                self.steps = Step::all().into_iter().rev().collect();
                while all && !self.steps.is_empty() {
                    all = self.step().await;
                }
            }
            if let Some(Order::Flush(done) | Order::Upkeep(done) | Order::Stop(done)) = order {
                // Who asked may have gone.
                let _ = done.send(all);
            }
            if is_over {
                return;
            }
        }
    }

    fn wake(&self) -> Instant {
        let work = [self.flush_at, Some(self.mark_at), Some(self.upkeep_at)];
        let next = work.into_iter().flatten().min().unwrap_or(self.mark_at);
        let next = if self.steps.is_empty() { next } else { Instant::now() };
        self.retry.map_or(next, |(retry, _)| retry)
    }

    /// What is in the queues now, and no more than fits them: who goes on filling them does not hold us up.
    fn take_all(&mut self) {
        let (events, samples) = (self.events.max_capacity(), self.samples.max_capacity());
        self.desk.take(std::iter::from_fn(|| self.events.try_recv().ok()).take(events));
        self.desk.take(std::iter::from_fn(|| self.samples.try_recv().ok()).take(samples));
        if self.desk.waiting() > 0 {
            let gather = if self.desk.has_events() { GATHER } else { GATHER_SAMPLES };
            let at = Instant::now() + gather;
            self.flush_at = Some(self.flush_at.map_or(at, |earlier| earlier.min(at)));
        }
    }

    async fn turn(&mut self) {
        let now = Instant::now();
        if self.retry.is_some_and(|(retry, _)| now < retry) {
            return;
        }
        if now >= self.mark_at {
            self.mark_at = now + MARK;
            self.desk.mark_due();
            self.flush_at = Some(now);
        }
        let is_time = self.flush_at.is_some_and(|at| now >= at) || self.retry.is_some();
        if (is_time || self.desk.waiting() >= BATCH) && !self.write(AT_ONCE).await {
            return;
        }
        if now >= self.upkeep_at {
            self.upkeep_at = now + UPKEEP;
            self.steps = Step::all().into_iter().rev().collect();
        }
        self.step().await;
    }

    /// The next step of the upkeep, if there is one; false if that cannot be done.
    async fn step(&mut self) -> bool {
        let Some(step) = self.steps.pop() else { return true };
        match self.desk.upkeep(step).await {
            Ok(left) => {
                self.steps.extend(left);
                true
            }
            Err(()) => {
                self.trouble();
                false
            }
        }
    }

    /// Writes at most so many batches; true if nothing is left.
    async fn write(&mut self, batches: usize) -> bool {
        match self.desk.write(batches).await {
            Ok(all) => {
                self.retry = None;
                self.flush_at = (!all).then(Instant::now);
                all
            }
            Err(()) => {
                self.trouble();
                false
            }
        }
    }

    fn trouble(&mut self) {
        self.steps.clear();
        let pause = self.retry.map_or(FIRST_RETRY, |(_, last)| (last * 2).min(LAST_RETRY));
        self.retry = Some((Instant::now() + pause, pause));
    }
}

pub(crate) fn set_waiting(counts: &Counts, waiting: usize) {
    counts.waiting.store(u64::try_from(waiting).unwrap_or(u64::MAX), std::sync::atomic::Ordering::Relaxed);
}
