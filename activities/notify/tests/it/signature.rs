//! Signatures of webhooks, as a receiver checks them: over the bytes that came, with each of its secrets.

use crate::server::{Asked, Reply, Server};
use crate::{LONG, assert_retry, channel, note, sent};
use base64::{Engine, engine::general_purpose::STANDARD};
use dixmgr_notify::{Secret, Settings, WebhookConfig};
use ring::hmac::{HMAC_SHA256, Key, verify};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 24] = [9; 24];

fn config(server: &Server, secrets: &[&[u8]]) -> Settings {
    Settings::Webhook(WebhookConfig {
        url: Secret::new(server.url("/hook")),
        headers: BTreeMap::from([("Authorization".to_owned(), Secret::new("Bearer hush"))]),
        secrets: secrets.iter().map(|secret| Secret::new(format!("whsec_{}", STANDARD.encode(secret)))).collect(),
    })
}

/// True if one of the signatures is made with `secret`.
fn is_signed(asked: &Asked, secret: &[u8]) -> bool {
    let id = asked.header("webhook-id").unwrap();
    let timestamp = asked.header("webhook-timestamp").unwrap();
    let signed = format!("{id}.{timestamp}.{}", asked.body);
    let key = Key::new(HMAC_SHA256, secret);
    asked.header("webhook-signature").unwrap().split(' ').any(|signature| {
        let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        verify(&key, signed.as_bytes(), &signature).is_ok()
    })
}

#[tokio::test]
async fn a_receiver_with_either_secret_finds_its_signature() {
    let server = Server::always(Reply::http("204 No Content", "", "")).await;
    assert_eq!(channel(config(&server, &[&OLD, &NEW])).deliver(&note(), "", LONG).await, sent(""));
    let asked = &server.asked()[0];
    assert!(is_signed(asked, &OLD) && is_signed(asked, &NEW) && !is_signed(asked, &[8; 32]));
    assert_eq!(asked.header("authorization"), Some("Bearer hush"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let stamp: u64 = asked.header("webhook-timestamp").unwrap().parse().unwrap();
    assert!(now - stamp < 60);
}

#[tokio::test]
async fn each_try_has_the_same_id_and_a_changed_body_is_seen() {
    let server = Server::start(|before, _| match before {
        0 => Reply::http("500 No", "", ""),
        _ => Reply::http("200 OK", "", ""),
    })
    .await;
    let channel = channel(config(&server, &[&OLD]));
    assert_retry(&channel.deliver(&note(), "", LONG).await, "answered 500");
    assert_eq!(channel.deliver(&note(), "", LONG).await, sent(""));
    let asked = server.asked();
    assert_eq!(asked[0].header("webhook-id"), Some("service_down_api/1/ops"), "dots part what is signed");
    assert_eq!(asked[0].header("webhook-id"), asked[1].header("webhook-id"));
    assert_eq!(asked[0].body, asked[1].body);
    let mut changed = asked[1].clone();
    changed.body = changed.body.replace("critical", "warning");
    assert!(is_signed(&asked[1], &OLD) && !is_signed(&changed, &OLD));
}

#[tokio::test]
async fn without_a_secret_there_is_no_signature() {
    let server = Server::always(Reply::http("200 OK", "", "")).await;
    channel(config(&server, &[])).deliver(&note(), "", LONG).await;
    assert_eq!(server.asked()[0].header("webhook-signature"), None);
}
