//! The walk over a parsed file, catalogue in hand: every unknown key, wrong type and value out of bounds, at once.
//!
//! What is wrong is told and left out, so that one mistake is told once: later stages see the default in its place, or
//! `null` where a name must stay known.

use crate::{
    catalogue::{Key, Kind, Section},
    form::Form,
    load::Outside,
    problem::{Complaint, Problems},
    size::size,
    syntax::Lines,
    text,
    tree::{Object, Places, join},
    value::{duration, integer, nanoseconds, near, number, one_of, wrong_type},
};
use serde_json::Value;
use toml::de::{DeArray, DeTable, DeValue};

pub(crate) struct Walk<'a> {
    pub(crate) lines: &'a Lines<'a>,
    pub(crate) outside: &'a Outside<'a>,
    pub(crate) problems: &'a mut Problems,
    pub(crate) places: &'a mut Places,
}

impl Walk<'_> {
    /// Checks a table against a section.
    pub(crate) fn section(&mut self, section: &Section, table: &DeTable<'_>, path: &str) -> Object {
        let mut object = Object::new();
        for (name, value) in table {
            let inner = join(path, name.get_ref());
            self.places.put(&inner, self.lines.line(name.span().start));
            let value = value.get_ref();
            if let Some(key) = section.key(name.get_ref()) {
                if let Some(value) = self.value(key.kind, key.secret, value, &inner) {
                    object.insert(key.name.to_owned(), value);
                }
            } else if let Some(key) = section.secret_in_file(name.get_ref()) {
                let given = table.contains_key(key.name);
                if let Some(value) = self.secret_file(key, given, value, &inner) {
                    object.insert(key.name.to_owned(), value);
                }
            } else if !section.open {
                self.unknown(section, name.get_ref(), value, &inner);
            }
        }
        for key in section.keys.iter().filter(|key| key.required && !table.contains_key(key.name)) {
            let hint = key.doc.trim_end_matches('.').to_owned();
            self.complain(&join(path, key.name), Complaint::new("is missing").hint(hint));
        }
        object
    }

    fn complain(&mut self, path: &str, complaint: Complaint) {
        let line = self.places.line(path);
        self.problems.add(path, line, complaint);
    }

    fn unknown(&mut self, section: &Section, name: &str, value: &DeValue<'_>, path: &str) {
        let what = if value.is_table() || value.is_array() && !path.contains('.') { "section" } else { "key" };
        let names = section.keys.iter().map(|key| key.name);
        let near = if self.problems.may_compare(names.len()) { near(name, names) } else { None };
        let home =
            section.keys.iter().find(|key| matches!(key.kind, Kind::Section(inner) if inner.key(name).is_some()));
        let hint = near.map(|near| format!("did you mean {near}?"));
        let hint =
            hint.or_else(|| Some(format!("it belongs in [{}]", join(parent(path), home?.name)))).unwrap_or_else(|| {
                let own = section.keys.iter().filter(|key| !matches!(key.kind, Kind::Ignored));
                format!("known here: {}", own.map(|key| key.name).collect::<Vec<_>>().join(", "))
            });
        self.complain(path, Complaint::new(format!("unknown {what}")).hint(hint));
    }

    fn value(&mut self, kind: Kind, secret: bool, value: &DeValue<'_>, path: &str) -> Option<Value> {
        let result = match (kind, value) {
            (Kind::Ignored, _) => return None,
            (Kind::Section(section), DeValue::Table(table)) => return Some(self.section(section, table, path).into()),
            (Kind::MapOf(form, item), DeValue::Table(table)) => {
                return Some(self.map(form, *item, secret, table, path).into());
            }
            (Kind::ListOf(item), DeValue::Array(array)) => return Some(self.list(*item, secret, array, path)),
            (Kind::Bool, DeValue::Boolean(value)) => Ok(Value::from(*value)),
            (Kind::Integer { min, max }, DeValue::Integer(number)) => integer(number, min, max).map(Value::from),
            (Kind::Duration { min, max }, DeValue::Integer(number)) => nanoseconds(number, min, max).map(Value::from),
            (Kind::Duration { min, max }, DeValue::String(text)) => self
                .expanded(text, secret)
                .and_then(|(text, private)| duration(&text, private, min, max))
                .map(Value::from),
            (Kind::Size { min, max }, DeValue::Integer(given)) => {
                let text = number(given).map_or_else(|| given.to_string(), |number| number.to_string());
                size(&text, secret, min, max).map(Value::from)
            }
            (Kind::Size { min, max }, DeValue::String(text)) => {
                self.expanded(text, secret).and_then(|(text, private)| size(&text, private, min, max)).map(Value::from)
            }
            (Kind::OneOf(words), DeValue::String(text)) => {
                self.expanded(text, secret).and_then(|(text, private)| one_of(words, text, private)).map(Value::from)
            }
            (Kind::Text(form), DeValue::String(text)) => self
                .expanded(text, secret)
                .and_then(|(text, private)| form.check(&text, private).map(|()| Value::from(text))),
            (kind, value) => Err(wrong_type(kind, value, path)),
        };
        result.map_err(|complaint| self.complain(path, complaint)).ok()
    }

    /// The text with its variables filled in, and whether it must not be repeated.
    fn expanded(&self, text: &str, secret: bool) -> Result<(String, bool), Complaint> {
        let expanded = text::expand(text, self.outside.env)?;
        let private = secret || expanded != text;
        Ok((expanded, private))
    }

    fn map(&mut self, form: Form, item: Kind, secret: bool, table: &DeTable<'_>, path: &str) -> Object {
        let mut object = Object::new();
        for (name, value) in table {
            let inner = join(path, name.get_ref());
            self.places.put(&inner, self.lines.line(name.span().start));
            if let Err(complaint) = form.check(name.get_ref(), false) {
                self.complain(&inner, complaint);
                continue;
            }
            let checked = self.value(item, secret, value.get_ref(), &inner);
            // The name of a refused table stays known.
            let named = matches!(item, Kind::Section(_) | Kind::MapOf(..)).then_some(Value::Null);
            if let Some(value) = checked.or(named) {
                object.insert(name.get_ref().to_string(), value);
            }
        }
        object
    }

    fn list(&mut self, item: Kind, secret: bool, array: &DeArray<'_>, path: &str) -> Value {
        let mut list = Vec::new();
        for (index, value) in array.iter().enumerate() {
            let inner = format!("{path}[{index}]");
            self.places.put(&inner, self.lines.line(value.span().start));
            // The place of a refused table stays taken.
            let numbered = matches!(item, Kind::Section(_)).then_some(Value::Null);
            list.extend(self.value(item, secret, value.get_ref(), &inner).or(numbered));
        }
        list.into()
    }

    fn secret_file(&mut self, key: &Key, given: bool, value: &DeValue<'_>, path: &str) -> Option<Value> {
        if given {
            self.complain(path, Complaint::new(format!("{} is given as well", key.name)).hint("keep one of the two"));
            return None;
        }
        let file = self.value(Kind::Text(Form::Path), false, value, path)?;
        let result = text::secret(file.as_str().unwrap_or_default(), self.outside).and_then(|text| match key.kind {
            Kind::Text(form) => form.check(&text, true).map(|()| Value::from(text)),
            Kind::ListOf(Kind::Text(form)) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.map(|line| form.check(line, true).map(|()| Value::from(line))).collect()
            }
            _ => Ok(Value::from(text)),
        });
        result.map_err(|complaint| self.complain(path, complaint)).ok()
    }
}

