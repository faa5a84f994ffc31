//! Mail: one message for each note, to each recipient once.
//!
//! A server may take some recipients and put off others (a full mailbox, greylisting). Those that were taken have the
//! note at once and are remembered by its id, so that the next try goes to the others only. What is remembered is lost with
//! the process: then they get the same message again, with the same `Message-ID`.

mod address;
mod dialogue;
mod message;
mod smtp;

pub use smtp::MailTls;

use crate::answer::{refused, retry, sent};
use crate::config::{ConfigError, at};
use crate::net::Net;
use crate::say::Said;
use crate::secret::Secret;
use address::Address;
use dialogue::Failure;
use dixmgr_contract::Delivery;
use smtp::{Letter, Outcome, Server};
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use tracing::warn;

/// A server is not to be asked for more in one go.
const MAX_RECIPIENTS: usize = 50;
/// Notes whose recipients are remembered.
const MAX_REMEMBERED: usize = 256;
/// TLS from the start (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// A mail server, a sender and recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmailConfig {
    /// The mail server: a name or an address.
    pub smtp_host: String,
    /// Its port; 0 is 587.
    pub smtp_port: u16,
    /// How the dialogue is kept private; absent: TLS from the start on port 465, else STARTTLS, without which nothing is
    /// sent.
    pub tls: Option<MailTls>,
    /// The user at the server.
    pub username: Option<String>,
    /// The user's password. It is sent by TLS only, or to this host.
    pub password: Option<Secret>,
    /// The sender.
    pub from: String,
    /// The recipients, 1 to 50.
    pub to: Vec<String>,
    /// What we call ourselves to the server; absent: this host's name.
    pub helo: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Email {
    server: Server,
    from: Address,
    to: Vec<Address>,
    /// Who has which note.
    done: Mutex<VecDeque<(String, BTreeSet<usize>)>>,
}

impl Email {
    pub(crate) fn new(config: &EmailConfig) -> Result<Self, ConfigError> {
        let from = Address::parse(&config.from).map_err(at("from"))?;
        let to: Result<Vec<Address>, String> = config.to.iter().map(|to| Address::parse(to)).collect();
        let to = to.map_err(at("to"))?;
        if !(1..=MAX_RECIPIENTS).contains(&to.len()) {
            return Err(ConfigError::new(
                "to",
                format!("has {} recipients; 1 to {MAX_RECIPIENTS} are allowed", to.len()),
            ));
        }
        Ok(Self { server: server(config)?, from, to, done: Mutex::default() })
    }

    pub(crate) async fn send(&self, net: &Net, said: &Said) -> Delivery {
        let done = self.remembered(&said.note.id);
        let open: Vec<(usize, &Address)> =
            self.to.iter().enumerate().filter(|(index, _)| !done.contains(index)).collect();
        if open.is_empty() {
            return sent("");
        }
        let text = message::message(said, &self.from, &self.to);
        let letter = Letter { from: &self.from, to: open, text: &text };
        match self.server.deliver(net.tls.clone(), &letter).await {
            Ok(outcome) => self.judge(said, &outcome, !done.is_empty()),
            Err(Failure::Again(why)) => retry(why),
            Err(Failure::Final(why)) => refused(why),
        }
    }

    fn judge(&self, said: &Said, outcome: &Outcome, had_some: bool) -> Delivery {
        self.remember(&said.note.id, &outcome.accepted);
        let (name, all) = (self.server.name(), self.to.len());
        if let Some((_, code)) = outcome.later.first() {
            return retry(format!("{name} puts off {} of {all} recipients: {code}", outcome.later.len()));
        }
        let Some((_, code)) = outcome.refused.first() else { return sent("") };
        let why = format!("{name} refuses {} of {all} recipients: {code}", outcome.refused.len());
        if outcome.accepted.is_empty() && !had_some {
            return refused(why);
        }
        warn!(incident = said.note.incident, "{why}; the others have the note");
        sent("")
    }

    fn remembered(&self, id: &str) -> BTreeSet<usize> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.iter().find(|(known, _)| known == id).map(|(_, who)| who.clone()).unwrap_or_default()
    }

    fn remember(&self, id: &str, who: &[usize]) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        match done.iter_mut().find(|(known, _)| known == id) {
            Some((_, known)) => known.extend(who),
            None => done.push_back((id.to_owned(), who.iter().copied().collect())),
        }
        if done.len() > MAX_REMEMBERED {
            done.pop_front();
        }
    }
}

