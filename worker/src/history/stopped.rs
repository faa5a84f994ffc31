//! Which runs a person has ended, so that the time after them is no outage.
//!
//! systemd says that of a `systemctl stop` that dixmgr has seen, and the orders that dixmgr carries out say it of a command. Both
//! are forgotten with the process, but the service stays stopped: kept in a small file, for as long as the machine runs. Its rules are
//! told from here as well: what is meant is no alert.
//!
//! Rejected: asking the service's workflow. The history must be right while Temporal is away.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file in the state directory.
const FILE_NAME: &str = "stopped.json";

/// The runs that people have ended.
#[derive(Debug)]
pub(super) struct Stopped {
    file: PathBuf,
    boot: String,
    runs: Mutex<BTreeMap<String, String>>,
    /// The services of which that was not known before the last order.
    begun: Mutex<BTreeSet<String>>,
}

/// What is in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    boot: String,
    /// By service.
    runs: BTreeMap<String, String>,
}

impl Stopped {
    /// What an earlier dixmgr has left in this `boot` of the machine; nothing if it cannot be read. A machine that starts brings up
    /// what it is to run.
    pub(super) fn open(folder: &std::path::Path, boot: &str) -> Self {
        let file = folder.join(FILE_NAME);
        let kept: Kept =
            std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let runs = if kept.boot == boot { kept.runs } else { BTreeMap::new() };
        Self { file, boot: boot.to_owned(), runs: Mutex::new(runs), begun: Mutex::default() }
    }

    /// True if a person has ended this run of the service. systemd forgets the run of a unit that nobody looks at: one that has
    /// none has not run since.
    pub(super) fn is(&self, service: &str, run: Option<&str>) -> bool {
        self.runs().get(service).is_some_and(|ended| run.is_none_or(|run| run == ended))
    }

    /// A person has ended this run; none, if the unit has not run in this boot. True if that was not known.
    pub(super) fn put(&self, service: &str, run: &str) -> bool {
        let mut runs = self.runs();
        let is_news = runs.insert(service.to_owned(), run.to_owned()).as_deref() != Some(run);
        if is_news {
            self.keep(&runs);
        }
        is_news
    }

    /// A person has ordered the end of this run, which may fail.
    pub(super) fn begin(&self, service: &str, run: &str) {
        let is_news = self.put(service, run);
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if is_news {
            begun.insert(service.to_owned());
        } else {
            begun.remove(service);
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

    /// The run was not ended by that order. What was so before it still is.
    pub(super) fn take_back(&self, service: &str) {
        let was_news = self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(service);
        let mut runs = self.runs();
        if was_news && runs.remove(service).is_some() {
            self.keep(&runs);
        }
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, runs: &BTreeMap<String, String>) {
        let new = self.file.with_extension("json.new");
        let kept = Kept { boot: self.boot.clone(), runs: runs.clone() };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
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
        let open = || Stopped::open(&folder, "boot");
        open().put("api", "a");
        let again = open();
        assert!(!Stopped::open(&folder, "another boot").is("api", None));
        assert!(again.is("api", Some("a")) && !again.is("api", Some("b")) && again.is("api", None));
        again.runs_in("api", Some("a"));
        assert!(again.is("api", Some("a")), "it has not ended yet");
        again.runs_in("api", Some("b"));
        assert!(!open().is("api", Some("a")) && !again.is("api", None));
        again.begin("api", "b");
        again.take_back("api");
        assert!(!open().is("api", Some("b")));
        again.begin("api", "b");
        again.begin("api", "b");
        again.take_back("api");
        assert!(open().is("api", Some("b")), "the first of the two has ended it");
        again.put("api", "");
        assert!(again.is("api", None) && !again.is("api", Some("c")), "it had not run");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
