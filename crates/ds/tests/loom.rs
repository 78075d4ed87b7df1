//! Every interleaving of the remote-free and ownership protocol, with loom: `ci/loom.sh`.
//!
//! The model is the allocator's own use of `remote`, `mailbox` and `owner`, with numbers for addresses: slab `s`
//! is letter `s + 1`, block `b` is at place `b`, and a link to it is `b + 1`.
#![cfg(loom)]
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use loom::thread;
use mallow_ds::mailbox::{self, Letters};
use mallow_ds::owner::{self, Owner};
use mallow_ds::packed::Packed;
use mallow_ds::remote::{self, RemoteWord};

const SLABS: usize = 2;
const BLOCKS: usize = 4;

struct Model {
    owner: Packed<Owner>,
    mailbox: Packed<Letters>,
    remote: [Packed<RemoteWord>; SLABS],
    letter_link: [AtomicU64; SLABS],
    block_link: [AtomicUsize; BLOCKS],
    /// How often each block has come home; every one must come home exactly once.
    home: [AtomicUsize; BLOCKS],
    /// Threads inside the heap; more than one is a broken protocol.
    inside: AtomicUsize,
}

impl Model {
    fn new(state: Owner) -> Arc<Self> {
        let model = Self {
            owner: Packed::zeroed(),
            mailbox: Packed::zeroed(),
            remote: [Packed::zeroed(), Packed::zeroed()],
            letter_link: Default::default(),
            block_link: Default::default(),
            home: Default::default(),
            inside: AtomicUsize::new(0),
        };
        model.owner.replace(state);
        Arc::new(model)
    }

    /// What a sender does with a chain of blocks of one slab.
    fn send(&self, slab: usize, blocks: &[usize]) {
        let link = |from: usize, to: Option<u64>| {
            self.block_link[from].store(to.map_or(0, |place| place as usize + 1), Ordering::Relaxed);
        };
        let mut chain = RemoteWord::of(blocks[0] as u64);
        for block in &blocks[1..] {
            link(*block, Some(chain.first()));
            chain = chain.with(*block as u64);
        }
        let before = remote::splice(&self.remote[slab], chain, |older| {
            link(chain.last() as usize, (!older.is_empty()).then(|| older.first()));
        })
        .expect("few blocks");
        if before.is_empty() {
            mailbox::post(&self.mailbox, slab as u64 + 1, |next| {
                self.letter_link[slab].store(next, Ordering::Relaxed);
            });
            if owner::visit(&self.owner) {
                self.drain();
                owner::vacate(&self.owner, &self.mailbox, || self.drain());
            }
        }
    }

    /// What the owner or a visitor does with its mailbox.
    fn drain(&self) {
        assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "two threads inside one heap");
        let mut letter = mailbox::take_all(&self.mailbox).first();
        while letter != 0 {
            let slab = letter as usize - 1;
            letter = self.letter_link[slab].load(Ordering::Relaxed);
            let chain = remote::take(&self.remote[slab]);
            let (mut block, mut last, mut sum) = (chain.first() as usize + 1, 0, 0);
            for _ in 0..chain.block_count() {
                last = block - 1;
                sum += last as u64;
                self.home[last].fetch_add(1, Ordering::Relaxed);
                block = self.block_link[last].load(Ordering::Relaxed);
            }
            assert_eq!((last as u64, sum), (chain.last(), chain.sum()), "the word says what the chain is");
            assert_eq!(block, 0, "the chain is as long as its count");
        }
        self.inside.fetch_sub(1, Ordering::Relaxed);
    }

    /// What a thread does that looks into the mailbox of another, and has no use for the letters.
    fn look_into(&self) {
        let first = mailbox::take_all(&self.mailbox).first();
        let (mut letter, mut last) = (first, 0);
        while letter != 0 {
            last = letter as usize - 1;
            letter = self.letter_link[last].load(Ordering::Relaxed);
        }
        if first != 0 {
            mailbox::post(&self.mailbox, first, |next| self.letter_link[last].store(next, Ordering::Relaxed));
            if owner::visit(&self.owner) {
                self.drain();
                owner::vacate(&self.owner, &self.mailbox, || self.drain());
            }
        }
    }

    fn assert_all_home(&self, blocks: usize) {
        for (index, home) in self.home.iter().take(blocks).enumerate() {
            assert_eq!(home.load(Ordering::Relaxed), 1, "block {index} came home once");
        }
    }
}

