//! dixmgr is killed at each step of an incident: nothing is lost, and a receiver that honours the key is told nothing twice.
//!
//! A step is whatever the server writes down of the incident by itself: that it began, was told something, that a task was taken or
//! decided, an activity done, a time come. An incident's life has parts, and between them it rests. How many steps a part has is
//! counted with an incident that is left alone; then there is one incident for each step, which goes on to its end beside the others.

mod held;
mod plain;
mod told;

use super::alerts::runs;
use dixmgr_contract::PhaseName;
use dixmgr_tests::{Dixmgr, Host, Launch, Receiver, Temporal, TemporalServer, wait_until};
use serde_json::Value;
use std::ops::Range;
use std::time::{Duration, Instant};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

/// One for each step, and more than there are.
const SERVICES: usize = 40;
/// How often a step that was missed is tried again.
const ROUNDS: usize = 4;
/// A moment of its life, shorter than a step takes, and how many of them pass before it is asked whether anything more will come.
const SLICE: Duration = Duration::from_millis(1);
const SLICES: usize = 500;
/// A step may be written down along with the one before it: then nobody can come between them.
const TOGETHER: usize = 1;

/// A part of an incident's life, from one rest to the next.
struct Part {
    /// What begins it, and changes nothing when it has; nothing where a timer does.
    begins: fn(&Stage<'_>, &Dixmgr, usize),
    /// Whether that has come about for which it is.
    has_come: fn(&Stage<'_>, usize) -> bool,
}

struct Stage<'a> {
    host: &'a Host,
    receiver: Receiver,
    temporal: Temporal,
    launch: Launch,
    parts: &'static [Part],
    /// How many steps each part has.
    steps: Vec<usize>,
    /// The incidents that were cut short, and in which part.
    cut: Vec<(usize, Range<usize>)>,
    _server: TemporalServer,
}

impl<'a> Stage<'a> {
    /// All services are supervised and well, and an incident that was left alone is over.
    fn set(host: &'a Host, parts: &'static [Part], mode: &str, config: fn(&[&str]) -> String) -> (Self, Dixmgr) {
        let names: Vec<String> = (0..SERVICES).map(service).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        runs(host, &names);
        let (server, receiver) = (TemporalServer::start(), Receiver::start(host));
        receiver.answers(mode);
        let launch = Launch::exec(host, &config(&names));
        let (dixmgr, temporal) = (launch.start(), server.connect());
        for name in names {
            temporal.wait_phase(&format!("wf.svc.{name}"), PhaseName::Healthy);
        }
        let (steps, cut) = (Vec::new(), Vec::new());
        let mut stage = Self { host, receiver, temporal, launch, parts, steps, cut, _server: server };
        for part in 0..parts.len() {
            let before = stage.written(0);
            stage.lead(&dixmgr, 0..1, part..part + 1);
            stage.steps.push(stage.written(0) - before);
        }
        (stage, dixmgr)
    }

    /// The life of each incident that was cut short goes on to its end.
    fn finish(&self, dixmgr: &Dixmgr) {
        for (part, numbers) in &self.cut {
            self.lead(dixmgr, numbers.clone(), *part..self.parts.len());
        }
    }

    /// Brings incidents through parts of their life, side by side.
    fn lead(&self, dixmgr: &Dixmgr, numbers: Range<usize>, parts: Range<usize>) {
        for part in parts {
            numbers.clone().for_each(|number| (self.parts[part].begins)(self, dixmgr, number));
            for number in numbers.clone() {
                wait_until(&format!("part {part} of incident {number}"), || self.is_over(part, number));
            }
        }
    }

    /// Kills it at each step of a part, of one incident after the other. Up to the part `together` they go side by side; from there on
    /// none rests for long. Those that were cut short last serve again, if they can be brought there side by side.
    fn sweep(&mut self, mut dixmgr: Dixmgr, part: usize, together: usize) -> Dixmgr {
        let steps = self.steps[part];
        let first = self.cut.last().map_or(1, |(_, numbers)| numbers.end);
        let again = self.cut.pop_if(|(cut, numbers)| *cut < together && numbers.len() >= steps);
        let (begun, mut numbers) = again.unwrap_or((0, first..first + steps));
        assert!(numbers.end <= SERVICES, "{:?}: more steps than services", self.steps);
        self.lead(&dixmgr, numbers.clone(), begun..together);
        let (mut landings, mut next) = (Vec::new(), numbers.start);
        // A kill may come late, since the machine has other things to do: then there is another one for that step.
        for step in (0..steps).chain((0..ROUNDS).flat_map(|_| 0..steps)) {
            if landings.len() >= steps && is_met(&landings, step) {
                continue;
            }
            if next == numbers.end {
                numbers.end += 1;
                assert!(next < SERVICES, "part {part} was met after the steps {landings:?} alone, of {steps}");
                self.lead(&dixmgr, next..next + 1, 0..together);
            }
            let landed;
            (dixmgr, landed) = self.cut_short(dixmgr, next, (part, together), step);
            landings.push(landed);
            next += 1;
        }
        assert!(
            (0..steps).all(|step| is_met(&landings, step)),
            "it was killed after the steps {landings:?} of part {part}, of {steps}"
        );
        self.cut.push((part, numbers));
        dixmgr
    }

