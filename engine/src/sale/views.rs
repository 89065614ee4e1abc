//! What the read commands see.
//!
//! Edge: reads only, and no clock but for [`Sale::info`]: an overdue reservation is
//! `reserved` until an event says otherwise, on a replica as on the primary.

use crate::sale::book::items::Stock;
use crate::sale::book::options::Options;
use crate::sale::book::outbox::Outbox;
use crate::sale::book::reservation::{Reservation, Slot, Status};
use crate::sale::book::waiting::PlaceSlot;
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, INTEGER_MAX, ItemIndex, Line, Lines, USER_IDS_MAX, one_line};
use crate::table::name::{Key, Name, NameBuffer, Spelling};

/// The state of a reservation, as GET and SCAN name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Reserved,
    Sold,
    Refunded,
    Released,
    Expired,
    Waiting,
}

impl State {
    /// Every state, in the order of the reference.
    pub const ALL: [State; 6] = [
        State::Reserved,
        State::Sold,
        State::Refunded,
        State::Released,
        State::Expired,
        State::Waiting,
    ];

    pub fn word(self) -> &'static str {
        match self {
            State::Reserved => "reserved",
            State::Sold => "sold",
            State::Refunded => "refunded",
            State::Released => "released",
            State::Expired => "expired",
            State::Waiting => "waiting",
        }
    }
}

impl Reservation<'_> {
    pub(crate) fn state(self) -> State {
        match self.status() {
            Status::Open => State::Reserved,
            Status::Sold if self.is_refunded() => State::Refunded,
            Status::Sold => State::Sold,
            Status::Released => State::Released,
            Status::InGrace | Status::Expired => State::Expired,
        }
    }
}

/// One item with its stock, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemView<'s> {
    pub sku: &'s [u8],
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
    /// Units the sale has: those three, less what it owes.
    pub total: i64,
    pub owed: u64,
}

impl<'s> ItemView<'s> {
    fn new(sku: &'s [u8], stock: Stock, owed: u64) -> ItemView<'s> {
        let Stock {
            available,
            reserved,
            sold,
        } = stock;
        ItemView {
            sku,
            available,
            reserved,
            sold,
            total: total_of(stock, owed),
            owed,
        }
    }
}

/// Units there are, less those that are owed; neither is above 2^53 - 1.
fn total_of(stock: Stock, owed: u64) -> i64 {
    stock
        .units()
        .cast_signed()
        .saturating_sub(owed.cast_signed())
}

/// A reservation, whole.
pub struct View<'s> {
    id: Spelling<'s>,
    user: Option<Spelling<'s>>,
    reference: Option<&'s Name>,
    pub state: State,
    /// Each item once, in the order first asked for; empty for an id never seen.
    pub lines: Lines,
    /// They were many, and `lines` are not kept any more.
    pub is_shortened: bool,
    /// Units refunded, by line; empty when there is no refund.
    pub refunded: &'s [u64],
    pub reserved_at_ms: Option<u64>,
    pub expires_at_ms: Option<u64>,
    pub sold_at_ms: Option<u64>,
    pub released_at_ms: Option<u64>,
    /// The stream entry of the order.
    pub order: Option<EntryId>,
    /// Of an id that waits.
    pub wait: Option<Wait>,
}

/// Where somebody stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The number in the line; it may change until the draw.
    pub number: u64,
    /// Places in front, at most; `None` before the draw.
    pub ahead: Option<u64>,
}

impl View<'_> {
    pub fn id<'b>(&'b self, buffer: &'b mut NameBuffer) -> &'b [u8] {
        self.id.bytes(buffer)
    }

    #[inline]
    pub fn user<'b>(&'b self, buffer: &'b mut NameBuffer) -> Option<&'b [u8]> {
        self.user.map(|user| user.bytes(buffer))
    }

    /// The REF of the checkout.
    pub fn reference(&self) -> Option<&[u8]> {
        self.reference.map(Name::bytes)
    }
}

/// What the reply to a reservation says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its deadline, in Unix milliseconds.
    pub expires_at_ms: u64,
    /// The fewest units available of any of its items.
    pub remaining: u64,
    /// Units its user may still reserve, `None` without USERLIMIT.
    pub user_remaining: Option<u64>,
}

/// What one user has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserView {
    /// Units in open reservations.
    pub reserved: u64,
    /// Units bought, net of refunds.
    pub sold: u64,
    /// Units counted against USERLIMIT.
    pub counted: u64,
    /// `None` without USERLIMIT.
    pub remaining: Option<u64>,
    /// Open reservations.
    pub open: u64,
    /// The oldest open ones, at most 100.
    pub slots: Vec<Slot>,
}

