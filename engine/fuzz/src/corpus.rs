//! Valid inputs of each target, in pieces: what is damaged, spliced and doubled.

use super::dice::Dice;
use super::mutate::{self, Pieces};
use super::samples::{HASHER, NOW_MS, batch, encoded, events, is_of_batch};
use super::samples_units::sale_with_codes_since;
use super::targets::bases;
use crate::requests::{Names, request};
use flashsale_engine::sale::*;

/// Every kind of event, and events that fit the sale they are tried on.
pub fn of_events() -> Vec<Pieces> {
    let kinds = events();
    let mut corpus: Vec<Pieces> = kinds
        .iter()
        .map(|(_, change)| vec![encoded(change)])
        .collect();
    for sale in bases() {
        let (names, mut dice) = (Names::of(&sale), Dice(1));
        for round in 0..600 {
            let at_ms = sale.time(NOW_MS + 300 * round).now_ms;
            corpus.extend(request(&sale, &names, at_ms, &mut dice).map(|event| vec![event]));
        }
    }
    corpus
}

/// Honest lives of the sales that sequences start from, each of a sale and of what became
/// of it.
fn lives() -> Vec<(Sale, Pieces)> {
    let life = |seed| {
        let (mut sale, mut dice) = (base(seed), Dice(seed));
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
        (sale, pieces)
    };
    let lives = (0..80).map(life);
    lives.filter(|(_, events)| !events.is_empty()).collect()
}

/// One or the other of the sales that events are tried on.
fn base(seed: u64) -> Sale {
    let [busy, waiting, seated] = bases();
    match seed % 3 {
        0 => busy,
        1 => waiting,
        _ => seated,
    }
}

/// Honest lives, as events.
pub fn of_sequences() -> Vec<Pieces> {
    lives().into_iter().map(|(_, events)| events).collect()
}

/// Batches of every kind of event that can stand in one, and of events that fit the sale they
/// are tried on. The head is the first piece.
pub fn of_batches() -> Vec<Pieces> {
    let kinds = events().into_iter().map(|(_, change)| change);
    let kinds: Vec<_> = kinds.filter(is_of_batch).collect();
    let honest = |seed| {
        let (mut sale, mut dice) = (base(seed), Dice(seed));
        let names = Names::of(&sale);
        let at_ms = sale.time(NOW_MS + 3_000 * seed).now_ms;
        let mut pieces = vec![head_of_batch(at_ms)];
        for _ in 0..30 {
            let Some(bytes) = request(&sale, &names, at_ms, &mut dice) else {
                continue;
            };
            let event = decode_event(&bytes, HASHER).expect("an event");
            if is_of_batch(&event.change) {
                sale.apply(&event);
                // Version and moment are the batch's; the kind is between them.
                let moment = mutate::spelled(at_ms).len();
                pieces.push([&bytes[1..2], &bytes[2 + moment..]].concat());
            }
        }
        count_events(&mut pieces);
        pieces
    };
    let mut corpus: Vec<Pieces> = (0..120).map(honest).collect();
    corpus.retain(|pieces| pieces.len() > 1);
    corpus.push(vec![batch(kinds)]);
    corpus
}

/// The head of a batch of one event.
fn head_of_batch(at_ms: u64) -> Vec<u8> {
    [&[2, 19][..], &mutate::spelled(at_ms), &[1]].concat()
}

/// Makes the number of events in the head of a batch right again: it is below 251.
pub fn count_events(pieces: &mut Pieces) {
    let count = pieces.len().saturating_sub(1) as u8;
    if let Some(last) = pieces.first_mut().and_then(|head| head.last_mut()) {
        *last = count;
    }
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
    let lives = lives().into_iter().map(|(sale, _)| sale);
    bases()
        .into_iter()
        .chain(lives)
        .chain([sale_with_codes_since()])
        .map(|sale| elements(&sale))
        .collect()
}
