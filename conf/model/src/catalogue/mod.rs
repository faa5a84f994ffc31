//! Which keys exist: the one table behind the check, the schema and the reference.
//!
//! Everything here is `const` data. A key that is added here is at once accepted, checked, documented and in the schema.

mod alerts;
mod channel;
mod root;
mod service;

pub(crate) use alerts::ALERTS;
pub(crate) use channel::{CHANNEL, CHANNEL_BELONGS, CHANNEL_NEEDS};
pub use root::ROOT;
pub(crate) use service::{BELONGS, SERVICE, TARGETS};

pub use crate::form::Form;
use dixmgr_contract::Span;
use serde_json::{Value, json};

/// A table of keys.
#[derive(Debug)]
pub struct Section {
    /// What it is for.
    pub doc: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [Key],
    /// Other keys are accepted and ignored.
    pub open: bool,
}

impl Section {
    const fn new(doc: &'static str, keys: &'static [Key]) -> Self {
        Self { doc, keys, open: false }
    }

    /// The key with that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The secret key that `name` gives the file of: `api_key` for `api_key_file`.
    pub fn secret_in_file(&self, name: &str) -> Option<&'static Key> {
        self.key(name.strip_suffix("_file")?).filter(|key| key.has_file())
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when the file does not say.
    pub preset: Preset,
    /// The file must say.
    pub required: bool,
    /// Its value is never shown, and may be given as `<name>_file` ([`Key::has_file`]).
    pub secret: bool,
    /// What it does, in a sentence.
    pub doc: &'static str,
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, preset: Preset::None, required: false, secret: false, doc }
}

impl Key {
    const fn or(mut self, literal: Literal) -> Self {
        self.preset = Preset::Default(literal);
        self
    }

    const fn or_flag(mut self, literal: Literal) -> Self {
        self.preset = Preset::Flag(literal);
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether it may be given as `<name>_file`: a secret text, or a list of them, one a line.
    pub const fn has_file(&self) -> bool {
        self.secret && !matches!(self.kind, Kind::MapOf(..))
    }
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds, both included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A length of time as `"30s"`, or in nanoseconds as a number, within bounds, both included.
    Duration {
        /// The shortest.
        min: Span,
        /// The longest.
        max: Span,
    },
    /// A number of bytes as `"1GiB"`, or as a number, within bounds, both included.
    Size {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A text of some form.
    Text(Form),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An array.
    ListOf(&'static Kind),
    /// A table whose keys are names of that form.
    MapOf(Form, &'static Kind),
    /// A table of known keys.
    Section(&'static Section),
    /// Another program's: accepted, not looked at.
    Ignored,
}

/// Where a missing key's value comes from.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// Nowhere: it stays absent.
    None,
    /// This value.
    Default(Literal),
    /// The command line's flag, whose default is this.
    Flag(Literal),
}

/// A value in the catalogue.
#[derive(Clone, Copy, Debug)]
pub enum Literal {
    /// A truth.
    Bool(bool),
    /// A number.
    Integer(i64),
    /// A text, a word, a duration or a size.
    Text(&'static str),
    /// A list of words.
    Words(&'static [&'static str]),
    /// `[]`.
    EmptyList,
    /// `{}`.
    EmptyTable,
}

impl Literal {
    /// It as JSON.
    pub fn json(self) -> Value {
        match self {
            Self::Bool(value) => json!(value),
            Self::Integer(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::Words(value) => json!(value),
            Self::EmptyList => json!([]),
            Self::EmptyTable => json!({}),
        }
    }
}

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// A duration between `min` and `max` seconds.
const fn seconds(min: u64, max: u64) -> Kind {
    Kind::Duration { min: Span::from_secs(min), max: Span::from_secs(max) }
}

const fn integer(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}
