//! The numbers and small values every part of a sale agrees on.
//!
//! Edge: bounds live here and nowhere else; the parsers of `command/` and the
//! decoders of the codec both read them.

use smallvec::SmallVec;

/// The largest integer of the contract, 2^53 - 1: exact in every client's number type.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// The latest moment at which anything happens, in Unix milliseconds: the year 10889. A
/// clock beyond it counts as standing there. Deadlines may be later.
pub const MOMENT_MS_MAX: u64 = (1 << 48) - 1;
/// The earliest moment that START and END may be given, in Unix milliseconds: March 1973.
/// Unix seconds and times of day lie below it.
pub const WINDOW_MS_MIN: u64 = 100_000_000_000;
/// The latest moment that START and END may be given, in Unix milliseconds: November
/// 2286. Unix microseconds lie above it.
pub const WINDOW_MS_MAX: u64 = 10_000_000_000_000;
/// Longest SKU, in bytes.
pub const SKU_BYTES_MAX: usize = 128;
/// Lines of a cart that are kept for as long as its id is known. Once a larger cart can
/// no longer become an order, a digest of its lines takes their place.
pub const KEPT_LINES_MAX: usize = 8;
/// Longest name of an order stream, in bytes.
pub const ORDERS_BYTES_MAX: usize = 1 << 20;
/// Longest PAYLOAD, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Longest reason of a mark, in bytes.
pub const MARK_BYTES_MAX: usize = 200;
/// Deepest nesting of arrays and objects in PAYLOAD: parsers of consumers give up not far
/// beyond, and an order that cannot be parsed would be delivered for ever.
pub const PAYLOAD_LEVELS_MAX: usize = 128;
/// A clock that steps back by more than this is believed, in milliseconds.
pub const CLOCK_STEP_MS_MAX: u64 = 60_000;
/// How many REFs of RESTOCK a sale remembers.
pub const RESTOCK_REFS_MAX: usize = 1_000;
/// Longest name of a split sale, in bytes.
pub const GROUP_BYTES_MAX: usize = 128;
/// The SKU of a sale made with STOCK.
pub const SKU_DEFAULT: &[u8] = b"default";
/// How many open ids USER lists.
pub const USER_IDS_MAX: usize = 100;

/// The position of an item in its sale; items are never removed or reordered.
pub type ItemIndex = u32;

/// Units of one item: a line of a cart, of an order or of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub item: ItemIndex,
    /// Units, at least 1.
    pub qty: u64,
}

/// The lines of one reservation: each item once, in the order first asked for.
pub type Lines = SmallVec<[Line; 2]>;

/// One line, which is what most reservations have.
#[inline]
pub fn one_line(item: ItemIndex, qty: u64) -> Lines {
    let mut lines = Lines::new();
    lines.push(Line { item, qty });
    lines
}

/// Sums the units of `lines`, saturating.
#[inline]
pub fn units_of(lines: &[Line]) -> u64 {
    lines
        .iter()
        .fold(0, |sum, line| sum.saturating_add(line.qty))
}

/// Is any of these there twice? O(n log n).
pub fn has_twice<T: Ord>(values: impl Iterator<Item = T>) -> bool {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.windows(2).any(|pair| pair[0] == pair[1])
}

/// The ID of an entry of the order stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId {
    pub ms: u64,
    pub seq: u64,
}
