//! One reservation, as the tables keep it.
//!
//! Most of a sale's memory is records, and most of the time a call takes is fetching
//! them, so a record is 52 bytes: what nearly all of them need, packed. What few have -
//! a long id, several lines, an order, a deadline weeks away - is kept aside.
//!
//! Edge: a record and small questions about it; where it stands among others is
//! `reservations.rs`, what happens to it `apply.rs`.

use std::collections::BTreeMap;

use crate::sale::book::cart::{Carts, LinesDigest, PackedCart, are_same_units, digest_lines};
use crate::sale::book::refunds::{RefundRecord, Refunds};
use crate::sale::book::users::UserSlot;
use crate::sale::units::{EntryId, ItemIndex, Line, Lines};
use crate::table::hash::Hasher;
use crate::table::name::{Key, Name, Names, PackedName, Spelling};
use crate::table::slab::{NONE, Slab, SlotNumber};

/// The number of a reservation in its sale, stable while its id is known.
pub type Slot = SlotNumber;

/// Where a record stands in a doubly linked list.
#[derive(Clone, Copy)]
pub struct Links {
    pub previous: Slot,
    pub next: Slot,
}

impl Links {
    pub const NOWHERE: Links = Links {
        previous: NONE,
        next: NONE,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Open,
    /// An order, also one that is wholly refunded.
    Sold,
    Released,
    /// Past its deadline and within its grace: it may still become an order.
    InGrace,
    /// Expired for good.
    Expired,
}

impl Status {
    /// Can it never become an order?
    pub fn is_final(self) -> bool {
        matches!(self, Status::Released | Status::Expired)
    }
}

/// The lines of a reservation, or what is left of them.
#[derive(Clone, Copy)]
pub enum CartOf<'a> {
    /// Each item once; none for an id that was released before it was seen.
    Lines(&'a [Line]),
    /// What stands for the lines of a large cart that can never become an order.
    Digest(LinesDigest),
}

/// There never was a deadline.
const NO_DEADLINE: u32 = u32::MAX;
/// The deadline does not fit, and is kept aside.
const FAR_DEADLINE: u32 = u32::MAX - 1;

/// A reservation in its table, from its making until its id is forgotten.
pub struct Packed {
    id: PackedName,
    status: Status,
    /// The moment of its making, in six bytes: enough until the year 10889.
    reserved_at_low: u32,
    reserved_at_high: u16,
    pub(crate) user: UserSlot,
    cart: PackedCart,
    /// From the making to the deadline, in milliseconds.
    hold_ms: u32,
    /// Where it stands in the queue of its status: among the deadlines, the late or the
    /// ended. An order stands in none.
    pub(crate) in_queue: Links,
    /// What only its status needs. Open: where it stands in its user's chain. Sold: the
    /// slot of its order, twice. Released: when, in two halves.
    pub(crate) own: Links,
}

impl Packed {
    #[inline]
    fn reserved_at_ms(&self) -> u64 {
        u64::from(self.reserved_at_high) << 32 | u64::from(self.reserved_at_low)
    }
}

/// What does not fit into the records.
pub struct Aside {
    names: Names,
    carts: Carts,
    orders: Slab<OrderRecord>,
    /// Heap bytes the orders point to.
    order_bytes: usize,
    far_deadlines: BTreeMap<Slot, u64>,
}

impl Aside {
    pub fn new() -> Aside {
        Aside {
            names: Names::new(),
            carts: Carts::new(),
            orders: Slab::new(),
            order_bytes: 0,
            far_deadlines: BTreeMap::new(),
        }
    }

    #[inline]
    pub fn is_id(&self, record: &Packed, id: Spelling<'_>) -> bool {
        self.names.is(&record.id, id)
    }

    /// Packs a new record; where it will be kept, and stand in its queue, is known already.
    #[inline(always)]
    pub fn pack(
        &mut self,
        slot: Slot,
        new: &NewReservation<'_>,
        order: Option<OrderRecord>,
        in_queue: Links,
    ) -> Packed {
        let mut record = Packed {
            id: self.names.pack(new.id.spelling()),
            status: new.status,
            reserved_at_low: new.reserved_at_ms as u32,
            reserved_at_high: (new.reserved_at_ms >> 32) as u16,
            user: new.user,
            cart: match new.cart {
                CartOf::Lines(lines) => self.carts.pack(lines),
                CartOf::Digest(digest) => self.carts.pack_digest(digest),
            },
            hold_ms: NO_DEADLINE,
            in_queue,
            own: self.own_links(new.status, new.ended_at_ms, order),
        };
        if new.status.is_final() {
            record.cart = self.carts.shorten(record.cart);
        }
        self.set_deadline(slot, &mut record, new.expires_at_ms);
        record
    }

