//! The evaluation: recursive over a tree of bounded depth, and paid for by the step.

use super::{
    FUEL, Val,
    node::{Body, Function, Loop, Node},
    operate::{convert, too_large},
};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of text for one unit of fuel.
const BYTES_PER_FUEL: usize = 64;

/// Why there is no value.
pub(super) enum Fault {
    /// The bound was reached; nothing makes up for it.
    Spent,
    /// A name stands for nothing. Rules often ask about what is not known of most services, and want no words.
    Unknown(Arc<str>),
    /// In words; `||` and `&&` may do without this side.
    Said(String),
}

pub(super) type Outcome<T> = Result<T, Fault>;

pub(super) fn fault<T>(said: impl Into<String>) -> Outcome<T> {
    Err(Fault::Said(said.into()))
}

pub(super) fn holds(root: &Node, values: &[(&str, Val<'_>)]) -> Outcome<bool> {
    let mut run = Run { values, locals: Vec::new(), fuel: FUEL };
    run.value(root).and_then(|value| truth(&value))
}

impl Fault {
    pub(super) fn words(self) -> String {
        match self {
            Self::Spent => "it takes too long".to_owned(),
            Self::Unknown(name) => format!("`{name}` is not known here"),
            Self::Said(said) => said,
        }
    }
}

pub(super) struct Run<'a> {
    values: &'a [(&'a str, Val<'a>)],
    locals: Vec<Val<'a>>,
    fuel: u32,
}

fn truth(value: &Val<'_>) -> Outcome<bool> {
    match value.clone().content() {
        Val::Bool(value) => Ok(value),
        other => fault(format!("{} stands where true or false is expected", other.noun())),
    }
}

fn missing<T>(key: &str) -> Outcome<T> {
    let key: String = key.chars().filter(|c| !c.is_control()).take(60).collect();
    fault(format!("there is no `{key}`"))
}

impl<'a> Run<'a> {
    pub(super) fn spend(&mut self, fuel: usize) -> Outcome<()> {
        let fuel = u32::try_from(fuel).unwrap_or(u32::MAX);
        self.fuel = self.fuel.checked_sub(fuel).ok_or(Fault::Spent)?;
        Ok(())
    }

    pub(super) fn spend_on(&mut self, text: &str) -> Outcome<()> {
        self.spend(text.len() / BYTES_PER_FUEL + 1)
    }

    fn value(&mut self, node: &'a Node) -> Outcome<Val<'a>> {
        self.spend(1)?;
        match node {
            Node::Const(Val::Text(text)) => Ok(Val::text(text)),
            Node::Const(value) => Ok(value.clone()),
            Node::Global(name) => match self.values.iter().find(|(known, _)| *known == &**name) {
                Some((_, value)) => Ok(value.clone()),
                None => Err(Fault::Unknown(Arc::clone(name))),
            },
            Node::Local(at) => self.locals.get(*at).cloned().map_or_else(|| fault("a loop has no value"), Ok),
            Node::Select(of, field) => {
                let of = self.value(of)?;
                self.field(of, field)?.map_or_else(|| missing(field), Ok)
            }
            Node::Has(of, field) => {
                let of = self.value(of)?;
                Ok(Val::Bool(self.field(of, field)?.is_some()))
            }
            Node::Index(nodes) => self.index(nodes),
            Node::Not(of) => Ok(Val::Bool(!self.truth(of)?)),
            Node::Negate(of) => match self.value(of)?.content() {
                Val::Int(number) => number.checked_neg().map_or_else(too_large, |number| Ok(Val::Int(number))),
                Val::Double(number) => Ok(Val::Double(-number)),
                other => fault(format!("{} cannot be negated", other.noun())),
            },
            Node::And(nodes) => self.either(nodes, false),
            Node::Or(nodes) => self.either(nodes, true),
            Node::If(nodes) => {
                let [test, yes, no] = nodes.as_ref();
                if self.truth(test)? { self.value(yes) } else { self.value(no) }
            }
            Node::Arithmetic(how, nodes) => {
                let (a, b) = self.both(nodes)?;
                self.arithmetic(*how, a.content(), b.content())
            }
            Node::Compare(how, nodes) => {
                let (a, b) = self.both(nodes)?;
                Ok(Val::Bool(self.compare(*how, &a, &b)?))
            }
            Node::In(nodes) => self.is_in(nodes),
            Node::List(nodes) => {
                let items = nodes.iter().map(|node| self.value(node)).collect::<Outcome<Vec<_>>>()?;
                Ok(Val::List(Arc::new(items)))
            }
            Node::Call(function, nodes) => self.call(*function, nodes),
            Node::Loop(how, range, body) => self.repeat(*how, range, body),
        }
    }

    fn truth(&mut self, node: &'a Node) -> Outcome<bool> {
        let value = self.value(node)?;
        truth(&value)
    }

    fn both(&mut self, nodes: &'a [Node; 2]) -> Outcome<(Val<'a>, Val<'a>)> {
        Ok((self.value(&nodes[0])?, self.value(&nodes[1])?))
    }

    /// `&&` and `||`: one side that decides is enough, even if the other cannot be told.
    fn either(&mut self, nodes: &'a [Node; 2], decides: bool) -> Outcome<Val<'a>> {
        let first = match self.truth(&nodes[0]) {
            Ok(value) if value == decides => return Ok(Val::Bool(decides)),
            Err(Fault::Spent) => return Err(Fault::Spent),
            other => other,
        };
        match (first, self.truth(&nodes[1])?) {
            (_, second) if second == decides => Ok(Val::Bool(decides)),
            (Err(fault), _) => Err(fault),
            (Ok(_), _) => Ok(Val::Bool(!decides)),
        }
    }

    fn field(&mut self, of: Val<'a>, field: &str) -> Outcome<Option<Val<'a>>> {
        match of {
            Val::Body { json: None, .. } => fault("the body is not JSON"),
            Val::Body { json: Some(Value::Object(object)), .. } | Val::Json(Value::Object(object)) => {
                Ok(object.get(field).map(Val::json))
            }
            Val::Map(map) => Ok(map.get(field).map(|text| Val::text(text))),
            other => fault(format!("{} has no `.{field}`", other.content().noun())),
        }
    }

    fn index(&mut self, nodes: &'a [Node; 2]) -> Outcome<Val<'a>> {
        let (of, index) = self.both(nodes)?;
        if let Some(key) = index.as_text() {
            self.spend_on(key)?;
            return self.field(of, key)?.map_or_else(|| missing(key), Ok);
        }
        let at = match index.content() {
            Val::Int(at) => at,
            #[allow(clippy::cast_possible_truncation, reason = "a whole number within the range of i64 is meant")]
            Val::Double(at) if at.fract() == 0.0 && at.abs() < 9e15 => at as i64,
            other => return fault(format!("{} is no index", other.noun())),
        };
        let outside = || fault(format!("there is no element {at}"));
        let Ok(place) = usize::try_from(at) else { return outside() };
        match of.content() {
            Val::Json(Value::Array(list)) => list.get(place).map(Val::json).map_or_else(outside, Ok),
            Val::List(list) => list.get(place).cloned().map_or_else(outside, Ok),
            other => fault(format!("{} has no elements", other.noun())),
        }
    }

    fn is_in(&mut self, nodes: &'a [Node; 2]) -> Outcome<Val<'a>> {
        let (wanted, of) = self.both(nodes)?;
        let is_in = match of.content() {
            Val::Json(Value::Array(list)) => self.any_equal(list.iter().map(Val::json), &wanted)?,
            Val::List(list) => self.any_equal(list.iter().cloned(), &wanted)?,
            Val::Json(Value::Object(object)) => wanted.as_text().is_some_and(|key| object.contains_key(key)),
            Val::Map(map) => wanted.as_text().is_some_and(|key| map.contains_key(key)),
            other => return fault(format!("{} holds nothing that `in` could find", other.noun())),
        };
        Ok(Val::Bool(is_in))
    }

    fn any_equal<'v>(&mut self, mut items: impl Iterator<Item = Val<'v>>, wanted: &Val<'_>) -> Outcome<bool> {
        items.try_fold(false, |found, item| Ok(found || self.equal(&item, wanted)?))
    }

    fn repeat(&mut self, how: Loop, range: &'a Node, body: &'a Body) -> Outcome<Val<'a>> {
        let items: Vec<Val<'a>> = match self.value(range)?.content() {
            Val::Json(Value::Array(list)) => self.paid(list.len(), list.iter().map(Val::json))?,
            Val::Json(Value::Object(object)) => self.paid(object.len(), object.keys().map(|key| Val::text(key)))?,
            Val::Map(map) => self.paid(map.len(), map.keys().map(|key| Val::text(key)))?,
            Val::List(list) => self.paid(list.len(), list.iter().cloned())?,
            other => return fault(format!("{} has no elements", other.noun())),
        };
        let (mut passed, mut made, mut failed) = (0_usize, Vec::new(), None);
        for item in items {
            self.locals.push(item.clone());
            let result = self.one(body, item);
            self.locals.pop();
            match (how, result) {
                (_, Err(Fault::Spent)) => return Err(Fault::Spent),
                (Loop::All, Ok(None)) => return Ok(Val::Bool(false)),
                (Loop::Exists, Ok(Some(_))) => return Ok(Val::Bool(true)),
                (Loop::All | Loop::Exists, Err(fault)) => failed = Some(fault),
                (_, Err(fault)) => return Err(fault),
                (Loop::Collect, Ok(Some(value))) => made.push(value),
                (_, Ok(Some(_))) => passed += 1,
                (_, Ok(None)) => {}
            }
        }
        match (how, failed) {
            (_, Some(fault)) => Err(fault),
            (Loop::Collect, None) => Ok(Val::List(Arc::new(made))),
            (Loop::All, None) => Ok(Val::Bool(true)),
            (Loop::Exists, None) => Ok(Val::Bool(false)),
            (Loop::ExistsOne, None) => Ok(Val::Bool(passed == 1)),
        }
    }

    fn paid(&mut self, count: usize, items: impl Iterator<Item = Val<'a>>) -> Outcome<Vec<Val<'a>>> {
        self.spend(count)?;
        Ok(items.collect())
    }

    /// What is made of one element; nothing if it does not pass.
    fn one(&mut self, body: &'a Body, item: Val<'a>) -> Outcome<Option<Val<'a>>> {
        if let Some(test) = &body.test
            && !self.truth(test)?
        {
            return Ok(None);
        }
        body.item.as_ref().map_or(Ok(item), |made| self.value(made)).map(Some)
    }

    fn call(&mut self, function: Function, nodes: &'a [Node]) -> Outcome<Val<'a>> {
        let mut given = Vec::with_capacity(2);
        for node in nodes {
            given.push(self.value(node)?);
        }
        match (function, given.as_slice()) {
            (Function::Size, [of]) => self.size(of),
            (Function::Contains | Function::StartsWith | Function::EndsWith, [of, part]) => {
                let (Some(text), Some(part)) = (of.as_text(), part.as_text()) else {
                    let other = if of.as_text().is_none() { of } else { part };
                    return fault(format!("{} stands where a text is expected", other.noun()));
                };
                self.spend_on(text)?;
                self.spend_on(part)?;
                Ok(Val::Bool(match function {
                    Function::Contains => text.contains(part),
                    Function::StartsWith => text.starts_with(part),
                    _ => text.ends_with(part),
                }))
            }
            (_, [of]) => {
                if let Some(text) = of.as_text() {
                    self.spend_on(text)?;
                }
                convert(function, of.clone().content())
            }
            _ => fault("a function was given too few values"),
        }
    }
}
