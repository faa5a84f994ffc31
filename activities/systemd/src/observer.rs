//! The read-only capability, and the task that keeps a connection for ever.

use crate::{
    ACT_TIMEOUT, ActError, CALL_TIMEOUT, ConnectError, Options, UnitReader,
    answer::{error_name, error_text, invocation_of, lines_of, patch_of, value_of},
    buffer::{Alive, Buffer, UnitFeed},
    control::JOBS,
    error,
    link::Link,
    properties::Patch,
    row::Listed,
    session::{Session, is_stopping},
    table::Table,
    wire,
};
use dixmgr_contract::{UnitName, UnitState};
use futures_util::future::{BoxFuture, join3};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, watch};
use zbus::Message;

/// How the connection to systemd stands. It is the circuit breaker of everything that is asked over it: while it does not
/// stand, all who ask are refused at once, and one try at a time is made, ever more rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It stands: closed.
    Standing,
    /// It is lost, and the next try is due in a while: open.
    Waiting,
    /// A try is being made: half open.
    Trying,
}

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What the session, the observers and the feed share.
#[derive(Debug)]
pub(crate) struct Shared {
    table: Mutex<Table>,
    pub(crate) buffer: Arc<Buffer>,
    link: Mutex<Option<Arc<Link>>>,
    logind_stopping: AtomicBool,
    connection: watch::Sender<Connection>,
    /// Turns for jobs of ours.
    pub(crate) jobs: Semaphore,
}

impl Shared {
    /// Never held across an `await`. Nothing panics while it is held, so a poisoned one is still good.
    pub(crate) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_link(&self, link: Option<Arc<Link>>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    pub(crate) fn link(&self) -> Result<Arc<Link>, ActError> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        link.ok_or_else(|| ActError::unavailable("there is no connection; a new one is being tried"))
    }

    pub(crate) fn set_stopping(&self, logind: bool, systemd: bool) {
        self.logind_stopping.store(logind, Ordering::Relaxed);
        self.buffer.stopping(logind || systemd);
    }

    /// logind has announced a shutdown.
    pub(crate) fn shutdown_announced(&self) -> bool {
        self.logind_stopping.load(Ordering::Relaxed)
    }
}

/// May look at units. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Observer {
    pub(crate) shared: Arc<Shared>,
    _alive: Arc<Alive>,
}

/// Connects to systemd, subscribes to its signals and follows them in the background for as long as the observer or
/// the feed lives. A lost connection is made again after 50 ms to 5 s, and every state is then read anew.
///
/// # Errors
/// When the bus or systemd is not there, or refuses, at this moment. Later losses are told by the feed.
pub async fn start(options: Options) -> Result<(Observer, UnitFeed), ConnectError> {
    let units: Vec<UnitName> = options.units.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let buffer = Arc::new(Buffer::new(&units));
    let shared = Arc::new(Shared {
        table: Mutex::new(Table::new(units, Arc::clone(&buffer), Instant::now())),
        buffer: Arc::clone(&buffer),
        link: Mutex::new(None),
        logind_stopping: AtomicBool::new(false),
        connection: watch::Sender::new(Connection::Standing),
        jobs: Semaphore::new(JOBS),
    });
    let session = Session::open(options.bus, Arc::clone(&shared)).await?;
    let following = {
        let (shared, bus, resync) = (Arc::clone(&shared), options.bus, options.resync);
        async move {
            let mut session = session;
            loop {
                let reason = session.run(resync).await;
                shared.buffer.disconnected(reason);
                let open = || Session::open(bus, Arc::clone(&shared));
                session = reopen(open, |stands| _ = shared.connection.send_replace(stands)).await;
            }
        }
    };
    let alive = Arc::new(Alive(Some(tokio::spawn(following).abort_handle())));
    let feed = UnitFeed::new(buffer, Arc::clone(&alive));
    Ok((Observer { shared, _alive: alive }, feed))
}

/// Tries until it succeeds, and tells how it stands meanwhile.
async fn reopen<S, F: Future<Output = Result<S, ConnectError>>>(
    mut open: impl FnMut() -> F,
    tell: impl Fn(Connection),
) -> S {
    let mut wait = BACKOFF_FIRST;
    loop {
        tell(Connection::Waiting);
        tokio::time::sleep(wait).await;
        tell(Connection::Trying);
        match open().await {
            Ok(session) => {
                tell(Connection::Standing);
                return session;
            }
            Err(error) => tracing::debug!(%error, "systemd is not back yet"),
        }
        wait = (wait * 2).min(BACKOFF_MAX);
    }
}

