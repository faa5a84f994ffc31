//! Input from outside that cannot wedge a workflow.
//!
//! A payload that does not decode fails the workflow *task*, which is then retried for ever: one mistyped signal from a
//! command line would stop a service's supervision. [`Wire`] therefore always decodes, into the value or into the reason
//! why there is none, and the handler decides what that means.

use serde::{Serialize, de::DeserializeOwned};
use temporalio_workflow::common::data_converters::{
    PayloadConversionError, SerializationContext, TemporalDeserializable, TemporalSerializable,
};
use temporalio_workflow::common::protos::temporal::api::common::v1::Payload;

/// One JSON argument, or the reason why there is none.
#[derive(Clone, Debug)]
pub struct Wire<T>(pub Result<T, String>);

impl<T> From<T> for Wire<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

impl<T: Serialize> TemporalSerializable for Wire<T> {
    fn to_payload(&self, _: &SerializationContext<'_>) -> Result<Payload, PayloadConversionError> {
        let json =
            serde_json::to_vec(&self.0.as_ref().ok()).map_err(|e| PayloadConversionError::EncodingError(e.into()))?;
        let metadata = [("encoding".to_owned(), b"json/plain".to_vec())].into();
        Ok(Payload { metadata, data: json, ..Payload::default() })
    }
}

impl<T: DeserializeOwned> TemporalDeserializable for Wire<T> {
    fn from_payloads(_: &SerializationContext<'_>, payloads: Vec<Payload>) -> Result<Self, PayloadConversionError> {
        // No argument at all reads as `{}`: `--name restart` alone is a whole command.
        let data = payloads.first().map_or(b"{}".as_slice(), |payload| payload.data.as_slice());
        Ok(Self(serde_json::from_slice(data).map_err(|error| error.to_string())))
    }

    fn from_payload(ctx: &SerializationContext<'_>, payload: Payload) -> Result<Self, PayloadConversionError> {
        Self::from_payloads(ctx, vec![payload])
    }
}
