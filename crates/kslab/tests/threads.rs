//! Processors that really run at the same time.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod ram;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mallow_kslab::lock::Lock;
use mallow_kslab::{Cache, Checks, Kmalloc, Spec};
use ram::Ram;

const CPUS: u32 = 4;
const ROUNDS: usize = if cfg!(debug_assertions) { 4000 } else { 40_000 };

/// An object on its way from one thread to another.
struct Parcel(NonNull<u8>);
// SAFETY: whoever has the parcel has the object.
unsafe impl Send for Parcel {}

fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

#[test]
fn objects_travel_between_processors_and_none_is_lost() {
    for checks in [Checks::NONE, Checks::ALL] {
        let ram = Ram::new(16384);
        let cache = Cache::create(&ram, Spec::new("packet", 256).checked(checks)).unwrap();
        // Not std's lock: a sanitizer of threads does not see into that.
        let mut exchange = Lock::new(Vec::new());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..CPUS)
                .map(|number| {
                    let (cache, exchange) = (&cache, &exchange);
                    scope.spawn(move || {
                        let mut cpu = cache.attach(number);
                        let mut seed = u64::from(number) + 1;
                        for round in 0..ROUNDS {
                            let mark = u8::try_from(round % 256).unwrap();
                            if random(&mut seed).is_multiple_of(2) {
                                let object = cache.alloc(&mut cpu).expect("plenty of memory");
                                // SAFETY: ours, and 256 bytes long.
                                unsafe { object.write_bytes(mark, 256) };
                                exchange.lock().push((Parcel(object), mark));
                            } else {
                                let parcel = exchange.lock().pop();
                                if let Some((Parcel(object), mark)) = parcel {
                                    // SAFETY: ours now, and 256 bytes long.
                                    let bytes =
                                        unsafe { NonNull::slice_from_raw_parts(object, 256).as_ref() };
                                    assert!(bytes.iter().all(|byte| *byte == mark), "shared with somebody");
                                    // SAFETY: ours, and forgotten.
                                    unsafe { cache.free(&mut cpu, object) };
                                }
                            }
                        }
                        cache.detach(cpu).unwrap();
                    })
                })
                .collect();
            let reaper = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    cache.shrink();
                    cache.reap();
                    thread::yield_now();
                }
            });
            for worker in workers {
                worker.join().unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            // Joined by hand: only that is seen by a sanitizer of threads.
            reaper.join().unwrap();
        });
        let mut cpu = cache.attach(0);
        for (Parcel(object), _) in exchange.get_mut().drain(..) {
            // SAFETY: the last ones are ours.
            unsafe { cache.free(&mut cpu, object) };
        }
        cache.check([&cpu]);
        cache.detach(cpu).unwrap();
        cache.destroy().unwrap();
        assert_eq!(ram.used_frames(), 0);
        assert!(ram.take_reports().is_empty());
    }
}

#[test]
fn memory_of_every_size_is_freed_by_others() {
    let ram = Ram::new(65536);
    let kmalloc = Kmalloc::create(&ram, Checks::NONE).unwrap();
    let mut exchange = Lock::new(Vec::new());
    thread::scope(|scope| {
        let workers = (0..CPUS).map(|number| {
            let (kmalloc, exchange) = (&kmalloc, &exchange);
            scope.spawn(move || {
                let mut cpu = kmalloc.attach(number);
                let mut seed = u64::from(number) + 77;
                for _ in 0..ROUNDS {
                    let bytes = 1 << (random(&mut seed) % 16);
                    let memory = kmalloc.alloc(&mut cpu, bytes).expect("plenty of memory");
                    // SAFETY: ours, and that long.
                    unsafe { memory.write_bytes(0xee, bytes) };
                    let mut waiting = exchange.lock();
                    waiting.push(Parcel(memory));
                    let at = random(&mut seed) % waiting.len();
                    let other = (waiting.len() > 100).then(|| waiting.swap_remove(at));
                    drop(waiting);
                    if let Some(Parcel(memory)) = other {
                        // SAFETY: ours now.
                        unsafe { kmalloc.free(&mut cpu, memory) };
                    }
                }
                kmalloc.drain(&mut cpu);
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.join().unwrap();
        }
    });
    let mut cpu = kmalloc.attach(0);
    for Parcel(memory) in exchange.get_mut().drain(..) {
        // SAFETY: the last ones are ours.
        unsafe { kmalloc.free(&mut cpu, memory) };
    }
    kmalloc.drain(&mut cpu);
    kmalloc.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
    assert!(ram.take_reports().is_empty());
}
