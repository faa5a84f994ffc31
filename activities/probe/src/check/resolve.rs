//! Names to addresses, by the host's own resolver, which cannot be hurried: `getaddrinfo` blocks until it is done.
//!
//! So each name is looked up on a thread of its own, at most one a name and [`THREADS`] in all; whoever asks for a name that
//! is being looked up waits for that answer. A name that was found before keeps its addresses for when the resolver is slow,
//! silent or the threads are busy, so names that hang harm neither themselves nor the others: nobody waits long for what is
//! known, and the lookup that goes on tells the next one who asks.
//!
//! Rejected: the runtime's pool for what blocks. Threads that hang would fill it, and keep the program from ending.
//! Rejected: a resolver of our own. It would not know the host's: `/etc/hosts`, nsswitch, mDNS.

use super::failure::Failure;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Lookups at a time.
const THREADS: usize = 32;
/// How long whoever knows addresses waits for newer ones.
const KNOWN_PATIENCE: Duration = Duration::from_millis(100);
/// Names whose addresses are kept.
const MAX_KNOWN: usize = 10_000;
/// Addresses of one name.
const MAX_ADDRESSES: usize = 64;

/// What looks a name up, and may block for as long as it likes.
pub(crate) type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Of a lookup that ended: the addresses, or why there are none and whether that is the resolver's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Addresses(Vec<IpAddr>),
    Nothing(String),
    Broken(String),
}

/// Why a name has no addresses, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// The resolver says that there are none.
    Nothing(String),
    /// The resolver is silent, or says that it cannot tell.
    Silent(String),
    /// It could not be asked: no thread is free.
    NotAsked(String),
}

impl From<Unresolved> for Failure {
    /// For whoever asks an endpoint behind the name: a resolver that fails says nothing of it.
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::Nothing(why) => Self::Theirs(why),
            Unresolved::Silent(why) | Unresolved::NotAsked(why) => Self::Ours(why),
        }
    }
}

/// Resolves names. A clone shares all.
#[derive(Clone)]
pub(crate) struct Resolver {
    lookup: Arc<Lookup>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    running: HashMap<String, watch::Receiver<Option<Found>>>,
    known: HashMap<String, Vec<IpAddr>>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Resolver")
    }
}

impl Resolver {
    /// Over the host's own.
    pub(crate) fn of_host() -> Self {
        Self::over(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
    }

    pub(crate) fn over(lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup), state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of `host`, a name or an address, within `patience`; those of before if there is no answer soon.
    pub(crate) async fn addresses(&self, host: &str, patience: Duration) -> Result<Vec<IpAddr>, Failure> {
        if let Some(known) = literal(host) {
            return Ok(known);
        }
        let known = self.state().known.get(host).cloned();
        let patience = if known.is_some() { patience.min(KNOWN_PATIENCE) } else { patience };
        match self.ask(host, patience).await {
            Ok(addresses) => Ok(addresses),
            Err(unresolved @ Unresolved::Nothing(_)) => Err(unresolved.into()),
            Err(unresolved) => known.ok_or_else(|| unresolved.into()),
        }
    }

    /// What the resolver says now, for whoever wants to know the resolver.
    pub(crate) async fn ask(&self, name: &str, patience: Duration) -> Result<Vec<IpAddr>, Unresolved> {
        let because = |why: &str| format!("cannot resolve {name}: {why}");
        let begun = self.begin(name);
        let begun = begun.map_err(|error| Unresolved::NotAsked(because(&format!("no thread for it: {error}"))))?;
        let busy = || because(&format!("{THREADS} other names are being looked up, and hang"));
        let mut answer = begun.ok_or_else(|| Unresolved::NotAsked(busy()))?;
        let found = match tokio::time::timeout(patience, answer.wait_for(Option::is_some)).await {
            Err(_) => return Err(Unresolved::Silent(because("the resolver does not answer"))),
            Ok(found) => found.ok().and_then(|found| found.clone()),
        };
        match found {
            Some(Found::Addresses(addresses)) => Ok(addresses),
            Some(Found::Nothing(why)) => Err(Unresolved::Nothing(because(&why))),
            Some(Found::Broken(why)) => Err(Unresolved::Silent(because(&why))),
            None => Err(Unresolved::NotAsked(because("the lookup broke off"))),
        }
    }

    /// Of a name that is not there any more, nothing is kept: whoever did not wait for that hears of it at the next look.
    fn keep(&self, name: &str, found: &Found) {
        let mut state = self.state();
        match found {
            Found::Addresses(addresses) => {
                if state.known.len() >= MAX_KNOWN {
                    state.known.clear();
                }
                state.known.insert(name.to_owned(), addresses.clone());
            }
            Found::Nothing(_) => {
                state.known.remove(name);
            }
            Found::Broken(_) => {}
        }
    }

    /// The lookup of `name` that runs, or a new one; nothing if too many run.
    fn begin(&self, name: &str) -> io::Result<Option<watch::Receiver<Option<Found>>>> {
        let mut state = self.state();
        if let Some(running) = state.running.get(name) {
            return Ok(Some(running.clone()));
        }
        if state.running.len() >= THREADS {
            return Ok(None);
        }
        let (tell, told) = watch::channel(None);
        let end = End { resolver: self.clone(), name: name.to_owned(), found: None, tell };
        std::thread::Builder::new().name("dixmgr-resolve".to_owned()).spawn(move || end.look_up())?;
        state.running.insert(name.to_owned(), told.clone());
        Ok(Some(told))
    }
}

/// A lookup under way. However it ends, its place is free again, and then whoever waits hears of it.
struct End {
    resolver: Resolver,
    name: String,
    found: Option<Found>,
    tell: watch::Sender<Option<Found>>,
}

impl End {
    fn look_up(mut self) {
        let found = match (self.resolver.lookup)(&self.name) {
            Ok(addresses) if addresses.is_empty() => Found::Nothing("it has no address".to_owned()),
            Ok(mut addresses) => {
                addresses.dedup();
                addresses.truncate(MAX_ADDRESSES);
                Found::Addresses(addresses)
            }
            Err(error) => failed(&error),
        };
        self.resolver.keep(&self.name, &found);
        self.found = Some(found);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.resolver.state().running.remove(&self.name);
        if let Some(found) = self.found.take() {
            self.tell.send_replace(Some(found));
        }
    }
}

/// The standard library gives the words of `gai_strerror(3)` alone, those of glibc or musl. `EAI_AGAIN` and `EAI_FAIL` (its server
/// refuses, say) are the resolver's fault, not the name's.
fn failed(error: &io::Error) -> Found {
    let said = error.to_string();
    let reason = said.strip_prefix("failed to lookup address information: ").unwrap_or(&said).to_owned();
    let is_broken =
        ["Temporary failure", "Try again", "Non-recoverable", "System error", "Memory allocation", "Out of memory"]
            .iter()
            .any(|words| reason.starts_with(words));
    if is_broken || error.raw_os_error().is_some() { Found::Broken(reason) } else { Found::Nothing(reason) }
}

/// An address, or this host itself (RFC 6761, 6.3), which no resolver needs to be asked for.
fn literal(host: &str) -> Option<Vec<IpAddr>> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse() {
        return Some(vec![address]);
    }
    host.eq_ignore_ascii_case("localhost").then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
