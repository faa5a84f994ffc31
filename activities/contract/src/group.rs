//! What belongs together: which alerts of a type are one incident, and the fingerprint by which all who tell of it find it.
//!
//! The fingerprint is all that a consequence knows of its cause, and what the cause is of is read from it. A service is named as it
//! is, the others with a word before: a service of the name `fleet`, or of one that begins with `host.` or `chain.`, shares its
//! incident with that, and is read as that.

use crate::alert::{SERVICE_PAUSED, SYNC_STALLED};
use crate::{HostName, ServiceName};
use serde::{Deserialize, Serialize};

/// What alerts of one type are counted as one incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// Those of one service.
    #[default]
    Service,
    /// Those on one host.
    Host,
    /// Those of one chain.
    Chain,
    /// All.
    Fleet,
}

impl GroupBy {
    /// What alerts of a type are one incident where nobody has said so: a chain that stands still; and what one person has paused with
    /// one command and forgotten, which is all services at most.
    pub fn usual(alert: &str) -> Self {
        match alert {
            SYNC_STALLED => Self::Chain,
            SERVICE_PAUSED => Self::Fleet,
            _ => Self::Service,
        }
    }

    /// The incident's fingerprint: the type, and what it is of. Where the chain or the host is not known, or there is no
    /// service, the next smaller or larger thing stands for it.
    pub fn fingerprint(
        self,
        alert: &str,
        service: Option<&ServiceName>,
        host: Option<&HostName>,
        chain: &str,
    ) -> String {
        let of_service = || service.cloned().map(Group::Service);
        let of_host = || host.cloned().map(Group::Host);
        let of_chain = || Some(chain.to_owned()).filter(|chain| !chain.is_empty()).map(Group::Chain);
        let found = match self {
            Self::Service => of_service().or_else(of_host).or_else(of_chain),
            Self::Host => of_host().or_else(of_service).or_else(of_chain),
            Self::Chain => of_chain().or_else(of_service).or_else(of_host),
            Self::Fleet => None,
        };
        found.unwrap_or(Group::Fleet).fingerprint(alert)
    }
}

/// What an incident is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// One service.
    Service(ServiceName),
    /// All on one host, or the host itself.
    Host(HostName),
    /// All of one chain.
    Chain(String),
    /// All.
    Fleet,
}

impl Group {
    /// The fingerprint of its incident of a type.
    pub fn fingerprint(&self, alert: &str) -> String {
        match self {
            Self::Service(name) => format!("{alert}.{name}"),
            Self::Host(name) => format!("{alert}.host.{name}"),
            Self::Chain(name) => format!("{alert}.chain.{name}"),
            Self::Fleet => format!("{alert}.fleet"),
        }
    }

    /// What the incident of a fingerprint is of: the inverse of [`GroupBy::fingerprint`]. None of a text that is no fingerprint. No
    /// type has a dot: that is an error of the configuration.
    pub fn of_fingerprint(fingerprint: &str) -> Option<Self> {
        let (_, of) = fingerprint.split_once('.')?;
        match of.split_once('.') {
            _ if of == "fleet" => Some(Self::Fleet),
            Some(("host", name)) => HostName::new(name).ok().map(Self::Host),
            Some(("chain", name)) => Some(Self::Chain(name.to_owned())).filter(|_| !name.is_empty()),
            _ => ServiceName::new(of).ok().map(Self::Service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fingerprint_names_the_type_and_what_it_is_of() {
        let service = ServiceName::new("api").ok();
        let host = HostName::new("alpha").ok();
        let of = |by: GroupBy, chain: &str| by.fingerprint("high_cpu", service.as_ref(), host.as_ref(), chain);
        assert_eq!(of(GroupBy::Service, ""), "high_cpu.api");
        assert_eq!(of(GroupBy::Host, ""), "high_cpu.host.alpha");
        assert_eq!(of(GroupBy::Chain, "polkadot"), "high_cpu.chain.polkadot");
        assert_eq!(of(GroupBy::Chain, ""), "high_cpu.api");
        assert_eq!(of(GroupBy::Fleet, ""), "high_cpu.fleet");
        assert_eq!(GroupBy::Service.fingerprint("host_lost", None, host.as_ref(), ""), "host_lost.host.alpha");
        assert_eq!(GroupBy::Host.fingerprint("x", None, None, ""), "x.fleet");
    }

    #[test]
    fn what_is_no_fingerprint_is_of_nothing() {
        for text in ["", "service_down", "service_down.", "service_down.a b", "x.host.", "x.chain.", "x.host.a b"] {
            assert_eq!(Group::of_fingerprint(text), None, "{text:?}");
        }
    }

    /// Those that read like something else among them.
    fn services() -> impl Strategy<Value = ServiceName> {
        let name = prop_oneof!["[a-zA-Z0-9_.@:-]{1,20}", "(host|chain|fleet)(\\.[a-z.]{0,5})?"];
        name.prop_map(|name| ServiceName::new(name).unwrap())
    }

    fn reads_like_something_else(service: &ServiceName) -> bool {
        let name = service.as_str();
        name == "fleet" || name.starts_with("host.") || name.starts_with("chain.")
    }

    proptest! {
        #[test]
        fn what_an_incident_is_of_is_read_back_from_its_fingerprint(
            by in prop::sample::select(vec![GroupBy::Service, GroupBy::Host, GroupBy::Chain, GroupBy::Fleet]),
            alert in "[a-zA-Z0-9_-]{1,20}",
            service in prop::option::of(services()),
            host in prop::option::of("[a-zA-Z0-9_.-]{1,20}"),
            chain in "(|[^.]{1,9}(\\..{0,9})?)",
        ) {
            let host = host.map(|host| HostName::new(host).unwrap());
            let fingerprint = by.fingerprint(&alert, service.as_ref(), host.as_ref(), &chain);
            let Some(group) = Group::of_fingerprint(&fingerprint) else {
                let is_half_a_name = matches!(service.as_ref().map(ServiceName::as_str), Some("host." | "chain."));
                prop_assert!(is_half_a_name, "{fingerprint}");
                return Ok(());
            };
            prop_assert_eq!(group.fingerprint(&alert), fingerprint);
            match group {
                Group::Service(read) => prop_assert_eq!(Some(read), service),
                _ if service.as_ref().is_some_and(reads_like_something_else) => {}
                Group::Host(read) => prop_assert_eq!(Some(read), host),
                Group::Chain(read) => prop_assert_eq!(read, chain),
                Group::Fleet => prop_assert!(by == GroupBy::Fleet || (service.is_none() && host.is_none() && chain.is_empty())),
            }
        }
    }
}
