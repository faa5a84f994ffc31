//! What people see of a host.

use super::HostLease;
use dixmgr_contract::host::HostStatus;

impl HostLease {
    /// The answer of the query `status`.
    pub fn status(&self) -> HostStatus {
        HostStatus {
            host: self.host.clone(),
            phase: self.phase.name(),
            since: self.since,
            holder: self.holder.clone(),
            lost_count: self.lost_count,
            refused: self.refused.clone(),
            input_error: None,
        }
    }

    /// The number of the lease that is open; 0 before the first step.
    pub const fn lease(&self) -> u64 {
        self.lease
    }
}
