//! Requests of the model in the engine's words, and the engine's answers in the model's.

use super::said::{self, Ask, Op, Said};
use super::world::{SECRETS, SKUS};
use crate::commands::requests::name;
use flashsale_engine::sale::{
    Answer, AttemptRate, Event, ItemIndex, NameBuffer, Pass, Reserve, Sale, ThrottledBy,
    encode_event, make_pass,
};

/// The parts of a request that it borrows.
pub struct Parts {
    pub user: Vec<u8>,
    pub id: Vec<u8>,
    old: Option<Vec<u8>>,
    pass: Option<String>,
}

impl Parts {
    pub fn of(ask: &Ask) -> Parts {
        Parts {
            user: of(&ask.user),
            id: of(&ask.id),
            old: ask.replaces.as_deref().map(of),
            pass: pass_of(ask),
        }
    }

    pub fn request<'a>(&'a self, sale: &Sale, ask: &Ask) -> Reserve<'a> {
        let sku = |item: usize| -> &'static [u8] { SKUS.get(item).copied().unwrap_or(b"none") };
        let lines = ask.lines.iter().map(|&(item, qty)| (sku(item), qty));
        Reserve {
            user: sale.key(&self.user),
            ask: flashsale_engine::sale::Ask::Items(lines.collect()),
            id: sale.key(&self.id),
            hold_ms: ask.hold,
            replaces: self.old.as_deref().map(|old| sale.key(old)),
            waits: ask.waits,
            pass: match &self.pass {
                None => Pass::Missing,
                Some(pass) => Pass::Shown(pass.as_bytes()),
            },
        }
    }
}

/// The pass of a request, as a client sends it.
fn pass_of(ask: &Ask) -> Option<String> {
    let made = |secret: usize, end, id: &str, user: &str| {
        Some(make_pass(SECRETS[secret], end, &of(id), &of(user)))
    };
    match ask.pass {
        said::Pass::Missing => None,
        said::Pass::Made(secret, end) => made(secret, end, &ask.id, &ask.user),
        said::Pass::ForUser(secret, end) => made(secret, end, &ask.id, &format!("{}x", ask.user)),
        said::Pass::ForId(secret, end) => made(secret, end, &format!("{}x", ask.id), &ask.user),
        said::Pass::Noise => Some("no pass, but 64 bytes at most".to_owned()),
    }
}

/// USERRATE or FROMRATE.
pub fn attempt_rate(rate: Option<(u64, u64)>) -> Option<AttemptRate> {
    rate.map(|(n, ms)| AttemptRate { n, ms })
}

/// The bytes of a name.
pub fn of(text: &str) -> Vec<u8> {
    crate::commands::requests::bytes(text)
}

/// An event on its own.
pub fn owned(event: &Event<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_event(event, &mut bytes);
    bytes
}

/// An answer in plain words.
pub fn said_of(sale: &Sale, answer: &Answer) -> Said {
    let item = |item: ItemIndex| item as usize;
    match *answer {
        Answer::Reserved { slot } => {
            let view = sale.view(slot).expect("a reservation");
            Said::Reserved(view.expires_at_ms.unwrap_or(0))
        }
        Answer::Sold { .. } | Answer::AlreadySold { .. } => Said::Sold,
        Answer::Refunded { .. } => Said::Refunded,
        Answer::Released => Said::Released,
        Answer::Expired { .. } => Said::Expired,
        Answer::Restocked | Answer::Unchanged | Answer::Given { .. } | Answer::Taken { .. } => {
            Said::Unchanged
        }
        Answer::Mismatch => Said::Mismatch,
        Answer::NoReservation => Said::NoReservation,
        Answer::Ended { at_ms } => Said::Ended(at_ms),
        Answer::NotStarted { starts_in_ms } => Said::NotStarted(starts_in_ms),
        Answer::Paused { at_ms } => Said::Paused(at_ms),
        Answer::OrderLimit { limit } => Said::OrderLimit(limit),
        Answer::UserLimit { remaining } => Said::UserLimit(remaining),
        Answer::ItemLimit {
            remaining,
            item: at,
        } => Said::ItemLimit(remaining, item(at)),
        Answer::SaleLimit { remaining } => Said::SaleLimit(remaining),
        Answer::SoldOut {
            available,
            item: at,
        } => Said::SoldOut(available, item(at)),
        Answer::AllReserved {
            retry_in_ms,
            item: at,
        } => Said::AllReserved(retry_in_ms, at.map(item)),
        Answer::Throttled {
            retry_in_ms,
            by: ThrottledBy::Sale,
        } => Said::Throttled(retry_in_ms),
        Answer::Throttled { retry_in_ms, by } => Said::TooOften(retry_in_ms, by.word()),
        Answer::NoPass => Said::NoPass,
        Answer::NotSold { .. } => Said::NotSold,
        Answer::TooFew { .. } | Answer::Invalid(_) => Said::Invalid,
        Answer::NoSku { .. } => Said::NoSku,
        Answer::Full => Said::Full,
        Answer::Waiting { .. } => Said::Waiting,
        Answer::StillWaiting => Said::StillWaiting,
        Answer::Placed { place } => {
            let place = sale.place(place).expect("a place");
            let mut buffer = NameBuffer::default();
            Said::Placed(name(place.id.bytes(&mut buffer)))
        }
        Answer::LineFull { most } => Said::LineFull(most),
    }
}

impl Op {
    /// The id that a command is about.
    pub fn id(&self) -> Option<&str> {
        match self {
            Op::Reserve(ask) | Op::Buy(ask) => Some(&ask.id),
            Op::Checkout(id) | Op::Extend(id, _) | Op::Release(id, _) => Some(id),
            Op::Refund { id, .. } => Some(id),
            _ => None,
        }
    }
}
