//! Which services a command is for, and where their workflows are.
//!
//! Where to: the flags, else the dixmgr that runs on this machine, else the file.

use crate::admin::FileWindows;
use crate::exit::Failure;
use crate::state_dir::{self, Running};
use crate::temporal::{Endpoint, Tls, connect};
use anyhow::{Context, anyhow};
use clap::Args;
use dixmgr_contract::{HostName, UnitState};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use temporalio_client::Client;

/// Where the services are.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The configuration that names the services [default: those of the dixmgr that runs here]
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    #[command(flatten)]
    here: Here,
    /// Frontend of the Temporal cluster
    #[arg(long, value_name = "HOST:PORT")]
    temporal_host: Option<String>,
    /// Its namespace
    #[arg(long, value_name = "NAME")]
    temporal_namespace: Option<String>,
}

/// Which dixmgr of this machine.
#[derive(Debug, Args)]
pub(super) struct Here {
    /// Whose services, if several hosts' state is on this machine
    #[arg(long, value_name = "NAME")]
    host: Option<HostName>,
    /// Where the dixmgr that runs here remembers
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Here {
    /// What it has left word of; `None` if none runs.
    fn running(&self) -> Result<Option<Running>, Failure> {
        let (root, host) = self.place()?;
        Ok(state_dir::running(&state_dir::folder(&root, &host, false)))
    }

    /// Where it remembers, and its name.
    pub(super) fn place(&self) -> Result<(PathBuf, HostName), Failure> {
        let host = crate::host::name(self.host.clone())?;
        Ok((self.state_dir.clone().unwrap_or_else(state_dir::default_root), host))
    }

    /// The address of its admin server, and somebody to ask it.
    pub(super) fn admin(&self) -> Result<(String, reqwest::Client), Failure> {
        let running =
            self.running()?.ok_or_else(|| anyhow!("no dixmgr runs here; is -host or -state-dir another one?"))?;
        let off = || anyhow!("the dixmgr that runs here has no admin server; start it without -metrics=false");
        Ok((running.admin.ok_or_else(off)?, http().context("cannot ask over HTTP")?))
    }
}

fn http() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build()
}

impl At {
    /// Where the dixmgr of this machine remembers, and its name.
    pub(super) fn here(&self) -> Option<(PathBuf, HostName)> {
        self.here.place().ok()
    }

    /// The maintenance windows of the file that is given, else of the dixmgr that runs here.
    ///
    /// # Errors
    /// None is given, and none runs here that could tell.
    pub(super) async fn windows_of_the_file(&self) -> Result<FileWindows, Failure> {
        if let Some(file) = &self.conf {
            let config = dixmgr_model::load(file).map_err(|errors| Failure::Config(errors.to_string()))?;
            return Ok(FileWindows::of(&config));
        }
        let (admin, http) = self.here.admin()?;
        let answer = http.get(format!("{admin}/api/v1/maintenance")).send().await;
        let body =
            answer.and_then(reqwest::Response::error_for_status).context("the dixmgr that runs here cannot say")?;
        let body = body.bytes().await.context("the dixmgr that runs here broke off")?;
        Ok(serde_json::from_slice(&body).context("dixmgr's answer is not understood")?)
    }

    /// The configuration, if one is given.
    pub(super) fn conf(&self) -> Option<&Path> {
        self.conf.as_deref()
    }
}

/// A service and where its workflow is.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) workflow_id: String,
}

/// Connects, and finds the workflows of the services that were named.
pub(super) async fn find(at: &At, names: &[String]) -> Result<(Client, Vec<Target>), Failure> {
    let (client, config, running) = reach(at).await?;
    let known = match &config {
        Some(config) => {
            config.services.iter().map(|one| (one.spec.name.to_string(), one.origin.workflow_id())).collect()
        }
        None => {
            let seen = from_agent(running.as_ref()).await.unwrap_or_default();
            seen.into_iter().map(|one| (one.name, one.workflow_id)).collect()
        }
    };
    Ok((client, choose(known, names)?))
}

