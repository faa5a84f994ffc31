//! `alerts`, `ack`, `silence`, `unsilence`, `silences`, `resolve`: what people do about incidents.

use super::fleet::{say, update, within};
use super::incidents::{self, Handle, each};
use super::print;
use super::targets::{client, who};
use super::{Output, fleet};
use crate::exit::Failure;
use crate::settings::put_channels_over;
use crate::telling::Channels;
use anyhow::Context;
use clap::Args;
use dixmgr_contract::incident::{AckArgs, ResolveArgs, SilenceArgs, UnsilenceArgs};
use dixmgr_contract::plan::INFRASTRUCTURE_ID;
use dixmgr_contract::{IncidentStatus, Matcher, Silence, Span, Time};
use dixmgr_flows::{IncidentWorkflow, InfrastructureWorkflow};
use dixmgr_model::ConfigErrors;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use temporalio_client::{Client, WorkflowExecuteUpdateOptions, WorkflowQueryOptions, WorkflowSignalOptions};

const DEADLINE: Duration = Duration::from_secs(30);

/// Something done about incidents.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// The incident, such as service_down.api; or a service: all of its incidents
    #[arg(value_name = "INCIDENT")]
    name: String,
    /// What to say about it
    #[arg(long, default_value = "")]
    comment: String,
    #[command(flatten)]
    ask: fleet::Ask,
}

/// Something that nobody is to be told of.
#[derive(Debug, Args)]
pub(crate) struct Quiet {
    /// The incident, such as service_down.api; or a service: all of its incidents. Without one give --match
    #[arg(value_name = "INCIDENT")]
    name: Option<String>,
    /// Whatever fits all of these, now and later: label=pattern or label!=pattern; labels are type, rule, service, host, kind, chain and the
    /// rule's own
    #[arg(long = "match", value_name = "MATCHER", conflicts_with = "name")]
    matchers: Vec<Matcher>,
    /// For how long, such as 2h; --match needs this or --until, an incident is silenced until it is over without them
    #[arg(long = "for", value_name = "TIME")]
    span: Option<Span>,
    /// Until when, such as 2026-11-24T06:00:00Z
    #[arg(long, value_name = "TIMESTAMP", value_parser = moment, conflicts_with = "span")]
    until: Option<Time>,
    /// Why
    #[arg(long, default_value = "")]
    comment: String,
    #[command(flatten)]
    ask: fleet::Ask,
}

fn moment(text: &str) -> Result<Time, String> {
    let way_out = "write it as in 2026-11-24T06:00:00Z, or with an offset as in 2026-11-24T07:00:00+01:00";
    Time::try_from(text.to_owned()).map_err(|_| way_out.to_owned())
}

impl Quiet {
    /// For how long; none: until the incident is over. What is silenced by its labels is never over.
    fn lasts(&self, now: Time) -> Result<Option<Span>, Failure> {
        let wrong = |what: String| Err(Failure::Usage(what));
        match (self.until, self.span) {
            (Some(until), _) if until <= now => wrong(format!("--until {until} has passed; it is {now}")),
            (Some(until), _) => Ok(Some(until.since(now))),
            (None, None) if self.name.is_none() && self.matchers.is_empty() => {
                wrong("what is not to be told? name an incident or a service, or give --match".to_owned())
            }
            (None, None) if self.name.is_none() => wrong(
                "a silence by --match would last for ever; say how long (--for 2h) or until when \
                 (--until 2026-11-24T06:00:00Z). For what comes back there is `dixmgr maintenance set`"
                    .to_owned(),
            ),
            (None, span) => Ok(span),
        }
    }
}

/// Prints the open incidents.
pub(super) async fn list(ask: &fleet::Ask) -> Result<(), Failure> {
    let client = client(&ask.at).await?;
    let (mut all, mut silent) = (Vec::new(), Vec::new());
    for found in incidents::all(&client).await? {
        match found.status {
            Ok(status) => all.push(status),
            Err(unsaid) => silent.push((found.fingerprint, unsaid)),
        }
    }
    all.sort_by(|a, b| (b.severity, a.began, &a.fingerprint).cmp(&(a.severity, b.began, &b.fingerprint)));
    if ask.output.is_json() {
        let said = all.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
        let unsaid =
            silent.iter().map(|(fingerprint, why)| json!({"fingerprint": fingerprint, "error": why.to_string()}));
        return print::json(&said.context("cannot be written as JSON")?.into_iter().chain(unsaid).collect());
    }
    let silent = silent.iter().map(|(fingerprint, why)| format!("{fingerprint:<32} {why}\n"));
    print::text(&all.iter().map(line).chain(silent).collect::<String>())
}

