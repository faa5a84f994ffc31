//! Health checks on the wire: the two activity types of the Go version, and what any check says of its endpoint.
//!
//! The Go types keep Go's field names, durations in nanoseconds, and Go's leniency: a field may be missing or `null`, and
//! our own spelling (`url`, `json_path`, `"5s"`) is read as well. What is a secret in an input (URL, headers) is in no
//! `Debug`.
//!
//! Rejected: one type for both. Go's answer knows healthy and not; a check of ours also knows degraded, and that it could
//! not look, which is no news of the endpoint.

use crate::{Span, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, time::Duration};

/// `CheckHTTPEndpointActivity(input)` → [`HttpCheckAnswer`]; takes an [`HttpCheckInput`].
pub const CHECK_HTTP_ENDPOINT: &str = "CheckHTTPEndpointActivity";
/// `CheckHTTPEndpointSimpleActivity(url)` → bool: `GET` answers with any 2xx within [`DEFAULT_TIMEOUT`].
pub const CHECK_HTTP_ENDPOINT_SIMPLE: &str = "CheckHTTPEndpointSimpleActivity";

/// How long an answer may take where nobody says otherwise.
pub const DEFAULT_TIMEOUT: Span = Span::from_secs(5);
/// No check takes longer, whatever its input says.
pub const MAX_TIMEOUT: Span = Span::from_secs(300);
/// The longest beginning of a body that a result keeps, in bytes.
pub const MAX_KEPT_BODY: usize = 1024;

/// The argument of [`CHECK_HTTP_ENDPOINT`]. `Debug` hides the URL and the values of the headers. As in Go, how the name of a field is
/// written matters neither in its capitals nor in underscores.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "PascalCase", default)]
pub struct HttpCheckInput {
    /// Whom to ask.
    #[serde(rename = "URL", alias = "url", deserialize_with = "or_default")]
    pub url: String,
    /// The method; empty: `GET`.
    #[serde(alias = "method", deserialize_with = "or_default")]
    pub method: String,
    /// Sent along.
    #[serde(alias = "headers", deserialize_with = "or_default")]
    pub headers: BTreeMap<String, String>,
    /// The status that is healthy; 0: any 2xx.
    #[serde(alias = "expectedstatus", alias = "expectstatus", deserialize_with = "or_default")]
    pub expected_status: u16,
    /// In nanoseconds, or a text such as `"5s"`; 0: [`DEFAULT_TIMEOUT`].
    #[serde(alias = "timeout", deserialize_with = "timeout")]
    pub timeout: i64,
    /// The body must hold this; empty: anything.
    #[serde(alias = "responsecontains", alias = "contains", deserialize_with = "or_default")]
    pub response_contains: String,
    /// A value in a JSON body that must be there and healthy; empty: not looked at.
    #[serde(rename = "JSONPath", alias = "jsonpath", deserialize_with = "or_default")]
    pub json_path: String,
}

impl Serialize for HttpCheckInput {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for HttpCheckInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, Value>::deserialize(from)?;
        let plain = |name: String| name.replace('_', "").to_lowercase();
        let fields: Map<String, Value> = given.into_iter().map(|(name, value)| (plain(name), value)).collect();
        Self::deserialize(Value::Object(fields)).map_err(D::Error::custom)
    }
}

impl HttpCheckInput {
    /// How long the check may take: above zero, at most [`MAX_TIMEOUT`].
    pub fn timeout(&self) -> Span {
        match u64::try_from(self.timeout) {
            Ok(nanos) if nanos > 0 => Span::from(Duration::from_nanos(nanos)).min(MAX_TIMEOUT),
            _ => DEFAULT_TIMEOUT,
        }
    }
}

impl fmt::Debug for HttpCheckInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCheckInput")
            .field("method", &self.method)
            .field("headers", &self.headers.keys())
            .field("expected_status", &self.expected_status)
            .field("timeout", &self.timeout())
            .field("json_path", &self.json_path)
            .finish_non_exhaustive()
    }
}

/// Go writes a nil map, and anybody a thing they do not know, as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

fn timeout<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Nanoseconds(i64),
        Text(Span),
    }
    Ok(match Option::<Given>::deserialize(from)? {
        None => 0,
        Some(Given::Nanoseconds(nanos)) => nanos,
        Some(Given::Text(span)) => nanoseconds(span),
    })
}

fn nanoseconds(span: Span) -> i64 {
    i64::try_from(span.duration().as_nanos()).unwrap_or(i64::MAX)
}

/// The answer of [`CHECK_HTTP_ENDPOINT`], with Go's field names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HttpCheckAnswer {
    /// Whether it is as it should be; a slow one is.
    pub healthy: bool,
    /// 100 to 999; 0 if there was no answer.
    #[serde(default)]
    pub status_code: u16,
    /// In nanoseconds.
    #[serde(default)]
    pub response_time: i64,
    /// Its beginning, at most [`MAX_KEPT_BODY`] bytes.
    #[serde(default)]
    pub response_body: String,
    /// Why not, for people; empty if healthy.
    #[serde(default)]
    pub error: String,
    /// When the check ended.
    #[serde(default)]
    pub timestamp: Time,
}

