//! The order stream: its key, the fields of an entry, appending one and reading it back.
//!
//! Edge: plain fields that any stream client can read. Only AUDIT reads the stream back,
//! and nothing is decided by it; the module never trims it.

use std::cell::RefCell;
use std::sync::LazyLock;

use smallvec::SmallVec;
use ulid::{ULID_LEN, Ulid};

use crate::error::{Error, echo};
use crate::ffi::{self, Ctx, Field, Kind, Mode, Text, TextBuf};
use flashsale_engine::sale::{
    Change, EntryId, Event, Line, Lines, NameBuffer, OrderAudit, OrderCount, OrderEntry, Pending,
    Sale, Spelling, StreamState, units_of,
};

/// The open key of a sale's order stream, which may not exist yet.
pub struct OrdersKey<'c>(ffi::Key<'c>);

impl<'c> OrdersKey<'c> {
    /// Opens the stream a command names.
    ///
    /// # Errors
    ///
    /// It is not the sale's, or the key holds something else.
    pub fn open(ctx: Ctx<'c>, name: Text<'c>, sale: &Sale) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::open_as(ctx, name, Mode::Write, sale)
    }

    /// The same, to look at it alone.
    ///
    /// # Errors
    ///
    /// As [`OrdersKey::open`].
    pub fn open_read(ctx: Ctx<'c>, name: Text<'c>, sale: &Sale) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::open_as(ctx, name, Mode::Read, sale)
    }

    fn open_as(
        ctx: Ctx<'c>,
        name: Text<'c>,
        mode: Mode,
        sale: &Sale,
    ) -> Result<OrdersKey<'c>, Error> {
        let orders = OrdersKey::of(ffi::Key::open(ctx, name, mode))?;
        if name.bytes() != sale.orders() {
            let bound = echo(sale.orders());
            let other = echo(name.bytes());
            return Err(Error::new(format!(
                "orders: '{other}' is not the stream of this sale, which is '{bound}'"
            )));
        }
        Ok(orders)
    }

    /// Opens a stream, whoever's it is.
    ///
    /// # Errors
    ///
    /// The key holds something else.
    pub fn open_any(ctx: Ctx<'c>, name: Text<'c>) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::of(ffi::Key::open(ctx, name, Mode::Write))
    }

    fn of(key: ffi::Key<'c>) -> Result<OrdersKey<'c>, Error> {
        match key.kind() {
            Kind::Empty | Kind::Stream => Ok(OrdersKey(key)),
            Kind::Other => Err(Error::wrong_type("orders", key.name().bytes(), "a stream")),
        }
    }

    pub fn name(&self) -> Text<'c> {
        self.0.name()
    }

    /// Holds the orders of a sale against the entries. O(reservations + entries).
    pub fn audit(&self, ctx: Ctx<'_>, sale: &Sale) -> OrderCount {
        let mut audit = OrderAudit::new(sale);
        let mut spelled = [0; ULID_LEN];
        let sale_id = spell(sale, &mut spelled);
        self.0.each_entry(|(ms, seq), fields| {
            let at = EntryId { ms, seq };
            let fields: SmallVec<[(&[u8], &[u8]); 12]> = fields.iter().map(bytes_of).collect();
            let find = |name: &[u8]| {
                let found = fields.iter().find(|(field, _)| *field == name);
                found.map(|(_, value)| *value)
            };
            if find(WORDS.sale_id) != Some(sale_id) {
                return audit.pass(at);
            }
            match read_entry(find) {
                Ok(entry) => audit.see(at, &entry),
                Err(why) => audit.see_unreadable(at, why),
            }
        });
        audit.finish(match self.0.kind() {
            Kind::Stream => StreamState::There {
                entries_added: ctx.entries_added(self.name()),
            },
            Kind::Empty | Kind::Other => StreamState::Missing,
        })
    }

    /// Appends the entry of an order or a refund with the stream's next ID, of the moment
    /// of its decision, and returns the ID. `id` is that of the reservation as the client
    /// spelled it.
    ///
    /// # Errors
    ///
    /// The stream has no room above its last ID.
    pub fn append(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        pending: &Pending<'_>,
        id: Text<'_>,
    ) -> Result<EntryId, Error> {
        let fresh = (pending.at_ms(), pending.change());
        self.append_at(key, sale, fresh, Some(id), None)
    }

    /// Appends the entry of an event with the ID it was given elsewhere.
    ///
    /// # Errors
    ///
    /// The event has no entry, or the stream has no room below that ID.
    pub fn append_again(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        event: &Event<'_>,
    ) -> Result<(), Error> {
        self.append_at(key, sale, (event.at_ms, &event.change), None, event.entry())?;
        Ok(())
    }

    fn append_at(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        (at_ms, change): (u64, &Change<'_>),
        id: Option<Text<'_>>,
        at: Option<EntryId>,
    ) -> Result<EntryId, Error> {
        let entry = Entry::of(sale, change)
            .ok_or_else(|| Error::new("orders: there is no entry to append"))?;
        let spelled;
        let id = match id {
            Some(id) => id,
            None => {
                spelled = text_of(entry.id);
                spelled.as_text()
            }
        };
        let added = RECENT.with_borrow_mut(|recent| {
            let texts = Texts::of(&entry, sale, at_ms, recent);
            texts.with_fields(&entry, [key, id], |fields| match at {
                Some(at) => self.0.stream_add(Some((at.ms, at.seq)), fields),
                None => self.append_next(at_ms, fields),
            })
        });
        let (ms, seq) =
            added.map_err(|()| Error::new("orders: the stream takes no further entry"))?;
        Ok(EntryId { ms, seq })
    }

    /// Appends an entry with the next ID, of this moment.
    ///
    /// In a script or a transaction the clock stands still by which the server makes IDs,
    /// while deadlines do not: the ID it would give is of the right moment only behind
    /// another of this moment, and there the first one of it is refused.
    fn append_next(&mut self, at_ms: u64, fields: &mut [Text<'_>]) -> Result<(u64, u64), ()> {
        if ffi::has_frozen_clock()
            && let Ok(id) = self.0.stream_add(Some((at_ms, 0)), fields)
        {
            return Ok(id);
        }
        self.0.stream_add(None, fields)
    }
}

fn bytes_of((name, value): &Field) -> (&[u8], &[u8]) {
    (name.as_text().bytes(), value.as_text().bytes())
}

/// The id of a sale as entries bear it.
fn spell<'b>(sale: &Sale, buffer: &'b mut [u8; ULID_LEN]) -> &'b [u8] {
    Ulid(sale.sale_id()).array_to_str(buffer).as_bytes()
}

