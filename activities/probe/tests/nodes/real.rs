//! Looks at real nodes. Each runs where its program is found, by its environment variable or in `PATH`, and says loudly
//! that it did not where not: no package of a distribution has all of these, so their absence fails nobody's build.
//!
//! | program | variable | how to get it |
//! |---|---|---|
//! | anvil | `DIXMGR_ANVIL` | npm package `@foundry-rs/anvil` |
//! | geth | `DIXMGR_GETH` | `go install github.com/ethereum/go-ethereum/cmd/geth@v1.14.13` |
//! | btcd | `DIXMGR_BTCD` | `go install github.com/btcsuite/btcd@v0.24.2` |
//! | bitcoind | `DIXMGR_BITCOIND` | package `bitcoind` of some distributions |
//! | cometbft | `DIXMGR_COMETBFT` | `go install github.com/cometbft/cometbft/cmd/cometbft@v0.38.17` |
//! | lodestar | `DIXMGR_LODESTAR` | npm package `@chainsafe/lodestar`, see [`lodestar`] |
//! | gossamer | `DIXMGR_GOSSAMER` | `go build github.com/ChainSafe/gossamer/cmd/gossamer`, see [`gossamer`] |

use crate::common::LONG;
use crate::record::record;
use dixmgr_contract::{NodeSighting, Protocol, Time};
use dixmgr_probe::{Endpoint, NodeChecker};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// `me` and `hush`, as HTTP says them.
const SECRET: &str = "Basic bWU6aHVzaA==";
/// How long a node may take to start, or to make a block.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the program is; said to stderr if it is nowhere.
fn program(name: &str) -> Option<PathBuf> {
    let variable = format!("DIXMGR_{}", name.to_uppercase());
    let named = std::env::var_os(&variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()));
    if found.is_none() {
        eprintln!("SKIPPED: no real {name} was looked at; set {variable} to its program");
    }
    found
}

/// A node in a folder of its own; both end with the test.
struct Real {
    child: Child,
    folder: PathBuf,
}

impl Real {
    fn folder(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn start(folder: PathBuf, command: &mut Command) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { child, folder }
    }

