//! What a cache promises, one behaviour at a time.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

mod ram;

use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::collections::HashSet;

use mallow_kslab::{Cache, Checks, CpuCache, CreateError, Damage, Spec};
use mallow_units::{Align, PageCount};
use ram::Ram;

fn cache(ram: &Ram, bytes: usize) -> (Cache<&Ram>, CpuCache) {
    let cache = Cache::create(ram, Spec::new("object", bytes)).expect("a cache");
    let cpu = cache.attach(0);
    (cache, cpu)
}

fn free(cache: &Cache<&Ram>, cpu: &mut CpuCache, object: NonNull<u8>) {
    // SAFETY: the tests that free twice do so in order to see it noticed.
    unsafe { cache.free(cpu, object) };
}

fn fill(object: NonNull<u8>, bytes: usize, value: u8) {
    // SAFETY: the object is the test's own.
    unsafe { object.write_bytes(value, bytes) };
}

fn byte(object: NonNull<u8>, at: usize) -> u8 {
    // SAFETY: the object is the test's own, and longer than this.
    let place = unsafe { object.add(at) };
    // SAFETY: as above.
    unsafe { place.read() }
}

#[test]
fn objects_do_not_overlap_and_lie_at_their_alignment() {
    for (bytes, align) in [(1, 8), (16, 16), (24, 8), (48, 16), (192, 64), (700, 8), (3000, 64), (9000, 4096)]
    {
        let ram = Ram::new(1024);
        let spec = Spec::new("object", bytes).aligned(Align::new(align).unwrap());
        let cache = Cache::create(&ram, spec).unwrap();
        let mut cpu = cache.attach(0);
        let mut objects = Vec::new();
        for at in 0..200_u8 {
            let object = cache.alloc(&mut cpu).unwrap();
            assert_eq!(object.addr().get() % align, 0);
            fill(object, bytes, at);
            objects.push(object);
        }
        for (at, object) in (0..200_u8).zip(&objects) {
            assert!((0..bytes).all(|offset| byte(*object, offset) == at), "object {at} of {bytes} bytes");
        }
        for object in objects {
            free(&cache, &mut cpu, object);
        }
        cache.check([&cpu]);
        cache.detach(cpu).unwrap();
        cache.destroy().unwrap();
        assert_eq!(ram.used_frames(), 0);
    }
}

#[test]
fn the_object_freed_last_is_handed_out_first() {
    let ram = Ram::new(16);
    let (cache, mut cpu) = cache(&ram, 192);
    let object = cache.alloc(&mut cpu).unwrap();
    free(&cache, &mut cpu, object);
    assert_eq!(cache.alloc(&mut cpu), Some(object));
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    let ram = Ram::new(8);
    let (cache, mut cpu) = cache(&ram, 512);
    let mut objects = HashSet::new();
    while let Some(object) = cache.alloc(&mut cpu) {
        assert!(objects.insert(object));
    }
    assert_eq!(cache.alloc(&mut cpu), None);
    cache.check([&cpu]);
    // One page for magazines, the others in slabs of two.
    assert_eq!(objects.len(), 3 * 16);
    for object in objects {
        free(&cache, &mut cpu, object);
    }
    assert!(cache.alloc(&mut cpu).is_some());
    cache.check([&cpu]);
}

#[test]
fn a_cache_works_without_memory_for_magazines() {
    let ram = Ram::new(1);
    let (cache, mut cpu) = cache(&ram, 192);
    let objects: Vec<_> = core::iter::from_fn(|| cache.alloc(&mut cpu)).collect();
    assert_eq!(objects.len(), 21);
    for object in objects {
        free(&cache, &mut cpu, object);
    }
    cache.check([&cpu]);
    cache.destroy().unwrap();

    let ram = Ram::new(2);
    let (cache, mut cpu) = self::cache(&ram, 192);
    ram.refuse_after(1);
    let first = cache.alloc(&mut cpu).unwrap();
    ram.refuse_none();
    let mut objects: Vec<_> = core::iter::from_fn(|| cache.alloc(&mut cpu)).collect();
    assert_eq!(objects.len(), 20, "one slab, and magazines at the second try");
    objects.push(first);
    for object in objects {
        free(&cache, &mut cpu, object);
    }
    cache.check([&cpu]);
}

