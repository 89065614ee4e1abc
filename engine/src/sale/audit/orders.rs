//! Holds a sale's orders against the entries of its order stream.
//!
//! Every order and refund the sale knows has exactly one entry, at the stream ID it knows,
//! which says the same; and no other entry bears the id of this sale. Two things the sale
//! does not keep, and so are not compared: the PAYLOAD, and of a refund its moment and
//! whether it put units back on sale.
//!
//! The stream belongs to its owner, who trims it at its old end. So an entry that is
//! older than the first one there is counted as trimmed, and is no difference; one that is
//! missing anywhere else is. What was trimmed was in the stream before: where more entries
//! are older than were ever taken out of it, it was lost and begun anew, or is another one.
//!
//! With `EVENTS all` there are other entries of the sale. Once they are written it knows only
//! how many there were since CREATE or BIND, so they are counted, and not compared.
//!
//! Edge: entries come in read, one by one in the order of the stream; mends nothing.

use std::collections::HashMap;

use crate::sale::audit::{Differences, shown};
use crate::sale::book::named::UnitNumber;
use crate::sale::book::refunds::RefundRecord;
use crate::sale::book::reservation::{OrderRecord, Reservation, Slot};
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, Line, units_of};
use crate::table::hash::Hasher;
use crate::table::name::{Name, NameBuffer, Spelling};

/// What an entry says that bears the id of this sale.
#[derive(Clone, Debug)]
pub struct OrderEntry<'e> {
    /// A `refund`, else an `order`.
    pub is_refund: bool,
    pub id: &'e [u8],
    pub user: &'e [u8],
    pub qty: u64,
    /// SKU and units of each line.
    pub items: Vec<(Vec<u8>, u64)>,
    /// Names of all units that have one.
    pub units: Vec<Vec<u8>>,
    pub at_ms: u64,
    pub reference: Option<&'e [u8]>,
}

/// Tells refunds apart: the slot of the order, and the REF.
type RefundKey<'a> = (Slot, Option<&'a [u8]>);

/// A comparison in progress.
pub struct OrderAudit<'s> {
    sale: &'s Sale,
    /// By slot: its order has been seen.
    orders: Vec<bool>,
    /// By order and REF: a refund, and where it stands in `refunds_seen`.
    refunds: HashMap<RefundKey<'s>, (&'s RefundRecord, usize), Hasher>,
    refunds_seen: Vec<bool>,
    first: Option<EntryId>,
    /// Entries in the stream, of whatever sale.
    passed: u64,
    entries: u64,
    /// Entries of this sale that are no order and no refund.
    others: u64,
    differences: Differences,
}

/// What the server knows of the stream as a whole.
#[derive(Clone, Copy, Debug)]
pub enum StreamState {
    /// There is no stream.
    Missing,
    There {
        /// How many entries it was ever given; `None` where the server does not tell.
        entries_added: Option<u64>,
    },
}

impl StreamState {
    fn entries_added(self) -> Option<u64> {
        match self {
            StreamState::Missing => None,
            StreamState::There { entries_added } => entries_added,
        }
    }
}

/// What the comparison came to.
pub struct OrderCount {
    /// Orders and refunds of this sale in the stream.
    pub entries: u64,
    /// Other entries of this sale in the stream.
    pub entries_other: u64,
    /// Entries of whatever sale that the stream was ever given; `None` where that is not
    /// known, so that a lost stream cannot be told from a trimmed one.
    pub entries_added: Option<u64>,
    /// Entries older than the first one in the stream.
    pub trimmed: u64,
    pub differences: Differences,
}

