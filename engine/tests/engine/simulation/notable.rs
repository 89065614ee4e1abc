//! Which events a run has to have seen.

use super::ledger::{Ledger, spelled};
use super::record::Fate;
use flashsale_engine::sale::{Change, Event, Forgets};

/// What an event is to the counters, when it is one of the rarer ones.
pub fn notable(books: &Ledger, event: &Event<'_>) -> Option<&'static str> {
    let is_expired = |id| {
        let record = books.record(&spelled(id));
        record.is_some_and(|record| matches!(record.fate, Fate::Late | Fate::Expired))
    };
    let life = |id| books.life(&spelled(id));
    match &event.change {
        Change::Sold { id, .. } if is_expired(*id) => Some("checkout within its grace"),
        Change::Released { id } if is_expired(*id) => Some("release of an expired id"),
        Change::ReleasedUnseen { .. } => Some("release before the reserve"),
        Change::Reserved { forgets, .. } | Change::Bought { forgets, .. }
            if *forgets != Forgets::Nothing =>
        {
            Some(match books.ended.is_empty() {
                true => "room made by forgetting one past its grace",
                false => "room made by forgetting",
            })
        }
        Change::Reserved {
            replaces: Some(old),
            user,
            ..
        } => {
            let same = books
                .record(&spelled(*old))
                .is_some_and(|record| record.user.as_deref() == Some(&spelled(*user)[..]));
            Some(match same {
                true => "a cart that changed",
                false => "a cart that became another user's",
            })
        }
        Change::Reserved { id, .. } | Change::Bought { id, .. } if life(*id) > 0 => {
            Some("another life of a forgotten id")
        }
        Change::Extended { .. } => Some("extended"),
        Change::Refunded(refund) if !refund.restocks => Some("refund without restock"),
        Change::Refunded(refund) if refund.restores_limit => Some("refund with RESTORELIMIT"),
        Change::Closed => Some("closed"),
        Change::Resumed { lifts: Some(_) } => Some(match books.closed_at_ms {
            Some(_) => "RESUME of a marked copy after CLOSE",
            None => "RESUME of a marked copy",
        }),
        Change::Bound { .. } => Some("bound to another stream"),
        Change::Restocked { .. } => Some("restocked"),
        Change::Told(_) => Some("entries told"),
        Change::Dropped { .. } => Some("entries dropped"),
        Change::Refunded(refund) if !refund.told.is_empty() => Some("entries told by a refund"),
        Change::Sold { order, .. } if !order.told.is_empty() => Some("entries told by an order"),
        _ => None,
    }
}
