//! The tree of processes: each below its parent.
//!
//! Called by the command.

use alloc::collections::BTreeMap;

use super::Process;

/// The most columns of lines before a name.
const DEEPEST: usize = 60;

/// Puts `processes` below their parents, siblings in the order that they have, and returns for each the lines that lead to it.
///
/// ```text
///  init
///  ├─ server
///  │  └─ worker
///  └─ shell
/// ```
pub fn arrange(processes: &mut Vec<Process>) -> Vec<String> {
    let mut children: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut roots = Vec::new();
    let pids: BTreeMap<u32, usize> =
        processes.iter().enumerate().map(|(place, process)| (process.pid, place)).collect();
    for (place, process) in processes.iter().enumerate() {
        // A parent that is not there, because it was filtered out or has just ended, leaves a root.
        if pids.contains_key(&process.parent_pid) && process.parent_pid != process.pid {
            children.entry(process.parent_pid).or_default().push(place);
        } else {
            roots.push(place);
        }
    }
    let mut order: Vec<(usize, String)> = Vec::with_capacity(processes.len());
    // A stack of its own: a tree may be as deep as there are processes.
    let mut open: Vec<(usize, String, String)> =
        roots.into_iter().rev().map(|place| (place, String::new(), String::new())).collect();
    while let Some((place, lead, below)) = open.pop() {
        let below_it = children.remove(&processes[place].pid).unwrap_or_default();
        order.push((place, lead));
        for (nth, child) in below_it.iter().enumerate().rev() {
            let is_last = nth + 1 == below_it.len();
            let (corner, line) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            // Further in there would be no room for names.
            let line = if below.chars().count() < DEEPEST { line } else { "" };
            open.push((*child, format!("{below}{corner}"), format!("{below}{line}")));
        }
    }
    // Two that are each other's parents, read while one of the numbers was given away, hang on no root.
    for places in children.into_values() {
        order.extend(places.into_iter().map(|place| (place, String::new())));
    }
    let mut taken: Vec<Option<Process>> = core::mem::take(processes).into_iter().map(Some).collect();
    let (arranged, leads): (Vec<_>, Vec<_>) =
        order.into_iter().filter_map(|(place, lead)| Some((taken[place].take()?, lead))).unzip();
    *processes = arranged;
    leads
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member((pid, parent_pid): &(u32, u32)) -> Process {
        Process { parent_pid: *parent_pid, ..Process::unread(*pid) }
    }

    fn arranged(family: &[(u32, u32)]) -> Vec<String> {
        let mut processes = family.iter().map(member).collect();
        let leads = arrange(&mut processes);
        leads.iter().zip(&processes).map(|(lead, process)| format!("{lead}{}", process.pid)).collect()
    }

    #[test]
    fn children_are_below_their_parents() {
        let family = [(5, 1), (1, 0), (7, 5), (2, 1), (9, 8), (6, 5)];
        assert_eq!(arranged(&family), ["1", "├─ 5", "│  ├─ 7", "│  └─ 6", "└─ 2", "9"]);
    }

    #[test]
    fn numbers_that_make_a_ring_are_shown_once() {
        assert_eq!(arranged(&[(1, 2), (2, 1), (3, 3)]).len(), 3);
    }

    #[test]
    fn a_long_line_of_descent_is_no_trouble() {
        let family: Vec<_> = (1..2000).map(|pid| (pid, pid - 1)).collect();
        assert_eq!(arranged(&family).len(), 1999);
    }

    proptest! {
        #[test]
        fn nobody_is_lost_or_doubled(parents in proptest::collection::vec(0_u32..30, 0..30)) {
            let family: Vec<_> = (1..).zip(parents).collect();
            let mut found: Vec<u32> = {
                let mut processes = family.iter().map(member).collect();
                arrange(&mut processes);
                processes.iter().map(|process| process.pid).collect()
            };
            found.sort_unstable();
            prop_assert_eq!(found, family.iter().map(|(pid, _)| *pid).collect::<Vec<_>>());
        }
    }
}
