//! `maintenance`: recurring times in which nobody is told of some services.
//!
//! The registry keeps those of the fleet, which people set; those of a configuration are shown with them, and changed where they
//! are written. When a window is open is worked out here, by the same code that incidents ask.

use super::fleet::{self, say, update, within};
use super::print;
use super::targets::{client, who};
use crate::admin::FileWindows;
use crate::exit::Failure;
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use dixmgr_contract::plan::INFRASTRUCTURE_ID;
use dixmgr_contract::{Maintenance, RemoveMaintenance, Span, Time, TimeOfDay, Weekday};
use dixmgr_decide::fleet::objection_to_maintenance;
use dixmgr_decide::incident::maintenance::{next_begin, open_until};
use dixmgr_flows::InfrastructureWorkflow;
use serde::Serialize;
use std::time::{Duration, SystemTime};
use temporalio_client::{Client, WorkflowExecuteUpdateOptions, WorkflowHandle, WorkflowQueryOptions};

const DEADLINE: Duration = Duration::from_secs(30);
const ONCE: &str =
    "What does not come back is a silence: dixmgr silence --match \"service=api-*\" --for 2h (or --until)";

/// What to do with windows; without a word they are shown.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = ONCE)]
pub(crate) struct Windows {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    ask: fleet::Ask,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show all windows: those of the fleet, and those of the configuration
    List(fleet::Ask),
    /// Set a window of the fleet, or replace the one of that name
    #[command(after_help = ONCE)]
    Set(Set),
    /// Remove a window of the fleet; what is wrong and was not told because of it is told then
    Remove {
        /// The window
        name: String,
        #[command(flatten)]
        ask: fleet::Ask,
    },
}

/// A window, with the keys of [[alerts.maintenance]].
#[derive(Debug, Args)]
struct Set {
    /// What it is called, such as disks
    name: String,
    /// When it begins, such as 02:00
    #[arg(long, value_name = "HH:MM")]
    start: TimeOfDay,
    /// How long it lasts, such as 2h; from 1m to 7d
    #[arg(long, value_name = "TIME")]
    length: Span,
    /// The days on which it begins, such as saturday,sunday or sat,sun [default: each day]
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    weekdays: Vec<Weekday>,
    /// The time zone, such as Europe/Zurich [default: UTC]
    #[arg(long, value_name = "ZONE", default_value = "", hide_default_value = true)]
    zone: String,
    /// The services it is about, such as "api-*,db" [default: all, and the hosts]
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    services: Vec<String>,
    /// Why
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
    #[command(flatten)]
    ask: fleet::Ask,
}

impl Set {
    fn window(&self, by: String) -> Result<Maintenance, Failure> {
        let set = Maintenance {
            name: self.name.clone(),
            weekdays: self.weekdays.clone(),
            start: self.start,
            length: self.length,
            zone: self.zone.clone(),
            services: self.services.clone(),
            by,
            comment: self.comment.clone(),
        };
        objection_to_maintenance(&set).map_or(Ok(set), |objection| Err(Failure::Usage(objection)))
    }
}

/// Shows, sets or removes.
pub(super) async fn run(asked: &Windows) -> Result<(), Failure> {
    match &asked.what {
        None => list(&asked.ask).await,
        Some(What::List(ask)) => list(ask).await,
        Some(What::Set(set)) => set_one(set).await,
        Some(What::Remove { name, ask }) => remove(name, ask).await,
    }
}

async fn set_one(set: &Set) -> Result<(), Failure> {
    let window = set.window(who())?;
    let registry = registry(&client(&set.ask.at).await?);
    let options = WorkflowExecuteUpdateOptions::default();
    let answer = registry.execute_update(InfrastructureWorkflow::set_maintenance, window.clone().into(), options);
    let answer = update(DEADLINE, answer).await;
    let what = format!("set {}, {}", window.name, window.sentence());
    set.ask.record("maintenance", &what, &set.comment, &answer).await;
    say(&answer?, &set.ask)
}

