//! Between plain words and the engine's own types, for requests.
//!
//! Edge: a translation, word by word; nothing is looked up but names and numbers.

use super::passes::passkeys;
use super::requests::{Ask, Named, Op, bytes};
use flashsale_engine::sale;
use flashsale_engine::sale::{AttemptRate, Changes, Events};

/// The lines of an ask, as bytes that requests can borrow.
pub enum Lines {
    Qty(u64),
    Items(Vec<(Vec<u8>, u64)>),
}

impl Lines {
    pub fn of(ask: &Ask) -> Lines {
        match ask {
            Ask::Qty(qty) => Lines::Qty(*qty),
            Ask::Items(items) | Ask::Named(items, _) => {
                Lines::Items(items.iter().map(|(sku, n)| (bytes(sku), *n)).collect())
            }
        }
    }

    pub fn ask(&self) -> sale::Ask<'_> {
        match self {
            Lines::Qty(qty) => sale::Ask::Qty(*qty),
            Lines::Items(items) => {
                sale::Ask::Items(items.iter().map(|(sku, n)| (&sku[..], *n)).collect())
            }
        }
    }
}

/// The names of units, as bytes that requests can borrow.
pub struct UnitNames(Vec<Vec<u8>>);

impl UnitNames {
    pub fn of(names: &[String]) -> UnitNames {
        UnitNames(names.iter().map(|name| bytes(name)).collect())
    }

    pub fn slices(&self) -> Vec<&[u8]> {
        self.0.iter().map(Vec::as_slice).collect()
    }
}

/// The reservation a command is about, if it is about one.
pub fn id_of(op: &Op) -> Option<&str> {
    match op {
        Op::Reserve { id, .. }
        | Op::Buy { id, .. }
        | Op::Checkout { id, .. }
        | Op::Release { id, .. }
        | Op::Extend { id, .. }
        | Op::Import { id, .. }
        | Op::Refund { id, .. } => Some(id),
        _ => None,
    }
}

/// The reservation that a RESERVE is to replace, if it is to replace one.
pub fn replaced_of(op: &Op) -> Option<&str> {
    match op {
        Op::Reserve { replaces, .. } => replaces.as_deref(),
        _ => None,
    }
}

/// The options named in one request.
pub fn changes(named: &[Named]) -> Changes {
    let mut changes = Changes::default();
    for (name, value) in named {
        if *name == "EVENTS" {
            let is_all = *value == 1;
            changes.events = Some(if is_all { Events::All } else { Events::Orders });
            continue;
        }
        match *name {
            "PASSKEY" => {
                changes.passkeys = Some(passkeys(*value));
                continue;
            }
            "USERRATE" => {
                let rate = (*value > 0).then_some(AttemptRate {
                    n: *value,
                    ms: 1_000,
                });
                changes.user_rate = Some(rate);
                continue;
            }
            _ => {}
        }
        let field = match *name {
            "USERLIMIT" => &mut changes.user_limit,
            "ITEMLIMIT" => &mut changes.item_limit,
            "ORDERLIMIT" => &mut changes.order_limit,
            "SALELIMIT" => &mut changes.sale_limit,
            "HOLD" => &mut changes.hold_ms,
            "MAXHOLD" => &mut changes.hold_ms_max,
            "GRACE" => &mut changes.grace_ms,
            "START" => &mut changes.start_at_ms,
            "END" => &mut changes.end_at_ms,
            "KEEP" => &mut changes.keep_ms,
            "REMEMBER" => &mut changes.remember_ms,
            other => unreachable!("no option {other}"),
        };
        *field = Some(*value);
    }
    changes
}
