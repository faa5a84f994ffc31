//! One connection's life: connect, subscribe, learn every unit's state, then follow the signals until it breaks.
//!
//! It reads ahead of everybody else and waits for nobody, because the bus drops a client that does not read. Its own
//! calls go out pipelined, a bounded number at a time, and their answers are merged in the order of the wire.

mod answers;
mod signals;

use crate::{
    BusKind, CALL_TIMEOUT, ConnectError, answer::value_of, handshake::handshake, link::Link, observer::Shared, wire,
};
use futures_util::StreamExt;
use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};
use zbus::{Connection, Message, MessageStream, message::Type, zvariant::Value};

/// Units asked about at a time, with one call each. A system bus allows a connection 128 open calls, and
/// [`crate::link::CALLS`] are for others.
const WINDOW: usize = 48;

/// A call of the session's own.
#[derive(Clone, Copy, Debug)]
enum Request {
    /// `ListUnitsByNames`; true: ask for every unit's details afterwards.
    List(bool),
    /// The part of the unit's type, for the unit at this index.
    TypePart(usize),
    /// The unit's `InvocationID`: the last that is asked about it, unless it has not run.
    Invocation(usize),
    /// The manager's `SystemState`.
    SystemState,
}

/// What is to be asked about a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// Nothing.
    Not,
    /// Only something whose answer comes after the signals that are under way.
    LastWord,
    /// All that the list does not say.
    Whole,
}

/// A connection with systemd at its other end, subscribed.
pub(crate) struct Session {
    shared: Arc<Shared>,
    link: Arc<Link>,
    connection: Connection,
    stream: MessageStream,
    /// systemd's unique name: signals of others are not believed.
    owner: String,
    bus: BusKind,
    in_flight: HashMap<NonZeroU32, Request>,
    logind_call: Option<NonZeroU32>,
    heard: Instant,
    queue: VecDeque<usize>,
    queued: Vec<Look>,
    /// Units whose type's part is known and whose invocation is to be asked for.
    asked_in_part: VecDeque<usize>,
    details_in_flight: usize,
    listing: bool,
    list_next: Option<bool>,
    synced: bool,
    asking_state: bool,
    /// Whether systemd is stopping is to be asked (again).
    state_next: bool,
    systemd_stopping: bool,
    logind_stopping: bool,
}

impl Session {
    /// Connects and subscribes.
    pub(crate) async fn open(bus: BusKind, shared: Arc<Shared>) -> Result<Self, ConnectError> {
        let opened = tokio::time::timeout(CALL_TIMEOUT, handshake(bus)).await;
        let (connection, stream, owner) = opened.map_err(|_| ConnectError::Silent(bus))??;
        let units = shared.table().units().len();
        let link = Arc::new(Link::new(connection.clone()));
        shared.set_link(Some(Arc::clone(&link)));
        Ok(Self {
            shared,
            link,
            connection,
            stream,
            owner,
            bus,
            in_flight: HashMap::new(),
            logind_call: None,
            heard: Instant::now(),
            queue: VecDeque::new(),
            queued: vec![Look::Not; units],
            asked_in_part: VecDeque::new(),
            details_in_flight: 0,
            listing: false,
            list_next: Some(true),
            synced: false,
            asking_state: false,
            state_next: true,
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
        let mut tick = tokio::time::interval(resync.max(Duration::from_secs(1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tick.reset();
        loop {
            self.pump().await?;
            let silent_until = self.heard + CALL_TIMEOUT;
            tokio::select! {
                message = self.stream.next() => match message {
                    Some(Ok(message)) => self.take(message)?,
                    Some(Err(error)) => return Err(format!("the connection to the bus broke: {error}")),
                    None => return Ok(()),
                },
                _ = tick.tick() => {
                    self.list_next.get_or_insert(false);
                }
                () = tokio::time::sleep_until(silent_until.into()), if !self.in_flight.is_empty() => {
                    return Err(format!("nothing has come from systemd for {} s", CALL_TIMEOUT.as_secs()));
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
        if self.state_next && !self.asking_state {
            self.state_next = false;
            self.ask_whether_stopping().await?;
        }
        while let Some(index) = self.asked_in_part.pop_front() {
            self.ask_invocation(index).await?;
        }
        while self.details_in_flight < WINDOW
            && let Some(index) = self.queue.pop_front()
        {
            self.details_in_flight += 1;
            let look = std::mem::replace(&mut self.queued[index], Look::Not);
            let part = wire::type_part(&self.shared.table().units()[index]);
            match part.filter(|_| look == Look::Whole) {
                Some(message) => self.request(message, Request::TypePart(index)).await?,
                None => self.ask_invocation(index).await?,
            }
        }
        if !self.synced && !self.listing && self.details_in_flight == 0 && self.list_next.is_none() {
            self.synced = true;
            self.shared.buffer.synced();
        }
        Ok(())
    }

    async fn ask_invocation(&mut self, index: usize) -> Result<(), String> {
        let message = wire::invocation(&self.shared.table().units()[index]);
        self.request(message, Request::Invocation(index)).await
    }

    async fn request(&mut self, message: zbus::Result<Message>, request: Request) -> Result<(), String> {
        let message = message.map_err(|error| format!("cannot write a message: {error}"))?;
        if self.in_flight.is_empty() {
            self.heard = Instant::now();
        }
        self.in_flight.insert(message.primary_header().serial_num(), request);
        let sent = self.connection.send(&message).await;
        sent.map_err(|error| format!("the connection to the bus broke: {error}"))
    }

    async fn ask_whether_stopping(&mut self) -> Result<(), String> {
        self.asking_state = true;
        self.request(wire::system_state(), Request::SystemState).await?;
        // logind is on the system bus only; a user's manager is told of a shutdown by its own `shutdown.target`.
        if self.bus == BusKind::System {
            // Not among the requests: that logind does not answer says nothing about systemd.
            let message = wire::preparing_for_shutdown().map_err(|error| error.to_string())?;
            self.logind_call = Some(message.primary_header().serial_num());
            let sent = self.connection.send(&message).await;
            sent.map_err(|error| format!("the connection to the bus broke: {error}"))?;
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), String> {
        self.heard = Instant::now();
        match message.message_type() {
            Type::Signal => self.take_signal(&message),
            Type::MethodReturn | Type::Error => {
                if let Some(serial) = message.header().reply_serial() {
                    self.take_answer(serial, message);
                }
                Ok(())
            }
            Type::MethodCall => Ok(()),
        }
    }

    fn look_at(&mut self, index: usize, look: Look) {
        let Some(queued) = self.queued.get_mut(index) else { return };
        if *queued == Look::Not {
            self.queue.push_back(index);
        }
        *queued = (*queued).max(look);
    }
}

/// True if the answer to a `Get` of the manager's `SystemState` says that it shuts down.
pub(crate) fn is_stopping(message: &Message) -> bool {
    value_of(message, |value| *value == Value::from("stopping")).unwrap_or(false)
}
