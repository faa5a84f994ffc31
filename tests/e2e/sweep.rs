//! dixmgr is killed at each step of an incident: nothing is lost, and a receiver that honours the key is told nothing twice.
//!
//! A step is whatever the server writes down of the incident by itself: that it began, was told something, that a task was taken or
//! decided, an activity done, a time come. How many there are is counted with an incident that is left alone.

use super::alerts::{config, runs, statuses};
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Host, Launch, Receiver, Sandbox, Temporal, TemporalServer, in_sandbox, wait_until};
use std::time::{Duration, Instant};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

/// One for each step, and more than there are.
const SERVICES: usize = 30;
/// A moment of its life, shorter than a step takes, and how many of them pass before it is asked whether anything more will come.
const SLICE: Duration = Duration::from_millis(1);
const SLICES: usize = 500;
/// So many steps may be written down at once, or by what was on its way already.
const TOGETHER: usize = 5;

struct Stage<'a> {
    host: &'a Host,
    receiver: Receiver,
    temporal: Temporal,
    launch: Launch,
    _server: TemporalServer,
}

impl<'a> Stage<'a> {
    /// All services are supervised and well.
    fn set(host: &'a Host) -> (Self, Dixmgr) {
        let names: Vec<String> = (0..SERVICES).map(service).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        runs(host, &names);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        let launch = Launch::exec(host, &config(&names, ""));
        let (dixmgr, temporal) = (launch.start(), server.connect());
        for name in names {
            temporal.wait_phase(&format!("wf.svc.{name}"), PhaseName::Healthy);
        }
        (Self { host, receiver, temporal, launch, _server: server }, dixmgr)
    }

    /// How far the incident has come; 0 before there is one. What is written along with something else is no step.
    fn steps(&self, number: usize) -> usize {
        const STEPS: [EventType; 7] = [
            EventType::WorkflowExecutionStarted,
            EventType::WorkflowExecutionSignaled,
            EventType::WorkflowTaskStarted,
            EventType::WorkflowTaskCompleted,
            EventType::ActivityTaskCompleted,
            EventType::TimerFired,
            EventType::WorkflowExecutionCompleted,
        ];
        self.temporal.history(&workflow(number)).iter().filter(|event| STEPS.contains(&event.event_type())).count()
    }

    /// An incident that is left alone: how many steps its beginning has, and its end.
    fn count(&self, dixmgr: &Dixmgr) -> (usize, usize) {
        self.falls(dixmgr, 0);
        self.wait_told(0);
        let told = self.steps(0);
        self.returns(0);
        self.wait_ended(0);
        wait_until("it is over", || self.is_closed(0));
        (told, self.steps(0) - told)
    }

    fn falls(&self, dixmgr: &Dixmgr, number: usize) {
        self.host.kill(&service(number));
        dixmgr.wait_logged(&["service is down", &format!("service={}", service(number))]);
    }

    fn returns(&self, number: usize) {
        self.host.systemctl(&["start", &service(number)]);
    }

    /// Its beginning has been told, and nothing more is under way.
    fn is_told(&self, number: usize) -> bool {
        let channels = &self.temporal.query(&workflow(number), "status")["channels"];
        channels.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(|channel| channel["told"] == true))
    }

    fn wait_told(&self, number: usize) {
        self.receiver.wait(&fingerprint(number), "firing");
        wait_until("it rests", || self.is_told(number));
    }

    fn is_closed(&self, number: usize) -> bool {
        let id = workflow(number);
        self.temporal.all_workflows().iter().any(|one| one.id == id && one.status == "Completed")
    }

    /// Where the answer to the first note was lost and all is well meanwhile, the end is a summary of both.
    fn wait_ended(&self, number: usize) {
        wait_until("the end is told", || {
            statuses(&self.receiver, &fingerprint(number)).last().is_some_and(|last| last == "resolved")
        });
    }

    /// Kills it there. It lives for a moment at a time until then, or it would be far beyond when that is seen.
    fn kill_at(&self, dixmgr: Dixmgr, number: usize, step: usize, is_over: impl Fn() -> bool) -> Dixmgr {
        wait_until("the step", || {
            let mut steps = 0;
            // While it rests, what it did last is written down.
            let came = (0..SLICES).any(|_| {
                dixmgr.thaw();
                let begun = Instant::now();
                while begun.elapsed() < SLICE {
                    std::thread::yield_now();
                }
                dixmgr.freeze();
                steps = self.steps(number);
                steps >= step
            });
            came || steps > 0 && {
                dixmgr.thaw();
                is_over()
            }
        });
        dixmgr.freeze();
        let landed = self.steps(number);
        assert!(landed <= step + TOGETHER, "meant for step {step}, it was killed after {landed}");
        dixmgr.kill();
        self.launch.start()
    }

    fn each_was_told_once(&self, steps: usize) {
        for number in 0..=steps {
            assert_eq!(statuses(&self.receiver, &fingerprint(number)), ["firing", "resolved"], "step {number}");
        }
    }
}

fn service(number: usize) -> String {
    format!("s{number}")
}

fn fingerprint(number: usize) -> String {
    format!("service_down.{}", service(number))
}

fn workflow(number: usize) -> String {
    format!("wf.incident.{}", fingerprint(number))
}

#[test]
fn dixmgr_may_die_at_any_step_of_an_incidents_beginning() {
    in_sandbox(Sandbox::UserManager, |host| {
        let (stage, mut dixmgr) = Stage::set(host);
        let (steps, _) = stage.count(&dixmgr);
        for number in 1..=steps {
            stage.falls(&dixmgr, number);
            dixmgr = stage.kill_at(dixmgr, number, number - 1, || stage.is_told(number));
            stage.receiver.wait(&fingerprint(number), "firing");
            stage.returns(number);
            stage.wait_ended(number);
        }
        stage.each_was_told_once(steps);
    });
}

#[test]
fn dixmgr_may_die_at_any_step_of_an_incidents_end() {
    in_sandbox(Sandbox::UserManager, |host| {
        let (stage, mut dixmgr) = Stage::set(host);
        let (_, steps) = stage.count(&dixmgr);
        for number in 1..=steps {
            stage.falls(&dixmgr, number);
            stage.wait_told(number);
            let told = stage.steps(number);
            stage.returns(number);
            dixmgr = stage.kill_at(dixmgr, number, told + number - 1, || stage.is_closed(number));
            stage.wait_ended(number);
        }
        stage.each_was_told_once(steps);
    });
}
