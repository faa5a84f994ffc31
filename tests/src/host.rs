//! What a test does to the systemd of its sandbox, or of another machine in there, and what it sees of it.

use crate::{Sandbox, machine, wait_until};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A systemd.
#[derive(Debug)]
pub struct Host {
    sandbox: Sandbox,
    /// The first process of the machine that it runs on, if that is not the sandbox itself.
    machine: Option<u32>,
}

impl Host {
    pub(crate) const fn new(sandbox: Sandbox) -> Self {
        Self { sandbox, machine: None }
    }

    pub(crate) const fn elsewhere(machine: u32) -> Self {
        Self { sandbox: Sandbox::UserManager, machine: Some(machine) }
    }

    /// A program on its machine.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(if self.machine.is_some() { "nsenter" } else { program });
        if let Some(machine) = self.machine {
            command.args(machine::enter(machine)).arg(program);
        }
        command
    }

    /// The value of `systemd.bus` in a configuration.
    pub const fn bus(&self) -> &'static str {
        match self.sandbox {
            Sandbox::UserManager => "session",
            Sandbox::SystemManager => "system",
        }
    }

    /// Where unit files go.
    pub fn unit_folder(&self) -> PathBuf {
        let folder = match self.sandbox {
            Sandbox::UserManager => Path::new(&std::env::var_os("XDG_RUNTIME_DIR").unwrap()).join("systemd/user"),
            Sandbox::SystemManager => PathBuf::from("/run/systemd/system"),
        };
        match self.machine {
            Some(machine) => Path::new(&format!("/proc/{machine}/root")).join(folder.strip_prefix("/").unwrap()),
            None => folder,
        }
    }

    /// Writes unit files with these `[Service]` sections and has systemd read them.
    pub fn install<'a>(&self, units: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (file, service) in units {
            // A test may fail a unit as often as it likes; those about the start limit set one.
            let text = format!("[Unit]\nStartLimitIntervalSec=0\n[Service]\n{service}\n");
            std::fs::write(self.unit_folder().join(file), text).unwrap();
        }
        self.systemctl(&["daemon-reload"]);
    }

    /// Runs systemctl; it must succeed.
    #[track_caller]
    pub fn systemctl(&self, arguments: &[&str]) -> String {
        let output = self.try_systemctl(arguments);
        assert!(output.status.success(), "systemctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs systemctl.
    pub fn try_systemctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("systemctl");
        if self.sandbox == Sandbox::UserManager {
            command.arg("--user");
        }
        command.args(arguments).output().unwrap()
    }

    /// A property of a unit.
    #[track_caller]
    pub fn show(&self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", "--value", "--property", property, unit])
    }

    /// `ActiveState`, a slash, `SubState`.
    pub fn state(&self, unit: &str) -> String {
        format!("{}/{}", self.show(unit, "ActiveState"), self.show(unit, "SubState"))
    }

    /// When the unit left `inactive` last, and when it became active: microseconds of the monotonic clock.
    pub fn stamps(&self, unit: &str) -> (u64, u64) {
        let stamp = |property| self.show(unit, property).parse().unwrap_or(0);
        (stamp("InactiveExitTimestampMonotonic"), stamp("ActiveEnterTimestampMonotonic"))
    }

    /// The id of the unit's present run.
    pub fn invocation(&self, unit: &str) -> String {
        self.show(unit, "InvocationID")
    }

    /// True if the unit is active.
    pub fn is_running(&self, unit: &str) -> bool {
        self.show(unit, "ActiveState") == "active"
    }

    /// Starts units and waits until they are active.
    pub fn start(&self, units: &[&str]) {
        self.systemctl(&[&["start"], units].concat());
    }

    /// `kill -9` of the unit's main process. The answer is the run that it ended.
    #[track_caller]
    pub fn kill(&self, unit: &str) -> String {
        let run = self.invocation(unit);
        let pid = self.show(unit, "MainPID");
        assert_ne!(pid, "0", "a running unit");
        assert!(self.command("kill").args(["-9", &pid]).status().unwrap().success());
        run
    }

    /// Waits until the unit runs, and not in the run that is given.
    #[track_caller]
    pub fn runs_anew(&self, unit: &str, before: &str) {
        wait_until(&format!("{unit} runs anew"), || self.is_running(unit) && self.invocation(unit) != before);
    }

    /// Makes a job that does nothing, to see the number that systemd gives it: numbers are given one after the other.
    /// Needs the unit of [`Self::install_probe`].
    pub fn next_job_id(&self) -> u32 {
        let bus = if self.sandbox == Sandbox::UserManager { "--user" } else { "--system" };
        let output = self
            .command("busctl")
            .args([bus, "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"])
            .args(["org.freedesktop.systemd1.Manager", "RestartUnit", "ss", "job-probe.target", "replace"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let id = text.trim().trim_end_matches('"').rsplit('/').next().and_then(|id| id.parse().ok());
        wait_until("the job is done", || matches!(self.show("job-probe.target", "Job").as_str(), "" | "0"));
        id.unwrap_or_else(|| panic!("no job: {text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The unit of [`Self::next_job_id`]; it draws no other unit into its jobs.
    pub fn install_probe(&self) {
        let text = "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n";
        std::fs::write(self.unit_folder().join("job-probe.target"), text).unwrap();
        self.systemctl(&["daemon-reload"]);
    }
}
