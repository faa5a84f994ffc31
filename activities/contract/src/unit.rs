//! The state of a systemd unit, as far as a decision needs it.
//!
//! Words are systemd's own (org.freedesktop.systemd1(5)). A word that a newer systemd may add is kept as it came
//! (`Other`) rather than refused: an unknown state must not stop an observation.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $type {
            $($(#[$vdoc])* $variant,)+
            /// A word that this version does not know, as it came.
            Other(String),
        }

        impl From<&str> for $type {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $type {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl $type {
            /// systemd's word for it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<$type> for String {
            fn from(state: $type) -> String {
                state.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
/// `LoadState` of a unit.
LoadState {
    /// Its file was read.
    Loaded = "loaded",
    /// There is no such file on this host.
    NotFound = "not-found",
    /// Linked to `/dev/null`: it cannot be started.
    Masked = "masked",
    /// Its file could not be read.
    Error = "error",
    /// A setting in its file is refused.
    BadSetting = "bad-setting",
    /// Another name of a unit.
    Merged = "merged",
    /// Not read yet.
    Stub = "stub",
});

words!(
/// `ActiveState` of a unit.
ActiveState {
    /// Runs, or for a oneshot with `RemainAfterExit=`: done.
    Active = "active",
    /// Runs and reads its configuration again.
    Reloading = "reloading",
    /// Runs and refreshes its mounts (254 and later).
    Refreshing = "refreshing",
    /// Does not run, and did not fail.
    Inactive = "inactive",
    /// Does not run, because it failed.
    Failed = "failed",
    /// On its way up.
    Activating = "activating",
    /// On its way down.
    Deactivating = "deactivating",
    /// A maintenance operation is under way.
    Maintenance = "maintenance",
});

/// `ExecMainCode`: how the main process ended (`CLD_*` of sigaction(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitCode {
    /// By itself; the status is its exit code.
    Exited,
    /// By a signal; the status is the signal's number.
    Killed,
    /// By a signal, with a core dump.
    Dumped,
}

/// How the main process of the last run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exit {
    /// What kind of end.
    pub code: ExitCode,
    /// Exit code or signal number.
    pub status: i32,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            ExitCode::Exited => write!(f, "exit code {}", self.status),
            ExitCode::Killed => write!(f, "signal {}", self.status),
            ExitCode::Dumped => write!(f, "signal {}, core dumped", self.status),
        }
    }
}

/// A job that systemd has queued or runs for the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Job {
    /// systemd's number for it.
    pub id: u32,
    /// True if this dixmgr asked for it; anybody else's is left alone.
    pub ours: bool,
}

/// One look at a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// Whether systemd knows the unit at all.
    pub load: LoadState,
    /// The state in one word.
    pub active: ActiveState,
    /// The state in the unit type's own words, such as `running` or `auto-restart`.
    #[serde(default)]
    pub sub: String,
    /// `Result` of the last run, such as `success`, `exit-code`, `signal`, `start-limit-hit`.
    #[serde(default)]
    pub result: String,
    /// `InvocationID` of the last run (32 hex digits); absent if it never ran since it was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    /// How the main process ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// `NRestarts`: restarts by systemd itself since the last reset.
    #[serde(default)]
    pub restarts: u32,
    /// The job on the unit, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// The way down began with a job of somebody else's (`systemctl stop`), not by the process ending.
    #[serde(default)]
    pub stopped_by_job: bool,
    /// `Type=oneshot` without `RemainAfterExit=`: being inactive after success is its normal end.
    #[serde(default)]
    pub oneshot: bool,
}

impl UnitState {
    /// A unit of which nothing is known but its load and active state.
    pub fn new(load: LoadState, active: ActiveState) -> Self {
        Self {
            load,
            active,
            sub: String::new(),
            result: "success".to_owned(),
            invocation: None,
            exit: None,
            restarts: 0,
            job: None,
            stopped_by_job: false,
            oneshot: false,
        }
    }

    /// True for `active`, `reloading`, `refreshing`.
    pub fn is_up(&self) -> bool {
        matches!(self.active, ActiveState::Active | ActiveState::Reloading | ActiveState::Refreshing)
    }

    /// False while a start has shown its run, and nothing of it has begun.
    pub fn has_begun(&self) -> bool {
        self.active != ActiveState::Inactive || (self.job.is_none() && self.exit.is_some())
    }

    /// True while a job of somebody else's is on the unit.
    pub fn is_held(&self) -> bool {
        self.job.is_some_and(|job| !job.ours)
    }

    /// The end of the last run in words: `signal 9`, `exit code 1`, or systemd's result.
    pub fn ending(&self) -> String {
        match (&self.exit, self.result.as_str()) {
            (Some(exit), "success" | "exit-code" | "signal" | "core-dump" | "") => exit.to_string(),
            (Some(exit), result) => format!("{result}, {exit}"),
            (None, "success" | "") => "ended by itself".to_owned(),
            (None, result) => result.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_kept() {
        let state: ActiveState = serde_json::from_str("\"hibernating\"").unwrap();
        assert_eq!(serde_json::to_string(&state).unwrap(), "\"hibernating\"");
    }

    #[test]
    fn an_ending_is_told_in_words() {
        let mut unit = UnitState::new(LoadState::Loaded, ActiveState::Failed);
        unit.result = "signal".into();
        unit.exit = Some(Exit { code: ExitCode::Killed, status: 9 });
        assert_eq!(unit.ending(), "signal 9");
        unit.result = "start-limit-hit".into();
        assert_eq!(unit.ending(), "start-limit-hit, signal 9");
    }
}