#[test]
fn constructed_state_survives_a_free() {
    fn construct(object: &mut [MaybeUninit<u8>]) {
        object.fill(MaybeUninit::new(0x77));
    }
    let ram = Ram::new(64);
    for checks in [Checks::NONE, Checks::ALL] {
        let spec = Spec::new("inode", 100).constructed_by(construct).checked(checks);
        let cache = Cache::create(&ram, spec).unwrap();
        let mut cpu = cache.attach(0);
        for _ in 0..300 {
            let object = cache.alloc(&mut cpu).unwrap();
            assert!((0..100).all(|at| byte(object, at) == 0x77));
            free(&cache, &mut cpu, object);
        }
        cache.detach(cpu).unwrap();
        cache.destroy().unwrap();
    }
}

#[test]
fn processors_exchange_magazines_through_the_depot() {
    let ram = Ram::new(256);
    let (cache, mut producer) = cache(&ram, 64);
    let mut consumer = cache.attach(1);
    for _ in 0..20 {
        let objects: Vec<_> = (0..150).map(|_| cache.alloc(&mut producer).unwrap()).collect();
        for object in objects {
            free(&cache, &mut consumer, object);
        }
        cache.check([&producer, &consumer]);
    }
    // 64 objects are a page; what one frees the other gets again.
    assert!(ram.used_frames() < 20, "{} frames", ram.used_frames());
    for cpu in [producer, consumer] {
        cache.detach(cpu).unwrap();
    }
    cache.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn shrinking_returns_all_that_is_unused() {
    let ram = Ram::new(512);
    let (cache, mut cpu) = cache(&ram, 192);
    let objects: Vec<_> = (0..2000).map(|_| cache.alloc(&mut cpu).unwrap()).collect();
    let survivor = objects[1000];
    for object in objects.into_iter().filter(|object| *object != survivor) {
        free(&cache, &mut cpu, object);
    }
    cache.drain(&mut cpu);
    let before = ram.used_frames();
    let returned = cache.shrink();
    assert_eq!(u64::from(ram.used_frames()) + returned.0, u64::from(before));
    // The slab of the survivor, and the magazines.
    assert!(ram.used_frames() <= 3, "{} frames", ram.used_frames());
    cache.check([&cpu]);
    free(&cache, &mut cpu, survivor);
    cache.detach(cpu).unwrap();
    cache.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn reaping_keeps_the_working_set() {
    let ram = Ram::new(512);
    let (cache, mut cpu) = cache(&ram, 512);
    let objects: Vec<_> = (0..16 * 40).map(|_| cache.alloc(&mut cpu).unwrap()).collect();
    for object in objects {
        free(&cache, &mut cpu, object);
    }
    assert_eq!(cache.reap(), PageCount(0), "nothing is known yet");
    // Nothing happens: all that was kept was not needed.
    let at_rest = ram.used_frames();
    assert!(cache.reap().0 > 0);
    assert!(ram.used_frames() < at_rest);
    // A burst that repeats is a working set: what it needs stays.
    for round in 0..5 {
        let objects: Vec<_> = (0..200).map(|_| cache.alloc(&mut cpu).unwrap()).collect();
        for object in objects {
            free(&cache, &mut cpu, object);
        }
        let returned = cache.reap();
        assert!(round < 2 || returned == PageCount(0), "round {round}: {returned:?}");
        cache.check([&cpu]);
    }
}

#[test]
fn a_leak_is_named() {
    let ram = Ram::new(64);
    let cache = Cache::create(&ram, Spec::new("dentry", 192).checked(Checks::TAGS)).unwrap();
    let mut cpu = cache.attach(3);
    let kept = cache.alloc_tagged(&mut cpu, 0xabc).unwrap();
    let other = cache.alloc_tagged(&mut cpu, 0xdef).unwrap();
    free(&cache, &mut cpu, other);
    let leak = cache.destroy().unwrap_err();
    assert_eq!(leak.count(), 1);
    let text = leak.to_string();
    assert!(text.starts_with("dentry: 1 objects remaining\n"), "{text}");
    assert!(text.contains(&format!("object {:#x} allocated in 0xabc at ", kept.addr())), "{text}");
    assert!(text.ends_with("cpu=3"), "{text}");
    let cache = leak.into_cache();
    free(&cache, &mut cpu, kept);
    cache.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
}

#[test]
fn a_processor_that_is_attached_is_a_leak() {
    let ram = Ram::new(64);
    let (cache, mut cpu) = cache(&ram, 192);
    let object = cache.alloc(&mut cpu).unwrap();
    free(&cache, &mut cpu, object);
    let leak = cache.destroy().unwrap_err();
    let cache = leak.into_cache();
    cache.drain(&mut cpu);
    cache.destroy().unwrap();
    assert_eq!(ram.used_frames(), 0);
    // The front is of no cache any more, and harmless.
    let (other, _) = self::cache(&ram, 64);
    assert_eq!(other.alloc(&mut cpu), None);
    assert!(other.detach(cpu).is_err());
}

#[test]
fn the_front_of_another_cache_gets_nothing_and_loses_nothing() {
    let ram = Ram::new(64);
    let (small, mut small_cpu) = cache(&ram, 64);
    let (large, mut large_cpu) = cache(&ram, 256);
    let object = small.alloc(&mut small_cpu).unwrap();
    assert_eq!(large.alloc(&mut small_cpu), None);
    free(&small, &mut large_cpu, object);
    small.check([&small_cpu]);
    large.check([&large_cpu]);
    assert!(ram.take_reports().is_empty());
    small.detach(small_cpu).unwrap();
    small.destroy().unwrap();
}

#[test]
fn a_double_free_is_noticed_when_it_reaches_the_slab() {
    let ram = Ram::new(64);
    let (cache, mut cpu) = cache(&ram, 192);
    let objects: Vec<_> = (0..30).map(|_| cache.alloc(&mut cpu).unwrap()).collect();
    for object in &objects {
        free(&cache, &mut cpu, *object);
    }
    cache.drain(&mut cpu);
    free(&cache, &mut cpu, objects[7]);
    cache.drain(&mut cpu);
    let reports = ram.take_reports();
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].damage, reports[0].object), (Damage::DoubleFree, objects[7].addr().get()));
    cache.check([&cpu]);
}

