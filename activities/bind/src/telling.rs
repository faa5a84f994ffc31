//! The activities by which people are told: incidents begun and fed, notes delivered, what happened written down.
//!
//! They run on any host that has alerting on. What is one incident, and who is told of it, comes from this host's
//! configuration and not from the caller; a note names its channel, and only this host knows where that is.

// The macro generates undocumented constants beside each activity.
#![allow(missing_docs)]

use crate::attributes;
use crate::beat::beating_until_stopped;
use crate::call::Call;
use crate::fleet::again;
use crate::post::{Post, PostError};
use crate::slots::Slots;
use crate::unit::failure;
use dixmgr_contract::alert::Silence;
use dixmgr_contract::host::{HostReport, HostReportKind};
use dixmgr_contract::id::{MEMO_MARK, TASK_TIMEOUT, prefix_of};
use dixmgr_contract::incident::{SIGNAL_AFFECTED, SIGNAL_MEMBER, SIGNAL_SILENCES, incident_id};
use dixmgr_contract::{
    AlertPolicy, Delivery, HostName, IncidentNews, IncidentSpec, IncidentStart, MemberReport, NotifyArgs, Raise,
    TellCause,
};
use dixmgr_notify::{Channel, DELIVERY};
use dixmgr_telemetry::events::{IncidentHappened, NoteDelivered};
use dixmgr_telemetry::{Event, Metrics};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use temporalio_client::{Client, WorkflowStartOptions};
use temporalio_common::MemoValues;
use temporalio_common::search_attributes::SearchAttributes;
use temporalio_macros::activities;
use temporalio_sdk::ApplicationFailure;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::sync::Mutex;

/// For how long the fleet's silences are taken to be what they were.
const SILENCES_LAST: Duration = Duration::from_secs(2);

/// A host that tells nobody hands a loss back for another host so many times, and so long apart; then nobody tells.
const HANDED_BACK: u32 = 8;
const HAND_OVER: Duration = Duration::from_millis(250);

/// Hears what became of each note.
pub type Told = Arc<dyn Fn(&NotifyArgs, &Delivery) + Send + Sync>;
/// Hears what happened to an incident.
pub type Happened = Arc<dyn Fn(&IncidentNews) + Send + Sync>;

/// What this host has to tell people with.
pub struct Telling {
    /// Whether this host tells anybody anything.
    pub enabled: bool,
    /// This host.
    pub host: HostName,
    /// Who is told what.
    pub policy: AlertPolicy,
    /// The channels by name.
    pub channels: BTreeMap<String, Channel>,
    /// The queue of workflows.
    pub task_queue: String,
    /// Where events go.
    pub metrics: Metrics,
    /// The history.
    pub told: Told,
    /// The history.
    pub happened: Happened,
}

/// What is silenced in the fleet, and when that was so.
struct Silences {
    at: Instant,
    all: Vec<Silence>,
}

impl Silences {
    fn now(all: Vec<Silence>) -> Option<Self> {
        Some(Self { at: Instant::now(), all })
    }
}

/// Who tells an incident something.
struct Teller {
    post: Post,
    /// Of the same family of workflows (live or dry run) as the incident is to be.
    id: String,
}

impl From<&ActivityContext> for Teller {
    fn from(ctx: &ActivityContext) -> Self {
        Self { post: Post::new(ctx.client()), id: ctx.info().workflow_id.clone().unwrap_or_default() }
    }
}

/// Tells people. Cheap to clone.
#[derive(Clone)]
pub struct TellingActivities {
    telling: Arc<Telling>,
    search_attributes: bool,
    silences: Arc<Mutex<Option<Silences>>>,
    slots: Arc<Slots>,
}

impl TellingActivities {
    /// With what this host has, and whether the search attributes may be used.
    pub fn new(telling: Arc<Telling>, search_attributes: bool) -> Self {
        let slots = Arc::new(Slots::new(telling.channels.keys()));
        Self { telling, search_attributes, silences: Arc::default(), slots }
    }
}

#[activities]
impl TellingActivities {
    /// Tells an incident how one of its members stands, and begins it if need be.
    #[activity(name = "RaiseIncidentActivity")]
    pub async fn raise(self: Arc<Self>, ctx: ActivityContext, call: Call<Raise>) -> Result<(), ActivityError> {
        let raise = call.read().map_err(failure)?;
        until_stopped(beating_until_stopped(&ctx, self.report(&Teller::from(&ctx), raise, self.telling.enabled)).await)
    }

