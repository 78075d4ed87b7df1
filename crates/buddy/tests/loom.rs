//! Every interleaving of asking a processor for its frames, with loom: `ci/loom.sh`.
//!
//! The arrays are plain cells that only the owner touches, the zone is a cell under a lock; loom complains if one is touched by two threads
//! without an order between them.
#![cfg(loom)]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use loom::sync::{Arc, Mutex};
use loom::thread;
use mallow_buddy::drain::DrainRequest;
use mallow_ds::sync;

struct Model {
    request: DrainRequest,
    /// Free frames of the zone.
    zone: Mutex<u32>,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self { request: DrainRequest::new(), zone: Mutex::new(0) })
    }

    /// The owner's look, at any time: in its idle loop, at a tick, in the handler of an interrupt.
    fn look(&self, array: &mut u32) {
        if let Some(pending) = self.request.pending() {
            *self.zone.lock().expect("not poisoned") += core::mem::take(array);
            self.request.answer(pending);
        }
    }
}

#[test]
fn an_answer_means_that_all_frames_are_back() {
    loom::model(|| {
        let model = Model::new();
        let asker = Arc::clone(&model);
        let waiting = thread::spawn(move || {
            let question = asker.request.ask();
            while !asker.request.is_answered(question) {
                sync::pause();
            }
            assert!(*asker.zone.lock().expect("not poisoned") >= 2, "frames stayed behind");
        });
        // Two frames were in the array when the question was asked, whenever that is; one comes later.
        let mut array = 2;
        model.look(&mut array);
        array += 1;
        loop {
            model.look(&mut array);
            if array == 0 {
                break;
            }
            sync::pause();
        }
        waiting.join().expect("the asker is content");
    });
}

#[test]
fn no_question_is_lost_between_two_askers() {
    loom::model(|| {
        let model = Model::new();
        let askers: [_; 2] = core::array::from_fn(|_| {
            let asker = Arc::clone(&model);
            thread::spawn(move || asker.request.ask())
        });
        let mut array = 1;
        model.look(&mut array);
        let questions = askers.map(|asker| asker.join().expect("it asked"));
        model.look(&mut array);
        for question in questions {
            assert!(model.request.is_answered(question));
        }
        assert!(model.request.pending().is_none());
        assert_eq!((array, *model.zone.lock().expect("not poisoned")), (0, 1));
    });
}
