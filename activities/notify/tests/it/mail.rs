//! Mail, as a server sees it: the dialogue, TLS, who has the note, and what codes mean.

use crate::smtp::{Server, to};
use crate::tls::{acceptor, authority, leaf, trusting};
use crate::{LONG, assert_refused, assert_retry, channel, note, resolved, sent, with};
use dixmgr_contract::Delivery;
use dixmgr_notify::{EmailConfig, MailTls, Secret, Settings};
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_note_is_a_whole_dialogue() {
    let server = Server::start(|_| None).await;
    assert_eq!(server.channel().deliver(&note(), "", LONG).await, sent(""));
    let heard = server.heard();
    assert_eq!(
        heard[..5],
        [
            "EHLO alpha.example.org",
            "MAIL FROM:<dixmgr@example.org>",
            "RCPT TO:<ops@example.org>",
            "RCPT TO:<boss@example.org>",
            "DATA"
        ]
    );
    assert!(heard.contains(&"Subject: [CRITICAL] api is down".to_owned()));
    assert!(heard.contains(&"Auto-Submitted: auto-generated".to_owned()));
    assert_eq!(heard[heard.len() - 2..], [".", "QUIT"]);
}

#[tokio::test]
async fn the_notes_of_an_incident_are_a_thread() {
    let server = Server::start(|_| None).await;
    let channel = server.channel();
    channel.deliver(&note(), "", LONG).await;
    channel.deliver(&resolved(), "", LONG).await;
    let of = |name: &str| -> Vec<String> {
        server.heard().into_iter().filter(|line| line.starts_with(name)).collect::<Vec<_>>()
    };
    let (roots, ids) = (of("References: "), of("Message-ID: "));
    assert!(roots.len() == 2 && roots[0] == roots[1]);
    assert!(ids.len() == 2 && ids[0] != ids[1]);
}

#[tokio::test]
async fn a_hostile_note_says_nothing_to_the_server() {
    let server = Server::start(|_| None).await;
    let mut note = note();
    note.title = "x\r\n.\r\nRSET\r\nMAIL FROM:<evil@example.org>".into();
    note.text = ".\n.\r\nQUIT\r\n.".into();
    assert_eq!(server.channel().deliver(&note, "", LONG).await, sent(""));
    assert_eq!((server.count("MAIL FROM"), server.count("RSET"), server.count("QUIT")), (1, 0, 2));
    // One `QUIT` is a line of the text, the other is ours.
    assert_eq!(server.heard().iter().filter(|line| *line == ".").count(), 1);
}

#[tokio::test]
async fn nothing_is_said_before_starttls_and_all_of_it_after() {
    let authority = authority();
    let server = Server::with(|_| None, Some(acceptor(&leaf("localhost", &authority))), false).await;
    let login =
        EmailConfig { tls: None, username: Some("me".into()), password: Some(Secret::new("hush")), ..server.config() };
    let channel = with(Settings::Email(login), &trusting(&authority));
    assert_eq!(channel.deliver(&note(), "", LONG).await, sent(""));
    // "\0me\0hush".
    let start = ["EHLO alpha.example.org", "STARTTLS", "(TLS)", "EHLO alpha.example.org", "AUTH PLAIN AG1lAGh1c2g="];
    assert_eq!(server.heard()[..5], start);
}

#[tokio::test]
async fn tls_from_the_start_is_tls_from_the_start() {
    let authority = authority();
    let server = Server::with(|_| None, Some(acceptor(&leaf("localhost", &authority))), true).await;
    let config = EmailConfig { tls: Some(MailTls::Tls), ..server.config() };
    assert_eq!(with(Settings::Email(config), &trusting(&authority)).deliver(&note(), "", LONG).await, sent(""));
    assert_eq!(server.heard()[0], "(TLS)");
}

