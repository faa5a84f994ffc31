//! Another machine of a fleet: inside the test's sandbox, with processes, a network, a machine-id and a systemd of its own.
//!
//! A cable (veth(4)) leads from it to the test's own network, and can be pulled.

use crate::sandbox::{FOLDER, script};
use crate::{Host, Sandbox, wait_for};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A machine. It dies with this value.
#[derive(Debug)]
pub struct Machine {
    name: &'static str,
    child: Child,
    /// Its first process.
    init: u32,
    number: u8,
    host: Host,
}

/// How to enter a machine by its first process.
pub(crate) fn enter(init: u32) -> Vec<String> {
    ["--target", &init.to_string(), "--mount", "--pid", "--net", "--"].map(str::to_owned).to_vec()
}

/// The first child of a process.
pub(crate) fn first_child(pid: u32) -> Option<u32> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.split(' ').next()?.parse().ok()
}

impl Machine {
    /// Boots a machine and plugs it in. `number`, 1 to 200, tells it from the others.
    ///
    /// # Panics
    /// If it is not up within a minute.
    pub fn boot(name: &'static str, number: u8) -> Self {
        let log = File::create(Path::new(FOLDER).join(format!("{name}.machine.log"))).unwrap();
        let child = Command::new("unshare")
            .arg("--net")
            .arg(script(Sandbox::UserManager))
            .args(["sh", "-c", "echo up && exec sleep infinity"])
            .env("SANDBOX_KEEP", FOLDER)
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let up = || std::fs::read_to_string(Path::new(FOLDER).join(format!("{name}.machine.log"))).ok();
        wait_for("the machine is up", || up().filter(|text| text.contains("up\n")));
        // unshare has become the script, which has made an unshare, whose child is the machine's first process.
        let init = wait_for("its first process", || first_child(first_child(child.id())?));
        let machine = Self { name, child, init, number, host: Host::elsewhere(init) };
        machine.identify();
        machine.plug_in();
        machine
    }

    /// Its systemd.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// What its dixmgr is named.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn init(&self) -> u32 {
        self.init
    }

    /// Where the test's own network is seen from here.
    pub fn outside(&self) -> String {
        format!("10.77.{}.1", self.number)
    }

    /// Pulls the cable: whatever is sent from now on is lost without a word.
    pub fn cut_off(&self) {
        run("ip", &["link", "set", &self.cable(), "down"]);
    }

    /// Plugs the cable in again.
    pub fn join_again(&self) {
        run("ip", &["link", "set", &self.cable(), "up"]);
    }

    /// Its own address on the cable.
    pub(crate) fn address(&self) -> String {
        format!("10.77.{}.2", self.number)
    }

    fn cable(&self) -> String {
        format!("cable{}", self.number)
    }

    fn inside(&self, words: &[&str]) {
        let enter = enter(self.init);
        let words: Vec<&str> = enter.iter().map(String::as_str).chain(words.iter().copied()).collect();
        run("nsenter", &words);
    }

    fn identify(&self) {
        let file = Path::new(FOLDER).join(format!("{}.machine-id", self.name));
        std::fs::write(&file, format!("{:032x}\n", 0xd1c5_0000 + u32::from(self.number))).unwrap();
        self.inside(&["mount", "--bind", &file.display().to_string(), "/etc/machine-id"]);
    }

    fn plug_in(&self) {
        let (cable, init) = (self.cable(), self.init.to_string());
        run("ip", &["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &init]);
        run("ip", &["address", "add", &format!("{}/30", self.outside()), "dev", &cable]);
        run("ip", &["link", "set", &cable, "up"]);
        self.inside(&["ip", "link", "set", "lo", "up"]);
        self.inside(&["ip", "address", "add", &format!("{}/30", self.address()), "dev", "eth0"]);
        self.inside(&["ip", "link", "set", "eth0", "up"]);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
