//! What is asked of a sale, as the plans take it: parsed, sizes checked, nothing
//! looked up yet.

use smallvec::SmallVec;

use crate::table::name::{Key, Spelling};

/// SKUs with quantities, as asked: the same SKU may come twice.
pub type AskLines<'a> = SmallVec<[(&'a [u8], u64); 2]>;

/// `{qty | ITEMS count sku qty ...}`: which units are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Of the SKU `default` if there is one, else of the only item.
    Qty(u64),
    Items(AskLines<'a>),
}

/// `FLASHSALE.RESERVE`, and the first half of `FLASHSALE.BUY`.
#[derive(Clone, Debug)]
pub struct Reserve<'a> {
    pub user: Key<'a>,
    pub ask: Ask<'a>,
    /// UNITS: exactly these units, whose quantities per SKU come on top of `ask`, which is then
    /// `Items`, empty where no quantity stands beside the names. None in a batch, and with WAIT.
    pub units: &'a [&'a [u8]],
    /// Given by the client, or a fresh ULID.
    pub id: Key<'a>,
    /// Cut to the sale's HOLD.
    pub hold_ms: Option<u64>,
    /// The open reservation that this one takes the place of; its deadline stays.
    pub replaces: Option<Key<'a>>,
    /// WAIT: where units are not to be had yet, the request joins a line.
    pub waits: bool,
    /// What a new id shows in a sale with PASSKEY.
    pub pass: Pass<'a>,
}

/// PASS, and who needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass<'a> {
    /// Whoever asks has verified passes itself, as a gateway does for its batches.
    Vouched,
    /// None, or no ID that it could be of.
    Missing,
    Shown(&'a [u8]),
}

/// `FLASHSALE.CHECKOUT`.
#[derive(Clone, Copy, Debug)]
pub struct Checkout<'a> {
    pub id: Key<'a>,
    /// Insists on whose reservation it is.
    pub user: Option<Spelling<'a>>,
    pub reference: Option<&'a [u8]>,
    pub payload: Option<&'a [u8]>,
}

/// `FLASHSALE.REFUND`.
#[derive(Clone, Debug)]
pub struct RefundAsk<'a> {
    pub id: Key<'a>,
    /// Insists on whose order it is.
    pub user: Option<Spelling<'a>>,
    /// `None`: all that is left. `Ask::Qty` is QTY, for orders of one SKU.
    pub ask: Option<Ask<'a>>,
    /// UNITS: these units come back; `ask` is `None` then.
    pub units: &'a [&'a [u8]],
    /// Always there when `ask` or `units` are.
    pub reference: Option<&'a [u8]>,
    pub no_restock: bool,
    pub restore_limit: bool,
}

/// `FLASHSALE.RESTOCK`.
#[derive(Clone, Debug)]
pub struct Restock<'a> {
    pub ask: RestockAsk<'a>,
    /// Unknown SKUs with positive deltas become new items.
    pub new: bool,
    pub reference: Option<&'a [u8]>,
}

/// `FLASHSALE.RESTOCK key UNITS sku count unit ...`.
#[derive(Clone, Copy, Debug)]
pub struct RestockUnits<'a> {
    pub sku: &'a [u8],
    /// Each of 1 to [`UNIT_BYTES_MAX`](crate::sale::book::named::UNIT_BYTES_MAX) bytes of UTF-8,
    /// which is checked before.
    pub names: &'a [&'a [u8]],
    /// The names are shown only to whoever has bought them.
    pub sealed: bool,
    /// An unknown SKU becomes a new item.
    pub new: bool,
    /// The units go off sale instead; takes no SEALED and no NEW.
    pub withdraw: bool,
    pub reference: Option<&'a [u8]>,
}

/// `{delta | ITEMS count sku delta ...}`; no delta is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestockAsk<'a> {
    Delta(i64),
    Items(Vec<(&'a [u8], i64)>),
}

/// What configuration allows, read when the request is decided.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `max-reservations`: open, sold and remembered together.
    pub reservations_max: usize,
    /// `max-items`.
    pub items_max: usize,
    /// `max-units`: units with names, withdrawn ones among them.
    pub units_max: usize,
}