    /// A record is kept no longer.
    pub fn remove(&mut self, slot: Slot, record: Packed) {
        self.drop_order(&record);
        self.names.remove(record.id);
        self.carts.remove(record.cart);
        if record.hold_ms == FAR_DEADLINE {
            self.far_deadlines.remove(&slot);
        }
    }

    #[inline(always)]
    pub fn set_deadline(&mut self, slot: Slot, record: &mut Packed, expires_at_ms: u64) {
        if record.hold_ms == FAR_DEADLINE {
            self.far_deadlines.remove(&slot);
        }
        // As a large number where the deadline comes first.
        let hold_ms = expires_at_ms.wrapping_sub(record.reserved_at_ms());
        record.hold_ms = if expires_at_ms == 0 {
            NO_DEADLINE
        } else if hold_ms < FAR_DEADLINE.into() {
            hold_ms as u32
        } else {
            self.far_deadlines.insert(slot, expires_at_ms);
            FAR_DEADLINE
        };
    }

    /// Gives a record another status and what belongs to it. An open one stands in no
    /// chain yet.
    pub fn set_state(
        &mut self,
        record: &mut Packed,
        status: Status,
        ended_at_ms: u64,
        order: Option<OrderRecord>,
    ) {
        self.drop_order(record);
        record.status = status;
        if status.is_final() {
            record.cart = self.carts.shorten(record.cart);
        }
        record.own = self.own_links(status, ended_at_ms, order);
    }

    /// What belongs to a status, in the place of links.
    #[inline(always)]
    fn own_links(&mut self, status: Status, ended_at_ms: u64, order: Option<OrderRecord>) -> Links {
        match order {
            None if status == Status::Open => Links::NOWHERE,
            Some(order) => {
                self.order_bytes += order.heap_bytes();
                let slot = self.orders.insert(order);
                Links {
                    previous: slot,
                    next: slot,
                }
            }
            None if status == Status::Released => Links {
                previous: ended_at_ms as u32,
                next: (ended_at_ms >> 32) as u32,
            },
            None => Links::NOWHERE,
        }
    }

    fn drop_order(&mut self, record: &Packed) {
        if record.status == Status::Sold
            && let Some(order) = self.orders.remove(record.own.next)
        {
            self.order_bytes -= order.heap_bytes();
        }
    }

    /// Changes the order of a record. O(1) beside the change itself.
    pub fn change_order(&mut self, record: &Packed, change: impl FnOnce(&mut OrderRecord)) {
        if record.status == Status::Sold
            && let Some(order) = self.orders.get_mut(record.own.next)
        {
            self.order_bytes -= order.heap_bytes();
            change(order);
            self.order_bytes += order.heap_bytes();
        }
    }

    /// Heap bytes of everything kept aside.
    pub fn heap_bytes(&self) -> usize {
        self.names.heap_bytes()
            + self.carts.heap_bytes()
            + self.orders.heap_bytes()
            + self.order_bytes
            // As a B-tree keeps them, at its usual filling.
            + self.far_deadlines.len() * 2 * size_of::<(Slot, u64)>()
    }
}

/// A reservation that is to be kept; what was sold has an order besides.
pub struct NewReservation<'a> {
    pub id: Key<'a>,
    /// [`NONE`] for an id that was released before it was seen, by nobody in particular.
    pub user: UserSlot,
    pub status: Status,
    pub cart: CartOf<'a>,
    /// 0 for an id that was released before it was seen.
    pub reserved_at_ms: u64,
    /// 0 when there never was a deadline.
    pub expires_at_ms: u64,
    /// When it was released; else 0.
    pub ended_at_ms: u64,
}

impl NewReservation<'_> {
    /// As [`Reservation::queued_at_ms`].
    #[inline(always)]
    pub fn queued_at_ms(&self) -> u64 {
        match self.status {
            Status::Open | Status::InGrace | Status::Expired => self.expires_at_ms,
            Status::Released => self.ended_at_ms,
            Status::Sold => 0,
        }
    }
}

/// A reservation, as it is looked at.
#[derive(Clone, Copy)]
pub struct Reservation<'s> {
    slot: Slot,
    record: &'s Packed,
    aside: &'s Aside,
}

