//! The generations against a vector that knows in which one each frame is.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_frame::{Flag, Frame, FrameState, FrameTable, Head, Regions};
use mallow_kmm::lru::{Age, GENERATIONS, Kind, Lru, Shadow};
use mallow_units::FrameNumber;
use proptest::prelude::*;

const FRAMES: u32 = 24;

#[derive(Clone, Copy, Debug)]
enum Op {
    Add { frame: u32, age: Age },
    Remove { frame: u32 },
    Touch { frame: u32 },
    Cool { frame: u32 },
    Pin { frame: u32 },
    Unpin { frame: u32 },
    Age,
    Isolate { kind: Kind, back: Option<Age> },
}

fn age() -> impl Strategy<Value = Age> {
    prop_oneof![Just(Age::Youngest), Just(Age::Second), Just(Age::Oldest)]
}

fn op() -> impl Strategy<Value = Op> {
    let frame = 0..FRAMES;
    prop_oneof![
        6 => (frame.clone(), age()).prop_map(|(frame, age)| Op::Add { frame, age }),
        2 => frame.clone().prop_map(|frame| Op::Remove { frame }),
        3 => frame.clone().prop_map(|frame| Op::Touch { frame }),
        1 => frame.clone().prop_map(|frame| Op::Cool { frame }),
        1 => frame.clone().prop_map(|frame| Op::Pin { frame }),
        1 => frame.prop_map(|frame| Op::Unpin { frame }),
        4 => Just(Op::Age),
        4 => (any::<bool>(), prop::option::of(age())).prop_map(|(anon, back)| Op::Isolate {
            kind: if anon { Kind::Anon } else { Kind::File },
            back,
        }),
    ]
}

/// Where a frame is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum At {
    Nowhere,
    Listed,
    Pinned,
}

fn kind_of(frame: u32) -> Kind {
    if frame.is_multiple_of(3) { Kind::File } else { Kind::Anon }
}

proptest! {
    #[test]
    fn no_page_is_lost_or_evicted_too_soon(ops in prop::collection::vec(op(), 0..200)) {
        let frames: Vec<Frame> = (0..FRAMES).map(|_| Frame::new()).collect();
        let regions = Regions::single(FrameNumber(0), FRAMES).unwrap();
        let table = FrameTable::new(&frames, &regions).unwrap();
        frames.iter().for_each(|entry| { entry.turn(Head::single(FrameState::Kernel)).unwrap(); });
        let mut lru = Lru::new();
        let mut model = [At::Nowhere; FRAMES as usize];
        // Rounds that each frame has seen since it was last young.
        let mut rounds = [0_u32; FRAMES as usize];
        for op in ops {
            match op {
                Op::Add { frame, age } => if model[frame as usize] == At::Nowhere {
                    lru.add(table, FrameNumber(frame), kind_of(frame), age);
                    model[frame as usize] = At::Listed;
                    rounds[frame as usize] = match age {
                        Age::Youngest => 0,
                        Age::Second => 1,
                        Age::Oldest => 9,
                    };
                },
                Op::Remove { frame } => {
                    lru.remove(table, FrameNumber(frame));
                    frames[frame as usize].lower(Flag::Unevictable);
                    model[frame as usize] = At::Nowhere;
                }
                Op::Touch { frame } => {
                    lru.touch(table, FrameNumber(frame));
                    rounds[frame as usize] = 0;
                }
                Op::Cool { frame } => {
                    lru.cool(table, FrameNumber(frame));
                    rounds[frame as usize] = 9;
                }
                Op::Pin { frame } => if model[frame as usize] != At::Nowhere {
                    lru.pin(table, FrameNumber(frame));
                    model[frame as usize] = At::Pinned;
                },
                Op::Unpin { frame } => if model[frame as usize] == At::Pinned {
                    lru.unpin(table, FrameNumber(frame));
                    model[frame as usize] = At::Listed;
                    rounds[frame as usize] = 1;
                },
                Op::Age => {
                    lru.age(table);
                    rounds.iter_mut().for_each(|rounds| *rounds += 1);
                }
                Op::Isolate { kind, back } => if let Some(frame) = lru.isolate(table, kind) {
                    let at = frame.0 as usize;
                    prop_assert_eq!(kind_of(frame.0), kind);
                    prop_assert!(model[at] == At::Listed);
                    prop_assert!(rounds[at] >= 2, "{frame:?} was young {} rounds ago", rounds[at]);
                    match back {
                        Some(age) => {
                            lru.put_back(table, frame, kind, age);
                            rounds[at] = match age { Age::Youngest => 0, Age::Second => 1, Age::Oldest => 9 };
                        }
                        None => {
                            frames[at].lower(Flag::Isolated);
                            model[at] = At::Nowhere;
                        }
                    }
                } else {
                    prop_assert!(lru.is_dry(kind));
                },
            }
            prop_assert_eq!(lru.check(table), Ok(()));
            for kind in Kind::ALL {
                let listed = (0..FRAMES).filter(|at| kind_of(*at) == kind && model[*at as usize] == At::Listed);
                prop_assert_eq!(lru.pages(kind), listed.count() as u64);
                prop_assert_eq!(lru.active(kind) + lru.inactive(kind), lru.pages(kind));
            }
            let pinned = model.iter().filter(|at| **at == At::Pinned).count();
            prop_assert_eq!(lru.unevictable(), pinned as u64);
        }
        // After as many rounds as there are generations, everything that is left can go.
        (0..GENERATIONS).for_each(|_| lru.age(table));
        for kind in Kind::ALL {
            while lru.isolate(table, kind).is_some() {}
            prop_assert_eq!(lru.pages(kind), 0);
        }
    }
}

#[test]
fn who_comes_back_soon_belongs_to_the_working_set() {
    let frames: Vec<Frame> = (0..FRAMES).map(|_| Frame::new()).collect();
    let regions = Regions::single(FrameNumber(0), FRAMES).unwrap();
    let table = FrameTable::new(&frames, &regions).unwrap();
    let mut lru = Lru::new();
    frames.iter().for_each(|entry| {
        entry.turn(Head::single(FrameState::Kernel)).unwrap();
    });
    (0..10).for_each(|frame| lru.add(table, FrameNumber(frame), Kind::Anon, Age::Youngest));
    let first = lru.evict(Kind::Anon, 1);
    assert_eq!(first, Shadow(0));
    (0..9).for_each(|_| {
        lru.evict(Kind::Anon, 1);
    });
    assert_eq!(lru.refault(Kind::Anon, first), Age::Youngest, "ten others went, and ten pages are there");
    lru.evict(Kind::Anon, 1);
    assert_eq!(lru.refault(Kind::Anon, first), Age::Second);
    assert_eq!((lru.counts().refaulted[0], lru.counts().activated[0]), (2, 1));
}
