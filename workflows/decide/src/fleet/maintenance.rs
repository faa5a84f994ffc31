//! Maintenance windows of the fleet: recurring times in which nobody is told of some services, set by a person while all goes on.
//!
//! Those of the configuration are a host's own and change with its next start; these are the registry's. They go to the
//! incidents as its silences do, and an incident looks at both kinds alike (`incident/mute`).

use super::silences::words;
use super::{Action, Fleet};
use crate::Answer;
use crate::incident::maintenance::{check, next_begin, open_until};
use dixmgr_contract::{Maintenance, RemoveMaintenance, Time};

/// How many there may be: they travel with each incident.
pub const WINDOWS: usize = 50;
/// Patterns of services of a window.
const PATTERNS: usize = 50;
/// Bytes of all of them together: ten of the longest names.
const PATTERN_BYTES: usize = 2_000;
/// Bytes of a window's name.
const NAME: usize = 64;

/// What is wrong with a window by itself, in a sentence; `None` if it can be set.
pub fn objection(set: &Maintenance) -> Option<String> {
    let is_word = |text: &str, max| !text.trim().is_empty() && text.len() <= max && !text.contains(char::is_control);
    if !is_word(&set.name, NAME) {
        return Some(format!(
            "the name of a maintenance window is a short text of at most {NAME} bytes, such as \"disks\""
        ));
    }
    let name = &set.name;
    let bytes: usize = set.services.iter().map(String::len).sum();
    let are_words = set.services.iter().all(|pattern| is_word(pattern, PATTERN_BYTES));
    if set.services.len() > PATTERNS || bytes > PATTERN_BYTES || !are_words {
        return Some(format!(
            "maintenance window {name:?}: services are at most {PATTERNS} patterns, such as \"api-*\", of at most \
             {PATTERN_BYTES} bytes together; none at all: all services, and the hosts"
        ));
    }
    check(&set.window()).err().map(|why| format!("maintenance window {name:?}: {why}"))
}

impl Fleet {
    /// The windows of the fleet by name: the answer of the query `maintenance`.
    pub fn maintenance(&self) -> impl Iterator<Item = &Maintenance> {
        self.maintenance.values()
    }

    /// What keeps a window from being set; `None` if nothing does.
    pub fn objection_to_setting(&self, set: &Maintenance) -> Option<String> {
        let is_full = self.maintenance.len() >= WINDOWS && !self.maintenance.contains_key(&set.name);
        objection(set).or_else(|| {
            is_full.then(|| format!("at most {WINDOWS} maintenance windows of the fleet are allowed; remove one first"))
        })
    }

    /// What keeps a window from being removed: there is none of that name. `None` if there is.
    pub fn objection_to_removing(&self, args: &RemoveMaintenance) -> Option<String> {
        if self.maintenance.contains_key(&args.name) {
            return None;
        }
        let known: Vec<_> = self.maintenance.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
        let name: String = args.name.chars().take(NAME).collect();
        Some(format!("the fleet has no maintenance window {name:?}; {known}"))
    }

    pub(super) fn set_maintenance(&mut self, id: String, mut set: Maintenance, now: Time, actions: &mut Vec<Action>) {
        if self.is_answered(&id, actions) {
            return;
        }
        if let Some(objection) = self.objection_to_setting(&set) {
            return self.answer(Answer { id, result: Err(objection) }, actions);
        }
        set.weekdays.sort_unstable();
        set.weekdays.dedup();
        (set.by, set.comment) = (words(&set.by), words(&set.comment));
        let (window, what) = (set.window(), set.sentence());
        let when = match (open_until(&window, now), next_begin(&window, now)) {
            (Some(until), _) => format!("it is open until {until}"),
            (None, Some(next)) => format!("it begins at {next}"),
            (None, None) => "it never begins".to_owned(),
        };
        let name = set.name.clone();
        let done = if self.maintenance.insert(name.clone(), set).is_some() { "replaced" } else { "set" };
        let result = Ok(format!("{name} is {done}: {what}; {when}. What is still wrong when it ends is told then"));
        self.answer(Answer { id, result }, actions);
        self.spread(now, actions);
    }