/// Connects, for a question to the whole fleet.
pub(super) async fn client(at: &At) -> Result<Client, Failure> {
    Ok(reach(at).await?.0)
}

async fn reach(at: &At) -> Result<(Client, Option<dixmgr_model::Config>, Option<Running>), Failure> {
    let running = at.here.running()?;
    let config = match &at.conf {
        Some(file) => Some(dixmgr_model::load(file).map_err(|errors| Failure::Config(errors.to_string()))?),
        None => None,
    };
    let endpoint = endpoint(at, config.as_ref(), running.as_ref())?;
    let client =
        connect(&endpoint, None).await.with_context(|| format!("cannot ask Temporal at {}", endpoint.address))?;
    Ok((client, config, running))
}

fn endpoint(at: &At, config: Option<&dixmgr_model::Config>, running: Option<&Running>) -> Result<Endpoint, Failure> {
    let file = config.map(|config| &config.temporal);
    let address = at
        .temporal_host
        .clone()
        .or_else(|| running.map(|r| r.temporal.clone()))
        .or_else(|| file.and_then(|f| f.hostport.clone()));
    let namespace = at
        .temporal_namespace
        .clone()
        .or_else(|| running.map(|r| r.namespace.clone()))
        .or_else(|| file.and_then(|f| f.namespace.clone()));
    if address.is_none() && config.is_none() {
        let text = "no dixmgr runs here that could tell where Temporal is; give -conf FILE, or -temporal-host and -temporal-namespace";
        return Err(Failure::Failed(anyhow!(text)));
    }
    let tls = file.map_or_else(Tls::default, |file| Tls {
        ca: file.tls_ca.clone(),
        cert: file.tls_cert.clone(),
        key: file.tls_key.clone(),
        api_key: file.api_key.clone(),
    });
    Ok(Endpoint {
        address: address.unwrap_or_else(|| "localhost:7233".to_owned()),
        namespace: namespace.unwrap_or_else(|| "dotidx".to_owned()),
        task_queue: String::new(),
        prefix: String::new(),
        identity: who(),
        tls,
        create_namespace: false,
        take_over: false,
        trouble: std::sync::Arc::default(),
        backlog: std::sync::Arc::default(),
    })
}

/// A service as the dixmgr that runs here sees it.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    pub(super) name: String,
    workflow_id: String,
    /// Absent until systemd has been asked.
    pub(super) state: Option<UnitState>,
}

/// What the dixmgr that runs here sees by itself: all there is to say while Temporal cannot be reached.
pub(super) async fn seen_here(at: &At) -> Vec<Seen> {
    let Ok(running) = at.here.running() else { return Vec::new() };
    from_agent(running.as_ref()).await.unwrap_or_default()
}

async fn from_agent(running: Option<&Running>) -> Option<Vec<Seen>> {
    let admin = running?.admin.as_ref()?;
    let body = http().ok()?.get(format!("{admin}/api/v1/services")).send().await.ok()?.bytes().await.ok()?;
    serde_json::from_slice(&body).ok()
}

fn choose(known: BTreeMap<String, String>, names: &[String]) -> Result<Vec<Target>, Failure> {
    let target = |(name, workflow_id)| Target { name, workflow_id };
    if names.is_empty() {
        if known.is_empty() {
            return Err(Failure::Failed(anyhow!("which services? name them, or give -conf FILE")));
        }
        return Ok(known.into_iter().map(target).collect());
    }
    names
        .iter()
        .map(|name| match known.get(name) {
            Some(id) => Ok(Target { name: name.clone(), workflow_id: id.clone() }),
            None if known.is_empty() => Ok(Target { name: name.clone(), workflow_id: format!("wf.svc.{name}") }),
            None => {
                let mut nearest: Vec<_> = known.keys().collect();
                nearest.sort_by_key(|other| strsim::levenshtein(other, name));
                let hint = nearest.first().map(|other| format!("; did you mean {other}?")).unwrap_or_default();
                Err(Failure::Failed(anyhow!("no service {name:?} here{hint}")))
            }
        })
        .collect()
}

/// Who gives the command, for the record.
pub(super) fn who() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "somebody".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}
