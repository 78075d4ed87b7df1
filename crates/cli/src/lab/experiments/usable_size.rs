//! What lies around a block: its header, its alignment.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, Obstacle, page_bytes};

pub(super) const USABLE_SIZE: Experiment = Experiment {
    name: "usable-size",
    title: "where a block begins, how long it is, and what stands in front of it",
    explanation: &[
        "malloc_usable_size tells how many bytes of a block may be written. In glibc it reads the word in front of the block: \
         the size of the chunk, header included, a multiple of 16, with three flags in the low bits; the lowest says that the \
         chunk before is in use. The first word of the next chunk belongs to this block while it lives, which is why the \
         smallest block has 24 usable bytes in a chunk of 32.",
        "mallow writes nothing in front of a block: what it knows about blocks lies elsewhere, out of reach of an overflow.",
    ],
    run,
};

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident]);
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    // As much of it as may be written in either allocator.
    let before = subject.place("before", &Call::malloc("before", 1))?;
    subject.call(&Call::fill(before, 16))?;
    let p = subject.place("p", &Call::malloc("p", 1))?;
    let usable = subject.call(&Call::usable_size(p))?;
    let word = subject.call(&Call::word_before(p))?;
    let q = subject.place("q", &Call::malloc("q", 1000))?;
    let usable_q = subject.call(&Call::usable_size(q))?;
    let word_q = if lab.is_on_mallow() { 0 } else { subject.call(&Call::word_before(q))? };
    let mut aligned = Vec::new();
    for align in [64, page_bytes(), 64 * KIB] {
        let a = subject.place("a", &Call::memalign("a", align, 1000))?;
        aligned.push(a.address.is_multiple_of(align));
    }
    lab.look(&mut subject)?;

    lab.expect(
        p.address.is_multiple_of(16) && q.address.is_multiple_of(16),
        "blocks begin at multiples of 16",
    );
    lab.expect(
        aligned.iter().all(|is_aligned| *is_aligned),
        "posix_memalign gives 64, 4096 and 65536 where asked to",
    );
    if lab.is_on_mallow() {
        lab.expect(
            usable >= 1 && usable_q >= 1000,
            format!("malloc(1) has {usable} usable bytes, malloc(1000) {usable_q}"),
        );
        let is_neighbours = word == 0x0101_0101_0101_0101;
        lab.expect(
            is_neighbours,
            "the word in front of p is the last of the block before it: nothing stands between them",
        );
        return Ok(());
    }
    lab.expect(usable == 24, format!("malloc(1) has {usable} usable bytes"));
    let is_size = |word: u64, usable: u64| word & !7 == usable + 8 && word & 1 == 1;
    lab.expect(
        is_size(word, usable),
        format!("the word in front of it is {word}: 32 bytes of chunk, and the flag"),
    );
    lab.expect(
        is_size(word_q, usable_q),
        format!("malloc(1000) has {usable_q}, and {word_q} in front: {} and the flag", word_q & !7),
    );
    lab.remark(
        "free reads the size at p - 4, and the smallest block has 16 bytes",
        "that is so in 32-bit programs. In 64-bit ones the size is the word at p - 8, and the smallest chunk has 32 bytes, of \
         which 24 are usable",
    );
    Ok(())
}
