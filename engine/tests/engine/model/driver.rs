//! The engine under the model's commands: a primary, and a second sale that is told.
//!
//! Edge: decides nothing. What it commits goes to the primary as it was planned, and
//! to the second sale as the bytes say, which is all a replica ever sees.

use super::outbox::Untold;
use super::reference::words;
use super::translate::entry_word;
use crate::commands::lines::{id_of, replaced_of};
pub use crate::commands::play::Fault;
use crate::commands::play::{self, Did, Done, Host, Played};
use crate::commands::requests::{Op, Setup, bytes};
use flashsale_engine::sale;
use flashsale_engine::sale::{
    Answer, Bounds, Change, EntryId, Event, Hasher, Sale, StockChange, ToldWriter,
};
use flashsale_fuzz::samples::{set_entry, set_told};

/// What the two sales hash names with, which is nothing either may learn from.
const PRIMARY: Hasher = Hasher::new([1, 2]);
const SECOND: Hasher = Hasher::new([3, 5]);

/// A primary and its replica.
pub struct Engine {
    pub primary: Sale,
    pub second: Sale,
    pub bounds: Bounds,
    pub sweep_max: u32,
    /// What sweeps have left of it, while commands share it.
    pub sweep_left: Option<u32>,
    /// The last command swept nothing on the way, because so many entries waited.
    pub met_backlog: bool,
    pub(super) entries: u64,
    entries_told: u64,
    /// Orders and refunds write what waits before their own entry.
    pub tells_on_the_way: bool,
    /// Bytes of all events so far, for the curious.
    pub event_bytes: usize,
}

impl Host for Engine {
    fn sale(&self) -> &Sale {
        &self.primary
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn sweep_max(&self) -> u32 {
        self.sweep_left.unwrap_or(self.sweep_max)
    }

    fn backlog_max(&self) -> u32 {
        self.sweep_max
    }

    fn met_backlog(&mut self) {
        self.met_backlog = true;
    }

    fn has_swept(&mut self, left: u32) {
        if let Some(shared) = &mut self.sweep_left {
            *shared = left;
        }
    }

    /// Carries an event out on both sales, as `change::commit` and its replay do.
    fn commit(&mut self, event: Event<'_>) -> Result<Done, Fault> {
        let mut told = ToldWriter::default();
        let mut event = event;
        if event.entry().is_some() {
            if self.tells_on_the_way {
                self.write(5, &mut told);
                set_told(&mut event, told.finish());
            }
            self.entries += 1;
            let entry = EntryId {
                ms: self.entries,
                seq: self.entries * 7,
            };
            set_entry(&mut event, entry);
        }
        let encoded = encode(&event);
        self.event_bytes += encoded.len();
        let decoded = sale::decode_event(&encoded, self.second.hasher())
            .map_err(|error| format!("{error}"))?;
        if decoded != event {
            return Err(format!("encoded {event:?}, decoded {decoded:?}"));
        }
        if let Err(divergence) = self.second.check(&decoded) {
            return Err(format!(
                "does not fit the second sale: {divergence}: {event:?}"
            ));
        }
        let before = stocks(&self.primary);
        let untold = Untold::of(&self.primary);
        let applied = self.primary.apply(&event);
        let again = self.second.apply(&decoded);
        if let Some(fault) = self.primary.fault() {
            return Err(format!("{fault}: {event:?}"));
        }
        if applied.stock != again.stock {
            return Err(format!(
                "{:?} here, {:?} there: {event:?}",
                applied.stock, again.stock
            ));
        }
        let mut told = applied.stock.to_vec();
        let seen = changes_of_stock(&before, &stocks(&self.primary));
        told.sort_by_key(|(item, _)| *item);
        if told != seen {
            return Err(format!(
                "stock changed {seen:?}, announced {told:?}: {event:?}"
            ));
        }
        untold.compare(&event, &seen, &self.primary)?;
        Ok(Done {
            slot: applied.slot,
            entry: event.entry(),
        })
    }
}

impl Engine {
    /// CREATE; `Ok(None)` when the engine refuses it.
    pub fn create(setup: &Setup, sale_id: u128) -> Result<Option<Engine>, Fault> {
        play::create(setup, sale_id, |event| {
            let encoded = encode(event);
            let decoded =
                sale::decode_event(&encoded, SECOND).map_err(|error| format!("{error:?}"))?;
            let (Some(primary), Some(second)) =
                (Sale::create(event, PRIMARY), Sale::create(&decoded, SECOND))
            else {
                return Err("a Created event creates no sale".into());
            };
            Ok(Engine {
                primary,
                second,
                bounds: setup.bounds(),
                sweep_max: setup.sweep_max,
                sweep_left: None,
                met_backlog: false,
                entries: 0,
                entries_told: 0,
                tells_on_the_way: false,
                event_bytes: encoded.len(),
            })
        })
    }

