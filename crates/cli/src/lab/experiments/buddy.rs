//! How the kernel keeps free page frames.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, Lab, MIB, Obstacle, machine, page_bytes, size};

pub(super) const BUDDY: Experiment = Experiment {
    name: "buddy",
    title: "the kernel keeps free frames in blocks of 2^order; what a program touches is taken from there",
    explanation: &[
        "The kernel keeps free page frames in blocks of 2^order, in lists by order: /proc/buddyinfo. A request takes a block of \
         the smallest order that will do and splits larger ones if it must; when a block is freed and its neighbour (its \
         buddy) is free, the two become one of the next order. If there are many blocks of low order and few of high ones, \
         free memory is fragmented: huge pages and some drivers do not find what they need.",
        "Programs do not depend on that: their pages need not lie side by side, since the page table puts them in order.",
    ],
    run,
};

/// What is touched; an eighth of what is free, if that is less.
const MOST: u64 = 256 * MIB;
const LEAST: u64 = 16 * MIB;
/// Other programs take and give memory too; they rarely do so against us five times.
const TRIES: usize = 5;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Mapped, Column::Resident]);
    let block = MOST.min(Free::now()?.bytes() / 8 / MIB * MIB);
    if block < LEAST {
        return Err(Obstacle::new(format!(
            "less than {} are free: the kernel would take from caches",
            size(8 * LEAST)
        )));
    }
    let mut subject = lab.start()?;
    let p = subject.place("p", &Call::mmap("p", block))?;
    lab.look(&mut subject)?;
    let mut moments = Vec::new();
    for attempt in 0..TRIES {
        let before = Free::now()?;
        subject.call(&Call::fill(p, block))?;
        if attempt == 0 {
            lab.look(&mut subject)?;
        }
        let touched = Free::now()?;
        subject.call(&Call::drop_pages(p, block))?;
        if attempt == 0 {
            lab.look(&mut subject)?;
        }
        moments = vec![before, touched, Free::now()?];
        if is_seen(&moments, block) {
            break;
        }
    }
    let (taken, back) = (taken(&moments), returned(&moments));
    lab.table(&["order", "pages each", "before", "touched", "given back"], rows(&moments));
    lab.expect(
        taken >= block / 2,
        format!("{} are touched, and {} are no longer free", size(block), size(taken)),
    );
    lab.expect(back >= block / 2, format!("they are given back, and {} are free again", size(back)));
    lab.note("the whole machine takes part in these numbers, so they are never exact");
    lab.note(
        "each processor keeps single frames at hand, which /proc/buddyinfo does not count and /proc/zoneinfo does. On newer \
         kernels that may be most of what was just freed",
    );
    lab.remark(
        "malloc of a little more than 2 MB may fail because the kernel finds no 2 MB of contiguous frames",
        "a program's memory is made of single frames, from anywhere: this one got its pages whatever the table says of high \
         orders. Contiguous frames are needed for huge pages, and the kernel does without if there are none",
    );
    Ok(())
}

/// Free page frames of all zones: blocks by order, and single frames that processors have at hand.
struct Free {
    blocks: Vec<u64>,
    at_hand: u64,
}

impl Free {
    fn now() -> Result<Self, Obstacle> {
        let zones = machine::buddies()?;
        let orders = zones.iter().map(|zone| zone.free_blocks.len()).max().unwrap_or(0);
        let sum = |order: usize| zones.iter().filter_map(|zone| zone.free_blocks.get(order)).sum();
        Ok(Self { blocks: (0..orders).map(sum).collect(), at_hand: machine::frames_of_processors()? })
    }

    fn bytes(&self) -> u64 {
        let in_lists: u64 = self.blocks.iter().enumerate().map(|(order, count)| count << order).sum();
        (in_lists + self.at_hand) * page_bytes()
    }
}

/// How much less is free when the block is touched than before.
fn taken(moments: &[Free]) -> u64 {
    difference(moments.first(), moments.get(1))
}

/// How much more is free when it was given back.
fn returned(moments: &[Free]) -> u64 {
    difference(moments.get(2), moments.get(1))
}

fn difference(more: Option<&Free>, less: Option<&Free>) -> u64 {
    more.map_or(0, Free::bytes).saturating_sub(less.map_or(0, Free::bytes))
}

fn is_seen(moments: &[Free], block: u64) -> bool {
    taken(moments) >= block / 2 && returned(moments) >= block / 2
}

fn rows(moments: &[Free]) -> Vec<Vec<String>> {
    let orders = moments.first().map_or(0, |free| free.blocks.len());
    let row = |order: usize| {
        let counts = moments.iter().map(|free| free.blocks.get(order).copied().unwrap_or(0).to_string());
        [order.to_string(), (1_u64 << order).to_string()].into_iter().chain(counts).collect()
    };
    let at_hand = moments.iter().map(|free| free.at_hand.to_string());
    let at_hand = ["at hand".to_owned(), "1".to_owned()].into_iter().chain(at_hand).collect();
    (0..orders).map(row).chain([at_hand]).collect()
}