async fn remove(name: &str, ask: &fleet::Ask) -> Result<(), Failure> {
    let registry = registry(&client(&ask.at).await?);
    let is_the_fleets = windows(&registry).await?.iter().any(|window| window.name == name);
    if !is_the_fleets && let Ok(written) = ask.at.windows_of_the_file().await {
        written.has_not(name)?;
    }
    let args = RemoveMaintenance { name: name.to_owned(), by: who() };
    let options = WorkflowExecuteUpdateOptions::default();
    let answer = registry.execute_update(InfrastructureWorkflow::remove_maintenance, args.into(), options);
    let answer = update(DEADLINE, answer).await;
    ask.record("maintenance", &format!("remove {name}"), "", &answer).await;
    say(&answer?, ask)
}

impl FileWindows {
    fn has_not(&self, name: &str) -> Result<(), Failure> {
        if self.windows.iter().all(|window| window.name != name) {
            return Ok(());
        }
        let way_out = "take it out there, on all hosts, and restart their dixmgr";
        Err(Failure::Failed(anyhow!("the maintenance window {name:?} is one of {}; {way_out}", self.file)))
    }
}

/// A window as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    /// The file that it is in; absent: the fleet's.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(flatten)]
    window: Maintenance,
    open_until: Option<Time>,
    next: Option<Time>,
}

impl Row {
    fn new(window: Maintenance, file: Option<&str>, now: Time) -> Self {
        let when = window.window();
        let (open_until, next) = (open_until(&when, now), next_begin(&when, now));
        Self { file: file.map(str::to_owned), window, open_until, next }
    }

    fn line(&self) -> String {
        let state = match (self.open_until, self.next) {
            (Some(until), _) => format!("open until {until}"),
            (None, Some(next)) => format!("next {next}"),
            (None, None) => "never".to_owned(),
        };
        let Maintenance { name, by, comment, .. } = &self.window;
        let source = match &self.file {
            Some(file) => format!("in {file}"),
            None if by.is_empty() => "by somebody".to_owned(),
            None => format!("by {by}"),
        };
        let line = format!("{name:<16} {state:<35} {}; {source}  {comment}", self.window.sentence());
        line.trim_end().to_owned() + "\n"
    }
}

/// Those of the fleet first.
fn rows(fleet: Vec<Maintenance>, written: &FileWindows, now: Time) -> Vec<Row> {
    let fleet = fleet.into_iter().map(|window| Row::new(window, None, now));
    let written = written
        .windows
        .iter()
        .filter_map(|window| Some(Row::new(Maintenance::of(window)?, Some(written.file.as_str()), now)));
    fleet.chain(written).collect()
}

async fn list(ask: &fleet::Ask) -> Result<(), Failure> {
    let fleet = windows(&registry(&client(&ask.at).await?)).await?;
    let written = ask.at.windows_of_the_file().await.unwrap_or_else(|failure| {
        eprintln!("dixmgr: the windows of a configuration are not shown: {failure}");
        FileWindows::default()
    });
    let rows = rows(fleet, &written, Time::from(SystemTime::now()));
    if ask.output.is_json() {
        return print::json(&serde_json::to_value(&rows).context("cannot be written as JSON")?);
    }
    print::text(&rows.iter().map(Row::line).collect::<String>())
}

fn registry(client: &Client) -> WorkflowHandle<Client, InfrastructureWorkflow> {
    client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID)
}

