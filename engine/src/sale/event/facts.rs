//! What a change is to those who hear of it: a keyspace event, a count, the key's expiry.
//!
//! A new kind of change is described here. What it does is in `apply.rs`, whether a replayed
//! one fits in `check.rs`, its bytes in `codec.rs`; the entry of one that sells or refunds is
//! in `mod.rs`.

use std::ffi::CStr;

use crate::sale::book::options::Events;
use crate::sale::event::Change;
use crate::sale::event::told::Told;

/// What a change counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Created,
    Reserved,
    Sold,
    Released,
    Expired,
    /// An id is known no longer.
    Forgotten,
    Extended,
    Refunded,
    /// An order sold elsewhere was recorded.
    Imported,
    /// Units went to another sale.
    Given,
    /// Units came from another sale.
    Taken,
    Restocked,
    /// The sale itself changed: its options, window or stream.
    Altered,
    /// Somebody joined a line.
    Joined,
    /// A place became a reservation.
    Granted,
    /// A place was dropped at its turn.
    PassedOver,
    /// A line ended.
    Dissolved,
    /// An entry of the outbox was written to the stream.
    Told,
    /// An entry of the outbox was dropped.
    Dropped,
}

impl Deed {
    /// All of them, in their own order.
    pub const ALL: &[Deed] = &[
        Deed::Created,
        Deed::Reserved,
        Deed::Sold,
        Deed::Released,
        Deed::Expired,
        Deed::Forgotten,
        Deed::Extended,
        Deed::Refunded,
        Deed::Imported,
        Deed::Given,
        Deed::Taken,
        Deed::Restocked,
        Deed::Altered,
        Deed::Joined,
        Deed::Granted,
        Deed::PassedOver,
        Deed::Dissolved,
        Deed::Told,
        Deed::Dropped,
    ];

    /// Returns the name of its counter.
    pub fn word(self) -> &'static str {
        match self {
            Deed::Created => "created",
            Deed::Reserved => "reserved",
            Deed::Sold => "sold",
            Deed::Released => "released",
            Deed::Expired => "expired",
            Deed::Forgotten => "forgotten",
            Deed::Extended => "extended",
            Deed::Refunded => "refunded",
            Deed::Imported => "imported",
            Deed::Given => "given",
            Deed::Taken => "taken",
            Deed::Restocked => "restocked",
            Deed::Altered => "altered",
            Deed::Joined => "joined",
            Deed::Granted => "granted",
            Deed::PassedOver => "passed_over",
            Deed::Dissolved => "dissolved",
            Deed::Told => "told",
            Deed::Dropped => "dropped",
        }
    }
}

