//! The command line: the Go version's flags for running, subcommands for people.

mod alerts;
mod flags;
mod fleet;
mod incidents;
mod maintenance;
mod past;
mod print;
mod report;
mod rules;
mod services;
mod table;
mod targets;

use crate::exit::Failure;
use crate::runtime::runtime;
use crate::settings::{Mode, Settings};
use crate::state_dir::StateDir;
use crate::{serve, up};
use clap::{Args, Parser, Subcommand, ValueEnum};
use dixmgr_contract::{CommandKind, HostName, ServiceName};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// A durable supervisor for fleets of Linux services. Its memory is a Temporal cluster.
#[derive(Debug, Parser)]
#[command(name = "dixmgr", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Supervise: act on what fails
    #[arg(long, conflicts_with = "watch")]
    exec: bool,
    /// Dry run: observe, measure, and say each action that would be taken
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    flags: Option<RunFlags>,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
To run:     dixmgr -exec -conf FILE     supervise
            dixmgr -watch -conf FILE    observe, and say what would be done
Flags may be written with one dash or two.
Exit codes: 0 well; 1 a command failed; 2 usage; 69 a needed service refused us;
            73 a port or lock is taken; 78 configuration.";

/// Flags of a run. A flag wins over the file.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunFlags {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: PathBuf,
    /// This host's name in the fleet [default: the machine's]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<HostName>,
    /// Where to remember [default: $STATE_DIRECTORY, else /var/lib/dixmgr for root, else the XDG state folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Frontend of the Temporal cluster [default: localhost:7233]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) temporal_host: Option<String>,
    /// Its namespace [default: dotidx]
    #[arg(long, value_name = "NAME")]
    pub(crate) temporal_namespace: Option<String>,
    /// Make the namespace if it is missing
    #[arg(long)]
    pub(crate) create_namespace: bool,
    /// Terminate running workflows of the Go version that hold our ids
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Serve metrics [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean)]
    pub(crate) metrics: Option<bool>,
    /// Port of the admin server, 0 for a free one [default: 9090]
    #[arg(long, value_name = "PORT")]
    pub(crate) metrics_port: Option<u16>,
    /// Tell people [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean)]
    pub(crate) alerts: Option<bool>,
    /// Tell this Slack webhook: the channel `slack`
    #[arg(long, value_name = "URL")]
    pub(crate) slack_webhook: Option<String>,
    /// Post alerts here: the channel `webhook`
    #[arg(long, value_name = "URL")]
    pub(crate) webhook_url: Option<String>,
    /// Measure CPU, memory and disk of services [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = flags::boolean)]
    pub(crate) resource_monitoring: Option<bool>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run with an embedded Temporal server, all in one
    Up {
        #[command(flatten)]
        flags: RunFlags,
        /// Dry run: observe, and say what would be done
        #[arg(long)]
        watch: bool,
    },
    /// Check a configuration: all errors at once
    Check {
        /// The configuration
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Show what a configuration supervises, in start order
    Plan {
        /// The configuration
        file: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Show where services stand
    Status {
        /// Services by name; all if none is given
        services: Vec<String>,
        #[command(flatten)]
        at: targets::At,
        #[command(flatten)]
        output: Output,
    },
    /// Restart services
    Restart(services::Order),
    /// Stop services and leave them stopped
    Stop(services::Order),
    /// Start services
    Start(services::Order),
    /// Take no action on services until they are resumed
    Pause(services::Order),
    /// Supervise paused services again
    Resume(services::Order),
    /// Show the hosts of the fleet
    Hosts(fleet::Ask),
    /// Remove everything of a host that is gone for good
    ForgetHost {
        /// The host
        #[arg(value_name = "HOST")]
        name: HostName,
        #[command(flatten)]
        ask: fleet::Ask,
    },
    /// Show the clusters of the fleet
    Clusters(fleet::Ask),
    /// Restart the members of a cluster one by one, never below its quorum
    RollingRestart {
        /// The cluster
        cluster: ServiceName,
        #[command(flatten)]
        order: fleet::Order,
    },
    /// Make another member of a standby cluster the active one
    Promote {
        /// The cluster
        cluster: ServiceName,
        /// The member
        member: ServiceName,
        #[command(flatten)]
        order: fleet::Order,
    },
    /// Take no action on any service of the fleet until it is resumed
    PauseAll(fleet::Order),
    /// Supervise all services of the fleet again
    ResumeAll(fleet::Order),
    /// Show the open incidents
    Alerts(fleet::Ask),
    /// Say that you take care of an incident
    Ack(alerts::About),
    /// Be told nothing of an incident, or of whatever fits
    Silence(alerts::Quiet),
    /// Be told again
    Unsilence {
        /// A silence of the fleet by its id, or an incident
        name: String,
        #[command(flatten)]
        ask: fleet::Ask,
    },
    /// Show what is silenced in the fleet
    Silences(fleet::Ask),
    /// Show, set and remove recurring times in which nobody is told of some services
    Maintenance(maintenance::Windows),
    /// Say that an incident is over
    Resolve {
        /// The incident, such as service_down.api; or a service: all of its incidents
        name: String,
        #[command(flatten)]
        ask: fleet::Ask,
    },
    /// Send a test through a channel
    TestAlert(alerts::Trial),
    /// Show the alert rules of the dixmgr that runs here, or switch one on or off
    Rules(rules::Ask),
    /// Show what happened to services, the newest last
    History(past::Happened),
    /// Show how long services were up; unknown time is counted apart
    Uptime(past::Uptime),
    /// Show incidents, the newest last
    Incidents(past::Incidents),
    /// Write the whole history as JSON, a line each
    Export(past::Whole),
    /// Print the JSON schema of the configuration
    #[command(hide = true)]
    Schema,
    /// Print the reference of the configuration and the metrics as Markdown
    #[command(hide = true)]
    Reference,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For machines
    Json,
}

/// Reads the command line; on help, version or a mistake it has been printed and the exit code is given.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(flags::with_two_dashes(args)).map_err(|error| {
        let code = if error.use_stderr() { 2 } else { 0 };
        let _ = error.print();
        ExitCode::from(code)
    })
}

