//! The player: a program that makes the calls of a log, on mallow, on a simulated machine.
//!
//! Called by the command. The allocator is the one of the product, with a machine as its operating system; the blocks are memory of
//! this process whose pages the machine hands out, takes away, and brings back.

#![expect(unsafe_code, reason = "blocks of the allocator are filled and freed")]

use alloc::collections::BTreeMap;
use core::ptr::with_exposed_provenance_mut;

use mallow_heap::allocator::Allocator;
use mallow_heap::heap::Heap;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::sim::MachineOs;
use mallow_sys::os::OsError;
use mallow_units::Bytes;
use mallow_units::bytes::GIB;

use crate::log::{Call, Event};

/// Address space of the program: more than any machine here has memory.
const ADDRESS_SPACE: Bytes = Bytes(256 * GIB as u64);

/// A program that makes the calls of a log.
#[derive(Debug)]
pub struct Player {
    os: &'static MachineOs,
    allocator: &'static Allocator,
    heap: Option<&'static Heap>,
    /// By their addresses in the log.
    blocks: BTreeMap<u64, Block>,
}

/// A live block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Where it is in the program that plays the log.
    pub address: usize,
    /// What was asked for. Bytes.
    pub bytes: usize,
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done.
    Done,
    /// There was no memory.
    Refused,
    /// It is about a block that the log does not know: allocated before it began, or refused here.
    Unknown,
    /// It was refused when the log was written, so nothing was asked for here.
    Skipped,
}

impl Player {
    /// Boots a machine with a program on it that has no memory yet. It is for ever.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the host has no room for it; the host's reason otherwise.
    pub fn boot(config: Config) -> Result<Self, OsError> {
        let os = MachineOs::boot(config, ADDRESS_SPACE)?;
        let allocator = Box::leak(Box::new(Allocator::new(os)));
        Ok(Self { os, allocator, heap: None, blocks: BTreeMap::new() })
    }

    /// Looks at the machine. `work` does not touch memory of the program: the machine would wait for itself.
    pub fn look<R>(&self, work: impl FnOnce(&mut Machine, Pid) -> R) -> R {
        self.os.with(work)
    }

    /// Has `told` called in the moment in which the program is killed; it does not return.
    pub fn on_death(&self, told: impl Fn(&Machine) + Send + 'static) {
        self.os.on_death(Box::new(told));
    }

    /// A live block, by its address in the log.
    pub fn block(&self, address: u64) -> Option<Block> {
        self.blocks.get(&address).copied()
    }

    /// Makes a call of the log.
    pub fn play(&mut self, event: &Event) -> Outcome {
        match event.call {
            Call::Allocate { address: 0, .. } | Call::Reallocate { to: None, .. } => Outcome::Skipped,
            Call::Allocate { address, bytes } => self.allocate(address, bytes),
            Call::Free { address } => self.free(address),
            Call::Reallocate { from, to: Some(to), bytes } => self.reallocate(from, to, bytes),
        }
    }