fn line(status: &IncidentStatus) -> String {
    let began = status.began.map_or_else(|| "-".to_owned(), |began| began.to_string());
    let acked = status.acked_by.as_ref().map(|by| format!("; {by} takes care of it")).unwrap_or_default();
    let behind = if status.affected > 0 { format!("; {} services behind it", status.affected) } else { String::new() };
    let detail = status.members.first().map(|member| member.detail.as_str()).unwrap_or_default();
    format!(
        "{:<32} {:<8} {:<12} since {began}  {detail}{acked}{behind}\n",
        status.fingerprint,
        status.severity.to_string(),
        status.phase.to_string()
    )
}

/// Somebody takes care of it.
pub(super) async fn ack(about: &About) -> Result<(), Failure> {
    let client = client(&about.ask.at).await?;
    let args = AckArgs { by: who(), comment: about.comment.clone() };
    let ack = async |handle: &Handle| {
        let options = WorkflowExecuteUpdateOptions::default();
        update(DEADLINE, handle.execute_update(IncidentWorkflow::ack, args.clone().into(), options)).await
    };
    each(&client, &about.name, &about.ask, ack).await
}

/// Nobody is to be told.
pub(super) async fn silence(quiet: &Quiet) -> Result<(), Failure> {
    let span = quiet.lasts(Time::from(SystemTime::now()))?;
    let client = client(&quiet.ask.at).await?;
    let args =
        SilenceArgs { matchers: quiet.matchers.clone(), by: who(), comment: quiet.comment.clone(), span, until: None };
    let Some(name) = &quiet.name else {
        let registry = client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID);
        let options = WorkflowExecuteUpdateOptions::default();
        let answer = registry.execute_update(InfrastructureWorkflow::silence, args.into(), options);
        let answer = update(DEADLINE, answer).await;
        let whom: Vec<_> = quiet.matchers.iter().map(ToString::to_string).collect();
        quiet.ask.record("silence", &whom.join(" "), &quiet.comment, &answer).await;
        return say(&answer?, &quiet.ask);
    };
    let silence = async |handle: &Handle| {
        let options = WorkflowExecuteUpdateOptions::default();
        update(DEADLINE, handle.execute_update(IncidentWorkflow::silence, args.clone().into(), options)).await
    };
    each(&client, name, &quiet.ask, silence).await
}

/// People are to be told again: a silence of the fleet by its id, or those of an incident.
pub(super) async fn unsilence(name: &str, ask: &fleet::Ask) -> Result<(), Failure> {
    let client = client(&ask.at).await?;
    let options = WorkflowExecuteUpdateOptions::default();
    if silences(&client).await?.iter().any(|silence| silence.id == name && silence.window.is_none()) {
        let registry = client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID);
        let args = UnsilenceArgs { silence: name.to_owned(), by: who() };
        let answer = registry.execute_update(InfrastructureWorkflow::unsilence, args.into(), options);
        let answer = update(DEADLINE, answer).await;
        ask.record("unsilence", name, "", &answer).await;
        return say(&answer?, ask);
    }
    let unsilence = async |handle: &Handle| {
        let args = UnsilenceArgs { silence: String::new(), by: who() };
        let options = WorkflowExecuteUpdateOptions::default();
        update(DEADLINE, handle.execute_update(IncidentWorkflow::unsilence, args.into(), options)).await
    };
    each(&client, name, ask, unsilence).await
}

/// Prints what is silenced in the fleet.
pub(super) async fn list_silences(ask: &fleet::Ask) -> Result<(), Failure> {
    let now = Time::from(SystemTime::now());
    let mut all = silences(&client(&ask.at).await?).await?;
    // Windows have a list of their own, which says when they are open.
    all.retain(|silence| silence.window.is_none() && silence.until.is_none_or(|until| until > now));
    if ask.output.is_json() {
        return print::json(&serde_json::to_value(&all).context("cannot be written as JSON")?);
    }
    let line = |silence: &Silence| {
        let matchers: Vec<_> = silence.matchers.iter().map(ToString::to_string).collect();
        let until = silence.until.map_or_else(|| "for ever".to_owned(), |until| format!("until {until}"));
        format!("{:<10} {:<40} {until}, by {}  {}\n", silence.id, matchers.join(" "), silence.by, silence.comment)
    };
    print::text(&all.iter().map(line).collect::<String>())
}

