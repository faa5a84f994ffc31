//! Turns: what is told to the same place is told in order, and what was overtaken meanwhile not at all.
//!
//! An activity whose dixmgr is killed is tried again later. Were the next one not to wait for it, old news could arrive after
//! newer ones, at an incident that knows of neither any more.

use std::collections::BTreeMap;

/// Who has a turn, by place.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<String, Turn>);

#[derive(Debug, Default)]
struct Turn {
    /// Whose it is; the number of the first is 1.
    present: u64,
    /// The number that was given last.
    last: u64,
}

impl Turns {
    /// Takes a number for a place.
    pub(crate) fn take(&mut self, place: &str) -> u64 {
        let turn = self.0.entry(place.to_owned()).or_insert(Turn { present: 1, last: 0 });
        turn.last += 1;
        turn.last
    }

    /// Whether it is that number's turn.
    pub(crate) fn is_on(&self, place: &str, number: u64) -> bool {
        self.0.get(place).is_none_or(|turn| turn.present >= number)
    }

    /// Whether a later number has been given.
    pub(crate) fn is_overtaken(&self, place: &str, number: u64) -> bool {
        self.0.get(place).is_some_and(|turn| turn.last > number)
    }

    /// It is the next one's turn.
    pub(crate) fn pass(&mut self, place: &str) {
        if let Some(turn) = self.0.get_mut(place) {
            turn.present += 1;
            if turn.present > turn.last {
                self.0.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_in_order_and_an_empty_line_is_forgotten() {
        let mut turns = Turns::default();
        let (first, second, third) = (turns.take("a"), turns.take("a"), turns.take("a"));
        assert!(turns.is_on("a", first) && !turns.is_on("a", second) && turns.is_overtaken("a", second));
        assert_eq!(turns.take("b"), 1, "each place has a line of its own");
        turns.pass("a");
        assert!(turns.is_on("a", second) && !turns.is_on("a", third) && !turns.is_overtaken("a", third));
        turns.pass("a");
        turns.pass("a");
        assert_eq!(turns.take("a"), 1);
    }
}
