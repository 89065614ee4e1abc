//! The entries of everything that is no order and no refund, in a sale with `EVENTS all`.
//!
//! | `event` | Fields |
//! |---|---|
//! | `reserved`, `granted`, `extended`, `released`, `expired` | `event sale sale_id seq id user qty items at_ms expires_at_ms ref`, and `replaced_by` where REPLACE released |
//! | `allreserved`, `soldout`, `backinstock` | `event sale sale_id seq sku available reserved sold at_ms ref` |
//! | `restocked` | `event sale sale_id seq qty items at_ms ref` |
//! | `altered` | `event sale sale_id seq options at_ms ref` |
//! | `paused`, `resumed`, `closed` | `event sale sale_id seq at_ms ref` |
//! | `lost` | `event sale sale_id seq qty at_ms ref` |
//!
//! Entries of the same fields share their names within a node of the stream, so the order is
//! always the same.
//!
//! Edge: a record of the outbox in, plain fields out. Nothing is asked of the sale but its
//! `sale_id` and the SKUs of its items, which never change.

use smallvec::SmallVec;
use ulid::ULID_LEN;

use super::json::items_json;
use super::names::NAMES;
use super::values::{Items, RECENT, Recent, RecentValues, spell, text_of, text_of_number};
use crate::ffi::{Text, TextBuf};
use flashsale_engine::sale::{
    Alterations, Lines, NUMBER_NAMES, News, Record, Sale, Spelling, Stock, units_of,
};

/// A field and its value.
type Field<'t> = [Text<'t>; 2];

/// Most fields of an entry.
const FIELDS_MAX: usize = 12;

