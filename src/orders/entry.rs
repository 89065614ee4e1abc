//! The entry of an order or a refund.
//!
//! Edge: plain fields in the order of the contract. What else a sale with `EVENTS all` writes
//! is in `news.rs`.

use ulid::ULID_LEN;

use super::named;
use super::names::NAMES;
use super::values::{Items, RecentValues, spell, text_of, text_of_number};
use crate::ffi::{Text, TextBuf};
use flashsale_engine::sale::{Change, Line, Lines, Sale, Spelling, UnitList, units_of};

/// What an entry says, beside the sale and the moment.
pub(super) struct Entry<'e> {
    /// The value of `event`.
    event: &'static TextBuf,
    pub(super) id: Spelling<'e>,
    /// Nobody, which no order is of, is spelled as nothing.
    user: Option<Spelling<'e>>,
    lines: Lines,
    reference: Option<Spelling<'e>>,
    payload: Option<&'e [u8]>,
    /// Boxed, as few entries say more.
    more: Option<Box<More>>,
}

/// What an order says whose units have no names, that was sold just now, and in no part of a
/// split sale, is not here.
struct More {
    /// Units with names, in the order of the lines.
    units: UnitList,
    /// Units go back on sale.
    restocks: bool,
    /// When it was sold, where that was not now.
    sold_at_ms: Option<u64>,
    /// Fields with their values.
    flags: [Option<(&'static TextBuf, &'static TextBuf)>; 3],
    /// The split sale that an order is of.
    group: Option<TextBuf>,
}

impl<'e> Entry<'e> {
    /// Returns the entry of a change that has one.
    pub(super) fn of(sale: &'e Sale, change: &'e Change<'_>) -> Option<Entry<'e>> {
        let (event, id, user, lines, order) = match change {
            Change::Sold { id, order, .. } => {
                let (user, lines) = sale.user_and_lines(*id)?;
                (&NAMES.order, id, user, lines, Some(order))
            }
            Change::Bought {
                id,
                user,
                lines,
                order,
                ..
            } => {
                let user = Some(user.spelling());
                (&NAMES.order, id, user, lines.clone(), Some(order))
            }
            Change::Imported(imported) => {
                let (user, lines) = (imported.user.spelling(), imported.lines.clone());
                let (id, order) = (&imported.id, Some(&imported.order));
                (&NAMES.order, id, Some(user), lines, order)
            }
            Change::Refunded(refund) => {
                let user = sale.user_and_lines(refund.id)?.0;
                (&NAMES.refund, &refund.id, user, refund.lines.clone(), None)
            }
            _ => return None,
        };
        let reference = match change {
            Change::Refunded(refund) => refund.reference,
            _ => order.and_then(|order| order.reference),
        };
        let is_plain = matches!(change, Change::Sold { .. } | Change::Bought { .. });
        let says_more = !is_plain || sale.has_unit_names() || sale.is_part();
        Some(Entry {
            event,
            id: id.spelling(),
            user,
            lines,
            reference,
            payload: order.and_then(|order| order.payload),
            more: says_more.then(|| Box::new(More::of(sale, change))),
        })
    }
}

impl More {
    #[cold]
    #[inline(never)]
    fn of(sale: &Sale, change: &Change<'_>) -> More {
        let flag = |name, is_so| Some((name, if is_so { &NAMES.yes } else { &NAMES.no }));
        let group = sale.group().map(|group| TextBuf::new(group.as_bytes()));
        let mut more = More {
            units: sale.units_of_change(change),
            restocks: false,
            sold_at_ms: None,
            flags: [None; 3],
            group,
        };
        match change {
            Change::Imported(imported) => {
                more.sold_at_ms = Some(imported.sold_at_ms);
                more.flags[0] = flag(&NAMES.imported, true);
            }
            Change::Refunded(refund) => {
                more.restocks = refund.restocks && named::goes_back(sale, &refund.lines);
                let restocked = more.restocks || sale.settles(refund);
                more.flags = [
                    flag(&NAMES.restocked, restocked),
                    flag(&NAMES.restore_limit, refund.restores_limit),
                    flag(&NAMES.no_restock, refund.no_restock == Some(true)),
                ];
                more.group = None;
            }
            _ => {}
        }
        more
    }

