//! Temporal is away: dixmgr observes and measures on, and acts when it is back.

use super::alerts::{config, kinds, runs, statuses};
use super::{API, SLEEP, WF_API, api_runs, counts_starts, set, starts, waits_for};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Receiver, Sandbox, TemporalServer, in_sandbox, wait_until};

#[test]
fn what_dies_while_temporal_is_dead_is_seen_at_once_and_restarted_later() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        server.kill();
        let before = host.kill("api");
        dixmgr.wait_metric("dixmgr_service_health", "api", 0.0);
        dixmgr.wait_logged(&["service is down", "service=api"]);
        assert!(!host.is_running("api"));
        let server = TemporalServer::start();
        host.runs_anew("api", &before);
        server.connect().wait_status(WF_API, "is healthy again", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
        dixmgr.wait_metric("dixmgr_service_restarts_total", "api", 1.0);
    });
}

#[test]
fn a_temporal_that_comes_late_is_waited_for() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let dixmgr = Launch::exec(host, API).start();
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
        dixmgr.wait_logged(&["Temporal cannot be reached"]);
        assert_eq!(dixmgr.metric("dixmgr_temporal_connected", &[]), Some(0.0));
        let before = host.kill("api");
        dixmgr.wait_metric("dixmgr_service_health", "api", 0.0);
        let server = TemporalServer::start();
        host.runs_anew("api", &before);
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        assert_eq!(dixmgr.metric("dixmgr_temporal_connected", &[]), Some(1.0));
    });
}

#[test]
fn a_restart_under_way_when_temporal_dies_is_not_repeated() {
    in_sandbox(Sandbox::UserManager, |host| {
        let service = [counts_starts("starts"), waits_for("ExecStartPre", "gate"), SLEEP.to_owned()].join("\n");
        set("gate", true);
        host.install([("api.service", service.as_str())]);
        host.start(&["api"]);
        let server = TemporalServer::start();
        let dixmgr = Launch::exec(host, API).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        set("gate", false);
        host.kill("api");
        wait_until("the restart is under way", || host.state("api") == "activating/start-pre");
        server.kill();
        set("gate", true);
        dixmgr.wait_metric("dixmgr_service_health", "api", 1.0);
        let run = host.invocation("api");
        let server = TemporalServer::start();
        server.connect().wait_status(WF_API, "is healthy again", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
        assert_eq!((host.invocation("api"), starts("starts")), (run, 2));
    });
}

#[test]
fn a_temporal_that_has_lost_its_memory_is_told_everything_again() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        server.kill();
        TemporalServer::forget();
        let before = host.kill("api");
        let server = TemporalServer::start();
        host.runs_anew("api", &before);
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
    });
}

#[test]
fn a_temporal_that_has_lost_its_memory_is_told_of_the_healthy_too() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let _dixmgr = Launch::exec(host, API).start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        server.kill();
        TemporalServer::forget();
        let server = TemporalServer::start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
    });
}

/// One that fell before it, whose note is in retry, and one that falls while it is away.
#[test]
fn notes_wait_for_temporal_and_none_is_lost_or_told_twice() {
    in_sandbox(Sandbox::UserManager, |host| {
        runs(host, &["api", "web"]);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let dixmgr = Launch::exec(host, &config(&["api", "web"], "")).start();
        for service in ["wf.svc.api", "wf.svc.web"] {
            server.connect().wait_phase(service, PhaseName::Healthy);
        }
        receiver.answers("500");
        host.kill("api");
        wait_until("it is tried", || receiver.tries() > 0);
        server.kill();
        host.kill("web");
        dixmgr.wait_logged(&["service is down", "service=web"]);
        receiver.answers("ok");
        let _server = TemporalServer::start();
        for (service, incident) in [("api", "service_down.api"), ("web", "service_down.web")] {
            receiver.wait(incident, "firing");
            host.systemctl(&["start", service]);
            receiver.wait(incident, "resolved");
            assert_eq!(statuses(&receiver, incident), ["firing", "resolved"], "{incident}");
        }
    });
}

/// What was told to nobody because it was over by then is told as a whole; what fell only with it, not at all.
#[test]
fn what_falls_and_is_back_while_temporal_is_away_is_told_once_when_it_is_back() {
    in_sandbox(Sandbox::UserManager, |host| {
        let all = ["relay", "app"];
        runs(host, &all);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let services = config(&all, "").replace("[services.app]\n", "[services.app]\nafter = [\"relay\"]\n");
        let dixmgr = Launch::exec(host, &services).start();
        for service in all {
            server.connect().wait_phase(&format!("wf.svc.{service}"), PhaseName::Healthy);
        }
        server.kill();
        for service in ["app", "relay"] {
            host.kill(service);
            dixmgr.wait_logged(&["alert fires", &format!("service={service}")]);
        }
        for service in ["relay", "app"] {
            host.systemctl(&["start", service]);
            dixmgr.wait_logged(&["alert is over", &format!("service={service}")]);
        }
        let server = TemporalServer::start();
        let note = receiver.wait("service_down.relay", "late");
        assert_eq!((&note["severity"], &note["service"]), (&"critical".into(), &"relay".into()), "{note}");
        // The next that is told of the other one is told after whatever was owed.
        host.kill("app");
        receiver.wait("service_down.app", "firing");
        let temporal = server.connect();
        wait_until("all is told of the first", || {
            let all = temporal.all_workflows();
            all.iter().any(|one| one.id == "wf.incident.service_down.relay" && one.status == "Completed")
        });
        assert_eq!(kinds(&receiver, "service_down.relay"), ["late"], "{:?}", receiver.inbox());
        assert_eq!(kinds(&receiver, "service_down.app"), ["firing"], "{:?}", receiver.inbox());
    });
}
