//! Hash slots of a cluster: which slot a key is in, and whether its sale is this server's
//! to change.
//!
//! While whole slots move, a sale is on two servers. The source goes on returning its
//! reservations and sends the target what it returned; a target that returned them too
//! would get the same returns again, which do not fit, and would lose an EXTEND that is on
//! its way. So a target leaves a slot alone until it owns it. By MIGRATE a key is whole on
//! one side only, and that side goes on.
//!
//! Edge: asks the server through `ffi`, and decides nothing else.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use crate::ffi::{self, Ctx};

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Ranges of slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges(Vec<RangeInclusive<u16>>);

impl Ranges {
    /// Reads `0-5 7-7`, as CLUSTER GETSLOTMIGRATIONS writes it. What is no range is left out.
    fn read(texts: &[String]) -> Ranges {
        let words = texts.iter().flat_map(|text| text.split_whitespace());
        let range = |word: &str| {
            let (first, last) = word.split_once('-')?;
            Some(first.parse().ok()?..=last.parse().ok()?)
        };
        Ranges(words.filter_map(range).collect())
    }

    fn contain(&self, slot: u16) -> bool {
        self.0.iter().any(|range| range.contains(&slot))
    }
}

/// What the server is importing; `None` when that may have changed since it was asked. The
/// lock is for the compiler: only the thread that runs commands comes here.
static IMPORTS: Mutex<Option<Ranges>> = Mutex::new(None);

/// Notes that an import may have begun or ended.
pub fn note_change() {
    *IMPORTS.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Reports whether this server is importing the slot of a key as a whole.
pub fn is_importing(ctx: Ctx<'_>, key: &[u8]) -> bool {
    if !ffi::imports_whole_slots() {
        return false;
    }
    let mut imports = IMPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let imports = imports.get_or_insert_with(|| Ranges::read(&ctx.slot_imports()));
    !imports.0.is_empty() && imports.contain(slot_of(key))
}

/// Reports whether the deadlines of a key are this server's to keep.
pub fn is_ours(ctx: Ctx<'_>, key: &[u8]) -> bool {
    !is_importing(ctx, key) && ffi::may_access_slot(slot_of(key))
}

/// The slot of a key: of what stands between the first `{` and the next `}`, if that is
/// anything, else of the whole name.
fn slot_of(key: &[u8]) -> u16 {
    let tag = || {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    };
    crc16(tag().unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM, as the cluster specification has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_that_of_the_tag() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, tag) in [
            ("{shoes}:orders", "shoes"),
            ("a{shoes}{bags}", "shoes"),
            ("a{{shoes}}", "{shoes"),
            ("{}shoes", "{}shoes"),
            ("shoes}{", "shoes}{"),
        ] {
            assert_eq!(
                slot_of(key.as_bytes()),
                crc16(tag.as_bytes()) % SLOTS,
                "{key}"
            );
        }
        // As CLUSTER KEYSLOT says.
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b""), 0);
    }

    #[test]
    fn ranges_are_read_as_the_server_writes_them() {
        let texts = [
            "0-5 7-7".to_owned(),
            "16383-16383".to_owned(),
            "x 9".to_owned(),
        ];
        let ranges = Ranges::read(&texts);
        let inside = (0..SLOTS).filter(|slot| ranges.contain(*slot));
        assert_eq!(inside.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 7, 16_383]);
    }
}
