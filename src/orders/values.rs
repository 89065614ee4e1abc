//! The values of an entry as strings of the server.
//!
//! Edge: bytes to strings. Which entry has which value is in `entry.rs` and `news.rs`.

use std::cell::RefCell;

use ulid::{ULID_LEN, Ulid};

use super::json::items_json;
use super::named;

use crate::ffi::{Text, TextBuf};
use flashsale_engine::sale::{Line, NameBuffer, Sale, Spelling, UnitList};

/// A value that is often the same from one entry to the next: the server's string for it
/// is made anew only when what it says, `K`, is another.
pub(super) struct Recent<K>(Option<(K, TextBuf)>);

impl<K> Recent<K> {
    /// The string of a value, which is kept as `what`, and by `is_it` known again.
    #[inline(always)]
    pub(super) fn text(
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
    #[inline(always)]
    pub(super) fn same(&mut self, what: K, spell: impl FnOnce() -> TextBuf) -> Text<'_>
    where
        K: Copy + PartialEq,
    {
        self.text(|kept| *kept == what, || what, spell)
    }
}

/// Values of the last entry.
pub(super) struct RecentValues {
    pub(super) sale_id: Recent<u128>,
    pub(super) event: Recent<&'static str>,
    pub(super) qty: Recent<u64>,
    /// Of carts of one line: the SKU and how many.
    pub(super) items: Recent<(Box<[u8]>, u64)>,
    pub(super) at_ms: Recent<u64>,
    pub(super) expires_at_ms: Recent<u64>,
}

thread_local! {
    /// Only one thread runs commands.
    pub(super) static RECENT: RefCell<RecentValues> = const {
        RefCell::new(RecentValues {
            sale_id: Recent(None),
            event: Recent(None),
            qty: Recent(None),
            items: Recent(None),
            at_ms: Recent(None),
            expires_at_ms: Recent(None),
        })
    };
}

pub(super) fn text_of(name: Spelling<'_>) -> TextBuf {
    TextBuf::new(name.bytes(&mut NameBuffer::default()))
}

pub(super) fn text_of_number(number: u64) -> TextBuf {
    TextBuf::new(itoa::Buffer::new().format(number).as_bytes())
}

/// Spells the id of a sale as entries bear it.
pub(super) fn spell<'b>(sale: &Sale, buffer: &'b mut [u8; ULID_LEN]) -> &'b [u8] {
    Ulid(sale.sale_id()).array_to_str(buffer).as_bytes()
}

/// The value of `items`.
pub(super) enum Items<'r> {
    Recent(Text<'r>),
    Fresh(TextBuf),
}

impl<'r> Items<'r> {
    /// Spells the lines of a cart, or finds them spelled.
    #[inline(always)]
    pub(super) fn of(
        sale: &Sale,
        lines: &[Line],
        recent: &'r mut Recent<(Box<[u8]>, u64)>,
    ) -> Items<'r> {
        let pairs = || lines.iter().map(|line| (line.item, line.qty));
        let spell = || TextBuf::new(&items_json(sale, pairs()));
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

    /// The same, with the names of the units that have one.
    pub(super) fn with_units(
        sale: &Sale,
        lines: &[Line],
        units: &UnitList,
        recent: &'r mut Recent<(Box<[u8]>, u64)>,
    ) -> Items<'r> {
        if units.is_empty() {
            return Items::of(sale, lines, recent);
        }
        Items::Fresh(TextBuf::new(&named::items_json(sale, lines, units)))
    }

    #[inline(always)]
    pub(super) fn as_text(&self) -> Text<'_> {
        match self {
            Items::Recent(text) => *text,
            Items::Fresh(text) => text.as_text(),
        }
    }
}