impl<'s> Reservation<'s> {
    #[inline]
    pub(crate) fn new(slot: Slot, record: &'s Packed, aside: &'s Aside) -> Reservation<'s> {
        Reservation {
            slot,
            record,
            aside,
        }
    }

    pub fn id(self) -> Spelling<'s> {
        self.aside.names.spelling(&self.record.id)
    }

    /// [`NONE`] for an id that was released before it was seen, by nobody in particular.
    #[inline]
    pub fn user(self) -> UserSlot {
        self.record.user
    }

    #[inline]
    pub fn status(self) -> Status {
        self.record.status
    }

    /// Each item once; empty for an id that was released before it was seen, and where a
    /// digest stands for the lines.
    #[inline]
    pub fn lines(self) -> Lines {
        self.aside.carts.lines(self.record.cart)
    }

    /// Is this item in the cart? O(lines), and copies none of them.
    pub fn has_item(self, item: ItemIndex) -> bool {
        self.aside.carts.has_item(self.record.cart, item)
    }

    /// What stands for the lines of a large cart that can never become an order.
    pub fn digest(self) -> Option<LinesDigest> {
        self.aside.carts.digest(self.record.cart)
    }

    /// Are these its units, in any order? Each item comes once in `lines`.
    pub fn has_units(self, lines: &[Line]) -> bool {
        match self.digest() {
            Some(digest) => digest == digest_lines(lines),
            None => are_same_units(&self.lines(), lines),
        }
    }

    /// How many lines there are. O(1).
    pub fn lines_len(self) -> usize {
        self.aside.carts.lines_len(self.record.cart)
    }

    /// What a checkout added.
    pub fn order(self) -> Option<&'s OrderRecord> {
        if self.record.status == Status::Sold {
            self.aside.orders.get(self.record.own.next)
        } else {
            None
        }
    }

    /// 0 for an id that was released before it was seen.
    pub fn reserved_at_ms(self) -> u64 {
        self.record.reserved_at_ms()
    }

    /// 0 when there never was a deadline.
    #[inline]
    pub fn expires_at_ms(self) -> u64 {
        match self.record.hold_ms {
            NO_DEADLINE => 0,
            FAR_DEADLINE => self
                .aside
                .far_deadlines
                .get(&self.slot)
                .copied()
                .unwrap_or(0),
            hold_ms => self.reserved_at_ms() + u64::from(hold_ms),
        }
    }

    /// When it was released, or its deadline when it expired; else 0.
    pub fn ended_at_ms(self) -> u64 {
        match self.record.status {
            Status::Released => {
                let Links { previous, next } = self.record.own;
                u64::from(next) << 32 | u64::from(previous)
            }
            Status::InGrace | Status::Expired => self.expires_at_ms(),
            Status::Open | Status::Sold => 0,
        }
    }

    /// The moment by which it stands in the queue of its status; 0 for an order, which
    /// stands in none.
    pub fn queued_at_ms(self) -> u64 {
        match self.record.status {
            Status::Open => self.expires_at_ms(),
            _ => self.ended_at_ms(),
        }
    }

    /// Units not refunded, by line of the cart.
    pub fn left(self) -> Lines {
        let mut lines = self.lines();
        let refunded = self.order().map_or(&[][..], OrderRecord::refunded);
        for (line, refunded) in lines.iter_mut().zip(refunded) {
            line.qty = line.qty.saturating_sub(*refunded);
        }
        lines
    }

    /// An order with nothing left to refund.
    pub fn is_refunded(self) -> bool {
        self.order()
            .is_some_and(|order| order.last_refund().is_some())
            && self.left().iter().all(|line| line.qty == 0)
    }

    /// Released before it was seen.
    pub fn is_unseen(self) -> bool {
        self.record.cart.is_empty()
    }
}

/// What a checkout adds.
pub struct OrderRecord {
    pub sold_at_ms: u64,
    pub entry: EntryId,
    pub reference: Option<Name>,
    /// `None` as long as there is no refund, which few orders have.
    refunds: Option<Box<Refunds>>,
}

impl OrderRecord {
    pub fn new(sold_at_ms: u64, entry: EntryId, reference: Option<Spelling<'_>>) -> OrderRecord {
        OrderRecord {
            sold_at_ms,
            entry,
            reference: reference.map(Name::new),
            refunds: None,
        }
    }

