//! The range map against a map of the standard library that knows only the promises.
#![cfg(not(any(loom, shuttle)))]
#![expect(clippy::tests_outside_test_module, clippy::unwrap_used, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;

use mallow_ds::pool::Pool;
use mallow_ds::range_map::{Found, Node, RangeMap, Refusal};
use proptest::prelude::*;

/// A pool in a vector that may have run dry.
#[derive(Default)]
struct Vector {
    nodes: Vec<Option<Node>>,
    /// Nodes still granted, if there is an end to them.
    left: Option<usize>,
}

impl Pool<Node> for Vector {
    fn reserve(&mut self, count: usize) -> bool {
        self.left.is_none_or(|left| count <= left)
    }
    fn take(&mut self, value: Node) -> Option<u32> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        self.nodes.push(Some(value));
        u32::try_from(self.nodes.len() - 1).ok()
    }
    fn give_back(&mut self, at: u32) {
        self.left = self.left.map(|left| left + 1);
        assert!(self.nodes[at as usize].take().is_some(), "node {at} was given back twice");
    }
    fn get(&self, at: u32) -> &Node {
        self.nodes[at as usize].as_ref().expect("a live node")
    }
    fn get_mut(&mut self, at: u32) -> &mut Node {
        self.nodes[at as usize].as_mut().expect("a live node")
    }
}

/// Start to end and value.
type Model = BTreeMap<u64, (u64, u32)>;

#[derive(Clone, Copy, Debug)]
enum Op {
    Insert {
        start: u64,
        len: u64,
    },
    Remove {
        near: u64,
    },
    Resize {
        near: u64,
        start: u64,
        len: u64,
    },
    Split {
        at: u64,
    },
    Absorb {
        near: u64,
    },
    Shift {
        near: u64,
        to: u64,
    },
    /// From here on every node is refused, or none.
    Starve(bool),
}

/// Ranges are short and keys few, so that neighbours touch.
fn op(keys: u64) -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..keys, 1..6_u64).prop_map(|(start, len)| Op::Insert { start, len }),
        4 => (0..keys).prop_map(|near| Op::Remove { near }),
        3 => (0..keys, 0..keys, 0..8_u64).prop_map(|(near, start, len)| {
            Op::Resize { near, start: if start % 3 == 0 { start } else { near + start % 5 }, len }
        }),
        3 => (0..keys).prop_map(|at| Op::Split { at }),
        3 => (0..keys).prop_map(|near| Op::Absorb { near }),
        3 => (0..keys, 0..12_u64).prop_map(|(near, to)| Op::Shift { near, to: near + to }),
        1 => any::<bool>().prop_map(Op::Starve),
    ]
}

fn found((start, (end, value)): (&u64, &(u64, u32))) -> Found {
    Found { start: *start, end: *end, value: *value }
}

fn at_or_after(model: &Model, key: u64) -> Option<Found> {
    model.iter().map(found).find(|range| range.end > key)
}

fn is_free(model: &Model, start: u64, end: u64, but: Option<u64>) -> bool {
    model.iter().map(found).all(|range| Some(range.start) == but || range.end <= start || end <= range.start)
}

fn compare(map: &RangeMap<Vector>, model: &Model, keys: u64) {
    map.check().unwrap();
    assert!(map.iter().eq(model.iter().map(found)));
    for key in (0..keys + 16).chain([u64::MAX]) {
        let after = at_or_after(model, key);
        assert_eq!(map.at_or_after(key), after, "at or after {key}");
        assert_eq!(map.find(key), after.filter(|range| range.start <= key), "at {key}");
        let before = model.iter().map(found).rfind(|range| range.end <= key);
        assert_eq!(map.before(key), before, "before {key}");
    }
    for (low, high, len) in
        [(0, keys, 1), (0, keys + 16, 3), (keys / 3, keys / 2, 2), (keys / 2, keys, 7), (9, 10, 1)]
    {
        let fits = |start: &u64| is_free(model, *start, start + len, None);
        let starts = || low..(high + 1).saturating_sub(len);
        assert_eq!(map.highest_room(low, high, len), starts().rfind(fits), "room for {len} in {low}..{high}");
        assert_eq!(map.lowest_room(low, high, len), starts().find(fits), "room for {len} in {low}..{high}");
    }
}