impl<'s> OrderAudit<'s> {
    /// Begins before the first entry. O(reservations).
    pub fn new(sale: &'s Sale) -> OrderAudit<'s> {
        let mut refunds = HashMap::with_hasher(sale.hasher);
        refunds.extend(
            all_refunds(sale)
                .enumerate()
                .map(|(index, (slot, refund))| (key_of(slot, refund), (refund, index))),
        );
        OrderAudit {
            sale,
            orders: vec![false; sale.reservations.slots()],
            refunds_seen: vec![false; all_refunds(sale).count()],
            refunds,
            first: None,
            passed: 0,
            entries: 0,
            others: 0,
            differences: Differences::default(),
        }
    }

    /// An entry of whatever sale is there.
    pub fn pass(&mut self, at: EntryId) {
        self.first.get_or_insert(at);
        self.passed += 1;
    }

    /// Counts an entry of this sale that is no order and no refund.
    pub fn see_other(&mut self, at: EntryId) {
        self.pass(at);
        self.others += 1;
    }

    /// An entry of this sale that cannot be read, and why.
    pub fn see_unreadable(&mut self, at: EntryId, why: &str) {
        self.pass(at);
        self.entries += 1;
        let at = spelled(at);
        self.differences
            .add(|| format!("the entry {at} is of this sale, and cannot be read: {why}"));
    }

    /// The next entry of this sale. O(1).
    pub fn see(&mut self, at: EntryId, entry: &OrderEntry<'_>) {
        self.pass(at);
        self.entries += 1;
        let what = what(entry);
        let Some(slot) = self.sale.find(self.sale.key(entry.id)) else {
            let at = spelled(at);
            self.differences
                .add(|| format!("the entry {at} is {what}, which the sale does not know"));
            return;
        };
        if entry.is_refund {
            self.see_refund(at, entry, slot);
        } else {
            self.see_order(at, entry, slot);
        }
    }

    fn see_order(&mut self, at: EntryId, entry: &OrderEntry<'_>, slot: Slot) {
        let Some(record) = self.sale.record(slot) else {
            return;
        };
        let Some(order) = record.order() else {
            let (at, what, state) = (spelled(at), what(entry), record.state().word());
            self.differences
                .add(|| format!("the entry {at} is {what}, which is {state} in the sale"));
            return;
        };
        if !self.is_at(at, order.entry, entry) {
            return;
        }
        if let Some(is_seen) = self.orders.get_mut(slot as usize) {
            *is_seen = true;
        }
        self.compare(at, entry, record, &record.lines());
        let refunded = order
            .refunds()
            .flat_map(|refund| refund.units.iter().copied());
        let units = self
            .sale
            .units_of(slot)
            .into_iter()
            .chain(refunded)
            .collect();
        self.compare_units(at, entry, units);
        self.compare_number(at, entry, "at_ms", entry.at_ms, order.sold_at_ms);
        let reference = order.reference.as_ref().map(Name::bytes);
        if entry.reference != reference {
            self.differ(at, entry, "ref", &text(entry.reference), &text(reference));
        }
    }

    fn see_refund(&mut self, at: EntryId, entry: &OrderEntry<'_>, slot: Slot) {
        let Some(record) = self.sale.record(slot) else {
            return;
        };
        // Names of the stream live shorter than those of the sale.
        let refunds: &HashMap<RefundKey<'_>, _, _> = &self.refunds;
        let Some(&(refund, index)) = refunds.get(&(slot, entry.reference)) else {
            let (at, what) = (spelled(at), what(entry));
            self.differences
                .add(|| format!("the entry {at} is {what}, which the sale does not know"));
            return;
        };
        if !self.is_at(at, refund.entry, entry) {
            return;
        }
        if let Some(is_seen) = self.refunds_seen.get_mut(index) {
            *is_seen = true;
        }
        self.compare(at, entry, record, &refund.cart.lines());
        self.compare_units(at, entry, refund.units.to_vec());
    }

    /// Does the entry stand where the sale knows it?
    fn is_at(&mut self, at: EntryId, known: EntryId, entry: &OrderEntry<'_>) -> bool {
        if at != known {
            let (at, known, what) = (spelled(at), spelled(known), what(entry));
            self.differences
                .add(|| format!("the entry {at} is {what}, whose entry is {known}"));
        }
        at == known
    }

    /// What an order and a refund have in common.
    fn compare(
        &mut self,
        at: EntryId,
        entry: &OrderEntry<'_>,
        record: Reservation<'_>,
        lines: &[Line],
    ) {
        let sale = self.sale;
        let mut buffer = NameBuffer::default();
        let user = sale.users.name(record.user());
        let user = user.map(|user| user.bytes(&mut buffer));
        if user != Some(entry.user) {
            self.differ(at, entry, "user", &text(Some(entry.user)), &text(user));
        }
        self.compare_number(at, entry, "qty", entry.qty, units_of(lines));
        let items = lines
            .iter()
            .map(|line| (sale.items.sku(line.item), line.qty));
        let told = entry.items.iter().map(|(sku, qty)| (&**sku, *qty));
        if !items.clone().eq(told.clone()) {
            self.differ(at, entry, "items", &units(told), &units(items));
        }
    }

    /// Holds the names of an entry against the units of its order or refund. No name is in the
    /// words: it may be a code.
    fn compare_units(&mut self, at: EntryId, entry: &OrderEntry<'_>, mut kept: Vec<UnitNumber>) {
        let named = self.sale.named.as_ref();
        let find = |name: &Vec<u8>| named.and_then(|named| named.find_bytes(name));
        let mut told: Vec<Option<UnitNumber>> = entry.units.iter().map(find).collect();
        told.sort_unstable();
        kept.sort_unstable();
        if !told.iter().copied().eq(kept.iter().copied().map(Some)) {
            let (at, what) = (spelled(at), what(entry));
            self.differences.add(|| {
                format!(
                    "units of the entry {at}, {what}, are others in the stream than in the sale"
                )
            });
        }
    }

    fn compare_number(
        &mut self,
        at: EntryId,
        entry: &OrderEntry<'_>,
        field: &str,
        told: u64,
        kept: u64,
    ) {
        if told != kept {
            self.differ(at, entry, field, &told.to_string(), &kept.to_string());
        }
    }

    fn differ(&mut self, at: EntryId, entry: &OrderEntry<'_>, field: &str, told: &str, kept: &str) {
        let at = spelled(at);
        self.differences.add(|| {
            let what = what(entry);
            format!(
                "{field} of the entry {at}, {what}, is {told} in the stream, {kept} in the sale"
            )
        });
    }

    /// After the last entry: what has not been seen is missing, or was trimmed.
    /// O(reservations).
    pub fn finish(mut self, stream: StreamState) -> OrderCount {
        let (mut trimmed, mut missing) = (0_u64, 0_u64);
        let orders = self.sale.reservations.iter().filter_map(|(slot, record)| {
            let is_seen = self.orders.get(slot as usize).is_some_and(|seen| *seen);
            let entry = record.order().filter(|_| !is_seen)?.entry;
            Some(("an order", slot, entry))
        });
        let refunds = all_refunds(self.sale).zip(&self.refunds_seen);
        let refunds = refunds
            .filter(|(_, is_seen)| !**is_seen)
            .map(|((slot, refund), _)| ("a refund", slot, refund.entry));
        for (kind, slot, at) in orders.chain(refunds) {
            if matches!(stream, StreamState::Missing) {
                missing += 1;
            } else if self.first.is_none_or(|first| at < first) {
                trimmed += 1;
            } else {
                let id = self.sale.record(slot).map(Reservation::id);
                self.differences.add(|| {
                    let (at, id) = (spelled(at), id.map(shown).unwrap_or_default());
                    format!("the entry {at}, {kind} of {id}, is not in the stream")
                });
            }
        }
        let gone = self.others_gone();
        if matches!(stream, StreamState::Missing) {
            missing = missing.saturating_add(gone);
        }
        if missing > 0 {
            self.differences
                .add(|| format!("the stream is not there, and should have {missing} entries"));
        }
        self.tell_lost(stream, trimmed.saturating_add(gone));
        OrderCount {
            entries: self.entries,
            entries_other: self.others,
            entries_added: stream.entries_added(),
            trimmed,
            differences: self.differences,
        }
    }

    /// Returns how many other entries were written to the stream and are not there.
    fn others_gone(&self) -> u64 {
        let outbox = self.sale.outbox.as_ref();
        let written = outbox.map_or(0, |outbox| outbox.counts().written);
        written.saturating_sub(self.others)
    }

    /// Were as many entries ever taken out of the stream as are counted as trimmed?
    fn tell_lost(&mut self, stream: StreamState, trimmed: u64) {
        let Some(added) = stream.entries_added() else {
            return;
        };
        let removed = added.saturating_sub(self.passed);
        if trimmed > removed {
            self.differences.add(|| {
                format!(
                    "{trimmed} entries of the sale are older than the first one in the stream, \
                     from which only {removed} were ever removed: it was lost and begun anew, or \
                     the sale was bound to it later"
                )
            });
        }
    }
}

fn all_refunds(sale: &Sale) -> impl Iterator<Item = (Slot, &RefundRecord)> {
    sale.reservations.iter().flat_map(|(slot, record)| {
        let refunds = record.order().into_iter().flat_map(OrderRecord::refunds);
        refunds.map(move |refund| (slot, refund))
    })
}

fn key_of(slot: Slot, refund: &RefundRecord) -> RefundKey<'_> {
    (slot, refund.reference.as_ref().map(Name::bytes))
}

