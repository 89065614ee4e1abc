//! A flash sale as a pure state machine.
//!
//! Requests come in parsed, with the time, the ids and the bounds of configuration
//! as arguments. A `plan_*` function decides and changes nothing: it returns the
//! [`Event`] that is to happen, or the [`Answer`] why nothing does. [`Sale::apply`]
//! carries an event out and cannot fail. The primary, a replica, an AOF replay and
//! the tests all run exactly this code.
//!
//! Edge: no Redis, no clock, no randomness, no float, no log. Tests include this
//! folder by path, so it stops compiling the day that changes. The secret key that
//! names are hashed with comes in as a [`Hasher`]; no decision, event or snapshot
//! depends on it.
//!
//! # Invariants
//!
//! 1. For each item, units only move between available, reserved and sold. Only a
//!    restock or a refund without restock changes their sum, `total`, and with it `base`.
//! 2. An item's `reserved` equals what the open reservations say about it, its
//!    `sold` what the orders say, net of refunds.
//! 3. No change takes a user above USERLIMIT or ITEMLIMIT, or the sale above
//!    SALELIMIT.
//! 4. Each open reservation stands exactly once among the deadlines, each expired one
//!    within its grace exactly once among the late, each released one and each one that
//!    expired for good exactly once among the ended.
//! 5. An id has one user and one set of units for as long as it is known.
//! 6. The sum of all `total` is at most 2^53 - 1.
//!
//! [`Sale::audit`] recounts 1, 2, 4 and 6 from the reservations up, [`OrderAudit`] holds
//! the orders against the stream's entries.
//!
//! | Question | File |
//! |---|---|
//! | what is asked, answered, recorded | `request.rs`, `answer.rs`, `event.rs` |
//! | where does a refusal come from | `plan_*.rs` |
//! | what does an event do | `apply.rs`; may a replayed one: `check.rs` |
//! | what is kept | `state.rs`, `items.rs`, `users.rs`, `reservations.rs`, `deadlines.rs`, `refunds.rs` |
//! | what is read | `views.rs` |
//! | does it add up, and agree with the stream | `audit.rs`, `audit_orders.rs` |
//! | what is on disk and on the wire | `codec.rs`, `event_codec.rs`, `snapshot.rs`, `loader*.rs` |

mod answer;
mod apply;
mod audit;
mod audit_fixture;
mod audit_orders;
mod cart;
mod check;
mod codec;
mod deadlines;
mod event;
mod event_codec;
mod hash;
mod index;
mod items;
mod loader;
mod loader_chains;
mod name;
mod options;
mod plan_expiry;
mod plan_manage;
mod plan_order;
mod plan_refund;
mod plan_reserve;
mod refunds;
mod request;
mod reservation;
mod reservations;
mod restock_refs;
mod slab;
mod snapshot;
mod state;
mod units;
mod users;
mod views;
mod work;

pub use public::*;

/// What others may name. Tests and examples that include this folder name more of it
/// than the module does.
#[allow(unused_imports)]
mod public {
    pub use super::answer::{Answer, Which};
    pub use super::apply::Applied;
    pub use super::audit::Differences;
    pub use super::audit_orders::{OrderAudit, OrderCount, OrderEntry, StreamState};
    pub use super::check::Divergence;
    pub use super::codec::CodecError;
    pub use super::event::{Change, Created, Event, Forgets, MarkId, Order, Refund, StockDelta};
    pub use super::event_codec::{decode_event, encode_event};
    pub use super::hash::Hasher;
    pub use super::items::{StockChange, StockChanges};
    pub use super::loader::Loader;
    pub use super::name::{Key, Name, NameBuffer, Spelling};
    pub use super::options::{Changes, Options};
    pub use super::plan_manage::CreateAsk;
    pub use super::request::{
        Ask, AskLines, Bounds, Checkout, RefundAsk, Reserve, Restock, RestockAsk,
    };
    pub use super::reservation::Slot;
    pub use super::snapshot::{digest, save};
    pub use super::state::{Sale, Time};
    pub use super::units::{
        EntryId, INTEGER_MAX, ItemIndex, Line, Lines, MARK_BYTES_MAX, MOMENT_MS_MAX,
        NAME_BYTES_MAX, ORDERS_BYTES_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_LEVELS_MAX, SKU_BYTES_MAX,
        SKU_DEFAULT, WINDOW_MS_MAX, WINDOW_MS_MIN, units_of,
    };
    pub use super::views::{InfoView, ItemView, Phase, State, UserView, View};
    #[cfg(test)]
    pub use super::work::steps_of;
}

/// What a plan returns: the event that is to happen, or why nothing does.
pub type Plan<'a> = Result<Event<'a>, Answer>;
