//! What a client reads, and what it may read when it asks the same again.

use super::seats::names_in;
use crate::commands::lines::{id_of, replaced_of};
use crate::commands::play::{Did, Fault, Played};
use crate::commands::requests::{Deltas, Op, bytes};
use flashsale_engine::sale::{Answer, EntryId, ItemIndex, NameBuffer, Sale, Slot, Terms};

/// Names of units.
pub type Names = Vec<Vec<u8>>;

/// An answer as it is on the wire, without the words the request gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Reserved {
        expires_at_ms: u64,
        remaining: u64,
        user_remaining: Option<u64>,
        /// Units with names that it has.
        units: Names,
    },
    Sold(EntryId, Names),
    /// With the REF of the order.
    AlreadySold(Vec<u8>),
    Refunded(EntryId),
    Released,
    Expired {
        expires_at_ms: u64,
        grace_left_ms: Option<u64>,
    },
    /// Item, total, available.
    Restocked(Vec<(ItemIndex, i64, u64)>),
    Ok,
    /// Expired, lapsed, forgotten.
    Swept([u32; 3]),
    /// A refusal or an error.
    No(Answer),
}

impl Reply {
    /// Reads from the sale what a reply says beside the answer, at once.
    pub fn of(sale: &Sale, op: &Op, played: Played) -> Reply {
        match played {
            Played::Did(Did::Reserved(slot)) => Reply::reserved(sale, slot),
            Played::Did(Did::Sold(entry)) => Reply::sold(sale, id_of(op), entry),
            Played::Did(Did::Released) => Reply::Released,
            Played::Did(Did::Refunded(entry)) => Reply::Refunded(entry),
            Played::Did(Did::Restocked) => Reply::restocked(sale, op),
            Played::Did(Did::Changed) => Reply::Ok,
            Played::Did(Did::Swept {
                expired,
                lapsed,
                forgotten,
            }) => Reply::Swept([expired, lapsed, forgotten]),
            Played::Said(answer) => Reply::said(sale, op, answer),
        }
    }

    fn said(sale: &Sale, op: &Op, answer: Answer) -> Reply {
        let own = id_of(op);
        let about = match (own, replaced_of(op)) {
            (Some(own), Some(old)) if sale.is_of_replaced(&answer, sale.key(&bytes(own))) => {
                Some(old)
            }
            _ => own,
        };
        match answer {
            Answer::Reserved { slot } => Reply::reserved(sale, slot),
            Answer::Sold { order } => Reply::sold(sale, about, order),
            Answer::AlreadySold { slot } => {
                let view = sale.view(slot);
                let reference = view
                    .as_ref()
                    .and_then(|view| view.reference().map(<[u8]>::to_vec));
                Reply::AlreadySold(reference.unwrap_or_default())
            }
            Answer::Refunded { entry } => Reply::Refunded(entry),
            Answer::Released => Reply::Released,
            Answer::Expired {
                expires_at_ms,
                grace_left_ms,
            } => Reply::Expired {
                expires_at_ms,
                grace_left_ms,
            },
            Answer::Restocked => Reply::restocked(sale, op),
            Answer::Unchanged => Reply::Ok,
            other => Reply::No(other),
        }
    }

    fn reserved(sale: &Sale, slot: Slot) -> Reply {
        let Terms {
            expires_at_ms,
            remaining,
            user_remaining,
        } = sale.terms(slot);
        let id = sale.view(slot).map_or_else(Vec::new, |view| {
            view.id(&mut NameBuffer::default()).to_vec()
        });
        Reply::Reserved {
            expires_at_ms,
            remaining,
            user_remaining,
            units: names_in(sale, &id),
        }
    }

    fn sold(sale: &Sale, id: Option<&str>, entry: EntryId) -> Reply {
        let names = id.map(|id| names_in(sale, &bytes(id)));
        Reply::Sold(entry, names.unwrap_or_default())
    }

    fn restocked(sale: &Sale, op: &Op) -> Reply {
        let mut items: Vec<ItemIndex> = match op {
            Op::Restock {
                deltas: Deltas::Bare(_),
                reference,
                ..
            } => {
                let reference = reference.as_deref().map(bytes);
                let item = sale.bare_restock_item(reference.as_deref());
                item.into_iter().collect()
            }
            Op::Restock {
                deltas: Deltas::Items(items),
                ..
            } => (items.iter())
                .filter_map(|(sku, _)| sale.find_item(&bytes(sku)))
                .collect(),
            Op::RestockUnits { sku, .. } => sale.find_item(&bytes(sku)).into_iter().collect(),
            other => unreachable!("no RESTOCK: {other:?}"),
        };
        items.dedup();
        let lines = items.into_iter().map(|item| {
            let view = sale.item(item);
            (item, view.total, view.available)
        });
        Reply::Restocked(lines.collect())
    }