/// Does what the command line says.
///
/// # Errors
/// Whatever ends the program with another exit code than 0.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let mode = match (cli.command, cli.exec, cli.watch) {
        (Some(command), ..) => return run_command(command),
        (None, true, false) => Mode::Exec,
        (None, false, true) => Mode::Watch,
        (None, ..) => {
            return Err(Failure::Usage("say -exec to act or -watch to observe only; --help shows more".to_owned()));
        }
    };
    match cli.flags {
        Some(flags) => run_host(&flags, mode),
        None => Err(Failure::Usage("which configuration? give -conf FILE".to_owned())),
    }
}

fn run_host(flags: &RunFlags, mode: Mode) -> Result<(), Failure> {
    start_log()?;
    let settings = Settings::new(flags, mode)?;
    let state = StateDir::open(settings.state_dir.clone())?;
    runtime()?.complete(serve::run(settings, state, None))
}

fn run_command(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up { flags, watch } => {
            start_log()?;
            up::run(&flags, if watch { Mode::Watch } else { Mode::Exec })
        }
        Command::Check { file, output } => report::check(&file, output.is_json()),
        Command::Plan { file, output } => report::plan(&file, output.is_json()),
        Command::Status { services, at, output } => {
            runtime()?.complete(services::status(&at, &services, output.is_json()))
        }
        Command::Restart(order) => runtime()?.complete(services::command(CommandKind::Restart, &order)),
        Command::Stop(order) => runtime()?.complete(services::command(CommandKind::Stop, &order)),
        Command::Start(order) => runtime()?.complete(services::command(CommandKind::Start, &order)),
        Command::Pause(order) => runtime()?.complete(services::command(CommandKind::Pause, &order)),
        Command::Resume(order) => runtime()?.complete(services::command(CommandKind::Resume, &order)),
        Command::Hosts(ask) => runtime()?.complete(fleet::hosts(&ask)),
        Command::ForgetHost { name, ask } => runtime()?.complete(fleet::forget(&name, &ask)),
        Command::Clusters(ask) => runtime()?.complete(fleet::clusters(&ask)),
        Command::RollingRestart { cluster, order } => runtime()?.complete(fleet::rolling_restart(&cluster, &order)),
        Command::Promote { cluster, member, order } => runtime()?.complete(fleet::promote(&cluster, &member, &order)),
        Command::PauseAll(order) => runtime()?.complete(fleet::all(CommandKind::Pause, &order)),
        Command::ResumeAll(order) => runtime()?.complete(fleet::all(CommandKind::Resume, &order)),
        Command::Alerts(ask) => runtime()?.complete(alerts::list(&ask)),
        Command::Ack(about) => runtime()?.complete(alerts::ack(&about)),
        Command::Silence(quiet) => runtime()?.complete(alerts::silence(&quiet)),
        Command::Unsilence { name, ask } => runtime()?.complete(alerts::unsilence(&name, &ask)),
        Command::Silences(ask) => runtime()?.complete(alerts::list_silences(&ask)),
        Command::Maintenance(asked) => runtime()?.complete(maintenance::run(&asked)),
        Command::Resolve { name, ask } => runtime()?.complete(alerts::resolve(&name, &ask)),
        Command::TestAlert(trial) => {
            start_log()?;
            runtime()?.complete(alerts::test(&trial))
        }
        Command::Rules(ask) => runtime()?.complete(rules::run(&ask)),
        Command::History(asked) => runtime()?.complete(past::history(&asked)),
        Command::Uptime(asked) => runtime()?.complete(past::uptime(&asked)),
        Command::Incidents(asked) => runtime()?.complete(past::incidents(&asked)),
        Command::Export(asked) => runtime()?.complete(past::export(&asked)),
        Command::Schema => report::schema(),
        Command::Reference => report::reference(),
    }
}

impl Output {
    fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

fn start_log() -> Result<(), Failure> {
    dixmgr_telemetry::log::init().map_err(|error| Failure::Failed(error.into()))
}