/// Lends the fields of the entry of a record, names and values alternating.
pub(super) fn with_fields<R>(
    record: &Record<'_>,
    sale: &Sale,
    key: Text<'_>,
    mut add: impl FnMut(&mut [Text<'_>]) -> R,
) -> R {
    RECENT.with_borrow_mut(|recent| {
        let RecentValues {
            sale_id,
            event,
            qty,
            items,
            at_ms,
            expires_at_ms,
        } = recent;
        let (names, word) = (&*NAMES, record.news.word());
        let seq = text_of_number(record.seq);
        let spell_id = || TextBuf::new(spell(sale, &mut [0; ULID_LEN]));
        let frame = Frame {
            event: event.same(word, || TextBuf::new(word.as_bytes())),
            key,
            sale_id: sale_id.same(sale.sale_id(), spell_id),
            seq: seq.as_text(),
            at_ms: at_ms.same(record.at_ms, || text_of_number(record.at_ms)),
        };
        match &record.news {
            News::Reservation {
                id,
                user,
                lines,
                units,
                expires_at_ms: deadline_ms,
                replaced_by,
                ..
            } => {
                let of = Reservation {
                    id: *id,
                    user: *user,
                    lines,
                    deadline_ms: *deadline_ms,
                    replaced_by: *replaced_by,
                };
                let items = Items::with_units(sale, lines, units, items);
                of.with_fields(&frame, &items, qty, expires_at_ms, &mut add)
            }
            News::Item { item, stock, .. } => {
                with_item(&frame, sale.item(*item).sku, *stock, &mut add)
            }
            News::Restocked { deltas, reference } => {
                let items = items_json(sale, deltas.iter().copied());
                let qty = record.news.qty().unwrap_or_default().to_string();
                let texts = [qty.as_bytes(), &items].map(TextBuf::new);
                with_restocked(&frame, &texts, reference.map(text_of), &mut add)
            }
            News::Altered(changed) => {
                let options = TextBuf::new(options_json(changed).as_bytes());
                let middle = [[names.options.as_text(), options.as_text()]];
                frame.with_middle(&middle, [None, None], None, &mut add)
            }
            News::Lost { qty: lost } => {
                let lost = qty.same(*lost, || text_of_number(*lost));
                let middle = [[names.qty.as_text(), lost]];
                frame.with_middle(&middle, [None, None], None, &mut add)
            }
            News::Paused | News::Resumed | News::Closed => {
                frame.with_middle(&[], [None, None], None, &mut add)
            }
        }
    })
}

/// The values that every entry has.
struct Frame<'t> {
    event: Text<'t>,
    key: Text<'t>,
    sale_id: Text<'t>,
    seq: Text<'t>,
    at_ms: Text<'t>,
}

impl Frame<'_> {
    /// Lends all fields of an entry: the `middle` ones stand before `at_ms`, `after_moment` behind
    /// it, and `last` behind `ref`.
    fn with_middle<R>(
        &self,
        middle: &[Field<'_>],
        [after_moment, last]: [Option<Field<'_>>; 2],
        reference: Option<&TextBuf>,
        add: &mut impl FnMut(&mut [Text<'_>]) -> R,
    ) -> R {
        let names = &*NAMES;
        let none = names.none.as_text();
        // There also when empty: consumers tell entries apart by it.
        let reference = reference.map_or(none, TextBuf::as_text);
        let mut fields: SmallVec<[Field<'_>; FIELDS_MAX]> = SmallVec::new();
        fields.extend([
            [names.event.as_text(), self.event],
            [names.sale.as_text(), self.key],
            [names.sale_id.as_text(), self.sale_id],
            [names.seq.as_text(), self.seq],
        ]);
        fields.extend(middle.iter().copied());
        fields.push([names.at_ms.as_text(), self.at_ms]);
        fields.extend(after_moment);
        fields.push([names.reference.as_text(), reference]);
        fields.extend(last);
        add(fields.as_flattened_mut())
    }
}

/// What an entry says of a reservation.
struct Reservation<'e> {
    id: Spelling<'e>,
    user: Spelling<'e>,
    lines: &'e Lines,
    deadline_ms: u64,
    replaced_by: Option<Spelling<'e>>,
}

impl Reservation<'_> {
    fn with_fields<R>(
        &self,
        frame: &Frame<'_>,
        items: &Items<'_>,
        qty: &mut Recent<u64>,
        expires_at_ms: &mut Recent<u64>,
        add: &mut impl FnMut(&mut [Text<'_>]) -> R,
    ) -> R {
        let names = &*NAMES;
        let (id, user) = (text_of(self.id), text_of(self.user));
        let replaced_by = self.replaced_by.map(text_of);
        let (units, deadline_ms) = (units_of(self.lines), self.deadline_ms);
        let middle = [
            [names.id.as_text(), id.as_text()],
            [names.user.as_text(), user.as_text()],
            [
                names.qty.as_text(),
                qty.same(units, || text_of_number(units)),
            ],
            [names.items.as_text(), items.as_text()],
        ];
        let deadline = expires_at_ms.same(deadline_ms, || text_of_number(deadline_ms));
        let deadline = [names.expires_at_ms.as_text(), deadline];
        let replaced_by = replaced_by.as_ref();
        let replaced_by = replaced_by.map(|id| [names.replaced_by.as_text(), id.as_text()]);
        frame.with_middle(&middle, [Some(deadline), replaced_by], None, add)
    }
}

fn with_item<R>(
    frame: &Frame<'_>,
    sku: &[u8],
    stock: Stock,
    add: &mut impl FnMut(&mut [Text<'_>]) -> R,
) -> R {
    let names = &*NAMES;
    let sku = TextBuf::new(sku);
    let [available, reserved, sold] =
        [stock.available, stock.reserved, stock.sold].map(text_of_number);
    let middle = [
        [names.sku.as_text(), sku.as_text()],
        [names.available.as_text(), available.as_text()],
        [names.reserved.as_text(), reserved.as_text()],
        [names.sold.as_text(), sold.as_text()],
    ];
    frame.with_middle(&middle, [None, None], None, add)
}

fn with_restocked<R>(
    frame: &Frame<'_>,
    [qty, items]: &[TextBuf; 2],
    reference: Option<TextBuf>,
    add: &mut impl FnMut(&mut [Text<'_>]) -> R,
) -> R {
    let names = &*NAMES;
    let middle = [
        [names.qty.as_text(), qty.as_text()],
        [names.items.as_text(), items.as_text()],
    ];
    frame.with_middle(&middle, [None, None], reference.as_ref(), add)
}

/// Spells what an ALTER or a BIND changed: `{"userlimit":2,"end_at_ms":null,"orders":true}`
fn options_json(changed: &Alterations) -> String {
    let number = |&(option, value): &(u8, Option<u64>)| {
        let name = NUMBER_NAMES.get(usize::from(option)).unwrap_or(&"");
        let value = value.map_or("null".to_owned(), |value| value.to_string());
        format!("\"{name}\":{value}")
    };
    let mut parts: Vec<String> = changed.numbers.iter().map(number).collect();
    parts.extend(
        changed
            .events
            .map(|events| format!("\"events\":\"{}\"", events.word())),
    );
    parts.extend(changed.passkeys.then(|| "\"passkeys\":true".to_owned()));
    let group = changed.group.as_ref().map(|group| match group {
        Some(group) => serde_json::Value::from(&**group),
        None => serde_json::Value::Null,
    });
    parts.extend(group.map(|group| format!("\"group\":{group}")));
    parts.extend(changed.orders.then(|| "\"orders\":true".to_owned()));
    format!("{{{}}}", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flashsale_engine::sale::Events;

    #[test]
    fn options_are_named_as_in_info() {
        let changed = Alterations {
            numbers: vec![(0, Some(2)), (8, None)],
            events: Some(Events::All),
            orders: true,
            passkeys: true,
            group: Some(None),
        };
        let json = options_json(&changed);
        assert_eq!(
            json,
            r#"{"userlimit":2,"end_at_ms":null,"events":"all","passkeys":true,"group":null,"orders":true}"#
        );
        assert_eq!(options_json(&Alterations::default()), "{}");
    }
}