    /// The first word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Reply::Reserved { .. } => "RESERVED",
            Reply::Sold(..) => "SOLD",
            Reply::AlreadySold(_) => "ALREADYSOLD",
            Reply::Refunded(_) => "REFUNDED",
            Reply::Released => "RELEASED",
            Reply::Expired { .. } => "EXPIRED",
            Reply::Restocked(_) => "RESTOCKED",
            Reply::Ok => "OK",
            Reply::Swept(..) => "SWEPT",
            Reply::No(answer) => match answer {
                Answer::Mismatch => "MISMATCH",
                Answer::NoReservation => "NORESERVATION",
                Answer::Ended { .. } => "ENDED",
                Answer::NotStarted { .. } => "NOTSTARTED",
                Answer::Paused { .. } => "PAUSED",
                Answer::OrderLimit { .. } => "ORDERLIMIT",
                Answer::UserLimit { .. } => "USERLIMIT",
                Answer::ItemLimit { .. } => "ITEMLIMIT",
                Answer::SaleLimit { .. } => "SALELIMIT",
                Answer::SoldOut { .. } => "SOLDOUT",
                Answer::Throttled { .. } => "THROTTLED",
                Answer::NoPass => "NOPASS",
                Answer::AllReserved { .. } => "ALLRESERVED",
                Answer::NotSold { .. } => "NOTSOLD",
                Answer::TooFew { .. } => "TOOFEW",
                Answer::NoSku { .. } | Answer::NoUnit { .. } => "NOSKU",
                Answer::NotFree {
                    retry_in_ms: None, ..
                } => "NOTFREE for good",
                Answer::NotFree { .. } => "NOTFREE",
                Answer::Full => "OOM",
                Answer::Invalid(_) | Answer::UnitKnown { .. } => "ERR",
                _ => "another answer",
            },
        }
    }

    /// May a client that was told this be answered `again` now, on the same history and
    /// about the same life of the id? This is what "answered as the first was, brought
    /// up to date" means.
    ///
    /// A request that names units may have been told of one that had none at that time.
    pub fn may_become(
        &self,
        again: &Reply,
        is_by_name: bool,
        was_imported: bool,
    ) -> Result<(), Fault> {
        let is_right = match (self, again) {
            // Whatever was known of it gave way to what was sold elsewhere.
            (
                Reply::Released | Reply::Expired { .. } | Reply::Reserved { .. },
                Reply::Sold(..)
                | Reply::AlreadySold(_)
                | Reply::Refunded(_)
                | Reply::No(Answer::Mismatch | Answer::NoReservation),
            ) if was_imported => true,
            (Reply::No(_) | Reply::Ok | Reply::Swept(..), _) => true,
            (
                Reply::Reserved {
                    expires_at_ms: promised,
                    units: had,
                    ..
                },
                Reply::Reserved {
                    expires_at_ms,
                    units,
                    ..
                },
            ) => expires_at_ms >= promised && units == had,
            (
                Reply::Reserved {
                    expires_at_ms: promised,
                    ..
                },
                Reply::Expired { expires_at_ms, .. },
            ) => expires_at_ms >= promised,
            (Reply::Reserved { .. }, Reply::Released | Reply::Sold(..) | Reply::Refunded(_)) => {
                true
            }
            // Units may have come back; what is left are the same ones.
            (Reply::Sold(first, had), Reply::Sold(again, units)) => {
                first == again && units.iter().all(|unit| had.contains(unit))
            }
            (Reply::Sold(..), Reply::Refunded(_)) => true,
            (Reply::Refunded(first), Reply::Refunded(again)) => first == again,
            (Reply::AlreadySold(first), Reply::AlreadySold(again)) => first == again,
            (Reply::AlreadySold(_), Reply::Refunded(_)) => true,
            (Reply::Released, Reply::Released) => true,
            (
                Reply::Expired {
                    expires_at_ms: first,
                    ..
                },
                Reply::Expired { expires_at_ms, .. },
            ) => first == expires_at_ms,
            // Checked out within its grace, or released, by somebody else.
            (
                Reply::Expired { .. },
                Reply::Sold(..) | Reply::AlreadySold(_) | Reply::Refunded(_) | Reply::Released,
            ) => true,
            // It was sold other units than were named.
            (Reply::Expired { .. }, Reply::No(Answer::Mismatch)) => is_by_name,
            (Reply::Restocked(first), Reply::Restocked(again)) => {
                let items = |lines: &[(ItemIndex, i64, u64)]| {
                    lines.iter().map(|line| line.0).collect::<Vec<_>>()
                };
                items(first) == items(again)
            }
            _ => false,
        };
        if is_right {
            return Ok(());
        }
        Err(format!(
            "a client was told {self:?}, and asking again {again:?}"
        ))
    }
}
