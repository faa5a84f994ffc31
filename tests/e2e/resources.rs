//! What services use is measured: as gauges, and on demand.

use super::{API, SLEEP, WF_API, api_runs};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Launch, Sandbox, TemporalServer, in_sandbox, wait_until};
use std::time::{Duration, Instant};

#[test]
fn what_a_service_uses_is_shown_with_all_of_its_processes() {
    in_sandbox(Sandbox::UserManager, |host| {
        // A shell and two children; one of them holds 64 MiB, the other burns a core.
        let burns = "ExecStart=/bin/sh -c 'python3 -c \"import time; x=bytearray(64<<20); time.sleep(1000)\" & python3 -c \"while True: pass\" & wait'";
        host.install([("busy.service", burns), ("idle.service", SLEEP)]);
        host.start(&["busy", "idle"]);
        let service = |name: &str| format!("[services.{name}]\nunit = \"{name}.service\"\n");
        let config = format!("[resources]\nsample_interval = \"1s\"\n{}{}", service("busy"), service("idle"));
        let config = format!("{config}resources = {{ enabled = false }}\n");
        let dixmgr = Launch::exec(host, &config).start();
        let busy = |name: &str| dixmgr.metric(name, &[("service", "busy"), ("type", "service")]);
        wait_until("it burns", || busy("dixmgr_service_cpu_percent").is_some_and(|percent| percent > 20.0));
        assert_eq!(busy("dixmgr_service_processes"), Some(3.0));
        assert!(busy("dixmgr_service_memory_bytes").is_some_and(|bytes| bytes > 64e6), "what its child holds counts");
        assert!(busy("dixmgr_service_open_files").is_some_and(|files| files >= 9.0));
        assert_eq!(dixmgr.metric("dixmgr_service_processes", &[("service", "idle")]), None, "it is not measured");
        host.systemctl(&["kill", "--signal=KILL", "busy.service"]);
        host.systemctl(&["stop", "busy.service"]);
        assert!(dixmgr.metric("dixmgr_host_memory_bytes", &[]).is_some_and(|bytes| bytes > 64e6));
        let root = dixmgr.metric("dixmgr_host_filesystem_available_bytes", &[("path", "/")]);
        assert!(root.is_some_and(|bytes| bytes > 0.0), "how full the disk is");
        wait_until("how busy the host is", || {
            dixmgr.metric("dixmgr_host_cpu_percent", &[]).is_some_and(|busy| busy > 1.0)
        });
        if std::path::Path::new("/proc/pressure/memory").exists() {
            let labels = [("resource", "memory")];
            wait_until("how long the host stood still", || {
                dixmgr
                    .metric("dixmgr_host_pressure_percent", &labels)
                    .is_some_and(|share| (0.0..=100.0).contains(&share))
            });
        }
        wait_until("what does not run has no figures", || busy("dixmgr_service_cpu_percent").is_none());
    });
}

#[test]
fn measuring_can_be_turned_off_as_a_whole() {
    in_sandbox(Sandbox::UserManager, |host| {
        api_runs(host);
        let server = TemporalServer::start();
        let config = format!("[resources]\nsample_interval = \"1s\"\n{API}");
        let off = Launch::exec(host, &config).argument("-resource-monitoring=false").start();
        server.connect().wait_phase(WF_API, PhaseName::Healthy);
        let figures = ["dixmgr_service_processes", "dixmgr_service_cpu_percent", "dixmgr_host_cpu_percent"];
        let told = |dixmgr: &Dixmgr| {
            let text = dixmgr.get("/metrics").map(|(_, text)| text).unwrap_or_default();
            figures.map(|figure| text.lines().any(|line| line.starts_with(figure)))
        };
        // Where it is measured, that is there after two samples.
        let until = Instant::now() + Duration::from_secs(4);
        wait_until("four samples might have been taken", || {
            assert_eq!(told(&off), [false; 3]);
            Instant::now() > until
        });
        off.terminate();
        let on = Launch::exec(host, &config).start();
        wait_until("all of it is measured", || told(&on) == [true; 3]);
        wait_until("it is measured", || on.metric("dixmgr_service_processes", &[("service", "api")]) == Some(1.0));
    });
}
