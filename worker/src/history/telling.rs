//! Incidents and notes, as they are recorded.

use super::{History, now};
use dixmgr_contract::{Delivery, IncidentNews, IncidentRecord, IncidentStatus, NotifyArgs};
use dixmgr_history::{Action, Incident, Record, Told};

impl History {
    /// Something happened to an incident.
    pub(crate) fn incident(&self, news: &IncidentNews) {
        self.record(Record::Incident(incident(news)));
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
        let tries = u64::from(args.attempt);
        self.record(Record::Told(Told::new(&args.note, &args.channel, delivery, tries, now())));
    }
}

fn incident(news: &IncidentNews) -> Incident {
    let status = &news.status;
    Incident {
        id: status.id.clone(),
        began: status.began.unwrap_or(news.at),
        updated: news.at,
        ended: status.ended,
        alert: status.alert.clone(),
        severity: status.severity,
        service: service(status),
        title: title(status),
        members: status.firing.max(u64::try_from(status.members.len()).unwrap_or(u64::MAX)),
        acknowledged_by: status.acked_by.clone().unwrap_or_default(),
    }
}

/// The service that stands for it: its first member.
fn service(status: &IncidentStatus) -> String {
    status.members.first().and_then(|one| one.service.as_ref()).map(ToString::to_string).unwrap_or_default()
}

fn title(status: &IncidentStatus) -> String {
    let Some(first) = status.members.first() else { return status.fingerprint.clone() };
    let more = status.members.len() - 1;
    if more == 0 { first.detail.clone() } else { format!("{}, and {more} more", first.detail) }
}
