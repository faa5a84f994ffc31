//! The log channel: one line for each note, at the level of how bad it is.

use crate::{LONG, channel, note, resolved, sent};
use dixmgr_contract::Severity;
use dixmgr_notify::Settings;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_note_is_a_line_at_its_level() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let log = channel(Settings::Log);
    let mut warning = note();
    (warning.severity, warning.title) = (Severity::Warning, "a\nb\u{1b}[31m".into());
    for note in [note(), warning, resolved()] {
        assert_eq!(log.deliver(&note, "", LONG).await, sent(""));
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, level, title) in [
        (lines[0], "ERROR", "[CRITICAL] api is down"),
        (lines[1], "WARN", "[WARNING] a b [31m"),
        (lines[2], "INFO", "[RESOLVED] After 1m40s: api is down"),
    ] {
        assert!(line.contains(level) && line.contains(title) && line.contains("service_down.api"), "{line}");
    }
}
