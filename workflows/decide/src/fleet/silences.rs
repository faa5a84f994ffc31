//! Silences of the fleet: what people do not want to be told of, whichever incident it is a part of.
//!
//! The registry keeps them, and tells each open incident all of them with every change. An incident that begins meanwhile asks
//! for them, and may just have missed the change: so they are told once more a little later. The maintenance windows of the
//! fleet (`maintenance`) go the same way, as silences that say when they hold.

use super::{Action, Fleet};
use crate::Answer;
use dixmgr_contract::alert::Silence;
use dixmgr_contract::incident::{SilenceArgs, UnsilenceArgs};
use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// How many there may be.
pub const SILENCES: usize = 500;
/// Matchers of a silence.
const MATCHERS: usize = 50;
/// The longest that one may last, if it has an end.
const LONGEST: Span = Span::from_secs(366 * 86_400);
/// When they are told again.
const AGAIN: Span = Span::from_secs(5);
/// Characters of a name and a comment that are kept.
const WORDS: usize = 200;
/// Characters of an id.
const ID: usize = 8;

/// What is silenced, and when that is told again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Silences {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all: Vec<Silence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<Time>,
}

impl Silences {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What keeps somebody from silencing what has not begun: nobody would think of it any more in a year. `None` if nothing does. Asked
/// before a silence is taken in; one that was is kept.
pub fn objection_to_silencing(args: &SilenceArgs) -> Option<String> {
    let way_out = "a silence of the fleet has an end: say for how long (\"for\":\"2h\") or until when (\"until\":\"2027-01-01T06:00:00Z\")";
    let is_endless = args.span.is_none() && args.until.is_none();
    args.objection().or_else(|| is_endless.then(|| way_out.to_owned()))
}

impl Fleet {
    /// What incidents are told: the answer of the query `silences`. First what is silenced at present, of which some may have
    /// ended, then the maintenance windows.
    pub fn silences(&self) -> Vec<Silence> {
        self.silences.all.iter().cloned().chain(self.maintenance.values().map(Silence::from)).collect()
    }

    /// When the silences are told again.
    pub(super) fn silences_at(&self) -> Option<Time> {
        self.silences.again
    }

    pub(super) fn silence(&mut self, id: String, args: SilenceArgs, now: Time, actions: &mut Vec<Action>) {
        if self.is_answered(&id, actions) {
            return;
        }
        self.silences.all.retain(|silence| silence.until.is_none_or(|until| until > now));
        if let Some(objection) = self.objection_to_silence(&args) {
            return self.answer(Answer { id, result: Err(objection) }, actions);
        }
        let until = match args.end(now, LONGEST) {
            Ok(until) => until,
            Err(reason) => return self.answer(Answer { id, result: Err(reason) }, actions),
        };
        let silence = Silence {
            id: id.chars().take(ID).collect(),
            matchers: args.matchers,
            by: words(&args.by),
            comment: words(&args.comment),
            until,
            window: None,
        };
        let end = until.map_or_else(|| format!("until `unsilence {}`", silence.id), |until| format!("until {until}"));
        let result = Ok(format!("silence {} {end}; the end of what was told is told all the same", silence.id));
        self.silences.all.push(silence);
        self.answer(Answer { id, result }, actions);
        self.spread(now, actions);
    }

    fn objection_to_silence(&self, args: &SilenceArgs) -> Option<String> {
        if args.matchers.is_empty() {
            return Some("a silence of the fleet says what it is about, such as \"service=api-*\"".to_owned());
        }
        if args.matchers.len() > MATCHERS || self.silences.all.len() >= SILENCES {
            return Some(format!("at most {SILENCES} silences of {MATCHERS} matchers are allowed"));
        }
        None
    }

    pub(super) fn unsilence(&mut self, id: String, args: &UnsilenceArgs, now: Time, actions: &mut Vec<Action>) {
        if self.is_answered(&id, actions) {
            return;
        }
        let before = self.silences.all.len();
        self.silences.all.retain(|silence| silence.id != args.silence);
        if self.silences.all.len() == before {
            let result = Err(format!("there is no silence {:?}", args.silence));
            return self.answer(Answer { id, result }, actions);
        }
        self.answer(Answer { id, result: Ok(format!("silence {} is over", args.silence)) }, actions);
        self.spread(now, actions);
    }

    pub(super) fn spread(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.silences.again = Some(now.after(AGAIN));
        actions.push(Action::Spread(self.silences()));
    }

    /// Tells them again, if it is time.
    pub(super) fn spread_again(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.silences.again.is_some_and(|at| at <= now) {
            self.silences.again = None;
            actions.push(Action::Spread(self.silences()));
        }
    }
}

/// As much of what somebody writes as is kept.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_millis(seconds * 1_000)
    }

    fn silence(matchers: &[&str], span: Option<u64>) -> SilenceArgs {
        let matchers = matchers.iter().map(|text| text.parse().unwrap()).collect();
        SilenceArgs { matchers, by: "eve".into(), span: span.map(Span::from_secs), ..SilenceArgs::default() }
    }

    #[test]
    fn each_change_is_told_to_all_and_once_more_a_little_later() {
        let mut fleet = Fleet::default();
        let args = silence(&["service=api-*"], Some(3_600));
        let actions = fleet.step(Event::Silence { id: "0123456789".into(), args: args.clone() }, at(0));
        let told = |actions: &[Action]| {
            actions
                .iter()
                .filter_map(|action| if let Action::Spread(all) = action { Some(all.len()) } else { None })
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&actions), [1]);
        assert_eq!(fleet.wake_at(), Some(at(5)));
        assert_eq!(told(&fleet.step(Event::Tick, at(5))), [1]);
        assert_eq!(fleet.wake_at(), None);
        let again = fleet.step(Event::Silence { id: "0123456789".into(), args }, at(6));
        assert_eq!(
            (told(&again), again.len()),
            (vec![], 1),
            "a request that is sent twice is answered twice and obeyed once"
        );
        let gone = UnsilenceArgs { silence: "01234567".into(), by: String::new() };
        assert_eq!(told(&fleet.step(Event::Unsilence { id: "b".into(), args: gone }, at(7))), [0]);
    }

    #[test]
    fn one_that_says_nothing_is_refused_and_one_that_is_over_is_forgotten() {
        let mut fleet = Fleet::default();
        let refused = fleet.step(Event::Silence { id: "a".into(), args: silence(&[], None) }, at(0));
        assert!(
            matches!(&refused[..], [Action::Answer(Answer { result: Err(why), .. })] if why.contains("service=api-*"))
        );
        fleet.step(Event::Silence { id: "b".into(), args: silence(&["service=a"], Some(10)) }, at(0));
        fleet.step(Event::Silence { id: "c".into(), args: silence(&["service=b"], None) }, at(11));
        assert_eq!(fleet.silences().iter().map(|silence| silence.id.as_str()).collect::<Vec<_>>(), ["c"]);
        let nobody = UnsilenceArgs { silence: "x".into(), by: String::new() };
        let refused = fleet.step(Event::Unsilence { id: "d".into(), args: nobody }, at(12));
        assert!(matches!(&refused[..], [Action::Answer(Answer { result: Err(_), .. })]));
    }
}
