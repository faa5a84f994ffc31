//! `history`, `uptime`, `incidents`, `export`: what was. The store is asked, not dixmgr: it need not run.

use super::targets::{At, who};
use super::{Output, print, table};
use crate::exit::Failure;
use crate::history::{now, place};
use crate::settings::Mode;
use crate::state_dir;
use anyhow::{Context, anyhow};
use clap::Args;
use dixmgr_contract::{HostName, Span, Time};
use dixmgr_history::{Action, Question, Store};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Clocks of hosts that share a server differ.
const AHEAD: Span = Span::from_secs(60);

/// Whose history.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// The host, if several hosts' state is on this machine
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Where the dixmgr that runs here remembers
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// That of the dry run
    #[arg(long)]
    watch: bool,
    /// The configuration, if it has the history kept elsewhere than in the state directory
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    conf: Option<PathBuf>,
}

impl Whose {
    fn store(&self) -> Result<Store, Failure> {
        let root = self.state_dir.clone().unwrap_or_else(state_dir::default_root);
        if let Some(file) = &self.conf {
            let config = dixmgr_model::load(file).map_err(|errors| Failure::Config(errors.to_string()))?;
            let folder = state_dir::folder(&root, &crate::host::name(self.host.clone())?, false);
            return Ok(Store::new(place::of_config(&config, &folder)?));
        }
        let mode = if self.watch { Mode::Watch } else { Mode::Exec };
        Ok(Store::new(place::to_read(&root, self.host.as_ref(), mode)?))
    }

    fn question(&self, since: Span) -> Question {
        let (from, to) = (now().earlier(since), now().after(AHEAD));
        Question { host: self.host.as_ref().map(ToString::to_string), ..Question::between(from, to) }
    }
}

/// What happened.
#[derive(Debug, Args)]
pub(crate) struct Happened {
    /// A service by name; all if none is given
    service: Option<String>,
    /// How far back, such as 12h or 7d
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    since: Span,
    /// At most so many entries, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    output: Output,
}

/// How long services were up.
#[derive(Debug, Args)]
pub(crate) struct Uptime {
    /// Services by name; all if none is given
    services: Vec<String>,
    /// How far back, such as 24h or 30d
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    window: Span,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    output: Output,
}

/// Everything of a time.
#[derive(Debug, Args)]
pub(crate) struct Everything {
    /// How far back, such as 12h or 7d
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    since: Span,
    #[command(flatten)]
    whose: Whose,
}

/// Everything.
#[derive(Debug, Args)]
pub(crate) struct Whole {
    /// Only of the last so long, such as 12h or 7d
    #[arg(long, value_name = "SPAN")]
    since: Option<Span>,
    #[command(flatten)]
    whose: Whose,
}

/// Incidents of a time.
#[derive(Debug, Args)]
pub(crate) struct Incidents {
    #[command(flatten)]
    of: Everything,
    #[command(flatten)]
    output: Output,
}

/// Prints what happened, the newest last.
pub(super) async fn history(asked: &Happened) -> Result<(), Failure> {
    let mut question = Question { limit: usize::from(asked.limit), ..asked.whose.question(asked.since) };
    question.service.clone_from(&asked.service);
    let mut lines = asked.whose.store()?.timeline(&question).await.map_err(failed)?;
    lines.reverse();
    if asked.output.is_json() {
        return print::json(&serde_json::to_value(&lines).context("cannot be written as JSON")?);
    }
    print::text(&table::history(&lines))
}

/// Prints how long services were up.
pub(super) async fn uptime(asked: &Uptime) -> Result<(), Failure> {
    let question = asked.whose.question(asked.window);
    let mut found = asked.whose.store()?.uptime(&question, now()).await.map_err(failed)?;
    if let Some(missing) = asked.services.iter().find(|name| found.iter().all(|one| one.service != **name)) {
        return Err(Failure::Failed(anyhow!("nothing is known of a service {missing:?} in the last {}", asked.window)));
    }
    found.retain(|one| asked.services.is_empty() || asked.services.contains(&one.service));
    if asked.output.is_json() {
        return print::json(&serde_json::to_value(&found).context("cannot be written as JSON")?);
    }
    print::text(&table::uptime(&found))
}

/// Prints incidents, the newest last.
pub(super) async fn incidents(asked: &Incidents) -> Result<(), Failure> {
    let whose = &asked.of.whose;
    let mut found = whose.store()?.incidents(&whose.question(asked.of.since)).await.map_err(failed)?;
    found.reverse();
    if asked.output.is_json() {
        let line = |(host, incident)| serde_json::json!({"host": host, "incident": incident});
        return print::json(&found.into_iter().map(line).collect());
    }
    let incidents: Vec<_> = found.into_iter().map(|(_, incident)| incident).collect();
    print::text(&table::incidents(&incidents, now()))
}

/// Writes everything as JSON, a line each.
pub(super) async fn export(asked: &Whole) -> Result<(), Failure> {
    let question = asked.whose.question(asked.since.unwrap_or_else(|| now().since(Time::default())));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut has_enough = false;
    let store = asked.whose.store()?;
    let exported = store.export(&question, |line| {
        let written = writeln!(out, "{line}");
        has_enough |= is_enough(&written);
        written
    });
    let exported = exported.await;
    let flushed = out.flush();
    if has_enough || is_enough(&flushed) {
        return Ok(());
    }
    exported.map_err(failed)?;
    Ok(flushed.context("the export cannot be written")?)
}

/// A reader that has seen enough (`| head`) is no failure.
fn is_enough(written: &std::io::Result<()>) -> bool {
    written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// What came of something, as it is recorded.
pub(super) fn result<T>(answer: &Result<T, Failure>) -> String {
    answer.as_ref().err().map_or_else(|| "done".to_owned(), ToString::to_string)
}

/// Records what somebody does, if there is a history here or the configuration names a server. What is done without either shows in
/// what the services do. `results`: what came of it for each service; for the fleet as a whole the name is empty.
pub(super) async fn record(at: &At, action: &str, reason: &str, results: impl Iterator<Item = (&str, &str)>) {
    if let Some(here) = at.here() {
        record_here(&here, at.conf(), action, reason, results).await;
    }
}

/// The same of the dixmgr with this folder for its state, and of this name.
pub(super) async fn record_here(
    (root, host): &(PathBuf, HostName),
    conf: Option<&Path>,
    action: &str,
    reason: &str,
    results: impl Iterator<Item = (&str, &str)>,
) {
    let Some(target) = place::to_write(root, host, conf) else { return };
    let store = Store::new(target);
    for (service, result) in results {
        let action = Action {
            service: service.to_owned(),
            at: now(),
            who: who(),
            action: action.to_owned(),
            detail: reason.to_owned(),
            result: result.to_owned(),
        };
        if let Err(error) = store.add(host.as_str(), action).await {
            // The rest would have to wait for the same.
            eprintln!("dixmgr: not recorded: {error}");
            return;
        }
    }
}

fn failed(error: dixmgr_history::Error) -> Failure {
    Failure::Failed(error.into())
}
