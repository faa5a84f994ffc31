//! Configuration: TOML text in, a validated [`Config`] or all of its problems out.
//!
//! One declarative [`catalogue`] says which keys exist, of what kind, with which default. From it come the check of a file
//! (every unknown key, wrong type and value out of range at once, each with its line), the JSON [`schema`] for editors and
//! the [`reference()`] for people; the three cannot drift apart. Only a checked tree is turned into types.
//!
//! Rejected: deserialising the file straight into structs. Serde stops at the first error, knows no line for a semantic one,
//! and cannot say what a misspelt key was meant to be.

mod alerts;
mod build;
pub mod catalogue;
mod channel;
mod channels;
mod check;
mod cluster;
mod config;
mod dotidx;
mod form;
mod graph;
mod load;
pub mod plan;
mod probe;
mod problem;
mod reference;
mod report;
mod rule;
pub mod schema;
mod secret;
mod service;
mod size;
mod syntax;
mod text;
mod tree;
mod value;

pub use alerts::Alerts;
pub use channel::{
    AlertmanagerChannel, Channel, ChannelRate, ChannelSettings, DiscordChannel, EmailChannel, ExecChannel,
    MatrixChannel, PagerDutyChannel, SlackChannel, SmtpTls, TelegramChannel, WebhookChannel,
};
pub use config::{Bus, Cluster, Config, History, Hosts, Metrics, Resources, Service, Systemd, Temporal};
pub use dixmgr_contract::Protocol;
pub use load::{MAX_FILE, MAX_SECRET, Outside, load, parse, parse_with};
pub use probe::{Check, DnsCheck, GrpcCheck, HttpCheck, NodeCheck, Probe, TcpCheck, Tls};
pub use problem::{ConfigErrors, Problem};
pub use reference::reference;
pub use secret::Secret;
