//! Reading what was freed.

use super::super::call::{Call, Place};
use super::super::look::Column;
use super::super::subject::Surroundings;
use super::super::{Experiment, Lab, Obstacle};

pub(super) const USE_AFTER_FREE: Experiment = Experiment {
    name: "use-after-free",
    title: "a freed block can be read as before, until it belongs to somebody else",
    explanation: &[
        "free tells the allocator, not the processor: the page stays mapped, and reading through the old pointer works. It gives \
         what the allocator or the next owner wrote there. The next request of the size often gets the very same block.",
        "MALLOC_PERTURB_=n makes such mistakes show: free fills the block with n, malloc with the complement of n. In glibc \
         that is done behind the cache of each thread (tcache, since 2.26), so blocks up to 1032 bytes that go through the \
         cache are not filled. glibc.malloc.tcache_count=0 turns the cache off. mallow fills every block.",
    ],
    run,
};

/// Freed blocks are filled with this byte.
const BYTE: u8 = 0xa5;
const FREED: u64 = u64::from_ne_bytes([BYTE; 8]);
const FRESH: u64 = u64::from_ne_bytes([!BYTE; 8]);
const WRITTEN: u64 = 0x0101_0101_0101_0101;
/// Bytes from the start of a block, behind what allocators write into free ones.
const INSIDE: u64 = 48;
const SMALL: u64 = 100;
/// More than goes through the cache.
const LARGE: u64 = 4000;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident]);
    lab.part("as it comes");
    let mut subject = lab.start()?;
    let p = subject.place("p", &Call::malloc("p", SMALL))?;
    subject.call(&Call::fill(p, SMALL))?;
    subject.call(&Call::free(p))?;
    let word = subject.call(&Call::word_at(p, INSIDE))?;
    let q = subject.place("q", &Call::malloc("q", SMALL))?;
    lab.look(&mut subject)?;
    lab.expect(word == WRITTEN, "what was in the block can still be read after free");
    if lab.is_on_mallow() {
        lab.expect(
            q.address != p.address,
            "the next request gets another block: mallow first uses up those that it has at hand",
        );
    } else {
        lab.expect(
            q.address == p.address,
            "the next request of that size gets the same block: p and q are one",
        );
    }

    let perturbed = || Surroundings::default().with("MALLOC_PERTURB_", BYTE.to_string());
    lab.part("MALLOC_PERTURB_=165");
    let small = contents(lab, perturbed(), SMALL)?;
    let large = contents(lab, perturbed(), LARGE)?;
    lab.expect(small.fresh == FRESH && large.fresh == FRESH, "new blocks hold 0x5a, the complement of 165");
    lab.expect(large.freed == FREED, "a block of 4000 bytes holds 0xa5 when it was freed");
    if lab.is_on_mallow() {
        lab.expect(small.freed == FREED, "a block of 100 bytes, too");
        return Ok(());
    }
    lab.part("MALLOC_PERTURB_=165 GLIBC_TUNABLES=glibc.malloc.tcache_count=0");
    let without = contents(lab, perturbed().with("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"), SMALL)?;
    lab.expect(
        without.freed == FREED,
        "without the cache of the thread, a block of 100 bytes holds 0xa5 when it was freed",
    );
    let here = if small.freed == WRITTEN {
        "a block of 100 bytes is not filled when it is freed: it goes into the cache of the thread as it is. Only larger ones \
         are, or all without the cache"
    } else {
        "in this release of glibc small blocks are filled, too"
    };
    lab.remark("M_PERTURB fills allocated and freed memory, so that use after free crashes quickly", here);
    Ok(())
}

/// A word in the middle of a block.
struct Contents {
    fresh: u64,
    freed: u64,
}

fn contents(lab: &mut Lab, surroundings: Surroundings, bytes: u64) -> Result<Contents, Obstacle> {
    let mut subject = lab.start_in(surroundings)?;
    let p = subject.place("p", &Call::malloc("p", bytes))?;
    // So that the block does not end at what is free anyway.
    subject.ask(&Call::malloc("fence", bytes))?;
    let fresh = word(&mut subject, p)?;
    subject.call(&Call::fill(p, bytes))?;
    subject.call(&Call::free(p))?;
    let freed = word(&mut subject, p)?;
    lab.show(&mut subject);
    Ok(Contents { fresh, freed })
}

fn word(subject: &mut super::super::subject::Subject, place: Place) -> Result<u64, Obstacle> {
    subject.call(&Call::word_at(place, INSIDE))
}