/// Reads an entry by the values of its fields, or says what is wrong with it.
fn read_entry<'e>(
    find: impl Fn(&[u8]) -> Option<&'e [u8]>,
) -> Result<OrderEntry<'e>, &'static str> {
    let number = |name: &[u8]| {
        let text = std::str::from_utf8(find(name)?).ok()?;
        text.parse::<u64>().ok()
    };
    let event = find(WORDS.event);
    Ok(OrderEntry {
        is_refund: match event {
            Some(event) if event == WORDS.refund => true,
            Some(event) if event == WORDS.order => false,
            _ => return Err("its event is neither order nor refund"),
        },
        id: find(WORDS.id).ok_or("it has no id")?,
        user: find(WORDS.user).ok_or("it has no user")?,
        qty: number(WORDS.qty).ok_or("its qty is no number")?,
        items: find(WORDS.items)
            .and_then(read_items)
            .ok_or("its items are not of the form [{\"sku\":\"a\",\"qty\":2}]")?,
        at_ms: number(WORDS.at_ms).ok_or("its at_ms is no number")?,
        // No REF is empty; before there were empty ones, such a field was left out.
        reference: find(WORDS.reference).filter(|reference| !reference.is_empty()),
    })
}

/// What [`items_json`] wrote.
fn read_items(json: &[u8]) -> Option<Vec<(Vec<u8>, u64)>> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    let line = |line: &serde_json::Value| {
        let sku = line.get("sku")?.as_str()?.as_bytes().to_vec();
        Some((sku, line.get("qty")?.as_u64()?))
    };
    value.as_array()?.iter().map(line).collect()
}

macro_rules! names {
    ($($field:ident: $text:literal),* $(,)?) => {
        /// The same as bytes, to know them again.
        struct Words { $($field: &'static [u8]),* }

        const WORDS: Words = Words { $($field: $text.as_bytes()),* };

        /// The names of the fields, and values that come again, made once.
        struct Names { $($field: TextBuf),* }

        static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
            $($field: TextBuf::new(WORDS.$field)),*
        });
    };
}

names! {
    sale: "sale",
    event: "event",
    order: "order",
    refund: "refund",
    sale_id: "sale_id",
    id: "id",
    user: "user",
    qty: "qty",
    items: "items",
    at_ms: "at_ms",
    reference: "ref",
    payload: "payload",
    restocked: "restocked",
    // What a `ref` holds where none was given.
    none: "",
}

/// A value that is often the same from one entry to the next: the server's string for it
/// is made anew only when what it says, `K`, is another.
struct Recent<K>(Option<(K, TextBuf)>);

