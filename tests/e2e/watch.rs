//! `-watch` takes no action. systemd numbers its jobs: a number that is missing would be a job that we did not make.

use super::{API, SLEEP, WF_API};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Launch, Sandbox, TemporalServer, in_sandbox, wait_until};

const DRY_API: &str = "dry.wf.svc.api";

#[test]
fn a_dry_run_says_what_it_would_do_and_makes_no_job() {
    in_sandbox(Sandbox::UserManager, |host| {
        host.install([("api.service", SLEEP), ("db.service", SLEEP)]);
        host.start(&["api"]);
        host.install_probe();
        let server = TemporalServer::start();
        let before = host.next_job_id();
        assert_eq!(host.next_job_id(), before + 1, "the probe is one job");
        let dixmgr = Launch::watch(host, &format!("{API}\n[services.db]\nunit = \"db.service\"")).start();
        let temporal = server.connect();
        temporal.wait_phase(DRY_API, PhaseName::Healthy);
        dixmgr.wait_logged(&["would start", "db.service"]);
        host.kill("api");
        dixmgr.wait_logged(&["would start", "api.service"]);
        let status = temporal.wait_phase(DRY_API, PhaseName::Down);
        wait_until("the workflow says so", || {
            temporal.status(DRY_API).is_some_and(|status| status.detail.contains("dry run"))
        });
        assert_eq!(status.restarts.total, 0);
        dixmgr.wait_metric("dixmgr_service_health", "api", 0.0);
        assert_eq!(host.next_job_id(), before + 2, "nobody made a job");
        assert_eq!((host.state("api").as_str(), host.state("db").as_str()), ("failed/failed", "inactive/dead"));
        wait_until("its workflows can be listed", || temporal.workflows().len() == 2);
        for workflow in temporal.workflows() {
            assert!(workflow.id.starts_with("dry.wf.") && workflow.queue == "dotidx-watcher-watch", "{workflow:?}");
        }
    });
}

#[test]
fn a_dry_run_beside_a_live_one_touches_nothing_of_it() {
    in_sandbox(Sandbox::UserManager, |host| {
        super::api_runs(host);
        let server = TemporalServer::start();
        let live = Launch::exec(host, API).start();
        let dry = Launch::watch(host, API).start();
        let temporal = server.connect();
        temporal.wait_phase(WF_API, PhaseName::Healthy);
        temporal.wait_phase(DRY_API, PhaseName::Healthy);
        let before = host.kill("api");
        host.runs_anew("api", &before);
        temporal.wait_status(WF_API, "restarted it", |status| {
            status.phase == PhaseName::Healthy && status.restarts.total == 1
        });
        live.wait_metric("dixmgr_service_restarts_total", "api", 1.0);
        assert_eq!(dry.metric("dixmgr_service_restarts_total", &[("service", "api")]), Some(0.0));
        temporal.wait_phase(DRY_API, PhaseName::Healthy);
        assert_eq!(dry.terminate().code(), Some(0));
        let before = host.kill("api");
        host.runs_anew("api", &before);
    });
}