    /// The first sighting that is as it should be.
    async fn seen(&mut self, protocol: Protocol, url: &str, is_it: impl Fn(&NodeSighting) -> bool) -> NodeSighting {
        let (checker, endpoint) = (NodeChecker::new().unwrap(), Endpoint::parse(url).unwrap());
        let began = Instant::now();
        loop {
            let looked = checker.look(protocol, &endpoint, Time::from(SystemTime::now()), LONG).await;
            if let Ok(seen) = &looked
                && is_it(seen)
            {
                eprintln!("{protocol}: {seen:?}");
                return seen.clone();
            }
            if began.elapsed() > PATIENCE || self.child.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("{protocol} is not as it should be: {looked:?}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Its tip is of now and it grows.
async fn grows(node: &mut Real, protocol: Protocol, url: &str) -> NodeSighting {
    let first = node.seen(protocol, url, |seen| seen.best > Some(0)).await;
    assert_eq!(first.is_syncing, Some(false), "{first:?}");
    assert!(first.tip_age.unwrap().as_millis() < 60_000, "{first:?}");
    node.seen(protocol, url, |seen| seen.best > first.best).await
}

#[tokio::test]
async fn anvil() {
    let Some(program) = program("anvil") else { return };
    let (folder, port) = (Real::folder("anvil"), free_port().to_string());
    let mut command = Command::new(&program);
    let mut node =
        Real::start(folder, command.args(["--port", &port, "--block-time", "1", "--slots-in-an-epoch", "1"]));
    let url = format!("http://127.0.0.1:{port}");
    grows(&mut node, Protocol::Ethereum, &url).await;
    node.seen(Protocol::Ethereum, &url, |seen| seen.finalized > Some(0)).await;
    record(&program, Protocol::Ethereum, &port, "").await;
}

#[tokio::test]
async fn geth() {
    let Some(program) = program("geth") else { return };
    let (folder, port) = (Real::folder("geth"), free_port().to_string());
    let mut command = Command::new(&program);
    command.args([
        "--dev",
        "--dev.period",
        "1",
        "--http",
        "--http.api",
        "eth,net",
        "--http.port",
        &port,
        "--ipcdisable",
    ]);
    command.args(["--authrpc.port", &free_port().to_string(), "--port", "0", "--datadir"]).arg(&folder);
    let mut node = Real::start(folder, &mut command);
    let seen = grows(&mut node, Protocol::Ethereum, &format!("http://127.0.0.1:{port}")).await;
    assert_eq!(seen.peers, Some(0));
    record(&program, Protocol::Ethereum, &port, "").await;
}

#[tokio::test]
async fn bitcoind() {
    let Some(program) = program("bitcoind") else { return };
    let (folder, port) = (Real::folder("bitcoind"), free_port().to_string());
    let mut command = Command::new(&program);
    command.args(["-regtest", "-listen=0", "-rpcuser=me", "-rpcpassword=hush", &format!("-rpcport={port}")]);
    command.arg(format!("-datadir={}", folder.display()));
    let mut node = Real::start(folder, &mut command);
    let url = format!("http://me:hush@127.0.0.1:{port}");
    let seen = node.seen(Protocol::Bitcoin, &url, |seen| seen.best.is_some()).await;
    assert_eq!((seen.best, seen.highest, seen.peers, seen.is_syncing), (Some(0), Some(0), Some(0), Some(true)));
    record(&program, Protocol::Bitcoin, &port, SECRET).await;
}

#[tokio::test]
async fn btcd() {
    let Some(program) = program("btcd") else { return };
    let (folder, port) = (Real::folder("btcd"), free_port().to_string());
    let mut command = Command::new(&program);
    command.args(["--regtest", "--nolisten", "--notls", "--rpcuser=me", "--rpcpass=hush", "--nodnsseed"]);
    command.arg(format!("--rpclisten=127.0.0.1:{port}")).arg("--configfile=").args(["--datadir", "--logdir"].map(
        |key| {
            let mut argument = std::ffi::OsString::from(format!("{key}="));
            argument.push(&folder);
            argument
        },
    ));
    let mut node = Real::start(folder, &mut command);
    let url = format!("http://me:hush@127.0.0.1:{port}");
    let seen = node.seen(Protocol::Bitcoin, &url, |seen| seen.best.is_some()).await;
    assert_eq!((seen.best, seen.highest), (Some(0), Some(0)));
    record(&program, Protocol::Bitcoin, &port, SECRET).await;
    let wrong = Endpoint::parse(&format!("http://me:other@127.0.0.1:{port}")).unwrap();
    let error = NodeChecker::new().unwrap().look(Protocol::Bitcoin, &wrong, Time::default(), LONG).await.unwrap_err();
    assert!(error.to_string().contains("it wants a user and a password") && !format!("{error:?}").contains("other"));
}

#[tokio::test]
async fn cometbft() {
    let Some(program) = program("cometbft") else { return };
    let (folder, port) = (Real::folder("cometbft"), free_port());
    assert!(
        Command::new(&program).arg("init").arg("--home").arg(&folder).stdout(Stdio::null()).status().unwrap().success()
    );
    let mut command = Command::new(&program);
    command.args(["node", "--proxy_app", "kvstore", "--p2p.laddr", "tcp://127.0.0.1:0", "--rpc.pprof_laddr", ""]);
    command.arg(format!("--rpc.laddr=tcp://127.0.0.1:{port}")).arg("--home").arg(&folder);
    let mut node = Real::start(folder, &mut command);
    let seen = grows(&mut node, Protocol::Cosmos, &format!("http://127.0.0.1:{port}")).await;
    assert_eq!(seen.peers, Some(0));
    record(&program, Protocol::Cosmos, port, "").await;
}

/// Version 1.5.1, with all of `@lodestar/*` held at it by `overrides`. Where nothing can be compiled, `NODE_BACKEND=js` and a shim of
/// `snappy` over `snappyjs` do; node 20 needs a `Promise.withResolvers`. Its libp2p finds no address to listen on among newer
/// parts than it was made for, which its `transport-manager.js` must not take for fatal: it is alone here. Its chain, its
/// validators and its API are as they come.
#[tokio::test]
async fn lodestar() {
    let Some(program) = program("lodestar") else { return };
    let start = |more: &[&str]| {
        let (folder, port) = (Real::folder("lodestar"), free_port().to_string());
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(&program);
        command.args(["dev", "--genesisValidators", "8", "--reset", "--rest", "--rest.port", &port]);
        command.args(["--beaconNodes", &url, "--port", &free_port().to_string(), "--params.SECONDS_PER_SLOT", "2"]);
        command.args(more).arg("--dataDir").arg(&folder).current_dir(&folder);
        (Real::start(folder, &mut command), url, port)
    };
    // Of a chain that began ten minutes ago it has nothing yet, and nobody whom it could ask.
    let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - 600;
    let (mut late, url, _) = start(&["--genesisTime", &began.to_string()]);
    let seen = late.seen(Protocol::EthereumConsensus, &url, |seen| seen.highest > Some(0)).await;
    assert_eq!((seen.best, seen.is_syncing, seen.peers), (Some(0), Some(true), Some(0)));
    assert!(seen.highest >= Some(300), "{seen:?}");
    drop(late);
    let (mut node, url, port) = start(&["--startValidators", "0..8"]);
    let first = node.seen(Protocol::EthereumConsensus, &url, |seen| seen.best > Some(0)).await;
    assert_eq!((first.is_syncing, first.peers, first.finalized), (Some(false), Some(0), Some(0)));
    // What is final lies two epochs of eight slots back.
    let later = node.seen(Protocol::EthereumConsensus, &url, |seen| seen.best >= Some(20)).await;
    assert_eq!((later.highest, later.problems.len()), (later.best, 0));
    node.seen(Protocol::EthereumConsensus, &url, |seen| seen.finalized > Some(0)).await;
    record(&program, Protocol::EthereumConsensus, &port, "").await;
}

/// Its module replaces others, so `go install` refuses it. `go build -mod=mod` takes it from a folder with the
/// module's own `go.sum` and this `go.mod`:
///
/// ```text
/// module node
/// require github.com/ChainSafe/gossamer v0.9.0
/// replace github.com/tetratelabs/wazero => github.com/ChainSafe/wazero v0.0.0-20231114190045-1d874d099362
/// ```
///
/// The chain is `chain/westend-dev/westend-dev-spec-raw.json` of the same module, which `DIXMGR_GOSSAMER_CHAIN` names. With the
/// key of alice it makes blocks alone.
#[tokio::test]
async fn gossamer() {
    let Some(program) = program("gossamer") else { return };
    let Some(chain) = std::env::var_os("DIXMGR_GOSSAMER_CHAIN") else {
        return eprintln!("SKIPPED: no real gossamer was looked at; set DIXMGR_GOSSAMER_CHAIN to its chain");
    };
    let (folder, port) = (Real::folder("gossamer"), free_port().to_string());
    let mut command = Command::new(&program);
    command.arg("--chain").arg(chain).arg("--base-path").arg(&folder);
    command.args(["--alice", "--validator", "--role", "authority", "--grandpa-interval", "1s", "--rpc-port", &port]);
    command.args(["--ws-port", &free_port().to_string(), "--prometheus-port", &free_port().to_string()]);
    // It asks nobody outside: neither for its own address nor for other nodes.
    command.args(["--public-ip", "127.0.0.1", "--listen-addr", "/ip4/127.0.0.1/tcp/0", "--no-mdns=true"]);
    command.args(["--no-bootstrap", "--no-telemetry", "--unsafe-rpc"]);
    let mut node = Real::start(folder, &mut command);
    let url = format!("http://127.0.0.1:{port}");
    let seen = node.seen(Protocol::Substrate, &url, |seen| seen.finalized > Some(0)).await;
    assert_eq!((seen.peers, seen.wants_peers, seen.is_syncing), (Some(0), Some(false), Some(false)));
    node.seen(Protocol::Substrate, &url, |later| later.best > seen.best && later.finalized > seen.finalized).await;
    record(&program, Protocol::Substrate, &port, "").await;
}
