//! A scene is what a node answers, and what the look at it must be. Those of `fixtures/recorded` were answered by real nodes
//! (`record.rs`); the lists in `fixtures` were composed after the documentation of the real programs, as states that none of
//! them is in when it has just been started. No network is asked.

use crate::common::{Asked, LONG, Reply, Server};
use dixmgr_contract::{NodeSighting, Protocol, Time};
use dixmgr_probe::NodeChecker;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One scene.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    pub(crate) about: String,
    pub(crate) now: Time,
    pub(crate) answers: BTreeMap<String, Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sighting: Option<NodeSighting>,
    /// A part of the error's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Of a `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    /// Of a JSON-RPC call, as is the error.
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(default, deserialize_with = "even_null", skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

impl Answer {
    /// What a node answered.
    pub(crate) fn of(asked: &Asked, status: u16, body: &Value) -> Self {
        let status = Some(status).filter(|status| *status != 200);
        if asked.call.is_null() {
            let body = Some(body).filter(|body| !body.is_null()).cloned();
            return Self { status, body, result: None, error: None };
        }
        let error = body.get("error").filter(|error| !error.is_null()).cloned();
        let result = body.get("result").filter(|_| error.is_none()).cloned();
        Self { status, body: None, result, error }
    }
}

fn even_null<'de, D: serde::Deserializer<'de>>(given: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(given).map(Some)
}

impl Scene {
    pub(crate) fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/fixtures")
    }

    /// Every scene of a protocol, the recorded ones last.
    pub(crate) fn all(protocol: Protocol) -> Vec<Self> {
        let text = std::fs::read_to_string(Self::folder().join(format!("{protocol}.json"))).unwrap();
        let composed: Vec<Self> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{protocol}.json: {error}"));
        composed.into_iter().chain(Self::recorded(protocol)).collect()
    }

    /// What real nodes answered: `<protocol>-<program>.json`, of programs without a `-` in their names.
    fn recorded(protocol: Protocol) -> Vec<Self> {
        let files = std::fs::read_dir(Self::folder().join("recorded")).unwrap().map(|entry| entry.unwrap().path());
        let mut of_it: Vec<_> = files
            .filter(|file| {
                let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                name.rsplit_once('-').is_some_and(|(of, _)| of == protocol.name())
            })
            .collect();
        of_it.sort();
        let read = |file: PathBuf| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        of_it.into_iter().map(read).collect()
    }

    /// Under which names the answer to that may stand, the most exact first.
    pub(crate) fn keys(asked: &Asked) -> [String; 2] {
        match asked.call["method"].as_str() {
            Some(method) => {
                let first = &asked.call["params"][0];
                let what = first["commitment"].as_str().or(first.as_str()).unwrap_or_default();
                [format!("{method} {what}"), method.to_owned()]
            }
            None => {
                let path = asked.head.split(' ').nth(1).unwrap();
                [format!("GET {path}"), String::new()]
            }
        }
    }

    /// A node that answers so.
    pub(crate) fn reply(&self, asked: &Asked) -> Reply {
        let (call, keys) = (&asked.call, Self::keys(asked));
        let answer = keys.iter().find_map(|key| self.answers.get(key));
        let answer = answer.unwrap_or_else(|| panic!("{}: nobody expected {keys:?}", self.about));
        let body = match &answer.body {
            Some(body) => body.to_string(),
            None if call.is_null() => String::new(),
            None => {
                let mut body = json!({"jsonrpc": "2.0", "id": call["id"]});
                for (key, value) in [("result", &answer.result), ("error", &answer.error)] {
                    if let Some(value) = value {
                        body[key] = value.clone();
                    }
                }
                body.to_string()
            }
        };
        Reply::http(&format!("{} Said", answer.status.unwrap_or(200)), "Content-Type: application/json\r\n", &body)
    }

    async fn plays(&self, protocol: Protocol) {
        let scene = self.clone();
        let server = Server::start(move |asked| scene.reply(asked)).await;
        let looked = NodeChecker::new().unwrap().look(protocol, &server.endpoint(), self.now, LONG).await;
        let about = format!("{protocol}: {}", self.about);
        match (looked, &self.sighting, &self.error) {
            (Ok(seen), Some(expected), None) => assert_eq!(&seen, expected, "{about}"),
            (Err(error), None, Some(part)) => {
                assert!(error.to_string().contains(part), "{about}: {error}");
                assert!(error.to_string().contains(server.endpoint().place()), "{about}: {error}");
            }
            (looked, ..) => panic!("{about}: {looked:?}"),
        }
        let asked = server.asked();
        let ids: Vec<_> = asked.iter().filter(|asked| !asked.call.is_null()).map(|asked| &asked.call["id"]).collect();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{about}: each call has an id of its own");
    }
}

#[tokio::test]
async fn a_look_at_a_node_is_what_its_answers_mean() {
    for protocol in Protocol::ALL {
        let scenes = Scene::all(protocol);
        assert!(scenes.len() >= 6, "{protocol}");
        for scene in scenes {
            scene.plays(protocol).await;
        }
    }
}

#[tokio::test]
async fn a_node_of_each_protocol_says_whether_it_is_in_sync() {
    let checker = NodeChecker::new().unwrap();
    for protocol in Protocol::ALL {
        let mut said = Vec::new();
        for scene in Scene::all(protocol) {
            let (played, Some(sighting)) = (scene.clone(), &scene.sighting) else { continue };
            let server = Server::start(move |asked| played.reply(asked)).await;
            let Ok(is_in_sync) = checker.is_in_sync(protocol, &server.endpoint(), scene.now, LONG).await else {
                continue;
            };
            assert!(!is_in_sync || sighting.is_syncing == Some(false), "{protocol}: {}", scene.about);
            said.push(is_in_sync);
        }
        assert!(said.contains(&true) && said.contains(&false), "{protocol}: {said:?}");
    }
}

#[tokio::test]
async fn the_users_password_is_sent_with_every_call_and_a_prefix_stays_before_every_path() {
    for protocol in Protocol::ALL {
        let scene = Scene::all(protocol).swap_remove(0);
        let played = scene.clone();
        let server = Server::start(move |asked| {
            let head = asked.head.replacen("/hush/", "/", 1).replacen("?key=hush", "", 1);
            // The server has made the path lower case, as ours are.
            played.reply(&Asked { head: head.replacen("get ", "GET ", 1), call: asked.call.clone() })
        })
        .await;
        let url = format!("http://hush:hush@127.0.0.1:{}/hush?key=hush", server.port);
        let endpoint = dixmgr_probe::Endpoint::parse(&url).unwrap();
        let seen = NodeChecker::new().unwrap().look(protocol, &endpoint, scene.now, LONG).await.unwrap();
        assert_eq!(Some(seen), scene.sighting, "{protocol}");
        for asked in server.asked() {
            assert!(asked.head.contains("authorization: basic ahvzadpodxno"), "{protocol}: {}", asked.head);
            assert!(asked.head.lines().next().unwrap().contains("?key=hush"), "{protocol}: {}", asked.head);
        }
    }
}
