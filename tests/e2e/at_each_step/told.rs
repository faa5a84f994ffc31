//! What is waited for before the first note, a receiver that is busy then, somebody who is woken since nobody has acknowledged, and
//! the acknowledgement.

use super::super::{alerts::config, people::escalation};
use super::{Part, Stage, fingerprint, workflow};
use dixmgr_tests::{Dixmgr, Host, Sandbox, in_sandbox};
use serde_json::json;

/// Nothing is told yet.
const FALLS: usize = 0;
/// It has been waited for more of the same. The first note is refused.
const REFUSED: usize = 1;
/// Nobody has acknowledged.
const ESCALATED: usize = 2;
/// The first note is tried again.
const ACCEPTED: usize = 3;
const ACKNOWLEDGED: usize = 4;
const RETURNS: usize = 5;
/// Nothing has come back.
const CLOSED: usize = 6;

const PARTS: [Part; 7] = [
    Part { begins: |stage, dixmgr, number| stage.falls(dixmgr, number), has_come: |_, _| true },
    Part { begins: timer, has_come: |stage, number| stage.is_tried(number) },
    Part { begins: timer, has_come: |stage, number| stage.heard(number, "boss", "escalation") },
    Part { begins: timer, has_come: |stage, number| stage.heard(number, "hook", "firing") },
    Part {
        begins: |stage, _, number| stage.acknowledge(number),
        has_come: |stage, number| stage.both_heard(number, "acknowledged"),
    },
    Part {
        begins: |stage, _, number| stage.returns(number),
        has_come: |stage, number| stage.both_heard(number, "resolved"),
    },
    Part { begins: timer, has_come: |stage, number| stage.is_closed(number) },
];

fn timer(_: &Stage<'_>, _: &Dixmgr, _: usize) {}

impl Stage<'_> {
    fn is_tried(&self, number: usize) -> bool {
        let of = fingerprint(number).replace('.', "_");
        self.receiver.tried().iter().any(|one| one["id"].as_str().is_some_and(|id| id.ends_with(&of)))
    }

    /// Asked for as often as one likes, it is one.
    fn acknowledge(&self, number: usize) {
        let who = json!({"by": "anna", "comment": "on it"});
        self.temporal.update(&workflow(number), "ack", &who, "anna");
    }

    fn both_heard(&self, number: usize, kind: &str) -> bool {
        ["hook", "boss"].iter().all(|channel| self.heard(number, channel, kind))
    }
}

/// Parts, and up to which part the incidents go side by side before: what a timer begins does not wait.
fn sweep(host: &Host, parts: &[(usize, usize)]) {
    let (mut stage, mut dixmgr) = Stage::set(host, &PARTS, "busy", |names| {
        config(names, &escalation()).replace("group_wait = \"0s\"", "group_wait = \"1s\"")
    });
    for (part, together) in parts {
        dixmgr = stage.sweep(dixmgr, *part, *together);
    }
    stage.finish(&dixmgr);
    stage.each_was_told("hook", "kind", &["firing", "acknowledged", "resolved"]);
    stage.each_was_told("boss", "kind", &["escalation", "acknowledged", "resolved"]);
}

#[test]
fn dixmgr_may_die_at_any_step_until_somebody_is_woken() {
    in_sandbox(Sandbox::UserManager, |host| {
        sweep(host, &[(FALLS, FALLS), (REFUSED, FALLS), (ESCALATED, FALLS)]);
    });
}

#[test]
fn dixmgr_may_die_at_any_step_of_a_note_that_was_refused_before() {
    in_sandbox(Sandbox::UserManager, |host| sweep(host, &[(ACCEPTED, FALLS)]));
}

#[test]
fn dixmgr_may_die_at_any_step_from_the_acknowledgement_on() {
    in_sandbox(Sandbox::UserManager, |host| {
        sweep(host, &[(ACKNOWLEDGED, ACKNOWLEDGED), (RETURNS, RETURNS), (CLOSED, RETURNS)]);
    });
}