/// Says that it is over. What is still wrong is told anew within an hour, or when it changes.
pub(super) async fn resolve(name: &str, ask: &fleet::Ask) -> Result<(), Failure> {
    let client = client(&ask.at).await?;
    let resolve = async |handle: &Handle| {
        let args = ResolveArgs { member: None, by: who() };
        within(handle.signal(IncidentWorkflow::resolve, args.into(), WorkflowSignalOptions::default())).await?;
        Ok("it is over; what is still wrong is told anew within an hour, or when it changes".to_owned())
    };
    each(&client, name, ask, resolve).await
}

async fn silences(client: &Client) -> Result<Vec<Silence>, Failure> {
    let registry = client.get_workflow_handle::<InfrastructureWorkflow>(INFRASTRUCTURE_ID);
    within(registry.query(InfrastructureWorkflow::silences, (), WorkflowQueryOptions::default())).await
}

/// Tells one channel of a configuration something, to see whether it arrives.
#[derive(Debug, Args)]
pub(crate) struct Trial {
    /// The channel's name
    channel: String,
    /// The configuration
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// As dixmgr is started with: the channel `slack`
    #[arg(long, value_name = "URL")]
    slack_webhook: Option<String>,
    /// As dixmgr is started with: the channel `webhook`
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Trial {
    /// The channels of the file, and those of the flags over them.
    fn channels(&self) -> Result<Channels, Failure> {
        let wrong = |errors: ConfigErrors| Failure::Config(errors.to_string());
        if self.conf.is_none() && self.slack_webhook.is_none() && self.webhook_url.is_none() {
            let way_out = "whose channels? give the configuration (-conf FILE), or the flag that makes the channel when dixmgr is started \
                           with it (-webhook-url URL, -slack-webhook URL)";
            return Err(Failure::Usage(way_out.to_owned()));
        }
        // What flags make does not depend on what is supervised, but a configuration supervises something.
        let none = || dixmgr_model::parse("[services.any]\nunit = \"any.service\"", "the flags", &|_| None);
        let mut config = self.conf.as_deref().map_or_else(none, dixmgr_model::load).map_err(wrong)?;
        put_channels_over(self.slack_webhook.as_deref(), self.webhook_url.as_deref(), &mut config.alerts);
        crate::telling::channels(&config).map_err(wrong)
    }
}

/// Delivers a test note, from here and without Temporal.
pub(super) async fn test(trial: &Trial) -> Result<(), Failure> {
    let delivery = crate::telling::test(&trial.channels()?, &trial.channel, &who()).await?;
    if trial.output.is_json() {
        return print::json(&serde_json::to_value(&delivery).context("cannot be written as JSON")?);
    }
    crate::telling::said(&trial.channel, &delivery).and_then(|text| print::text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct One {
        #[command(flatten)]
        quiet: Quiet,
    }

    fn lasts(arguments: &[&str]) -> Result<Option<Span>, String> {
        let now = Time::try_from("2026-11-24T06:00:00Z".to_owned()).unwrap();
        let one = One::try_parse_from([&["silence"], arguments].concat()).map_err(|error| error.to_string())?;
        one.quiet.lasts(now).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_silence_has_an_end_of_its_own_or_that_of_its_incident() {
        let hours = |hours: u64| Ok(Some(Span::from_secs(hours * 3_600)));
        assert_eq!(lasts(&["service_down.api"]), Ok(None));
        assert_eq!(lasts(&["service_down.api", "--for", "2h"]), hours(2));
        assert_eq!(lasts(&["--match", "service=api", "--for", "2h"]), hours(2));
        assert_eq!(lasts(&["--match", "service=api", "--until", "2026-11-24T08:00:00Z"]), hours(2));
        assert_eq!(lasts(&["api", "--until", "2026-11-24T08:00:00+01:00"]), hours(1));
    }

    #[test]
    fn a_silence_that_cannot_be_says_the_way_out() {
        for (arguments, way_out) in [
            (&["--match", "service=api"][..], "--for 2h"),
            (&[], "name an incident or a service, or give --match"),
            (&["api", "--until", "2026-11-24T05:00:00Z"], "has passed; it is 2026-11-24T06:00:00.000Z"),
            (&["api", "--until", "tomorrow"], "write it as in 2026-11-24T06:00:00Z"),
            (&["api", "--until", "2026-11-24T08:00:00Z", "--for", "2h"], "cannot be used with"),
        ] {
            let said = lasts(arguments).unwrap_err();
            assert!(said.contains(way_out), "{arguments:?}: {said}");
        }
    }
}
