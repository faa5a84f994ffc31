//! A real file system that does not answer, as one of a server that is gone: a FUSE one, whose server takes no more requests.

use super::{SLEEP, file, set};
use dixmgr_tests::{FOLDER, Launch, Sandbox, in_sandbox_with, wait_until};
use std::fs::File;

/// What its file system holds, and what more is written into another one, in bytes.
const FAR: f64 = 1000.0 * 4096.0;
const MORE: usize = 16 << 20;

fn no_fuse() -> Option<&'static str> {
    let opened = File::options().read(true).write(true).open("/dev/fuse");
    opened.is_err().then_some("/dev/fuse (the kernel's module fuse, and the right to open it)")
}

#[test]
fn a_file_system_that_never_answers_holds_up_neither_the_others_nor_the_start_nor_the_end() {
    in_sandbox_with(Sandbox::UserManager, no_fuse(), |host| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/far.py");
        let (far, gone) = (file("far"), file("gone"));
        let serves = format!("ExecStart=python3 {script} {} {}", far.display(), gone.display());
        host.install([("far.service", serves.as_str()), ("api.service", SLEEP)]);
        host.start(&["far", "api"]);
        let far = far.to_str().unwrap();
        let mounted = format!(" {far} ");
        wait_until("it is mounted", || std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&mounted));
        let config = format!(
            "[resources]\nsample_interval = \"1s\"\npaths = [\"{far}\", \"{FOLDER}\"]\n\
             [services.api]\nunit = \"api.service\"\n"
        );
        let launch = Launch::exec(host, &config);
        let dixmgr = launch.start();
        let far_holds = |dixmgr: &dixmgr_tests::Dixmgr| dixmgr.metric("dixmgr_host_filesystem_bytes", &[("path", far)]);
        wait_until("it answers", || far_holds(&dixmgr) == Some(FAR));
        set("gone", true);
        dixmgr.wait_logged(&["a file system does not answer", far]);
        assert_eq!(far_holds(&dixmgr), None, "what does not answer is unknown");
        let near = || dixmgr.metric("dixmgr_host_filesystem_available_bytes", &[("path", FOLDER)]);
        let before = near().unwrap();
        std::fs::write(file("more"), vec![1; MORE]).unwrap();
        wait_until("the others are looked at", || near().is_some_and(|room| room <= before - MORE as f64));
        host.systemctl(&["stop", "api.service"]);
        let processes = || dixmgr.metric("dixmgr_service_processes", &[("service", "api")]);
        wait_until("services are measured", || processes().is_none());
        assert_eq!(dixmgr.terminate().code(), Some(0), "it ends although it is waited for");
        // Nor does it hold up the next one.
        let next = launch.start();
        set("gone", false);
        wait_until("it answers again", || far_holds(&next) == Some(FAR));
    });
}
