//! What people see of a service.

use super::Service;
use super::phase::{By, Phase, StoppedBy, Why};
use dixmgr_contract::{LOGIC_VERSION, RestartCount, ServiceName, ServiceStatus, Time};

impl Service {
    /// The answer of the query `status` at `now`.
    pub fn status(&self, now: Time) -> ServiceStatus {
        let policy = &self.spec.policy.restart;
        let next_at = match &self.phase {
            Phase::BackingOff { not_before } => Some(*not_before),
            Phase::Exhausted { until } => *until,
            _ => None,
        };
        ServiceStatus {
            name: self.spec.name.clone(),
            unit: self.spec.unit.clone(),
            host: self.spec.host.clone(),
            phase: self.phase.name(),
            detail: self.full_detail(),
            since: self.since,
            generation: self.generation,
            revision: self.revision,
            restarts: RestartCount {
                in_window: self.budget.in_window(policy, now),
                total: self.budget.total(),
                next_at,
            },
            last_failure: self.last_failure.clone(),
            waiting_for: self.awaited(),
            after: self.spec.after.iter().map(|dependency| dependency.name.clone()).collect(),
            paused_by: match &self.phase {
                Phase::Paused { by, .. } => Some(by.clone()),
                _ => None,
            },
            logic_version: LOGIC_VERSION,
            input_error: None,
        }
    }

    fn full_detail(&self) -> String {
        let claimed = self.claimed_by.as_ref().map(|other| format!("host {other} has it in its file too"));
        let parts = [Some(self.detail()).filter(|detail| !detail.is_empty()), claimed];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn awaited(&self) -> Vec<ServiceName> {
        let seen = self.seen.as_ref().filter(|_| matches!(self.phase, Phase::Waiting { .. }));
        seen.map(|seen| self.missing(seen)).unwrap_or_default()
    }

    fn detail(&self) -> String {
        match &self.phase {
            Phase::Unknown { .. } if self.host_lost => {
                let host = self.spec.host.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("host {host} is lost")
            }
            Phase::Unknown { absent: true } => format!("{} does not exist on its host", self.spec.unit),
            Phase::Unknown { absent: false } => "no observation yet".to_owned(),
            Phase::Starting { by: By::Others } => "somebody starts it".to_owned(),
            Phase::Restarting { by: By::Others } => "systemd restarts it by itself".to_owned(),
            // Who waits says of what it suffers, if it runs.
            Phase::Degraded | Phase::Waiting { .. } => {
                let seen = self.seen.as_ref().filter(|seen| seen.unit.is_up());
                seen.and_then(super::Seen::complaint).unwrap_or_default()
            }
            Phase::Down { why } => why.to_string(),
            Phase::Paused { reason, .. } => reason.clone(),
            Phase::Stopped { by, .. } => match by {
                StoppedBy::Job => "stopped through systemd",
                StoppedBy::Command => "stopped by command",
                StoppedBy::Dependency => "stopped because a dependency was lost",
                StoppedBy::Nobody => "never started, and `start` is off",
                StoppedBy::Mask => "its unit is masked",
            }
            .to_owned(),
            _ => String::new(),
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settling { until } => write!(f, "settling until {until}"),
            Self::Held => f.write_str("a job of somebody else's is on the unit"),
            Self::Ending => f.write_str("its process has ended"),
            Self::Prevented { code, .. } => write!(f, "not restarted after exit code {code}"),
            Self::Broken => f.write_str("systemd cannot load the unit"),
            Self::Answered { message, .. } => f.write_str(message),
            Self::Observing { .. } => f.write_str("a dry run takes no action"),
        }
    }
}
