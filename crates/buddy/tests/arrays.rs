//! What filling and flushing the arrays of a processor leaves on the lists.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_buddy::cpu::Limits;
use mallow_buddy::{CpuFrames, Layout, Node, Request};
use mallow_frame::{Frame, FrameTable, Region, Regions, ZoneKind};
use mallow_units::{FrameNumber, Order};

/// One frame more than 8 of the longest runs, so that there is a piece from the beginning.
const MEMORY: Region = Region::new(FrameNumber(1 << 14), (8 << 10) + 1);

#[test]
fn a_fill_does_not_cut_a_block_for_its_last_frames() {
    let regions = Regions::new(&[MEMORY]).expect("one region");
    let frames: Vec<Frame> = (0..MEMORY.frames).map(|_| Frame::new()).collect();
    let table = FrameTable::new(&frames, &regions).expect("enough entries");
    let mut node = Node::new(table, Layout::default());
    node.release(table, MEMORY).expect("all are reserved");
    let mut cpu = CpuFrames::with_limits(&node, Limits::FULL);
    let (mut fills, mut held, mut pieces) = (0, 0, 0);
    let mut taken = Vec::new();
    while let Some(run) = cpu.allocate(table, &mut node, &Request::anonymous()) {
        taken.push(run);
        if cpu.held() > held {
            fills += 1;
            let area = node.zone(ZoneKind::Dma32).area();
            pieces += Order::all().take(4).map(|order| area.blocks(order)).sum::<u32>();
        }
        held = cpu.held();
    }
    // A fill is 32 frames; the first began with the odd one, and near the watermark they are short.
    assert!((200..400).contains(&fills), "{fills} fills");
    assert!(pieces < fills / 10, "{pieces} pieces were left over by {fills} fills");
    for run in taken.into_iter().rev() {
        assert!(cpu.free(table, &mut node, run).is_ok());
    }
    cpu.drain(table, &mut node);
    node.check(table, &[cpu]).expect("no violation");
    let longest = node.zone(ZoneKind::Dma32).area().blocks(Order::MAX);
    assert_eq!(longest, 8, "all of it is merged again");
}
