//! What people ask of an incident. A request is refused with the reason, and one that is sent twice is obeyed once.

use super::{Action, Incident, somebody, stamp, words};
use crate::service::Answer;
use dixmgr_contract::alert::Silence;
use dixmgr_contract::incident::{AckArgs, IncidentRecord, ResolveArgs, SilenceArgs, UnsilenceArgs};
use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// Ids of requests remembered.
const REMEMBERED: usize = 16;
/// The most silences of one incident, and matchers of a silence.
const MAX_OWN: usize = 50;
/// The longest silence; one of "until it is over" may be longer.
const LONGEST: Span = Span::from_secs(30 * 86_400);

/// Somebody takes care of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ack {
    pub(super) by: String,
    comment: String,
    at: Time,
}

impl Ack {
    pub(super) fn sentence(&self) -> String {
        if self.comment.is_empty() {
            format!("{} takes care of it.", self.by)
        } else {
            format!("{} takes care of it (\"{}\").", self.by, self.comment)
        }
    }
}

impl Incident {
    pub(super) fn acknowledge(&mut self, id: String, args: &AckArgs, now: Time, actions: &mut Vec<Action>) {
        if self.is_repeated(&id) {
            return;
        }
        if !self.members.values().any(super::Member::is_live) {
            let held = self.members.values().find_map(|member| member.muted.as_ref());
            let why = held
                .map_or_else(|| "it is over".to_owned(), |mute| format!("nobody was told of it: {}", mute.reason()));
            actions.push(answer(id, Err(why)));
            return;
        }
        let ack = Ack { by: somebody(&args.by), comment: words(&args.comment), at: now };
        let text = format!("acknowledged it (\"{}\")", ack.comment);
        self.acks += 1;
        actions.push(Action::Record(IncidentRecord::Operator { by: ack.by.clone(), text }));
        self.ack = Some(ack);
        actions
            .push(answer(id, Ok("acknowledged; no reminder or escalation until it gets worse or is over".to_owned())));
    }

    /// It is over, says a person. Who is well by that may be found in trouble again: that is a new beginning.
    pub(super) fn resolve(&mut self, args: &ResolveArgs, now: Time, actions: &mut Vec<Action>) {
        let is_meant = |name: &str| args.member.as_deref().is_none_or(|member| member == name);
        let mut ended = 0_usize;
        for (_, member) in self.members.iter_mut().filter(|(name, member)| is_meant(name) && member.firing) {
            member.end(now);
            ended += 1;
        }
        if ended > 0 {
            let text = format!("said that it is over, for {ended} of its members");
            actions.push(Action::Record(IncidentRecord::Operator { by: somebody(&args.by), text }));
        }
    }

    pub(super) fn silence(&mut self, id: String, args: SilenceArgs, now: Time, actions: &mut Vec<Action>) {
        if self.is_repeated(&id) {
            return;
        }
        self.own_silences.retain(|silence| silence.until.is_none_or(|until| until > now));
        if self.own_silences.len() >= MAX_OWN || args.matchers.len() > MAX_OWN {
            actions.push(answer(id, Err(format!("at most {MAX_OWN} silences of {MAX_OWN} matchers are allowed"))));
            return;
        }
        let until = match args.end(now, LONGEST) {
            Ok(until) => until,
            Err(reason) => return actions.push(answer(id, Err(reason))),
        };
        if until.is_none() && self.began.is_none() && !self.members.values().any(|member| member.firing) {
            actions.push(answer(id, Err("it is over; to silence what may come, say for how long".to_owned())));
            return;
        }
        let (by, comment) = (somebody(&args.by), words(&args.comment));
        let text = until.map_or_else(|| "until it is over".to_owned(), |until| format!("until {}", stamp(until)));
        let record = IncidentRecord::Operator { by: by.clone(), text: format!("silenced it {text} (\"{comment}\")") };
        actions.push(Action::Record(record));
        actions.push(answer(id.clone(), Ok(format!("silenced {text}; its end is told all the same"))));
        self.own_silences.push(Silence { id, matchers: args.matchers, by, comment, until, window: None });
    }

    pub(super) fn unsilence(&mut self, id: String, args: &UnsilenceArgs, actions: &mut Vec<Action>) {
        if self.is_repeated(&id) {
            return;
        }
        let before = self.own_silences.len();
        self.own_silences.retain(|silence| !args.silence.is_empty() && silence.id != args.silence);
        let by = somebody(&args.by);
        let result = match before - self.own_silences.len() {
            0 => Err("there is no such silence of this incident".to_owned()),
            ended => {
                let text = format!("ended {ended} of its silences");
                actions.push(Action::Record(IncidentRecord::Operator { by, text }));
                Ok(format!("{ended} ended"))
            }
        };
        actions.push(answer(id, result));
    }

    fn is_repeated(&mut self, id: &str) -> bool {
        if self.requests.iter().any(|known| known == id) {
            return true;
        }
        self.requests.push(id.to_owned());
        let surplus = self.requests.len().saturating_sub(REMEMBERED);
        self.requests.drain(..surplus);
        false
    }
}

fn answer(id: String, result: Result<String, String>) -> Action {
    Action::Answer(Answer { id, result })
}