/// Do two senders to one slab and a draining owner lose or duplicate a block?
#[test]
fn every_block_comes_home_to_a_living_owner() {
    loom::model(|| {
        let model = Model::new(Owner::Owned);
        let senders: Vec<_> = [vec![0, 1], vec![2]]
            .into_iter()
            .map(|blocks| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.send(0, &blocks))
            })
            .collect();
        model.drain();
        for sender in senders {
            sender.join().unwrap();
        }
        model.drain();
        model.assert_all_home(3);
    });
}

/// Does a slab that is posted again while the owner is at its letter cut off the letters behind it?
#[test]
fn a_slab_that_is_posted_again_cuts_off_no_letter() {
    loom::model(|| {
        let model = Model::new(Owner::Owned);
        model.send(0, &[0]);
        model.send(1, &[1]);
        let sender = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.send(1, &[2]))
        };
        model.drain();
        sender.join().unwrap();
        model.drain();
        model.assert_all_home(3);
    });
}

/// Does a block that is sent while its owner exits reach somebody, without anyone looking again?
#[test]
fn no_letter_is_forgotten_when_the_owner_exits() {
    loom::model(|| {
        let model = Model::new(Owner::Owned);
        let sender = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.send(0, &[0]))
        };
        model.drain();
        owner::vacate(&model.owner, &model.mailbox, || model.drain());
        sender.join().unwrap();
        model.assert_all_home(1);
        assert_eq!(model.owner.get(), Owner::Vacant);
    });
}

/// Do letters that a third thread takes and posts again reach somebody, when the owner exits meanwhile?
#[test]
fn letters_that_were_looked_at_are_not_forgotten() {
    loom::model(|| {
        let model = Model::new(Owner::Owned);
        model.send(0, &[0]);
        model.send(1, &[1]);
        let looker = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.look_into())
        };
        model.drain();
        owner::vacate(&model.owner, &model.mailbox, || model.drain());
        looker.join().unwrap();
        model.assert_all_home(2);
        assert_eq!(model.owner.get(), Owner::Vacant);
    });
}

/// Does a block that is sent while a third thread has the letters of its slab come home?
#[test]
fn a_slab_whose_letter_is_looked_at_takes_more_blocks() {
    loom::model(|| {
        let model = Model::new(Owner::Owned);
        model.send(0, &[0]);
        let others = [
            {
                let model = Arc::clone(&model);
                thread::spawn(move || model.look_into())
            },
            {
                let model = Arc::clone(&model);
                thread::spawn(move || model.send(0, &[1]))
            },
        ];
        model.drain();
        for other in others {
            other.join().unwrap();
        }
        model.drain();
        model.assert_all_home(2);
    });
}

/// Do two senders to a vacant heap, to different slabs, both get their blocks home, one at a time?
#[test]
fn visitors_take_turns_and_forget_nothing() {
    loom::model(|| {
        let model = Model::new(Owner::Vacant);
        let senders: Vec<_> = [(0, vec![0]), (1, vec![1])]
            .into_iter()
            .map(|(slab, blocks)| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.send(slab, &blocks))
            })
            .collect();
        for sender in senders {
            sender.join().unwrap();
        }
        model.assert_all_home(2);
        assert_eq!(model.owner.get(), Owner::Vacant);
    });
}

/// Is a heap that a new thread adopts while a sender visits it ever touched by both?
#[test]
fn adoption_and_visit_exclude_each_other() {
    loom::model(|| {
        let model = Model::new(Owner::Vacant);
        let sender = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.send(0, &[0]))
        };
        let adopted = model.owner.update(Owner::adopted).is_ok();
        if adopted {
            model.drain();
        }
        sender.join().unwrap();
        if adopted {
            model.drain();
        }
        model.assert_all_home(1);
    });
}
