//! The order stream: its key, the fields of an entry, appending one and reading it back.
//!
//! Edge: plain fields that any stream client can read. Only AUDIT reads the stream back,
//! and nothing is decided by it; the module never trims it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

use smallvec::SmallVec;
use ulid::{ULID_LEN, Ulid};

use crate::error::{Error, echo};
use crate::ffi::{self, Ctx, Field, Kind, Mode, Text, TextBuf};
use flashsale_engine::sale::{
    Change, EntryId, Event, Key, Line, Lines, NameBuffer, OrderAudit, OrderCount, OrderEntry,
    Pending, Sale, Spelling, StreamState, View, units_of,
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
    /// of its decision, and returns the ID.
    ///
    /// # Errors
    ///
    /// The stream has no room above its last ID.
    pub fn append(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        pending: &Pending<'_>,
    ) -> Result<EntryId, Error> {
        self.append_at(key, sale, pending.at_ms(), pending.change(), None)
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
        self.append_at(key, sale, event.at_ms, &event.change, event.entry())?;
        Ok(())
    }

    fn append_at(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        at_ms: u64,
        change: &Change<'_>,
        at: Option<EntryId>,
    ) -> Result<EntryId, Error> {
        let entry = Entry::of(sale, at_ms, change)
            .ok_or_else(|| Error::new("orders: there is no entry to append"))?;
        let word = entry.word();
        let values = RECENT.with_borrow_mut(|recent| entry.values(recent));
        let mut fields: SmallVec<[Text<'_>; 24]> = SmallVec::new();
        fields.extend([NAMES.event.as_text(), word, NAMES.sale.as_text(), key]);
        for (name, value) in &values {
            fields.extend([name.as_text(), value.as_text()]);
        }
        let (ms, seq) = match at {
            Some(at) => self.0.stream_add(Some((at.ms, at.seq)), &mut fields),
            None => self.append_next(at_ms, &mut fields),
        }
        .map_err(|()| Error::new("orders: the stream takes no further entry"))?;
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

/// The value of a field.
enum Value {
    Fresh(TextBuf),
    /// As in the entry before.
    Again(Rc<TextBuf>),
    /// One of the words of the contract.
    Known(&'static TextBuf),
}

impl Value {
    fn as_text(&self) -> Text<'_> {
        match self {
            Value::Fresh(text) => text.as_text(),
            Value::Again(text) => text.as_text(),
            Value::Known(text) => text.as_text(),
        }
    }
}

type Values = SmallVec<[(&'static TextBuf, Value); 10]>;

/// Longer values are not kept for the next entry, in bytes.
const RECENT_BYTES_MAX: usize = 1024;

/// A value that is often the same from one entry to the next: the server's string for it
/// is made anew only when it is not.
#[derive(Default)]
struct Recent(Option<Rc<TextBuf>>);

impl Recent {
    fn value(&mut self, bytes: &[u8]) -> Value {
        if bytes.len() > RECENT_BYTES_MAX {
            return Value::Fresh(TextBuf::new(bytes));
        }
        let kept = self.0.take().filter(|kept| kept.as_text().bytes() == bytes);
        let text = kept.unwrap_or_else(|| Rc::new(TextBuf::new(bytes)));
        self.0 = Some(text.clone());
        Value::Again(text)
    }
}

#[derive(Default)]
struct RecentValues {
    sale_id: Recent,
    qty: Recent,
    items: Recent,
    at_ms: Recent,
}

thread_local! {
    /// Of the last entry; only one thread runs commands.
    static RECENT: RefCell<RecentValues> = RefCell::default();
}

fn view<'s>(sale: &'s Sale, id: Key<'_>) -> Option<View<'s>> {
    sale.view(sale.find(id)?)
}

fn user_of(view: &View<'_>) -> TextBuf {
    TextBuf::new(view.user(&mut NameBuffer::default()).unwrap_or_default())
}

/// What an entry says.
struct Entry<'e> {
    kind: EntryKind,
    sale: &'e Sale,
    id: Spelling<'e>,
    user: TextBuf,
    lines: Lines,
    at_ms: u64,
    reference: Option<Spelling<'e>>,
    payload: Option<&'e [u8]>,
    restocked: Option<bool>,
}

#[derive(Clone, Copy)]
enum EntryKind {
    Order,
    Refund,
}

impl<'e> Entry<'e> {
    /// The value of `event`.
    fn word(&self) -> Text<'static> {
        match self.kind {
            EntryKind::Order => NAMES.order.as_text(),
            EntryKind::Refund => NAMES.refund.as_text(),
        }
    }

    fn of(sale: &'e Sale, at_ms: u64, change: &'e Change<'_>) -> Option<Entry<'e>> {
        let entry = |kind, id: Key<'e>, user, lines: &Lines, reference| Entry {
            kind,
            sale,
            id: id.spelling(),
            user,
            lines: lines.clone(),
            at_ms,
            reference,
            payload: None,
            restocked: None,
        };
        match change {
            Change::Sold { id, order } => {
                let view = view(sale, *id)?;
                let entry = entry(
                    EntryKind::Order,
                    *id,
                    user_of(&view),
                    &view.lines,
                    order.reference,
                );
                Some(Entry {
                    payload: order.payload,
                    ..entry
                })
            }
            Change::Bought {
                id,
                user,
                lines,
                order,
                ..
            } => {
                let user = TextBuf::new(user.bytes(&mut NameBuffer::default()));
                let entry = entry(EntryKind::Order, *id, user, lines, order.reference);
                Some(Entry {
                    payload: order.payload,
                    ..entry
                })
            }
            Change::Refunded(refund) => {
                let user = user_of(&view(sale, refund.id)?);
                let entry = entry(
                    EntryKind::Refund,
                    refund.id,
                    user,
                    &refund.lines,
                    refund.reference,
                );
                Some(Entry {
                    restocked: Some(refund.restocks),
                    ..entry
                })
            }
            _ => None,
        }
    }

    /// The fields after `event` and `sale`, in the order of the contract.
    fn values(self, recent: &mut RecentValues) -> Values {
        let names = &*NAMES;
        let mut values = Values::new();
        let mut buffer = NameBuffer::default();
        let mut digits = itoa::Buffer::new();
        let fresh = |bytes: &[u8]| Value::Fresh(TextBuf::new(bytes));
        let sale_id = recent.sale_id.value(spell(self.sale, &mut [0; ULID_LEN]));
        let qty = digits.format(units_of(&self.lines)).as_bytes();
        let qty = recent.qty.value(qty);
        let items = recent.items.value(&items_json(self.sale, &self.lines));
        let at_ms = recent.at_ms.value(digits.format(self.at_ms).as_bytes());
        values.extend([
            (&names.sale_id, sale_id),
            (&names.id, fresh(self.id.bytes(&mut buffer))),
            (&names.user, Value::Fresh(self.user)),
            (&names.qty, qty),
            (&names.items, items),
            (&names.at_ms, at_ms),
        ]);
        // There also when empty: consumers tell entries apart by it.
        let reference = match &self.reference {
            Some(reference) => fresh(reference.bytes(&mut buffer)),
            None => Value::Known(&names.none),
        };
        values.push((&names.reference, reference));
        let mut add = |name, bytes: &[u8]| values.push((name, fresh(bytes)));
        if let Some(payload) = self.payload {
            add(&names.payload, payload);
        }
        if let Some(restocked) = self.restocked {
            add(&names.restocked, if restocked { b"1" } else { b"0" });
        }
        values
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
