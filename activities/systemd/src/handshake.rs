//! The first messages of a connection: match rules, who systemd is, `Subscribe`.

use crate::{BusKind, ConnectError, answer::error_text, wire};
use futures_util::StreamExt;
use std::collections::HashMap;
use zbus::{Connection, Message, MessageStream, message::Type};

/// Messages between zbus' reader and us.
const QUEUE: usize = 1024;

/// Connects and subscribes. The answer holds every message that comes after, and systemd's unique name.
pub(crate) async fn handshake(bus: BusKind) -> Result<(Connection, MessageStream, String), ConnectError> {
    let broken = |source| ConnectError::Bus { bus, source };
    let builder = match bus {
        BusKind::System => zbus::connection::Builder::system(),
        BusKind::Session => zbus::connection::Builder::session(),
    };
    let connection = builder.map_err(broken)?.max_queued(QUEUE).build().await.map_err(broken)?;
    let mut stream = MessageStream::from(&connection);
    let mut calls: Vec<(&'static str, zbus::Result<Message>)> =
        wire::RULES.iter().map(|rule| ("AddMatch", wire::add_match(rule))).collect();
    calls.push(("GetNameOwner", wire::owner_of_systemd()));
    calls.push(("Subscribe", wire::subscribe()));
    let mut open = HashMap::new();
    for (name, message) in calls {
        let message = message.map_err(broken)?;
        open.insert(message.primary_header().serial_num(), name);
        connection.send(&message).await.map_err(broken)?;
    }
    let mut owner = String::new();
    while !open.is_empty() {
        let message = match stream.next().await {
            Some(message) => message.map_err(broken)?,
            None => return Err(ConnectError::Silent(bus)),
        };
        let header = message.header();
        let Some(name) = header.reply_serial().and_then(|serial| open.remove(&serial)) else { continue };
        if message.message_type() == Type::Error {
            check_refusal(bus, name, &message)?;
        } else if name == "GetNameOwner" {
            owner = message.body().deserialize::<&str>().map_err(broken)?.to_owned();
        }
    }
    Ok((connection, stream, owner))
}

fn check_refusal(bus: BusKind, call: &'static str, message: &Message) -> Result<(), ConnectError> {
    let header = message.header();
    let name = header.error_name().map_or("", |name| name.as_str());
    match name {
        "org.freedesktop.systemd1.AlreadySubscribed" => Ok(()),
        "org.freedesktop.DBus.Error.NameHasNoOwner" | "org.freedesktop.DBus.Error.ServiceUnknown" => {
            Err(ConnectError::NoSystemd(bus))
        }
        _ => Err(ConnectError::Refused { bus, call, name: name.to_owned(), text: error_text(message) }),
    }
}
