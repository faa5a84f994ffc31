//! Which of the services behind a trouble are its roots: those in trouble that wait for nobody who is.
//!
//! What fires is told as a consequence of a root, not of whoever stands between: that one has no trouble of its own.

use std::collections::BTreeSet;

/// So many services are looked at, at most, and so many roots named.
const MOST: usize = 1_000;
/// See [`MOST`].
const ROOTS: usize = 8;

/// The roots behind service `of`: from its dependencies through all that are in trouble, those without one in trouble before them. In the order of
/// the plan; circles end where they began. A service is no root of itself.
pub fn roots<'a>(of: usize, after: impl Fn(usize) -> &'a [usize], is_troubled: impl Fn(usize) -> bool) -> Vec<usize> {
    let (mut seen, mut roots) = (BTreeSet::from([of]), Vec::new());
    let troubled_before = |one: usize| after(one).iter().copied().filter(|one| is_troubled(*one));
    let mut open: Vec<usize> = troubled_before(of).collect();
    open.reverse();
    while let Some(one) = open.pop() {
        if seen.len() > MOST || roots.len() >= ROOTS || !seen.insert(one) {
            continue;
        }
        let before: Vec<usize> = troubled_before(one).collect();
        if before.is_empty() {
            roots.push(one);
        }
        open.extend(before.into_iter().rev());
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(of: usize, after: &[Vec<usize>], troubled: &[bool]) -> Vec<usize> {
        roots(of, |one| &after[one], |one| troubled[one])
    }

    #[test]
    fn whoever_stands_between_is_no_root() {
        // 3 after 2 after 1 after 0; and 4 after 0 and 2.
        let after = [vec![], vec![0], vec![1], vec![2], vec![0, 2]];
        assert_eq!(found(3, &after, &[true, true, true, true, false]), [0]);
        assert_eq!(found(3, &after, &[true, false, true, true, false]), [2], "0 is not behind it any more");
        assert_eq!(found(4, &after, &[true, true, true, false, true]), [0]);
        assert_eq!(found(4, &after, &[false; 5]), [0; 0]);
        assert_eq!(found(0, &after, &[true; 5]), [0; 0]);
    }

    proptest! {
        #[test]
        fn a_root_is_in_trouble_and_nobody_before_it_is(
            after in prop::collection::vec(prop::collection::vec(0..12_usize, 0..4), 12),
            troubled in prop::collection::vec(any::<bool>(), 12),
            of in 0..12_usize,
        ) {
            let all = found(of, &after, &troubled);
            for root in &all {
                prop_assert!(troubled[*root] && *root != of);
                prop_assert!(after[*root].iter().all(|before| !troubled[*before]));
            }
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "each once");
        }
    }
}
