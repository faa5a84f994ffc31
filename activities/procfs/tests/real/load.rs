//! Processes that do a known amount of work and say what they had: this test program, started again.

use dixmgr_procfs::{Options, Roots, Sampler};
use nix::time::{ClockId, clock_gettime};
use std::fs::Permissions;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const NOBODY: u32 = 65_534;
const KIND: &str = "DIXMGR_TEST_LOAD";
/// What a load says is marked, for the test harness writes too.
const MARK: &str = "@@";

/// Says loudly that a test did not run; in CI it fails instead, for what is missing can be installed there.
pub(crate) fn skip(name: &str, needs: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} needs {needs}");
    skip_always(name, needs);
}

/// Says loudly that a test did not run, also in CI: nobody can install the rights of root.
pub(crate) fn skip_always(name: &str, needs: &str) {
    writeln!(std::io::stderr().lock(), "\n*** SKIPPED {name}: it needs {needs} ***").unwrap();
}

/// A process with a load. It is ended when this is dropped.
pub(crate) struct Load {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Load {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start(kind: &str) -> Self {
        Self::spawn(&mut Command::new(std::env::current_exe().unwrap()), kind)
    }

    /// The same as a user who may do nothing; none if this one may not become another.
    pub(crate) fn start_as_nobody(kind: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        // A copy in a folder that is open to everybody.
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("load");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        Some(Self::spawn(Command::new(program).current_dir("/").uid(NOBODY), kind))
    }

