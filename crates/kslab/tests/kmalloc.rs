//! What `kmalloc` promises.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod ram;

use core::ptr::NonNull;

use mallow_kslab::kmalloc::{Kmalloc, KmallocCpu, ZERO_SIZE};
use mallow_kslab::{Checks, Damage};
use mallow_units::bytes::{KIB, MIB};
use mallow_units::{PageCount, SizeClass};
use ram::Ram;

fn kmalloc(ram: &Ram) -> (Kmalloc<&Ram>, KmallocCpu) {
    let kmalloc = Kmalloc::create(ram, Checks::NONE).expect("caches");
    let cpu = kmalloc.attach(0);
    (kmalloc, cpu)
}

fn free(kmalloc: &Kmalloc<&Ram>, cpu: &mut KmallocCpu, memory: NonNull<u8>) {
    // SAFETY: the tests that free something else do so in order to see it noticed.
    unsafe { kmalloc.free(cpu, memory) };
}

#[test]
fn every_size_gets_memory_of_its_own_at_its_natural_alignment() {
    let ram = Ram::new(16384);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    let sizes = (1..2 * KIB).step_by(5).chain((2 * KIB..MIB).step_by(40_009)).chain([4 * MIB]);
    let mut all = Vec::new();
    for (at, bytes) in sizes.enumerate() {
        let memory = kmalloc.alloc(&mut cpu, bytes).unwrap();
        let usable = kmalloc.usable_bytes(memory).unwrap();
        assert!(usable >= bytes);
        if bytes.is_power_of_two() {
            assert_eq!(memory.addr().get() % bytes.min(4096), 0, "{bytes} bytes");
        }
        let fill = u8::try_from(at % 251).unwrap();
        // SAFETY: the memory is that long.
        unsafe { memory.write_bytes(fill, usable) };
        all.push((memory, usable, fill));
    }
    for (memory, usable, fill) in all {
        // SAFETY: the memory is that long, and was filled above.
        let bytes = unsafe { NonNull::slice_from_raw_parts(memory, usable).as_ref() };
        assert!(bytes.iter().all(|byte| *byte == fill), "{usable} bytes");
        free(&kmalloc, &mut cpu, memory);
    }
    kmalloc.drain(&mut cpu);
    kmalloc.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
    assert!(ram.take_reports().is_empty());
}

#[test]
fn nothing_is_an_address_that_may_be_freed() {
    let ram = Ram::new(64);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    assert_eq!(kmalloc.alloc(&mut cpu, 0), Some(ZERO_SIZE));
    assert_eq!(kmalloc.alloc_zeroed(&mut cpu, 0), Some(ZERO_SIZE));
    assert_eq!(kmalloc.usable_bytes(ZERO_SIZE), Some(0));
    free(&kmalloc, &mut cpu, ZERO_SIZE);
    assert!(ram.take_reports().is_empty());
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn more_than_four_mebibytes_is_refused() {
    let ram = Ram::new(4096);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    assert_eq!(kmalloc.alloc(&mut cpu, 4 * MIB + 1), None);
    assert_eq!(kmalloc.alloc(&mut cpu, usize::MAX), None);
    let memory = kmalloc.alloc(&mut cpu, 4 * MIB).unwrap();
    assert_eq!(kmalloc.large_pages(), PageCount(1024));
    free(&kmalloc, &mut cpu, memory);
    assert_eq!((kmalloc.large_pages(), ram.used_frames()), (PageCount(0), 0));
}

#[test]
fn zeroed_memory_is_zero_whatever_was_there() {
    let ram = Ram::new(1024);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    for bytes in [1, 100, 5000, 100_000] {
        let memory = kmalloc.alloc_zeroed(&mut cpu, bytes).unwrap();
        // SAFETY: the memory is that long.
        let content = unsafe { NonNull::slice_from_raw_parts(memory, bytes).as_ref() };
        assert!(content.iter().all(|byte| *byte == 0));
        free(&kmalloc, &mut cpu, memory);
    }
}

#[test]
fn growing_keeps_the_content_and_a_refusal_keeps_the_memory() {
    let ram = Ram::new(1024);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    let mut memory = kmalloc.alloc_zeroed(&mut cpu, 1).unwrap();
    // SAFETY: it is one byte.
    unsafe { memory.write(0x42) };
    for bytes in [16, 17, 1000, 16 * KIB, 16 * KIB + 1, 200 * KIB] {
        // SAFETY: the memory is the test's own; of what is copied only the first byte is looked at.
        memory = unsafe { kmalloc.realloc(&mut cpu, memory, bytes) }.unwrap();
        assert!(kmalloc.usable_bytes(memory).unwrap() >= bytes);
        // SAFETY: at least one byte.
        assert_eq!(unsafe { memory.read() }, 0x42);
    }
    // SAFETY: as above.
    let refused = unsafe { kmalloc.realloc(&mut cpu, memory, 8 * MIB) };
    assert_eq!(refused, None);
    // SAFETY: it was refused, so the memory is as it was.
    assert_eq!(unsafe { memory.read() }, 0x42);
    // SAFETY: as above.
    let shrunk = unsafe { kmalloc.realloc(&mut cpu, memory, 10) };
    assert_eq!(shrunk, Some(memory), "it never shrinks");
    // SAFETY: as above.
    let nothing = unsafe { kmalloc.realloc(&mut cpu, memory, 0) };
    assert_eq!(nothing, Some(ZERO_SIZE));
    kmalloc.drain(&mut cpu);
    kmalloc.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn wild_frees_are_reported() {
    let ram = Ram::new(256);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    let mut outside = 0_u64;
    free(&kmalloc, &mut cpu, NonNull::from(&mut outside).cast());
    let large = kmalloc.alloc(&mut cpu, 100_000).unwrap();
    // SAFETY: within the memory.
    free(&kmalloc, &mut cpu, unsafe { large.add(64) });
    // SAFETY: within the memory, in its second page.
    free(&kmalloc, &mut cpu, unsafe { large.add(5000) });
    free(&kmalloc, &mut cpu, large);
    free(&kmalloc, &mut cpu, large);
    let damages: Vec<_> = ram.take_reports().iter().map(|report| report.damage).collect();
    assert_eq!(damages, [Damage::Foreign, Damage::NotAnObject, Damage::Foreign, Damage::Foreign]);
}

#[test]
fn what_is_out_keeps_the_caches_alive() {
    let ram = Ram::new(256);
    let (kmalloc, mut cpu) = kmalloc(&ram);
    let small = kmalloc.alloc(&mut cpu, 100).unwrap();
    let large = kmalloc.alloc(&mut cpu, 100_000).unwrap();
    kmalloc.drain(&mut cpu);
    let kmalloc = kmalloc.destroy().unwrap_err();
    free(&kmalloc, &mut cpu, large);
    let kmalloc = kmalloc.destroy().unwrap_err();
    free(&kmalloc, &mut cpu, small);
    kmalloc.drain(&mut cpu);
    kmalloc.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn the_classes_are_those_of_malloc() {
    let ram = Ram::new(64);
    let (kmalloc, _) = kmalloc(&ram);
    for (cache, class) in kmalloc.caches().iter().zip(SizeClass::all()) {
        assert_eq!(cache.layout().stride as usize, class.block_bytes());
    }
    let names: Vec<_> = kmalloc.caches().iter().map(|cache| cache.name()).collect();
    assert_eq!((names[0], names[11], names[63]), ("kmalloc-16", "kmalloc-192", "kmalloc-16k"));
}
