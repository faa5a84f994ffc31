//! What the answers to the session's own calls mean. All others belong to those who look and act.

use super::{Look, Request, Session, is_stopping};
use crate::{
    answer::{error_text, invocation_of, lines_of, patch_of, value_of},
    properties::Patch,
    row::Listed,
};
use dixmgr_contract::{ActiveState, LoadState, UnitName};
use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Instant};
use zbus::{Message, zvariant::Value};

impl Session {
    pub(super) fn take_answer(&mut self, serial: NonZeroU32, message: Message) {
        if self.logind_call == Some(serial) {
            self.logind_call = None;
            self.logind_stopping = value_of(&message, |value| *value == Value::Bool(true)).unwrap_or(false);
            return self.tell_whether_stopping();
        }
        let Some(request) = self.in_flight.remove(&serial) else {
            return self.link.answered(serial, message, &mut self.shared.table());
        };
        match request {
            Request::List(all) => {
                self.listing = false;
                self.take_list(&message, all);
            }
            Request::TypePart(index) => {
                let patch = patch_of(&message);
                if patch.is_none() {
                    let unit = self.shared.table().units()[index].clone();
                    tracing::warn!(%unit, error = error_text(&message), "systemd does not tell all of the unit's state");
                }
                if self.shared.table().told_some(index, patch.unwrap_or_default(), Instant::now()) {
                    self.details_in_flight -= 1;
                } else {
                    self.asked_in_part.push_back(index);
                }
            }
            Request::Invocation(index) => {
                self.details_in_flight -= 1;
                let patch = Patch { invocation: invocation_of(&message), ..Patch::default() };
                self.shared.table().told_all(index, patch, Instant::now());
            }
            Request::SystemState => {
                self.asking_state = false;
                self.systemd_stopping = is_stopping(&message);
                self.tell_whether_stopping();
            }
        }
    }

    fn tell_whether_stopping(&self) {
        self.shared.set_stopping(self.logind_stopping, self.systemd_stopping);
    }

    fn take_list(&mut self, message: &Message, all: bool) {
        let shared = Arc::clone(&self.shared);
        let mut table = shared.table();
        let lines = match lines_of(message) {
            Some(lines) => lines,
            None => {
                tracing::warn!(
                    error = error_text(message),
                    "systemd does not list the units; asking about each of them"
                );
                return (0..self.queued.len()).for_each(|index| self.look_at(index, Look::Whole));
            }
        };
        // A name that systemd's own rules refuse is left out of its list: such a unit cannot exist.
        let mut missing: BTreeSet<usize> = (0..self.queued.len()).collect();
        let in_order = lines.len() == self.queued.len();
        for (position, line) in lines.into_iter().enumerate() {
            // By position, because a line about an alias has the name of the unit behind it.
            let by_name = || UnitName::new(line.name.as_str()).ok().and_then(|name| table.index_of(&name));
            let Some(index) = (if in_order { Some(position) } else { by_name() }) else { continue };
            if line.listed.load == LoadState::NotFound && line.listed.active == ActiveState::Inactive {
                continue;
            }
            missing.remove(&index);
            table.found_at(index, &line.path);
            if table.listed(index, line.listed, all) {
                self.look_at(index, Look::Whole);
            }
        }
        for index in missing {
            table.told_all(index, Listed::absent().into(), Instant::now());
        }
    }
}
