//! The arguments of the activities, read without fail: one that cannot be decoded would be retried for ever.
//!
//! `(unit)` as the Go version had it, or `(unit, guard)` as our workflows send it; `(endpoint, port)` of a node; or one
//! JSON object.

use dixmgr_contract::{FailureKind, Guard, UnitName};
use dixmgr_systemd::ActError;
use serde::de::DeserializeOwned;
use temporalio_common::data_converters::{
    PayloadConversionError, SerializationContext, TemporalDeserializable, TemporalSerializable,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// One or two positional arguments, or the reason why they cannot be read: a failed decoding would be retried for ever.
#[derive(Debug)]
pub struct UnitCall(Result<(UnitName, Option<Guard>), String>);

impl UnitCall {
    /// The arguments.
    ///
    /// # Errors
    /// `BadInput`, which is not retried.
    pub(crate) fn read(self) -> Result<(UnitName, Option<Guard>), ActError> {
        self.0.map_err(|why| {
            let text = format!("the arguments are a unit's name such as \"api.service\" and an optional guard: {why}");
            ActError::new(FailureKind::BadInput, text)
        })
    }
}

fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, String> {
    serde_json::from_slice(&payload.data).map_err(|error| error.to_string())
}

fn arguments(payloads: &[Payload]) -> Result<(UnitName, Option<Guard>), String> {
    match payloads {
        [unit] => Ok((decode(unit)?, None)),
        [unit, guard] => Ok((decode(unit)?, decode(guard)?)),
        other => Err(format!("got {} arguments", other.len())),
    }
}

impl TemporalDeserializable for UnitCall {
    fn from_payloads(_: &SerializationContext<'_>, payloads: Vec<Payload>) -> Result<Self, PayloadConversionError> {
        Ok(Self(arguments(&payloads)))
    }
}

/// Only the SDK's trait bounds ask for it: nobody calls an activity through this type.
impl TemporalSerializable for UnitCall {}

/// Where a node listens: an endpoint, or nothing and a port of this host.
#[derive(Debug)]
pub struct NodeCall(Result<(String, u16), String>);

impl NodeCall {
    /// The arguments.
    ///
    /// # Errors
    /// `BadInput`, which is not retried.
    pub(crate) fn read(self) -> Result<(String, u16), ActError> {
        self.0.map_err(|why| {
            let text = format!("the arguments are an endpoint such as \"\" or \"http://localhost\" and a port: {why}");
            ActError::new(FailureKind::BadInput, text)
        })
    }
}

impl TemporalDeserializable for NodeCall {
    fn from_payloads(_: &SerializationContext<'_>, payloads: Vec<Payload>) -> Result<Self, PayloadConversionError> {
        Ok(Self(match payloads.as_slice() {
            [endpoint, port] => decode(endpoint).and_then(|endpoint| Ok((endpoint, decode(port)?))),
            other => Err(format!("got {} arguments", other.len())),
        }))
    }
}

impl TemporalSerializable for NodeCall {}

/// One JSON object.
#[derive(Debug)]
pub struct Call<T>(Result<T, String>);

impl<T> Call<T> {
    /// The argument.
    ///
    /// # Errors
    /// `BadInput`, which is not retried.
    pub(crate) fn read(self) -> Result<T, ActError> {
        self.0.map_err(|why| ActError::new(FailureKind::BadInput, format!("the argument cannot be read: {why}")))
    }
}

impl<T: DeserializeOwned> TemporalDeserializable for Call<T> {
    fn from_payloads(_: &SerializationContext<'_>, payloads: Vec<Payload>) -> Result<Self, PayloadConversionError> {
        Ok(Self(match payloads.as_slice() {
            [argument] => decode(argument),
            other => Err(format!("got {} arguments", other.len())),
        }))
    }
}

impl<T> TemporalSerializable for Call<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Payload {
        Payload { data: json.as_bytes().to_vec(), ..Payload::default() }
    }

    #[test]
    fn one_argument_is_a_whole_call() {
        assert_eq!(arguments(&[payload("\"api.service\"")]), Ok(("api.service".parse().unwrap(), None)));
        let guard = payload(r#"{"service":"api","generation":3}"#);
        let (_, guard) = arguments(&[payload("\"api.service\""), guard]).unwrap();
        assert_eq!(guard.map(|guard| guard.generation), Some(3));
        assert_eq!(arguments(&[payload("\"api.service\""), payload("null")]).unwrap().1, None);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (payloads, part) in [
            (vec![], "got 0 arguments"),
            (vec![payload("\"../etc.service\"")], "holds '/'"),
            (vec![payload("7")], "invalid type"),
        ] {
            let error = UnitCall(arguments(&payloads)).read().unwrap_err();
            assert!(error.message.contains(part), "{}", error.message);
            assert_eq!(error.kind, FailureKind::BadInput);
        }
    }
}
