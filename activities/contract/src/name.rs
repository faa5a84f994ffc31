//! Names that are safe by construction: once parsed, a name can go into a D-Bus path, a label or a workflow id.
//!
//! Each type refuses at its border (config, JSON, command line) what must never travel further: a slash or a newline in
//! a unit name, an empty service name. Deserialising goes through the same check as parsing.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Why a name was refused. The text names the rule, not the place: the caller knows the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than the wire allows.
    #[error("is {0} bytes long; at most {1} are allowed")]
    TooLong(usize, usize),
    /// A character outside the allowed set.
    #[error("holds {0:?}; allowed are ASCII letters, digits and {1}")]
    Character(char, &'static str),
    /// A unit without a type, such as `api` for `api.service`.
    #[error("has no unit type; write it in full, such as {0:?}")]
    NoUnitType(String),
    /// `getty@.service` is a template: systemd cannot start it.
    #[error("is a template without an instance; write {0:?}")]
    Template(String),
}

/// Types of units that can be started and stopped and whose state says "runs" or "does not".
const UNIT_TYPES: [&str; 7] = ["service", "socket", "target", "timer", "mount", "path", "slice"];
/// `UNIT_NAME_MAX` of systemd.
const UNIT_NAME_MAX: usize = 255;
const SERVICE_NAME_MAX: usize = 200;
/// RFC 1123, section 2.1: a host name has at most 255 characters.
const HOST_NAME_MAX: usize = 255;

fn check(text: &str, max: usize, extra: &'static str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > max {
        return Err(NameError::TooLong(text.len(), max));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !extra.contains(*c)) {
        Some(c) => Err(NameError::Character(c, extra)),
        None => Ok(()),
    }
}

fn check_service(text: &str) -> Result<(), NameError> {
    check(text, SERVICE_NAME_MAX, "-_.@:")
}

fn check_host(text: &str) -> Result<(), NameError> {
    check(text, HOST_NAME_MAX, "-_.")
}

/// systemd.unit(5): "ASCII letters, digits, ':', '-', '_', '.', and '\'", and '@' for instances.
fn check_unit(text: &str) -> Result<(), NameError> {
    check(text, UNIT_NAME_MAX, ":-_.\\@")?;
    match text.rsplit_once('.') {
        Some((stem, kind)) if UNIT_TYPES.contains(&kind) && !stem.is_empty() => match stem.strip_suffix('@') {
            Some(template) => Err(NameError::Template(format!("{template}@INSTANCE.{kind}"))),
            None => Ok(()),
        },
        _ => Err(NameError::NoUnitType(format!("{text}.service"))),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the rules and takes the name.
            ///
            /// # Errors
            /// The rule that `text` breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// A service's name in the plan: 1 to 200 ASCII letters, digits, `-_.@:`.
    ServiceName, check_service);
name_type!(
    /// A systemd unit's full name, instance included, such as `node@polkadot.service` (systemd.unit(5)).
    UnitName, check_unit);
name_type!(
    /// A host's name: 1 to 255 ASCII letters, digits, `-_.`.
    HostName, check_host);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_name_is_what_systemd_takes() {
        for good in ["api.service", "node-archive@polkadot-assethub.service", "a:b_c\\x2d.socket"] {
            assert_eq!(UnitName::new(good).map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "api", "../api.service", "a\nb.service", "a b.service", ".service", "x.exe", "$(id).service"] {
            assert!(UnitName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(UnitName::new("getty@.service"), Err(NameError::Template("getty@INSTANCE.service".into())));
        assert_eq!(UnitName::new("x".repeat(300)), Err(NameError::TooLong(300, 255)));
    }

    #[test]
    fn json_goes_through_the_same_check() {
        assert!(serde_json::from_str::<ServiceName>("\"a/b\"").is_err());
        assert_eq!(serde_json::to_string(&ServiceName::new("api").unwrap()).unwrap(), "\"api\"");
    }
}
