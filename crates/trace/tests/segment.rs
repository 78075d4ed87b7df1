//! The segment from both sides: what a writer puts there is what a reader finds, and nothing a reader is
//! handed makes it panic.

#![expect(clippy::tests_outside_test_module, reason = "a file in tests/ is a test module")]

use mallow_trace::segment::{
    self, CLASS_COUNT_AT, CLASSES_AT, FILE_BYTES, KEPT_AT, LANDMARK_COUNT_AT, MAGIC_AT, MAX_CLASSES,
    MAX_COUNTERS, PID_WORD, SEGMENT_BYTES, TRIM_ASKED_AT, TRIM_BYTES_AT, TRIM_DONE_AT, TRIM_TAKEN_AT,
    VERSION_AT, WORDS,
};
use mallow_trace::{ClassCounters, Counter, Landmark, SegmentError, Snapshot, Trims};
use proptest::array::uniform12;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn a_blank_segment_is_unclaimed_and_zero() {
    let snapshot = Snapshot::decode(&segment::blank()).unwrap();
    assert_eq!(snapshot.claimed_by(), None);
    for counter in Counter::ALL {
        assert_eq!(snapshot.get(counter), Some(0), "{}", counter.name());
    }
}

#[test]
fn begins_with_readable_magic_and_version_two() {
    let blank = segment::blank();
    assert_eq!(&blank[..8], b"MALLOWSG");
    assert_eq!(&blank[8..16], &[2, 0, 0, 0, 12, 0, 0, 0]);
    assert!(blank[16..].iter().all(|&byte| byte == 0));
}

#[test]
fn counters_have_distinct_names_and_words() {
    for (i, one) in Counter::ALL.into_iter().enumerate() {
        assert!(!one.doc().is_empty());
        assert_eq!(one.word(), segment::COUNTERS_AT + i);
        for other in &Counter::ALL[..i] {
            assert_ne!(one.name(), other.name());
        }
    }
}

#[test]
fn a_segment_of_an_older_library_lacks_the_newer_counters() {
    let mut bytes = segment::blank();
    segment::put(&mut bytes, VERSION_AT, 2 << 32 | 2);
    segment::put(&mut bytes, Counter::Frees.word(), 7);
    let snapshot = Snapshot::decode(&bytes).unwrap();
    assert_eq!(snapshot.get(Counter::Frees), Some(7));
    assert_eq!(snapshot.get(Counter::LiveBytes), None);
}

#[test]
fn an_error_names_the_byte_and_the_value() {
    let sentence = |word, value| {
        let mut bytes = segment::blank();
        segment::put(&mut bytes, word, value);
        Snapshot::decode(&bytes).unwrap_err().to_string()
    };
    assert_eq!(
        sentence(MAGIC_AT, 0x2a),
        "no segment: magic 0x000000000000002a at byte 0, expected 0x4753574f4c4c414d"
    );
    assert_eq!(sentence(VERSION_AT, 9), "segment version 9 at byte 8, expected 2");
    assert_eq!(sentence(VERSION_AT, 33 << 32 | 2), "33 counters at byte 12, at most 32 fit");
    assert_eq!(sentence(PID_WORD, 1 << 32), "4294967296 at byte 16 is no process id");
    assert_eq!(sentence(LANDMARK_COUNT_AT, 3), "3 landmarks at byte 24, expected 0 or 36 to 64");
    assert_eq!(sentence(LANDMARK_COUNT_AT, 36), "segment: 0 at byte 320, expected 4096 to 140737488355328");
}

/// A segment of a process that has a heap: every landmark at its least, and classes of 16, 32, ... bytes.
fn with_landmarks() -> [u8; SEGMENT_BYTES] {
    let mut bytes = segment::blank();
    segment::put(&mut bytes, LANDMARK_COUNT_AT, Landmark::COUNT as u64);
    for landmark in Landmark::ALL {
        segment::put(&mut bytes, landmark.word(), landmark.range().0);
    }
    segment::put(&mut bytes, Landmark::Classes.word(), 6);
    segment::put(&mut bytes, CLASSES_AT, 0x0040_0030_0020_0010);
    segment::put(&mut bytes, CLASSES_AT + 1, 0x0060_0050);
    bytes
}

