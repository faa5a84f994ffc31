//! A chain comes up in order, and once, whoever dies on the way.

use super::{SLEEP, counts_starts, starts};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Host, Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

const LEVELS: usize = 4;

/// The chain of one round: each after the one before.
fn chain(round: usize) -> String {
    let service = |level: usize| {
        let after = if level == 0 { String::new() } else { format!("after = [\"r{round}-{}\"]\n", level - 1) };
        format!("[services.r{round}-{level}]\nunit = \"r{round}-{level}.service\"\n{after}")
    };
    (0..LEVELS).map(service).collect()
}

/// Its units write each start down, and take a moment.
fn install(host: &Host, round: usize) {
    for level in 0..LEVELS {
        let service =
            [&counts_starts(&format!("starts-{round}-{level}")), "ExecStartPre=/bin/sleep 0.1", SLEEP].join("\n");
        host.install([(format!("r{round}-{level}.service").as_str(), service.as_str())]);
    }
}

/// All are up, each was started once, and none before the one that it comes after was active.
#[track_caller]
fn came_up_once_and_in_order(host: &Host, server: &TemporalServer, round: usize) {
    let temporal = server.connect();
    for level in 0..LEVELS {
        temporal.wait_phase(&format!("wf.svc.r{round}-{level}"), PhaseName::Healthy);
        assert_eq!(starts(&format!("starts-{round}-{level}")), 1, "round {round}, level {level}");
        if level > 0 {
            let before = host.stamps(&format!("r{round}-{}", level - 1)).1;
            assert!(before < host.stamps(&format!("r{round}-{level}")).0, "round {round}, level {level} was early");
        }
    }
}

#[test]
fn dixmgr_may_die_at_any_step_of_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        let server = TemporalServer::start();
        for round in 0..LEVELS {
            install(host, round);
            let launch = Launch::exec(host, &chain(round));
            let dixmgr = launch.start();
            wait_until("the step begins", || host.stamps(&format!("r{round}-{round}")).0 > 0);
            dixmgr.kill();
            let _again = launch.start();
            came_up_once_and_in_order(host, &server, round);
        }
    });
}

#[test]
fn temporal_may_die_at_any_step_of_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        let mut server = TemporalServer::start();
        for round in 0..LEVELS {
            install(host, round);
            let _dixmgr = Launch::exec(host, &chain(round)).start();
            wait_until("the step begins", || host.stamps(&format!("r{round}-{round}")).0 > 0);
            server.kill();
            server = TemporalServer::start();
            came_up_once_and_in_order(host, &server, round);
        }
    });
}
