//! Records what a real node answers, as a scene that is played ever after without it: the tests of `real`, with
//! `DIXMGR_RECORD=1` in the environment, write `fixtures/recorded/<protocol>-<program>.json` anew. Review the difference.

use crate::common::{Asked, LONG, Reply, Server};
use crate::fixture::{Answer, Scene};
use dixmgr_contract::{Protocol, Time};
use dixmgr_probe::NodeChecker;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// One look at the node on that port of loopback, through a server that writes down what goes by. `secret` is what the node wants
/// to see as `Authorization`.
pub(crate) async fn record(program: &Path, protocol: Protocol, port: impl Display, secret: &'static str) {
    if std::env::var_os("DIXMGR_RECORD").is_none() {
        return;
    }
    let address = format!("127.0.0.1:{port}");
    let answers = Arc::new(Mutex::new(BTreeMap::new()));
    let kept = answers.clone();
    let server = Server::start(move |asked| {
        let (status, body) = forward(asked, &address, secret);
        let key = Scene::keys(asked).into_iter().find(|key| !key.is_empty()).unwrap().trim().to_owned();
        kept.lock().unwrap().insert(key, Answer::of(asked, status, &body));
        Reply::http(&format!("{status} Said"), "Content-Type: application/json\r\n", &body.to_string())
    })
    .await;
    let now = Time::from(SystemTime::now());
    let seen = NodeChecker::new().unwrap().look(protocol, &server.endpoint(), now, LONG).await.unwrap();
    let name = program.file_name().unwrap().to_string_lossy().into_owned();
    let about = format!("{name}, of a network of its own: {}", version(program));
    let answers = answers.lock().unwrap().clone();
    let scene = Scene { about, now, answers, sighting: Some(seen), error: None };
    let file = Scene::folder().join(format!("recorded/{protocol}-{name}.json"));
    std::fs::write(&file, serde_json::to_string_pretty(&scene).unwrap() + "\n").unwrap();
    eprintln!("recorded {}", file.display());
}

/// What it says of itself; `version` is an order to some, and a start of the node to others.
fn version(program: &Path) -> String {
    let is_order = ["cometbft", "gossamer"].iter().any(|name| program.ends_with(name));
    let argument = if is_order { "version" } else { "--version" };
    // Some add the commit of the folder that they are asked in.
    let elsewhere = std::env::temp_dir();
    let said = Command::new(program).arg(argument).current_dir(elsewhere).output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().find(|line| line.contains(|letter: char| letter.is_ascii_digit())).unwrap_or_default();
    line.trim().to_owned()
}

/// The node's own answer: its status, and its body.
fn forward(asked: &Asked, address: &str, secret: &str) -> (u16, Value) {
    let line = asked.head.lines().next().unwrap();
    let path = line.split(' ').nth(1).unwrap();
    let (method, body) = match &asked.call {
        Value::Null => ("GET", String::new()),
        call => ("POST", call.to_string()),
    };
    let length = body.len();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    );
    let secret = if secret.is_empty() { String::new() } else { format!("Authorization: {secret}\r\n") };
    write!(stream, "{head}{secret}Content-Length: {length}\r\n\r\n{body}").unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    // The last chunk, and the first: nothing is said but the status.
    let body = if body == "0\r\n\r\n" { "null" } else { body };
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {said}")))
}
