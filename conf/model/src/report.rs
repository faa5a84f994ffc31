//! The pen of the later stages: what is wrong, and the place of the key that it is about.

use crate::{
    problem::{Complaint, Problems},
    service,
    tree::Places,
    value::near,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) struct Report<'a> {
    pub(crate) places: &'a Places,
    pub(crate) problems: &'a mut Problems,
}

impl Report<'_> {
    /// Says what is wrong with the key at `path`.
    pub(crate) fn complain(&mut self, path: &str, complaint: Complaint) {
        self.problems.add(path, self.places.line(path), complaint);
    }

    /// Says that `message`, with the known name that was probably meant, or else `hint`.
    pub(crate) fn unknown(&mut self, path: &str, message: String, name: &str, known: &BTreeSet<String>, hint: &str) {
        let is_allowed = self.problems.may_compare(known.len());
        let near = if is_allowed { near(name, known.iter().map(String::as_str)) } else { None };
        let hint = near.map_or_else(|| hint.to_owned(), |near| format!("did you mean {near}?"));
        self.complain(path, Complaint::new(message).hint(hint));
    }

    /// Types for a checked value.
    pub(crate) fn typed<T: DeserializeOwned>(&mut self, value: Value, path: &str) -> Option<T> {
        service::typed(value, path, self.places, self.problems)
    }
}
