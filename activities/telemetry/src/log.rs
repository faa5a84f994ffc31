//! The tracing subscriber: for people on a terminal, in plain text or JSON lines for machines; always on stderr, since
//! stdout belongs to what a subcommand prints.

use std::{
    env, fmt,
    io::{self, IsTerminal},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
};

/// The variable with the filter, in the syntax of `tracing_subscriber::EnvFilter`; `RUST_LOG` is read where it is unset.
pub const FILTER_VARIABLE: &str = "DIXMGR_LOG";
/// The variable with the format: `text` or `json`.
pub const FORMAT_VARIABLE: &str = "DIXMGR_LOG_FORMAT";
/// The SDK warns about each failed call while Temporal is away; our own events say it once.
const DEFAULT_FILTER: &str = "info,temporalio_sdk_core=warn,temporalio_client=error,temporalio_sdk=warn";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("{variable}=`{value}` is not a log filter; write it like `info` or `info,dixmgr=debug`")]
    Filter {
        /// Where it was given.
        variable: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The format is unknown.
    #[error("{FORMAT_VARIABLE}=`{0}` is not a log format; use `text` or `json`")]
    Format(String),
    /// A subscriber was there already.
    #[error("logging is set up already")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Short time stamps; colours where the terminal takes them.
    Human { colours: bool },
    /// Full time stamps, no colours.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Sets up logging for this process, by the environment.
///
/// # Errors
///
/// If a variable cannot be understood, or logging is set up already.
pub fn init() -> Result<(), LogError> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let format = format(variable(FORMAT_VARIABLE), io::stderr().is_terminal(), variable("NO_COLOR").is_some())?;
    let filter = filter(variable(FILTER_VARIABLE), variable("RUST_LOG"))?;
    tracing::subscriber::set_global_default(subscriber(format, filter, io::stderr)).map_err(LogError::Twice)
}

fn format(word: Option<String>, terminal: bool, no_color: bool) -> Result<Format, LogError> {
    match word.as_deref() {
        Some("json") => Ok(Format::Json),
        None | Some("text") if terminal => Ok(Format::Human { colours: !no_color }),
        None | Some("text") => Ok(Format::Plain),
        Some(other) => Err(LogError::Format(other.to_owned())),
    }
}

fn filter(ours: Option<String>, rusts: Option<String>) -> Result<EnvFilter, LogError> {
    let (variable, value) = match (ours, rusts) {
        (Some(value), _) => (FILTER_VARIABLE, value),
        (None, Some(value)) => ("RUST_LOG", value),
        (None, None) => (FILTER_VARIABLE, DEFAULT_FILTER.to_owned()),
    };
    EnvFilter::try_new(&value).map_err(|source| LogError::Filter { variable, value, source })
}

fn subscriber<W>(format: Format, filter: EnvFilter, writer: W) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        Format::Human { colours } => {
            Box::new(builder.with_ansi(colours).with_target(false).with_timer(ClockTime).finish())
        }
        Format::Plain => Box::new(builder.with_ansi(false).finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).finish()),
    }
}

/// The time of day in UTC, to the millisecond: on a terminal the date is known.
struct ClockTime;

impl FormatTime for ClockTime {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        w.write_str(&clock(since_epoch.as_millis()))
    }
}

fn clock(unix_millis: u128) -> String {
    let (seconds, millis) = (unix_millis / 1000 % 86_400, unix_millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lines;

    fn written(format: Format) -> String {
        let lines = Lines::default();
        let subscriber = subscriber(format, filter(None, None).unwrap(), lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(service = "api", "service is up");
            tracing::debug!("too fine for the default");
        });
        lines.text()
    }

    #[test]
    fn json_is_one_object_per_line_with_the_fields_on_top() {
        let text = written(Format::Json);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["service"], &line["message"]), (&"api".into(), &"service is up".into()), "{text}");
    }

    #[test]
    fn plain_text_has_no_colours_and_a_terminal_without_no_color_has() {
        let plain = written(Format::Plain);
        assert!(plain.ends_with("service is up service=\"api\"\n") && !plain.contains('\u{1b}'), "{plain}");
        assert!(written(Format::Human { colours: true }).contains('\u{1b}'));
    }

    #[test]
    fn the_environment_decides_the_format() {
        let chosen = |word: Option<&str>, terminal, no_color| format(word.map(Into::into), terminal, no_color).unwrap();
        assert_eq!(chosen(None, false, false), Format::Plain);
        assert_eq!(chosen(None, true, false), Format::Human { colours: true });
        assert_eq!(chosen(Some("text"), true, true), Format::Human { colours: false });
        assert_eq!(chosen(Some("json"), true, false), Format::Json);
        let refused = format(Some("yaml".into()), false, false).unwrap_err().to_string();
        assert_eq!(refused, "DIXMGR_LOG_FORMAT=`yaml` is not a log format; use `text` or `json`");
    }

    #[test]
    fn our_filter_wins_and_a_bad_one_names_its_variable() {
        assert_eq!(filter(Some("debug".into()), Some("warn".into())).unwrap().to_string(), "debug");
        assert_eq!(filter(None, Some("warn".into())).unwrap().to_string(), "warn");
        let refused = filter(None, Some("info,x=loudly".into())).unwrap_err().to_string();
        assert!(refused.starts_with("RUST_LOG=`info,x=loudly` is not a log filter"), "{refused}");
    }

    #[test]
    fn the_clock_is_the_time_of_day() {
        assert_eq!(clock(0), "00:00:00.000Z");
        assert_eq!(clock((86_400 + 13 * 3600 + 5 * 60 + 9) * 1000 + 42), "13:05:09.042Z");
    }
}
