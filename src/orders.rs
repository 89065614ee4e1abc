//! The order stream: its key, the fields of an entry, and appending one.
//!
//! Edge: plain fields that any stream client can read. The module never reads the
//! stream back and never trims it.

use std::sync::LazyLock;

use smallvec::SmallVec;
use ulid::{ULID_LEN, Ulid};

use crate::error::{Error, echo};
use crate::ffi::{self, Ctx, Kind, Mode, Text, TextBuf};
use crate::sale::{Change, EntryId, Event, Key, Line, Lines, NameBuffer, Sale, View, units_of};

/// The open key of a sale's order stream, which may not exist yet.
pub struct OrdersKey<'c>(ffi::Key<'c>);

impl<'c> OrdersKey<'c> {
    /// Opens the stream a command names.
    ///
    /// # Errors
    ///
    /// It is not the sale's, or the key holds something else.
    pub fn open(ctx: Ctx<'c>, name: Text<'c>, sale: &Sale) -> Result<OrdersKey<'c>, Error> {
        let orders = OrdersKey::open_any(ctx, name)?;
        if name.bytes() != sale.orders() {
            let bound = echo(sale.orders());
            return Err(Error::new(format!(
                "orders: not the stream of this sale, which is '{bound}'"
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
        let key = ffi::Key::open(ctx, name, Mode::Write);
        match key.kind() {
            Kind::Empty | Kind::Stream => Ok(OrdersKey(key)),
            Kind::Other => Err(Error::wrong_type("orders", "a stream")),
        }
    }

    pub fn name(&self) -> Text<'c> {
        self.0.name()
    }

    /// Appends the entry of an event, with the ID it was given elsewhere, or else with
    /// the stream's next one, and returns the ID.
    ///
    /// Called before the event is applied: it can fail, and applying cannot.
    ///
    /// # Errors
    ///
    /// The event has no entry, or the stream has no room above its last ID.
    pub fn append(
        &mut self,
        key: Text<'_>,
        sale: &Sale,
        event: &Event<'_>,
        at: Option<EntryId>,
    ) -> Result<EntryId, Error> {
        let entry = Entry::of(sale, event)
            .ok_or_else(|| Error::new("orders: there is no entry to append"))?;
        let values = entry.values();
        let mut fields: SmallVec<[Text<'_>; 24]> = SmallVec::new();
        fields.extend([
            NAMES.event.as_text(),
            entry.word(),
            NAMES.sale.as_text(),
            key,
        ]);
        for (name, value) in &values {
            fields.extend([name.as_text(), value.as_text()]);
        }
        let (ms, seq) = self
            .0
            .stream_add(at.map(|at| (at.ms, at.seq)), &mut fields)
            .map_err(|()| Error::new("orders: the stream takes no further entry"))?;
        Ok(EntryId { ms, seq })
    }
}

macro_rules! names {
    ($($field:ident: $text:literal),* $(,)?) => {
        /// The names of the fields, and values that come again, made once.
        struct Names { $($field: TextBuf),* }

        static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
            $($field: TextBuf::new($text.as_bytes())),*
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
}

type Values = SmallVec<[(&'static TextBuf, TextBuf); 10]>;

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
    id: Key<'e>,
    user: TextBuf,
    lines: Lines,
    at_ms: u64,
    reference: Option<Key<'e>>,
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

    fn of(sale: &'e Sale, event: &'e Event<'_>) -> Option<Entry<'e>> {
        let entry = |kind, id, user, lines: &Lines, reference| Entry {
            kind,
            sale,
            id,
            user,
            lines: lines.clone(),
            at_ms: event.at_ms,
            reference,
            payload: None,
            restocked: None,
        };
        match &event.change {
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
    fn values(&self) -> Values {
        let names = &*NAMES;
        let mut values = Values::new();
        let mut buffer = NameBuffer::default();
        let mut add =
            |name: &'static TextBuf, value: &[u8]| values.push((name, TextBuf::new(value)));
        let (sale_id, mut spelled) = (Ulid(self.sale.sale_id()), [0; ULID_LEN]);
        let sale_id = sale_id.array_to_str(&mut spelled).as_bytes();
        add(&names.sale_id, sale_id);
        add(&names.id, self.id.bytes(&mut buffer));
        add(&names.user, self.user.as_text().bytes());
        let mut digits = itoa::Buffer::new();
        let units = digits.format(units_of(&self.lines));
        add(&names.qty, units.as_bytes());
        add(&names.items, &items_json(self.sale, &self.lines));
        add(&names.at_ms, digits.format(self.at_ms).as_bytes());
        if let Some(reference) = self.reference {
            add(&names.reference, reference.bytes(&mut buffer));
        }
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
