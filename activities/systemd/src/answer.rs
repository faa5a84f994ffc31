//! Reading systemd's answers. What cannot be read is as good as absent: the caller says what that means.

use crate::{
    properties::{self, Patch},
    row::Listed,
};
use dixmgr_contract::{ActiveState, LoadState};
use std::collections::HashMap;
use zbus::{
    Message,
    message::Type,
    zvariant::{OwnedObjectPath, Value},
};

/// A line of `ListUnitsByNames`.
#[derive(Debug)]
pub(crate) struct Line {
    /// The unit's own name, also where an alias was asked for.
    pub(crate) name: String,
    /// Under which its signals come.
    pub(crate) path: String,
    pub(crate) listed: Listed,
}

/// Name, description, load, active, sub, following, path, job number, job type, job path.
type RawLine<'a> =
    (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, OwnedObjectPath, u32, &'a str, OwnedObjectPath);

/// The lines of `ListUnitsByNames`.
pub(crate) fn lines_of(message: &Message) -> Option<Vec<Line>> {
    let body = message.body();
    let lines: Vec<RawLine<'_>> = returned(message).and_then(|()| body.deserialize().ok())?;
    let line = |(name, _, load, active, sub, _, path, job, _, _): RawLine<'_>| Line {
        name: name.to_owned(),
        path: path.as_str().to_owned(),
        listed: Listed {
            load: LoadState::from(load),
            active: ActiveState::from(active),
            sub: sub.to_owned(),
            job: (job != 0).then_some(job),
        },
    };
    Some(lines.into_iter().map(line).collect())
}

/// The properties in the answer to a `GetAll`.
pub(crate) fn patch_of(message: &Message) -> Option<Patch> {
    let body = message.body();
    let properties: HashMap<&str, Value<'_>> = returned(message).and_then(|()| body.deserialize().ok())?;
    Some(Patch::read(&properties))
}

/// The answer to a `Get` of `InvocationID`.
pub(crate) fn invocation_of(message: &Message) -> Option<Option<String>> {
    value_of(message, properties::invocation).flatten()
}

/// What `read` makes of the answer to a `Get`.
pub(crate) fn value_of<T>(message: &Message, read: impl FnOnce(&Value<'_>) -> T) -> Option<T> {
    let body = message.body();
    let value: Value<'_> = returned(message).and_then(|()| body.deserialize().ok())?;
    Some(read(&value))
}

/// The name of the D-Bus error, if it is one.
pub(crate) fn error_name(message: &Message) -> Option<String> {
    let header = message.header();
    let name = header.error_name().map_or_else(String::new, |name| name.as_str().to_owned());
    (message.message_type() == Type::Error).then_some(name)
}

/// What an error says.
pub(crate) fn error_text(message: &Message) -> String {
    message.body().deserialize::<&str>().unwrap_or("no explanation").chars().take(500).collect()
}

fn returned(message: &Message) -> Option<()> {
    (message.message_type() == Type::MethodReturn).then_some(())
}