fn server(config: &EmailConfig) -> Result<Server, ConfigError> {
    let host = config.smtp_host.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if host.is_empty() || host.len() > 255 || !host.chars().all(is_host) {
        return Err(ConfigError::new("smtp_host", "is not the name of a host; write it as `mail.example.org`"));
    }
    let port = if config.smtp_port == 0 { 587 } else { config.smtp_port };
    let usual = if port == SUBMISSIONS { MailTls::Tls } else { MailTls::Starttls };
    let tls = config.tls.unwrap_or(usual);
    let login = match (&config.username, &config.password) {
        (Some(user), Some(password)) => {
            // A zero is what stands between them on the wire.
            let is_text = |text: &str| !text.is_empty() && !text.contains(char::is_control);
            if !is_text(user) || !is_text(password.expose()) {
                return Err(ConfigError::new("password", "or username is empty, or holds a line end or the like"));
            }
            Some((user.clone(), password.clone()))
        }
        (None, None) => None,
        (Some(_), None) => return Err(ConfigError::new("password", "is missing; username is given")),
        (None, Some(_)) => return Err(ConfigError::new("username", "is missing; password is given")),
    };
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if tls == MailTls::None && !is_here && login.is_some() {
        let why =
            "would send the password in clear text; use \"starttls\" or \"tls\", or leave out username and password";
        return Err(ConfigError::new("tls", why));
    }
    let helo = config.helo.clone().unwrap_or_else(own_name);
    if !is_name(&helo) {
        return Err(ConfigError::new("helo", "is not the name of a host"));
    }
    Ok(Server { host, port, tls, login, helo })
}

fn own_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if is_name(&name) { name } else { "localhost".to_owned() }
}

fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.[]:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::note;

    fn config() -> EmailConfig {
        EmailConfig {
            smtp_host: "mail.example.org".into(),
            from: "dixmgr@example.org".into(),
            to: vec!["ops@example.org".into(), "boss@example.org".into()],
            ..EmailConfig::default()
        }
    }

    #[test]
    fn tls_is_required_unless_it_is_said_otherwise() {
        let tls = |port, tls| server(&EmailConfig { smtp_port: port, tls, ..config() }).unwrap().tls;
        assert_eq!(tls(0, None), MailTls::Starttls);
        assert_eq!(tls(25, None), MailTls::Starttls);
        assert_eq!(tls(465, None), MailTls::Tls);
        assert_eq!(tls(465, Some(MailTls::Starttls)), MailTls::Starttls);
        assert_eq!(tls(25, Some(MailTls::None)), MailTls::None);
    }

    #[test]
    fn what_cannot_work_is_said_at_the_start() {
        let login = |config| EmailConfig { username: Some("u".into()), password: Some(Secret::new("hush")), ..config };
        for (config, key) in [
            (EmailConfig { smtp_host: "a b".into(), ..config() }, "smtp_host"),
            (EmailConfig { smtp_host: String::new(), ..config() }, "smtp_host"),
            (EmailConfig { from: "x".into(), ..config() }, "from"),
            (EmailConfig { to: vec![], ..config() }, "to"),
            (EmailConfig { to: vec!["a@b\r\nDATA".into()], ..config() }, "to"),
            (EmailConfig { to: vec!["a@b".into(); 51], ..config() }, "to"),
            (EmailConfig { username: Some("u".into()), ..config() }, "password"),
            (EmailConfig { password: Some(Secret::new("hush")), ..config() }, "username"),
            (EmailConfig { helo: Some("x\r\nRSET".into()), ..config() }, "helo"),
            (EmailConfig { username: Some("u\0".into()), ..login(config()) }, "password"),
            (EmailConfig { password: Some(Secret::new("hush\n")), ..login(config()) }, "password"),
            (login(EmailConfig { tls: Some(MailTls::None), ..config() }), "tls"),
        ] {
            let error = Email::new(&config).unwrap_err();
            assert_eq!(error.key, key);
            assert!(!format!("{error} {config:?}").contains("hush"));
        }
        let here = EmailConfig { smtp_host: "127.0.0.1".into(), tls: Some(MailTls::None), ..config() };
        assert!(!format!("{:?}", Email::new(&login(here)).unwrap()).contains("hush"));
    }

    #[test]
    fn each_recipient_has_its_own_fate() {
        let said = Said::of(&note());
        let judge = |outcome: &Outcome, had_some| Email::new(&config()).unwrap().judge(&said, outcome, had_some);
        let code = || vec![(1, "550 (5.1.1)".to_owned())];
        let both = Outcome { accepted: vec![0, 1], ..Outcome::default() };
        assert_eq!(judge(&both, false), sent(""));
        let later = Outcome { accepted: vec![0], later: code(), ..Outcome::default() };
        assert_eq!(judge(&later, false), retry("mail.example.org:587 puts off 1 of 2 recipients: 550 (5.1.1)"));
        let some = Outcome { accepted: vec![0], refused: code(), ..Outcome::default() };
        assert_eq!(judge(&some, false), sent(""));
        let none = Outcome { refused: code(), ..Outcome::default() };
        assert_eq!(judge(&none, true), sent(""));
        assert_eq!(judge(&none, false), refused("mail.example.org:587 refuses 1 of 2 recipients: 550 (5.1.1)"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let email = Email::new(&config()).unwrap();
        for number in 0..1_000 {
            email.remember(&number.to_string(), &[0]);
        }
        assert_eq!(email.done.lock().unwrap().len(), MAX_REMEMBERED);
        email.remember("999", &[1]);
        assert_eq!(email.remembered("999"), BTreeSet::from([0, 1]));
    }
}
