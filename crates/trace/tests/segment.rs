//! The segment from both sides: what a writer puts there is what a reader finds, and nothing a reader is
//! handed makes it panic.

#![expect(clippy::tests_outside_test_module, reason = "a file in tests/ is a test module")]

use mallow_trace::segment::{self, MAGIC_AT, MAX_COUNTERS, PID_WORD, SEGMENT_BYTES, VERSION_AT};
use mallow_trace::{Counter, SegmentError, Snapshot};
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
fn begins_with_readable_magic_and_version_one() {
    let blank = segment::blank();
    assert_eq!(&blank[..8], b"MALLOWSG");
    assert_eq!(&blank[8..16], &[1, 0, 0, 0, 12, 0, 0, 0]);
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
    segment::put(&mut bytes, VERSION_AT, 2 << 32 | 1);
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
    assert_eq!(sentence(VERSION_AT, 9), "segment version 9 at byte 8, expected 1");
    assert_eq!(sentence(VERSION_AT, 505 << 32 | 1), "505 counters at byte 12, at most 504 fit");
    assert_eq!(sentence(PID_WORD, 1 << 32), "4294967296 at byte 16 is no process id");
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
        prop_assume!(bytes.len() != SEGMENT_BYTES);
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
                prop_assert_eq!(snapshot.claimed_by().map_or(0, u64::from), pid);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn accepts_as_many_counters_as_fit(n in 0..2 * MAX_COUNTERS as u64) {
        let mut bytes = segment::blank();
        segment::put(&mut bytes, VERSION_AT, n << 32 | 1);
        prop_assert_eq!(Snapshot::decode(&bytes).is_ok(), n <= MAX_COUNTERS as u64);
    }
}
