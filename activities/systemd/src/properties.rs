//! Reading systemd's property dictionaries: what a message *says*, before it is merged with what was known.
//!
//! A property of an unexpected type is ignored rather than refused: a newer systemd must not stop an observation.

use std::collections::HashMap;
use zbus::zvariant::Value;

/// The properties of one or more messages that matter to us; absent ones were not mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) load: Option<String>,
    pub(crate) active: Option<String>,
    pub(crate) sub: Option<String>,
    pub(crate) result: Option<String>,
    pub(crate) invocation: Option<Option<String>>,
    pub(crate) main_pid: Option<u32>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) exit_status: Option<i32>,
    pub(crate) restarts: Option<u32>,
    /// The job's number; 0 is none.
    pub(crate) job: Option<u32>,
    pub(crate) kind: Option<String>,
    pub(crate) remain_after_exit: Option<bool>,
    /// A main process was started since the unit was loaded.
    pub(crate) ran: Option<bool>,
    /// The `Restart=` policy.
    pub(crate) restart: Option<String>,
}

/// systemd's words are short; what is longer is cut (memory is bounded whatever the bus sends).
const WORD_MAX: usize = 64;

impl Patch {
    /// What `properties` say (`a{sv}`, from `PropertiesChanged` or `GetAll`).
    pub(crate) fn read(properties: &HashMap<&str, Value<'_>>) -> Self {
        let get = |name: &str| properties.get(name);
        let word = |name: &str| match get(name) {
            Some(Value::Str(text)) => Some(text.chars().take(WORD_MAX).collect::<String>()),
            _ => None,
        };
        let u32_of = |name: &str| match get(name) {
            Some(Value::U32(number)) => Some(*number),
            _ => None,
        };
        let i32_of = |name: &str| match get(name) {
            Some(Value::I32(number)) => Some(*number),
            _ => None,
        };
        Self {
            load: word("LoadState"),
            active: word("ActiveState"),
            sub: word("SubState"),
            result: word("Result"),
            invocation: get("InvocationID").and_then(invocation),
            main_pid: u32_of("MainPID"),
            exit_code: i32_of("ExecMainCode"),
            exit_status: i32_of("ExecMainStatus"),
            restarts: u32_of("NRestarts"),
            job: get("Job").and_then(job),
            ran: match get("ExecMainStartTimestampMonotonic") {
                Some(Value::U64(when)) => Some(*when != 0),
                _ => None,
            },
            kind: word("Type"),
            restart: word("Restart"),
            remain_after_exit: match get("RemainAfterExit") {
                Some(Value::Bool(yes)) => Some(*yes),
                _ => None,
            },
        }
    }

    /// Lays `later` over this.
    pub(crate) fn merge(&mut self, later: Self) {
        fn lay<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        lay(&mut self.load, later.load);
        lay(&mut self.active, later.active);
        lay(&mut self.sub, later.sub);
        lay(&mut self.result, later.result);
        lay(&mut self.invocation, later.invocation);
        lay(&mut self.main_pid, later.main_pid);
        lay(&mut self.exit_code, later.exit_code);
        lay(&mut self.exit_status, later.exit_status);
        lay(&mut self.restarts, later.restarts);
        lay(&mut self.job, later.job);
        lay(&mut self.ran, later.ran);
        lay(&mut self.kind, later.kind);
        lay(&mut self.restart, later.restart);
        lay(&mut self.remain_after_exit, later.remain_after_exit);
    }
}

/// `InvocationID`, `ay`: 16 bytes, or none or all zero for a unit that has not run since it was loaded.
pub(crate) fn invocation(value: &Value<'_>) -> Option<Option<String>> {
    let Value::Array(array) = value else { return None };
    let mut hex = String::with_capacity(32);
    let mut any = false;
    for byte in array.inner() {
        let Value::U8(byte) = byte else { return None };
        any |= *byte != 0;
        hex.push(char::from_digit(u32::from(byte >> 4), 16)?);
        hex.push(char::from_digit(u32::from(byte & 15), 16)?);
    }
    match hex.len() {
        0 => Some(None),
        32 => Some(any.then_some(hex)),
        _ => None,
    }
}

/// `(uo)`: number and path.
fn job(value: &Value<'_>) -> Option<u32> {
    let Value::Structure(structure) = value else { return None };
    match structure.fields().first() {
        Some(Value::U32(id)) => Some(*id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: Vec<(&'static str, Value<'static>)>) -> Patch {
        Patch::read(&pairs.into_iter().collect())
    }

    #[test]
    fn an_invocation_is_hex_or_none() {
        let mut bytes = vec![0_u8; 16];
        assert_eq!(read(vec![("InvocationID", Value::from(bytes.clone()))]).invocation, Some(None));
        assert_eq!(read(vec![("InvocationID", Value::from(Vec::<u8>::new()))]).invocation, Some(None));
        assert_eq!(read(vec![("InvocationID", Value::from(vec![1_u8, 2]))]).invocation, None);
        bytes[0] = 0xAB;
        assert_eq!(
            read(vec![("InvocationID", Value::from(bytes))]).invocation,
            Some(Some("ab000000000000000000000000000000".to_owned()))
        );
    }

    #[test]
    fn a_wrong_type_is_as_good_as_absent() {
        let wrong = ["ActiveState", "Job", "InvocationID", "NRestarts", "ExecMainCode", "RemainAfterExit"];
        assert_eq!(read(wrong.map(|name| (name, Value::from(1.5_f64))).to_vec()), Patch::default());
    }

    #[test]
    fn long_words_are_cut() {
        let patch = read(vec![("Result", Value::from("x".repeat(1000)))]);
        assert_eq!(patch.result.map(|word| word.len()), Some(WORD_MAX));
    }
}
