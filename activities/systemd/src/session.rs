//! One connection's life: connect, subscribe, learn every unit's state, then follow the signals until it breaks.
//!
//! It reads ahead of everybody else and waits for nobody, because the bus drops a client that does not read. Its own
//! calls go out pipelined, a bounded number at a time, and their answers are merged in the order of the wire.

use crate::{BusKind, CALL_TIMEOUT, ConnectError, link::Link, observer::Shared, properties::Patch, row::Listed, wire};
use dixmgr_contract::{ActiveState, LoadState};
use futures_util::StreamExt;
use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};
use zbus::{
    Connection, Message, MessageStream,
    message::Type,
    zvariant::{OwnedObjectPath, Value},
};

/// Calls of ours in flight at most; a system bus allows 128 open replies per connection.
const WINDOW: usize = 48;
/// Messages between zbus' reader and us.
const QUEUE: usize = 1024;

/// A call of the session's own.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// `ListUnitsByNames`; true: ask for every unit's details afterwards.
    List(bool),
    /// `GetAll` of the unit at this index.
    Details(usize),
    /// The manager's `SystemState`.
    SystemState,
}

/// A line of `ListUnitsByNames`: name, description, load, active, sub, following, path, job number, type and path.
type ListedUnit = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// A connection with systemd at its other end, subscribed.
pub(crate) struct Session {
    shared: Arc<Shared>,
    link: Arc<Link>,
    stream: MessageStream,
    /// systemd's unique name: signals of others are not believed.
    owner: String,
    bus: BusKind,
    in_flight: HashMap<NonZeroU32, Request>,
    logind_call: Option<NonZeroU32>,
    heard: Instant,
    queue: VecDeque<usize>,
    queued: Vec<bool>,
    details_in_flight: usize,
    listing: bool,
    list_next: Option<bool>,
    synced: bool,
    systemd_stopping: bool,
    logind_stopping: bool,
}

impl Session {
    /// Connects and subscribes.
    pub(crate) async fn open(bus: BusKind, shared: Arc<Shared>) -> Result<Self, ConnectError> {
        let opened = tokio::time::timeout(CALL_TIMEOUT, handshake(bus)).await;
        let (connection, stream, owner) = opened.map_err(|_| ConnectError::Silent(bus))??;
        let units = shared.table().units().len();
        let link = Arc::new(Link::new(connection));
        shared.set_link(Some(Arc::clone(&link)));
        Ok(Self {
            shared,
            link,
            stream,
            owner,
            bus,
            in_flight: HashMap::new(),
            logind_call: None,
            heard: Instant::now(),
            queue: VecDeque::new(),
            queued: vec![false; units],
            details_in_flight: 0,
            listing: false,
            list_next: Some(true),
            synced: false,
            systemd_stopping: false,
            logind_stopping: false,
        })
    }

    /// Follows systemd until the connection is of no more use; says why.
    pub(crate) async fn run(mut self, resync: Duration) -> String {
        let reason = match self.follow(resync).await {
            Ok(()) => "the bus closed the connection".to_owned(),
            Err(reason) => reason,
        };
        self.shared.set_link(None);
        self.link.close();
        self.shared.table().forget_connection();
        reason
    }

