//! The read-only capability, and the task that keeps a connection for ever.

use crate::{
    ActError, ConnectError, Options, UnitReader,
    buffer::{Alive, Buffer, UnitFeed},
    error,
    link::Link,
    properties::Patch,
    session::{Session, error_text},
    table::Table,
    wire,
};
use dixmgr_contract::{UnitName, UnitState};
use futures_util::future::BoxFuture;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use zbus::{Message, message::Type, zvariant::Value};

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What the session, the observers and the feed share.
#[derive(Debug)]
pub(crate) struct Shared {
    table: Mutex<Table>,
    pub(crate) buffer: Arc<Buffer>,
    link: Mutex<Option<Arc<Link>>>,
    logind_stopping: AtomicBool,
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
    });
    let session = Session::open(options.bus, Arc::clone(&shared)).await?;
    let following = {
        let (shared, bus, resync) = (Arc::clone(&shared), options.bus, options.resync);
        async move {
            let mut session = session;
            loop {
                let reason = session.run(resync).await;
                tracing::warn!(bus = %bus, reason, "lost sight of systemd; connecting again");
                shared.buffer.disconnected(reason);
                session = reopen(bus, &shared).await;
                tracing::info!(bus = %bus, "connected to systemd again");
            }
        }
    };
    let alive = Arc::new(Alive(Some(tokio::spawn(following).abort_handle())));
    let feed = UnitFeed::new(buffer, Arc::clone(&alive));
    Ok((Observer { shared, _alive: alive }, feed))
}

async fn reopen(bus: crate::BusKind, shared: &Arc<Shared>) -> Session {
    let mut wait = BACKOFF_FIRST;
    loop {
        tokio::time::sleep(wait).await;
        match Session::open(bus, Arc::clone(shared)).await {
            Ok(session) => return session,
            Err(error) => tracing::debug!(%error, "systemd is not back yet"),
        }
        wait = (wait * 2).min(BACKOFF_MAX);
    }
}

impl UnitReader for Observer {
    fn look<'a>(&'a self, unit: &'a UnitName) -> BoxFuture<'a, Result<UnitState, ActError>> {
        Box::pin(async move {
            let answer = self.shared.link()?.call(wire::get_all(unit, "")).await?;
            let patch = properties_of(unit, &answer)?;
            let table = self.shared.table();
            Ok(table.read_as(table.index_of(unit), unit, patch, Instant::now()))
        })
    }
}

/// The properties in the answer to a `GetAll`.
pub(crate) fn properties_of(unit: &UnitName, answer: &Message) -> Result<Patch, ActError> {
    let header = answer.header();
    if answer.message_type() == Type::Error {
        let name = header.error_name().map_or("", |name| name.as_str());
        return Err(error::from_dbus(unit, None, name, &error_text(answer)));
    }
    let body = answer.body();
    let properties: HashMap<&str, Value<'_>> = body
        .deserialize()
        .map_err(|error| ActError::unavailable(format!("its answer about {unit} cannot be read: {error}")))?;
    Ok(Patch::read(&properties))
}