fn apply(map: &mut RangeMap<Vector>, model: &mut Model, op: Op, value: u32, is_starved: &mut bool) {
    match op {
        Op::Insert { start, len } => {
            let expected = is_free(model, start, start + len, None);
            match map.insert(start, start + len, value) {
                Ok(()) => {
                    assert!(expected);
                    model.insert(start, (start + len, value));
                }
                Err(Refusal::NoNode) => assert!(expected && *is_starved),
                Err(other) => assert!(!expected && other == Refusal::NoRoom),
            }
        }
        Op::Remove { near } => {
            let start = at_or_after(model, near).map_or(near, |range| range.start);
            let expected = model.remove(&start).map(|(end, value)| Found { start, end, value });
            assert_eq!(map.remove(start), expected.ok_or(Refusal::NoRange));
        }
        Op::Resize { near, start, len } => {
            let Some(range) = at_or_after(model, near) else { return };
            let end = start + len;
            let between = model.range(range.start + 1..).next().is_none_or(|(next, _)| end <= *next)
                && model.range(..range.start).next_back().is_none_or(|(_, (last, _))| *last <= start);
            let result = map.resize(range.start, start, end);
            if between && start < end {
                assert_eq!(result, Ok(()));
                model.remove(&range.start);
                model.insert(start, (end, range.value));
            } else {
                assert_eq!(result, Err(Refusal::NoRoom));
            }
        }
        Op::Split { at } => {
            let inside = at_or_after(model, at).filter(|range| range.start < at);
            match (map.split(at, value), inside) {
                (Ok(()), Some(range)) => {
                    model.insert(range.start, (at, range.value));
                    model.insert(at, (range.end, value));
                }
                (Err(Refusal::NoNode), Some(_)) => assert!(*is_starved),
                (result, range) => assert_eq!((result, range), (Err(Refusal::NoRange), None)),
            }
        }
        Op::Absorb { near } => {
            let Some(range) = at_or_after(model, near) else { return };
            let above = at_or_after(model, range.end).filter(|above| above.start == range.end);
            assert_eq!(map.absorb(range.start), above.ok_or(Refusal::NoRange));
            if let Some(above) = above {
                model.remove(&above.start);
                model.insert(range.start, (above.end, range.value));
            }
        }
        Op::Shift { near, to } => {
            let Some(below) = at_or_after(model, near) else { return };
            let at = below.end;
            let result = map.shift(at, to);
            match at_or_after(model, at).filter(|above| above.start == at) {
                None => assert_eq!(result, Err(Refusal::NoRange)),
                Some(above) if to <= below.start || above.end <= to => {
                    assert_eq!(result, Err(Refusal::NoRoom));
                }
                Some(above) => {
                    assert_eq!(result, Ok(()));
                    model.remove(&at);
                    model.insert(below.start, (to, below.value));
                    model.insert(to, (above.end, above.value));
                }
            }
        }
        Op::Starve(starve) => *is_starved = starve,
    }
}

fn run(ops: &[Op], keys: u64, every: usize) {
    let mut map = RangeMap::new(Vector::default());
    let mut model = Model::new();
    let mut is_starved = false;
    for (at, op) in ops.iter().enumerate() {
        let value = u32::try_from(at).unwrap();
        apply(&mut map, &mut model, *op, value, &mut is_starved);
        if matches!(op, Op::Starve(_)) {
            let pool = if is_starved { Some(0) } else { None };
            map.pool_mut().left = pool;
        }
        assert_eq!(map.len(), model.len());
        map.check().unwrap();
        if at % every == 0 {
            compare(&map, &model, keys);
        }
    }
    compare(&map, &model, keys);
    map.clear();
    assert!(map.is_empty() && map.pool_mut().nodes.iter().all(Option::is_none), "a node leaked");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_map_of_the_standard_library(ops in prop::collection::vec(op(300), 1..200)) {
        run(&ops, 300, 5);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn agrees_when_it_is_large(ops in prop::collection::vec(op(20_000), 3_000..4_000)) {
        run(&ops, 20_000, 4_000);
    }
}

#[test]
fn a_reserve_is_enough_for_its_inserts() {
    for wanted in 1..8 {
        for filled in 0..200_u64 {
            let mut map = RangeMap::new(Vector::default());
            (0..filled).for_each(|at| map.insert(at * 40, at * 40 + 4, 0).unwrap());
            map.pool_mut().left = Some(0);
            let mut granted = 0;
            while map.reserve(wanted).is_err() {
                granted += 1;
                map.pool_mut().left = Some(granted);
            }
            let at = filled / 2 * 40;
            (1..=wanted as u64).for_each(|one| map.insert(at + 4 * one, at + 4 * one + 4, 1).unwrap());
            map.check().unwrap();
        }
    }
}

#[test]
fn ranges_that_arrive_in_order_fill_their_leaves() {
    for is_descending in [false, true] {
        let mut map = RangeMap::new(Vector::default());
        for at in 0..1200_u64 {
            let at = if is_descending { 1200 - at } else { at };
            map.insert(at * 2, at * 2 + 1, 0).unwrap();
        }
        map.check().unwrap();
        let nodes = map.pool_mut().nodes.len();
        assert!(nodes <= 100 + 15, "{nodes} nodes for a hundred leaves");
    }
}

#[test]
fn the_highest_keys_are_refused() {
    let mut map = RangeMap::new(Vector::default());
    let most = mallow_ds::range_map::MOST_KEY;
    assert_eq!(map.insert(most, most + 1, 0), Err(Refusal::NoRoom));
    assert_eq!(map.insert(5, 5, 0), Err(Refusal::NoRoom));
    map.insert(most - 1, most, 3).unwrap();
    assert_eq!(map.find(most - 1).map(|range| range.value), Some(3));
    assert_eq!(
        (map.find(most), map.at_or_after(most), map.remove(most)),
        (None, None, Err(Refusal::NoRange))
    );
    assert_eq!(map.highest_room(0, u64::MAX, 1), Some(most - 2));
    map.check().unwrap();
}
