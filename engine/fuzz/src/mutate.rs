//! Damage: to bytes, and to the pieces they are made of.

use super::dice::Dice;

/// An input as the parts it is made of: events, elements of a snapshot, words.
pub type Pieces = Vec<Vec<u8>>;

/// Numbers at the edges of something.
const EDGES: [u64; 16] = [
    0,
    1,
    127,
    128,
    129,
    250,
    251,
    255,
    65_535,
    65_536,
    u32::MAX as u64,
    1 << 32,
    (1 << 53) - 1,
    1 << 53,
    u64::MAX - 1,
    u64::MAX,
];

/// Changes some pieces of an input, or takes some from another.
pub fn mutate(pieces: &mut Pieces, corpus: &[Pieces], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        if pieces.is_empty() {
            return;
        }
        let at = dice.index(pieces.len());
        match dice.below(12) {
            0 => drop(pieces.remove(at)),
            1 => pieces.insert(at, pieces[at].clone()),
            2 => {
                let other = dice.index(pieces.len());
                pieces.swap(at, other);
            }
            3 => {
                let other = dice.pick(corpus);
                pieces[at] = dice.pick(other).clone();
            }
            4 => {
                let other = dice.pick(corpus);
                pieces.insert(at, dice.pick(other).clone());
            }
            5 => {
                let other = dice.pick(corpus);
                let piece = dice.pick(other);
                splice(&mut pieces[at], piece, dice);
            }
            _ => damage(&mut pieces[at], dice),
        }
    }
}

/// The beginning of one, the end of the other.
fn splice(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    bytes.truncate(dice.index(bytes.len() + 1));
    bytes.extend_from_slice(&other[dice.index(other.len() + 1)..]);
}

/// Changes a few bytes.
pub fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        bytes.push(dice.below(256) as u8);
    }
    let at = dice.index(bytes.len());
    match dice.below(11) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes[at] = dice.below(256) as u8,
        3 => bytes[at] = bytes[at].wrapping_add(1),
        4 => bytes[at] = bytes[at].wrapping_sub(1),
        5 => bytes.truncate(at),
        6 => bytes.insert(at, dice.below(256) as u8),
        7 => {
            let end = (at + 1 + dice.index(9)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
        8 => {
            let end = (at + 1 + dice.index(20)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            // A number of the format, in the place of one byte or of nine.
            let number = spelled(dice.of(&EDGES));
            let width = if dice.one_in(2) { 1 } else { number.len() };
            let end = (at + width).min(bytes.len());
            drop(bytes.splice(at..end, number));
        }
    }
}

/// A number as the codec writes it.
pub fn spelled(number: u64) -> Vec<u8> {
    let bytes = number.to_le_bytes();
    match number {
        0..=250 => vec![bytes[0]],
        251..=0xffff => [&[251], &bytes[..2]].concat(),
        0x1_0000..=0xffff_ffff => [&[252], &bytes[..4]].concat(),
        _ => [&[253], &bytes[..]].concat(),
    }
}

/// Makes the end of a snapshot agree with its elements again, so that what is damaged is
/// not found out by the counts alone.
pub fn recount(pieces: &mut Pieces) {
    let count = |tags: &[u8]| {
        let of_kind = |piece: &&Vec<u8>| piece.first().is_some_and(|tag| tags.contains(tag));
        pieces.iter().filter(of_kind).count() as u64
    };
    let (items, records) = (count(&[2]), count(&[3, 4, 5, 6, 10]));
    pieces.retain(|piece| piece.first() != Some(&9));
    pieces.push([vec![9], spelled(items), spelled(records)].concat());
}
