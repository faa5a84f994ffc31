//! What has to hold of each action, whatever was lived through before.

use crate::life::Life;
use dixmgr_contract::policy::RestartOn;
use dixmgr_contract::{OnDependencyLoss, OnTimeout, PhaseName, Span, Verb};
use dixmgr_decide::service::Phase;
use dixmgr_decide::{Action, Event, Service};
use proptest::prelude::*;

impl Life {
    pub(crate) fn check(&mut self, action: &Action, before: &Service, event: &Event) -> Result<(), TestCaseError> {
        match action {
            Action::Act(order) => {
                let commanded = matches!(event, Event::Commanded(_));
                prop_assert!(self.orders.last().is_none_or(|last| *last < order.guard.generation), "generations grow");
                self.orders.push(order.guard.generation);
                let start = order.verb == Verb::Start;
                if let Phase::BackingOff { not_before } = before.phase() {
                    prop_assert!(commanded || !start || *not_before <= self.now, "started before not_before");
                }
                let policy = &self.service.spec.policy;
                let heals = policy.restart.restart_on.contains(&RestartOn::Probe);
                let heeds = (policy.on_dependency_loss != OnDependencyLoss::Ignore || heals) && self.up;
                prop_assert!(commanded || heeds || start, "only people, and losses, stop or restart what runs");
                let missing = usize::from(self.db_missing) + usize::from(self.far.is_none_or(|(ready, _)| !ready));
                let is_blocked = policy.dependency.mode.is_blocked(missing, 2);
                let proceeds = policy.dependency.on_timeout == OnTimeout::Proceed;
                let starts = order.verb == Verb::Start && !commanded;
                prop_assert!(!starts || !is_blocked || proceeds, "started before its dependencies");
                let heals = order.verb == Verb::Restart && order.guard.restarts_failure;
                prop_assert!(!heals || !is_blocked || proceeds, "restarted though what it comes after is not ready");
                // After it, not before: what has been given back in the same step may be spent again.
                let spent = self.service.status(self.now).restarts.in_window;
                prop_assert!(!order.guard.restarts_failure || spent <= policy.restart.max, "beyond the budget");
            }
            Action::Answer(answer) => {
                prop_assert!(self.asked.contains(&answer.id), "answers what was asked");
                prop_assert!(self.answered.insert(answer.id.clone()), "answers once");
            }
            Action::Withdraw { generation } => {
                prop_assert!(self.orders.contains(generation), "takes back what it has ordered");
            }
            Action::Raise(raise) => {
                prop_assert!(self.telling.insert(raise.alert.clone()), "one thing after the other");
                let mut news = raise.clone();
                news.report.revision = 0;
                let last = self.raised.insert(raise.alert.clone(), (self.now, news.clone()));
                let (at, before) = last.unzip();
                let revision = self.revisions.insert(raise.alert.clone(), raise.report.revision);
                prop_assert!(revision.is_none_or(|revision| revision < raise.report.revision), "revisions grow");
                let is_long_ago = at.is_some_and(|at| self.now.since(at) >= Span::from_secs(3_600));
                prop_assert!(is_long_ago || before.as_ref() != Some(&news), "an incident is told news");
                prop_assert!(before.is_some() || !news.report.alerts.is_empty(), "the end of what never began");
            }
            Action::Report(report) => prop_assert!(!report.text.is_empty()),
            Action::Tell { workflow_id, readiness } => {
                prop_assert!(readiness.revision > 0 && !workflow_id.is_empty());
            }
            Action::Subscribe(dependency) => prop_assert!(dependency.remote, "what is here need not be asked"),
            Action::Wait(spec) => {
                prop_assert_eq!(self.service.phase().name(), PhaseName::Waiting);
                prop_assert_eq!(spec.dependencies.len(), 2);
                self.wait_told.clone_from(&spec.missing);
            }
            Action::TellWait(missing) => {
                prop_assert!(self.wait_told.as_ref().is_some_and(|told| told != missing), "a wait is told news");
                self.wait_told = Some(missing.clone());
            }
            Action::End => prop_assert!(false, "nobody has retired it"),
            Action::EndWait => prop_assert_ne!(self.service.phase().name(), PhaseName::Waiting),
            Action::Publish(name) => prop_assert!(name.is_settled() || (self.lost && *name == PhaseName::Unknown)),
            Action::Checkpoint => prop_assert_eq!(self.service.phase().name(), PhaseName::Healthy),
        }
        Ok(())
    }
}
