//! The kernel's log, as `/dev/kmsg`, `dmesg`, `journalctl -k` and syslog write it.
//!
//! ```text
//!  6,1234,37095541376,-;memory: usage 32768kB                   /dev/kmsg: priority, number, microseconds since the start
//!  [37095.541376] memory: usage 32768kB                         dmesg
//!  <6>[37095.541376][ T2053] memory: usage 32768kB              the same with priority and thread
//!  [Sat Nov 21 18:34:55 2026] memory: usage 32768kB             dmesg -T
//!  Nov 21 18:34:55 host kernel: [37095.541376] memory: usage    syslog, and the journal without the brackets
//!  memory: usage 32768kB                                        without a time
//! ```
//!
//! Each line may be in another form, so that any file that was saved can be read. Called by `oom`.

use super::{decimal, lines};

/// A line of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// When it was written.
    pub time: Time,
    /// What it says.
    pub text: &'a [u8],
}

/// When something was written, as far as the line tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Time {
    /// Microseconds since the kernel started, without those in which the machine slept.
    pub since_start_us: Option<u64>,
    /// The time of day, in whichever form.
    pub of_day: Option<Vec<u8>>,
}

/// The lines of a log, whatever form they have.
pub fn entries(log: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    // What begins with a space and comes after a record of `/dev/kmsg` is about the device that it is of.
    let mut is_kmsg = false;
    lines(log).filter_map(move |(_, line)| {
        if is_kmsg && line.starts_with(b" ") {
            return None;
        }
        let record = record(line);
        is_kmsg = record.is_some();
        Some(record.unwrap_or_else(|| written(line)))
    })
}

/// A record of `/dev/kmsg`.
fn record(line: &[u8]) -> Option<Entry<'_>> {
    let (head, text) = split(line, b";")?;
    let mut fields = head.split(|byte| *byte == b',');
    let (_priority, _number) = (decimal(fields.next()?)?, decimal(fields.next()?)?);
    let since_start_us = Some(decimal(fields.next()?)?);
    fields.next()?;
    Some(Entry { time: Time { since_start_us, of_day: None }, text })
}

/// A line that some program has written.
fn written(line: &[u8]) -> Entry<'_> {
    let mut time = Time::default();
    let mut text = line;
    // The name of the machine is between the time and the name of the kernel.
    if let Some((head, rest)) = split(text, b" kernel: ").filter(|(head, _)| is_of_day(head)) {
        let host = head.iter().rposition(|byte| *byte == b' ').unwrap_or(head.len());
        time.of_day = Some(head[..host].to_vec());
        text = rest;
    }
    text = without_priority(text);
    if let Some((inside, rest)) = text.strip_prefix(b"[").and_then(|rest| split(rest, b"]")) {
        let since_start = seconds(inside.trim_ascii());
        if since_start.is_some() || is_of_day(inside) {
            time.since_start_us = since_start;
            time.of_day = time.of_day.or_else(|| since_start.is_none().then(|| inside.to_vec()));
            text = without_caller(rest);
            text = text.strip_prefix(b" ").unwrap_or(text);
        }
    }
    Entry { time, text }
}

/// `<6>`.
fn without_priority(text: &[u8]) -> &[u8] {
    let priority = text.strip_prefix(b"<").and_then(|rest| split(rest, b">"));
    priority.filter(|(inside, _)| decimal(inside).is_some()).map_or(text, |(_, rest)| rest)
}

/// `[ T2053]` or `[ C1]`, if the kernel was built to say it.
fn without_caller(text: &[u8]) -> &[u8] {
    let caller = text.strip_prefix(b"[").and_then(|rest| split(rest, b"]"));
    let is_caller = |inside: &[u8]| matches!(inside.trim_ascii(), [b'T' | b'C', digits @ ..] if decimal(digits).is_some());
    caller.filter(|(inside, _)| is_caller(inside)).map_or(text, |(_, rest)| rest)
}

/// Whether it has hours, minutes and seconds: `18:34:55`.
fn is_of_day(text: &[u8]) -> bool {
    let is_time = |eight: &[u8]| {
        eight
            .iter()
            .enumerate()
            .all(|(place, byte)| if place % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() })
    };
    text.len() <= 80 && text.windows(8).any(is_time)
}

/// Seconds with six places behind the point, in microseconds.
fn seconds(text: &[u8]) -> Option<u64> {
    let (whole, part) = split(text, b".")?;
    let part = (part.len() == 6).then(|| decimal(part))??;
    decimal(whole)?.checked_mul(1_000_000)?.checked_add(part)
}

/// What is before and behind the first `mark`.
pub(super) fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..place], &text[place + mark.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_is_read() {
        let day = |of_day: &str| Time { since_start_us: None, of_day: Some(of_day.as_bytes().to_vec()) };
        let start = |since_start_us| Time { since_start_us: Some(since_start_us), of_day: None };
        let both = Time { of_day: day("Nov 21 18:34:55").of_day, ..start(12_500_000) };
        for (line, time) in [
            ("6,1234,37095541376,-;[ 20532] x", start(37_095_541_376)),
            ("6,1234,37095541376,-,caller=T7;[ 20532] x", start(37_095_541_376)),
            ("[   12.500000] [ 20532] x", start(12_500_000)),
            ("<6>[   12.500000][ T2053] [ 20532] x", start(12_500_000)),
            ("[Sat Nov 21 18:34:55 2026] [ 20532] x", day("Sat Nov 21 18:34:55 2026")),
            ("Nov 21 18:34:55 host kernel: [   12.500000] [ 20532] x", both),
            ("Nov 21 18:34:55 a-host kernel: [ 20532] x", day("Nov 21 18:34:55")),
            ("2026-11-21T18:34:55.1+01:00 host kernel: [ 20532] x", day("2026-11-21T18:34:55.1+01:00")),
            ("[ 20532] x", Time::default()),
        ] {
            let found: Vec<_> = entries(line.as_bytes()).collect();
            assert_eq!(found, [Entry { time, text: b"[ 20532] x" }], "{line}");
        }
    }

    #[test]
    fn what_belongs_to_a_record_is_left_out() {
        let log = b"6,1,2,-;a\n SUBSYSTEM=pci\n DEVICE=+pci\n6,2,3,-; b\n";
        let found: Vec<_> = entries(log).map(|entry| entry.text).collect();
        assert_eq!(found, [&b"a"[..], b" b"]);
        let found: Vec<_> = entries(b" a\n b\n").map(|entry| entry.text).collect();
        assert_eq!(found, [&b" a"[..], b" b"], "text that somebody has saved");
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines(log: Vec<u8>) {
            prop_assert!(entries(&log).count() <= log.len());
        }

        #[test]
        fn any_text_is_a_line(text in "[<\\[0-9,;. :\\]>a-z]{0,40}") {
            prop_assert_eq!(entries(text.as_bytes()).count(), usize::from(!text.is_empty()));
        }
    }
}