    fn heap(&mut self) -> Option<&'static Heap> {
        if self.heap.is_none() {
            self.heap = self.allocator.attach();
        }
        self.heap
    }

    fn allocate(&mut self, address: u64, bytes: u64) -> Outcome {
        let (Some(heap), Ok(bytes)) = (self.heap(), usize::try_from(bytes)) else { return Outcome::Refused };
        let new = self.allocator.allocate(heap, bytes);
        if new.is_null() {
            return Outcome::Refused;
        }
        self.enter(address, new, bytes, 0)
    }

    fn free(&mut self, address: u64) -> Outcome {
        let (Some(block), Some(heap)) = (self.blocks.remove(&address), self.heap()) else {
            return Outcome::Unknown;
        };
        // SAFETY: a live block of ours that is not used any more; the heap is ours.
        let freed = unsafe { self.allocator.free(heap, with_exposed_provenance_mut(block.address)) };
        debug_assert_eq!(freed, Ok(()), "a block of this allocator");
        Outcome::Done
    }

    fn reallocate(&mut self, from: u64, to: u64, bytes: u64) -> Outcome {
        let Some(old) = self.blocks.remove(&from) else {
            // A block from before the log has become one that it knows.
            return match self.allocate(to, bytes) {
                Outcome::Done => Outcome::Unknown,
                other => other,
            };
        };
        let (Some(heap), Ok(bytes)) = (self.heap(), usize::try_from(bytes)) else {
            self.blocks.insert(from, old);
            return Outcome::Refused;
        };
        // SAFETY: a live block of ours; the heap is ours.
        let new = unsafe { self.allocator.reallocate(heap, with_exposed_provenance_mut(old.address), bytes) };
        let new = new.unwrap_or(core::ptr::null_mut());
        if new.is_null() {
            self.blocks.insert(from, old);
            return Outcome::Refused;
        }
        self.enter(to, new, bytes, old.bytes)
    }

    /// Fills a block from byte `from` on, as a program would, and keeps it.
    fn enter(&mut self, address: u64, new: *mut u8, bytes: usize, from: usize) -> Outcome {
        let filling = u8::try_from(self.blocks.len() % 255).unwrap_or(0) + 1;
        if from < bytes {
            // SAFETY: inside a live block of ours, which is at least this long; nobody else has a reference to it.
            let added = unsafe { core::slice::from_raw_parts_mut(new.wrapping_add(from), bytes - from) };
            added.fill(filling);
        }
        self.blocks.insert(address, Block { address: new.expose_provenance(), bytes });
        Outcome::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mallow_kmm::pressure::SwapConfig;

    const MIB: u64 = 1 << 20;

    fn event(call: Call) -> Event {
        Event { line: 1, call }
    }

    #[test]
    fn blocks_live_as_long_as_in_the_log() {
        let mut player = Player::boot(Config::new(Bytes(64 * MIB))).expect("the host has room");
        let call = |player: &mut Player, call| player.play(&event(call));
        assert_eq!(call(&mut player, Call::Allocate { address: 0x10, bytes: MIB }), Outcome::Done);
        let first = player.block(0x10).expect("it is live");
        assert_eq!(first.bytes as u64, MIB);
        let resident =
            |player: &Player| player.look(|machine, pid| machine.resident(pid).expect("it lives").anon);
        assert!(resident(&player) >= 256, "it was filled");
        let longer = Call::Reallocate { from: 0x10, to: Some(0x20), bytes: 2 * MIB };
        assert_eq!(call(&mut player, longer), Outcome::Done);
        assert_eq!(
            (player.block(0x10), player.block(0x20).map(|block| block.bytes as u64)),
            (None, Some(2 * MIB))
        );
        assert!(resident(&player) >= 512, "what is new was filled, too");
        assert_eq!(call(&mut player, Call::Free { address: 0x10 }), Outcome::Unknown);
        assert_eq!(call(&mut player, Call::Free { address: 0x20 }), Outcome::Done);
        assert_eq!(call(&mut player, Call::Allocate { address: 0, bytes: 1 }), Outcome::Skipped);
        let early = Call::Reallocate { from: 0x99, to: Some(0x30), bytes: 64 };
        assert_eq!(call(&mut player, early), Outcome::Unknown);
        assert!(player.block(0x30).is_some(), "from here on it is known");
    }

    #[test]
    fn what_is_too_much_is_refused_or_swapped() {
        let mut player = Player::boot(Config::new(Bytes(16 * MIB))).expect("the host has room");
        let huge = Call::Allocate { address: 0x10, bytes: 1 << 50 };
        assert_eq!(player.play(&event(huge)), Outcome::Refused);
        assert_eq!(player.play(&event(Call::Free { address: 0x10 })), Outcome::Unknown);

        let swap = SwapConfig::of_pages(64 * 256);
        let mut player =
            Player::boot(Config { swap, ..Config::new(Bytes(16 * MIB)) }).expect("the host has room");
        for block in 1..=40 {
            let call = Call::Allocate { address: block * 16, bytes: MIB };
            assert_eq!(player.play(&event(call)), Outcome::Done);
        }
        let resident = player.look(|machine, pid| machine.resident(pid).expect("it lives"));
        assert!(resident.swap > 20 * 256, "{resident:?}");
        player.look(|machine, _| machine.check()).expect("all is well");
    }
}
