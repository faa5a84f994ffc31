//! Incidents and notes, as they are recorded.

use super::{History, now};
use dixmgr_contract::{Delivery, IncidentNews, IncidentRecord, IncidentStatus, NotifyArgs, ServiceName, Time};
use dixmgr_history::{Action, Incident, Member, Record, Told};

impl History {
    /// Something happened to an incident.
    pub(crate) fn incident(&self, news: &IncidentNews) {
        if let Some(incident) = incident(news) {
            self.record(Record::Incident(incident));
        }
        self.are_part(&news.status.id, news.services.iter(), news.at);
        if let IncidentRecord::Operator { by, text } = &news.record {
            self.record(Record::Action(Action {
                service: service(&news.status),
                at: news.at,
                who: by.clone(),
                action: "incident".to_owned(),
                detail: format!("{}: {text}", news.status.id),
                result: "done".to_owned(),
            }));
        }
    }

    /// A note was delivered to a channel, or was not.
    pub(crate) fn told(&self, args: &NotifyArgs, delivery: &Delivery) {
        let (tries, note) = (u64::from(args.attempt), &args.note);
        self.record(Record::Told(Told::new(note, &args.channel, delivery, tries, now())));
        // Each try of a note is of the same.
        let members = note.members.iter().filter(|_| args.attempt <= 1);
        self.are_part(&note.incident, members.filter_map(|member| member.service.as_ref()), now());
    }

    /// These are or were part of the incident with this id.
    fn are_part<'a>(&self, incident: &str, services: impl Iterator<Item = &'a ServiceName>, at: Time) {
        for service in services {
            let (incident, service) = (incident.to_owned(), service.to_string());
            self.record(Record::Member(Member { incident, service, at }));
        }
    }
}

/// The incident as a row, which is known by its beginning; nothing if it has not begun, or what happens belongs to one that is
/// closed: a note that is given up late, a silence of what is only a consequence.
fn incident(news: &IncidentNews) -> Option<Incident> {
    let status = &news.status;
    let (began, ended, acked_by) = match (&news.record, status.began) {
        (_, Some(began)) => (began, status.ended, &status.acked_by),
        // Without a dedupe window it is forgotten with its end.
        (IncidentRecord::Ended { lasted, acked_by, .. }, None) => (news.at.earlier(*lasted), Some(news.at), acked_by),
        (_, None) => return None,
    };
    Some(Incident {
        id: status.id.clone(),
        began,
        updated: news.at,
        ended,
        alert: status.alert.clone(),
        severity: status.severity,
        service: service(status),
        title: title(news),
        members: status.firing.max(parts(news) as u64),
        acknowledged_by: acked_by.clone().unwrap_or_default(),
    })
}

/// The service that stands for it: its first member.
fn service(status: &IncidentStatus) -> String {
    status.members.first().and_then(|one| one.service.as_ref()).map(ToString::to_string).unwrap_or_default()
}

/// How many are or were part of it. The status names the first hundred alone; a host that is lost is no service.
fn parts(news: &IncidentNews) -> usize {
    news.services.len().max(news.status.members.len())
}

fn title(news: &IncidentNews) -> String {
    let Some(first) = news.status.members.first() else { return news.status.fingerprint.clone() };
    let more = parts(news) - 1;
    if more == 0 { first.detail.clone() } else { format!("{}, and {more} more", first.detail) }
}
