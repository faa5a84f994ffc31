//! One answer to "what holds": a flag wins over the file, the file over the default.

use crate::cli::RunFlags;
use crate::exit::Failure;
use crate::telling::{self, Channels};
use crate::temporal::{Endpoint, Tls};
use crate::{host, state_dir};
use dixmgr_contract::HostName;
use dixmgr_contract::id::{DRY_PREFIX, dry_queue};
use dixmgr_model::{Alerts, Bus, Config, Secret};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

const DEFAULT_ADDRESS: &str = "localhost:7233";
const DEFAULT_NAMESPACE: &str = "dotidx";
const DEFAULT_METRICS_PORT: u16 = 9090;

/// Whether dixmgr acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It acts.
    Exec,
    /// It says what it would do.
    Watch,
}

/// Everything that a run needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) config: Config,
    /// The channels that this run tells people through; none if it tells nobody.
    pub(crate) channels: Channels,
    pub(crate) host: HostName,
    pub(crate) state_dir: PathBuf,
    pub(crate) endpoint: Endpoint,
    /// Where the admin server listens; `None`: not at all.
    pub(crate) admin: Option<SocketAddr>,
    /// Whether services are measured.
    pub(crate) measures: bool,
}

impl Settings {
    /// Reads the file and puts the flags over it.
    ///
    /// # Errors
    /// Everything that is wrong with the file, at once.
    pub(crate) fn new(flags: &RunFlags, mode: Mode) -> Result<Self, Failure> {
        let mut config = dixmgr_model::load(&flags.conf).map_err(|errors| Failure::Config(errors.to_string()))?;
        put_over(flags, &mut config.alerts);
        let dry = mode == Mode::Watch;
        if dry {
            config.alerts.tell_log_alone();
        }
        // Whatever is wrong with a channel is said now, and not on the night on which it is needed.
        let mut channels = telling::channels(&config).map_err(|errors| Failure::Config(errors.to_string()))?;
        channels.retain(|_, _| config.alerts.is_enabled());
        let host = host::name(flags.host.clone())?;
        config.check_host(&host).map_err(|errors| Failure::Config(errors.to_string()))?;
        let root = flags.state_dir.clone().unwrap_or_else(state_dir::default_root);
        let endpoint = endpoint(flags, &config, dry, &host);
        let admin = flags.metrics.or(config.metrics.enabled).unwrap_or(true).then(|| {
            let port = flags.metrics_port.or(config.metrics.port).unwrap_or(DEFAULT_METRICS_PORT);
            SocketAddr::new(config.metrics.listen, port)
        });
        let measures = flags.resource_monitoring.unwrap_or(true);
        let state_dir = state_dir::folder(&root, &host, dry);
        Ok(Self { mode, config, channels, host, state_dir, endpoint, admin, measures })
    }

    /// Which bus systemd is on, for messages.
    pub(crate) const fn bus(&self) -> (&'static str, dixmgr_systemd::BusKind) {
        match self.config.systemd.bus {
            Bus::System => ("system", dixmgr_systemd::BusKind::System),
            Bus::Session => ("session", dixmgr_systemd::BusKind::Session),
        }
    }
}

/// The flags of alerting over what the file says of it.
fn put_over(flags: &RunFlags, alerts: &mut Alerts) {
    alerts.enabled = flags.alerts.or(alerts.enabled);
    put_channels_over(flags.slack_webhook.as_deref(), flags.webhook_url.as_deref(), alerts);
}

/// The channels that flags name over those of the file.
pub(crate) fn put_channels_over(slack_webhook: Option<&str>, webhook_url: Option<&str>, alerts: &mut Alerts) {
    if let Some(url) = slack_webhook {
        alerts.use_slack_webhook(Secret::new(url));
    }
    if let Some(url) = webhook_url {
        alerts.use_webhook(Secret::new(url));
    }
}

fn endpoint(flags: &RunFlags, config: &Config, dry: bool, host: &HostName) -> Endpoint {
    let file = &config.temporal;
    let pick = |flag: &Option<String>, file: &Option<String>, default: &str| {
        flag.clone().or_else(|| file.clone()).unwrap_or_else(|| default.to_owned())
    };
    Endpoint {
        address: pick(&flags.temporal_host, &file.hostport, DEFAULT_ADDRESS),
        namespace: pick(&flags.temporal_namespace, &file.namespace, DEFAULT_NAMESPACE),
        task_queue: if dry { dry_queue(&file.task_queue) } else { file.task_queue.clone() },
        prefix: if dry { DRY_PREFIX.to_owned() } else { String::new() },
        identity: format!("dixmgr@{host}/{}", std::process::id()),
        tls: Tls {
            ca: file.tls_ca.clone(),
            cert: file.tls_cert.clone(),
            key: file.tls_key.clone(),
            api_key: file.api_key.clone(),
        },
        create_namespace: flags.create_namespace,
        take_over: flags.take_over,
        trouble: std::sync::Arc::default(),
        backlog: std::sync::Arc::default(),
    }
}

/// True if the admin server can be reached from other machines.
pub(crate) const fn is_public(address: IpAddr) -> bool {
    !address.is_loopback()
}
