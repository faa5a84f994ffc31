//! Mail to a server that others wrote (aiosmtpd), over TLS and with a password: what the scripted one takes for granted.

use crate::tls::{authority, leaf, trusting};
use crate::{LONG, assert_refused, note, sent, with};
use dixmgr_notify::{EmailConfig, MailTls, Secret, Settings};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::NamedTempFile;

/// Debian's, for which `python3-aiosmtpd` is.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/smtp.py");

/// The server. It ends with its standard input.
struct Mailbox {
    process: Child,
    says: BufReader<ChildStdout>,
    port: u16,
}

impl Mailbox {
    /// Starts one with this certificate and its key, as PEM.
    fn start((certificate, key): (String, String), more: &[&str]) -> Self {
        let files = [certificate, key].map(|pem| {
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(pem.as_bytes()).unwrap();
            file
        });
        let mut command = Command::new(PYTHON);
        command.arg(SCRIPT).args(files.iter().map(NamedTempFile::path)).args(["me", "hush"]).args(more);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        let mut mailbox = Self { process, says, port: 0 };
        let port = mailbox.next()["port"].as_u64().expect("its port");
        Self { port: u16::try_from(port).unwrap(), ..mailbox }
    }

    /// What it says next.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_default()
    }

    fn config(&self, tls: MailTls, password: &str) -> EmailConfig {
        EmailConfig {
            smtp_host: "localhost".into(),
            smtp_port: self.port,
            tls: Some(tls),
            username: Some("me".into()),
            password: Some(Secret::new(password)),
            from: "dixmgr <dixmgr@example.org>".into(),
            to: vec!["ops@example.org".into(), "boss@example.org".into()],
            helo: Some("alpha.example.org".into()),
        }
    }

    /// It has ended by itself when its input is closed.
    fn stop(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

/// Whether there is such a server; absent, that is said loudly, and in CI it is a failure.
fn is_there() -> bool {
    let found = Command::new(PYTHON).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "mail needs python3-aiosmtpd");
        // Past the test harness, which would swallow it.
        let _ = writeln!(std::io::stderr(), "\n*** SKIPPED: mail to a real server needs python3-aiosmtpd ***");
    }
    is_there
}

async fn takes_a_mail(tls: MailTls, more: &[&str]) {
    if !is_there() {
        return;
    }
    let authority = authority();
    let mut mailbox = Mailbox::start(leaf("localhost", &authority).pem(), more);
    let channel = with(Settings::Email(mailbox.config(tls, "hush")), &trusting(&authority));
    assert_eq!(channel.deliver(&note(), "", LONG).await, sent(""));
    let mail = mailbox.next();
    assert_eq!((&mail["tls"], &mail["login"]), (&Value::Bool(true), &"me".into()), "{mail}");
    assert_eq!(mail["from"], "dixmgr@example.org");
    assert_eq!(mail["to"], serde_json::json!(["ops@example.org", "boss@example.org"]));
    assert_eq!(mail["headers"]["Subject"], "[CRITICAL] api is down");
    assert_eq!(mail["defects"], serde_json::json!([]), "a mail program has nothing to say against it");
    for part in ["plain", "html"] {
        assert!(mail[part].as_str().unwrap().contains("It was killed by signal 9."), "{mail}");
    }
    mailbox.stop();
}

#[tokio::test]
async fn a_real_server_takes_a_mail_after_starttls_and_a_login() {
    takes_a_mail(MailTls::Starttls, &[]).await;
}

#[tokio::test]
async fn a_real_server_takes_a_mail_over_tls_from_the_start() {
    takes_a_mail(MailTls::Tls, &["implicit"]).await;
}

#[tokio::test]
async fn a_real_server_refuses_a_wrong_password() {
    if !is_there() {
        return;
    }
    let authority = authority();
    let mailbox = Mailbox::start(leaf("localhost", &authority).pem(), &[]);
    let config = mailbox.config(MailTls::Starttls, "hush-hush");
    let delivery = with(Settings::Email(config), &trusting(&authority)).deliver(&note(), "", LONG).await;
    assert_refused(&delivery, "535");
    mailbox.stop();
}
