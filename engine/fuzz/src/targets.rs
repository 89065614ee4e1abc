//! What must hold for any bytes: the bodies of the fuzz targets, run by `cargo test` on
//! what it makes from a seed, and by libFuzzer on what it finds. Each reports whether the
//! bytes were taken for something.

use super::dice::Dice;
use super::samples::{HASHER, NOW_MS, busy_sale, digested, loaded, saved};
use super::samples_line::waiting_sale;
use crate::requests::{Names, go, request};
use flashsale_engine::sale::*;

/// Snapshots are cut into pieces of this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// An event in any bytes is an error, or is written as it was read, and either does not
/// fit a sale or leaves it and its twin consistent and equal.
pub fn event(bytes: &[u8]) -> bool {
    let Ok(event) = decode_event(bytes, HASHER) else {
        return false;
    };
    let mut again = Vec::new();
    encode_event(&event, &mut again);
    if bytes[0] == again[0] {
        assert!(again == bytes, "two spellings of {event:?}");
    } else {
        // Of an older version; what it says is said today, too, which says more of a refund.
        let mut today = decode_event(&again, HASHER).expect("an event of today");
        if let Change::Refunded(refund) = &mut today.change {
            refund.no_restock = None;
        }
        assert_eq!(today, event);
    }
    if let Some(sale) = Sale::create(&event, HASHER) {
        live_on(sale, &mut Dice::from_bytes(bytes));
        return true;
    }
    follow_all(bytes, |pair| usize::from(pair.follow(bytes)))
}

/// A batch in any bytes ends in an error, or is written as it was read; each of its events
/// fits or not, and the sale stays consistent and equal to its twin.
pub fn batch(bytes: &[u8]) -> bool {
    let Ok(Some(container)) = Container::open(bytes, HASHER) else {
        return false;
    };
    let mut again = ContainerWriter::new(Vec::new(), container.at_ms());
    let mut is_whole = true;
    for event in container.clone() {
        match event {
            Ok(event) => again.push(&event),
            Err(_) => is_whole = false,
        }
    }
    assert!(!is_whole || again.finish() == bytes, "two spellings");
    follow_all(bytes, |pair| {
        let events = container.clone().flatten();
        events.filter(|event| pair.follow_event(event)).count()
    })
}

/// Carries out in each of the bases what fits, and lives on; did anything fit?
fn follow_all(bytes: &[u8], follow: impl Fn(&mut Pair) -> usize) -> bool {
    let mut fits_any = false;
    for base in bases() {
        let mut pair = Pair::new(base);
        if follow(&mut pair) > 0 {
            live_on(pair.sale, &mut Dice::from_bytes(bytes));
            fits_any = true;
        }
    }
    fits_any
}

/// A snapshot in any bytes is an error, or a consistent sale that is saved as it was
/// loaded, and lives on.
pub fn snapshot(bytes: &[u8]) -> bool {
    let Ok(sale) = load(bytes) else { return false };
    live_on(sale, &mut Dice::from_bytes(bytes));
    true
}

/// Events one after the other, each with its length in two bytes: each fits or not, and
/// the sale stays consistent and equal to its twin.
pub fn apply_sequence(bytes: &[u8]) -> bool {
    follow_all(bytes, |pair| {
        let (mut rest, mut applied) = (bytes, 0);
        while let Some((&[low, high], tail)) = rest.split_first_chunk() {
            let len = usize::from(u16::from_le_bytes([low, high])).min(tail.len());
            applied += usize::from(pair.follow(&tail[..len]));
            rest = &tail[len..];
        }
        applied
    })
}

/// Only what decodes an event, for measuring.
pub fn decode_alone(bytes: &[u8]) {
    drop(decode_event(bytes, HASHER));
}

/// Only what decodes a batch, for measuring.
pub fn decode_batch_alone(bytes: &[u8]) {
    if let Ok(Some(container)) = Container::open(bytes, HASHER) {
        container.for_each(drop);
    }
}

/// Only what loads a snapshot, for measuring.
pub fn load_alone(bytes: &[u8]) {
    drop(load(bytes));
}

/// The sale of a snapshot that is cut into chunks as it is saved.
fn load(bytes: &[u8]) -> Result<Sale, CodecError> {
    let mut loader = Loader::new(HASHER);
    let mut chunks = bytes.chunks_exact(CHUNK_BYTES);
    for chunk in &mut chunks {
        loader.push(chunk)?;
    }
    loader.push(chunks.remainder())?;
    loader.finish()
}

thread_local! {
    static BASES: [Vec<Vec<u8>>; 2] = [busy_sale(), waiting_sale()].map(|sale| saved(&sale));
}

