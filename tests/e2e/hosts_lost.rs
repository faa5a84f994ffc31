//! What people hear of a host that is lost: that it is, and what became of it.

use super::alerts::statuses;
use super::commands;
use super::hosts::{FLEET, all_is_well, install, launch};
use dixmgr_tests::{Receiver, Sandbox, TemporalServer, in_sandbox, wait_until};

#[test]
fn a_loss_of_which_nobody_is_told_is_written_down_once() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let server = TemporalServer::start();
        let quiet = |name| launch(host, name, FLEET).argument("-alerts=false");
        let alpha = quiet("alpha");
        let (dies, beta) = (alpha.start(), quiet("beta").start());
        all_is_well(&server.connect());
        dies.kill();
        beta.wait_logged(&["ERROR", "events: host alpha is lost"]);
        let back = alpha.start();
        wait_until("its return is written down", || {
            [&beta, &back].iter().any(|one| one.logged(&["INFO", "events: host alpha is back"]) == 1)
        });
        let both = |words: &[&str]| beta.logged(words) + back.logged(words);
        assert_eq!((both(&["events: host alpha is lost"]), both(&["events: host alpha is back"])), (1, 1));
    });
}

#[test]
fn the_loss_of_a_host_that_is_forgotten_is_over() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let alerts = "[alerts]\ngroup_wait = \"0s\"\ndedupe_window = \"1s\"\n";
        let config = format!("{alerts}{}{FLEET}", Receiver::channel());
        let alpha = launch(host, "alpha", &config).start();
        let dies = launch(host, "beta", &config).start();
        let temporal = server.connect();
        all_is_well(&temporal);
        dies.kill();
        receiver.wait("host_lost.host.beta", "firing");
        commands::text(&["forget-host", "beta"]);
        receiver.wait("host_lost.host.beta", "resolved");
        wait_until("nothing of it is open", || {
            let open: Vec<_> = temporal.all_workflows().into_iter().filter(|one| one.is_running).collect();
            !open.iter().any(|one| one.id == "wf.svc.web" || one.id.contains("host.beta"))
        });
        assert_eq!(statuses(&receiver, "host_lost.host.beta"), ["firing", "resolved"]);
        assert_eq!(alpha.logged(&["INFO", "events: host beta is forgotten"]), 1);
        let refusal = commands::refusal(&["forget-host", "beta"]);
        assert!(refusal.contains("no host beta is in the plan"), "{refusal}");
    });
}

/// The command, or an older one that ended the watching first, was interrupted.
#[test]
fn forgetting_a_host_that_was_begun_before_is_finished() {
    in_sandbox(Sandbox::UserManager, |host| {
        install(host);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let config = format!("[alerts]\ngroup_wait = \"0s\"\n{}{FLEET}", Receiver::channel());
        let _alpha = launch(host, "alpha", &config).start();
        let dies = launch(host, "beta", &config).start();
        let temporal = server.connect();
        all_is_well(&temporal);
        dies.kill();
        receiver.wait("host_lost.host.beta", "firing");
        let update = ["workflow", "update", "execute", "--workflow-id", "wf.infra", "--name", "forget_host"];
        temporal.cli(&[&update[..], &["--input", "{\"host\":\"beta\"}"]].concat());
        let text = commands::text(&["forget-host", "beta"]);
        assert!(text.contains("host beta is forgotten"), "{text}");
        receiver.wait("host_lost.host.beta", "resolved");
        wait_until("its workflow has ended", || {
            !temporal.all_workflows().iter().any(|one| one.is_running && one.id == "wf.host.beta")
        });
    });
}
