//! The forms a text may have, and what is said when it does not.
//!
//! A complaint about a value that came from the environment or is a secret does not repeat it.

use crate::problem::Complaint;
use dixmgr_contract::{HostName, Matcher, ServiceName, TimeOfDay, UnitName};
use dixmgr_decide::{
    check::{JsonPath, judge::NAMES},
    condition::Condition,
};
use std::{
    fmt::Display,
    net::{IpAddr, Ipv6Addr},
};

/// Longest text of any form, in bytes, after `${…}` was filled in.
pub(crate) const MAX_TEXT: usize = 64 * 1024;
const MAX_LINE: usize = 4_096;
const MAX_WORD: usize = 200;
const MAX_CHAIN: usize = 64;
const MAX_DOMAIN: usize = 253;

/// What a text must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything, also nothing.
    Any,
    /// One line, not empty.
    Line,
    /// One short line, or nothing.
    Label,
    /// One short line, not empty.
    Word,
    /// A task queue: a word without `@`, which separates the host.
    Queue,
    /// A service's name.
    Service,
    /// A systemd unit's full name.
    Unit,
    /// A host's name, or nothing.
    Host,
    /// A chain's key: letters, digits, `-_`.
    Chain,
    /// A type of alerts: letters, digits, `-_`.
    AlertType,
    /// An IP address.
    Address,
    /// `host:port`.
    HostPort,
    /// `host:port` that is connected to as it is: an IPv6 address is in brackets.
    Peer,
    /// `http://…` or `https://…`.
    Url,
    /// `sqlite`, `sqlite:FILE` or `postgres://…`.
    Store,
    /// What a label must be, as in `chain=polkadot`.
    Matcher,
    /// A time of day, as in `02:30`.
    TimeOfDay,
    /// `http://…`.
    Proxy,
    /// A host's name in the DNS.
    Domain,
    /// A path to a value in JSON, or nothing.
    JsonPath,
    /// A condition in CEL over what an HTTP check sees, or nothing.
    Condition,
    /// A file's path.
    Path,
    /// What a metric's name may begin with.
    MetricPrefix,
    /// An HTTP header's name.
    Header,
}

impl Form {
    /// What it is called, with an example where that helps.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Any => "text",
            Self::Line => "one line of text",
            Self::Label | Self::Word => "a short text",
            Self::Queue => "a task queue",
            Self::Service => "a service name",
            Self::Unit => "a unit such as `api.service`",
            Self::Host => "a host name",
            Self::Chain => "a chain's name",
            Self::AlertType => "a type of alerts",
            Self::Address => "an IP address",
            Self::HostPort | Self::Peer => "`host:port`",
            Self::Url => "a URL",
            Self::Store => "`sqlite`, `sqlite:FILE` or a `postgres://` URL",
            Self::Matcher => "a matcher such as `chain=polkadot`",
            Self::TimeOfDay => "a time of day such as `02:30`",
            Self::Proxy => "a proxy's URL",
            Self::Domain => "a host name",
            Self::JsonPath => "a JSON path such as `status.healthy`",
            Self::Condition => "a CEL expression",
            Self::Path => "a path",
            Self::MetricPrefix => "a metric prefix",
            Self::Header => "a header name",
        }
    }

    /// Checks `text`; with `private` the complaint does not repeat it.
    pub(crate) fn check(self, text: &str, private: bool) -> Result<(), Complaint> {
        let result = self.examine(text);
        if private && result.is_err() {
            return Err(Complaint::new(format!("its value is not {}", self.noun())));
        }
        result
    }

    fn examine(self, text: &str) -> Result<(), Complaint> {
        match self {
            Self::Any => bounded(text, MAX_TEXT),
            Self::Line | Self::Path => line(text, MAX_LINE),
            Self::Word => line(text, MAX_WORD),
            Self::Label if text.is_empty() => Ok(()),
            Self::Label => line(text, MAX_WORD),
            Self::Queue if text.contains('@') => {
                Err(Complaint::new(format!("{} holds '@', which separates a host's name", shown(text))))
            }
            Self::Queue => line(text, MAX_WORD),
            Self::Service => name(text, ServiceName::new(text)),
            Self::Unit => name(text, UnitName::new(text)),
            Self::Host if text.is_empty() => Ok(()),
            Self::Host => name(text, HostName::new(text)),
            Self::Chain | Self::AlertType => {
                only(text, MAX_CHAIN, |c| c.is_ascii_alphanumeric() || "-_".contains(c), "ASCII letters, digits and -_")
            }
            Self::Header => only(
                text,
                MAX_WORD,
                |c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c),
                "letters, digits and -_",
            ),
            Self::Address if text.parse::<IpAddr>().is_ok() => Ok(()),
            Self::Address => Err(Complaint::new(format!("{} is not an IP address", shown(text)))
                .hint("such as \"127.0.0.1\", or \"0.0.0.0\" for all interfaces")),
            Self::HostPort => host_port(text),
            Self::Peer => host_port(text).and_then(|()| peer(text)),
            Self::Url => url(text, &["http://", "https://"]),
            Self::Proxy => url(text, &["http://"]),
            Self::Domain => only(
                text,
                MAX_DOMAIN,
                |c| c.is_ascii_alphanumeric() || "-_.".contains(c),
                "ASCII letters, digits and -_.",
            ),
            Self::JsonPath | Self::Condition if text.trim().is_empty() => Ok(()),
            Self::JsonPath => match JsonPath::parse(text) {
                Ok(_) => Ok(()),
                Err(error) => Err(Complaint::new(format!("{} is not a JSON path: {error}", shown(text)))),
            },
            Self::Condition => match Condition::compile(text, &NAMES) {
                Ok(_) => Ok(()),
                Err(error) => Err(Complaint::new(error.to_string())),
            },
            Self::Store => store(text),
            Self::Matcher => text.parse::<Matcher>().map(|_| ()).map_err(|error| Complaint::new(error.to_string())),
            Self::TimeOfDay => text.parse::<TimeOfDay>().map(|_| ()).map_err(|error| Complaint::new(error.to_string())),
            Self::MetricPrefix if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Err(Complaint::new(format!("{} begins with a digit", shown(text))))
            }
            Self::MetricPrefix => {
                only(text, MAX_CHAIN, |c| c.is_ascii_alphanumeric() || c == '_', "ASCII letters, digits and _")
            }
        }
    }
}

