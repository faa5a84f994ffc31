//! The decision: from what is known and the time to a loss, its marks, and rest.

use super::{AWAY, Action, HostLease, Phase, QUIET};
use dixmgr_contract::host::{HostReportKind, LossMark};
use dixmgr_contract::{Span, Time};
use serde::{Deserialize, Serialize};

/// The first wait before the services, or people, are told again what they could not be told; doubles up to 16 times of it.
const FIRST_WAIT: Span = Span::from_secs(30);

/// The wait after so many failures before.
pub(super) fn backoff(failed: u32) -> Span {
    Span::from_millis(FIRST_WAIT.as_millis() << failed.min(4))
}

/// The services of a lost host are being told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marking {
    /// How often it has failed.
    failed: u32,
    /// When it is tried again; absent while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again_at: Option<Time>,
}

impl HostLease {
    /// Looks at everything that is known and at the time.
    pub(super) fn settle(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.lapse(now);
        self.tell(now, actions);
        self.mark_again(now, actions);
        self.rest(now, actions);
        self.keep_open(now, actions);
    }

    /// When to send [`super::Event::Tick`], if nothing else happens before.
    pub fn wake_at(&self) -> Option<Time> {
        let lapse = match self.phase {
            Phase::Vacant { until, .. } => Some(until),
            _ => None,
        };
        let again = self.marking.and_then(|marking| marking.again_at);
        let told = self.owed.as_ref().and_then(|owed| owed.again_at);
        [lapse, again, told, self.quiet_at()].into_iter().flatten().min()
    }

    /// The window is over. If the alarm itself is late, nobody could have been heard meanwhile, and it begins again.
    fn lapse(&mut self, now: Time) {
        let window = self.long_window();
        let Phase::Vacant { until, seen, why } = &mut self.phase else { return };
        if *until > now {
            return;
        }
        if now.since(*until) > AWAY {
            *until = now.after(window);
            return;
        }
        let (seen, why) = (*seen, std::mem::take(why));
        self.enter(Phase::Lost { seen }, now);
        self.lost_count += 1;
        self.untold = true;
        let holder = self.holder.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = if why.is_empty() { why } else { format!("; its lease failed: {why}") };
        let text = format!(
            "host {} is lost: no sign of life from its dixmgr ({holder}) since {seen}, and nobody knows how its \
             services are{why}",
            self.host
        );
        self.owe(HostReportKind::HostLost, text, now);
        self.marking = Some(Marking { failed: 0, again_at: Some(now) });
    }

    fn mark_again(&mut self, now: Time, actions: &mut Vec<Action>) {
        let due = |marking: &&mut Marking| marking.again_at.is_some_and(|at| at <= now);
        let Some(marking) = self.marking.as_mut().filter(due) else { return };
        marking.again_at = None;
        let mark = LossMark { host: self.host.clone(), loss: self.lost_count, at: self.since };
        actions.push(Action::MarkLost(mark));
    }

    /// What became of the marks. Those of an earlier loss are from the past.
    pub(super) fn marked(&mut self, loss: u64, done: bool, now: Time) {
        let Some(marking) = self.marking.as_mut() else { return };
        if loss != self.lost_count || marking.again_at.is_some() {
            return;
        }
        if done {
            self.marking = None;
            return;
        }
        marking.again_at = Some(now.after(backoff(marking.failed)));
        marking.failed = marking.failed.saturating_add(1);
    }

    /// Marks that were under way in the run before are made again.
    pub(super) fn retry_marking(&mut self, now: Time) {
        if let Some(marking) = &mut self.marking {
            marking.again_at.get_or_insert(now);
        }
    }

    fn quiet_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Held { began, .. } if self.untold => Some(began.after(QUIET)),
            _ => None,
        }
    }

    /// The incident is over: whoever came back has had the time to tell everything anew.
    fn rest(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.quiet_at().is_some_and(|at| at <= now) {
            self.untold = false;
            actions.push(Action::Checkpoint);
        }
    }
}
