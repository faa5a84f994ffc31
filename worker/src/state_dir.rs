//! The folder in which dixmgr remembers, and the lock that keeps a second one out.

use crate::exit::Failure;
use dixmgr_contract::HostName;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One host name's folder, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

/// How to reach the dixmgr that runs here: written by it, read by the commands for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) temporal: String,
    pub(crate) namespace: String,
    pub(crate) task_queue: String,
    pub(crate) prefix: String,
    pub(crate) admin: Option<String>,
    pub(crate) ui: Option<String>,
}

/// Where state is kept if nobody says: `$STATE_DIRECTORY`, else `/var/lib/dixmgr` for root, else the XDG state folder.
pub(crate) fn default_root() -> PathBuf {
    let from_env = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = from_env("STATE_DIRECTORY") {
        return path;
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/dixmgr");
    }
    let home = || from_env("HOME").unwrap_or_else(|| PathBuf::from("/")).join(".local/state");
    from_env("XDG_STATE_HOME").unwrap_or_else(home).join("dixmgr")
}

/// The folder of a host name under a root.
pub(crate) fn folder(root: &Path, host: &HostName, dry: bool) -> PathBuf {
    // A dry run beside a live dixmgr has a memory of its own.
    root.join(if dry { format!("{host}.dry") } else { host.to_string() })
}

impl StateDir {
    /// Makes the folder if need be and locks it.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failure::Taken(format!("cannot {what} {}: {error}; name another folder with -state-dir", path.display()))
        };
        std::fs::create_dir_all(&path).map_err(|error| failed("make the state folder", &error))?;
        let file = path.join("lock");
        let mut lock = File::options().create(true).truncate(false).read(true).write(true).open(&file);
        let lock = lock.as_mut().map_err(|error| failed("open the lock in", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = std::fs::read_to_string(&file).unwrap_or_default();
                return Err(Failure::Taken(format!(
                    "another dixmgr (pid {}) uses {}; stop it, or give this one another -host or -state-dir",
                    pid.trim(),
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &error)),
        }
        let written = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
        written.map_err(|error| failed("write the lock in", &error))?;
        let lock = lock.try_clone().map_err(|error| failed("keep the lock of", &error))?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves word for the commands for people.
    pub(crate) fn announce(&self, running: &Running) -> anyhow::Result<()> {
        let (file, new) = (self.file("running.json"), self.file("running.json.new"));
        std::fs::write(&new, serde_json::to_vec_pretty(running)?)?;
        Ok(std::fs::rename(new, file)?)
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.file("running.json"));
    }
}

/// What a running dixmgr has left word of; `None` if none runs there.
pub(crate) fn running(folder: &Path) -> Option<Running> {
    let running: Running = serde_json::from_slice(&std::fs::read(folder.join("running.json")).ok()?).ok()?;
    let pid = rustix::process::Pid::from_raw(running.pid.cast_signed())?;
    rustix::process::test_kill_process(pid).is_ok().then_some(running)
}
