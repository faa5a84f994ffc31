//! Which runs a person has ended, so that the time after them is no outage.
//!
//! systemd says that of a `systemctl stop` that dixmgr has seen, and the orders that dixmgr carries out say it of a command. Both
//! are forgotten with the process, but the service stays stopped: kept in a small file, a service and its run a line.
//!
//! Rejected: asking the service's workflow. The history must be right while Temporal is away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file in the state directory.
const FILE_NAME: &str = "stopped.json";

/// The runs that people have ended.
#[derive(Debug)]
pub(super) struct Stopped {
    file: PathBuf,
    runs: Mutex<BTreeMap<String, String>>,
}

impl Stopped {
    /// What an earlier dixmgr has left; nothing if it cannot be read.
    pub(super) fn open(folder: &std::path::Path) -> Self {
        let file = folder.join(FILE_NAME);
        let runs = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { file, runs: Mutex::new(runs) }
    }

    /// True if a person has ended this run of the service. systemd forgets the run of a unit that nobody looks at: one that has
    /// none has not run since.
    pub(super) fn is(&self, service: &str, run: Option<&str>) -> bool {
        self.runs().get(service).is_some_and(|ended| run.is_none_or(|run| run == ended))
    }

    /// A person ends this run; none, if the unit has not run in this boot.
    pub(super) fn put(&self, service: &str, run: &str) {
        let mut runs = self.runs();
        if runs.insert(service.to_owned(), run.to_owned()).as_deref() != Some(run) {
            self.keep(&runs);
        }
    }

    /// It runs again, in this run; or, if that is the one that was to be ended, it goes on.
    pub(super) fn runs_in(&self, service: &str, run: Option<&str>) {
        let mut runs = self.runs();
        if runs.get(service).is_some_and(|ended| run != Some(ended)) {
            runs.remove(service);
            self.keep(&runs);
        }
    }

    /// The run was not ended after all.
    pub(super) fn take_back(&self, service: &str) {
        let mut runs = self.runs();
        if runs.remove(service).is_some() {
            self.keep(&runs);
        }
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, runs: &BTreeMap<String, String>) {
        let new = self.file.with_extension("json.new");
        let text = serde_json::to_vec(runs).unwrap_or_default();
        if let Err(error) = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.file)) {
            tracing::debug!("{} cannot be written: {error}", self.file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_stopped_is_known_after_a_restart_until_there_is_another_one() {
        let folder = std::env::temp_dir().join(format!("dixmgr-stopped-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Stopped::open(&folder).put("api", "a");
        let again = Stopped::open(&folder);
        assert!(again.is("api", Some("a")) && !again.is("api", Some("b")) && again.is("api", None));
        again.runs_in("api", Some("a"));
        assert!(again.is("api", Some("a")), "it has not ended yet");
        again.runs_in("api", Some("b"));
        assert!(!Stopped::open(&folder).is("api", Some("a")) && !again.is("api", None));
        again.put("api", "b");
        again.take_back("api");
        assert!(!Stopped::open(&folder).is("api", Some("b")));
        again.put("api", "");
        assert!(again.is("api", None) && !again.is("api", Some("c")), "it had not run");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
