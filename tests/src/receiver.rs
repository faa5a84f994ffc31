//! The other end of a webhook, as a unit of the sandbox.

use crate::sandbox::FOLDER;
use crate::{Host, wait_for, wait_until};
use serde_json::Value;
use std::net::TcpStream;
use std::path::PathBuf;

/// The secret that notes are signed with.
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PORT: u16 = 8090;
/// What it asks for with a 429, in seconds: more than the first wait is without that.
pub const RETRY_AFTER: f64 = 7.0;

/// A receiver that checks signatures and honours the idempotency key.
#[derive(Debug)]
pub struct Receiver {
    folder: PathBuf,
}

impl Receiver {
    /// Starts one, which accepts.
    #[track_caller]
    pub fn start(host: &Host) -> Self {
        let folder = PathBuf::from(FOLDER).join("receiver");
        std::fs::create_dir_all(&folder).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/receiver.py");
        let command = format!("ExecStart=python3 {script} {PORT} {} {SIGNING} {RETRY_AFTER}", folder.display());
        host.install([("receiver.service", command.as_str())]);
        host.start(&["receiver"]);
        wait_until("the receiver listens", || TcpStream::connect(("127.0.0.1", PORT)).is_ok());
        Self { folder }
    }

    /// Where it listens.
    pub fn url() -> String {
        format!("http://127.0.0.1:{PORT}/in")
    }

    /// The channel `hook` of a configuration.
    pub fn channel() -> String {
        format!(
            "[[alerts.channels]]\ntype = \"webhook\"\nname = \"hook\"\nurl = \"{}\"\nsecrets = [\"{SIGNING}\"]\n",
            Self::url()
        )
    }

    /// How it answers from now on: `ok`, a status, `reset`, `hang`, `mute` or `busy`, and behind that the channel that this is for.
    pub fn answers(&self, mode: &str) {
        let next = self.folder.join("mode.next");
        std::fs::write(&next, mode).unwrap();
        std::fs::rename(next, self.folder.join("mode")).unwrap();
    }

    /// What it has accepted, each note once.
    pub fn inbox(&self) -> Vec<Value> {
        self.lines("inbox")
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        // The last line may be half written.
        text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The notes about an incident: `kind` and title of each.
    pub fn told(&self, incident: &str) -> Vec<(String, String)> {
        let text = |note: &Value, key: &str| note[key].as_str().unwrap_or_default().to_owned();
        self.about(incident).iter().map(|note| (text(note, "kind"), text(note, "message"))).collect()
    }

    /// The notes about an incident.
    pub fn about(&self, incident: &str) -> Vec<Value> {
        let of = |note: &Value| note["incident_id"].as_str().is_some_and(|id| id.starts_with(&format!("{incident}-")));
        self.inbox().into_iter().filter(of).collect()
    }

    /// Each try: `id` of the note, `mode` of answering, and when it came (`at`, in seconds).
    pub fn tried(&self) -> Vec<Value> {
        self.lines("tries")
    }

    /// How often it was tried.
    pub fn tries(&self) -> usize {
        self.tried().len()
    }

    /// Waits for a note of this kind about an incident; it is the answer.
    #[track_caller]
    pub fn wait(&self, incident: &str, kind: &str) -> Value {
        let is_it = |note: &Value| note["kind"] == kind;
        wait_for(&format!("{incident} is told: {kind}"), || self.about(incident).into_iter().find(is_it))
    }
}