impl Observer {
    /// How the connection stands, now and from now on. States that follow each other quickly may be left out.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.shared.connection.subscribe()
    }

    /// Whether the kernel takes the host's clock for synchronised, whoever does that; nothing where nobody on the bus says it, as on
    /// a user's. It may take 25 s: systemd-timedated has to be started for it, and ends by itself soon after.
    pub async fn clock_synchronized(&self) -> Option<bool> {
        let answer = self.shared.link().ok()?.call(wire::clock_synchronized(), ACT_TIMEOUT).await.ok()?;
        value_of(&answer, |value| bool::try_from(value).ok()).flatten()
    }

    /// What a decision to act needs, in one round trip: without the run's result, with the manager's state.
    pub(crate) async fn fresh_and_manager(&self, unit: &UnitName) -> Result<Fresh, ActError> {
        let link = self.shared.link()?;
        let (list, invocation, manager) = join3(
            link.call(wire::list(std::slice::from_ref(unit)), ACT_TIMEOUT),
            link.call(wire::invocation(unit), ACT_TIMEOUT),
            link.call(wire::system_state(), ACT_TIMEOUT),
        )
        .await;
        let mut fresh = self.read_as(unit, &list?, &invocation?, Patch::default())?;
        fresh.manager_stopping = is_stopping(&manager?);
        Ok(fresh)
    }

    fn read_as(&self, unit: &UnitName, list: &Message, invocation: &Message, part: Patch) -> Result<Fresh, ActError> {
        if let Some(name) = error_name(list) {
            return Err(error::from_dbus(unit, None, &name, &error_text(list)));
        }
        let line = lines_of(list).and_then(|lines| lines.into_iter().next());
        let mut patch = part;
        patch.merge(line.map_or_else(Listed::absent, |line| line.listed).into());
        patch.invocation = invocation_of(invocation);
        let invocation = patch.invocation.clone().flatten();
        let table = self.shared.table();
        let state = table.read_as(table.index_of(unit), unit, patch, Instant::now());
        Ok(Fresh { state, invocation, manager_stopping: false })
    }
}

/// What systemd says of a unit at this moment.
pub(crate) struct Fresh {
    /// With what is remembered of a unit that was unloaded.
    pub(crate) state: UnitState,
    /// The unit's own, not remembered.
    pub(crate) invocation: Option<String>,
    /// systemd is shutting down.
    pub(crate) manager_stopping: bool,
}

impl UnitReader for Observer {
    fn look<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<UnitState, ActError>> {
        Box::pin(async move {
            let link = self.shared.link()?;
            let part = async {
                match wire::type_part(unit) {
                    Some(message) => link.call(message, CALL_TIMEOUT).await.map(|answer| patch_of(&answer)),
                    None => Ok(None),
                }
            };
            let (list, invocation, part) = join3(
                link.call(wire::list(std::slice::from_ref(unit)), CALL_TIMEOUT),
                link.call(wire::invocation(unit), CALL_TIMEOUT),
                part,
            )
            .await;
            Ok(self.read_as(unit, &list?, &invocation?, part?.unwrap_or_default())?.state)
        })
    }

    fn control_group<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<String, ActError>> {
        Box::pin(async move {
            let Some(question) = wire::control_group(unit) else { return Ok(String::new()) };
            let answer = self.shared.link()?.call(question, CALL_TIMEOUT).await?;
            Ok(value_of(&answer, |value| String::try_from(value.clone()).unwrap_or_default()).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BusKind;
    use std::cell::RefCell;

    #[tokio::test]
    async fn a_lost_connection_is_open_half_open_and_at_last_closed() {
        use Connection::{Standing, Trying, Waiting};
        let told = RefCell::new(Vec::new());
        let mut tries = 0;
        let open = || {
            tries += 1;
            assert_eq!(told.borrow().last(), Some(&Trying));
            std::future::ready(if tries < 3 { Err(ConnectError::Silent(BusKind::Session)) } else { Ok(tries) })
        };
        assert_eq!(reopen(open, |stands| told.borrow_mut().push(stands)).await, 3);
        assert_eq!(told.into_inner(), [Waiting, Trying, Waiting, Trying, Waiting, Trying, Standing]);
    }
}
