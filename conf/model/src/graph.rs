//! Order in a graph of dependencies, or the cycles that make one impossible.

use std::collections::VecDeque;

/// Cycles told at once.
const MAX_CYCLES: usize = 20;

/// For each node the length of the longest way down from it: 0 for one that waits for nothing.
///
/// `after[n]` are the nodes that `n` waits for, each below `after.len()`.
///
/// # Errors
/// Cycles, disjoint, each as its nodes in the order of waiting.
pub(crate) fn levels(after: &[Vec<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let mut graph = Graph::new(after);
    let mut cycles = Vec::new();
    graph.settle();
    while let Some(cycle) = graph.cycle() {
        for node in &cycle {
            graph.release(*node);
        }
        graph.settle();
        cycles.push(cycle);
        if cycles.len() == MAX_CYCLES {
            break;
        }
    }
    if cycles.is_empty() { Ok(graph.level) } else { Err(cycles) }
}

struct Graph<'a> {
    after: &'a [Vec<usize>],
    before: Vec<Vec<usize>>,
    /// Dependencies not settled yet.
    open: Vec<usize>,
    settled: Vec<bool>,
    level: Vec<usize>,
    ready: VecDeque<usize>,
}

impl<'a> Graph<'a> {
    fn new(after: &'a [Vec<usize>]) -> Self {
        let mut before = vec![Vec::new(); after.len()];
        for (node, dependencies) in after.iter().enumerate() {
            for dependency in dependencies {
                before[*dependency].push(node);
            }
        }
        let open: Vec<_> = after.iter().map(Vec::len).collect();
        let ready = (0..after.len()).filter(|node| open[*node] == 0).collect();
        Self { after, before, open, settled: vec![false; after.len()], level: vec![0; after.len()], ready }
    }

    /// Settles whatever waits for nothing open (Kahn's algorithm).
    fn settle(&mut self) {
        while let Some(node) = self.ready.pop_front() {
            if !std::mem::replace(&mut self.settled[node], true) {
                for index in 0..self.before[node].len() {
                    let next = self.before[node][index];
                    self.level[next] = self.level[next].max(self.level[node] + 1);
                    self.open[next] -= 1;
                    if self.open[next] == 0 {
                        self.ready.push_back(next);
                    }
                }
            }
        }
    }

    /// Every node left over waits for another one left over, so following them must come round.
    fn cycle(&self) -> Option<Vec<usize>> {
        let mut node = self.settled.iter().position(|settled| !settled)?;
        let mut seen = vec![None; self.after.len()];
        let mut way = Vec::new();
        while seen[node].is_none() {
            seen[node] = Some(way.len());
            way.push(node);
            node = *self.after[node].iter().find(|next| !self.settled[**next])?;
        }
        way.drain(..seen[node]?);
        let first = way.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(index, _)| index);
        way.rotate_left(first);
        Some(way)
    }

    /// Takes a node of a found cycle out of the way.
    fn release(&mut self, node: usize) {
        self.ready.push_back(node);
    }
}

#[cfg(test)]
mod tests {
    use super::levels;

    #[test]
    fn a_level_is_the_longest_way_down() {
        assert_eq!(levels(&[vec![], vec![0], vec![0, 1], vec![]]), Ok(vec![0, 1, 2, 0]));
    }

    #[test]
    fn each_cycle_is_found_once_and_starts_at_its_first_node() {
        let after = [vec![1], vec![2], vec![0], vec![0], vec![5], vec![4], vec![6]];
        assert_eq!(levels(&after), Err(vec![vec![0, 1, 2], vec![4, 5], vec![6]]));
    }
}
