//! An incident that is held as the consequence of another one, which is over before it.

use super::super::alerts::{config, runs};
use super::{Part, SERVICES, Stage, service};
use dixmgr_tests::{Dixmgr, Host, Sandbox, in_sandbox, wait_until};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

const HELD: usize = 0;
/// It outlives its cause, and people are told.
const RELEASED: usize = 1;

const PARTS: [Part; 3] = [
    Part {
        begins: |stage, dixmgr, number| stage.falls_behind(dixmgr, number),
        has_come: |stage, number| stage.events(number).contains(&EventType::ActivityTaskCompleted),
    },
    Part {
        begins: |stage, _, number| drop(stage.host.systemctl(&["start", &cause(number)])),
        has_come: |stage, number| stage.heard(number, "hook", "firing"),
    },
    Part { begins: |stage, _, number| stage.returns(number), has_come: |stage, number| stage.is_closed(number) },
];

/// What is behind a service.
fn cause(number: usize) -> String {
    format!("c{number}")
}

fn incident_of_cause(number: usize) -> String {
    format!("service_down.{}", cause(number))
}

impl Stage<'_> {
    /// Falls after what is behind it, of which people have been told.
    fn falls_behind(&self, dixmgr: &Dixmgr, number: usize) {
        if self.told_of(&incident_of_cause(number), "hook", "status").is_empty() {
            self.falls_down(dixmgr, &cause(number));
            self.receiver.wait(&incident_of_cause(number), "firing");
        }
        self.falls(dixmgr, number);
    }
}

fn sweep(host: &Host, part: usize) {
    let causes: Vec<String> = (0..SERVICES).map(cause).collect();
    runs(host, &causes.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut stage, dixmgr) = Stage::set(host, &PARTS, "ok", |names| {
        let mut text = config(&[], "group_interval = \"1h\"\nconsequence_grace = \"1s\"");
        for number in 0..names.len() {
            let (cause, service) = (cause(number), service(number));
            text += &format!(
                "[services.{cause}]\nunit = \"{cause}.service\"\n\
                 [services.{service}]\nunit = \"{service}.service\"\nafter = [\"{cause}\"]\n"
            );
        }
        text
    });
    let dixmgr = stage.sweep(dixmgr, part, part);
    stage.finish(&dixmgr);
    stage.each_was_told("hook", "status", &["firing", "resolved"]);
    for number in stage.all() {
        let told = || stage.told_of(&incident_of_cause(number), "hook", "status");
        wait_until("the end of the cause is told", || told().last().is_some_and(|last| last == "resolved"));
        assert_eq!(told(), ["firing", "resolved"], "{}", cause(number));
    }
}

#[test]
fn dixmgr_may_die_at_any_step_until_an_incident_is_held() {
    in_sandbox(Sandbox::UserManager, |host| sweep(host, HELD));
}

#[test]
fn dixmgr_may_die_at_any_step_from_the_end_of_its_cause_until_it_is_told() {
    in_sandbox(Sandbox::UserManager, |host| sweep(host, RELEASED));
}
