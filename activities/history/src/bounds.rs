//! A record within its bounds, before it takes a place in a queue: what is kept in memory is bounded by that.

use crate::record::Record;
use crate::text::{DETAIL, LINE, NAME, bounded};

impl Record {
    /// True for what comes at each sampling, and can be lost before anything else is.
    pub(crate) const fn is_sample(&self) -> bool {
        matches!(self, Self::Usage { .. } | Self::Probe { .. })
    }

    /// The same with every text within its bound; nothing for a figure that is none.
    pub(crate) fn bounded(mut self) -> Option<Self> {
        let cut = |texts: &mut [(&mut String, usize)]| {
            for (text, max) in texts {
                // Nearly all are fine as they are. What has no more bytes has no more characters.
                if text.len() > *max || text.contains(char::is_control) {
                    **text = bounded(text, *max);
                }
            }
        };
        match &mut self {
            Self::Transition(it) => cut(&mut [(&mut it.service, NAME), (&mut it.phase, NAME), (&mut it.reason, LINE)]),
            Self::Restart(it) => {
                cut(&mut [(&mut it.service, NAME), (&mut it.reason, LINE), (&mut it.result, NAME)]);
                cut(&mut [(&mut it.detail, DETAIL)]);
            }
            Self::Incident(it) => {
                cut(&mut [(&mut it.id, NAME), (&mut it.alert, NAME), (&mut it.service, NAME), (&mut it.title, LINE)]);
                cut(&mut [(&mut it.acknowledged_by, NAME)]);
            }
            Self::Member(it) => cut(&mut [(&mut it.incident, NAME), (&mut it.service, NAME)]),
            Self::Told(it) => {
                cut(&mut [(&mut it.id, NAME), (&mut it.incident, NAME), (&mut it.channel, NAME), (&mut it.why, NAME)]);
                cut(&mut [(&mut it.alert, NAME), (&mut it.service, NAME), (&mut it.title, LINE)]);
                cut(&mut [(&mut it.outcome, NAME), (&mut it.detail, DETAIL)]);
            }
            Self::Action(it) => {
                cut(&mut [(&mut it.service, NAME), (&mut it.who, NAME), (&mut it.action, NAME)]);
                cut(&mut [(&mut it.detail, DETAIL), (&mut it.result, LINE)]);
            }
            Self::Usage { service, usage, .. } => {
                cut(&mut [(service, NAME)]);
                return usage.is_finite().then_some(self);
            }
            Self::Probe { service, probe, .. } => cut(&mut [(service, NAME), (probe, NAME)]),
        }
        Some(self)
    }
}
