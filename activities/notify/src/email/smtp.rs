//! One message to one mail server: the client's half of SMTP (RFC 5321, 3207, 4954), bounded in size by itself and in time
//! by the caller.
//!
//! What was accepted stays accepted: after the last `250` nothing that goes wrong makes a failure of it. Each recipient is
//! judged on its own. Nothing that a server says is repeated but its codes: it has just been told a password.

use super::address::Address;
use super::dialogue::{Dialogue, Failure};
use crate::net::CONNECT_TIMEOUT;
use crate::secret::Secret;
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long the goodbye may take, which nobody waits for.
const FAREWELL: Duration = Duration::from_millis(500);

/// How the dialogue is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// It begins in clear text and must become TLS before anything is said (port 587).
    Starttls,
    /// It is TLS from the start (port 465).
    Tls,
    /// It stays in clear text: for a server on this host.
    None,
}

/// A mail server, and who we are to it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: MailTls,
    pub(crate) login: Option<(String, Secret)>,
    /// What we call ourselves.
    pub(crate) helo: String,
}

/// What became of each recipient, by its place in the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Has it.
    pub(crate) accepted: Vec<usize>,
    /// May be tried again; with the server's code.
    pub(crate) later: Vec<(usize, String)>,
    /// Will never have it; with the server's code.
    pub(crate) refused: Vec<(usize, String)>,
}

/// A message and whom it is for.
pub(crate) struct Letter<'a> {
    pub(crate) from: &'a Address,
    /// With their places in the list.
    pub(crate) to: Vec<(usize, &'a Address)>,
    /// With CRLF line ends.
    pub(crate) text: &'a str,
}

impl Server {
    /// `host:port`, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) async fn deliver(&self, tls: Arc<ClientConfig>, letter: &Letter<'_>) -> Result<Outcome, Failure> {
        let name = self.name();
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Failure::Again(format!("cannot connect to {name}: {error}"))),
            Err(_) => {
                return Err(Failure::Again(format!(
                    "cannot connect to {name}: no connection within {CONNECT_TIMEOUT:?}"
                )));
            }
        };
        match self.tls {
            MailTls::None => {
                let mut dialogue = Dialogue::new(stream, name);
                dialogue.greeting().await?;
                self.speak(dialogue, letter).await
            }
            MailTls::Tls => {
                let mut dialogue = Dialogue::new(self.shake_hands(tls, stream).await?, name);
                dialogue.greeting().await?;
                self.speak(dialogue, letter).await
            }
            MailTls::Starttls => {
                let mut dialogue = Dialogue::new(stream, name.clone());
                dialogue.greeting().await?;
                let stream = self.start_tls(dialogue).await?;
                self.speak(Dialogue::new(self.shake_hands(tls, stream).await?, name), letter).await
            }
        }
    }

    async fn start_tls(&self, mut dialogue: Dialogue<TcpStream>) -> Result<TcpStream, Failure> {
        let offers = dialogue.say("EHLO", &format!("EHLO {}", self.helo), &[250]).await?;
        if !offers.has("STARTTLS") {
            let name = self.name();
            return Err(Failure::Final(format!(
                "{name} offers no STARTTLS; set tls = \"tls\" if it is TLS from the start"
            )));
        }
        dialogue.say("STARTTLS", "STARTTLS", &[220]).await?;
        dialogue.into_stream()
    }

    async fn shake_hands(&self, tls: Arc<ClientConfig>, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| Failure::Final(format!("TLS with {}: the host has no valid name", self.name())))?;
        let connected = TlsConnector::from(tls).connect(name, stream).await;
        connected.map_err(|error| {
            let why = crate::text::line(&error.to_string(), 120);
            Failure::Again(format!("TLS with {}: {why}", self.name()))
        })
    }

    /// Everything after the greeting and TLS.
    async fn speak<S>(&self, mut dialogue: Dialogue<S>, letter: &Letter<'_>) -> Result<Outcome, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let offers = dialogue.say("EHLO", &format!("EHLO {}", self.helo), &[250]).await?;
        if let Some((user, password)) = &self.login {
            let name = self.name();
            let mechanisms = offers.of("AUTH").unwrap_or_default();
            log_in(&mut dialogue, &name, &mechanisms, user, password.expose()).await?;
        }
        dialogue.say("MAIL FROM", &format!("MAIL FROM:<{}>", letter.from), &[250]).await?;
        let mut outcome = Outcome::default();
        for (index, address) in &letter.to {
            let reply = dialogue.ask(&format!("RCPT TO:<{address}>")).await?;
            match reply.code {
                250..=252 => outcome.accepted.push(*index),
                421 => return Err(dialogue.failure("RCPT TO", &reply)),
                500..=599 => outcome.refused.push((*index, reply.shown())),
                _ => outcome.later.push((*index, reply.shown())),
            }
        }
        if !outcome.accepted.is_empty() {
            dialogue.say("DATA", "DATA", &[354]).await?;
            dialogue.say("the message", &stuffed(letter.text), &[250]).await?;
        }
        // Whatever becomes of this: the server has what it took.
        let _ = timeout(FAREWELL, dialogue.ask("QUIT")).await;
        Ok(outcome)
    }
}

/// With the dot that ends it, but for the line end that follows each command (RFC 5321, section 4.5.2).
fn stuffed(text: &str) -> String {
    let text = text.replace("\r\n.", "\r\n..");
    let first = if text.starts_with('.') { "." } else { "" };
    let last = if text.ends_with("\r\n") { "" } else { "\r\n" };
    format!("{first}{text}{last}.")
}

async fn log_in<S>(
    dialogue: &mut Dialogue<S>,
    name: &str,
    mechanisms: &str,
    user: &str,
    password: &str,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let has = |wanted: &str| mechanisms.split(' ').any(|mechanism| mechanism.eq_ignore_ascii_case(wanted));
    if has("PLAIN") {
        let token = STANDARD.encode(format!("\0{user}\0{password}"));
        dialogue.say("AUTH", &format!("AUTH PLAIN {token}"), &[235]).await?;
    } else if has("LOGIN") {
        dialogue.say("AUTH", "AUTH LOGIN", &[334]).await?;
        dialogue.say("AUTH", &STANDARD.encode(user), &[334]).await?;
        dialogue.say("AUTH", &STANDARD.encode(password), &[235]).await?;
    } else {
        let why = "it takes a password neither by PLAIN nor by LOGIN; leave out username, or ask whoever runs it";
        return Err(Failure::Final(format!("{name}: {why}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_dot_at_the_start_of_a_line_does_not_end_the_message() {
        for (text, sent) in [
            ("a\r\nb\r\n", "a\r\nb\r\n."),
            ("a", "a\r\n."),
            (".\r\n.\r\n..x\r\n", "..\r\n..\r\n...x\r\n."),
            ("", "\r\n."),
        ] {
            assert_eq!(stuffed(text), sent, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_stuffed_is_read_back(lines in proptest::collection::vec("[.a]{0,4}", 1..8)) {
            let text = lines.join("\r\n") + "\r\n";
            let sent = stuffed(&text);
            let wire: Vec<&str> = sent.split("\r\n").collect();
            let (dot, body) = wire.split_last().unwrap();
            prop_assert_eq!(*dot, ".");
            prop_assert!(!body.contains(&"."));
            let read: Vec<&str> = body.iter().map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            prop_assert_eq!(read.join("\r\n") + "\r\n", text);
        }
    }
}