    /// Spells the lines with their units.
    #[cold]
    #[inline(never)]
    fn items(&self, sale: &Sale, lines: &[Line]) -> TextBuf {
        let spell = if self.restocks {
            named::refunded_json
        } else {
            named::items_json
        };
        TextBuf::new(&spell(sale, lines, &self.units))
    }
}

/// The values of an entry as strings of the server.
pub(super) struct Texts<'r> {
    sale_id: Text<'r>,
    user: TextBuf,
    qty: Text<'r>,
    items: Items<'r>,
    at_ms: Text<'r>,
    reference: Option<TextBuf>,
    payload: Option<TextBuf>,
    seq: Option<TextBuf>,
}

impl<'r> Texts<'r> {
    /// Spells what is decided at `at_ms`. With `EVENTS all` the next `seq` is its own.
    pub(super) fn of(
        entry: &Entry<'_>,
        sale: &Sale,
        at_ms: u64,
        recent: &'r mut RecentValues,
    ) -> Texts<'r> {
        let units = units_of(&entry.lines);
        let more = entry.more.as_deref();
        let told_at_ms = more.and_then(|more| more.sold_at_ms).unwrap_or(at_ms);
        let user = entry.user.unwrap_or(Spelling::Bytes(b""));
        let spell_id = || TextBuf::new(spell(sale, &mut [0; ULID_LEN]));
        Texts {
            sale_id: recent.sale_id.same(sale.sale_id(), spell_id),
            user: text_of(user),
            qty: recent.qty.same(units, || text_of_number(units)),
            items: match more {
                Some(more) if !more.units.is_empty() => {
                    Items::Fresh(more.items(sale, &entry.lines))
                }
                _ => Items::of(sale, &entry.lines, &mut recent.items),
            },
            at_ms: recent.at_ms.same(told_at_ms, || text_of_number(told_at_ms)),
            reference: entry.reference.map(text_of),
            payload: entry.payload.map(TextBuf::new),
            seq: sale.next_seq(at_ms).map(text_of_number),
        }
    }

    /// Lends the fields in the order of the contract, names and values alternating.
    pub(super) fn with_fields<R>(
        &self,
        entry: &Entry<'_>,
        [key, id]: [Text<'_>; 2],
        add: impl FnOnce(&mut [Text<'_>]) -> R,
    ) -> R {
        let names = &*NAMES;
        let none = names.none.as_text();
        // There also when empty: consumers tell entries apart by it.
        let reference = self.reference.as_ref().map_or(none, TextBuf::as_text);
        let mut fields = [
            [names.event.as_text(), entry.event.as_text()],
            [names.sale.as_text(), key],
            [names.sale_id.as_text(), self.sale_id],
            [names.id.as_text(), id],
            [names.user.as_text(), self.user.as_text()],
            [names.qty.as_text(), self.qty],
            [names.items.as_text(), self.items.as_text()],
            [names.at_ms.as_text(), self.at_ms],
            [names.reference.as_text(), reference],
            // Of an order PAYLOAD, `imported` and `group`, of a refund three flags; and `seq`.
            [none, none],
            [none, none],
            [none, none],
            [none, none],
        ];
        let mut pairs = 9;
        let mut put = |name: &'static TextBuf, value| {
            if let Some(place) = fields.get_mut(pairs) {
                *place = [name.as_text(), value];
                pairs += 1;
            }
        };
        if let Some(json) = &self.payload {
            put(&names.payload, json.as_text());
        }
        if let Some(more) = &entry.more {
            for (name, value) in more.flags.iter().flatten() {
                put(name, value.as_text());
            }
            if let Some(group) = &more.group {
                put(&names.group, group.as_text());
            }
        }
        if let Some(seq) = &self.seq {
            put(&names.seq, seq.as_text());
        }
        add(fields[..pairs].as_flattened_mut())
    }
}
