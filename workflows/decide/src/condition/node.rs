//! A condition as it is evaluated: a tree of steps.

use super::{Kind, Val};
use std::sync::Arc;

/// A step of an evaluation.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Const(Val<'static>),
    Global(Arc<str>),
    /// The variable of the loop at that depth, from the outermost.
    Local(usize),
    Select(Box<Node>, String),
    Has(Box<Node>, String),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Compare(Compare, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    List(Vec<Node>),
    Call(Function, Vec<Node>),
    Loop(Loop, Box<Node>, Box<Body>),
}

/// What a loop does with each element: the test that it passes, and what is made of it.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) test: Option<Node>,
    pub(super) item: Option<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    All,
    Exists,
    ExistsOne,
    /// `map` and `filter`.
    Collect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Int,
    Double,
    Text,
    Duration,
}

/// Name, whether it may be called as `f(x)` and as `x.f()`, how many values it takes, what comes out.
pub(super) const FUNCTIONS: [(&str, bool, bool, usize, Function, Kind); 8] = [
    ("size", true, true, 1, Function::Size, Kind::Number),
    ("contains", false, true, 2, Function::Contains, Kind::Bool),
    ("startsWith", false, true, 2, Function::StartsWith, Kind::Bool),
    ("endsWith", false, true, 2, Function::EndsWith, Kind::Bool),
    ("int", true, false, 1, Function::Int, Kind::Number),
    ("double", true, false, 1, Function::Double, Kind::Number),
    ("string", true, false, 1, Function::Text, Kind::Text),
    ("duration", true, false, 1, Function::Duration, Kind::Span),
];