    /// Units refunded, by line of the cart; empty as long as there is no refund.
    pub fn refunded(&self) -> &[u64] {
        self.refunds.as_ref().map_or(&[], |refunds| refunds.units())
    }

    /// The refunds, in their order.
    pub fn refunds(&self) -> impl Iterator<Item = &RefundRecord> {
        self.refunds.iter().flat_map(|refunds| refunds.iter())
    }

    pub fn last_refund(&self) -> Option<&RefundRecord> {
        self.refunds.as_ref()?.last()
    }

    /// The refund with this REF. O(1).
    pub fn find_refund(&self, reference: &[u8], hasher: Hasher) -> Option<&RefundRecord> {
        self.refunds.as_ref()?.find(reference, hasher)
    }

    /// The refunds, to add one.
    pub(crate) fn refunds_mut(&mut self) -> &mut Refunds {
        self.refunds.get_or_insert_with(|| Box::new(Refunds::new()))
    }

    fn heap_bytes(&self) -> usize {
        let refunds = self.refunds.as_ref();
        self.reference.as_ref().map_or(0, Name::heap_bytes)
            + refunds.map_or(0, |refunds| size_of::<Refunds>() + refunds.heap_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    #[test]
    fn a_record_is_less_than_a_cache_line() {
        assert_eq!(size_of::<Packed>(), 52);
        assert_eq!(size_of::<Option<Packed>>(), 52);
    }

    #[test]
    fn what_is_forgotten_leaves_nothing_aside() {
        let line = |item| Line { item, qty: 1 };
        let entry = EntryId::default();
        let order = || Some(OrderRecord::new(1, entry, Some(Spelling::of(b"a REF"))));
        let mut aside = Aside::new();
        let mut sold = aside.pack(
            0,
            &NewReservation {
                id: HASHER.key(b"an id of more than sixteen bytes"),
                user: NONE,
                status: Status::Sold,
                cart: CartOf::Lines(&[line(1), line(2)]),
                reserved_at_ms: 1,
                expires_at_ms: 1 << 50,
                ended_at_ms: 0,
            },
            order(),
            Links::NOWHERE,
        );
        let with_order = aside.heap_bytes();
        aside.set_state(&mut sold, Status::Released, 5, None);
        assert_eq!((aside.orders.len(), aside.order_bytes), (0, 0));
        aside.set_state(&mut sold, Status::Sold, 0, order());
        assert_eq!(aside.heap_bytes(), with_order);
        let cart = aside.carts.heap_bytes();
        let names = aside.names.heap_bytes();
        aside.remove(0, sold);
        assert_eq!((aside.orders.len(), aside.order_bytes), (0, 0));
        assert!(aside.far_deadlines.is_empty());
        assert_eq!(cart - aside.carts.heap_bytes(), 2 * size_of::<Line>());
        assert_eq!(names - aside.names.heap_bytes(), 32);
    }

    #[test]
    fn gives_back_every_moment() {
        let mut aside = Aside::new();
        let far_ms = u64::from(u32::MAX);
        for (slot, (reserved_at_ms, expires_at_ms)) in [
            (0, 0),
            (1_765_000_000_000, 0),
            (1_765_000_000_000, 1_765_000_300_000),
            (1_765_000_000_000, 1_765_000_000_000),
            (1_765_000_000_000, 1_764_999_999_999),
            (1_765_000_000_000, 1_765_000_000_000 + far_ms - 2),
            (1_765_000_000_000, 1_765_000_000_000 + far_ms - 1),
            (1_765_000_000_000, (1 << 53) - 1),
            ((1 << 48) - 1, (1 << 48) + 5),
        ]
        .into_iter()
        .enumerate()
        {
            let slot = slot as Slot;
            let new = NewReservation {
                id: HASHER.key(b"id"),
                user: NONE,
                status: Status::Released,
                cart: CartOf::Lines(&[]),
                reserved_at_ms,
                expires_at_ms,
                ended_at_ms: expires_at_ms / 2,
            };
            let record = aside.pack(slot, &new, None, Links::NOWHERE);
            let seen = Reservation::new(slot, &record, &aside);
            assert_eq!(seen.reserved_at_ms(), reserved_at_ms);
            assert_eq!(seen.expires_at_ms(), expires_at_ms);
            assert_eq!(seen.ended_at_ms(), expires_at_ms / 2);
            aside.remove(slot, record);
            assert!(aside.far_deadlines.is_empty());
        }
    }
}
