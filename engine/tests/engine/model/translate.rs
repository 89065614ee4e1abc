//! The engine's answers in plain words.
//!
//! Edge: a translation, word by word; nothing is looked up but names and numbers.

use super::driver::Engine;
use super::reference::words;
use crate::commands::requests::{Ask, Deltas, Op, bytes, name};
use flashsale_engine::sale::{Answer, EntryId, Slot, Which};

impl Engine {
    pub fn reserved(&self, id: &str, slot: Slot) -> String {
        let terms = self.primary.terms(slot);
        let user_remaining = terms.user_remaining.map_or("-1".into(), |n| n.to_string());
        words![
            "RESERVED",
            id,
            terms.expires_at_ms,
            terms.remaining,
            user_remaining
        ]
    }

    pub fn restocked(&self, op: &Op) -> String {
        let Op::Restock {
            deltas, reference, ..
        } = op
        else {
            unreachable!("a restock")
        };
        let mut skus: Vec<Vec<u8>> = Vec::new();
        match deltas {
            Deltas::Bare(_) => {
                let reference = reference.as_deref().map(bytes);
                let item = self.primary.bare_restock_item(reference.as_deref());
                let item = item.expect("the item of a bare delta that was answered");
                skus.push(self.primary.item(item).sku.to_vec());
            }
            Deltas::Items(items) => items.iter().map(|(sku, _)| bytes(sku)).for_each(|sku| {
                if !skus.contains(&sku) {
                    skus.push(sku);
                }
            }),
        }
        let items = skus.iter().map(|sku| match self.primary.find_item(sku) {
            Some(item) => {
                let view = self.primary.item(item);
                format!("[{} {} {}]", name(sku), view.total, view.available)
            }
            None => format!("[{} -]", name(sku)),
        });
        words!["RESTOCKED", items.collect::<Vec<_>>().join(" ")]
    }

    pub fn words_of(&self, op: &Op, id: &str, answer: Answer) -> String {
        let sku = |item| name(self.primary.item(item).sku);
        match answer {
            Answer::Reserved { slot } => self.reserved(id, slot),
            Answer::Sold { order } => words!["SOLD", id, entry_word(Some(order))],
            Answer::AlreadySold { slot } => {
                let view = self.primary.view(slot);
                let reference = view.as_ref().and_then(|view| view.reference().map(name));
                words!["ALREADYSOLD", id, reference.unwrap_or_default()]
            }
            Answer::Refunded { entry } => words!["REFUNDED", id, entry_word(Some(entry))],
            Answer::Released => words!["RELEASED", id],
            Answer::Expired {
                expires_at_ms,
                grace_left_ms: None,
            } => words!["EXPIRED", id, expires_at_ms],
            Answer::Expired {
                expires_at_ms,
                grace_left_ms: Some(left_ms),
            } => words!["EXPIRED", id, expires_at_ms, left_ms],
            Answer::Restocked => self.restocked(op),
            Answer::Unchanged => words!["OK"],
            Answer::Given { total, item } => words!["GIVEN", total, sku(item)],
            Answer::Taken { total, item } => words!["TAKEN", total, sku(item)],
            Answer::Mismatch => match op {
                Op::Restock { reference, .. } => {
                    words!["MISMATCH", reference.as_deref().unwrap_or("")]
                }
                _ => words!["MISMATCH", id],
            },
            Answer::NoReservation => words!["NORESERVATION", id],
            Answer::Ended { at_ms } => words!["ENDED", at_ms],
            Answer::NotStarted { starts_in_ms } => words!["NOTSTARTED", starts_in_ms],
            Answer::Paused { at_ms } => words!["PAUSED", at_ms],
            Answer::OrderLimit { limit } => words!["ORDERLIMIT", limit],
            Answer::UserLimit { remaining } => words!["USERLIMIT", remaining],
            Answer::ItemLimit { remaining, item } => words!["ITEMLIMIT", remaining, sku(item)],
            Answer::SaleLimit { remaining } => words!["SALELIMIT", remaining],
            Answer::SoldOut { available, item } => words!["SOLDOUT", available, sku(item)],
            Answer::AllReserved {
                retry_in_ms,
                item: Some(item),
            } => {
                words!["ALLRESERVED", retry_in_ms, sku(item)]
            }
            Answer::AllReserved {
                retry_in_ms,
                item: None,
            } => words!["ALLRESERVED", retry_in_ms],
            Answer::NotSold { left, which } => match which {
                Which::Nothing => words!["NOTSOLD", left],
                Which::Item(item) => words!["NOTSOLD", left, sku(item)],
                Which::Unit(_) => words!["NOTSOLD", left],
                Which::Asked(at) => words!["NOTSOLD", left, asked_sku(op, at)],
            },
            Answer::TooFew { available, item } => words!["TOOFEW", available, sku(item)],
            Answer::Waiting { .. } | Answer::StillWaiting => words!["WAITING", id],
            Answer::Placed { .. } => words!["PLACED", id],
            Answer::LineFull { most } => words!["LINEFULL", most],
            Answer::Throttled { retry_in_ms, by } => words!["THROTTLED", retry_in_ms, by.word()],
            Answer::NoPass => words!["NOPASS", id],
            Answer::NoSku { ask: None } => words!["NOSKU", "?"],
            Answer::NoSku { ask: Some(at) } => words!["NOSKU", asked_sku(op, at)],
            Answer::Full => words!["OOM"],
            Answer::NotFree { .. } | Answer::NoUnit { .. } => words!["NOTFREE"],
            Answer::UnitKnown { .. } | Answer::Invalid(_) => words!["ERR"],
        }
    }
}

/// The SKU at a position of the request.
fn asked_sku(op: &Op, at: usize) -> String {
    let of_ask = |ask: &Ask| match ask {
        Ask::Items(items) | Ask::Named(items, _) => items.get(at).map(|(sku, _)| sku.clone()),
        Ask::Qty(_) => None,
    };
    let sku = match op {
        Op::Reserve { ask, .. } | Op::Buy { ask, .. } => of_ask(ask),
        Op::Refund { ask: Some(ask), .. } => of_ask(ask),
        Op::Restock {
            deltas: Deltas::Items(items),
            ..
        } => items.get(at).map(|(sku, _)| sku.clone()),
        _ => None,
    };
    sku.unwrap_or_else(|| format!("nothing asked at {at}"))
}

/// The number of an order or refund; anything that is not one of ours, in full.
pub fn entry_word(entry: Option<EntryId>) -> String {
    match entry {
        Some(EntryId { ms, seq }) if seq == ms * 7 => ms.to_string(),
        other => format!("{other:?}"),
    }
}
