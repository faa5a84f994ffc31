//! The simulated host and clock, and the driver that feeds the machine as the workflow does.
//!
//! The clock jumps from one thing to the next: what the script says, what the host does by itself (`host plays …`), and
//! the machine's own alarm, which is never forgotten on the way.

use crate::line::Line;
use crate::{fleet, transcript, unit};
use dixmgr_contract::{
    ActiveState, Cause, Command, CommandKind, Exit, FailureKind, HostName, LoadState, Observation, ServiceName,
    ServiceSpec, Span, Time, UnitName, UnitState, Verb, Verdict,
};
use dixmgr_decide::{Action, Event, Order, Outcome, Service};
use std::collections::BTreeMap;

/// 2026-01-01T00:00:00Z: stamps in texts then read like the clock of the transcript.
const START: i64 = 1_767_225_600_000;
/// How long the simulated host takes for what it is asked to do.
const HOST_TAKES: Span = Span::from_millis(20);
/// Alarms at one moment after which the machine is said to spin.
const SPIN: usize = 3;

/// What the host does about an order by itself.
#[derive(Clone, Copy)]
enum Play {
    /// Nothing: the script says everything.
    Script,
    /// It does it, and the service runs.
    Well,
    /// It does it, and the service ends after that long.
    Crash { after: Span, exit: Exit },
}

/// Something that the host will say.
enum Plan {
    Unit(UnitState),
    Done(u64),
}

/// The machine, its host, and everything said so far.
pub(crate) struct World {
    service: Option<Service>,
    spec: ServiceSpec,
    seed: u64,
    start: Time,
    now: Time,
    revision: u64,
    epoch: String,
    boot: String,
    acted: u64,
    ordered: u64,
    commands: u64,
    others: u64,
    /// The dependencies on this host that are not ready, as the script had it last.
    waiting_for: Vec<ServiceName>,
    runs: u64,
    play: Play,
    /// Incidents are reached at once.
    telling_works: bool,
    agenda: BTreeMap<(Time, u64), Plan>,
    planned: u64,
    spin: usize,
    text: String,
}

impl World {
    /// Plays a script and returns its transcript; an error names the line.
    pub(crate) fn play(script: &str) -> Result<String, String> {
        let start = Time::from_unix_millis(START);
        let mut spec = ServiceSpec::new(name("api")?, UnitName::new("api.service").map_err(|e| e.to_string())?);
        spec.host = HostName::new("alpha").ok();
        let mut world = Self {
            service: None,
            spec,
            seed: 1,
            start,
            now: start,
            revision: 0,
            epoch: "e1".to_owned(),
            boot: "b1".to_owned(),
            acted: 0,
            ordered: 0,
            commands: 0,
            others: 0,
            waiting_for: Vec::new(),
            runs: 0,
            play: Play::Script,
            telling_works: true,
            agenda: BTreeMap::new(),
            planned: 0,
            spin: 0,
            text: String::new(),
        };
        for (index, text) in script.lines().enumerate() {
            world.say(text);
            if !text.trim().is_empty() && !text.starts_with('#') {
                Line::parse(text)
                    .and_then(|line| world.statement(line))
                    .map_err(|error| format!("line {}: {error}", index + 1))?;
            }
        }
        Ok(world.text)
    }

