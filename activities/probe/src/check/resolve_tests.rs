//! Resolvers that answer, that do not, and that hang.

use super::*;
use std::sync::{
    Condvar,
    atomic::{AtomicUsize, Ordering},
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

fn one() -> Vec<IpAddr> {
    vec![Ipv4Addr::new(192, 0, 2, 1).into()]
}

type Gate = (Mutex<bool>, Condvar);

/// A resolver that hangs for names with `hang` in them until the gate is opened.
fn gated() -> (Resolver, Arc<Gate>, Arc<AtomicUsize>) {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let asked = Arc::new(AtomicUsize::new(0));
    let (shut, count) = (gate.clone(), asked.clone());
    let resolver = Resolver::over(move |name| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut open = shut.0.lock().unwrap();
        while name.contains("hang") && !*open {
            open = shut.1.wait(open).unwrap();
        }
        Ok(one())
    });
    (resolver, gate, asked)
}

fn open(gate: &Gate, is_open: bool) {
    *gate.0.lock().unwrap() = is_open;
    gate.1.notify_all();
}

#[tokio::test]
async fn an_address_and_this_host_need_no_resolver() {
    let resolver = Resolver::over(|_| panic!("asked"));
    assert_eq!(resolver.addresses("192.0.2.1", SHORT).await, Ok(one()));
    assert_eq!(resolver.addresses("[::1]", SHORT).await, Ok(vec![Ipv6Addr::LOCALHOST.into()]));
    assert_eq!(resolver.addresses("LocalHost", SHORT).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_theirs_and_a_resolver_that_fails_is_ours() {
    let says = |words: &'static str| Resolver::over(move |_| Err(io::Error::other(words)));
    let of = async |words| says(words).addresses("a", LONG).await.unwrap_err();
    let missing = "failed to lookup address information: Name or service not known";
    assert_eq!(of(missing).await, Failure::Theirs("cannot resolve a: Name or service not known".into()));
    for broken in [
        "failed to lookup address information: Temporary failure in name resolution",
        "failed to lookup address information: Non-recoverable failure in name resolution",
        "failed to lookup address information: Non-recoverable error",
        "failed to lookup address information: Out of memory",
    ] {
        assert!(matches!(of(broken).await, Failure::Ours(_)), "{broken}");
    }
    let empty = Resolver::over(|_| Ok(Vec::new()));
    assert!(matches!(empty.addresses("a", LONG).await, Err(Failure::Theirs(_))));
}

#[tokio::test]
async fn a_name_that_hangs_takes_one_thread_and_no_longer_than_it_may() {
    let (resolver, gate, asked) = gated();
    for _ in 0..3 {
        assert!(matches!(resolver.addresses("hang", SHORT).await, Err(Failure::Ours(_))));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(resolver.addresses("fine", LONG).await, Ok(one()));
    open(&gate, true);
    assert_eq!(resolver.addresses("hang", LONG).await, Ok(one()));
}

#[tokio::test]
async fn names_that_hang_do_not_harm_those_that_were_found_before() {
    let (resolver, gate, asked) = gated();
    open(&gate, true);
    for name in ["fine", "hang-later"] {
        assert_eq!(resolver.addresses(name, LONG).await, Ok(one()));
    }
    open(&gate, false);
    let hanging: Vec<_> = (0..THREADS).map(|number| format!("hang-{number}")).collect();
    for name in &hanging {
        assert!(resolver.addresses(name, Duration::from_millis(1)).await.is_err());
    }
    assert!(resolver.state().running.len() <= THREADS);
    assert_eq!(resolver.addresses("fine", SHORT).await, Ok(one()), "all threads hang");
    assert_eq!(resolver.addresses("hang-later", SHORT).await, Ok(one()), "so would it");
    assert!(matches!(resolver.addresses("new", SHORT).await, Err(Failure::Ours(_))));
    assert!(asked.load(Ordering::SeqCst) <= THREADS + 2);
    open(&gate, true);
    assert_eq!(resolver.addresses(&hanging[0], LONG).await, Ok(one()));
}

/// However long it may wait.
async fn soon(resolver: &Resolver, name: &str) -> Result<Vec<IpAddr>, Failure> {
    let found = tokio::time::timeout(LONG / 4, resolver.addresses(name, LONG)).await;
    found.expect("it waits for what it knows")
}

#[tokio::test]
async fn nobody_waits_long_for_addresses_that_are_known_and_the_slow_answer_is_for_the_next_one() {
    let (gate, is_there) = (Arc::new((Mutex::new(true), Condvar::new())), Arc::new(Mutex::new(true)));
    let (shut, there) = (gate.clone(), is_there.clone());
    let resolver = Resolver::over(move |_| {
        drop(shut.1.wait_while(shut.0.lock().unwrap(), |open| !*open));
        Ok(if *there.lock().unwrap() { one() } else { Vec::new() })
    });
    assert_eq!(resolver.addresses("a", LONG).await, Ok(one()));
    open(&gate, false);
    assert_eq!(soon(&resolver, "a").await, Ok(one()));
    *is_there.lock().unwrap() = false;
    assert_eq!(soon(&resolver, "a").await, Ok(one()), "nobody has heard yet that it is gone");
    open(&gate, true);
    assert!(matches!(resolver.ask("a", LONG).await, Err(Unresolved::Nothing(_))));
    assert!(resolver.state().known.is_empty());
    assert!(matches!(resolver.addresses("a", LONG).await, Err(Failure::Theirs(_))));
}

#[tokio::test]
async fn a_lookup_that_panics_frees_its_place() {
    let resolver = Resolver::over(|_| panic!("broken"));
    assert!(matches!(resolver.addresses("a", LONG).await, Err(Failure::Ours(_))));
    assert!(matches!(resolver.addresses("a", LONG).await, Err(Failure::Ours(_))));
}