impl Change<'_> {
    /// Does this change make a reservation, or a place of somebody who waits for one?
    #[inline]
    pub fn makes_reservation(&self) -> bool {
        matches!(
            self,
            Change::Reserved { .. } | Change::Bought { .. } | Change::Joined { .. }
        )
    }

    /// Is this the ALTER to `EVENTS all`, if the sale did not have it?
    #[inline]
    pub(super) fn begins_events(&self) -> bool {
        matches!(self, Change::Altered(options) if options.events == Events::All)
    }

    /// Is this a change of the outbox alone? The sale's time does not move.
    #[inline]
    pub fn is_of_outbox(&self) -> bool {
        matches!(self, Change::Told(_) | Change::Dropped { .. })
    }

    /// Can this change move the moment the key expires?
    #[inline]
    pub fn moves_key_expiry(&self) -> bool {
        matches!(
            self,
            Change::Created(_) | Change::Altered(_) | Change::Closed
        )
    }

    /// The keyspace event of this change. Forgetting an id is no news to anyone, nor is
    /// what one copy of a sale missed.
    #[inline]
    pub fn keyspace_event(&self) -> Option<&'static CStr> {
        Some(match self {
            Change::Created(_) => c"flashsale.created",
            Change::Reserved { .. } => c"flashsale.reserved",
            Change::Sold { .. } | Change::Bought { .. } => c"flashsale.sold",
            Change::Released { .. } | Change::ReleasedUnseen { .. } => c"flashsale.released",
            Change::Swept { expired: 0, .. } | Change::Lapsed { .. } | Change::Marked { .. } => {
                return None;
            }
            // Nothing that a buyer reads has changed.
            Change::Told(_) | Change::Dropped { .. } => return None,
            // Whoever joins is told by the answer, and the rest by their next poll.
            Change::Joined { .. } | Change::Dissolved { .. } => return None,
            Change::Left { .. } => c"flashsale.released",
            Change::Drawn { .. } => c"flashsale.drawn",
            Change::Granted(granted) if granted.counts().0 == 0 => return None,
            Change::Granted(_) => c"flashsale.granted",
            Change::Swept { .. } | Change::Expired { .. } => c"flashsale.expired",
            Change::Extended { .. } => c"flashsale.extended",
            Change::Refunded(_) => c"flashsale.refunded",
            Change::Imported(_) => c"flashsale.imported",
            // What is written once more is no news.
            Change::Given(given) if given.units == 0 => return None,
            Change::Given(_) => c"flashsale.given",
            Change::Taken(_) => c"flashsale.taken",
            Change::Restocked { .. } => c"flashsale.restocked",
            Change::Altered(_) | Change::Bound { .. } => c"flashsale.altered",
            Change::Paused => c"flashsale.paused",
            Change::Resumed { .. } => c"flashsale.resumed",
            Change::Closed => c"flashsale.closed",
        })
    }

    /// Reports what this change counts as, and how often.
    #[inline(always)]
    pub fn count(&self, mut report: impl FnMut(Deed, u64)) {
        match self {
            Change::Created(_) => report(Deed::Created, 1),
            Change::Reserved { replaces, .. } => {
                // The one it takes the place of is released in the same step.
                report(Deed::Released, u64::from(replaces.is_some()));
                report(Deed::Reserved, 1);
            }
            Change::Sold { order, .. } | Change::Bought { order, .. } => {
                report(Deed::Sold, 1);
                report_told(order.told, report);
            }
            Change::Released { .. } | Change::ReleasedUnseen { .. } | Change::Left { .. } => {
                report(Deed::Released, 1);
            }
            Change::Joined { .. } => report(Deed::Joined, 1),
            Change::Granted(granted) => {
                let (made, passed) = granted.counts();
                report(Deed::Granted, made);
                report(Deed::PassedOver, passed);
            }
            Change::Dissolved { items } => report(Deed::Dissolved, items.len() as u64),
            Change::Expired { .. } => report(Deed::Expired, 1),
            Change::Swept {
                expired, forgotten, ..
            } => {
                report(Deed::Expired, u64::from(*expired));
                report(Deed::Forgotten, u64::from(*forgotten));
            }
            Change::Extended { .. } => report(Deed::Extended, 1),
            Change::Refunded(refund) => {
                report(Deed::Refunded, 1);
                report_told(refund.told, report);
            }
            Change::Imported(imported) => {
                report(Deed::Imported, 1);
                report_told(imported.order.told, report);
            }
            Change::Given(given) => report(Deed::Given, u64::from(given.units > 0)),
            Change::Taken(_) => report(Deed::Taken, 1),
            Change::Told(told) => report_told(*told, report),
            Change::Restocked { .. } => report(Deed::Restocked, 1),
            Change::Altered(_)
            | Change::Bound { .. }
            | Change::Paused
            | Change::Resumed { .. }
            | Change::Closed => report(Deed::Altered, 1),
            Change::Dropped { count } => report(Deed::Dropped, *count),
            Change::Lapsed { .. } | Change::Marked { .. } | Change::Drawn { .. } => {}
        }
    }
}

/// Most orders are behind no other entry.
#[inline]
fn report_told(told: Told<'_>, mut report: impl FnMut(Deed, u64)) {
    if !told.is_empty() {
        report(Deed::Told, told.count());
    }
}
