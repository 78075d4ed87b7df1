//! Every interleaving of the depot and of the lock, with loom: `ci/loom.sh`.
//!
//! A magazine is a number with a link and a content, which only its owner may touch; loom fails if two do.
#![cfg(loom)]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use mallow_kslab::depot::Stack;
use mallow_kslab::lock::Lock;

const MAGAZINES: usize = 3;

struct Model {
    full: Stack,
    empty: Stack,
    links: [AtomicU64; MAGAZINES],
    contents: [UnsafeCell<u32>; MAGAZINES],
}

// SAFETY: contents are only touched by who has popped the magazine; loom checks it.
unsafe impl Sync for Model {}
// SAFETY: as above.
unsafe impl Send for Model {}

impl Model {
    /// All magazines in `full`, each with as many objects as its number says and one more.
    fn new() -> Arc<Self> {
        let model = Self {
            full: Stack::new(),
            empty: Stack::new(),
            links: Default::default(),
            contents: core::array::from_fn(|at| UnsafeCell::new(at as u32 + 1)),
        };
        for number in 0..MAGAZINES {
            assert!(model.push(&model.full, number));
        }
        Arc::new(model)
    }

    fn push(&self, stack: &Stack, number: usize) -> bool {
        stack.push(number as u64, 9, |link| self.links[number].store(link, Ordering::Relaxed))
    }

    fn pop(&self, stack: &Stack) -> Option<usize> {
        let number = stack.pop(|number| self.links[number as usize].load(Ordering::Relaxed))?;
        Some(number as usize)
    }

    /// What a processor does that runs dry: takes a full magazine, empties it, keeps the objects.
    fn unload(&self) -> u32 {
        let Some(number) = self.pop(&self.full) else { return 0 };
        // SAFETY: the magazine is ours.
        let taken = self.contents[number].with_mut(|content| unsafe { core::mem::take(&mut *content) });
        assert!(self.push(&self.empty, number));
        taken
    }

    /// What a processor does that has too many: takes an empty magazine, fills it, gives it away.
    fn load(&self, objects: u32) -> bool {
        let Some(number) = self.pop(&self.empty) else { return false };
        // SAFETY: the magazine is ours.
        self.contents[number].with_mut(|content| unsafe { *content += objects });
        assert!(self.push(&self.full, number));
        true
    }

    /// All objects of all magazines, each of which lies in one stack.
    fn sum(&self) -> u32 {
        let mut sum = 0;
        let mut seen = 0;
        for stack in [&self.full, &self.empty] {
            let depth = stack.depth();
            let mut count = 0;
            while let Some(number) = self.pop(stack) {
                // SAFETY: the magazine is ours.
                sum += self.contents[number].with_mut(|content| unsafe { *content });
                seen |= 1 << number;
                count += 1;
            }
            assert_eq!(count, depth, "the depth of a stack");
        }
        assert_eq!(seen, (1 << MAGAZINES) - 1, "a magazine is lost");
        sum
    }
}

#[test]
fn no_magazine_is_lost_or_had_twice() {
    loom::model(|| {
        let model = Model::new();
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.unload() + model.unload())
        };
        let mine = model.unload();
        let theirs = other.join().unwrap();
        assert_eq!(mine + theirs + model.sum(), 1 + 2 + 3);
    });
}

#[test]
fn a_magazine_that_returns_under_another_is_not_taken_for_itself() {
    loom::model(|| {
        let model = Model::new();
        let spare = model.pop(&model.full).expect("three");
        // The other exchanges the lower one: the top and the depth are what they were, what lies below is not.
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let (first, second) = (model.pop(&model.full), model.pop(&model.full));
                assert!(model.push(&model.full, spare));
                if let Some(first) = first {
                    assert!(model.push(&model.full, first));
                }
                second
            })
        };
        let mine = model.pop(&model.full);
        let theirs = other.join().unwrap();
        assert!(mine.is_none() || mine != theirs, "one magazine for two processors");
        for number in [mine, theirs].into_iter().flatten() {
            assert!(model.push(&model.full, number));
        }
        assert_eq!(model.sum(), 1 + 2 + 3);
    });
}

#[test]
fn what_is_in_a_magazine_travels_with_it() {
    loom::model(|| {
        let model = Model::new();
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let taken = model.unload();
                if model.load(taken) { 0 } else { taken }
            })
        };
        let taken = model.unload();
        let kept = if model.load(taken) { 0 } else { taken };
        assert_eq!(kept + other.join().unwrap() + model.sum(), 1 + 2 + 3);
    });
}

#[test]
fn the_lock_admits_one_and_shows_him_what_the_other_did() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(0));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *lock.lock() += 1)
        };
        *lock.lock() += 2;
        other.join().unwrap();
        assert_eq!(*lock.lock(), 3);
    });
}