async fn windows(registry: &WorkflowHandle<Client, InfrastructureWorkflow>) -> Result<Vec<Maintenance>, Failure> {
    within(registry.query(InfrastructureWorkflow::maintenance, (), WorkflowQueryOptions::default())).await
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, flags};
    use super::*;
    use clap::Parser;
    use std::ffi::OsString;

    fn parsed(arguments: &[&str]) -> Result<Windows, String> {
        let arguments = ["dixmgr", "maintenance"].iter().chain(arguments).map(OsString::from);
        let cli = Cli::try_parse_from(flags::with_two_dashes(arguments)).map_err(|error| error.to_string())?;
        match cli.command {
            Some(Command::Maintenance(asked)) => Ok(asked),
            other => Err(format!("{other:?}")),
        }
    }

    /// What the registry would be asked.
    fn window(arguments: &[&str]) -> Result<Maintenance, String> {
        match parsed(&[&["set"], arguments].concat())?.what {
            Some(What::Set(set)) => set.window("eve".into()).map_err(|failure| failure.to_string()),
            other => Err(format!("{other:?}")),
        }
    }

    const DISKS: [&str; 5] = ["disks", "--start", "02:00", "--length", "2h"];

    #[test]
    fn a_window_is_set_with_the_keys_of_the_file() {
        let least = window(&DISKS).unwrap();
        assert_eq!(least.sentence(), "each day at 02:00 UTC for 2h, all services and hosts");
        assert_eq!((least.name.as_str(), least.by.as_str()), ("disks", "eve"));
        let more = ["-weekdays", "sat,sunday", "-zone=Europe/Zurich", "-services", "api-*,db", "-services", "web"];
        let all = window(&[&DISKS[..], &more, &["-comment", "swap"]].concat()).unwrap();
        assert_eq!(all.sentence(), "each saturday, sunday at 02:00 Europe/Zurich for 2h, api-*, db, web");
        assert_eq!(all.comment, "swap");
    }

    #[test]
    fn a_window_that_cannot_be_says_the_way_out_before_anybody_is_asked() {
        for (arguments, way_out) in [
            (&["disks", "--start", "2am", "--length", "2h"][..], "from \"00:00\" to \"23:59\""),
            (&["disks", "--start", "02:00", "--length", "2"], "write it as \"30s\""),
            (&["disks", "--start", "02:00", "--length", "30s"], "it must be at least 1m"),
            (&["disks", "--start", "02:00"], "--length"),
            (&[&DISKS[..], &["--weekdays", "someday"]].concat(), "write it as \"saturday\", or \"sat\""),
            (&[&DISKS[..], &["--zone", "Mars/Olympus"]].concat(), "is no time zone; write it as in \"Europe/Zurich\""),
            (&[&DISKS[..], &["--services", "api,,db"]].concat(), "such as \"api-*\""),
            (&["", "--start", "02:00", "--length", "2h"], "the name of a maintenance window"),
        ] {
            let said = window(arguments).unwrap_err();
            assert!(said.contains(way_out), "{arguments:?}: {said}");
        }
    }

    #[test]
    fn without_a_word_the_windows_are_shown() {
        assert!(parsed(&[]).unwrap().what.is_none());
        assert!(parsed(&["--output", "json"]).unwrap().ask.output.is_json());
        assert!(
            matches!(parsed(&["list", "-output", "json"]).unwrap().what, Some(What::List(ask)) if ask.output.is_json())
        );
        assert!(
            matches!(parsed(&["remove", "disks"]).unwrap().what, Some(What::Remove { name, .. }) if name == "disks")
        );
        let said = parsed(&["--output", "json", "remove", "disks"]).unwrap_err();
        assert!(said.contains("cannot be used with"), "what is not looked at is refused: {said}");
        let help = parsed(&["set", "--help"]).unwrap_err();
        assert!(help.contains("dixmgr silence --match") && help.contains("--until"), "{help}");
    }

    #[test]
    fn windows_are_shown_with_their_source_and_when_it_is_time() {
        let now = Time::try_from("2026-01-10T02:30:00Z".to_owned()).unwrap();
        let fleet = window(&[&DISKS[..], &["--services", "api-*", "--comment", "swap"]].concat()).unwrap();
        let written = Maintenance { name: "backup".into(), start: "23:00".parse().unwrap(), ..fleet.clone() };
        let written = FileWindows { file: "x.toml".into(), windows: vec![written.window()] };
        let rows = rows(vec![fleet], &written, now);
        assert_eq!(
            rows.iter().map(Row::line).collect::<String>(),
            "disks            open until 2026-01-10T04:00:00.000Z each day at 02:00 UTC for 2h, api-*; by eve  swap\n\
             backup           next 2026-01-10T23:00:00.000Z       each day at 23:00 UTC for 2h, api-*; in x.toml\n"
        );
        let json = serde_json::to_value(&rows).unwrap();
        assert_eq!((&json[0]["by"], &json[0]["open_until"]), (&"eve".into(), &"2026-01-10T04:00:00.000Z".into()));
        assert_eq!((&json[0]["start"], &json[0]["next"]), (&"02:00".into(), &"2026-01-11T02:00:00.000Z".into()));
        assert_eq!((&json[1]["file"], &json[1]["open_until"]), (&"x.toml".into(), &serde_json::Value::Null));
        assert!(written.has_not("disks").is_ok());
        let refused = written.has_not("backup").unwrap_err().to_string();
        assert!(refused.contains("is one of x.toml; take it out there"), "{refused}");
    }
}
