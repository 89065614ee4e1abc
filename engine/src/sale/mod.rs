//! A flash sale as a pure state machine.
//!
//! Requests come in parsed, with the time, the ids and the bounds of configuration
//! as arguments. A `plan_*` function decides and changes nothing: it returns the
//! [`Event`] that is to happen, or the [`Answer`] why nothing does. [`Sale::apply`]
//! carries an event out and cannot fail. The primary, a replica, an AOF replay and
//! the tests all run exactly this code.
//!
//! Edge: no Redis, no clock, no randomness, no float, no log. The secret key that names are
//! hashed with comes in as a [`Hasher`]; no decision, event or snapshot depends on it.
//!
//! # Invariants
//!
//! 1. For each item, `available + reserved + sold = total + owed`, and `total = base + taken -
//!    given`. An item that owes has none available. Only a restock or a refund without restock
//!    changes `base`.
//! 2. An item's `reserved` equals what the open reservations say about it, its
//!    `sold` what the orders say, net of refunds.
//! 3. No change takes a user above USERLIMIT or ITEMLIMIT, or the sale above
//!    SALELIMIT, but an order that was sold elsewhere.
//! 4. Each open reservation stands exactly once among the deadlines, each expired one
//!    within its grace exactly once among the late, each released one and each one that
//!    expired for good exactly once among the ended.
//! 5. An id has one user and one set of units for as long as it is known.
//! 6. The sum of all units, available, reserved and sold, is at most 2^53 - 1.
//!
//! 7. A user has at most one place in line, and an id is a place or a reservation, never both.
//! 8. Nobody gets units before a smaller place of the same line that was present and within
//!    the limits.
//! 9. While people wait for an item, nobody else gets a unit of it: not by RESERVE, BUY, or a
//!    CHECKOUT within GRACE.
//!
//! 10. A unit with a name is free, withdrawn, or in exactly one reservation (open or sold);
//!     `available` of an item whose units have names, and are not sealed, is the number of its
//!     free units.
//! 11. No sealed unit is named before it is sold; none is given out twice; those not given out
//!     are `available + reserved`.
//!
//! 12. The `seq` of waiting entries ascend, and none is above the sale's.
//!
//! [`Sale::audit`] recounts 1, 2, 4, 6, 7 and 10 to 12 from the reservations up, [`OrderAudit`] holds
//! the orders against the stream's entries. [`Sale::fault`] looks after each change whether
//! 1, 2, 4, 6 and 10 can hold, as far as that takes no recount.
//!
//! | Question | File |
//! |---|---|
//! | what is asked, and answered | `ask/` |
//! | where does a refusal come from | `plan/`; of passes `plan/pass.rs` |
//! | what happened, and what it does | `event/`: `mod.rs`, `apply.rs`; may a replayed one: `check.rs` |
//! | which entries are queued for the stream, and told | `event/queue.rs`, `event/record.rs`, `event/told.rs` |
//! | what is kept | `state.rs`, `book/` |
//! | which units have names, which are free and who has them | `book/named.rs`, `book/rows.rs` |
//! | which units a buyer gets | `plan/choose.rs`, `plan/units.rs`, `plan/refund_units.rs`, `plan/restock_units.rs` |
//! | who waits in line, and who was heard from | `book/waiting/`, `presence.rs` |
//! | who has tried how often | `attempts.rs` |
//! | what becomes of a sale that breaks an invariant | `broken.rs` |
//! | what is read | `views.rs`, `views_line.rs`, `views_share.rs` |
//! | what moves between sales, and what a part of a split sale says | `book/shares.rs`, `plan/share.rs`; `book/rest.rs`, `plan/part.rs` |
//! | which orders come from elsewhere | `plan/import.rs` |
//! | does it add up, and agree with the stream | `audit/` |
//! | what is on disk and on the wire | `disk/`, `event/codec.rs`, `event/order_codec.rs`, `event/container.rs`, `event/parts.rs`, `event/units_codec.rs` |

pub(crate) mod ask;
pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod book;
mod broken;
pub(crate) mod disk;
pub(crate) mod event;
pub(crate) mod plan;
pub(crate) mod presence;
pub(crate) mod state;
pub(crate) mod units;
pub(crate) mod views;
pub(crate) mod views_line;
pub(crate) mod views_share;
pub(crate) mod views_units;

pub use crate::table::hash::Hasher;
pub use crate::table::name::{Key, NAME_BYTES_MAX, Name, NameBuffer, Spelling};
pub use crate::wire::CodecError;
pub use ask::answer::{Answer, ThrottledBy, Which};
pub use ask::request::{
    Ask, AskLines, Bounds, Checkout, Give, Import, Pass, RefundAsk, Reserve, Restock, RestockAsk,
    RestockUnits, Take,
};
pub use attempts::Attempts;
pub use audit::Differences;
pub use audit::orders::{OrderAudit, OrderCount, OrderEntry, StreamState};
pub use book::attempt_rate::AttemptRate;
pub use book::items::{Stock, StockChange, StockChanges};
pub use book::named::{RESTOCK_UNITS_MAX, UNIT_BYTES_MAX, UnitList, UnitNumber};
pub use book::options::{Changes, Events, NUMBER_NAMES, Options};
pub use book::outbox::{Hole, Outbox, OutboxCounts};
pub use book::pace::PaceRate;
pub use book::passkeys::PassKeys;
pub use book::reservation::Slot;
pub use book::shares::{PEERS_MAX, Way};
pub use book::waiting::draw::{Draw, Seed};
pub use book::waiting::{LastDraw, LineCounts, Moves, Place, PlaceSlot, Waiting};
pub use disk::loader::Loader;
pub use disk::snapshot::{digest, save};
pub use event::apply::Applied;
pub use event::check::Divergence;
pub use event::codec::{decode_event, encode_event};
pub use event::container::{Container, ContainerWriter};
pub use event::facts::Deed;
pub use event::record::{Alterations, News, Record, ReservationEvent};
pub use event::told::{Told, ToldWriter};
pub use event::{
    Change, Created, Event, Forgets, Given, Granted, Imported, NamedRestock, Order, Pending,
    Refund, StockDelta, Taken,
};
pub use plan::batch::{Batch, Budget, Carrier, Entry};
pub use plan::manage::CreateAsk;
pub use plan::pass::{make as make_pass, verify as verify_pass};
pub use presence::Presence;
pub use state::{MarkId, Sale, Time};
pub use units::{
    EntryId, GROUP_BYTES_MAX, INTEGER_MAX, ItemIndex, Line, Lines, MARK_BYTES_MAX, MOMENT_MS_MAX,
    ORDERS_BYTES_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_LEVELS_MAX, SKU_BYTES_MAX, SKU_DEFAULT,
    WINDOW_MS_MAX, WINDOW_MS_MIN, units_of,
};
pub use views::{InfoView, ItemView, Phase, State, Terms, UserView, View, Wait};
pub use views_line::{PlaceCursor, WaitTerms};
pub use views_share::{RefundView, ShareView};
pub use views_units::{ItemKind, UnitState, UnitView};

/// What a plan returns: the event that is to happen, or why nothing does.
pub type Plan<'a> = Result<Event<'a>, Answer>;

/// What a plan of an order or a refund returns: its entry has to be appended first.
pub type OrderPlan<'a> = Result<Pending<'a>, Answer>;
