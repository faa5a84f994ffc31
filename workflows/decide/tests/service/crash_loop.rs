//! A unit that dies whenever it is started.

use crate::{dead, spec};
use dixmgr_contract::activity::ReportKind;
use dixmgr_contract::{Policy, Span, Time};
use dixmgr_decide::{Action, Event, Outcome, Service};

/// An honest host whose unit dies at once after every start, and a driver that ticks when asked to.
pub(crate) struct CrashLoop {
    pub(crate) restarts: Vec<Time>,
    pub(crate) exhausted: usize,
}

impl CrashLoop {
    pub(crate) fn run(policy: Policy, seed: u64, steps: usize) -> Self {
        let mut now = Time::from_unix_millis(1_000_000);
        let mut service = Service::new(spec(policy), seed, now);
        let mut result = Self { restarts: Vec::new(), exhausted: 0 };
        let mut run = 0;
        let mut pending = vec![dead(&service, 1, 0)];
        for _ in 0..steps {
            let event = pending.pop().unwrap_or_else(|| {
                now = service.wake_at().map_or(now, |at| now.max(at));
                Event::Tick
            });
            for action in service.step(event, now) {
                match action {
                    Action::Act(order) => {
                        result.restarts.push(now);
                        run += 1;
                        let revision = run + 1;
                        now = now.after(Span::from_millis(10));
                        pending.push(dead(&service, revision, run));
                        pending.push(Event::Done { generation: order.guard.generation, outcome: Outcome::Ok });
                    }
                    Action::Report(report) if report.kind == ReportKind::Exhausted => result.exhausted += 1,
                    _ => {}
                }
            }
        }
        result
    }
}