#[test]
fn landmarks_classes_and_kept_blocks_are_read() {
    let mut bytes = with_landmarks();
    segment::put(&mut bytes, KEPT_AT + 2, 0x7000_0000);
    segment::put(&mut bytes, KEPT_AT + 3, 4096);
    segment::put(&mut bytes, KEPT_AT + 4, u64::MAX);
    segment::put(&mut bytes, KEPT_AT + 5, 4096);
    let snapshot = Snapshot::decode(&bytes).unwrap();
    assert_eq!(snapshot.landmarks().unwrap()[Landmark::Classes as usize], 6);
    assert_eq!(snapshot.class_bytes(), [16, 32, 48, 64, 80, 96]);
    let kept: Vec<_> = snapshot.kept_blocks().collect();
    assert_eq!(kept, [(0x7000_0000, 4096)], "what has no end is left out");
}

#[test]
fn classes_that_do_not_grow_are_refused_with_their_place() {
    let mut bytes = with_landmarks();
    segment::put(&mut bytes, CLASSES_AT + 1, 0x0050_0050);
    let error = Snapshot::decode(&bytes).unwrap_err();
    assert_eq!(error, SegmentError::Class { class: 5, found: 80 });
    assert_eq!(error.offset(), 842);
}

/// A file in which so many size classes are counted: each word behind the segment is its own number.
fn file(classes: u64) -> [u8; FILE_BYTES] {
    let mut segment = with_landmarks();
    segment::put(&mut segment, CLASS_COUNT_AT, classes);
    let mut file = [0; FILE_BYTES];
    file[..SEGMENT_BYTES].copy_from_slice(&segment);
    for (word, place) in (0_u64..).zip(file[SEGMENT_BYTES..].as_chunks_mut().0) {
        *place = word.to_le_bytes();
    }
    file
}

#[test]
fn counters_of_size_classes_are_read_from_a_file() {
    let read = |classes| -> Option<Vec<(u16, ClassCounters)>> {
        Some(Snapshot::decode(&file(classes)).unwrap().class_counters()?.collect())
    };
    let class = |bytes, allocations, frees| (bytes, ClassCounters { allocations, frees });
    let expected = [
        class(16, 0, 1),
        class(32, 2, 3),
        class(48, 4, 5),
        class(64, 6, 7),
        class(80, 8, 9),
        class(96, 10, 11),
    ];
    assert_eq!(read(6).unwrap(), expected);
    assert_eq!(read(64).unwrap(), expected, "as many as there are");
    assert_eq!(read(2).unwrap()[2], class(48, 0, 0), "of a library that counted fewer");
    assert_eq!(read(0), None, "of a library that counted none");
    let own = Snapshot::decode(&file(6)[..SEGMENT_BYTES]).unwrap();
    assert!(own.class_counters().is_none(), "a process's own segment has none");
    assert_eq!(ClassCounters { allocations: 5, frees: 7 }.live(), 0);
    let error = Snapshot::decode(&file(65)).unwrap_err();
    assert_eq!(error.to_string(), "counters of 65 size classes at byte 3008, at most 64 fit");
    assert_eq!(error.offset(), 3008);
}

#[test]
fn the_trims_that_were_asked_for_can_be_followed() {
    let mut bytes = segment::blank();
    for (word, value) in [(TRIM_ASKED_AT, 4), (TRIM_TAKEN_AT, 3), (TRIM_DONE_AT, 2), (TRIM_BYTES_AT, 1)] {
        segment::put(&mut bytes, word, value);
    }
    let expected = Trims { asked: 4, taken: 3, done: 2, bytes: 1 };
    assert_eq!(Snapshot::decode(&bytes).unwrap().trims(), expected);
}