/// Whether a sale sells, as INFO names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Scheduled,
    Open,
    Paused,
    Ended,
    Closed,
    /// This copy missed a change of its primary, and does not sell.
    Diverged,
}

impl Phase {
    pub fn word(self) -> &'static str {
        match self {
            Phase::Scheduled => "scheduled",
            Phase::Open => "open",
            Phase::Paused => "paused",
            Phase::Ended => "ended",
            Phase::Closed => "closed",
            Phase::Diverged => "diverged",
        }
    }
}

/// Every field of `FLASHSALE.INFO`.
#[derive(Clone, Debug)]
pub struct InfoView<'s> {
    pub sale_id: u128,
    pub share_id: u128,
    pub orders: &'s [u8],
    pub phase: Phase,
    pub now_ms: u64,
    pub created_at_ms: u64,
    pub paused_at_ms: Option<u64>,
    pub closed_at_ms: Option<u64>,
    pub options: &'s Options,
    pub items: u64,
    pub total: i64,
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
    pub owed: u64,
    pub refunded: u64,
    pub users: u64,
    pub reservations_open: u64,
    pub reservations_remembered: u64,
    /// Entries that wait to be written to the order stream.
    pub events_waiting: u64,
    /// Entries that were dropped, for good.
    pub events_lost: u64,
    /// Of the newest entry; `None` if `EVENTS all` was never asked for.
    pub seq: Option<u64>,
    pub memory_bytes: u64,
}

fn some_moment(at_ms: u64) -> Option<u64> {
    (at_ms != 0).then_some(at_ms)
}

