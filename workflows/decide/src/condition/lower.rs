//! From the parser's tree to ours: names are looked up, functions chosen, and what can never be is refused.

use super::{
    ConditionError, Kind, MAX_DEPTH, Val,
    node::{Arithmetic, Body, Compare, FUNCTIONS, Function, Loop, Node},
    source::Source,
};
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op};
use dixmgr_contract::Span;
use std::{borrow::Cow, collections::BTreeSet};

const MACROS: &str = "has, all, exists, exists_one, map, filter";

type Lowered = Result<(Node, Kind), ConditionError>;

/// The tree, and the names that it uses.
pub(super) fn lower(
    tree: &IdedExpr,
    names: &[(&str, Kind)],
    source: &Source<'_>,
) -> Result<(Node, BTreeSet<String>), ConditionError> {
    let mut lower = Lower { names, source, locals: Vec::new(), used: BTreeSet::new(), depth: 0 };
    let (root, kind) = lower.any(tree)?;
    if !matches!(kind, Kind::Bool | Kind::Any) {
        let what = format!("what comes out is {}, not true or false", kind.noun());
        return Err(ConditionError { at: None, what });
    }
    Ok((root, lower.used))
}

struct Lower<'a> {
    names: &'a [(&'a str, Kind)],
    source: &'a Source<'a>,
    /// The variables of the loops around.
    locals: Vec<String>,
    used: BTreeSet<String>,
    depth: usize,
}

fn error<T>(what: impl Into<String>) -> Result<T, ConditionError> {
    Err(ConditionError { at: None, what: what.into() })
}

