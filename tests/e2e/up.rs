//! `dixmgr up`: Temporal and dixmgr in one go.

use super::{API, WF_API, api_runs, file};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Launch, Sandbox, Temporal, in_sandbox, wait_until};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// Where its Temporal is.
fn address(dixmgr: &Dixmgr) -> String {
    dixmgr.running().unwrap()["temporal"].as_str().unwrap().to_owned()
}

#[test]
fn up_brings_its_own_temporal_which_never_outlives_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let launch = Launch::up(host, API);
        let first = launch.start();
        let server = address(&first);
        assert_eq!(server, "127.0.0.1:7233", "the usual port where it is free");
        let temporal = Temporal::connect(&server);
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "was restarted", |status| status.restarts.total == 1);
        drop(temporal);
        first.kill();
        wait_until("the server is gone", || TcpStream::connect(&server).is_err());

        // A service dies meanwhile; the next one finds everything as it was, on another port if need be.
        let before = host.kill("api");
        let _taken = TcpListener::bind(&server).unwrap();
        let second = launch.start();
        let elsewhere = address(&second);
        assert_ne!(elsewhere, server);
        host.runs_anew("api", &before);
        let temporal = Temporal::connect(&elsewhere);
        temporal.wait_status(WF_API, "remembers", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 2
        });
        assert_eq!(temporal.workflows().len(), 1, "the same run goes on");
        assert_eq!(second.terminate().code(), Some(0));
        assert!(TcpStream::connect(&elsewhere).is_err(), "its server has ended first");
    });
}

#[test]
fn without_any_temporal_all_ways_to_get_one_are_named() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let cache = file("cache").display().to_string();
        let bare = Launch::up(host, API).env("PATH", "/usr/bin:/bin").env("XDG_CACHE_HOME", &cache);
        let output = bare.run();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{said}");
        for way in ["PATH", "DIXMGR_TEMPORAL", "temporal.download", "go install", "-temporal-host"] {
            assert!(said.contains(way), "{way} is not in: {said}");
        }
        let path = std::env::var("PATH").unwrap();
        let temporal = path.split(':').map(|folder| format!("{folder}/temporal")).find(|file| Path::new(file).exists());
        let given = bare.env("DIXMGR_TEMPORAL", &temporal.unwrap()).start();
        Temporal::connect(&address(&given)).wait_phase(WF_API, PhaseName::Healthy);
    });
}
