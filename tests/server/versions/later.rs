//! What a version after today's may write, made from what today's wrote: a higher version,
//! an element, kind or option that nobody knows yet; and, beside them, damage.

use crate::support::{crc64, forge};

/// How the log tells of each.
pub const NEWER: &str = "the data is of a newer version";
pub const DAMAGED: &str = "the data is damaged";

type Change = fn(&mut Vec<u8>);

/// What is changed, how, and how the log tells of it.
type Case = (&'static str, Change, &'static str);

/// Bytes of a DUMP's value before its first string: its kind, and the module type's name
/// and encoding.
const HEAD_BYTES: usize = 10;
/// Where a DUMP has the lower byte of the type's encoding.
const ENCODING_AT: usize = 9;

/// Changes of a DUMP of a sale, its snapshot being one short string.
pub const PAYLOADS: [Case; 6] = [
    ("a later encoding", |value| value[ENCODING_AT] += 1, NEWER),
    ("a later snapshot", |value| snapshot(value)[1] += 1, NEWER),
    ("an unknown element", |value| *end(value) = 99, NEWER),
    ("an unknown option", |value| *end(value) |= 128, NEWER),
    ("no snapshot", |value| snapshot(value)[1] = 0, DAMAGED),
    (
        "a wrong count",
        |value| *snapshot(value).last_mut().expect("it") += 1,
        DAMAGED,
    ),
];

/// The bytes of the snapshot in a DUMP's value.
fn snapshot(value: &mut [u8]) -> &mut [u8] {
    // A string follows, of a length in one byte or two.
    let length_at = HEAD_BYTES + 1;
    let (begin, length) = match value[length_at] {
        first @ 0..64 => (length_at + 1, usize::from(first)),
        first => {
            let high = usize::from(first & 63) << 8;
            (length_at + 2, high | usize::from(value[length_at + 1]))
        }
    };
    &mut value[begin..begin + length]
}

/// The tag of the snapshot's last element: two counts of one byte follow.
fn end(value: &mut [u8]) -> &mut u8 {
    let snapshot = snapshot(value);
    let at = snapshot.len() - 3;
    &mut snapshot[at]
}

/// A DUMP with such a change.
pub fn payload(dump: &[u8], change: Change) -> Vec<u8> {
    forge(dump, change)
}

/// An RDB file in which the value of `dump` has such a change.
pub fn rdb(file: &[u8], dump: &[u8], change: Change) -> Vec<u8> {
    // In a file the key stands between the kind of a value and the rest.
    let value = &dump[1..dump.len() - 10];
    let at = file.windows(value.len()).position(|window| window == value);
    let at = at.expect("the value in the file");
    let mut changed = dump[..dump.len() - 10].to_vec();
    change(&mut changed);
    let mut bytes = file[..file.len() - 8].to_vec();
    bytes[at..at + value.len()].copy_from_slice(&changed[1..]);
    let checksum = crc64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Changes of an event without options.
pub const EVENTS: [Case; 5] = [
    ("a later event", |event| event[0] += 1, NEWER),
    ("an unknown kind", |event| event[1] = 120, NEWER),
    ("an unknown option", unknown_option, NEWER),
    ("no event", |event| event[0] = 0, DAMAGED),
    ("a byte too many", |event| event.push(0), DAMAGED),
];

fn unknown_option(event: &mut Vec<u8>) {
    event[1] |= 128;
    // One of them, of the tag 100, with one byte.
    event.extend([1, 100, 1, 7]);
}