impl<K> Recent<K> {
    /// The string of a value, which is kept as `what`, and by `is_it` known again.
    #[inline]
    fn text(
        &mut self,
        is_it: impl Fn(&K) -> bool,
        what: impl FnOnce() -> K,
        spell: impl FnOnce() -> TextBuf,
    ) -> Text<'_> {
        let kept = self.0.take().filter(|(kept, _)| is_it(kept));
        let (_, text) = self.0.insert(kept.unwrap_or_else(|| (what(), spell())));
        text.as_text()
    }

    /// The same for a value that is compared as a whole.
    #[inline]
    fn same(&mut self, what: K, spell: impl FnOnce() -> TextBuf) -> Text<'_>
    where
        K: Copy + PartialEq,
    {
        self.text(|kept| *kept == what, || what, spell)
    }
}

/// Values of the last entry.
struct RecentValues {
    sale_id: Recent<u128>,
    qty: Recent<u64>,
    /// Of carts of one line: the SKU and how many.
    items: Recent<(Box<[u8]>, u64)>,
    at_ms: Recent<u64>,
}

thread_local! {
    /// Only one thread runs commands.
    static RECENT: RefCell<RecentValues> = const {
        RefCell::new(RecentValues {
            sale_id: Recent(None),
            qty: Recent(None),
            items: Recent(None),
            at_ms: Recent(None),
        })
    };
}

fn text_of(name: Spelling<'_>) -> TextBuf {
    TextBuf::new(name.bytes(&mut NameBuffer::default()))
}

fn text_of_number(number: u64) -> TextBuf {
    TextBuf::new(itoa::Buffer::new().format(number).as_bytes())
}

/// What an entry says, beside the sale and the moment.
struct Entry<'e> {
    /// The value of `event`.
    event: &'static TextBuf,
    id: Spelling<'e>,
    /// Nobody, which no order is of, is spelled as nothing.
    user: Option<Spelling<'e>>,
    lines: Lines,
    reference: Option<Spelling<'e>>,
    /// The field that only some entries have, and its value.
    more: Option<(&'static TextBuf, &'e [u8])>,
}

impl<'e> Entry<'e> {
    fn of(sale: &'e Sale, change: &'e Change<'_>) -> Option<Entry<'e>> {
        let names = &*NAMES;
        let (id, user, lines, order) = match change {
            Change::Sold { id, order } => {
                let (user, lines) = sale.user_and_lines(*id)?;
                (id, user, lines, order)
            }
            Change::Bought {
                id,
                user,
                lines,
                order,
                ..
            } => (id, Some(user.spelling()), lines.clone(), order),
            Change::Refunded(refund) => {
                let restocked: &[u8] = if refund.restocks { b"1" } else { b"0" };
                return Some(Entry {
                    event: &names.refund,
                    id: refund.id.spelling(),
                    user: sale.user_and_lines(refund.id)?.0,
                    lines: refund.lines.clone(),
                    reference: refund.reference,
                    more: Some((&names.restocked, restocked)),
                });
            }
            _ => return None,
        };
        Some(Entry {
            event: &names.order,
            id: id.spelling(),
            user,
            lines,
            reference: order.reference,
            more: order.payload.map(|payload| (&names.payload, payload)),
        })
    }
}

/// The values of an entry as strings of the server.
struct Texts<'r> {
    sale_id: Text<'r>,
    user: TextBuf,
    qty: Text<'r>,
    items: Items<'r>,
    at_ms: Text<'r>,
    reference: Option<TextBuf>,
    more: Option<TextBuf>,
}

/// The value of `items`.
enum Items<'r> {
    Recent(Text<'r>),
    Fresh(TextBuf),
}

