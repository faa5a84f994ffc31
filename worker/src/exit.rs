//! Exit codes: a contract with systemd units, scripts and CI (sysexits(3) where it has a word for it).

use std::process::ExitCode;

/// What ends the program with something other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: a command was understood and did not succeed.
    Failed(anyhow::Error),
    /// 2: the command line makes no sense.
    Usage(String),
    /// 69: a service that dixmgr needs refused us at start.
    Unavailable(String),
    /// 73: a port or a lock that dixmgr needs is taken.
    Taken(String),
    /// 78: the configuration is wrong; it has been said where.
    Config(String),
}

impl Failure {
    const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unavailable(_) => 69,
            Self::Taken(_) => 73,
            Self::Config(_) => 78,
        }
    }

    /// Says it on the standard error stream and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        match &self {
            Self::Config(text) => eprintln!("{text}"),
            other => eprintln!("dixmgr: {other}"),
        }
        ExitCode::from(self.code())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error:#}"),
            Self::Usage(text) | Self::Unavailable(text) | Self::Taken(text) | Self::Config(text) => f.write_str(text),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
