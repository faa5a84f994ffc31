//! One note at its beginning and one at its end, each accepted at once.

use super::super::alerts::config;
use super::{Part, Stage};
use dixmgr_tests::{Host, Sandbox, in_sandbox};

const PARTS: [Part; 2] = [
    Part {
        begins: |stage, dixmgr, number| stage.falls(dixmgr, number),
        has_come: |stage, number| stage.heard(number, "hook", "firing"),
    },
    Part { begins: |stage, _, number| stage.returns(number), has_come: |stage, number| stage.is_closed(number) },
];

fn sweep(host: &Host, part: usize) {
    let (mut stage, dixmgr) = Stage::set(host, &PARTS, "ok", |names| config(names, ""));
    let dixmgr = stage.sweep(dixmgr, part, part);
    stage.finish(&dixmgr);
    // Where the answer to the first note was lost and all is well meanwhile, the end is a summary of both.
    stage.each_was_told("hook", "status", &["firing", "resolved"]);
}

#[test]
fn dixmgr_may_die_at_any_step_of_an_incidents_beginning() {
    in_sandbox(Sandbox::UserManager, |host| sweep(host, 0));
}

#[test]
fn dixmgr_may_die_at_any_step_of_an_incidents_end() {
    in_sandbox(Sandbox::UserManager, |host| sweep(host, 1));
}
