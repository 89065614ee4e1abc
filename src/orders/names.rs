//! The names of the fields of an entry, and values that come again, as strings of the server
//! that are made once.
//!
//! Edge: words alone. Which entry has which field is in `entry.rs` and `news.rs`.

use std::sync::LazyLock;

use crate::ffi::TextBuf;

macro_rules! names {
    ($($field:ident: $text:literal),* $(,)?) => {
        /// The names of fields as bytes, to know them again.
        pub(super) struct Words { $(pub(super) $field: &'static [u8]),* }

        pub(super) const WORDS: Words = Words { $($field: $text.as_bytes()),* };

        /// The names of the fields, and values that come again, made once.
        pub(super) struct Names { $(pub(super) $field: TextBuf),* }

        pub(super) static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
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
    seq: "seq",
    expires_at_ms: "expires_at_ms",
    replaced_by: "replaced_by",
    sku: "sku",
    available: "available",
    reserved: "reserved",
    sold: "sold",
    options: "options",
    reference: "ref",
    payload: "payload",
    restocked: "restocked",
    restore_limit: "restorelimit",
    no_restock: "norestock",
    imported: "imported",
    group: "group",
    yes: "1",
    no: "0",
    // What a `ref` holds where none was given.
    none: "",
}
