//! What a person, or another workflow, can ask of a service.

use serde::{Deserialize, Serialize};

/// The commands, each also an update of `ServiceWatchWorkflow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandKind {
    /// Stop it if it runs, then start it.
    Restart,
    /// Stop it and leave it stopped.
    Stop,
    /// Start it.
    Start,
    /// Take no action until resumed.
    Pause,
    /// Supervise again.
    Resume,
}

impl CommandKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Restart, Self::Stop, Self::Start, Self::Pause, Self::Resume];

    /// The name of the update, and the word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

impl std::fmt::Display for CommandKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command with its sender, as the signal `command` carries it between workflows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Names this command; a repeated one is ignored.
    pub id: String,
    /// What to do.
    pub command: CommandKind,
    /// Who asks, for the record.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
    /// It goes to all services of the fleet: a `resume` then leaves alone what was paused by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_all: bool,
}

/// The optional input of the updates `restart`, `stop`, `start`, `pause`, `resume`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandArgs {
    /// Who asks, for the record.
    #[serde(default)]
    pub by: String,
    /// Why, for the record.
    #[serde(default)]
    pub reason: String,
}
