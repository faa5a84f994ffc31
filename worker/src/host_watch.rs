//! Measuring the host itself: how busy it is, and its clock. How full its file systems are is `file_systems`.

use crate::resources;
use dixmgr_procfs::{CpuTime, Roots, host};
use dixmgr_telemetry::{HostFigures, Metrics};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

/// The host is never looked at more often.
pub(crate) const LEAST_INTERVAL: Duration = Duration::from_secs(5);
/// The bus is never asked for the clock more often: who answers is started for it.
const CLOCK_EVERY: Duration = Duration::from_secs(600);

/// Looks for as long as the program runs. `ask_clock` asks the bus whether the clock is synchronised.
pub(crate) async fn measure<A, F>(interval: Duration, ask_clock: A, metrics: Metrics)
where
    A: Fn() -> F,
    F: Future<Output = Option<bool>> + Send + 'static,
{
    let mut before = None;
    let mut clock = Clock::default();
    let mut ticker = tokio::time::interval(interval.max(LEAST_INTERVAL));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        let Ok(seen) = tokio::task::spawn_blocking(|| host::read(&Roots::default())).await else {
            tracing::error!("measuring the host has failed; it is not measured any more");
            metrics.host().set(HostFigures::default());
            return;
        };
        let clock_synchronized = clock.says(&ask_clock, seen.clock_synchronised);
        metrics.host().set(HostFigures { clock_synchronized, ..figures(&seen, before) });
        before = seen.cpu;
    }
}

/// The clock as the bus knows it, which asks the kernel: after some hours without news of the time, that is not synchronised any
/// more. It is asked beside the rest, and what it says is there at the next look.
#[derive(Default)]
struct Clock {
    asked: Option<Instant>,
    said: watch::Sender<Option<bool>>,
}

impl Clock {
    /// What it said last. If it did not answer, what systemd-timesyncd has `noted`, which is only that it set the clock once since
    /// the boot, however long ago that was.
    fn says<F>(&mut self, ask: impl Fn() -> F, noted: Option<bool>) -> Option<bool>
    where
        F: Future<Output = Option<bool>> + Send + 'static,
    {
        if self.asked.is_none_or(|asked| asked.elapsed() >= CLOCK_EVERY) {
            self.asked = Some(Instant::now());
            let (answer, said) = (ask(), self.said.clone());
            tokio::spawn(async move { said.send_replace(answer.await) });
        }
        (*self.said.borrow()).or(noted)
    }
}

fn figures(seen: &host::Host, before: Option<CpuTime>) -> HostFigures {
    HostFigures {
        cpu_percent: seen.cpu.zip(before).and_then(|(now, before)| now.percent_since(before)),
        memory: seen.memory.map(|memory| (memory.total, memory.available)),
        load: seen.load,
        pressure: resources::pressure(&seen.pressure),
        ..HostFigures::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn the_bus_is_asked_for_the_clock_every_ten_minutes_and_not_waited_for() {
        let (asked, answer) = (Cell::new(0), Cell::new(Some(true)));
        let ask = || {
            asked.set(asked.get() + 1);
            std::future::ready(answer.get())
        };
        let mut clock = Clock::default();
        assert_eq!(clock.says(ask, None), None, "it has not answered yet");
        tokio::time::sleep(LEAST_INTERVAL).await;
        answer.set(None);
        for _ in 0..100 {
            assert_eq!((clock.says(ask, None), asked.get()), (Some(true), 1));
            tokio::time::sleep(LEAST_INTERVAL).await;
        }
        tokio::time::sleep(CLOCK_EVERY).await;
        clock.says(ask, None);
        tokio::time::sleep(LEAST_INTERVAL).await;
        assert_eq!((clock.says(ask, None), asked.get()), (None, 2), "it does not know any more");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_noted_counts_only_where_the_bus_does_not_answer() {
        for (answer, noted, says) in [
            (Some(false), Some(true), Some(false)),
            (Some(true), Some(false), Some(true)),
            (None, Some(true), Some(true)),
            (None, None, None),
        ] {
            let mut clock = Clock::default();
            let ask = || std::future::ready(answer);
            assert_eq!(clock.says(ask, noted), noted, "it has not answered yet");
            tokio::time::sleep(LEAST_INTERVAL).await;
            assert_eq!(clock.says(ask, noted), says, "{answer:?} {noted:?}");
        }
    }
}