    pub(super) fn remove_maintenance(
        &mut self,
        id: String,
        args: &RemoveMaintenance,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        if self.is_answered(&id, actions) {
            return;
        }
        if let Some(objection) = self.objection_to_removing(args) {
            return self.answer(Answer { id, result: Err(objection) }, actions);
        }
        self.maintenance.remove(&args.name);
        let result = Ok(format!("{} is removed; what is wrong and was not told because of it is told now", args.name));
        self.answer(Answer { id, result }, actions);
        self.spread(now, actions);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;
    use dixmgr_contract::alert::Silence;
    use dixmgr_contract::incident::SilenceArgs;
    use dixmgr_contract::{Span, Weekday};

    fn at(text: &str) -> Time {
        Time::try_from(text.to_owned()).unwrap()
    }

    /// A Saturday, and the window is open.
    fn now() -> Time {
        at("2026-01-10T01:30:00Z")
    }

    fn disks() -> Maintenance {
        Maintenance {
            name: "disks".into(),
            weekdays: vec![Weekday::Sunday, Weekday::Saturday, Weekday::Sunday],
            start: "02:00".parse().unwrap(),
            length: Span::from_secs(7_200),
            zone: "Europe/Zurich".into(),
            services: vec!["api-*".into()],
            by: "eve\n".into(),
            comment: "swap".into(),
        }
    }

    fn set(fleet: &mut Fleet, id: &str, set: Maintenance) -> Vec<Action> {
        fleet.step(Event::SetMaintenance { id: id.into(), set }, now())
    }

    fn remove(fleet: &mut Fleet, id: &str, name: &str) -> Vec<Action> {
        let args = RemoveMaintenance { name: name.into(), by: "eve".into() };
        fleet.step(Event::RemoveMaintenance { id: id.into(), args }, now())
    }

    fn answered(actions: &[Action]) -> Result<String, String> {
        actions
            .iter()
            .find_map(|one| if let Action::Answer(it) = one { Some(it.result.clone()) } else { None })
            .unwrap()
    }

    /// The names of what the incidents are told, if they are.
    fn told(actions: &[Action]) -> Option<Vec<String>> {
        let ids = |all: &Vec<Silence>| all.iter().map(|silence| silence.id.clone()).collect();
        actions.iter().find_map(|one| if let Action::Spread(all) = one { Some(ids(all)) } else { None })
    }

    #[test]
    fn a_window_is_set_replaced_and_removed_and_each_change_is_told_to_all() {
        let mut fleet = Fleet::default();
        let actions = set(&mut fleet, "a", disks());
        assert_eq!(
            answered(&actions).unwrap(),
            "disks is set: each saturday, sunday at 02:00 Europe/Zurich for 2h, api-*; it is open until \
             2026-01-10T03:00:00.000Z. What is still wrong when it ends is told then"
        );
        assert_eq!(told(&actions).unwrap(), ["disks"]);
        let silence = fleet.silences().pop().unwrap();
        assert_eq!((silence.by.as_str(), silence.matchers.len(), silence.until), ("eve", 0, None));
        assert_eq!(silence.window, fleet.maintenance().next().map(Maintenance::window));

        let later = Maintenance { start: "05:00".parse().unwrap(), weekdays: vec![], ..disks() };
        let said = answered(&set(&mut fleet, "b", later)).unwrap();
        assert!(
            said.starts_with("disks is replaced: each day ") && said.contains("begins at 2026-01-10T04:00"),
            "{said}"
        );
        assert_eq!(fleet.maintenance().count(), 1);

        let again = fleet.wake_at().unwrap();
        assert_eq!(told(&fleet.step(Event::Tick, again)).unwrap(), ["disks"], "once more a little later");
        let actions = remove(&mut fleet, "c", "disks");
        assert_eq!(told(&actions), Some(vec![]));
        assert!(answered(&actions).unwrap().starts_with("disks is removed"));
        assert_eq!(fleet.maintenance().count(), 0);
    }

    #[test]
    fn a_request_that_is_sent_twice_is_answered_twice_and_obeyed_once() {
        let mut fleet = Fleet::default();
        let first = set(&mut fleet, "a", disks());
        remove(&mut fleet, "b", "disks");
        let again = set(&mut fleet, "a", disks());
        assert_eq!((answered(&again), told(&again)), (answered(&first), None));
        assert_eq!(fleet.maintenance().count(), 0);
        assert!(answered(&remove(&mut fleet, "b", "disks")).is_ok());
    }

    #[test]
    fn a_window_that_cannot_be_is_refused_with_the_reason() {
        let mut fleet = Fleet::default();
        let too_many = vec!["a".to_owned(); PATTERNS + 1];
        for (bad, why) in [
            (
                Maintenance { zone: "Mars/Olympus".into(), ..disks() },
                "\"Mars/Olympus\" is no time zone; write it as in",
            ),
            (Maintenance { length: Span::from_secs(59), ..disks() }, "lasts 59s; it must be at least 1m"),
            (Maintenance { length: Span::from_secs(8 * 86_400), ..disks() }, "at most"),
            (Maintenance { name: String::new(), ..disks() }, "the name of a maintenance window"),
            (Maintenance { name: "a\nb".into(), ..disks() }, "the name of a maintenance window"),
            (Maintenance { name: "n".repeat(NAME + 1), ..disks() }, "the name of a maintenance window"),
            (Maintenance { services: too_many, ..disks() }, "at most 50 patterns"),
            (Maintenance { services: vec![String::new()], ..disks() }, "such as \"api-*\""),
            (Maintenance { services: vec!["n".repeat(201); 10], ..disks() }, "2000 bytes together"),
            (Maintenance { zone: "z".repeat(10_000), ..disks() }, "zzz\" is no time zone"),
        ] {
            let refused = answered(&set(&mut fleet, &format!("for {why} {}", bad.name), bad.clone())).unwrap_err();
            assert!(refused.contains(why) && refused.len() < 300, "{refused}");
            assert_eq!(fleet.objection_to_setting(&bad), Some(refused), "it is the same before it is asked");
        }
        assert_eq!(fleet, Fleet { answers: fleet.answers.clone(), ..Fleet::default() });
    }

    #[test]
    fn no_more_than_fifty_are_kept_and_one_of_them_can_still_be_replaced() {
        let mut fleet = Fleet::default();
        for number in 0..WINDOWS {
            assert!(
                answered(&set(&mut fleet, &number.to_string(), Maintenance { name: format!("w{number}"), ..disks() }))
                    .is_ok()
            );
        }
        assert!(answered(&set(&mut fleet, "more", disks())).unwrap_err().contains("at most 50 maintenance windows"));
        assert!(answered(&set(&mut fleet, "same", Maintenance { name: "w7".into(), ..disks() })).is_ok());
        assert!(answered(&remove(&mut fleet, "gone", "w7")).is_ok());
        assert!(answered(&set(&mut fleet, "again", disks())).is_ok());
    }

    #[test]
    fn who_removes_what_is_not_there_hears_what_there_is() {
        let mut fleet = Fleet::default();
        let none = answered(&remove(&mut fleet, "a", "disk")).unwrap_err();
        assert_eq!(none, "the fleet has no maintenance window \"disk\"; there are none");
        set(&mut fleet, "b", disks());
        set(&mut fleet, "c", Maintenance { name: "backup".into(), ..disks() });
        let refused = answered(&remove(&mut fleet, "d", "disk")).unwrap_err();
        assert_eq!(refused, "the fleet has no maintenance window \"disk\"; there are backup, disks");
    }

    #[test]
    fn windows_live_with_silences_and_over_a_new_run() {
        let mut fleet = Fleet::default();
        set(&mut fleet, "a", disks());
        let args = SilenceArgs { matchers: vec!["service=db".parse().unwrap()], ..SilenceArgs::default() };
        let actions = fleet.step(Event::Silence { id: "s1".into(), args }, now());
        assert_eq!(told(&actions).unwrap(), ["s1", "disks"]);
        let text = serde_json::to_string(&fleet).unwrap();
        assert_eq!(serde_json::from_str::<Fleet>(&text).unwrap(), fleet);
        let unknown = dixmgr_contract::incident::UnsilenceArgs { silence: "disks".into(), by: String::new() };
        let refused = fleet.step(Event::Unsilence { id: "u".into(), args: unknown }, now());
        assert!(answered(&refused).is_err(), "a window is no silence that could be ended");
    }
}
