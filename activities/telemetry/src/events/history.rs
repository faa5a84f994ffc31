//! What is told of the history itself.

use super::Event;
use crate::metrics::Metrics;
use tracing::{error, info, warn};

/// The history cannot be written; supervision goes on.
#[derive(Debug)]
pub struct HistoryDegraded<'a> {
    /// What is wrong, and the way out.
    pub text: &'a str,
}

impl Event for HistoryDegraded<'_> {
    fn emit(self, metrics: &Metrics) {
        error!("{}", self.text);
        metrics.history_degraded(true);
    }
}

/// The history can be written again.
#[derive(Debug)]
pub struct HistoryRecovered<'a> {
    /// It in a sentence.
    pub text: &'a str,
    /// How many records had to be given up.
    pub lost: u64,
}

impl Event for HistoryRecovered<'_> {
    fn emit(self, metrics: &Metrics) {
        if self.lost == 0 {
            info!("{}", self.text)
        } else {
            warn!(lost = self.lost, "{}", self.text)
        }
        metrics.history_degraded(false);
    }
}

/// The history's file was damaged and is out of the way; a new one is begun.
#[derive(Debug)]
pub struct HistorySetAside<'a> {
    /// What was wrong, and where it is now.
    pub text: &'a str,
}

impl Event for HistorySetAside<'_> {
    fn emit(self, metrics: &Metrics) {
        error!("{}", self.text);
        metrics.history_set_aside();
    }
}
