//! A cache as a pool: numbers for values, and maps whose nodes lie in slabs.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod ram;

use std::collections::HashMap;

use mallow_ds::pool::{Blank, Pool};
use mallow_ds::range_map::{Node, RangeMap, Refusal};
use mallow_kslab::CachePool;
use ram::Ram;

#[derive(Clone, Copy, PartialEq, Debug)]
struct Value([u64; 5]);

impl Blank for Value {
    const BLANK: Self = Self([0; 5]);
}

#[test]
fn every_number_keeps_its_value() {
    let ram = Ram::new(256);
    let mut pool = CachePool::create(&ram, "value").unwrap();
    let mut model = HashMap::new();
    let mut seed = 1_u64;
    for round in 0..20_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let is_take = seed >> 40 & 7 < 5 && model.len() < 2000;
        if is_take {
            let value = Value([round, seed, 3, 4, 5]);
            let number = pool.take(value).unwrap();
            assert_eq!(model.insert(number, value), None, "a number is given twice");
        } else if let Some(number) = model.keys().copied().nth(usize::try_from(seed >> 60).unwrap()) {
            assert_eq!(*pool.get(number), model[&number]);
            model.remove(&number);
            pool.give_back(number);
        }
    }
    for (number, value) in &model {
        assert_eq!(pool.get(*number), value);
        pool.get_mut(*number).0[0] = 9;
        assert_eq!(pool.get(*number).0[0], 9);
        pool.give_back(*number);
    }
    drop(pool);
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn what_is_reserved_can_be_taken_without_memory() {
    let ram = Ram::new(256);
    let mut pool = CachePool::create(&ram, "value").unwrap();
    for count in [1, 7, 40, 60] {
        assert!(pool.reserve(count));
        ram.refuse_after(0);
        let first = pool.take(Value::BLANK).unwrap();
        pool.give_back(first);
        let numbers: Vec<_> = (0..count).map(|_| pool.take(Value::BLANK).expect("reserved")).collect();
        ram.refuse_none();
        numbers.into_iter().for_each(|number| pool.give_back(number));
    }
    assert!(!pool.reserve(61), "more than a magazine");
    let everything = core::iter::from_fn(|| pool.take(Value::BLANK)).count();
    assert!(everything > 10_000 && !pool.reserve(1));
}

#[test]
fn a_map_has_its_nodes_in_slabs() {
    let ram = Ram::new(256);
    let mut map = RangeMap::new(CachePool::<Node, _>::create(&ram, "node").unwrap());
    for at in 0..5000_u64 {
        let start = at * 7919 % 5003 * 4;
        map.insert(start, start + 3, 0).unwrap();
    }
    map.check().unwrap();
    ram.refuse_after(0);
    let refused = (0..20_000).map(|at| map.insert(30_000 + at * 2, 30_001 + at * 2, 0)).find(Result::is_err);
    assert_eq!(refused, Some(Err(Refusal::NoNode)));
    map.check().unwrap();
    ram.refuse_none();
    map.clear();
    drop(map);
    assert_eq!(ram.used_frames(), 0);
}
