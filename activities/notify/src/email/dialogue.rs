//! Commands and replies: one line there, some lines back.
//!
//! A reply is a code of three digits and a text (RFC 5321, section 4.2); the text may begin with a code in three parts
//! (RFC 3463), which says more and is shown. The text itself is not.

use crate::text::line;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest reply that is read, in bytes. RFC 5321 allows lines of 512; a greeting may have dozens.
const MAX_REPLY: usize = 16 << 10;

/// Why it came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may be tried again.
    Again(String),
    /// It is of no use.
    Final(String),
}

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// 200 to 599.
    pub(crate) code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// True if the server offers the extension.
    pub(crate) fn has(&self, extension: &str) -> bool {
        self.of(extension).is_some()
    }

    /// What stands behind the extension, if the server offers it.
    pub(crate) fn of(&self, extension: &str) -> Option<String> {
        self.lines.iter().skip(1).find_map(|line| {
            // `AUTH=LOGIN` is how some old servers write it.
            let (name, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            name.eq_ignore_ascii_case(extension).then(|| rest.to_owned())
        })
    }

    /// `550 (5.1.1)`.
    pub(crate) fn shown(&self) -> String {
        let text = self.lines.first().map(String::as_str).unwrap_or_default();
        let word = text.split(' ').next().unwrap_or_default();
        let parts: Vec<&str> = word.split('.').collect();
        let is_part = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() == 3 && parts.iter().all(is_part) {
            format!("{} ({word})", self.code)
        } else {
            self.code.to_string()
        }
    }
}

/// Both halves.
#[derive(Debug)]
pub(crate) struct Dialogue<S> {
    stream: S,
    /// Read and not yet looked at.
    unread: Vec<u8>,
    /// `host:port`.
    name: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(crate) const fn new(stream: S, name: String) -> Self {
        Self { stream, unread: Vec::new(), name }
    }

    /// What the server begins with.
    pub(crate) async fn greeting(&mut self) -> Result<(), Failure> {
        let reply = self.reply().await?;
        if reply.code == 220 { Ok(()) } else { Err(self.failure("the connection", &reply)) }
    }

    /// Says `command`; a reply with another code than these is a failure, told as the one to `step`.
    pub(crate) async fn say(&mut self, step: &str, command: &str, good: &[u16]) -> Result<Reply, Failure> {
        let reply = self.ask(command).await?;
        if good.contains(&reply.code) { Ok(reply) } else { Err(self.failure(step, &reply)) }
    }

    /// Says `command`, whatever the reply.
    pub(crate) async fn ask(&mut self, command: &str) -> Result<Reply, Failure> {
        let said = format!("{command}\r\n");
        let written = async {
            self.stream.write_all(said.as_bytes()).await?;
            self.stream.flush().await
        };
        match written.await {
            Ok(()) => self.reply().await,
            // It may have said why before it went.
            Err(error) => match self.reply().await {
                Ok(reply) if reply.code >= 400 => Ok(reply),
                _ => Err(self.broken(&error.to_string())),
            },
        }
    }

    /// What a reply that nobody wanted means.
    pub(crate) fn failure(&self, step: &str, reply: &Reply) -> Failure {
        let why = format!("{} answered {} to {step}", self.name, reply.shown());
        if (500..600).contains(&reply.code) { Failure::Final(why) } else { Failure::Again(why) }
    }

    /// The stream, to go on in another way.
    ///
    /// # Errors
    /// There are words already that nobody asked for: in clear text, from whoever is in between (CVE-2011-0411).
    pub(crate) fn into_stream(self) -> Result<S, Failure> {
        if self.unread.is_empty() {
            return Ok(self.stream);
        }
        Err(Failure::Again(format!("{} went on in clear text after STARTTLS", self.name)))
    }

    async fn reply(&mut self) -> Result<Reply, Failure> {
        loop {
            match take(&mut self.unread) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(why) => return Err(self.broken(why)),
            }
            if self.unread.len() > MAX_REPLY {
                return Err(self.broken("its reply is endless"));
            }
            let mut chunk = [0; 2048];
            match self.stream.read(&mut chunk).await {
                Ok(0) => return Err(self.broken("it hung up")),
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                Err(error) => return Err(self.broken(&error.to_string())),
            }
        }
    }

    fn broken(&self, why: &str) -> Failure {
        Failure::Again(format!("the dialogue with {} broke off: {}", self.name, line(why, 100)))
    }
}

/// Takes a whole reply out of `unread`, if there is one.
fn take(unread: &mut Vec<u8>) -> Result<Option<Reply>, &'static str> {
    let (mut lines, mut start) = (Vec::new(), 0);
    while let Some(length) = unread[start..].iter().position(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(&unread[start..start + length]);
        let text = text.trim_end_matches('\r');
        start += length + 1;
        let (code, rest) = text.split_at_checked(3).ok_or("it does not speak SMTP")?;
        let is_code = code.bytes().all(|byte| byte.is_ascii_digit());
        let code = code.parse::<u16>().ok().filter(|code| is_code && (200..600).contains(code));
        let code = code.ok_or("it does not speak SMTP")?;
        let goes_on = rest.starts_with('-');
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if !goes_on {
            unread.drain(..start);
            return Ok(Some(Reply { code, lines }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Option<Reply>, &'static str> {
        take(&mut text.as_bytes().to_vec())
    }

    #[test]
    fn a_reply_has_one_line_or_some() {
        let reply =
            read("250-mail.example.org\r\n250-STARTTLS\r\n250-auth PLAIN LOGIN\r\n250 HELP\r\n").unwrap().unwrap();
        assert_eq!((reply.code, reply.has("STARTTLS"), reply.has("SIZE")), (250, true, false));
        assert_eq!(reply.of("AUTH").as_deref(), Some("PLAIN LOGIN"));
        assert_eq!(read("250-a\r\n250-b\r\n"), Ok(None));
        assert_eq!(read("250").map(|reply| reply.is_none()), Ok(true));
        let mut two = b"220 a\r\n250 b\n".to_vec();
        assert_eq!(take(&mut two).unwrap().unwrap().code, 220);
        assert_eq!(take(&mut two).unwrap().unwrap().code, 250);
        assert!(two.is_empty());
    }

    #[test]
    fn what_is_no_smtp_is_said_to_be_none() {
        for text in ["HTTP/1.1 400 Bad Request\r\n", "\r\n", "25\r\n", "+25 x\r\n", "999 x\r\n", "25é\r\n", "199 x\n"]
        {
            assert_eq!(read(text), Err("it does not speak SMTP"), "{text:?}");
        }
    }

    #[test]
    fn only_codes_are_shown() {
        let shown = |text: &str| read(text).unwrap().unwrap().shown();
        assert_eq!(shown("550 5.1.1 <hush@h> unknown\r\n"), "550 (5.1.1)");
        assert_eq!(shown("535 hush.hush.hush\r\n"), "535");
        assert_eq!(shown("535 5.7.8888 x\r\n"), "535");
        assert_eq!(shown("421\r\n"), "421");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_reply_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut unread = bytes.clone();
            if let Ok(None) = take(&mut unread) {
                prop_assert_eq!(unread, bytes);
            }
        }
    }
}