    fn spawn(command: &mut Command, kind: &str) -> Self {
        let mut child = command
            .args(["load::load", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(KIND, kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut load = Self { child, stdin, stdout };
        assert_eq!(load.hear(), "ready");
        load
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it begin.
    pub(crate) fn go(&mut self) {
        self.stdin.write_all(b"go\n").unwrap();
    }

    /// Lets it work, and tells what it had.
    pub(crate) fn run(&mut self) -> Vec<f64> {
        self.go();
        self.hear().split(' ').map(|number| number.parse().unwrap()).collect()
    }

    /// Ends it, but does not wait for it: it is a zombie when this comes back.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        // Its end closes its output.
        let mut rest = String::new();
        while self.stdout.read_line(&mut rest).unwrap() > 0 {}
        let stat = format!("/proc/{}/stat", self.pid());
        let until = Instant::now() + Duration::from_secs(10);
        // The leader may be one before the other threads have ended; `num_threads` is the 20th field.
        let is_zombie = |stat: &str| {
            let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            fields[0] == "Z" && fields[17] <= "1"
        };
        while !is_zombie(&std::fs::read_to_string(&stat).unwrap()) {
            assert!(Instant::now() < until, "it does not end");
            std::thread::yield_now();
        }
    }

    pub(crate) fn bury(&mut self) {
        self.child.wait().unwrap();
    }

    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the load ended");
            // The harness writes the name of the test in front of the first line.
            if let Some((_, said)) = line.split_once(MARK) {
                return said.trim().to_owned();
            }
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cgroup: a real one, or files that look like one beside the real `/proc`.
pub(crate) struct Cgroup {
    base: Option<tempfile::TempDir>,
    folder: PathBuf,
    name: String,
}

impl Cgroup {
    /// Files with these processes, in a tree where nothing is accounted.
    pub(crate) fn of_files(pids: &[u32]) -> Self {
        let base = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/proc", base.path().join("proc")).unwrap();
        let name = "/api.service".to_owned();
        let folder = base.path().join(mount().strip_prefix("/").unwrap()).join("api.service");
        std::fs::create_dir_all(&folder).unwrap();
        let list: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
        std::fs::write(folder.join("cgroup.procs"), list).unwrap();
        Self { base: Some(base), folder, name }
    }

    /// A real one below the root of its tree; none without the right to make one.
    pub(crate) fn real() -> Option<Self> {
        let name = format!("/dixmgr-test-{}.service", std::process::id());
        let folder = mount().join(&name[1..]);
        std::fs::create_dir(&folder).ok()?;
        Some(Self { base: None, folder, name })
    }

    pub(crate) fn put(&self, pid: u32) {
        std::fs::write(self.folder.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// Removes it and makes it anew, as systemd does for another run.
    pub(crate) fn renew(&self) {
        std::fs::remove_dir(&self.folder).unwrap();
        std::fs::create_dir(&self.folder).unwrap();
    }

    pub(crate) fn roots(&self) -> Roots {
        self.base.as_ref().map_or_else(Roots::default, |base| Roots::under(base.path()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.base.is_none() {
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

/// Where this machine has its v2 tree, else systemd's own of v1.
fn mount() -> PathBuf {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let find = |what: &str| text.lines().find(|line| line.contains(what))?.split(' ').nth(4).map(PathBuf::from);
    find(" - cgroup2 ").or_else(|| find("name=systemd")).unwrap_or_else(|| Path::new("/sys/fs/cgroup").to_owned())
}

/// The load itself; only [`Load::start`] runs it.
#[test]
#[ignore = "a load for the other tests"]
fn load() {
    let Ok(kind) = std::env::var(KIND) else { return };
    say("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let had = match kind.as_str() {
        "half-core" => half_core(100),
        "half-core-for-long" => half_core(10_000),
        "writer" => writer(),
        "holder" => holder(),
        "forker" => forker(),
        "burner" => {
            burn(0.05);
            String::new()
        }
        "exec" => exec(),
        "starve" => starve(),
        "stranger" => stranger(),
        other => panic!("{other:?} is no load"),
    };
    say(&had);
    // Until the other end closes.
    let _ = std::io::stdin().read_line(&mut line);
}

fn say(what: &str) {
    println!("{MARK}{what}");
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

/// Uses so many CPU seconds.
fn burn(seconds: f64) {
    let until = cpu() + seconds;
    while cpu() < until {
        for number in 0..1000u32 {
            black_box(number);
        }
    }
}

/// Waits without a use of CPU. Nobody answers on the channel.
fn rest(time: Duration) {
    let (_sender, nothing) = std::sync::mpsc::channel::<()>();
    let _ = nothing.recv_timeout(time);
}

/// 10 ms of work and 10 ms of rest, in turns.
fn half_core(turns: u32) -> String {
    let before = cpu();
    for _ in 0..turns {
        burn(0.01);
        rest(Duration::from_millis(10));
    }
    (cpu() - before).to_string()
}

/// 10 MiB/s for two seconds, each MiB with an fsync. Tells the bytes that the kernel counted.
fn writer() -> String {
    let written = || {
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let before = written();
    for _ in 0..20 {
        file.write_all(&vec![7; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        rest(Duration::from_millis(100));
    }
    (written() - before).to_string()
}

/// Holds 512 MiB until the end of the process.
fn holder() -> String {
    let mut memory = vec![0u8; 512 << 20];
    memory.iter_mut().step_by(512).for_each(|byte| *byte = 1);
    std::mem::forget(black_box(memory));
    "0".to_owned()
}

/// Five children one after the other, each with 50 ms of work. Tells its own CPU seconds and theirs, by `getrusage`.
fn forker() -> String {
    let before = cpu();
    for _ in 0..5 {
        let mut child = Load::start("burner");
        child.go();
        assert_eq!(child.hear(), "");
    }
    // `Load` waits for its process when it is dropped.
    let children = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    format!("{} {}", cpu() - before, seconds(children.user_time()) + seconds(children.system_time()))
}

/// Becomes another program, which tells how much CPU time the process has had until then.
fn exec() -> String {
    burn(0.2);
    let script = format!("echo {MARK}$(cut -d ' ' -f 14,15 /proc/$$/stat); read line");
    panic!("exec: {}", Command::new("sh").args(["-c", &script]).exec());
}

/// Samples with not one file descriptor left, then with some again.
fn starve() -> String {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let own = std::process::id();
    let cgroup = Cgroup::of_files(&[own]);
    let mut sampler = Sampler::with(cgroup.roots(), Options { open_files: 64, details_every: 1 });
    let mut sample = || sampler.sample([((), cgroup.name())], Instant::now).remove(0).1;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    let held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).take(100).collect();
    assert!(held.len() < 64, "the limit holds");
    let starved = sample();
    assert_eq!((starved.cpu_percent, starved.memory_bytes), (None, None));
    drop(held);
    sample();
    let fed = sample();
    assert!(fed.cpu_percent.is_some() && fed.memory_bytes.is_some(), "{fed:?}");
    "1".to_owned()
}

/// Samples its parent, which is another user's. Tells whether it heard of CPU time, memory, and bytes read.
fn stranger() -> String {
    let cgroup = Cgroup::of_files(&[parent_id()]);
    let mut sampler = Sampler::with(cgroup.roots(), Options { open_files: 64, details_every: 1 });
    let mut sample = || sampler.sample([((), cgroup.name())], Instant::now).remove(0).1;
    sample();
    let usage = sample();
    let told = [usage.cpu_percent.is_some(), usage.memory_bytes.is_some(), usage.disk_read_bps.is_some()];
    told.map(|told| u8::from(told).to_string()).join(" ")
}
