//! What is known of one member, and what was asked of it.
//!
//! Everything here comes from its readiness, which has a revision: an older one changes nothing. Rejected: to forget
//! what a member said last when it cannot be reached. A workflow that was ended by mistake is not a service that is
//! down.

use dixmgr_contract::{PhaseName, Readiness, ServiceName, Span, Time};
use serde::{Deserialize, Serialize};

/// After a question without an answer: the first wait. It doubles up to [`PATIENCE`] while nothing at all is known.
const SILENCE: Span = Span::from_secs(60);
/// After a question that nobody took: the first wait. It doubles up to [`PATIENCE`].
const ABSENCE: Span = Span::from_secs(10);
const PATIENCE: Span = Span::from_secs(600);
/// Characters kept of a run; systemd's have 32.
const RUN: usize = 64;

/// A member as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    /// `None` until it has been heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<bool>,
    pub(super) phase: PhaseName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    /// `None`: the next that is heard is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<u64>,
    /// Since when it is ready or not, in this run.
    pub(super) since: Time,
    /// It was asked, and that reached it as far as is known.
    #[serde(default)]
    subscribed: bool,
    /// Questions since it was heard of last.
    #[serde(default)]
    asks: u32,
    /// When it may be asked next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_ask: Option<Time>,
    /// It was told to restart and has not come back yet, so its being ready is old news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restart: Option<Restart>,
    /// Standby mode: it is ready beside the active one and was told to stop then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) surplus: Option<Time>,
}

/// A restart that a member was told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restart {
    /// Its run before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// It was seen not ready since.
    #[serde(default)]
    down: bool,
    /// Then nobody waits for it any longer.
    pub(super) until: Time,
    /// When it was told last.
    #[serde(default)]
    told: Time,
    /// How many times it was told again.
    #[serde(default)]
    pub(super) again: u32,
}

impl Member {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            ready: None,
            phase: PhaseName::Unknown,
            run: None,
            revision: None,
            since: now,
            subscribed: false,
            asks: 0,
            next_ask: None,
            restart: None,
            surplus: None,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready == Some(true)
    }

    /// It is ready, and nothing that was asked of it is about to change that.
    pub(super) fn can_be_counted_on(&self) -> bool {
        self.is_ready() && self.restart.is_none()
    }

    /// True if it stands otherwise than before.
    pub(super) fn hear(&mut self, told: &Readiness, now: Time) -> bool {
        if self.revision.is_some_and(|known| told.revision <= known) {
            return false;
        }
        let run: Option<String> = told.run.as_ref().map(|run| run.chars().take(RUN).collect());
        let changed = self.ready != Some(told.ready) || self.phase != told.phase || self.run != run;
        if self.ready != Some(told.ready) || self.run != run {
            self.since = now;
        }
        if let Some(restart) = &mut self.restart {
            // A unit without runs is known to have restarted by its having been away.
            let another = if run.is_some() { run != restart.run } else { restart.down };
            restart.down |= !told.ready;
            if told.ready && another {
                self.restart = None;
            }
        }
        if !told.ready {
            self.surplus = None;
        }
        self.ready = Some(told.ready);
        self.phase = told.phase;
        self.run = run;
        self.revision = Some(told.revision);
        self.subscribed = true;
        self.asks = 0;
        changed
    }

    /// It is told to restart now.
    pub(super) fn restarts(&mut self, now: Time, until: Time) {
        let down = !self.is_ready();
        self.restart = Some(Restart { run: self.run.clone(), down, until, told: now, again: 0 });
    }

    /// It was told to restart and runs on as if it had not been: whoever was to do it has died with the order. When it is
    /// to be told again.
    pub(super) fn restart_again_at(&self, patience: Span) -> Option<Time> {
        let idle = matches!(self.phase, PhaseName::Healthy | PhaseName::Degraded) && self.is_ready();
        let same_run = |restart: &&Restart| self.run.is_some() || !restart.down;
        self.restart.as_ref().filter(|_| idle).filter(same_run).map(|restart| restart.told.after(patience))
    }

    /// It is told again now; how many times that makes.
    pub(super) fn restarts_again(&mut self, now: Time) -> u32 {
        let Some(restart) = &mut self.restart else { return 0 };
        restart.told = now;
        restart.again = restart.again.saturating_add(1);
        restart.again
    }

    /// When it is to be asked; a time in the past means now.
    pub(super) fn ask_at(&self, watched: bool) -> Option<Time> {
        (!self.subscribed || self.ready.is_none() || watched).then(|| self.next_ask.unwrap_or_default())
    }

    /// It is asked now.
    pub(super) fn asked(&mut self, now: Time) {
        let wait = if self.ready.is_none() { doubled(SILENCE, self.asks) } else { SILENCE };
        self.asks = self.asks.saturating_add(1);
        self.subscribed = true;
        self.next_ask = Some(now.after(wait));
    }

    /// Ask it once more, at once: what is known of it is about to matter.
    pub(super) fn ask_again(&mut self) {
        self.subscribed = false;
        self.next_ask = None;
    }

    /// Nobody took the question. When its workflow is there again, its revisions may begin anew.
    pub(super) fn unreachable(&mut self, now: Time) {
        self.subscribed = false;
        self.revision = None;
        self.next_ask = Some(now.after(doubled(ABSENCE, self.asks.saturating_sub(1))));
    }
}

fn doubled(first: Span, times: u32) -> Span {
    Span::from_millis(first.as_millis() << times.min(10)).min(PATIENCE)
}

/// Names for a sentence, not more than anybody reads.
pub(super) fn list<'a>(names: impl ExactSizeIterator<Item = &'a ServiceName>) -> String {
    const SHOWN: usize = 10;
    let rest = names.len().saturating_sub(SHOWN);
    let shown: Vec<_> = names.take(SHOWN).map(ServiceName::as_str).collect();
    match (shown.is_empty(), rest) {
        (true, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        _ => format!("{} and {rest} more", shown.join(", ")),
    }
}