    async fn follow(&mut self, resync: Duration) -> Result<(), String> {
        self.ask_whether_stopping().await?;
        let mut tick = tokio::time::interval(resync.max(Duration::from_secs(1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick.reset();
        loop {
            self.pump().await?;
            let silent_until = self.heard + CALL_TIMEOUT;
            tokio::select! {
                message = self.stream.next() => match message {
                    Some(Ok(message)) => self.take(message).await?,
                    Some(Err(error)) => return Err(format!("the connection to the bus broke: {error}")),
                    None => return Ok(()),
                },
                _ = tick.tick() => {
                    self.list_next.get_or_insert(false);
                }
                () = tokio::time::sleep_until(silent_until.into()), if !self.in_flight.is_empty() => {
                    return Err(format!("systemd has not answered for {} s", CALL_TIMEOUT.as_secs()));
                }
            }
        }
    }

    /// Sends what is due, as far as the window allows, and tells when everything is known.
    async fn pump(&mut self) -> Result<(), String> {
        if !self.listing
            && let Some(all) = self.list_next.take()
        {
            let message = wire::list(self.shared.table().units());
            self.listing = true;
            self.request(message, Request::List(all)).await?;
        }
        while self.details_in_flight < WINDOW
            && let Some(index) = self.queue.pop_front()
        {
            self.queued[index] = false;
            let message = wire::get_all(&self.shared.table().units()[index], "");
            self.details_in_flight += 1;
            self.request(message, Request::Details(index)).await?;
        }
        if !self.synced && !self.listing && self.details_in_flight == 0 && self.list_next.is_none() {
            self.synced = true;
            self.shared.buffer.synced();
        }
        Ok(())
    }

    async fn request(&mut self, message: zbus::Result<Message>, request: Request) -> Result<(), String> {
        let message = message.map_err(|error| format!("cannot write a message: {error}"))?;
        if self.in_flight.is_empty() {
            self.heard = Instant::now();
        }
        self.in_flight.insert(message.primary_header().serial_num(), request);
        let sent = self.link.connection().send(&message).await;
        sent.map_err(|error| format!("the connection to the bus broke: {error}"))
    }

    async fn ask_whether_stopping(&mut self) -> Result<(), String> {
        self.request(wire::system_state(), Request::SystemState).await?;
        // logind is on the system bus only; a user's manager is told of a shutdown by its own `shutdown.target`.
        if self.bus == BusKind::System {
            let message = wire::preparing_for_shutdown().map_err(|error| error.to_string())?;
            self.logind_call = Some(message.primary_header().serial_num());
            let sent = self.link.connection().send(&message).await;
            sent.map_err(|error| format!("the connection to the bus broke: {error}"))?;
        }
        Ok(())
    }

    async fn take(&mut self, message: Message) -> Result<(), String> {
        match message.message_type() {
            Type::Signal => self.take_signal(&message).await,
            Type::MethodReturn | Type::Error => {
                if let Some(serial) = message.header().reply_serial() {
                    self.take_answer(serial, message);
                }
                Ok(())
            }
            Type::MethodCall => Ok(()),
        }
    }

    fn take_answer(&mut self, serial: NonZeroU32, message: Message) {
        if self.logind_call == Some(serial) {
            self.logind_call = None;
            self.logind_stopping = answered_value(&message, |value| matches!(value, Value::Bool(true)));
            return self.tell_whether_stopping();
        }
        let Some(request) = self.in_flight.remove(&serial) else {
            return self.link.answered(serial, message, &mut self.shared.table());
        };
        self.heard = Instant::now();
        match request {
            Request::List(all) => {
                self.listing = false;
                self.take_list(&message, all);
            }
            Request::Details(index) => {
                self.details_in_flight -= 1;
                self.take_details(index, &message);
            }
            Request::SystemState => {
                let stopping = |value: &Value<'_>| matches!(value, Value::Str(state) if state.as_str() == "stopping");
                self.systemd_stopping = answered_value(&message, stopping);
                self.tell_whether_stopping();
            }
        }
    }

    fn tell_whether_stopping(&self) {
        self.shared.set_stopping(self.logind_stopping, self.systemd_stopping);
    }

    fn take_list(&mut self, message: &Message, all: bool) {
        let body = message.body();
        let lines: Vec<ListedUnit> = match body.deserialize() {
            Ok(lines) if message.message_type() == Type::MethodReturn => lines,
            _ => {
                tracing::warn!(error = error_text(message), "systemd does not list the units; asking for each of them");
                return (0..self.queued.len()).for_each(|index| self.look_at(index));
            }
        };
        let (now, shared) = (Instant::now(), Arc::clone(&self.shared));
        let mut table = shared.table();
        let in_order = lines.len() == self.queued.len();
        let mut unseen = vec![true; self.queued.len()];
        for (position, line) in lines.into_iter().enumerate() {
            let name = dixmgr_contract::UnitName::new(line.0.as_str()).ok();
            let by_name = name.and_then(|name| table.index_of(&name));
            let Some(index) = (if in_order { Some(position) } else { by_name }) else { continue };
            unseen[index] = false;
            table.found_at(index, line.6.as_str());
            let listed = Listed {
                load: LoadState::from(line.2),
                active: ActiveState::from(line.3),
                sub: line.4,
                job: (line.7 != 0).then_some(line.7),
            };
            if table.listed(index, &listed, all) {
                match listed.load {
                    LoadState::NotFound if listed.active == ActiveState::Inactive => {
                        table.take_listed(index, listed, now)
                    }
                    _ => self.look_at(index),
                }
            }
        }
        // A name that systemd's own rules refuse is left out of its list: such a unit cannot exist.
        for index in unseen.iter().enumerate().filter_map(|(index, unseen)| unseen.then_some(index)) {
            let (load, active) = (LoadState::NotFound, ActiveState::Inactive);
            table.take_listed(index, Listed { load, active, sub: "dead".to_owned(), job: None }, now);
        }
    }

    fn take_details(&mut self, index: usize, message: &Message) {
        let body = message.body();
        let properties: Result<HashMap<&str, Value<'_>>, _> = body.deserialize();
        match properties {
            Ok(properties) if message.message_type() == Type::MethodReturn => {
                self.shared.table().told_all(index, Patch::read(&properties), Instant::now());
            }
            _ => {
                let mut table = self.shared.table();
                let unit = table.units().get(index).cloned();
                tracing::warn!(
                    unit = unit.map(String::from),
                    error = error_text(message),
                    "systemd does not tell the unit's state"
                );
                let (load, active) = (LoadState::Error, ActiveState::Inactive);
                table.take_listed(index, Listed { load, active, sub: String::new(), job: None }, Instant::now());
            }
        }
    }

    fn look_at(&mut self, index: usize) {
        if let Some(queued) = self.queued.get_mut(index).filter(|queued| !**queued) {
            *queued = true;
            self.queue.push_back(index);
        }
    }

    async fn take_signal(&mut self, message: &Message) -> Result<(), String> {
        let header = message.header();
        let (Some(sender), Some(member)) = (header.sender(), header.member()) else { return Ok(()) };
        let interface = header.interface().map_or("", |interface| interface.as_str());
        if interface == wire::LOGIND_MANAGER && member.as_str() == "PrepareForShutdown" {
            // Whoever sent it: the truth is asked for.
            return self.ask_whether_stopping().await;
        }
        if sender.as_str() == wire::BUS && member.as_str() == "NameOwnerChanged" {
            let body = message.body();
            return match body.deserialize::<(&str, &str, &str)>() {
                Ok((wire::SYSTEMD, _, "")) => Err("systemd left the bus".to_owned()),
                Ok((wire::SYSTEMD, _, new)) if new != self.owner => Err("systemd was started anew".to_owned()),
                _ => Ok(()),
            };
        }
        if sender.as_str() != self.owner {
            return Ok(());
        }
        match (interface, member.as_str()) {
            (wire::PROPERTIES, "PropertiesChanged") => {
                let path = header.path().map_or("", |path| path.as_str());
                self.take_change(path, message);
                Ok(())
            }
            (wire::MANAGER, member) => self.take_manager_signal(member, message).await,
            _ => Ok(()),
        }
    }

    fn take_change(&mut self, path: &str, message: &Message) {
        let shared = Arc::clone(&self.shared);
        let mut table = shared.table();
        if !table.watches(path) {
            return;
        }
        let body = message.body();
        let Ok((interface, properties, _)) = body.deserialize::<(&str, HashMap<&str, Value<'_>>, Vec<&str>)>() else {
            return;
        };
        let patch = Patch::read(&properties);
        for index in table.changed(path, interface == wire::UNIT, &patch, Instant::now()) {
            self.look_at(index);
        }
    }

    async fn take_manager_signal(&mut self, member: &str, message: &Message) -> Result<(), String> {
        let body = message.body();
        match member {
            "JobNew" => match body.deserialize::<(u32, OwnedObjectPath, &str)>() {
                Ok((_, _, wire::SHUTDOWN_TARGET)) => self.ask_whether_stopping().await,
                _ => Ok(()),
            },
            "JobRemoved" => match body.deserialize::<(u32, OwnedObjectPath, &str, &str)>() {
                Ok((id, _, unit, result)) => {
                    self.shared.table().job_removed(id, unit);
                    self.link.finished(id, result);
                    if unit == wire::SHUTDOWN_TARGET { self.ask_whether_stopping().await } else { Ok(()) }
                }
                Err(_) => Ok(()),
            },
            "Reloading" => {
                if let Ok(false) = body.deserialize::<bool>() {
                    self.list_next = Some(true);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// True if the answer is a property (`v`) that `is` accepts; an error is not.
fn answered_value(message: &Message, is: impl FnOnce(&Value<'_>) -> bool) -> bool {
    let body = message.body();
    message.message_type() == Type::MethodReturn && body.deserialize::<Value<'_>>().is_ok_and(|value| is(&value))
}

/// What an error answer says.
pub(crate) fn error_text(message: &Message) -> String {
    message.body().deserialize::<&str>().unwrap_or("no explanation").chars().take(500).collect()
}

async fn handshake(bus: BusKind) -> Result<(Connection, MessageStream, String), ConnectError> {
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
