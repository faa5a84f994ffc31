//! What a sample costs: CPU time per process and sample over many services, as JSON.
//!
//!     cargo run --release -p dixmgr-procfs --example cost -- [services] [samples] [tree] [open-files] [details-every]
//!
//! Starts that many `sleep`s, puts each into a cgroup of its own and samples them all, with a pause between the samples, so
//! that caches are as cold as they are in real life: first while they rest, and then while each of them does something between
//! any two samples. The tree is `unified` (v2 cgroups: CPU time by the kernel's account),
//! `systemd` (v1 without accounting: all from the processes), or `files` (the same from a folder that looks like a tree, for
//! those who may not make cgroups). Without the last two arguments the sampler has its default options.

use dixmgr_procfs::{Options, Roots, Sampler, Usage};
use nix::time::{ClockId, clock_gettime};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(200);

/// Processes in cgroups; ends and removes them when it is dropped.
struct Load {
    roots: Roots,
    folder: PathBuf,
    children: Vec<Child>,
    /// Where files stand for cgroups.
    _temporary: Option<tempfile::TempDir>,
}

impl Load {
    fn start(services: usize, tree: &str) -> Result<Self, Box<dyn Error>> {
        let name = format!("dixmgr-cost-{}", std::process::id());
        let (roots, point, temporary) = match tree {
            "unified" | "systemd" => (Roots::default(), Path::new("/sys/fs/cgroup").join(tree), None),
            "files" => {
                let base = tempfile::tempdir()?;
                std::os::unix::fs::symlink("/proc", base.path().join("proc"))?;
                (Roots::under(base.path()), base.path().join("sys/fs/cgroup/systemd"), Some(base))
            }
            _ => return Err(format!("{tree:?} is no tree; it is unified, systemd or files").into()),
        };
        // v2 alone has no folder for its tree.
        let point =
            if temporary.is_none() && tree == "unified" && !point.is_dir() { "/sys/fs/cgroup".into() } else { point };
        let folder = point.join(name);
        let mut load = Self { roots, folder, children: Vec::new(), _temporary: temporary };
        for index in 0..services {
            let cgroup = load.folder.join(format!("{index}.service"));
            std::fs::create_dir_all(&cgroup)?;
            let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn()?;
            let pid = child.id();
            load.children.push(child);
            std::fs::write(cgroup.join("cgroup.procs"), format!("{pid}\n"))?;
        }
        Ok(load)
    }

    /// The services as systemd would name them.
    fn services(&self) -> Vec<(usize, String)> {
        let top = self.folder.file_name().unwrap_or_default().to_string_lossy();
        (0..self.children.len()).map(|index| (index, format!("/{top}/{index}.service"))).collect()
    }
}

impl Load {
    /// Has each do something: a signal has to be looked at by who gets it.
    fn wake(&self) -> Result<(), Box<dyn Error>> {
        for child in &self.children {
            kill_process(Pid::from_child(child), Signal::STOP)?;
            kill_process(Pid::from_child(child), Signal::CONT)?;
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        for index in 0..self.children.len() {
            let _ = std::fs::remove_dir(self.folder.join(format!("{index}.service")));
        }
        let _ = std::fs::remove_dir(&self.folder);
    }
}

/// CPU time of this process in microseconds.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(time.tv_sec() as f64 * 1e6 + time.tv_nsec() as f64 / 1e3)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, default: &str| arguments.get(at).map_or(default, String::as_str).to_owned();
    let services: usize = argument(0, "1000").parse()?;
    let samples: u32 = argument(1, "24").parse()?;
    let tree = argument(2, "files");
    // As a program does that wants many files open.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let mut options = Options::default();
    if let Some(open_files) = arguments.get(3) {
        options.open_files = open_files.parse()?;
    }
    if let Some(details) = arguments.get(4) {
        options.details_every = details.parse()?;
    }
    let load = Load::start(services, &tree)?;
    let mut sampler = Sampler::with(load.roots.clone(), options);
    let first = look(&mut sampler, &load)?;
    let at_rest = looks(&mut sampler, &load, samples, || Ok(()))?;
    let awake = looks(&mut sampler, &load, samples, || load.wake())?;
    let result = serde_json::json!({
        "services": services, "processes": services, "samples": samples, "tree": tree,
        "cpu_us_per_process_and_sample": awake.mean / services as f64,
        "cpu_us_at_rest": at_rest.mean / services as f64,
        "cpu_ms_worst_sample": awake.worst / 1e3,
        "cpu_ms_first_sample": first / 1e3,
        "percent_of_a_core_at_5s": awake.mean / 5e6 * 100.0,
        "percent_of_a_core_at_rest": at_rest.mean / 5e6 * 100.0,
        "open_files": sampler.open_files(),
    });
    println!("{result}");
    Ok(())
}

/// What samples took, in microseconds.
struct Took {
    mean: f64,
    worst: f64,
}

/// So many samples, with something to be done before each.
fn looks(
    sampler: &mut Sampler<usize>,
    load: &Load,
    samples: u32,
    before: impl Fn() -> Result<(), Box<dyn Error>>,
) -> Result<Took, Box<dyn Error>> {
    let mut took = Took { mean: 0.0, worst: 0.0 };
    for _ in 0..samples {
        before()?;
        let one = look(sampler, load)?;
        took.mean += one / f64::from(samples);
        took.worst = took.worst.max(one);
    }
    let named = load.services();
    let usage = sampler.sample(named.iter().map(|(key, group)| (*key, group.as_str())), Instant::now);
    let is_whole = |usage: &Usage| usage.cpu_percent.is_some() && usage.memory_bytes.is_some();
    let told = usage.iter().filter(|(_, usage)| is_whole(usage)).count();
    if told != named.len() {
        return Err(format!("only {told} of {} services were measured", named.len()).into());
    }
    Ok(took)
}

/// One sample, after a pause.
fn look(sampler: &mut Sampler<usize>, load: &Load) -> Result<f64, Box<dyn Error>> {
    let (_sender, pause) = mpsc::channel::<()>();
    let _ = pause.recv_timeout(PAUSE);
    let named = load.services();
    let before = cpu()?;
    sampler.sample(named.iter().map(|(key, group)| (*key, group.as_str())), Instant::now);
    Ok(cpu()? - before)
}