#[test]
fn stray_addresses_are_reported_and_not_taken() {
    let ram = Ram::new(64);
    let (one, mut cpu) = cache(&ram, 192);
    let (two, mut cpu_of_two) = cache(&ram, 192);
    let object = two.alloc(&mut cpu_of_two).unwrap();
    let mut outside = 0_u64;
    let nowhere = NonNull::from(&mut outside).cast::<u8>();
    // SAFETY: an address within the object.
    let inside = unsafe { object.add(8) };
    for (cache, stray, damage) in [
        (&one, object, Damage::Foreign),
        (&one, nowhere, Damage::Foreign),
        (&two, inside, Damage::NotAnObject),
    ] {
        let cpu = if damage == Damage::Foreign { &mut cpu } else { &mut cpu_of_two };
        free(cache, cpu, stray);
        cache.drain(cpu);
        let reports = ram.take_reports();
        assert_eq!(reports.iter().map(|report| report.damage).collect::<Vec<_>>(), [damage]);
    }
}

#[test]
fn checks_catch_overruns_underruns_late_writes_and_double_frees() {
    let ram = Ram::new(64);
    let cache = Cache::create(&ram, Spec::new("sock", 100).checked(Checks::ALL)).unwrap();
    let mut cpu = cache.attach(0);
    let damage = |offset: isize, late: bool| {
        let mut cpu = cache.attach(1);
        let object = cache.alloc_tagged(&mut cpu, 0x11).unwrap();
        assert_eq!((byte(object, 0), byte(object, 98), byte(object, 99)), (0x6b, 0x6b, 0xa5));
        if late {
            // SAFETY: as for the others.
            unsafe { cache.free_tagged(&mut cpu, object, 0x22) };
        }
        // SAFETY: not outside of the slab.
        let place = unsafe { object.offset(offset) };
        // SAFETY: as above; the damage is the point.
        unsafe { place.write(0) };
        if late {
            // Until the object would be handed out again.
            while ram.reports().is_empty() {
                cache.alloc(&mut cpu).unwrap();
            }
        } else {
            free(&cache, &mut cpu, object);
        }
        let reports = ram.take_reports();
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].object, object.addr().get());
        assert_eq!(reports[0].spot.unwrap().offset, offset as i64);
        (reports[0].damage, reports[0].allocated.unwrap().tag, reports[0].freed.map(|track| track.tag))
    };
    assert_eq!(damage(100, false), (Damage::RightRedZone, 0x11, None));
    assert_eq!(damage(-1, false), (Damage::LeftRedZone, 0x11, None));
    assert_eq!(damage(50, true), (Damage::Poison, 0x11, Some(0x22)));
    assert_eq!(damage(99, true), (Damage::Poison, 0x11, Some(0x22)));
    let object = cache.alloc(&mut cpu).unwrap();
    free(&cache, &mut cpu, object);
    free(&cache, &mut cpu, object);
    let reports = ram.take_reports();
    assert_eq!(reports.iter().map(|report| report.damage).collect::<Vec<_>>(), [Damage::DoubleFree]);
    let text = reports[0].to_string();
    assert!(text.starts_with("BUG sock: Object already free\nobject 0x"), "{text}");
    assert!(text.contains("\nAllocated in 0x0 age=") && text.contains("\nFreed in 0x0 age="), "{text}");
    cache.check([]);
}