proptest! {
    #[test]
    fn reads_back_what_was_written(pid: u32, values in uniform12(any::<u64>())) {
        let mut bytes = segment::blank();
        segment::put(&mut bytes, PID_WORD, u64::from(pid));
        for (counter, value) in Counter::ALL.into_iter().zip(values) {
            segment::put(&mut bytes, counter.word(), value);
        }
        let snapshot = Snapshot::decode(&bytes)?;
        prop_assert_eq!(snapshot.claimed_by(), (pid != 0).then_some(pid));
        for (counter, value) in Counter::ALL.into_iter().zip(values) {
            prop_assert_eq!(snapshot.get(counter), Some(value));
        }
    }

    #[test]
    fn refuses_every_other_length(bytes in vec(any::<u8>(), 0..2 * SEGMENT_BYTES)) {
        prop_assume!(![SEGMENT_BYTES, FILE_BYTES].contains(&bytes.len()));
        let expected = SegmentError::Length { bytes: bytes.len() };
        prop_assert_eq!(Snapshot::decode(&bytes), Err(expected));
    }

    /// Random bytes almost never carry the magic, so the header is made plausible half of the time.
    #[test]
    fn survives_garbage(
        bytes in vec(any::<u8>(), SEGMENT_BYTES),
        keep_magic: bool,
        keep_version: bool,
        pid in prop_oneof![any::<u64>(), 0..10_u64],
    ) {
        let mut bytes: [u8; SEGMENT_BYTES] = bytes.try_into().expect("the length asked for");
        if keep_magic {
            segment::put(&mut bytes, MAGIC_AT, segment::MAGIC);
        }
        if keep_version {
            segment::put(&mut bytes, VERSION_AT, segment::VERSION_WORD);
        }
        segment::put(&mut bytes, PID_WORD, pid);
        match Snapshot::decode(&bytes) {
            Ok(snapshot) => {
                prop_assert!(keep_magic);
                prop_assert!(snapshot.kept_blocks().count() <= segment::KEPT_PLACES);
                prop_assert_eq!(snapshot.claimed_by().map_or(0, u64::from), pid);
            }
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                prop_assert!(error.offset() < SEGMENT_BYTES);
            }
        }
    }

    /// One wrong word in an otherwise good segment: read, or refused with the place of that word or of one that leans on it.
    #[test]
    fn survives_one_damaged_word(at in 0..WORDS, value in prop_oneof![any::<u64>(), 0..100_u64]) {
        let mut bytes = with_landmarks();
        segment::put(&mut bytes, at, value);
        match Snapshot::decode(&bytes) {
            Ok(snapshot) => prop_assert!(snapshot.class_bytes().is_sorted()),
            Err(error) => prop_assert!(error.offset() < SEGMENT_BYTES, "{error}"),
        }
    }

    /// The same in a file, where a word more counts.
    #[test]
    fn survives_one_damaged_word_of_a_file(at in 0..FILE_BYTES / 8, value in prop_oneof![any::<u64>(), 0..100_u64]) {
        let mut file = file(6);
        file[segment::offset(at)..segment::offset(at + 1)].copy_from_slice(&value.to_le_bytes());
        match Snapshot::decode(&file) {
            Ok(snapshot) => {
                let counted = snapshot.class_counters().map_or(0, Iterator::count);
                prop_assert!(counted <= MAX_CLASSES && counted <= snapshot.class_bytes().len());
            }
            Err(error) => prop_assert!(error.offset() < SEGMENT_BYTES, "{error}"),
        }
    }

    #[test]
    fn every_landmark_outside_its_range_is_refused(which in 0..Landmark::COUNT, beyond: u64) {
        let landmark = Landmark::ALL[which];
        let (_, most) = landmark.range();
        let mut bytes = with_landmarks();
        let found = most.saturating_add(beyond).max(most + 1);
        segment::put(&mut bytes, landmark.word(), found);
        prop_assert_eq!(Snapshot::decode(&bytes), Err(SegmentError::Landmark { landmark, found }));
    }

    #[test]
    fn accepts_as_many_counters_as_fit(n in 0..2 * MAX_COUNTERS as u64) {
        let mut bytes = segment::blank();
        segment::put(&mut bytes, VERSION_AT, n << 32 | 2);
        prop_assert_eq!(Snapshot::decode(&bytes).is_ok(), n <= MAX_COUNTERS as u64);
    }
}
