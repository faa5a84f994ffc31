//! Every reader against anything that a server could say.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

/// Every word that a reader looks for.
const KEYS: [&str; 37] = [
    "peers",
    "isSyncing",
    "shouldHavePeers",
    "number",
    "currentBlock",
    "highestBlock",
    "timestamp",
    "stages",
    "block",
    "block_number",
    "syncedAccounts",
    "healedBytecodes",
    "data",
    "connected",
    "header",
    "message",
    "slot",
    "head_slot",
    "sync_distance",
    "is_syncing",
    "is_optimistic",
    "el_offline",
    "id",
    "result",
    "sync_info",
    "latest_block_height",
    "latest_block_time",
    "catching_up",
    "max_peer_block_height",
    "n_peers",
    "blocks",
    "headers",
    "time",
    "warnings",
    "initialblockdownload",
    "connections",
    "numSlotsBehind",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(|number| json!(format!("{number:#x}"))),
        any::<u64>().prop_map(|number| json!(number.to_string())),
        Just(json!("ok")),
        Just(json!("2024-06-10T12:00:00Z")),
        Just(json!(-1)),
        ".{0,40}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 60, 12, |inner| {
        let field = (prop::sample::select(&KEYS[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            prop::collection::vec(field, 0..12).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let code = prop_oneof![Just(-28), Just(-32005), any::<i64>()];
    let refusal = (code, value()).prop_map(|(code, data)| Refusal { code, message: String::new(), data });
    prop_oneof![
        6 => value().prop_map(|value| Answer::Reply(Reply::Result(value))),
        1 => refusal.prop_map(|refusal| Answer::Reply(Reply::Refused(refusal))),
        1 => prop_oneof![Just(200), Just(206), Just(503), any::<u16>()].prop_map(Answer::Status),
    ]
}

proptest! {
    #[test]
    fn any_answers_are_read_or_refused(
        given in prop::collection::vec(prop::option::weighted(0.9, answer()), 5),
        now in any::<i64>(),
    ) {
        for protocol in Protocol::ALL {
            let language = language(protocol);
            let mut answers = Answers::default();
            for (call, answer) in language.calls().iter().zip(&given) {
                if let Some(answer) = answer {
                    answers.add(call.name, answer.clone());
                }
            }
            let _ = language.read(&answers, Time::from_unix_millis(now));
        }
    }

    /// Most random answers are refused at the first field; here each one is nearly right.
    #[test]
    fn one_strange_field_in_a_good_answer_is_read_or_refused(strange in value(), at in any::<prop::sample::Index>()) {
        let state = json!({"head_slot": "1", "sync_distance": "0", "is_syncing": false});
        let sync = json!({"latest_block_height": "1", "latest_block_time": "2024-06-10T12:00:00Z", "catching_up": false});
        for (protocol, name, within, table) in [
            (Protocol::Substrate, "health", "", json!({"peers": 1, "isSyncing": false, "shouldHavePeers": true})),
            (Protocol::Ethereum, "syncing", "", json!({"currentBlock": "0x1", "stages": [], "syncedAccounts": "0x1"})),
            (Protocol::EthereumConsensus, "syncing", "data", state),
            (Protocol::Cosmos, "status", "sync_info", sync),
            (Protocol::Bitcoin, "chain", "", json!({"blocks": 1, "headers": 2, "time": 3, "warnings": ""})),
            (Protocol::Solana, "best", "", json!({"slot": 7})),
        ] {
            let mut table = table;
            let fields = table.as_object_mut().unwrap();
            let key = fields.keys().nth(at.index(fields.len())).unwrap().clone();
            fields.insert(key, strange.clone());
            let mut answers = Answers::default();
            let whole = if within.is_empty() { table } else { json!({ within: table }) };
            answers.add(name, Answer::Reply(Reply::Result(whole)));
            let health = if protocol == Protocol::Solana {
                Answer::Reply(Reply::Result(json!("ok")))
            } else {
                Answer::Status(200)
            };
            answers.add("health", health);
            for name in ["latest", "sync", "best", "final", "net", "peers"] {
                answers.add(name, Answer::Reply(Reply::Result(strange.clone())));
            }
            let _ = language(protocol).read(&answers, Time::from_unix_millis(1_700_000_000_000));
        }
    }
}