/// `text` in quotes, escaped, and cut when it is long.
pub(crate) fn shown(text: &str) -> String {
    const MAX: usize = 60;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn bounded(text: &str, max: usize) -> Result<(), Complaint> {
    if text.len() > max {
        return Err(Complaint::new(format!("is {} bytes long; at most {max} are allowed", text.len())));
    }
    Ok(())
}

fn line(text: &str, max: usize) -> Result<(), Complaint> {
    if text.trim().is_empty() {
        return Err(Complaint::new("is empty"));
    }
    bounded(text, max)?;
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(Complaint::new(format!("{} holds {c:?}; control characters are not allowed", shown(text)))),
        None => Ok(()),
    }
}

fn only(text: &str, max: usize, allowed: impl Fn(char) -> bool, said: &str) -> Result<(), Complaint> {
    if text.is_empty() {
        return Err(Complaint::new("is empty"));
    }
    bounded(text, max)?;
    match text.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(Complaint::new(format!("{} holds {c:?}; allowed are {said}", shown(text)))),
        None => Ok(()),
    }
}

fn name<T>(text: &str, result: Result<T, impl Display>) -> Result<(), Complaint> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if text.is_empty() => Err(Complaint::new(error.to_string())),
        Err(error) => Err(Complaint::new(format!("{} {error}", shown(text)))),
    }
}

fn store(text: &str) -> Result<(), Complaint> {
    match text.strip_prefix("sqlite") {
        Some("") => Ok(()),
        Some(file) if file.len() > 1 && file.starts_with(':') => line(text, MAX_LINE),
        _ => {
            let hint = "\"sqlite\", \"sqlite:FILE\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"";
            url(text, &["postgres://", "postgresql://"]).map_err(|complaint| complaint.hint(hint))
        }
    }
}

fn host_port(text: &str) -> Result<(), Complaint> {
    line(text, MAX_LINE)?;
    let complaint =
        |message: &str| Complaint::new(format!("{} {message}", shown(text))).hint("such as \"localhost:7233\"");
    if text.contains("://") {
        return Err(complaint("is a URL; write host:port"));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            match host.chars().any(char::is_whitespace) {
                true => Err(complaint("holds a space")),
                false => Ok(()),
            }
        }
        _ => Err(complaint("is not host:port")),
    }
}

fn peer(text: &str) -> Result<(), Complaint> {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_fine = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.len() <= MAX_DOMAIN && host.is_ascii() && !host.contains(|c: char| ":/[]@".contains(c)),
    };
    if is_fine {
        return Ok(());
    }
    let hint = "such as \"localhost:5432\", \"192.0.2.1:5432\" or \"[2001:db8::1]:5432\"";
    Err(Complaint::new(format!("{} is not host:port", shown(text))).hint(hint))
}

fn url(text: &str, schemes: &[&str]) -> Result<(), Complaint> {
    line(text, MAX_LINE)?;
    let host = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with(['/', ':']) && !text.contains(char::is_whitespace) => {
            Ok(())
        }
        // A URL may hold a password, so it is not repeated.
        _ => Err(Complaint::new("is not a URL").hint(format!("it begins with {}", schemes.join(" or ")))),
    }
}