impl Sale {
    /// Everything about a reservation, `None` for a slot that is not in use.
    pub fn view(&self, slot: Slot) -> Option<View<'_>> {
        let record = self.record(slot)?;
        let order = record.order();
        Some(View {
            id: record.id(),
            user: self.users.name(record.user()),
            reference: order.and_then(|order| order.reference.as_ref()),
            state: record.state(),
            lines: record.lines(),
            is_shortened: record.digest().is_some(),
            refunded: order.map_or(&[], |order| order.refunded()),
            reserved_at_ms: some_moment(record.reserved_at_ms()),
            expires_at_ms: some_moment(record.expires_at_ms()),
            sold_at_ms: order.map(|order| order.sold_at_ms),
            released_at_ms: (record.status() == Status::Released).then_some(record.ended_at_ms()),
            order: order.map(|order| order.entry),
            wait: None,
        })
    }

    /// Everything about an id that waits.
    pub fn view_of_place(&self, slot: PlaceSlot) -> Option<View<'_>> {
        let place = self.place(slot)?;
        Some(View {
            id: place.id,
            user: Some(place.user),
            reference: None,
            state: State::Waiting,
            lines: one_line(place.item, place.qty),
            is_shortened: false,
            refunded: &[],
            reserved_at_ms: None,
            expires_at_ms: None,
            sold_at_ms: None,
            released_at_ms: None,
            order: None,
            wait: Some(Wait {
                number: place.number,
                ahead: self.ahead_of(place),
            }),
        })
    }

    /// Whose reservation it is and what is in it, `None` for an unknown id.
    #[inline]
    pub fn user_and_lines(&self, id: Key<'_>) -> Option<(Option<Spelling<'_>>, Lines)> {
        let record = self.record(self.find(id)?)?;
        Some((self.users.name(record.user()), record.lines()))
    }

    /// What the reply to a reservation says of it.
    #[inline]
    pub fn terms(&self, slot: Slot) -> Terms {
        let Some(record) = self.record(slot) else {
            return Terms {
                expires_at_ms: 0,
                remaining: 0,
                user_remaining: self.options.user_limit,
            };
        };
        let counted = self.users.sums(record.user()).counted;
        self.terms_made(counted, &record.lines(), record.expires_at_ms())
    }

    /// The same for a reservation that was just made, of these lines and until this moment,
    /// by a user with so many units that count: less is looked up.
    #[inline(always)]
    pub fn terms_made(&self, counted: u64, lines: &[Line], expires_at_ms: u64) -> Terms {
        let available = lines
            .iter()
            .map(|line| self.items.stock(line.item).available);
        Terms {
            expires_at_ms,
            remaining: available.min().unwrap_or(0),
            user_remaining: self.options.user_remaining(counted),
        }
    }

    /// Where a SKU stands among the items.
    pub fn find_item(&self, sku: &[u8]) -> Option<ItemIndex> {
        self.items.find(sku)
    }

    #[inline]
    pub fn item(&self, item: ItemIndex) -> ItemView<'_> {
        let owed = self.items.owed(item);
        ItemView::new(self.items.sku(item), self.items.stock(item), owed)
    }

    /// All items, in the order they were made.
    pub fn items(&self) -> impl Iterator<Item = ItemView<'_>> {
        let items = (0..).zip(self.items.iter());
        items.map(|(item, (sku, stock, _))| ItemView::new(sku, stock, self.items.owed(item)))
    }

    /// Number of items.
    pub fn items_len(&self) -> usize {
        self.items.len()
    }

    /// What a user has; zeros for an unknown one.
    pub fn user(&self, name: &[u8]) -> UserView {
        let limit = self.options.user_limit;
        let Some(user) = self.users.find(self.key(name)) else {
            return UserView {
                remaining: limit,
                ..UserView::default()
            };
        };
        let sums = self.users.sums(user);
        let chain = self.reservations.iter_chain(self.users.chain(user));
        UserView {
            reserved: sums.reserved,
            sold: sums.sold,
            counted: sums.counted,
            remaining: self.options.user_remaining(sums.counted),
            open: u64::from(sums.open),
            slots: chain.map(|(slot, _)| slot).take(USER_IDS_MAX).collect(),
        }
    }

    /// Visits known reservations from slot `cursor` on, looking at `count` slots, and
    /// returns the next cursor, 0 at the end.
    ///
    /// A reservation that is known during the whole of a scan keeps its slot, so it is
    /// visited exactly once; others may be or not.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        state: Option<State>,
        visit: &mut dyn FnMut(Slot),
    ) -> u64 {
        let slots = self.reservations.slots() as u64;
        let end = cursor.saturating_add(count as u64).min(slots);
        for slot in cursor..end {
            let slot = slot as Slot;
            let Some(record) = self.record(slot) else {
                continue;
            };
            if state.is_none_or(|state| record.state() == state) {
                visit(slot);
            }
        }
        if end >= slots { 0 } else { end }
    }

    /// Number of reservations in any state.
    pub fn reservations_known(&self) -> u64 {
        self.reservations.len() as u64
    }

    /// Number of users with a reservation in any state.
    pub fn users_known(&self) -> u64 {
        self.users.len() as u64
    }

    /// Number of open reservations.
    #[inline]
    pub fn reservations_open(&self) -> u64 {
        self.reservations.deadlines().len() as u64
    }

    /// Whether the sale sells at this moment.
    pub fn phase(&self, now_ms: u64) -> Phase {
        if self.why_diverged().is_some() {
            Phase::Diverged
        } else if self.closed_at_ms.is_some() {
            Phase::Closed
        } else if self.ended_at_ms(now_ms).is_some() {
            Phase::Ended
        } else if self
            .options
            .start_at_ms
            .is_some_and(|start_at_ms| now_ms < start_at_ms)
        {
            Phase::Scheduled
        } else if self.paused_at_ms.is_some() {
            Phase::Paused
        } else {
            Phase::Open
        }
    }

    /// Everything INFO tells; `clock_ms` is the server's.
    pub fn info(&self, clock_ms: u64) -> InfoView<'_> {
        let now_ms = self.time(clock_ms).now_ms.min(INTEGER_MAX);
        let totals = self.items.totals();
        let outbox = self.outbox.as_deref();
        let counts = outbox.map(Outbox::counts);
        InfoView {
            sale_id: self.sale_id,
            share_id: self.share_id(),
            orders: &self.orders,
            phase: self.phase(now_ms),
            now_ms,
            created_at_ms: self.created_at_ms,
            paused_at_ms: self.refuses_since_ms(),
            closed_at_ms: self.closed_at_ms,
            options: &self.options,
            items: self.items.len() as u64,
            total: total_of(totals, self.owed()),
            available: totals.available,
            reserved: totals.reserved,
            sold: totals.sold,
            owed: self.owed(),
            refunded: self.refunded,
            users: self.users.len() as u64,
            reservations_open: self.reservations_open(),
            reservations_remembered: self.reservations.remembered_len() as u64,
            events_waiting: outbox.map_or(0, |outbox| outbox.waiting() as u64),
            events_lost: counts.map_or(0, |counts| counts.lost),
            seq: counts.map(|counts| counts.seq),
            memory_bytes: self.memory_bytes() as u64,
        }
    }
}
