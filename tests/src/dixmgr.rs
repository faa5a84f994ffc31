//! The program under test.

use crate::machine::{enter, first_child};
use crate::sandbox::FOLDER;
use crate::server::ADDRESS;
use crate::{Host, Machine, http, wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// The name under which dixmgr runs in the tests.
pub const HOST_NAME: &str = "alpha";
const NOBODY: u32 = 65_534;

/// The `dixmgr` that was built beside this test.
///
/// # Panics
/// If there is none.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(Path::parent).map(|folder| folder.join("dixmgr")).unwrap_or_default();
    assert!(binary.is_file(), "{} is missing; run `cargo build -p dixmgr` first", binary.display());
    binary
}

/// Runs `dixmgr` with these arguments to its end.
pub fn dixmgr(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// How to start it.
#[derive(Debug)]
pub struct Launch {
    name: &'static str,
    host: &'static str,
    config: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    as_nobody: bool,
    machine: Option<&'static str>,
    /// The first process of the machine that it runs on.
    inside: Option<u32>,
    binary: PathBuf,
}

impl Launch {
    /// `-exec` with these services.
    pub fn exec(host: &Host, services: &str) -> Self {
        Self::new("exec", host, services).argument("-exec").argument("-temporal-host").argument(ADDRESS)
    }

    /// `up` with these services: with a Temporal server of its own.
    pub fn up(host: &Host, services: &str) -> Self {
        Self::new("up", host, services)
    }

    /// `-watch` with these services.
    pub fn watch(host: &Host, services: &str) -> Self {
        Self::new("watch", host, services).argument("-watch").argument("-temporal-host").argument(ADDRESS)
    }

    fn new(name: &'static str, host: &Host, services: &str) -> Self {
        let config = format!("[systemd]\nbus = \"{}\"\n[metrics]\nport = 0\n{services}\n", host.bus());
        let host = HOST_NAME;
        let start = Self {
            name,
            host,
            config,
            arguments: Vec::new(),
            environment: Vec::new(),
            as_nobody: false,
            machine: None,
            inside: None,
            binary: binary(),
        };
        if name == "up" { start.argument("up") } else { start }
    }

    /// One argument more.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// One environment variable more.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As another host of the fleet than [`HOST_NAME`].
    #[must_use]
    pub fn on_host(mut self, name: &'static str) -> Self {
        self.host = name;
        self
    }

    /// As if on another machine, with this machine-id(5) and a state folder of its own.
    #[must_use]
    pub fn on_machine(mut self, id: &'static str) -> Self {
        self.machine = Some(id);
        self
    }

    /// On another machine, under its name. The Temporal server is the one of the sandbox, which must listen there too.
    #[must_use]
    pub fn on(mut self, machine: &Machine) -> Self {
        self.inside = Some(machine.init());
        let listen = format!("[metrics]\nlisten = \"{}\"\n", machine.address());
        self.config = self.config.replace("[metrics]\n", &listen);
        let address = format!("{}:7233", machine.outside());
        self.arguments.iter_mut().filter(|word| *word == ADDRESS).for_each(|word| *word = address.clone());
        self.on_host(machine.name())
    }

    /// Another build of the program.
    #[must_use]
    pub fn built_as(mut self, binary: impl Into<PathBuf>) -> Self {
        self.binary = binary.into();
        self
    }

    /// As a user with no rights at all.
    #[must_use]
    pub fn as_nobody(mut self) -> Self {
        self.as_nobody = true;
        self
    }

    /// The command line, with configuration and state folder in the test's folder.
    fn command(&self) -> Command {
        let file = Path::new(FOLDER).join(format!("{}.toml", self.file()));
        std::fs::write(&file, &self.config).unwrap();
        let mut command = match self.machine {
            _ if self.as_nobody => nobodys_command(),
            Some(id) => command_elsewhere(id),
            None => self.inside.map_or_else(|| Command::new(&self.binary), |init| command_inside(init, &self.binary)),
        };
        let state = self.state_dir();
        command.args(&self.arguments).arg("-conf").arg(file).arg("-state-dir").arg(state);
        command.args(["-host", self.host]).envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// What its files are named.
    fn file(&self) -> String {
        if self.host == HOST_NAME { self.name.to_owned() } else { format!("{}-{}", self.name, self.host) }
    }

    /// Runs it to its end.
    pub fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Starts it, and waits until it knows the state of all units and serves metrics.
    #[track_caller]
    pub fn start(&self) -> Dixmgr {
        let mut dixmgr = self.spawn();
        wait_until("dixmgr is ready", || {
            if let Some(status) = dixmgr.child.try_wait().unwrap() {
                panic!("dixmgr has ended: {status}");
            }
            dixmgr.get("/ready").is_some_and(|(status, _)| status == 200)
        });
        dixmgr
    }

    /// Starts it.
    pub fn spawn(&self) -> Dixmgr {
        let log = Path::new(FOLDER).join(format!("{}.log", self.file()));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = self.command().stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let folder = if self.name == "watch" { format!("{}.dry", self.host) } else { self.host.to_owned() };
        let pid = match self.inside {
            // nsenter, and then setpriv, which becomes dixmgr.
            Some(_) => wait_for("its process", || first_child(child.id())),
            None => child.id(),
        };
        Dixmgr { child, pid, log, state: self.state_dir().join(folder) }
    }

    fn state_dir(&self) -> PathBuf {
        self.machine.map_or_else(state_dir, |id| Path::new(FOLDER).join(id))
    }
}

/// On the machine with this first process. It dies with the command, although it is only a child of it.
fn command_inside(init: u32, binary: &Path) -> Command {
    let mut command = Command::new("nsenter");
    command.args(enter(init)).args(["setpriv", "--pdeathsig", "KILL"]).arg(binary);
    command
}

/// Neither the build folder nor that of the state may be open to everybody.
fn nobodys_command() -> Command {
    let copy = Path::new(FOLDER).join("dixmgr");
    std::fs::copy(binary(), &copy).unwrap();
    std::fs::create_dir_all(state_dir()).unwrap();
    std::os::unix::fs::chown(state_dir(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    command.arg(copy);
    command
}

/// In a mount namespace in which `/etc/machine-id` says this.
fn command_elsewhere(id: &str) -> Command {
    let file = Path::new(FOLDER).join(format!("{id}.machine-id"));
    std::fs::write(&file, format!("{id}\n")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$1\" /etc/machine-id && shift && exec \"$@\"", "sh"]);
    command.arg(file).arg(binary());
    command
}

fn state_dir() -> PathBuf {
    Path::new(FOLDER).join("state")
}

/// A running dixmgr. Its log is shown when the test fails.
#[derive(Debug)]
pub struct Dixmgr {
    child: Child,
    /// Its process, as seen from the sandbox.
    pid: u32,
    log: PathBuf,
    state: PathBuf,
}

impl Dixmgr {
    /// What this process has left word of for the commands.
    pub fn running(&self) -> Option<Value> {
        let running: Value = serde_json::from_slice(&std::fs::read(self.state.join("running.json")).ok()?).ok()?;
        let same = self.pid != self.child.id() || running["pid"] == self.pid;
        same.then_some(running)
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// What the admin server answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let running = self.running()?;
        http::get(&format!("{}{path}", running["admin"].as_str()?))
    }

    /// The sum of the series of this name that have all of these labels; `None` if there is none.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let (_, text) = wait_for("metrics", || self.get("/metrics"));
        let has_labels =
            |series: &str| labels.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")));
        let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        let ours = series.filter(|(series, _)| series.split('{').next() == Some(name) && has_labels(series));
        let values: Vec<f64> = ours.filter_map(|(_, value)| value.parse().ok()).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// Waits until a metric of a service has this value.
    #[track_caller]
    pub fn wait_metric(&self, name: &str, service: &str, value: f64) {
        wait_until(&format!("{name} of {service} is {value}"), || {
            self.metric(name, &[("service", service)]) == Some(value)
        });
    }

    /// What it has logged, and those that ran under the same name before it.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// How many lines of the log hold all of these words.
    pub fn logged(&self, words: &[&str]) -> usize {
        self.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits until a line of the log holds all of these words.
    #[track_caller]
    pub fn wait_logged(&self, words: &[&str]) {
        wait_until(&format!("the log says {words:?}"), || self.logged(words) > 0);
    }

    /// SIGSTOP: it lives, and does nothing any more.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: it goes on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    #[track_caller]
    pub fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid.cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of dixmgr", || self.child.try_wait().unwrap())
    }
}

impl Drop for Dixmgr {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- {}:\n{}", self.log.display(), self.log());
        }
    }
}