impl Lower<'_> {
    fn any(&mut self, tree: &IdedExpr) -> Lowered {
        if self.depth >= MAX_DEPTH {
            return error(format!("it is deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let lowered = match &tree.expr {
            Expr::Literal(literal) => constant(literal),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                let (of, kind) = self.any(&select.operand)?;
                self.demand(kind, &[Kind::Map], &select.operand, &format!("has no `.{}`", select.field))?;
                let of = Box::new(of);
                let field = select.field.clone();
                Ok(if select.test { (Node::Has(of, field), Kind::Bool) } else { (Node::Select(of, field), Kind::Any) })
            }
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.any(item).map(|(node, _)| node));
                Ok((Node::List(items.collect::<Result<_, _>>()?), Kind::List))
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Map(_) | Expr::Struct(_) => error("a map cannot be written in a condition"),
            Expr::Unspecified => error("it is not CEL"),
        };
        self.depth -= 1;
        lowered
    }

    fn name(&mut self, name: &str) -> Lowered {
        if let Some(at) = self.locals.iter().rposition(|local| local == name) {
            return Ok((Node::Local(at), Kind::Any));
        }
        if let Some((_, kind)) = self.names.iter().find(|(known, _)| *known == name) {
            self.used.insert(name.to_owned());
            return Ok((Node::Global((*name).into()), *kind));
        }
        let known: Vec<_> = self.names.iter().map(|(known, _)| *known).collect();
        let what = format!("there is no `{}` here; there are {}", shown(name), known.join(", "));
        Err(ConditionError { at: self.source.first_place_of(name), what })
    }

    /// An operand of one of these kinds, or one that is only known when it is looked at.
    fn demand(&self, is: Kind, wanted: &[Kind], operand: &IdedExpr, why: &str) -> Result<(), ConditionError> {
        if is == Kind::Any || wanted.contains(&is) {
            return Ok(());
        }
        let (name, at) = match &operand.expr {
            Expr::Ident(name) => (format!("`{}`, ", shown(name)), self.source.place_of(name)),
            _ => (String::new(), None),
        };
        Err(ConditionError { at, what: format!("{name}{} {why}", is.noun()) })
    }

    fn call(&mut self, call: &CallExpr) -> Lowered {
        if call.target.is_none() {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (op::LOGICAL_NOT, [of]) => return Ok((Node::Not(Box::new(self.truth(of)?)), Kind::Bool)),
                (op::NEGATE, [of]) => {
                    let (node, kind) = self.any(of)?;
                    self.demand(kind, &[Kind::Number], of, "cannot be negated")?;
                    return Ok((Node::Negate(Box::new(node)), Kind::Number));
                }
                (op::LOGICAL_AND, [a, b]) => return Ok((Node::And(self.truths(a, b)?), Kind::Bool)),
                (op::LOGICAL_OR, [a, b]) => return Ok((Node::Or(self.truths(a, b)?), Kind::Bool)),
                (op::CONDITIONAL, [test, yes, no]) => {
                    let (test, (yes, a), (no, b)) = (self.truth(test)?, self.any(yes)?, self.any(no)?);
                    let kind = if a == b { a } else { Kind::Any };
                    return Ok((Node::If(Box::new([test, yes, no])), kind));
                }
                (name, [a, b]) => {
                    if let Some(lowered) = self.binary(name, a, b) {
                        return lowered;
                    }
                }
                _ => {}
            }
        }
        self.function(call)
    }

    fn truth(&mut self, of: &IdedExpr) -> Result<Node, ConditionError> {
        let (node, kind) = self.any(of)?;
        self.demand(kind, &[Kind::Bool], of, "stands where true or false is expected")?;
        Ok(node)
    }

    fn truths(&mut self, a: &IdedExpr, b: &IdedExpr) -> Result<Box<[Node; 2]>, ConditionError> {
        Ok(Box::new([self.truth(a)?, self.truth(b)?]))
    }

    fn binary(&mut self, name: &str, a: &IdedExpr, b: &IdedExpr) -> Option<Lowered> {
        Some(match name {
            op::EQUALS => self.compare(Compare::Equal, a, b),
            op::NOT_EQUALS => self.compare(Compare::NotEqual, a, b),
            op::LESS => self.compare(Compare::Less, a, b),
            op::LESS_EQUALS => self.compare(Compare::LessOrEqual, a, b),
            op::GREATER => self.compare(Compare::Greater, a, b),
            op::GREATER_EQUALS => self.compare(Compare::GreaterOrEqual, a, b),
            op::ADD => self.arithmetic(Arithmetic::Add, a, b),
            op::SUBSTRACT => self.arithmetic(Arithmetic::Subtract, a, b),
            op::MULTIPLY => self.arithmetic(Arithmetic::Multiply, a, b),
            op::DIVIDE => self.arithmetic(Arithmetic::Divide, a, b),
            op::MODULO => self.arithmetic(Arithmetic::Modulo, a, b),
            op::IN => self
                .pair(a, b, &[Kind::List, Kind::Map], "holds nothing that `in` could find", 1)
                .map(|(nodes, _)| (Node::In(nodes), Kind::Bool)),
            op::INDEX => self
                .pair(a, b, &[Kind::List, Kind::Map], "cannot be indexed", 0)
                .map(|(nodes, _)| (Node::Index(nodes), Kind::Any)),
            _ => return None,
        })
    }

    /// Two operands, of which the one at `checked` is of one of these kinds.
    fn pair(
        &mut self,
        a: &IdedExpr,
        b: &IdedExpr,
        wanted: &[Kind],
        why: &str,
        checked: usize,
    ) -> Result<(Box<[Node; 2]>, [Kind; 2]), ConditionError> {
        let ((left, x), (right, y)) = (self.any(a)?, self.any(b)?);
        let (kind, operand) = if checked == 0 { (x, a) } else { (y, b) };
        self.demand(kind, wanted, operand, why)?;
        Ok((Box::new([left, right]), [x, y]))
    }

    fn compare(&mut self, how: Compare, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let ((left, x), (right, y)) = (self.any(a)?, self.any(b)?);
        let is_order = !matches!(how, Compare::Equal | Compare::NotEqual);
        if is_order {
            for (kind, of) in [(x, a), (y, b)] {
                self.demand(kind, &[Kind::Number, Kind::Text, Kind::Span, Kind::Bool], of, "is neither more nor less")?;
            }
        }
        if x != Kind::Any {
            self.demand(y, &[x], b, &format!("cannot be compared with {}", x.noun()))?;
        }
        Ok((Node::Compare(how, Box::new([left, right])), Kind::Bool))
    }

    fn arithmetic(&mut self, how: Arithmetic, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let wanted: &[Kind] = match how {
            Arithmetic::Add => &[Kind::Number, Kind::Text, Kind::Span, Kind::List],
            Arithmetic::Subtract => &[Kind::Number, Kind::Span],
            _ => &[Kind::Number],
        };
        let (nodes, [x, y]) = self.pair(a, b, wanted, "cannot be calculated with", 0)?;
        self.demand(y, wanted, b, "cannot be calculated with")?;
        if x != Kind::Any {
            self.demand(y, &[x], b, &format!("cannot be calculated with {}", x.noun()))?;
        }
        Ok((Node::Arithmetic(how, nodes), if x == Kind::Any { y } else { x }))
    }

    fn function(&mut self, call: &CallExpr) -> Lowered {
        let name = call.func_name.as_str();
        let at = self.source.first_place_of(name);
        let Some((_, global, member, count, function, kind)) = FUNCTIONS.iter().find(|known| known.0 == name) else {
            let known: Vec<_> = FUNCTIONS.iter().map(|known| known.0).collect();
            let what = format!("there is no function `{}`; there are {}, {MACROS}", shown(name), known.join(", "));
            return Err(ConditionError { at, what });
        };
        let given: Vec<_> = call.target.iter().map(AsRef::as_ref).chain(&call.args).collect();
        let fits = if call.target.is_some() { *member } else { *global };
        if !fits || given.len() != *count {
            let form = match (global, count) {
                (true, _) => format!("{name}(x)"),
                (false, 2) => format!("x.{name}(y)"),
                _ => format!("x.{name}()"),
            };
            return Err(ConditionError { at, what: format!("`{name}` is written {form}") });
        }
        let mut nodes = Vec::with_capacity(given.len());
        for of in given {
            let (node, kind) = self.any(of)?;
            if matches!(function, Function::Contains | Function::StartsWith | Function::EndsWith) {
                self.demand(kind, &[Kind::Text], of, &format!("stands where {name} takes a text"))?;
            }
            nodes.push(node);
        }
        if let (Function::Duration, [Node::Const(Val::Text(text))]) = (function, nodes.as_slice()) {
            let span = text.parse::<Span>().map_err(|error| ConditionError { at, what: error.to_string() })?;
            return Ok((Node::Const(Val::span(span.duration())), Kind::Span));
        }
        Ok((Node::Call(*function, nodes), *kind))
    }

    /// What the macros become: the accumulator is on the left of each step.
    fn comprehension(&mut self, of: &ComprehensionExpr) -> Lowered {
        let (range, kind) = self.any(&of.iter_range)?;
        self.demand(kind, &[Kind::List, Kind::Map], &of.iter_range, "has no elements")?;
        self.locals.push(of.iter_var.clone());
        let lowered = self.step(&of.loop_step);
        self.locals.pop();
        let (how, body) = lowered?;
        let kind = if how == Loop::Collect { Kind::List } else { Kind::Bool };
        Ok((Node::Loop(how, Box::new(range), Box::new(body)), kind))
    }

    fn step(&mut self, step: &IdedExpr) -> Result<(Loop, Body), ConditionError> {
        let Expr::Call(call) = &step.expr else { return error("it holds a loop that is not known here") };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (op::LOGICAL_AND, [_, test]) => Ok((Loop::All, Body { test: Some(self.truth(test)?), item: None })),
            (op::LOGICAL_OR, [_, test]) => Ok((Loop::Exists, Body { test: Some(self.truth(test)?), item: None })),
            (op::CONDITIONAL, [test, then, _]) => {
                let test = Some(self.truth(test)?);
                let (how, body) = self.step(then)?;
                Ok((how, Body { test, ..body }))
            }
            (op::ADD, [_, added]) => match &added.expr {
                Expr::List(list) => match list.elements.as_slice() {
                    [item] => Ok((Loop::Collect, Body { test: None, item: Some(self.any(item)?.0) })),
                    _ => error("it holds a loop that is not known here"),
                },
                _ => Ok((Loop::ExistsOne, Body { test: None, item: None })),
            },
            _ => error("it holds a loop that is not known here"),
        }
    }
}

fn constant(literal: &LiteralValue) -> Lowered {
    let (value, kind) = match literal {
        LiteralValue::Boolean(value) => (Val::Bool(*value.inner()), Kind::Bool),
        LiteralValue::Int(number) => (Val::Int(*number.inner()), Kind::Number),
        LiteralValue::UInt(number) => match i64::try_from(*number.inner()) {
            Ok(number) => (Val::Int(number), Kind::Number),
            Err(_) => return error("a whole number is too large"),
        },
        LiteralValue::Double(number) => (Val::Double(*number.inner()), Kind::Number),
        LiteralValue::String(text) => (Val::Text(Cow::Owned(text.inner().to_owned())), Kind::Text),
        LiteralValue::Null => (Val::Null, Kind::Any),
        LiteralValue::Bytes(_) => return error("bytes cannot be written in a condition"),
    };
    Ok((Node::Const(value), kind))
}

/// A name, cut when it is long.
fn shown(name: &str) -> String {
    const MAX: usize = 40;
    let mut shown: String = name.chars().filter(|c| !c.is_control()).take(MAX).collect();
    if name.chars().count() > MAX {
        shown.push('…');
    }
    shown
}
