//! What signals mean. Only the bus itself and the present owner of systemd's name are believed.

use super::{Look, Session};
use crate::{properties::Patch, wire};
use std::{collections::HashMap, sync::Arc, time::Instant};
use zbus::{
    Message,
    zvariant::{OwnedObjectPath, Value},
};

impl Session {
    /// # Errors
    /// Why the connection is of no more use.
    pub(super) fn take_signal(&mut self, message: &Message) -> Result<(), String> {
        let header = message.header();
        let (Some(sender), Some(member)) = (header.sender(), header.member()) else { return Ok(()) };
        let interface = header.interface().map_or("", |interface| interface.as_str());
        if interface == wire::LOGIND_MANAGER && member.as_str() == "PrepareForShutdown" {
            // Whoever sent it: the truth is asked for.
            self.state_next = true;
            return Ok(());
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
            }
            (wire::MANAGER, member) => self.take_manager_signal(member, message),
            _ => {}
        }
        Ok(())
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
        let doubts = table.changed(path, interface == wire::UNIT, &patch, Instant::now());
        for index in doubts.unsettled {
            self.look_at(index, Look::LastWord);
        }
        if doubts.load_state {
            self.list_next.get_or_insert(false);
        }
    }

    fn take_manager_signal(&mut self, member: &str, message: &Message) {
        let body = message.body();
        match member {
            "JobNew" => {
                let unit = body.deserialize::<(u32, OwnedObjectPath, &str)>().map(|(_, _, unit)| unit);
                self.state_next |= unit.is_ok_and(|unit| unit == wire::SHUTDOWN_TARGET);
            }
            "JobRemoved" => {
                if let Ok((id, _, unit, result)) = body.deserialize::<(u32, OwnedObjectPath, &str, &str)>() {
                    self.shared.table().job_removed(id, unit);
                    self.link.finished(id, result);
                    self.state_next |= unit == wire::SHUTDOWN_TARGET;
                }
            }
            "Reloading" => {
                if let Ok(false) = body.deserialize::<bool>() {
                    self.list_next = Some(true);
                }
            }
            _ => {}
        }
    }
}