#[test]
fn a_look_at_all_objects_finds_damage_before_anybody_frees() {
    let ram = Ram::new(64);
    let cache = Cache::create(&ram, Spec::new("sock", 100).checked(Checks::ALL)).unwrap();
    let mut cpu = cache.attach(0);
    let objects: Vec<_> = (0..50).map(|_| cache.alloc_tagged(&mut cpu, 5).unwrap()).collect();
    free(&cache, &mut cpu, objects[20]);
    assert_eq!(cache.validate(), 0);
    fill(objects[10], 101, 1);
    fill(objects[20], 1, 1);
    assert_eq!(cache.validate(), 2);
    let mut damages: Vec<_> = ram.take_reports().iter().map(|one| (one.object, one.damage)).collect();
    damages.sort_unstable_by_key(|(object, _)| *object);
    let mut expected = [(objects[10], Damage::RightRedZone), (objects[20], Damage::Poison)];
    expected.sort_unstable_by_key(|(object, _)| *object);
    assert_eq!(damages, expected.map(|(object, damage)| (object.addr().get(), damage)));
}

#[test]
fn a_cache_that_cannot_be_is_refused() {
    let ram = Ram::new(4);
    let error = |spec| Cache::create(&ram, spec).unwrap_err();
    assert_eq!(error(Spec::new("", 8)), CreateError::BadName);
    assert_eq!(error(Spec::new("a b", 8)), CreateError::BadName);
    assert_eq!(error(Spec::new("a", 0)), CreateError::BadSize(0));
    assert_eq!(error(Spec::new("a", (4 << 20) + 1)), CreateError::BadSize((4 << 20) + 1));
    let wide = Align::new(8192).unwrap();
    assert_eq!(error(Spec::new("a", 8).aligned(wide)), CreateError::BadAlign(8192));
}
