//! One answer to one verdict.
//!
//! Everything that is expected must be met: the status, a text, a value in JSON, a condition. Only then does it matter
//! whether the answer was slow or the certificate ends soon, which is degraded, not down. No word of the answer is in the
//! reason but numbers: it may repeat a secret.

use super::json::{NotJson, json};
use super::json_path::JsonPath;
use crate::condition::{Condition, Kind, Val};
use dixmgr_contract::{CheckState, Span};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// What a condition of an HTTP check may speak of.
///
/// `body` is text to whoever takes it for text, and what it says in JSON to everybody else; the names of `headers` are in
/// lower case; `certificate_expires_in` is there with TLS only.
pub const NAMES: [(&str, Kind); 5] = [
    ("status", Kind::Number),
    ("body", Kind::Any),
    ("headers", Kind::Map),
    ("duration", Kind::Span),
    ("certificate_expires_in", Kind::Span),
];

/// What came back from an HTTP endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// 100 to 999.
    pub status: u16,
    /// By name in lower case; those that came several times are joined by `, `.
    pub headers: &'a BTreeMap<String, String>,
    /// What was read of it.
    pub body: &'a [u8],
    /// That is all of it.
    pub is_whole: bool,
    /// How long it took.
    pub duration: Duration,
    /// Of the server's certificate, if there was one.
    pub certificate_expires_in: Option<Duration>,
}

/// What is expected of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// This status; absent: any 2xx.
    pub status: Option<u16>,
    /// The body holds this; empty: anything.
    pub contains: String,
    /// The value there means well.
    pub json_path: Option<JsonPath>,
    /// It is true; compiled over [`NAMES`].
    pub condition: Option<Condition>,
    /// What is more than met.
    pub budget: Budget,
}

/// What an endpoint of any kind may take, and keep, before it counts as degraded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The longest that an answer may take.
    pub latency: Option<Span>,
    /// How long the certificate must still be valid.
    pub certificate_min: Option<Span>,
}

impl Budget {
    /// The verdict on what is otherwise as it should be.
    pub fn judge(self, duration: Duration, certificate_expires_in: Option<Duration>) -> (CheckState, String) {
        if let Some(latency) = self.latency
            && duration > latency.duration()
        {
            let took = Span::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
            return (CheckState::Degraded, format!("it took {took}, more than {latency}"));
        }
        if let (Some(min), Some(left)) = (self.certificate_min, certificate_expires_in)
            && left < min.duration()
        {
            return (CheckState::Degraded, format!("the certificate ends in {}, less than {min}", rough(left)));
        }
        (CheckState::Healthy, String::new())
    }
}

/// Whole hours, or seconds if there are few.
fn rough(left: Duration) -> Span {
    let seconds = left.as_secs();
    Span::from_secs(if seconds > 7_200 { seconds / 3_600 * 3_600 } else { seconds })
}

impl Expectation {
    /// Whether the verdict depends on the body.
    pub fn needs_body(&self) -> bool {
        let by_condition = self.condition.as_ref().is_some_and(|condition| condition.uses("body"));
        by_condition || !self.contains.is_empty() || self.json_path.is_some()
    }

    /// Whether the verdict depends on the headers.
    pub fn needs_headers(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.uses("headers"))
    }

    /// The verdict, and why it is not better.
    pub fn judge(&self, answer: &Answer<'_>) -> (CheckState, String) {
        match self.objection(answer) {
            Some(reason) => (CheckState::Unhealthy, reason),
            None => self.budget.judge(answer.duration, answer.certificate_expires_in),
        }
    }

    fn objection(&self, answer: &Answer<'_>) -> Option<String> {
        // A condition that speaks of the status says itself which one is meant.
        let is_said = self.condition.as_ref().is_some_and(|condition| condition.uses("status"));
        match self.status {
            Some(status) if status != answer.status => {
                return Some(format!("HTTP {} instead of {status}", answer.status));
            }
            None if !is_said && !(200..300).contains(&answer.status) => {
                return Some(format!("HTTP {}{}", answer.status, hint(answer.status)));
            }
            _ => {}
        }
        if !self.needs_body() {
            return self.condition_objects(answer, "", None);
        }
        let text = String::from_utf8_lossy(answer.body);
        if !text.contains(&self.contains) {
            return Some(format!("the body does not hold the text that is expected{}", cut(answer)));
        }
        if self.json_path.is_none() && self.condition.as_ref().is_none_or(|condition| !condition.uses("body")) {
            return self.condition_objects(answer, "", None);
        }
        let json = match json(answer.body) {
            Err(NotJson::TooLarge) => {
                return Some(format!("the body holds more values than are judged{}", cut(answer)));
            }
            json => json.ok(),
        };
        match (&self.json_path, &json) {
            (Some(_), None) => return Some(format!("the body is not JSON{}", cut(answer))),
            (Some(path), Some(json)) => {
                if let Err(why) = path.judge(json) {
                    return Some(why);
                }
            }
            (None, _) => {}
        }
        self.condition_objects(answer, &text, json.as_ref())
    }

    fn condition_objects(&self, answer: &Answer<'_>, text: &str, json: Option<&Value>) -> Option<String> {
        let condition = self.condition.as_ref()?;
        let values = [
            ("status", Val::Int(i64::from(answer.status))),
            ("body", Val::Body { text, json }),
            ("headers", Val::Map(answer.headers)),
            ("duration", Val::span(answer.duration)),
            ("certificate_expires_in", answer.certificate_expires_in.map_or(Val::Null, Val::span)),
        ];
        let known = if answer.certificate_expires_in.is_some() { &values[..] } else { &values[..values.len() - 1] };
        match condition.holds(known) {
            Ok(true) => None,
            Ok(false) => Some("the condition is false".to_owned()),
            Err(why) => Some(format!("the condition cannot be told: {why}{}", cut(answer))),
        }
    }
}

fn cut(answer: &Answer<'_>) -> String {
    if answer.is_whole { String::new() } else { format!(" (only its first {} bytes are judged)", answer.body.len()) }
}

const fn hint(status: u16) -> &'static str {
    match status {
        301 | 302 | 303 | 307 | 308 => ": it leads elsewhere, further than `redirects` allows",
        401 | 407 => ": it wants to know who asks",
        _ => "",
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
