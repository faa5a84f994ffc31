//! What is done to values: calculating, comparing, converting.

use super::{
    Val,
    eval::{Outcome, Run, fault},
    node::{Arithmetic, Compare, Function},
};
use dixmgr_contract::Span;
use serde_json::Value;
use std::{borrow::Cow, cmp::Ordering, sync::Arc};

impl<'a> Run<'a> {
    pub(super) fn size(&mut self, of: &Val<'a>) -> Outcome<Val<'a>> {
        let size = match of.clone().content() {
            Val::Json(Value::Array(list)) => list.len(),
            Val::Json(Value::Object(object)) => object.len(),
            Val::List(list) => list.len(),
            Val::Map(map) => map.len(),
            other => match other.as_text() {
                Some(text) => {
                    self.spend_on(text)?;
                    text.chars().count()
                }
                None => return fault(format!("{} has no size", other.noun())),
            },
        };
        Ok(Val::Int(i64::try_from(size).unwrap_or(i64::MAX)))
    }

    pub(super) fn arithmetic(&mut self, how: Arithmetic, a: Val<'a>, b: Val<'a>) -> Outcome<Val<'a>> {
        match (a, b) {
            (Val::Int(a), Val::Int(b)) => whole(how, a, b).map(Val::Int),
            (Val::Span(a), Val::Span(b)) if matches!(how, Arithmetic::Add | Arithmetic::Subtract) => {
                whole(how, a, b).map(Val::Span)
            }
            (a, b) if how == Arithmetic::Add && elements(&a).is_some() && elements(&b).is_some() => self.join(&a, &b),
            (a, b) => match (number(&a), number(&b), a.as_text(), b.as_text()) {
                (Some(a), Some(b), ..) => fraction(how, a, b).map(Val::Double),
                (.., Some(a), Some(b)) if how == Arithmetic::Add => {
                    self.spend_on(a)?;
                    self.spend_on(b)?;
                    Ok(Val::Text(Cow::Owned(format!("{a}{b}"))))
                }
                _ => fault(format!("{} cannot be calculated with {}", b.noun(), a.noun())),
            },
        }
    }

