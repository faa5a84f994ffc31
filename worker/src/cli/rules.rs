//! `rules`: the alert rules of the dixmgr that runs on this machine, and their switches.
//!
//! They are asked of that dixmgr rather than of Temporal: rules are a host's own, and are to be switched off on the night when
//! Temporal is away as well.

use super::targets::Here;
use super::{Output, past, print};
use crate::agent::RuleView;
use crate::exit::Failure;
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which rule, and what to do with it.
#[derive(Debug, Args)]
pub(super) struct Ask {
    /// A rule
    #[arg(value_name = "NAME", requires = "to")]
    name: Option<String>,
    /// Whether it is to be evaluated; remembered over a restart
    #[arg(value_name = "on|off", hide_possible_values = true)]
    to: Option<To>,
    /// The configuration, so that a switch is recorded where it has the history kept
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    #[command(flatten)]
    here: Here,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    On,
    Off,
}

/// Shows the rules, or switches one.
pub(super) async fn run(ask: &Ask) -> Result<(), Failure> {
    let (admin, http) = ask.here.admin()?;
    let rules = format!("{admin}/api/v1/rules");
    if let (Some(name), Some(to)) = (&ask.name, ask.to) {
        let mut url = reqwest::Url::parse(&rules).context("its address is no URL")?;
        url.path_segments_mut().map_err(|()| anyhow!("its address is no URL"))?.push(name);
        url.query_pairs_mut().append_pair("on", if to == To::On { "true" } else { "false" });
        let answer = said(http.post(url)).await;
        let result = past::result(&answer);
        let action = if to == To::On { "rule-on" } else { "rule-off" };
        past::record_here(
            &ask.here.place()?,
            ask.conf.as_deref(),
            action,
            name,
            std::iter::once(("", result.as_str())),
        )
        .await;
        return answer.map(drop);
    }
    let rules: Vec<RuleView> =
        serde_json::from_str(&said(http.get(rules)).await?).context("dixmgr's answer is not understood")?;
    if ask.output.is_json() {
        return print::json(&serde_json::to_value(&rules).context("cannot be written as JSON")?);
    }
    print::text(&rules.iter().map(line).collect::<String>())
}

/// The answer, or why there is none.
async fn said(request: reqwest::RequestBuilder) -> Result<String, Failure> {
    let answer = request.send().await.context("the dixmgr that runs here does not answer")?;
    let is_well = answer.status().is_success();
    let text = answer.text().await.context("the dixmgr that runs here broke off")?;
    if is_well { Ok(text) } else { Err(Failure::Failed(anyhow!("{}", text.trim()))) }
}

fn line(rule: &RuleView) -> String {
    let RuleView { name, alert, severity, on, firing } = rule;
    let on = if *on { "on" } else { "off" };
    let firing = if *firing > 0 { format!("  fires for {firing}") } else { String::new() };
    format!("{name:<24} {on:<4} {:<9} {alert}{firing}\n", severity.as_str())
}