    fn say(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn statement(&mut self, mut line: Line) -> Result<(), String> {
        match line.word("a statement")?.as_str() {
            "at" => {
                let span: Span =
                    line.word("a time")?.parse().map_err(|e: dixmgr_contract::span::SpanError| e.to_string())?;
                self.advance(self.start.after(span))
                    .map_err(|()| format!("{span} is before the clock's {}", self.now.since(self.start)))?;
                if line.is_empty() { Ok(()) } else { self.statement(line) }
            }
            "seed" => {
                self.seed = line.word("a number")?.parse().map_err(|_| "a seed is a number".to_owned())?;
                line.end()
            }
            "policy" => {
                unit::policy(&mut line, &mut self.spec.policy)?;
                fleet::policy(&mut line, &mut self.spec.policy)?;
                line.end()
            }
            "after" => {
                self.spec.after = fleet::after(&mut line)?;
                line.end()
            }
            "telling" => {
                self.telling_works = line.flag("works");
                if self.telling_works || line.flag("hangs") {
                    line.end()
                } else {
                    Err("telling works, or it hangs".to_owned())
                }
            }
            what @ ("heard" | "subscribed" | "gone" | "unasked" | "raised" | "waited" | "lost" | "retired") => {
                self.others += 1;
                let event = fleet::event(what, &mut line, self.others, self.now)?;
                line.end()?;
                self.step(event);
                Ok(())
            }
            "epoch" => self.restarted(line),
            "boot" => {
                self.boot = line.word("a boot's name")?;
                line.end()
            }
            "host" => self.host(line),
            "unit" => self.unit(line),
            "done" => self.done(line),
            "command" => self.command(line),
            "wait" => self.wait(line),
            "tick" => {
                line.end()?;
                self.step(Event::Tick);
                Ok(())
            }
            "status" => {
                line.end()?;
                let now = self.now;
                let status = self.service().status(now);
                self.text.push_str(&transcript::status(&status, self.start));
                Ok(())
            }
            other => Err(format!("{other:?} is no statement")),
        }
    }

    /// `epoch NAME`: dixmgr on the host was started again; what it was about to do and to say is lost.
    fn restarted(&mut self, mut line: Line) -> Result<(), String> {
        self.epoch = line.word("an epoch's name")?;
        self.acted = 0;
        self.agenda.clear();
        line.end()
    }

    /// `host plays script|well|crash [after=SPAN exit=KIND:N]`.
    fn host(&mut self, mut line: Line) -> Result<(), String> {
        if !line.flag("plays") {
            return Err("say what the host plays".to_owned());
        }
        self.play = match line.word("what it plays")?.as_str() {
            "script" => Play::Script,
            "well" => Play::Well,
            "crash" => {
                let after = line.pair("after")?.unwrap_or(Span::ZERO);
                let exit = line.pair::<String>("exit")?.unwrap_or_else(|| "code:1".to_owned());
                Play::Crash { after, exit: unit::exit(&exit)? }
            }
            other => return Err(format!("a host cannot play {other:?}")),
        };
        line.end()
    }

    /// `unit STATE …`: the host reports.
    fn unit(&mut self, mut line: Line) -> Result<(), String> {
        let state = unit::read(&mut line)?;
        let revision = line.pair("rev")?.unwrap_or(self.revision + 1);
        let age = line.pair::<Span>("age")?.unwrap_or(Span::ZERO);
        let held = line.pair::<Span>("held")?.unwrap_or(Span::ZERO);
        let from = line.pair::<String>("host")?;
        let waiting: Vec<String> = line.list("waiting_for")?.unwrap_or_default();
        self.waiting_for = waiting.iter().map(|text| name(text)).collect::<Result<_, _>>()?;
        let runs: Vec<String> = line.list("runs")?.unwrap_or_default();
        let runs = runs.iter().filter_map(|pair| pair.split_once(':'));
        let runs = runs.map(|(service, run)| Ok((name(service)?, run.to_owned()))).collect::<Result<_, String>>()?;
        let verdicts = unit::verdicts(&mut line)?;
        let alerts = unit::alerts(&mut line)?;
        let passed = unit::passed(&mut line, self.now)?;
        let causes: Vec<String> = line.list("causes")?.unwrap_or_default();
        let causes = causes.iter().map(|text| Ok(Cause::down(name(text)?))).collect::<Result<_, String>>()?;
        line.end()?;
        let mut observation = self.observation(state, revision, verdicts);
        if let Some(from) = from {
            observation.spec.host = HostName::new(&from).ok();
        }
        let (age_ms, held_ms) = (age.as_millis(), held.as_millis());
        self.step(Event::Observed(Box::new(Observation {
            age_ms,
            held_ms,
            runs,
            alerts,
            passed,
            causes,
            ..observation
        })));
        Ok(())
    }

    fn observation(&mut self, unit: UnitState, revision: u64, verdicts: Vec<Verdict>) -> Observation {
        self.revision = self.revision.max(revision);
        Observation {
            spec: self.spec.clone(),
            revision,
            epoch: self.epoch.clone(),
            boot: self.boot.clone(),
            age_ms: 0,
            held_ms: 0,
            unit,
            waiting_for: self.waiting_for.clone(),
            runs: BTreeMap::new(),
            verdicts,
            alerts: None,
            passed: Vec::new(),
            causes: Vec::new(),
            generation: self.acted,
        }
    }

    /// `done ok` or `done failed KIND "message"`, for the last order or that with `gen=N`.
    fn done(&mut self, mut line: Line) -> Result<(), String> {
        let outcome = match line.word("`ok` or `failed`")?.as_str() {
            "ok" => Outcome::Ok,
            "failed" => {
                let word = line.word("the kind of failure")?;
                let kind = FailureKind::from_wire(&word).ok_or(format!("{word:?} is no kind of failure"))?;
                Outcome::Failed { kind, message: line.word("a message")? }
            }
            other => return Err(format!("{other:?} is neither `ok` nor `failed`")),
        };
        let generation = line.pair("gen")?.unwrap_or(self.ordered);
        line.end()?;
        if generation == 0 {
            return Err("nothing was ordered yet".to_owned());
        }
        if outcome == Outcome::Ok {
            self.acted = self.acted.max(generation);
        }
        self.step(Event::Done { generation, outcome });
        Ok(())
    }

    /// `command KIND [by=… reason=… id=… to-all]`.
    fn command(&mut self, mut line: Line) -> Result<(), String> {
        let word = line.word("the command")?;
        let command = CommandKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        let command = command.ok_or_else(|| format!("{word:?} is no command"))?;
        self.commands += 1;
        let id = line.pair("id")?.unwrap_or_else(|| format!("c{}", self.commands));
        let by = line.pair("by")?.unwrap_or_default();
        let reason = line.pair("reason")?.unwrap_or_default();
        let to_all = line.flag("to-all");
        line.end()?;
        self.step(Event::Commanded(Command { id, command, by, reason, to_all }));
        Ok(())
    }

    /// `wait until alarm`.
    fn wait(&mut self, mut line: Line) -> Result<(), String> {
        if !(line.flag("until") && line.flag("alarm")) {
            return Err("write `wait until alarm`".to_owned());
        }
        line.end()?;
        let at = self.service().wake_at().ok_or("no alarm is set; it would wait for ever")?;
        let at = at.max(self.now);
        self.advance(at).map_err(|()| "the alarm is in the past".to_owned())
    }

    /// Moves the clock and lets happen what is due on the way.
    fn advance(&mut self, to: Time) -> Result<(), ()> {
        if to < self.now {
            return Err(());
        }
        loop {
            let alarm = self.service.as_ref().and_then(Service::wake_at).map(|at| at.max(self.now));
            let planned = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = alarm.into_iter().chain(planned).min().filter(|at| *at <= to) else { break };
            self.now = next;
            if planned == Some(next) {
                self.perform();
            } else {
                self.say("  (alarm)");
                self.step(Event::Tick);
            }
        }
        self.now = to;
        Ok(())
    }

    /// The host does the next thing on its agenda.
    fn perform(&mut self) {
        let Some((_, plan)) = self.agenda.pop_first() else { return };
        let event = match plan {
            Plan::Unit(state) => {
                self.say(&format!("  (host: {})", transcript::unit(&state)));
                Event::Observed(Box::new(self.observation(state, self.revision + 1, Vec::new())))
            }
            Plan::Done(generation) => {
                self.say(&format!("  (host: done #{generation})"));
                self.acted = self.acted.max(generation);
                Event::Done { generation, outcome: Outcome::Ok }
            }
        };
        self.step(event);
    }

    fn plan(&mut self, after: Span, plan: Plan) {
        self.planned += 1;
        self.agenda.insert((self.now.after(after), self.planned), plan);
    }

    /// The host takes an order.
    fn take(&mut self, order: &Order) {
        self.ordered = order.guard.generation;
        let (Play::Well | Play::Crash { .. }) = self.play else { return };
        self.plan(HOST_TAKES, Plan::Done(order.guard.generation));
        if order.verb == Verb::Stop {
            let mut idle = UnitState::new(LoadState::Loaded, ActiveState::Inactive);
            idle.invocation.clone_from(&order.guard.invocation);
            return self.plan(HOST_TAKES, Plan::Unit(idle));
        }
        self.runs += 1;
        let mut up = UnitState::new(LoadState::Loaded, ActiveState::Active);
        up.invocation = Some(format!("r{}", self.runs));
        self.plan(HOST_TAKES, Plan::Unit(up.clone()));
        if let Play::Crash { after, exit } = self.play {
            let result = unit::result_of(Some(exit)).to_owned();
            let dead = UnitState { active: ActiveState::Failed, exit: Some(exit), result, ..up };
            let after = Span::from_millis(after.as_millis() + HOST_TAKES.as_millis());
            self.plan(after, Plan::Unit(dead));
        }
    }

    fn service(&mut self) -> &mut Service {
        let (spec, seed, now) = (&self.spec, self.seed, self.now);
        self.service.get_or_insert_with(|| Service::new(spec.clone(), seed, now))
    }

    /// One event, as the workflow would feed it, and what the transcript says of it.
    fn step(&mut self, event: Event) {
        let now = self.now;
        let tick = event == Event::Tick;
        let service = self.service();
        let before = service.phase().name().as_str();
        let actions = service.step(event, now);
        let json = serde_json::to_string(service).unwrap();
        assert_eq!(serde_json::from_str::<Service>(&json).as_ref().ok(), Some(&*service), "the state survives JSON");
        let due = service.wake_at().is_some_and(|at| at <= now);
        let text = transcript::step(service, before, &actions, Time::from_unix_millis(START), now);
        self.text.push_str(&text);
        self.spin = if tick && due { self.spin + 1 } else { 0 };
        assert!(self.spin < SPIN, "the alarm goes off again and again:\n{}", self.text);
        for action in actions {
            match action {
                Action::Act(order) => self.take(&order),
                Action::Raise(raise) if self.telling_works => self.step_unseen(Event::Raised(raise.alert)),
                _ => {}
            }
        }
    }

    /// An end that brings about nothing is not worth a line.
    fn step_unseen(&mut self, event: Event) {
        let now = self.now;
        let actions = self.service().step(event, now);
        assert!(actions.is_empty(), "nothing had changed: {actions:?}");
    }
}

pub(crate) fn name(text: &str) -> Result<ServiceName, String> {
    ServiceName::new(text).map_err(|error| format!("{text:?} {error}"))
}