    /// A list after another one, of JSON or made here.
    fn join(&mut self, a: &Val<'a>, b: &Val<'a>) -> Outcome<Val<'a>> {
        let counts = [a, b].map(|list| elements(list).unwrap_or(0));
        self.spend(counts[0].saturating_add(counts[1]))?;
        let all = |list, count| (0..count).filter_map(move |at| element(list, at));
        Ok(Val::List(Arc::new(all(a, counts[0]).chain(all(b, counts[1])).collect())))
    }

    pub(super) fn compare(&mut self, how: Compare, a: &Val<'_>, b: &Val<'_>) -> Outcome<bool> {
        match how {
            Compare::Equal => return self.equal(a, b),
            Compare::NotEqual => return Ok(!self.equal(a, b)?),
            _ => {}
        }
        let order = self.order(a, b)?;
        Ok(match how {
            Compare::Less => order == Some(Ordering::Less),
            Compare::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Compare::Greater => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }

    fn order(&mut self, a: &Val<'_>, b: &Val<'_>) -> Outcome<Option<Ordering>> {
        if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
            self.spend_on(if a.len() < b.len() { a } else { b })?;
            return Ok(Some(a.cmp(b)));
        }
        match (a.clone().content(), b.clone().content()) {
            (Val::Bool(a), Val::Bool(b)) => Ok(Some(a.cmp(&b))),
            (Val::Int(a), Val::Int(b)) | (Val::Span(a), Val::Span(b)) => Ok(Some(a.cmp(&b))),
            (a, b) => match (number(&a), number(&b)) {
                (Some(x), Some(y)) => Ok(x.partial_cmp(&y)),
                _ => fault(format!("{} cannot be compared with {}", b.noun(), a.noun())),
            },
        }
    }

    /// Values of different kinds are not equal; numbers are one kind. JSON is not read deeper than 128.
    pub(super) fn equal(&mut self, a: &Val<'_>, b: &Val<'_>) -> Outcome<bool> {
        self.spend(1)?;
        if let (Some(a), Some(b)) = (a.as_text(), b.as_text()) {
            if a.len() != b.len() {
                return Ok(false);
            }
            self.spend_on(a)?;
            return Ok(a == b);
        }
        match (a.clone().content(), b.clone().content()) {
            (Val::Null, Val::Null) => Ok(true),
            (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
            (Val::Int(a), Val::Int(b)) | (Val::Span(a), Val::Span(b)) => Ok(a == b),
            (Val::Json(Value::Object(a)), Val::Json(Value::Object(b))) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (key, value) in a {
                    self.spend_on(key)?;
                    let Some(other) = b.get(key) else { return Ok(false) };
                    if !self.equal(&Val::json(value), &Val::json(other))? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (a, b) => match (elements(&a), elements(&b)) {
                (Some(x), Some(y)) if x != y => Ok(false),
                (Some(count), Some(_)) => {
                    for at in 0..count {
                        let (Some(x), Some(y)) = (element(&a, at), element(&b, at)) else { return Ok(false) };
                        if !self.equal(&x, &y)? {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                }
                _ => Ok(number(&a).zip(number(&b)).is_some_and(|(x, y)| x == y)),
            },
        }
    }
}

fn elements(of: &Val<'_>) -> Option<usize> {
    match of {
        Val::Json(Value::Array(list)) => Some(list.len()),
        Val::List(list) => Some(list.len()),
        _ => None,
    }
}

fn element<'v>(of: &Val<'v>, at: usize) -> Option<Val<'v>> {
    match of {
        Val::Json(Value::Array(list)) => list.get(at).map(Val::json),
        Val::List(list) => list.get(at).cloned(),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a whole number beside a fraction counts as one, as in CEL")]
fn number(of: &Val<'_>) -> Option<f64> {
    match of {
        Val::Int(number) => Some(*number as f64),
        Val::Double(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn too_large<T>() -> Outcome<T> {
    fault("a number is too large")
}

fn whole(how: Arithmetic, a: i64, b: i64) -> Outcome<i64> {
    let result = match how {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => return fault("a number is divided by zero"),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Modulo => a.checked_rem(b),
    };
    result.map_or_else(too_large, Ok)
}

fn fraction(how: Arithmetic, a: f64, b: f64) -> Outcome<f64> {
    match how {
        Arithmetic::Add => Ok(a + b),
        Arithmetic::Subtract => Ok(a - b),
        Arithmetic::Multiply => Ok(a * b),
        Arithmetic::Divide => Ok(a / b),
        Arithmetic::Modulo => fault("a remainder is one of whole numbers"),
    }
}

pub(super) fn convert<'v>(function: Function, of: Val<'v>) -> Outcome<Val<'v>> {
    let noun = of.noun();
    let not = |what: &str| fault(format!("{noun} is not {what}"));
    match (function, of) {
        (Function::Int, Val::Int(number)) => Ok(Val::Int(number)),
        #[allow(clippy::cast_possible_truncation, reason = "CEL cuts the fraction off; the range is looked at")]
        (Function::Int, Val::Double(number)) if number.abs() < 9.2e18 => Ok(Val::Int(number as i64)),
        (Function::Int, Val::Text(text)) => text.parse().map(Val::Int).or_else(|_| not("that of a whole number")),
        (Function::Double, Val::Text(text)) => text.parse().map(Val::Double).or_else(|_| not("that of a number")),
        (Function::Double, value) => number(&value).map_or_else(|| not("a number"), |number| Ok(Val::Double(number))),
        (Function::Text, Val::Text(text)) => Ok(Val::Text(text)),
        (Function::Text, Val::Body { text, .. }) => Ok(Val::text(text)),
        (Function::Text, Val::Bool(value)) => Ok(Val::Text(Cow::Owned(value.to_string()))),
        (Function::Text, Val::Int(number)) => Ok(Val::Text(Cow::Owned(number.to_string()))),
        (Function::Text, Val::Double(number)) => Ok(Val::Text(Cow::Owned(number.to_string()))),
        (Function::Duration, Val::Span(span)) => Ok(Val::Span(span)),
        (Function::Duration, Val::Text(text)) => {
            text.parse::<Span>().map(|span| Val::span(span.duration())).or_else(|_| not("that of a length of time"))
        }
        (Function::Int, _) => not("a whole number"),
        (Function::Text, _) => not("a text"),
        _ => not("a length of time"),
    }
}
