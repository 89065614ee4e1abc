//! Valid inputs of each target, in pieces: what is damaged, spliced and doubled.

use super::dice::Dice;
use super::samples::{HASHER, NOW_MS, busy_sale, encoded, events};
use super::targets::copy_of_base;
use crate::requests::{Names, request};
use flashsale_engine::sale::*;

/// An input as the parts it is made of: events, elements of a snapshot, words.
pub type Pieces = Vec<Vec<u8>>;

/// Every kind of event, and events that fit the sale they are tried on.
pub fn of_events() -> Vec<Pieces> {
    let kinds = events();
    let mut corpus: Vec<Pieces> = kinds
        .iter()
        .map(|(_, change)| vec![encoded(change)])
        .collect();
    let sale = copy_of_base();
    let (names, mut dice) = (Names::of(&sale), Dice(1));
    for round in 0..600 {
        let at_ms = sale.time(NOW_MS + 300 * round).now_ms;
        corpus.extend(request(&sale, &names, at_ms, &mut dice).map(|event| vec![event]));
    }
    corpus
}

/// Honest lives of the sale that sequences start from.
pub fn of_sequences() -> Vec<Pieces> {
    let life = |seed| {
        let (mut sale, mut dice) = (copy_of_base(), Dice(seed));
        let names = Names::of(&sale);
        let mut pieces = Pieces::new();
        for round in 0..40 {
            let at_ms = sale.time(NOW_MS + 3_000 * round).now_ms;
            let Some(bytes) = request(&sale, &names, at_ms, &mut dice) else {
                continue;
            };
            sale.apply(&decode_event(&bytes, HASHER).expect("an event"));
            pieces.push(with_length(&bytes));
        }
        pieces
    };
    (0..40).map(life).collect()
}

/// A piece behind its length in two bytes.
pub fn with_length(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_le_bytes()[..], bytes].concat()
}

/// The elements of a snapshot. What the digest adds, the order of them, comes last.
pub fn elements(sale: &Sale) -> Pieces {
    let mut pieces = Pieces::new();
    digest(sale, &mut |element| pieces.push(element.to_vec()));
    pieces.pop();
    pieces
}

/// Snapshots of sales of different age.
pub fn of_snapshots() -> Vec<Pieces> {
    let mut corpus = vec![elements(&busy_sale())];
    for life in of_sequences() {
        let mut sale = copy_of_base();
        for piece in life {
            sale.apply(&decode_event(&piece[2..], HASHER).expect("an event"));
        }
        corpus.push(elements(&sale));
    }
    corpus
}
