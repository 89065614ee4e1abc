//! Which events a run has to have seen.

use super::ledger::{Ledger, spelled};
use super::record::{Fate, Item};
use super::reply::Reply;
use crate::commands::requests::Op;
use flashsale_engine::sale::{Answer, Change, Event, Forgets};

/// What an event is to the counters, when it is one of the rarer ones.
pub fn notable(books: &Ledger, event: &Event<'_>) -> Option<&'static str> {
    let is_expired = |id| {
        let record = books.record(&spelled(id));
        record.is_some_and(|record| matches!(record.fate, Fate::Late | Fate::Expired))
    };
    let life = |id| books.life(&spelled(id));
    match &event.change {
        Change::Sold { id, .. } if is_expired(*id) => {
            let record = books.record(&spelled(*id));
            let had_units = record.is_some_and(|record| !record.has.is_empty());
            Some(match had_units {
                true => "checkout of the very same units",
                false => "checkout within its grace",
            })
        }
        Change::Sold { sealed, .. } | Change::Bought { sealed, .. } if !sealed.is_empty() => {
            Some("codes named")
        }
        Change::Refunded(refund) if refund.units.len() > 1 => Some("refund of units"),
        Change::Restocked {
            named: Some(named), ..
        } if named.withdraw => Some("units withdrawn"),
        Change::Restocked {
            named: Some(named), ..
        } => {
            let is_known = |name: &&[u8]| books.seats.find(name).is_some();
            Some(match named.names.iter().any(is_known) {
                true => "units put back on sale",
                false => "units named",
            })
        }
        Change::Released { id } if is_expired(*id) => Some("release of an expired id"),
        Change::Imported(imported) => {
            let fate = books
                .record(&spelled(imported.id))
                .map(|record| record.fate);
            let is_short = imported.lines.iter().any(|line| {
                let left = books
                    .items
                    .get(line.item as usize)
                    .and_then(Item::available);
                fate != Some(Fate::Open) && left < Some(line.qty)
            });
            let has_names = !imported.units.is_empty() || !imported.sealed.is_empty();
            Some(match (has_names, is_short, fate) {
                (true, ..) => "order from elsewhere, of units with names",
                (_, true, _) => "order from elsewhere that is owed",
                (.., None) => "order from elsewhere",
                (.., Some(Fate::Open)) => "order from elsewhere that was open",
                (.., Some(_)) => "order from elsewhere that had ended",
            })
        }
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

/// What a request by names, or for units with names, came to.
pub fn notable_units(op: &Op, reply: &Reply) -> Option<&'static str> {
    let ask = match op {
        Op::Reserve { ask, .. } | Op::Buy { ask, .. } => Some(ask),
        Op::Refund { ask, .. } => ask.as_ref(),
        _ => None,
    };
    let is_by_name = ask.is_some_and(|ask| !ask.names().is_empty());
    match reply {
        Reply::Reserved { units, .. } | Reply::Sold(_, units) if !units.is_empty() => {
            Some(match is_by_name {
                true => "units by their names",
                false => "units by their number",
            })
        }
        Reply::Refunded(_) if is_by_name => Some("refund by names"),
        Reply::No(Answer::Mismatch) if is_by_name => Some("mismatch of names"),
        _ => None,
    }
}