    /// Tells an incident what is behind it, and begins it if need be.
    #[activity(name = "TellCauseActivity")]
    pub async fn tell_cause(self: Arc<Self>, ctx: ActivityContext, call: Call<TellCause>) -> Result<(), ActivityError> {
        let TellCause { cause, affected } = call.read().map_err(failure)?;
        let attributes = attributes::of_fingerprint(&cause);
        let spec = IncidentSpec::from_fingerprint(cause);
        let by = Teller::from(&ctx);
        let told = self.tell(&by, spec, attributes, SIGNAL_AFFECTED, &affected);
        until_stopped(beating_until_stopped(&ctx, told).await)
    }

    /// Delivers a note through a channel, once. Whatever comes of it is an answer.
    #[activity(name = "NotifyActivity")]
    pub async fn notify(
        self: Arc<Self>,
        ctx: ActivityContext,
        call: Call<NotifyArgs>,
    ) -> Result<Delivery, ActivityError> {
        let args = call.read().map_err(failure)?;
        let began = Instant::now();
        let delivery = match self.telling.channels.get(&args.channel) {
            Some(channel) => {
                let delivery = channel.deliver(&args.note, &args.thread, DELIVERY);
                let delivery = self.slots.within(&args.channel, delivery);
                // It may have arrived or not: it is tried again, and the note is the same.
                let stopped = || Delivery::Retry { reason: "dixmgr was stopped meanwhile".to_owned(), after: None };
                beating_until_stopped(&ctx, delivery).await.unwrap_or_else(stopped)
            }
            None => Delivery::Retry {
                reason: format!("host {} has no channel {:?} in its configuration", self.telling.host, args.channel),
                after: None,
            },
        };
        let took = began.elapsed();
        let again = args.again;
        NoteDelivered { channel: &args.channel, note: &args.note, delivery: &delivery, took, again }
            .emit(&self.telling.metrics);
        // What was not tried, or was told before, is no news.
        if !again && !matches!(delivery, Delivery::Later { .. }) {
            (self.telling.told)(&args, &delivery);
        }
        Ok(delivery)
    }

    /// Writes down what happened to an incident.
    #[activity(name = "RecordIncidentActivity")]
    pub async fn record(self: Arc<Self>, _ctx: ActivityContext, call: Call<IncidentNews>) -> Result<(), ActivityError> {
        let news = call.read().map_err(failure)?;
        IncidentHappened(&news).emit(&self.telling.metrics);
        (self.telling.happened)(&news);
        Ok(())
    }

    /// Tells every open incident what is silenced in the fleet.
    #[activity(name = "SpreadSilencesActivity")]
    pub async fn spread(self: Arc<Self>, ctx: ActivityContext, call: Call<Vec<Silence>>) -> Result<(), ActivityError> {
        let silences = call.read().map_err(failure)?;
        *self.silences.lock().await = Silences::now(silences.clone());
        let own = ctx.info().workflow_id.clone().unwrap_or_default();
        let post = Post::new(ctx.client());
        let tell = async {
            let open = post.open_incidents(prefix_of(&own)).await?;
            match post.signal_each(&open, SIGNAL_SILENCES, &silences).await.missed() {
                0 => Ok(()),
                missed => Err(PostError::Failed(format!("{missed} incidents could not be told"))),
            }
        };
        until_stopped(beating_until_stopped(&ctx, tell).await)
    }
}

impl TellingActivities {
    /// Unless it may begin one, an end is told to the incident if that is open.
    async fn report(&self, by: &Teller, raise: Raise, may_begin: bool) -> Result<(), PostError> {
        let Raise { alert, mut report, cause } = raise;
        let grouping = self.telling.policy.grouping(&alert);
        let fingerprint = grouping.fingerprint(&alert, report.service.as_ref(), report.host.as_ref(), &report.chain);
        report.cause = cause.map(|cause| self.telling.policy.cause(&cause));
        let attributes = attributes::of_member(&report);
        if !may_begin && report.alerts.is_empty() {
            return self.tell_the_end(by, &fingerprint, &report).await;
        }
        self.tell(by, IncidentSpec { fingerprint, alert }, attributes, SIGNAL_MEMBER, &report).await
    }

    /// Alerting was switched off, or a host is forgotten: what fired is over, if anybody was told of it.
    async fn tell_the_end(&self, by: &Teller, fingerprint: &str, report: &MemberReport) -> Result<(), PostError> {
        match by.post.signal(&incident_id(&by.id, fingerprint), SIGNAL_MEMBER, report).await {
            Err(PostError::NoWorkflow(_)) => Ok(()),
            told => told,
        }
    }

