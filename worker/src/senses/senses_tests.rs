//! Who waits for whom: endpoints of the loopback that hang, and one that answers.

use super::*;
use dixmgr_probe::NodeChecker;
use dixmgr_telemetry::Room;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HANGING: usize = 6;
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that counts who connects, and what it does with them; its port.
async fn serve<F>(count: &Arc<AtomicUsize>, answer: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::clone(count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(answer(stream));
        }
    });
    port
}

async fn says_ok(mut stream: TcpStream) {
    let mut head = [0; 1024];
    let _ = stream.read(&mut head).await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
}

/// Reads until the other side gives up.
async fn says_nothing(mut stream: TcpStream) {
    let mut head = [0; 1024];
    while stream.read(&mut head).await.is_ok_and(|bytes| bytes > 0) {}
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let is_so = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, is_so).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// All probes of `config`, none of whose services is seen to run; what they measure, and the folder that they write to.
fn senses_of(config: &str, folder: &str, places: Places) -> (Senses, Metrics, PathBuf) {
    let config = dixmgr_model::parse(config, "test.toml", &|_| None).unwrap();
    let folder = std::env::temp_dir().join(format!("dixmgr-{folder}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let probes = config.services.iter().map(|service| service.probes.len()).sum();
    let metrics = Metrics::new("dixmgr", Room { services: config.services.len(), measured: 0, probes }).unwrap();
    let (agent, mut mailbox) = Handle::new();
    tokio::spawn(async move { while mailbox.recv().await.is_some() {} });
    let (history, checker) = (History::in_folder(&folder).0, NodeChecker::new().unwrap());
    let common = Common { agent, metrics: metrics.clone(), history, checker, breakers: Breakers::default() };
    let (memory, elsewhere) = (folder.join("syncing.json"), std::iter::empty());
    let senses = Senses::new(&config.services, elsewhere, Runs::default(), common, places, &memory).unwrap();
    (senses, metrics, folder)
}

fn a_run() -> Run {
    Some(Some("a".to_owned()))
}

#[tokio::test]
async fn endpoints_that_hang_do_not_keep_others_from_being_asked_in_their_interval() {
    let (hung, well) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (hangs, answers) = (serve(&hung, says_nothing).await, serve(&well, says_ok).await);
    let probe = |name: &str, port, more| {
        format!(
            "probes.{name} = {{ url = \"http://127.0.0.1:{port}/\", interval = \"1s\", timeout = \"1200ms\"{more} }}\n"
        )
    };
    let mut config = format!("[services.well]\nunit = \"well.service\"\n{}", probe("http", answers, ""));
    config.push_str("[services.hangs]\nunit = \"hangs.service\"\n");
    for n in 0..HANGING {
        config.push_str(&probe(&format!("p{n}"), hangs, ", failures = 1, start_grace = \"0s\""));
    }
    let (senses, metrics, folder) = senses_of(&config, "senses", Places { prompt: 2, hung: 1 });
    for service in 0..senses.of.len() {
        senses.runs.set(service, a_run());
    }
    let asked = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let scenario = async {
        let ill = |text: &str| {
            let is_ill = |line: &&str| line.starts_with("dixmgr_probe_healthy{") && line.ends_with("} 0");
            text.lines().filter(is_ill).count()
        };
        wait_until("each has hung once", || ill(&metrics.render().unwrap()) == HANGING).await;
        let (hung_before, well_before) = (asked(&hung), asked(&well));
        wait_until("the other is asked", || asked(&well) >= well_before + 5).await;
        let meanwhile = asked(&hung) - hung_before;
        // One after the other, each for longer than the interval. In one line, all of them would come before each look at the other.
        assert!(meanwhile < 2 * HANGING, "{meanwhile} looks at those that hang");
    };
    tokio::select! {
        () = senses.run() => {}
        () = scenario => {}
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_thousand_that_start_at_the_same_moment_are_asked_one_after_the_other() {
    const SERVICES: usize = 1_000;
    let config: String = (0..SERVICES)
        .map(|n| format!("[services.s{n}]\nunit = \"s{n}.service\"\nprobes.port = {{ tcp = \"127.0.0.1:9\" }}\n"))
        .collect();
    let (mut senses, _, folder) = senses_of(&config, "starts", Places::default());
    senses.follow((0..SERVICES).map(|service| (service, a_run())).collect());
    let mut due: Vec<_> = senses.slots.iter().filter_map(Slot::wake_at).collect();
    due.sort_unstable();
    assert_eq!(due.len(), SERVICES);
    let last = due[SERVICES - 1].since(due[0]);
    assert!(last <= Span::from_secs(3), "the last waits for {last:?}");
    // One each two milliseconds, and those whose own place within the interval comes before that.
    let tenth = Span::from_millis(100);
    let together = |from: &Time| due.iter().filter(|at| *at >= from && at.since(*from) < tenth).count();
    let most = due.iter().map(together).max();
    assert!(most <= Some(80), "{most:?} are due within a tenth of a second");
    let _ = std::fs::remove_dir_all(folder);
}
