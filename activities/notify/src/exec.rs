//! A program on this host, with the note as JSON on its standard input.
//!
//! Program and arguments are those of the configuration, word for word: nothing of a note reaches a command line, and
//! there is no shell. Its environment is empty but for `PATH`, `LANG` and what the configuration adds; its output goes
//! nowhere (it may hold anything; whoever wants it writes it to a log). It has a process group of its own, which is
//! killed as a whole when its time is up: a program that hangs in a child of its own must not pile up.

use crate::answer::{refused, retry, sent};
use crate::config::ConfigError;
use crate::say::Said;
use crate::secret::Secret;
use crate::text::line;
use crate::webhook;
use dixmgr_contract::Delivery;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    io::{self, ErrorKind},
    path::PathBuf,
    process::{ExitStatus, Stdio},
};
use tokio::{io::AsyncWriteExt, process::Command};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MAX_ARGS: usize = 50;
/// Codes of sysexits.h that no second try changes: usage, data, permission, configuration.
const FINAL: [i32; 4] = [64, 65, 77, 78];

/// A program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecConfig {
    /// Its absolute path.
    pub program: PathBuf,
    /// Its arguments, at most 50.
    pub args: Vec<String>,
    /// What its environment has besides `PATH` and `LANG`.
    pub env: BTreeMap<String, Secret>,
}

#[derive(Debug)]
pub(crate) struct Exec {
    config: ExecConfig,
}

impl Exec {
    pub(crate) fn new(config: &ExecConfig) -> Result<Self, ConfigError> {
        if !config.program.is_absolute() {
            return Err(ConfigError::new("program", "is no absolute path; write it as `/usr/local/bin/tell`"));
        }
        if config.args.len() > MAX_ARGS || config.args.iter().any(|arg| arg.contains('\0')) {
            return Err(ConfigError::new("args", format!("hold a zero, or are more than {MAX_ARGS}")));
        }
        let is_name = |name: &str| {
            let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
            name.chars().all(is_fit) && name.starts_with(|c: char| !c.is_ascii_digit())
        };
        if let Some((name, _)) = config.env.iter().find(|(name, value)| !is_name(name) || value.expose().contains('\0'))
        {
            return Err(ConfigError::new("env", format!("has a name or a value that cannot be: {:?}", line(name, 50))));
        }
        Ok(Self { config: config.clone() })
    }

    /// Dropping the future kills what it has started.
    pub(crate) async fn send(&self, said: &Said) -> Delivery {
        let program = line(&self.config.program.to_string_lossy(), 100);
        let text = webhook::body(said).to_string() + "\n";
        match self.run(text).await {
            Ok(status) => judge(&program, status),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                refused(format!("{program} cannot be started: {error}"))
            }
            Err(error) => retry(format!("{program} cannot be run: {error}")),
        }
    }

    /// Whoever drops it kills what it has started.
    async fn run(&self, text: String) -> io::Result<ExitStatus> {
        let mut command = Command::new(&self.config.program);
        command.args(&self.config.args).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").current_dir("/");
        command.envs(self.config.env.iter().map(|(name, value)| (name, value.expose())));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let mut group = Group(pid);
        let stdin = child.stdin.take();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // A program that does not read is fine: its exit status says what it makes of the note.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
            pending::<Infallible>().await
        };
        let status = tokio::select! {
            status = child.wait() => status,
            never = feed => match never {},
        };
        // It was waited for: its number may be another one's now.
        group.0 = None;
        status
    }
}

/// A process group, killed when it is dropped. Until its leader is waited for, nobody else has its number.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself just now.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn judge(program: &str, status: ExitStatus) -> Delivery {
    match status.code() {
        Some(0) => sent(""),
        Some(code) if FINAL.contains(&code) => refused(format!("{program} refuses the note: exit status {code}")),
        Some(code) => retry(format!("{program} failed: exit status {code}")),
        None => retry(format!("{program} was killed: {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_path_names_a_program() {
        let program = |program: &str| ExecConfig { program: program.into(), ..ExecConfig::default() };
        let env = |name: &str| ExecConfig {
            env: BTreeMap::from([(name.to_owned(), Secret::new("hush"))]),
            ..program("/bin/true")
        };
        for (config, key) in [
            (program(""), "program"),
            (program("tell"), "program"),
            (program("./tell"), "program"),
            (ExecConfig { args: vec!["a\0b".into()], ..program("/bin/true") }, "args"),
            (ExecConfig { args: vec![String::new(); 51], ..program("/bin/true") }, "args"),
            (env("A=B"), "env"),
            (env(""), "env"),
            (env("1A"), "env"),
        ] {
            let error = Exec::new(&config).unwrap_err();
            assert_eq!(error.key, key);
            assert!(!format!("{error} {config:?}").contains("hush"));
        }
        assert!(Exec::new(&env("_A1")).is_ok());
    }
}
