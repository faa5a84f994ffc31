//! By what an incident's workflow is found: the search attributes with which it begins. Its severity is its own to say, and changes.
//!
//! Whoever comes first begins it: a member, which says of itself what is known of it; or a consequence, which knows of its cause no
//! more than the fingerprint.

use dixmgr_contract::id::{ATTRIBUTE_CHAIN, ATTRIBUTE_HOST, ATTRIBUTE_KIND, ATTRIBUTE_SERVICE};
use dixmgr_contract::{Group, MemberReport};
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};

/// Those of an incident that begins with this member.
pub(crate) fn of_member(report: &MemberReport) -> SearchAttributes {
    let known = [
        (ATTRIBUTE_HOST, report.host.as_ref().map(ToString::to_string)),
        (ATTRIBUTE_SERVICE, report.service.as_ref().map(ToString::to_string)),
        (ATTRIBUTE_KIND, Some(report.kind.clone()).filter(|kind| !kind.is_empty())),
        (ATTRIBUTE_CHAIN, Some(report.chain.clone()).filter(|chain| !chain.is_empty())),
    ];
    let updates = known
        .into_iter()
        .filter_map(|(name, value)| Some(SearchAttributeKey::<String>::keyword(name).value_set(value?)));
    SearchAttributes::new(updates)
}

/// Those of an incident of which only the fingerprint is known.
pub(crate) fn of_fingerprint(fingerprint: &str) -> SearchAttributes {
    let nothing = MemberReport::default();
    of_member(&match Group::of_fingerprint(fingerprint) {
        Some(Group::Service(service)) => MemberReport { service: Some(service), ..nothing },
        Some(Group::Host(host)) => MemberReport { host: Some(host), ..nothing },
        Some(Group::Chain(chain)) => MemberReport { chain, ..nothing },
        Some(Group::Fleet) | None => nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_that_its_consequence_begins_is_found_by_what_it_is_of() {
        let found =
            |fingerprint: &str, name| of_fingerprint(fingerprint).get(&SearchAttributeKey::<String>::keyword(name));
        assert_eq!(found("health_check_failed.api", ATTRIBUTE_SERVICE).as_deref(), Some("api"));
        assert_eq!(found("host_lost.host.alpha", ATTRIBUTE_HOST).as_deref(), Some("alpha"));
        assert_eq!(found("sync_stalled.chain.polkadot", ATTRIBUTE_CHAIN).as_deref(), Some("polkadot"));
        assert!(of_fingerprint("service_paused.fleet").is_empty());
        let api = MemberReport { service: "api".parse().ok(), ..MemberReport::default() };
        assert_eq!(
            of_fingerprint("service_down.api").keys().collect::<Vec<_>>(),
            of_member(&api).keys().collect::<Vec<_>>()
        );
    }
}