/// The path of the table around a key.
fn parent(path: &str) -> &str {
    path.rfind('.').map_or("", |end| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Preset, ROOT};
    use std::{io, path::Path};

    /// Walks the whole catalogue; the number of defaults found.
    fn defaults(section: &Section, path: &str) -> usize {
        let keys = section.keys.iter();
        keys.map(|key| {
            let path = join(path, key.name);
            let own = match key.preset {
                Preset::Default(literal) | Preset::Flag(literal) => {
                    let text = format!("x = {}", literal.json());
                    assert_eq!(problems(key.kind, &text), [], "{path}");
                    1
                }
                Preset::None => 0,
            };
            own + inner(key.kind, &path)
        })
        .sum()
    }

    fn inner(kind: Kind, path: &str) -> usize {
        match kind {
            Kind::Section(section) => defaults(section, path),
            Kind::MapOf(_, item) | Kind::ListOf(item) => inner(*item, path),
            _ => 0,
        }
    }

    fn problems(kind: Kind, text: &str) -> Vec<crate::Problem> {
        let (lines, mut problems, mut places) = (Lines::new(text), Problems::default(), Places::default());
        let outside =
            Outside { base: Path::new(""), env: &|_| None, file: &|_| Err(io::ErrorKind::Unsupported.into()) };
        let table = DeTable::parse(text).unwrap();
        let value = table.get_ref().get("x").unwrap().get_ref();
        let mut walk = Walk { lines: &lines, outside: &outside, problems: &mut problems, places: &mut places };
        walk.value(kind, false, value, "x");
        problems.into_errors("").problems
    }

    #[test]
    fn every_default_of_the_catalogue_passes_its_own_check() {
        assert!(defaults(&ROOT, "") > 50);
        let port = ROOT.key("metrics").and_then(|key| match key.kind {
            Kind::Section(section) => section.key("port"),
            _ => None,
        });
        assert_eq!(problems(port.unwrap().kind, "x = 70000").len(), 1);
    }
}