impl<'r> Texts<'r> {
    fn of(entry: &Entry<'_>, sale: &Sale, at_ms: u64, recent: &'r mut RecentValues) -> Texts<'r> {
        let units = units_of(&entry.lines);
        let user = entry.user.unwrap_or(Spelling::Bytes(b""));
        let spell_id = || TextBuf::new(spell(sale, &mut [0; ULID_LEN]));
        Texts {
            sale_id: recent.sale_id.same(sale.sale_id(), spell_id),
            user: text_of(user),
            qty: recent.qty.same(units, || text_of_number(units)),
            items: Items::of(sale, &entry.lines, &mut recent.items),
            at_ms: recent.at_ms.same(at_ms, || text_of_number(at_ms)),
            reference: entry.reference.map(text_of),
            more: entry.more.map(|(_, bytes)| TextBuf::new(bytes)),
        }
    }

    /// Lends the fields in the order of the contract, names and values alternating.
    fn with_fields<R>(
        &self,
        entry: &Entry<'_>,
        [key, id]: [Text<'_>; 2],
        add: impl FnOnce(&mut [Text<'_>]) -> R,
    ) -> R {
        let names = &*NAMES;
        let none = names.none.as_text();
        let items = match &self.items {
            Items::Recent(text) => *text,
            Items::Fresh(text) => text.as_text(),
        };
        // There also when empty: consumers tell entries apart by it.
        let reference = self.reference.as_ref().map_or(none, TextBuf::as_text);
        let more_name = entry.more.map_or(none, |(name, _)| name.as_text());
        let more = self.more.as_ref().map_or(none, TextBuf::as_text);
        let mut fields = [
            [names.event.as_text(), entry.event.as_text()],
            [names.sale.as_text(), key],
            [names.sale_id.as_text(), self.sale_id],
            [names.id.as_text(), id],
            [names.user.as_text(), self.user.as_text()],
            [names.qty.as_text(), self.qty],
            [names.items.as_text(), items],
            [names.at_ms.as_text(), self.at_ms],
            [names.reference.as_text(), reference],
            [more_name, more],
        ];
        // The last one only where there is more.
        let pairs = fields.len() - usize::from(self.more.is_none());
        add(fields[..pairs].as_flattened_mut())
    }
}

impl<'r> Items<'r> {
    fn of(sale: &Sale, lines: &[Line], recent: &'r mut Recent<(Box<[u8]>, u64)>) -> Items<'r> {
        let spell = || TextBuf::new(&items_json(sale, lines));
        let [line] = lines else {
            return Items::Fresh(spell());
        };
        let sku = sale.item(line.item).sku;
        Items::Recent(recent.text(
            |(kept, qty)| **kept == *sku && *qty == line.qty,
            || (sku.into(), line.qty),
            spell,
        ))
    }
}

/// `[{"sku":"a","qty":2}]`
fn items_json(sale: &Sale, lines: &[Line]) -> Vec<u8> {
    let mut json = Vec::with_capacity(lines.len().saturating_mul(32));
    json.push(b'[');
    for (position, line) in lines.iter().enumerate() {
        if position > 0 {
            json.push(b',');
        }
        json.extend_from_slice(b"{\"sku\":");
        let sku = String::from_utf8_lossy(sale.item(line.item).sku);
        // Writing a string into memory does not fail.
        let _ = serde_json::to_writer(&mut json, &*sku);
        json.extend_from_slice(b",\"qty\":");
        json.extend_from_slice(itoa::Buffer::new().format(line.qty).as_bytes());
        json.push(b'}');
    }
    json.push(b']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(&str, &str); 7] = [
        ("event", "order"),
        ("id", "r1"),
        ("user", "ann"),
        ("qty", "3"),
        ("items", r#"[{"sku":"a\"b","qty":2}, {"qty":1,"sku":"c"}]"#),
        ("at_ms", "1700000000000"),
        ("ref", "p"),
    ];

    /// Reads the entry with one field changed, or left out.
    fn read(name: &str, value: Option<&'static str>) -> Result<OrderEntry<'static>, &'static str> {
        read_entry(|wanted| {
            let (field, text) = FIELDS
                .iter()
                .find(|(field, _)| field.as_bytes() == wanted)?;
            let text = if *field == name { value? } else { *text };
            Some(text.as_bytes())
        })
    }

    #[test]
    fn reads_what_an_entry_says() {
        let entry = read("", None).unwrap();
        assert_eq!(
            (entry.id, entry.user, entry.qty),
            (&b"r1"[..], &b"ann"[..], 3)
        );
        assert_eq!(entry.items, [(b"a\"b".to_vec(), 2), (b"c".to_vec(), 1)]);
        assert_eq!(
            (entry.at_ms, entry.reference),
            (1_700_000_000_000, Some(&b"p"[..]))
        );
        assert!(!entry.is_refund);
        assert!(read("event", Some("refund")).unwrap().is_refund);
        for none in [Some(""), None] {
            assert_eq!(read("ref", none).unwrap().reference, None);
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_entry() {
        for (name, value, part) in [
            ("event", Some("sold"), "event"),
            ("id", None, "no id"),
            ("user", None, "no user"),
            ("qty", Some("-1"), "qty"),
            ("qty", None, "qty"),
            ("items", Some("a 2"), "items"),
            ("items", Some(r#"[{"sku":"a"}]"#), "items"),
            ("items", Some(r#"{"sku":"a","qty":1}"#), "items"),
            ("at_ms", Some("now"), "at_ms"),
        ] {
            let why = read(name, value).unwrap_err();
            assert!(why.contains(part), "{name}: {why}");
        }
    }
}
