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
    /// Always there when `ask` is.
    pub reference: Option<&'a [u8]>,
    pub no_restock: bool,
    pub restore_limit: bool,
}

/// `FLASHSALE.IMPORT`.
#[derive(Clone, Debug)]
pub struct Import<'a> {
    pub user: Key<'a>,
    pub ask: Ask<'a>,
    pub id: Key<'a>,
    /// AT: when it was sold, in Unix milliseconds.
    pub sold_at_ms: u64,
    pub reference: Option<&'a [u8]>,
    pub payload: Option<&'a [u8]>,
}

/// `FLASHSALE.GIVE`.
#[derive(Clone, Copy, Debug)]
pub struct Give<'a> {
    /// The share id of the sale that gives.
    pub from: u128,
    /// The share id of the sale that the units are for.
    pub to: u128,
    /// Units given in all.
    pub total: u64,
    /// `None`: what a bare quantity means.
    pub sku: Option<&'a [u8]>,
    /// MOST: as many as there are.
    pub most: bool,
    /// OWING: all, whether they are there or not.
    pub owes: bool,
    /// CONFIRM: an event says so in any case.
    pub confirms: bool,
}

/// `FLASHSALE.TAKE`.
#[derive(Clone, Copy, Debug)]
pub struct Take<'a> {
    /// The share id of the sale that gave.
    pub from: u128,
    /// The share id of the sale that takes.
    pub to: u128,
    /// Units taken in all.
    pub total: u64,
    /// `None`: what a bare quantity means.
    pub sku: Option<&'a [u8]>,
}

/// `FLASHSALE.RESTOCK`.
#[derive(Clone, Debug)]
pub struct Restock<'a> {
    pub ask: RestockAsk<'a>,
    /// Unknown SKUs with deltas of 0 or more become new items.
    pub new: bool,
    pub reference: Option<&'a [u8]>,
}

/// `{delta | ITEMS count sku delta ...}`; a delta of 0 only with NEW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestockAsk<'a> {
    Delta(i64),
    Items(Vec<(&'a [u8], i64)>),
}

impl RestockAsk<'_> {
    /// Is every delta 0, so that items are to be known and nothing else?
    pub fn is_of_nothing(&self) -> bool {
        match self {
            RestockAsk::Delta(delta) => *delta == 0,
            RestockAsk::Items(asked) => asked.iter().all(|&(_, delta)| delta == 0),
        }
    }
}

/// What configuration allows, read when the request is decided.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `max-reservations`: open, sold and remembered together.
    pub reservations_max: usize,
    /// `max-items`.
    pub items_max: usize,
}