/// `1700000000000-0`
fn spelled(at: EntryId) -> String {
    format!("{}-{}", at.ms, at.seq)
}

fn what(entry: &OrderEntry<'_>) -> String {
    let kind = if entry.is_refund {
        "a refund"
    } else {
        "an order"
    };
    format!("{kind} of {}", shown(Spelling::of(entry.id)))
}

fn text(value: Option<&[u8]>) -> String {
    value.map_or("not given".to_owned(), |value| shown(Spelling::of(value)))
}

fn units<'a>(lines: impl Iterator<Item = (&'a [u8], u64)>) -> String {
    let line = |(sku, qty): (&[u8], u64)| format!("{qty} of {}", shown(Spelling::of(sku)));
    lines.map(line).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::audit::fixture::{AT_MS, entry, sale};
    use crate::sale::book::outbox::{Outbox, OutboxCounts};

    fn told(id: &'static str, user: &'static str, items: &[(&str, u64)]) -> OrderEntry<'static> {
        OrderEntry {
            units: Vec::new(),
            is_refund: false,
            id: id.as_bytes(),
            user: user.as_bytes(),
            qty: items.iter().map(|(_, qty)| qty).sum(),
            items: items
                .iter()
                .map(|(sku, qty)| (sku.as_bytes().to_vec(), *qty))
                .collect(),
            at_ms: AT_MS,
            reference: None,
        }
    }

    /// The entries that the sale of the test has, at 1, 2 and 3.
    fn stream() -> Vec<(EntryId, OrderEntry<'static>)> {
        let mut stream = vec![
            (entry(1), told("sold", "bob", &[("b", 3), ("a", 1)])),
            (entry(2), told("sold", "bob", &[("b", 2)])),
            (entry(3), told("late", "bob", &[("a", 2)])),
        ];
        stream[0].1.reference = Some(b"p1");
        stream[1].1.reference = Some(b"f1");
        stream[1].1.is_refund = true;
        stream
    }

    /// A stream that was given more than all that these tests take out of it.
    const WITH_TRIMMED: StreamState = StreamState::There {
        entries_added: Some(9),
    };

    fn audit(stream: &[(EntryId, OrderEntry<'_>)]) -> OrderCount {
        let sale = sale();
        let mut audit = OrderAudit::new(&sale);
        for (at, entry) in stream {
            audit.see(*at, entry);
        }
        audit.finish(WITH_TRIMMED)
    }

    type Entries = Vec<(EntryId, OrderEntry<'static>)>;
    /// A kind of damage, and what is said about it.
    type Damage = (fn(&mut Entries), &'static str);

    const DAMAGE: [Damage; 16] = [
        (
            |stream| drop(stream.remove(1)),
            "the entry 1700000000000-2, a refund of 'sold', is not in the stream",
        ),
        (
            |stream| drop(stream.remove(2)),
            "the entry 1700000000000-3, an order of 'late', is not in the stream",
        ),
        (
            |stream| stream.push((entry(9), stream[2].1.clone())),
            "the entry 1700000000000-9 is an order of 'late', whose entry is 1700000000000-3",
        ),
        (
            |stream| stream.push((entry(9), stream[1].1.clone())),
            "the entry 1700000000000-9 is a refund of 'sold', whose entry is 1700000000000-2",
        ),
        (
            |stream| stream[2].0 = entry(8),
            "the entry 1700000000000-3, an order of 'late', is not in the stream",
        ),
        (
            |stream| stream.push((entry(9), told("ghost", "bob", &[("a", 1)]))),
            "the entry 1700000000000-9 is an order of 'ghost', which the sale does not know",
        ),
        (
            |stream| stream.push((entry(9), told("open", "ann", &[("a", 2)]))),
            "the entry 1700000000000-9 is an order of 'open', which is reserved in the sale",
        ),
        (
            |stream| {
                stream.push((entry(9), stream[1].1.clone()));
                stream[3].1.reference = Some(b"f2");
            },
            "the entry 1700000000000-9 is a refund of 'sold', which the sale does not know",
        ),
        (
            |stream| stream[2].1.user = b"ann",
            "user of the entry 1700000000000-3, an order of 'late', is 'ann' in the stream, 'bob' \
             in the sale",
        ),
        (
            |stream| stream[2].1.qty = 3,
            "qty of the entry 1700000000000-3, an order of 'late', is 3 in the stream, 2 in the sale",
        ),
        (
            |stream| stream[0].1.items.swap(0, 1),
            "items of the entry 1700000000000-1, an order of 'sold', is 1 of 'a', 3 of 'b' in the \
             stream, 3 of 'b', 1 of 'a' in the sale",
        ),
        (
            |stream| stream[1].1.items = vec![(b"b".to_vec(), 1), (b"b".to_vec(), 1)],
            "items of the entry 1700000000000-2, a refund of 'sold', is 1 of 'b', 1 of 'b' in the \
             stream, 2 of 'b' in the sale",
        ),
        (
            |stream| stream[2].1.at_ms += 1,
            "at_ms of the entry 1700000000000-3, an order of 'late', is 1700000000001 in the \
             stream, 1700000000000 in the sale",
        ),
        (
            |stream| stream[0].1.reference = Some(b"p2"),
            "ref of the entry 1700000000000-1, an order of 'sold', is 'p2' in the stream, 'p1' in \
             the sale",
        ),
        (
            |stream| stream[0].1.reference = None,
            "ref of the entry 1700000000000-1, an order of 'sold', is not given in the stream, \
             'p1' in the sale",
        ),
        (
            |stream| stream[2].1.reference = Some(b"p9"),
            "ref of the entry 1700000000000-3, an order of 'late', is 'p9' in the stream, not \
             given in the sale",
        ),
    ];

    #[test]
    fn a_stream_with_every_entry_once_agrees() {
        let count = audit(&stream());
        assert_eq!(count.differences.into_lines(), [""; 0]);
        assert_eq!((count.entries, count.trimmed), (3, 0));
    }

    #[test]
    fn every_kind_of_damage_to_the_stream_is_found_and_named() {
        for (damage, words) in DAMAGE {
            let mut stream = stream();
            damage(&mut stream);
            let found = audit(&stream).differences.into_lines();
            assert!(found.iter().any(|line| line == words), "{words}\n{found:?}");
        }
    }

    #[test]
    fn what_is_older_than_the_first_entry_was_trimmed() {
        for (left, trimmed) in [(3, 0), (2, 1), (1, 2), (0, 3)] {
            let stream = stream();
            let count = audit(&stream[stream.len() - left..]);
            assert_eq!(count.differences.into_lines(), [""; 0], "{left} left");
            assert_eq!((count.entries, count.trimmed), (left as u64, trimmed));
        }
        // An entry of another sale counts as the first, too.
        let sale = sale();
        let mut audit = OrderAudit::new(&sale);
        audit.pass(entry(2));
        let count = audit.finish(WITH_TRIMMED);
        assert_eq!(
            (count.trimmed, count.differences.into_lines().len()),
            (1, 2)
        );
    }

    #[test]
    fn a_stream_with_fewer_entries_ever_than_are_missing_was_lost() {
        let entries = stream();
        // Entries of the sale that are there, and of others; entries ever added.
        for (left, others, added, removed) in [
            (3, 0, Some(3), None),
            (2, 0, Some(3), None),
            (2, 0, Some(2), Some(0)),
            (1, 0, Some(2), Some(1)),
            (0, 0, Some(3), None),
            (0, 0, Some(0), Some(0)),
            (0, 4, Some(6), Some(2)),
            (0, 4, Some(7), None),
            // Set by hand to fewer than there are.
            (1, 0, Some(0), Some(0)),
            (0, 0, None, None),
        ] {
            let sale = sale();
            let mut audit = OrderAudit::new(&sale);
            for (at, entry) in &entries[entries.len() - left..] {
                audit.see(*at, entry);
            }
            for number in 0..others {
                audit.pass(entry(7 + number));
            }
            let count = audit.finish(StreamState::There {
                entries_added: added,
            });
            assert_eq!(count.trimmed, 3 - left as u64);
            assert_eq!(count.entries_added, added);
            let words = removed.map(|removed| {
                format!(
                    "{} entries of the sale are older than the first one in the stream, from \
                     which only {removed} were ever removed: it was lost and begun anew, or the \
                     sale was bound to it later",
                    count.trimmed
                )
            });
            let found = count.differences.into_lines();
            assert_eq!(found, words.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_stream_that_is_gone_and_an_entry_that_cannot_be_read_are_differences() {
        let sale = sale();
        let gone = OrderAudit::new(&sale)
            .finish(StreamState::Missing)
            .differences
            .into_lines();
        assert_eq!(gone, ["the stream is not there, and should have 3 entries"]);
        let mut audit = OrderAudit::new(&sale);
        audit.see_unreadable(entry(4), "it has no id");
        let count = audit.finish(WITH_TRIMMED);
        let words = "the entry 1700000000000-4 is of this sale, and cannot be read: it has no id";
        assert_eq!(count.differences.into_lines(), [words]);
        assert_eq!((count.entries, count.trimmed), (1, 3));
    }

    /// Against orders alone, a stream that was begun anew would soon look like a trimmed one.
    #[test]
    fn other_entries_are_counted_and_missed_where_they_were_not_trimmed() {
        let audit = |others: u64, entries_added: u64| {
            let sale = sale_with_outbox(5);
            let mut audit = OrderAudit::new(&sale);
            for (at, entry) in stream() {
                audit.see(at, &entry);
            }
            (0..others).for_each(|n| audit.see_other(entry(4 + n)));
            let entries_added = Some(entries_added);
            let count = audit.finish(StreamState::There { entries_added });
            assert_eq!(
                (count.entries, count.entries_other, count.trimmed),
                (3, others, 0)
            );
            count.differences.into_lines()
        };
        let none = Vec::<String>::new();
        assert_eq!(audit(5, 8), none);
        // Some were written twice: a promotion came before they were told.
        assert_eq!(audit(7, 10), none);
        assert_eq!(audit(2, 8), none);
        assert_eq!(audit(2, 7).len(), 1);
        let sale = sale_with_outbox(5);
        let missing = OrderAudit::new(&sale).finish(StreamState::Missing);
        assert_eq!(
            missing.differences.into_lines(),
            ["the stream is not there, and should have 8 entries"]
        );
    }

    fn sale_with_outbox(written: u64) -> Sale {
        let mut sale = sale();
        let counts = OutboxCounts {
            written,
            ..OutboxCounts::default()
        };
        sale.outbox = Some(Box::new(Outbox::new(counts)));
        sale
    }
}