    /// Signals an incident, which begins with that if it is not open.
    async fn tell(
        &self,
        by: &Teller,
        spec: IncidentSpec,
        attributes: SearchAttributes,
        signal: &str,
        argument: &(impl serde::Serialize + Sync + 'static),
    ) -> Result<(), PostError> {
        if !self.telling.enabled {
            return Err(self.is_off());
        }
        let mut memo = MemoValues::new();
        memo.insert(MEMO_MARK, env!("CARGO_PKG_VERSION").to_owned());
        let id = incident_id(&by.id, &spec.fingerprint);
        let options = WorkflowStartOptions::new(self.telling.task_queue.clone(), id)
            .memo(memo)
            .maybe_search_attributes(self.search_attributes.then_some(attributes))
            .task_timeout(TASK_TIMEOUT)
            .static_summary(spec.fingerprint.clone())
            .build();
        let start = IncidentStart {
            spec,
            policy: self.telling.policy.clone(),
            silences: self.silences(&by.post, prefix_of(&by.id)).await,
            search_attributes: self.search_attributes,
        };
        by.post.begin(&start, signal, argument, options).await
    }

    /// What is silenced in the fleet. Where nobody can say, it is what it was last, or nothing: a note too many is better than one
    /// too few.
    async fn silences(&self, post: &Post, prefix: &str) -> Vec<Silence> {
        let mut known = self.silences.lock().await;
        if let Some(silences) = known.as_ref().filter(|silences| silences.at.elapsed() < SILENCES_LAST) {
            return silences.all.clone();
        }
        let asked = post.silences(prefix).await.ok().or_else(|| known.take().map(|silences| silences.all));
        let silences = asked.unwrap_or_default();
        *known = Silences::now(silences.clone());
        silences
    }

    /// Tells how this host itself stands, from outside of any workflow. `prefix` is that of a dry run, or nothing. An end is told if
    /// anybody was told of a beginning.
    ///
    /// # Errors
    /// Temporal does not take it.
    pub async fn report_own(&self, client: &Client, prefix: &str, raise: Raise) -> Result<(), String> {
        let by = Teller { post: Post::new(client.clone()), id: prefix.to_owned() };
        let is_trouble = !raise.report.alerts.is_empty();
        if is_trouble && !self.telling.enabled {
            return Ok(());
        }
        self.report(&by, raise, is_trouble).await.map_err(|error| error.to_string())
    }

    /// Hands a loss back to Temporal while another host may tell people of it, on which alerting is on.
    pub(crate) fn unless_another_should(&self, report: &HostReport, attempt: u32) -> Result<(), ActivityError> {
        let is_for_people = report.raise(0).is_some_and(|raise| !raise.report.alerts.is_empty());
        if self.telling.enabled || !is_for_people || attempt > HANDED_BACK {
            return Ok(());
        }
        let failure = ApplicationFailure::builder(self.is_off()).type_name("AlertingOff".to_owned());
        Err(ActivityError::application(failure.next_retry_delay(HAND_OVER).build()))
    }

    fn is_off(&self) -> PostError {
        PostError::Failed(format!("alerting is off on host {}", self.telling.host))
    }

    /// A host that is lost is told of like a service that is down, and its return as the end of that. Where alerting is off, nobody is
    /// told of the loss.
    pub(crate) async fn report_host(&self, ctx: &ActivityContext, report: &HostReport) -> Result<(), PostError> {
        let since = ctx.info().scheduled_time.map(dixmgr_contract::Time::from).unwrap_or_default();
        let revision = u64::try_from(since.unix_millis()).unwrap_or(0);
        match report.raise(revision) {
            Some(raise) if self.telling.enabled || raise.report.alerts.is_empty() => {
                let may_begin = self.telling.enabled && report.kind != HostReportKind::HostForgotten;
                self.report(&Teller::from(ctx), raise, may_begin).await
            }
            _ => Ok(()),
        }
    }
}

/// What is not done when dixmgr stops is tried again, elsewhere or later.
pub(crate) fn until_stopped(done: Option<Result<(), PostError>>) -> Result<(), ActivityError> {
    done.unwrap_or_else(|| Err(PostError::Failed("dixmgr was stopped meanwhile".to_owned()))).map_err(again)
}
