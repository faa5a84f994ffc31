//! What a condition computes with. Values borrow from what is looked at; nothing of a body is copied.

use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

/// A value.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fraction, or a number that is too large for a whole one.
    Double(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A length of time in nanoseconds.
    Span(i64),
    /// An object or a list in JSON; use [`Val::json`].
    Json(&'a Value),
    /// Texts by name.
    Map(&'a BTreeMap<String, String>),
    /// A body: its text, and what it says if it is JSON.
    Body {
        /// As it came.
        text: &'a str,
        /// As JSON.
        json: Option<&'a Value>,
    },
    /// What the condition itself made.
    List(Arc<Vec<Val<'a>>>),
}

impl<'a> Val<'a> {
    /// A value of JSON.
    pub fn json(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Json(value),
        }
    }

    /// A text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A length of time; one of more than 292 years is as long as that.
    pub fn span(span: Duration) -> Self {
        Self::Span(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }

    /// What kind it is, for people.
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Double(_) => "a number",
            Self::Text(_) => "a text",
            Self::Span(_) => "a length of time",
            Self::Json(Value::Array(_)) | Self::List(_) => "a list",
            Self::Json(_) | Self::Map(_) => "an object",
            Self::Body { .. } => "the body",
        }
    }

    /// The text of a text or of a body.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Body { text, .. } => Some(text),
            _ => None,
        }
    }

    /// What a body says, or the value itself.
    pub(super) fn content(self) -> Self {
        match self {
            Self::Body { json: Some(value), .. } => Self::json(value),
            other => other,
        }
    }
}
