//! A small mail server on loopback that says what it is told to say, and keeps what it heard.

use crate::channel;
use dixmgr_notify::{Channel, EmailConfig, MailTls, Settings};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// What the server says to a command, if not what it usually says. Empty: it hangs up.
type Script = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    accepting: AbortHandle,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::with(script, None, false).await
    }

    /// With a certificate it offers STARTTLS, or is TLS from the start.
    pub(crate) async fn with(
        script: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
        from_the_start: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (script, told): (Script, _) = (Arc::new(script), heard.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, script.clone(), told.clone(), tls.clone(), from_the_start));
            }
        });
        Self { port, heard, accepting: accepting.abort_handle() }
    }

    /// Every command and every line of a message so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        self.heard().iter().filter(|line| line.starts_with(start)).count()
    }

    pub(crate) fn config(&self) -> EmailConfig {
        EmailConfig {
            smtp_host: "localhost".into(),
            smtp_port: self.port,
            tls: Some(MailTls::None),
            from: "dixmgr <dixmgr@example.org>".into(),
            to: vec!["ops@example.org".into(), "boss@example.org".into()],
            helo: Some("alpha.example.org".into()),
            ..EmailConfig::default()
        }
    }

    pub(crate) fn channel(&self) -> Channel {
        channel(Settings::Email(self.config()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    stream: TcpStream,
    script: Script,
    heard: Arc<Mutex<Vec<String>>>,
    tls: Option<TlsAcceptor>,
    from_the_start: bool,
) {
    let mut reader = BufReader::new(stream);
    if !from_the_start && !talk(&mut reader, &script, &heard, tls.is_some(), true).await {
        return;
    }
    if let Some(tls) = tls
        && let Ok(stream) = tls.accept(reader.into_inner()).await
    {
        heard.lock().unwrap().push("(TLS)".to_owned());
        talk(&mut BufReader::new(stream), &script, &heard, false, from_the_start).await;
    }
}

/// True if it goes on with TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    heard: &Mutex<Vec<String>>,
    offers_tls: bool,
    greets: bool,
) -> bool {
    let mut next = if greets { script("").or(Some("220 mail.example.org ESMTP\r\n".into())) } else { None };
    let mut is_message = false;
    loop {
        if let Some(reply) = next.take()
            && (reply.is_empty() || stream.write_all(reply.as_bytes()).await.is_err())
        {
            return false;
        }
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
            return false;
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        heard.lock().unwrap().push(line.clone());
        if is_message && line != "." {
            continue;
        }
        let scripted = script(&line);
        is_message = line == "DATA" && scripted.is_none();
        if line == "STARTTLS" && offers_tls && scripted.is_none() {
            return stream.write_all(b"220 2.0.0 go on\r\n").await.is_ok();
        }
        next = Some(scripted.unwrap_or_else(|| usual(&line, offers_tls)));
        if line == "QUIT" {
            let _ = stream.write_all(next.take().unwrap().as_bytes()).await;
            return false;
        }
    }
}

fn usual(line: &str, offers_tls: bool) -> String {
    let tls = if offers_tls { "250-STARTTLS\r\n" } else { "" };
    match line.split(' ').next().unwrap() {
        "EHLO" => format!("250-mail.example.org\r\n{tls}250-8BITMIME\r\n250 AUTH LOGIN PLAIN\r\n"),
        "AUTH" => "235 2.7.0 welcome\r\n".into(),
        "DATA" => "354 go on\r\n".into(),
        "QUIT" => "221 2.0.0 bye\r\n".into(),
        _ => "250 2.0.0 ok\r\n".into(),
    }
}

/// A script that answers `reply` to what begins with `start`.
pub(crate) fn to(start: &'static str, reply: &'static str) -> impl Fn(&str) -> Option<String> + Send + Sync {
    move |line| (line.starts_with(start) && line.is_empty() == start.is_empty()).then(|| reply.to_owned())
}