#[tokio::test]
async fn a_certificate_of_nobody_or_for_another_is_not_trusted() {
    let (ours, theirs) = (authority(), authority());
    for leaf in [leaf("localhost", &theirs), leaf("other.example.org", &ours)] {
        let server = Server::with(|_| None, Some(acceptor(&leaf)), false).await;
        let config = EmailConfig { tls: Some(MailTls::Starttls), ..server.config() };
        let delivery = with(Settings::Email(config), &trusting(&ours)).deliver(&note(), "", LONG).await;
        assert_retry(&delivery, "TLS with localhost:");
        assert_eq!(server.count("MAIL FROM"), 0);
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let server = Server::start(|_| None).await;
    let config = EmailConfig { tls: Some(MailTls::Starttls), ..server.config() };
    assert_refused(&channel(Settings::Email(config)).deliver(&note(), "", LONG).await, "offers no STARTTLS");
    assert_eq!(server.count("MAIL FROM"), 0);
}

#[tokio::test]
async fn words_in_clear_text_after_starttls_are_not_taken_for_the_servers() {
    let script = |line: &str| match line {
        "EHLO alpha.example.org" => Some("250-mail\r\n250 STARTTLS\r\n".into()),
        "STARTTLS" => Some("220 go on\r\n250-mail\r\n250 AUTH PLAIN\r\n".into()),
        _ => None,
    };
    let server = Server::start(script).await;
    let config = EmailConfig { tls: Some(MailTls::Starttls), ..server.config() };
    let delivery = channel(Settings::Email(config)).deliver(&note(), "", LONG).await;
    assert_retry(&delivery, "went on in clear text after STARTTLS");
}

#[tokio::test]
async fn login_is_the_other_way_to_log_in() {
    let script = |line: &str| match line {
        "EHLO alpha.example.org" => Some("250-mail\r\n250 AUTH=LOGIN\r\n".to_owned()),
        "AUTH LOGIN" | "bWU=" => Some("334 VXNlcm5hbWU6\r\n".into()),
        "aHVzaA==" => Some("235 ok\r\n".into()),
        _ => None,
    };
    let server = Server::start(script).await;
    let config = EmailConfig { username: Some("me".into()), password: Some(Secret::new("hush")), ..server.config() };
    assert_eq!(channel(Settings::Email(config)).deliver(&note(), "", LONG).await, sent(""));
}

#[tokio::test]
async fn codes_say_whether_to_try_again() {
    for (start, reply, again) in [
        ("", "421 4.3.2 hush\r\n", true),
        ("", "554 5.7.1 hush\r\n", false),
        ("EHLO", "421 hush\r\n", true),
        ("EHLO", "550 hush\r\n", false),
        ("AUTH", "454 4.7.0 hush\r\n", true),
        ("AUTH", "535 5.7.8 hush AG1lAGh1c2g=\r\n", false),
        ("MAIL", "451 4.3.0 hush\r\n", true),
        ("MAIL", "553 5.1.8 hush\r\n", false),
        ("RCPT", "450 4.2.0 greylisted, hush\r\n", true),
        ("RCPT", "550 5.1.1 hush\r\n", false),
        ("RCPT", "421 hush\r\n", true),
        ("DATA", "451 hush\r\n", true),
        ("DATA", "554 5.5.1 hush\r\n", false),
        (".", "452 4.2.2 hush\r\n", true),
        (".", "552 5.2.2 hush\r\n", false),
        ("EHLO", "hush\r\n", true),
        ("EHLO", "", true),
        (".", "", true),
        ("MAIL", "199 hush\r\n", true),
    ] {
        let server = Server::start(to(start, reply)).await;
        let config =
            EmailConfig { username: Some("me".into()), password: Some(Secret::new("hush")), ..server.config() };
        let delivery = channel(Settings::Email(config)).deliver(&note(), "", LONG).await;
        match again {
            true => drop(assert_retry(&delivery, "localhost:")),
            false => assert_refused(&delivery, "localhost:"),
        }
    }
}

#[tokio::test]
async fn a_recipient_that_is_put_off_keeps_nobody_waiting_and_nobody_gets_it_twice() {
    let tries = Mutex::new(0);
    let script = move |line: &str| {
        let mut tries = tries.lock().unwrap();
        *tries += usize::from(line.starts_with("RCPT TO:<boss@"));
        (line.starts_with("RCPT TO:<boss@") && *tries == 1).then(|| "450 4.2.0 greylisted\r\n".to_owned())
    };
    let server = Server::start(script).await;
    let channel = server.channel();
    let delivery = channel.deliver(&note(), "", LONG).await;
    assert_retry(&delivery, "puts off 1 of 2 recipients: 450 (4.2.0)");
    assert_eq!((server.count("DATA"), server.count("RCPT TO:<ops@")), (1, 1));
    assert_eq!(channel.deliver(&note(), "", LONG).await, sent(""));
    assert_eq!((server.count("DATA"), server.count("RCPT TO:<ops@"), server.count("RCPT TO:<boss@")), (2, 1, 2));
    // And once more, as after an answer that was lost: everybody has it.
    assert_eq!(channel.deliver(&note(), "", LONG).await, sent(""));
    assert_eq!(server.count("DATA"), 2);
    // Another note is another matter.
    assert_eq!(channel.deliver(&resolved(), "", LONG).await, sent(""));
    assert_eq!((server.count("DATA"), server.count("RCPT TO:<ops@")), (3, 2));
}

#[tokio::test]
async fn what_was_accepted_is_sent_whatever_comes_after() {
    for reply in ["500 hush\r\n", ""] {
        let server = Server::start(to("QUIT", reply)).await;
        assert_eq!(server.channel().deliver(&note(), "", LONG).await, sent(""));
    }
}

#[tokio::test]
async fn silence_and_endless_words_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = EmailConfig { smtp_port: port, ..Server::start(|_| None).await.config() };
    let channel = channel(Settings::Email(config));
    let delivery = channel.deliver(&note(), "", Duration::from_millis(100)).await;
    assert_retry(&delivery, "no answer of the email within 100ms");
    let chatter = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    });
    assert_retry(&channel.deliver(&note(), "", LONG).await, "its reply is endless");
    chatter.abort();
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let config = Server::start(|_| None).await.config();
    let delivery: Delivery = channel(Settings::Email(config)).deliver(&note(), "", LONG).await;
    assert_retry(&delivery, "cannot connect to localhost:");
}
