//! Units as differences: how many are added to a count, or taken away.
//!
//! Edge: numbers alone. What is moved, and why, is `apply.rs`.

use crate::sale::book::items::Move;
use crate::sale::units::{ItemIndex, Line};

/// A quantity as a difference. Quantities are at most 2^53 - 1.
pub(crate) fn signed(qty: u64) -> i64 {
    i64::try_from(qty).unwrap_or(i64::MAX)
}

/// A move of `qty` units, with the signs of what it adds to.
pub(super) fn shifted(available: i64, reserved: i64, sold: i64, qty: u64) -> Move {
    let qty = signed(qty);
    Move {
        available: available * qty,
        reserved: reserved * qty,
        sold: sold * qty,
    }
}

/// By how many units each item has more in `new` than in `old`, where it does not have as
/// many. Each item comes once in both. O(lines log lines).
pub(super) fn differences(old: &[Line], new: &[Line]) -> impl Iterator<Item = (ItemIndex, i64)> {
    let signed_lines = |lines: &[Line], sign: i64| {
        let pairs = lines
            .iter()
            .map(|line| (line.item, sign * signed(line.qty)));
        pairs.collect::<Vec<_>>()
    };
    let mut pairs = signed_lines(old, -1);
    pairs.extend(signed_lines(new, 1));
    pairs.sort_unstable_by_key(|&(item, _)| item);
    pairs.dedup_by(|next, first| {
        let same = next.0 == first.0;
        if same {
            first.1 += next.1;
        }
        same
    });
    pairs.into_iter().filter(|&(_, more)| more != 0)
}