/// Fresh copies of the sales that events are tried on: one without people who wait, and one
/// with them.
pub fn bases() -> [Sale; 2] {
    BASES.with(|[one, other]| [one, other].map(|chunks| loaded(chunks).expect("a valid snapshot")))
}

/// A sale, and the copy of it that a replica would have.
struct Pair {
    sale: Sale,
    twin: Sale,
}

impl Pair {
    fn new(sale: Sale) -> Pair {
        let twin = loaded(&saved(&sale)).expect("what was saved is loaded");
        assert_eq!(
            digested(&sale),
            digested(&twin),
            "saved, loaded and different"
        );
        Pair { sale, twin }
    }

    /// Carries an event out in both, if it fits.
    fn follow(&mut self, bytes: &[u8]) -> bool {
        decode_event(bytes, HASHER).is_ok_and(|event| self.follow_event(&event))
    }

    fn follow_event(&mut self, event: &Event<'_>) -> bool {
        let fits = self.sale.check(event);
        assert_eq!(fits, self.twin.check(event), "{event:?}");
        if fits.is_err() {
            return false;
        }
        let before = totals(&self.sale);
        let seen = self.sale.apply(event).stock;
        assert_eq!(seen, self.twin.apply(event).stock, "{event:?}");
        assert_conserved(&before, &self.sale, event);
        assert_eq!(
            self.sale.lines_due_ms(),
            self.twin.lines_due_ms(),
            "{event:?}"
        );
        assert_eq!(self.sale.audit(), Vec::<String>::new(), "{event:?}");
        true
    }
}

/// What each item has in all, and what it owes.
fn totals(sale: &Sale) -> Vec<(i64, u64)> {
    sale.items().map(|item| (item.total, item.owed)).collect()
}

/// Only a restock, a refund without restock, and what moves between sales changes how many
/// units there are.
fn assert_conserved(before: &[(i64, u64)], sale: &Sale, event: &Event<'_>) {
    let mut expected: Vec<i128> = before.iter().map(|&(total, _)| i128::from(total)).collect();
    expected.resize(sale.items_len(), 0);
    match &event.change {
        Change::Restocked { deltas, .. } => {
            for StockDelta { sku, delta } in deltas {
                let item = sale.find_item(sku).expect("an item");
                expected[item as usize] += i128::from(*delta);
            }
        }
        Change::Refunded(refund) if !refund.restocks => {
            for line in &refund.lines {
                let (_, owed) = before[line.item as usize];
                // Unless nobody may have the units again, they pay first.
                let pays = if refund.no_restock == Some(false) {
                    owed
                } else {
                    0
                };
                expected[line.item as usize] -= i128::from(line.qty.saturating_sub(pays));
            }
        }
        Change::Given(given) => expected[given.item as usize] -= i128::from(given.units),
        Change::Taken(taken) => {
            let item = sale.find_item(&taken.sku).expect("an item");
            expected[item as usize] += i128::from(taken.units);
        }
        _ => {}
    }
    let after = totals(sale).into_iter().map(|(total, _)| i128::from(total));
    let after: Vec<i128> = after.collect();
    assert_eq!(after, expected, "conservation: {event:?}");
}

/// Puts a sale through the rest of its life, beside a copy that follows its events:
/// requests, sweeps, and in the end everything falls due.
fn live_on(sale: Sale, dice: &mut Dice) {
    assert_eq!(sale.audit(), Vec::<String>::new());
    let names = Names::of(&sale);
    let mut pair = Pair::new(sale);
    let mut clock_ms = NOW_MS;
    for _ in 0..12 {
        clock_ms += dice.below(30_000);
        let at_ms = pair.sale.time(clock_ms).now_ms;
        if let Some(bytes) = request(&pair.sale, &names, at_ms, dice) {
            assert!(pair.follow(&bytes), "what was planned does not fit");
        }
        pair.sale.info(clock_ms);
    }
    for now_ms in [clock_ms + 60_001, MOMENT_MS_MAX] {
        for _ in 0..40 {
            let Some(event) = pair.sale.plan_sweep(now_ms, 50) else {
                break;
            };
            let mut bytes = Vec::new();
            encode_event(&event, &mut bytes);
            assert!(pair.follow(&bytes), "a sweep that was planned does not fit");
        }
        for _ in 0..20 {
            let Some(event) = go(&pair.sale, now_ms, dice) else {
                break;
            };
            assert!(
                pair.follow_event(&event),
                "what lines have to do does not fit"
            );
        }
    }
    let Pair { sale, twin } = pair;
    assert_eq!(digested(&sale), digested(&twin), "a copy went another way");
    let saved_again = saved(&loaded(&saved(&sale)).expect("what was saved is loaded"));
    assert!(saved(&sale) == saved_again, "loaded and saved, other bytes");
}