/// What a check says of its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it should be.
    Healthy,
    /// It answers as it should, but too slowly, or with a certificate that ends soon.
    Degraded,
    /// It does not answer as it should.
    Unhealthy,
    /// We could not look, by our own fault: nothing is known of the endpoint.
    #[default]
    Unknown,
}

impl CheckState {
    /// The word on the wire and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One run of a check, of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The verdict.
    pub state: CheckState,
    /// Why it is not healthy, in one line that holds no secret; empty if it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// From the first byte sent, or the first try to connect, to the last one read.
    #[serde(default)]
    pub duration: Span,
    /// It is there: it has said something, whatever that was, over HTTP or otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of the body, at most [`MAX_KEPT_BODY`] bytes. Our own secrets in it are blotted out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// How long the server's certificate is still valid; absent without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_in: Option<Span>,
}

impl CheckResult {
    /// It in Go's words; `at` is when the check ended.
    pub fn answer(&self, at: Time) -> HttpCheckAnswer {
        let healthy = matches!(self.state, CheckState::Healthy | CheckState::Degraded);
        HttpCheckAnswer {
            healthy,
            status_code: self.status.unwrap_or(0),
            response_time: nanoseconds(self.duration),
            response_body: self.body.clone(),
            error: if healthy { String::new() } else { self.reason.clone() },
            timestamp: at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(json: serde_json::Value) -> HttpCheckInput {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn gos_spelling_and_ours_are_read_alike() {
        let go = read(json!({
            "URL": "http://a/health", "Method": "POST", "Headers": {"A": "b"}, "ExpectedStatus": 204,
            "Timeout": 1_500_000_000_i64, "ResponseContains": "ok", "JSONPath": "status",
        }));
        let ours = read(json!({
            "url": "http://a/health", "method": "POST", "headers": {"A": "b"}, "expect_status": 204,
            "timeout": "1.5s", "contains": "ok", "json_path": "status",
        }));
        // As people of other languages write names.
        let theirs = read(json!({
            "Url": "http://a/health", "METHOD": "POST", "headers": {"A": "b"}, "expectedStatus": 204,
            "timeout": 1_500_000_000_i64, "response_contains": "ok", "jsonPath": "status",
        }));
        assert_eq!((&go, &go), (&ours, &theirs));
        assert_eq!((go.timeout(), go.expected_status), (Span::from_millis(1_500), 204));
    }

    #[test]
    fn what_go_leaves_out_has_gos_meaning() {
        for input in [json!({"URL": "http://a"}), json!({"URL": "http://a", "Headers": null, "Timeout": 0, "More": 1})]
        {
            let input = read(input);
            assert_eq!((input.timeout(), input.expected_status, input.headers.len()), (DEFAULT_TIMEOUT, 0, 0));
        }
        assert_eq!(read(json!({"Timeout": -5})).timeout(), DEFAULT_TIMEOUT);
        assert_eq!(read(json!({"Timeout": i64::MAX})).timeout(), MAX_TIMEOUT);
    }

    #[test]
    fn secrets_are_not_shown() {
        let input = read(json!({"URL": "http://hush@a/?hush", "Headers": {"Authorization": "hush"}}));
        assert!(!format!("{input:?}").contains("hush"), "{input:?}");
    }

    #[test]
    fn the_answer_has_gos_field_names() {
        let result = CheckResult {
            state: CheckState::Unhealthy,
            reason: "HTTP 503".into(),
            duration: Span::from_millis(2),
            answered: true,
            status: Some(503),
            body: "no".into(),
            certificate_expires_in: None,
        };
        assert_eq!(
            serde_json::to_value(result.answer(Time::from_unix_millis(0))).unwrap(),
            json!({"Healthy": false, "StatusCode": 503, "ResponseTime": 2_000_000, "ResponseBody": "no",
                   "Error": "HTTP 503", "Timestamp": "1970-01-01T00:00:00.000Z"})
        );
        let slow = CheckResult { state: CheckState::Degraded, reason: "slow".into(), ..CheckResult::default() };
        let answer = slow.answer(Time::from_unix_millis(0));
        assert!(answer.healthy && answer.error.is_empty());
    }

    proptest! {
        #[test]
        fn an_input_is_read_back_and_its_timeout_is_in_bounds(
            url in ".{0,20}", status: u16, timeout: i64, key in "[a-z]{1,5}", value in ".{0,9}",
        ) {
            let headers = BTreeMap::from([(key, value)]);
            let input = HttpCheckInput { url, expected_status: status, timeout, headers, ..HttpCheckInput::default() };
            let text = serde_json::to_string(&input).unwrap();
            prop_assert!(input.timeout() > Span::ZERO && input.timeout() <= MAX_TIMEOUT);
            prop_assert_eq!(serde_json::from_str::<HttpCheckInput>(&text).unwrap(), input);
        }

        #[test]
        fn no_text_panics(text in r#"[{]"(URL|Timeout|Headers|x)":.{0,12}[}]"#) {
            let _ = serde_json::from_str::<HttpCheckInput>(&text);
        }
    }
}