    /// One command or one sweep, answered in the model's words.
    pub fn answer(&mut self, clock_ms: u64, op: &Op) -> Result<String, Fault> {
        let id = id_of(op).unwrap_or("");
        Ok(match play::play(self, clock_ms, op)? {
            Played::Said(answer) => self.words_of(op, self.about(op, &answer), answer),
            Played::Did(Did::Reserved(slot)) => self.reserved(id, slot),
            Played::Did(Did::Sold(entry)) => words!["SOLD", id, entry_word(Some(entry))],
            Played::Did(Did::Released) => words!["RELEASED", id],
            Played::Did(Did::Refunded(entry)) => words!["REFUNDED", id, entry_word(Some(entry))],
            Played::Did(Did::Restocked) => self.restocked(op),
            Played::Did(Did::Changed) => words!["OK"],
            Played::Did(Did::Swept {
                expired,
                lapsed,
                forgotten,
            }) => words!["SWEPT", expired, lapsed, forgotten],
        })
    }

    /// Writes `most` of the entries that wait, as the timer does.
    pub fn tell(&mut self, most: u64) -> Result<(), Fault> {
        let mut writer = ToldWriter::default();
        let count = self.write(most, &mut writer);
        let at_ms = self.primary.last_change_at_ms();
        if count > 0 {
            let change = Change::Told(writer.finish());
            self.commit(Event { at_ms, change })?;
        }
        Ok(())
    }

    /// Gives `most` of the entries that wait their IDs, behind those of all orders so far;
    /// returns how many.
    fn write(&mut self, most: u64, writer: &mut ToldWriter) -> u64 {
        let outbox = self.primary.outbox();
        let count = outbox.map_or(0, |outbox| outbox.count_costing(most).0);
        for _ in 0..count {
            self.entries_told += 1;
            // Every third begins a run.
            let seq = self.entries * 7 + self.entries_told + self.entries_told / 3;
            let ms = self.entries;
            writer.push(EntryId { ms, seq });
        }
        count
    }

    /// Drops entries where more wait than may.
    pub fn drop_above(&mut self, events_max: u64) -> Result<(), Fault> {
        let at_ms = self.primary.last_change_at_ms();
        match self.primary.plan_drop(at_ms, events_max) {
            Some(event) => self.commit(event).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The id that an answer is about: the command's, or the one it was to replace.
    pub(super) fn about<'o>(&self, op: &'o Op, answer: &Answer) -> &'o str {
        let id = id_of(op).unwrap_or("");
        let bytes = bytes(id);
        match replaced_of(op) {
            Some(old) if (self.primary).is_of_replaced(answer, self.primary.key(&bytes)) => old,
            _ => id,
        }
    }
}

fn encode(event: &Event<'_>) -> Vec<u8> {
    let mut encoded = Vec::new();
    sale::encode_event(event, &mut encoded);
    encoded
}

/// Available and reserved, by item.
fn stocks(sale: &Sale) -> Vec<(u64, u64)> {
    sale.items()
        .map(|item| (item.available, item.reserved))
        .collect()
}

/// What a keyspace event has to say about each item, given what can be seen.
fn changes_of_stock(before: &[(u64, u64)], after: &[(u64, u64)]) -> Vec<(u32, StockChange)> {
    let mut changes = Vec::new();
    for (item, (available, reserved)) in (0..).zip(after) {
        let (available_before, reserved_before) =
            before.get(item as usize).copied().unwrap_or((0, 0));
        let was_sold_out = available_before == 0 && reserved_before == 0;
        match (available, reserved) {
            (0, 0) if !was_sold_out => changes.push((item, StockChange::SoldOut)),
            (0, 1..) if available_before > 0 => changes.push((item, StockChange::AllReserved)),
            (1.., _) if available_before == 0 => changes.push((item, StockChange::BackInStock)),
            _ => {}
        }
    }
    changes
}