    /// Kills it in a part of one incident, at this step of it; and says at which step that was.
    fn cut_short(&self, dixmgr: Dixmgr, number: usize, at: (usize, usize), step: usize) -> (Dixmgr, usize) {
        let (part, together) = at;
        for id in [workflow(number), format!("wf.svc.{}", service(number))] {
            self.temporal.forget_worker(&id);
        }
        self.lead(&dixmgr, number..number + 1, together..part);
        let rested = self.written(number);
        (self.parts[part].begins)(self, &dixmgr, number);
        let (dixmgr, landed) = self.kill_at(dixmgr, number, part, rested + step);
        (dixmgr, landed.saturating_sub(rested))
    }

    /// Kills it there, and says after which step it was. It lives for a moment at a time until then, or it would be far beyond when
    /// that is seen.
    fn kill_at(&self, dixmgr: Dixmgr, number: usize, part: usize, step: usize) -> (Dixmgr, usize) {
        dixmgr.freeze();
        wait_until("the step", || {
            // While it rests, what it did last is written down.
            let came = (0..SLICES).any(|_| {
                let came = self.written(number) >= step;
                if !came {
                    dixmgr.thaw();
                    let begun = Instant::now();
                    while begun.elapsed() < SLICE {
                        std::thread::yield_now();
                    }
                    dixmgr.freeze();
                }
                came
            });
            came || self.is_over(part, number)
        });
        let landed = self.written(number);
        dixmgr.kill();
        (self.launch.start(), landed)
    }

    /// How far the incident has come; 0 before there is one. What is written along with something else is no step.
    fn written(&self, number: usize) -> usize {
        const STEPS: [EventType; 8] = [
            EventType::WorkflowExecutionStarted,
            EventType::WorkflowExecutionSignaled,
            EventType::WorkflowExecutionUpdateAccepted,
            EventType::WorkflowTaskStarted,
            EventType::WorkflowTaskCompleted,
            EventType::ActivityTaskCompleted,
            EventType::TimerFired,
            EventType::WorkflowExecutionCompleted,
        ];
        self.events(number).iter().filter(|event| STEPS.contains(event)).count()
    }

    fn events(&self, number: usize) -> Vec<EventType> {
        self.temporal.history(&workflow(number)).iter().map(|event| event.event_type()).collect()
    }

    fn is_over(&self, part: usize, number: usize) -> bool {
        (self.parts[part].has_come)(self, number) && self.rests(number)
    }

    /// Nothing is under way.
    fn rests(&self, number: usize) -> bool {
        const BEGINS: [EventType; 2] = [EventType::WorkflowTaskScheduled, EventType::ActivityTaskScheduled];
        const ENDS: [EventType; 7] = [
            EventType::WorkflowTaskCompleted,
            EventType::WorkflowTaskTimedOut,
            EventType::WorkflowTaskFailed,
            EventType::ActivityTaskCompleted,
            EventType::ActivityTaskTimedOut,
            EventType::ActivityTaskFailed,
            EventType::ActivityTaskCanceled,
        ];
        let events = self.events(number);
        let count = |of: &[EventType]| events.iter().filter(|event| of.contains(event)).count();
        !events.is_empty() && count(&BEGINS) == count(&ENDS)
    }

    fn is_closed(&self, number: usize) -> bool {
        self.events(number).contains(&EventType::WorkflowExecutionCompleted)
    }

    fn falls(&self, dixmgr: &Dixmgr, number: usize) {
        self.falls_down(dixmgr, &service(number));
    }

    fn falls_down(&self, dixmgr: &Dixmgr, service: &str) {
        if self.host.is_running(service) {
            self.host.kill(service);
        }
        dixmgr.wait_logged(&["service is down", &format!("service={service}")]);
    }

    fn returns(&self, number: usize) {
        self.host.systemctl(&["start", &service(number)]);
    }

    /// What a channel was told of an incident: a field of each note.
    fn told(&self, number: usize, channel: &str, field: &str) -> Vec<String> {
        self.told_of(&fingerprint(number), channel, field)
    }

    fn told_of(&self, fingerprint: &str, channel: &str, field: &str) -> Vec<String> {
        let notes = self.receiver.about(fingerprint).into_iter();
        let is_by = |note: &Value| note["id"].as_str().is_some_and(|id| id.contains(&format!("-{channel}-")));
        notes.filter(is_by).map(|note| note[field].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// True if the channel was told this last.
    fn heard(&self, number: usize, channel: &str, kind: &str) -> bool {
        self.told(number, channel, "kind").last().is_some_and(|last| last == kind)
    }

    /// All incidents that there have been.
    fn all(&self) -> Range<usize> {
        0..self.cut.last().map_or(1, |(_, numbers)| numbers.end)
    }

    /// Each incident was told so to a channel, and no more.
    fn each_was_told(&self, channel: &str, field: &str, told: &[&str]) {
        for number in self.all() {
            assert_eq!(self.told(number, channel, field), told, "{channel} of incident {number}; {:?}", self.cut);
        }
    }
}

/// Whether one of the kills was there.
fn is_met(landings: &[usize], step: usize) -> bool {
    landings.iter().any(|landed| landed.abs_diff(step) <= TOGETHER)
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
