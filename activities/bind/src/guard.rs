//! What may be done on this host at all, and what comes too late.
//!
//! Whoever can write to the Temporal namespace can send any order to a host's queue. So the host trusts its own
//! configuration, not the order: a unit that is not named there is refused. And an order that was decided before one
//! that has been carried out already is refused as stale.

use dixmgr_contract::{FailureKind, Guard, ServiceName, UnitName};
use dixmgr_systemd::ActError;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The units of this host's own configuration, with the newest generation acted on.
#[derive(Debug, Default)]
pub struct Allowed(Mutex<BTreeMap<UnitName, Entry>>);

#[derive(Debug)]
struct Entry {
    service: ServiceName,
    generation: u64,
}

impl Allowed {
    /// The services that the configuration names.
    pub fn new(services: impl IntoIterator<Item = (UnitName, ServiceName)>) -> Self {
        let entries = services.into_iter().map(|(unit, service)| (unit, Entry { service, generation: 0 })).collect();
        Self(Mutex::new(entries))
    }

    /// The service of a unit, if this host supervises it.
    pub(crate) fn service(&self, unit: &UnitName) -> Result<ServiceName, ActError> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(unit).map(|entry| entry.service.clone()).ok_or_else(|| {
            let text = format!("{unit} is not in this host's configuration; add a service for it to be allowed here");
            ActError::new(FailureKind::NotAllowed, text)
        })
    }

    /// Lets an order pass once: the next one must be newer.
    pub(crate) fn admit(&self, unit: &UnitName, guard: &Guard) -> Result<(), ActError> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(unit) else { return Ok(()) };
        if guard.generation <= entry.generation {
            let text = format!(
                "this order for {unit} is from the past: its generation is {}, {} was acted on",
                guard.generation, entry.generation
            );
            return Err(ActError::new(FailureKind::Stale, text));
        }
        entry.generation = guard.generation;
        Ok(())
    }

    /// The newest generation acted on for a unit; 0 if there was none.
    pub fn generation(&self, unit: &UnitName) -> u64 {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(unit).map_or(0, |entry| entry.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(generation: u64) -> Guard {
        serde_json::from_value(serde_json::json!({"service": "api", "generation": generation})).unwrap()
    }

    #[test]
    fn only_what_is_configured_and_only_forwards() {
        let unit: UnitName = "api.service".parse().unwrap();
        let allowed = Allowed::new([(unit.clone(), "api".parse().unwrap())]);
        let other = "sshd.service".parse().unwrap();
        assert_eq!(allowed.service(&other).unwrap_err().kind, FailureKind::NotAllowed);
        assert!(allowed.admit(&unit, &guard(2)).is_ok());
        assert_eq!(allowed.admit(&unit, &guard(2)).unwrap_err().kind, FailureKind::Stale);
        assert_eq!(allowed.admit(&unit, &guard(1)).unwrap_err().kind, FailureKind::Stale);
        assert!(allowed.admit(&unit, &guard(3)).is_ok());
        assert_eq!(allowed.generation(&unit), 3);
    }
}
