//! Decides RESTOCK by name: which units come on sale, and which go off it.
//!
//! Edge: reads the state and returns an event or an answer.

use std::iter;

use xxhash_rust::xxh3::Xxh3Default;

use crate::sale::Plan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, RestockUnits};
use crate::sale::book::named::{NamedUnits, RESTOCK_UNITS_MAX, UnitNumber};
use crate::sale::book::reservation::{Reservation, Status};
use crate::sale::book::restock_refs::Deltas;
use crate::sale::event::units_codec::is_unit_name;
use crate::sale::event::{Change, Event, NamedRestock, StockDelta};
use crate::sale::plan::manage::TOO_MANY_ITEMS;
use crate::sale::plan::units::names_twice;
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex};
use crate::table::name::Spelling;

/// What stands for a whole call: XXH3 of 128 bits, without a key, as it is state.
fn digest_of(ask: &RestockUnits<'_>) -> u128 {
    let mut digest = Xxh3Default::new();
    digest.update(&[u8::from(ask.sealed), u8::from(ask.withdraw)]);
    for part in iter::once(&ask.sku).chain(ask.names) {
        digest.update(&(part.len() as u32).to_le_bytes());
        digest.update(part);
    }
    digest.digest128()
}

impl Sale {
    /// RESTOCK UNITS. O(names), and the REFs remembered when one is given.
    pub fn plan_restock_units<'a>(
        &self,
        now_ms: u64,
        ask: &RestockUnits<'a>,
        bounds: &Bounds,
    ) -> Plan<'a> {
        if ask.withdraw && (ask.sealed || ask.new) {
            return Err(Answer::Invalid("WITHDRAW: takes no SEALED and no NEW"));
        }
        if ask.names.is_empty()
            || ask.names.len() > RESTOCK_UNITS_MAX
            || !ask.names.iter().all(|name| is_unit_name(name))
        {
            return Err(Answer::Invalid(
                "UNITS: 1 to 10000 names, each 1 to 128 bytes of UTF-8",
            ));
        }
        let digest = ask.reference.map(|_| digest_of(ask));
        if let Some(reference) = ask.reference
            && let Some(known) = self.restock_refs.find(reference)
        {
            return Err(match known {
                Deltas::Call(known) if Some(*known) == digest => Answer::Restocked,
                _ => Answer::Mismatch,
            });
        }
        let item = self.items.find(ask.sku);
        let names = if ask.withdraw {
            self.names_to_withdraw(now_ms, ask, item)?
        } else {
            self.names_to_add(ask, item, bounds)?
        };
        if names.is_empty() && ask.reference.is_none() {
            return Err(Answer::Restocked);
        }
        let len = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let delta = StockDelta {
            sku: ask.sku.into(),
            delta: if ask.withdraw { -len } else { len },
        };
        let named = NamedRestock {
            names,
            sealed: ask.sealed,
            withdraw: ask.withdraw,
            digest,
        };
        Ok(Event {
            at_ms: now_ms,
            change: Change::Restocked {
                deltas: vec![delta],
                reference: ask.reference.map(Spelling::of),
                named: Some(Box::new(named)),
            },
        })
    }

    /// All names, if each is new or that of a withdrawn unit of the item.
    fn names_to_add<'a>(
        &self,
        ask: &RestockUnits<'a>,
        item: Option<ItemIndex>,
        bounds: &Bounds,
    ) -> Result<Vec<&'a [u8]>, Answer> {
        if item.is_none() && !ask.new {
            return Err(Answer::NoSku { ask: Some(0) });
        }
        // A bound that was lowered since does not stop more of the items there are.
        if item.is_none() && self.items.len() >= bounds.items_max {
            return Err(TOO_MANY_ITEMS);
        }
        if self.options.group.is_some() {
            return Err(Answer::Invalid(
                "UNITS: a part of a split sale has no units with names",
            ));
        }
        let named = self.named.as_deref();
        let kept = item.and_then(|item| named?.item(item));
        if kept.is_none() && item.is_some_and(|item| self.items.stock(item).units() > 0) {
            return Err(Answer::Invalid(
                "sku: its units are counted; units with names need an item that has none",
            ));
        }
        // A unit with a name pays no debt of units that are a number.
        if item.is_some_and(|item| self.items.owed(item) > 0) {
            return Err(Answer::Invalid(
                "sku: it owes units, see FLASHSALE.SHARES; RESTOCK as many by number first",
            ));
        }
        if kept.is_some_and(|kept| kept.sealed != ask.sealed) {
            return Err(Answer::Invalid(match ask.sealed {
                true => "SEALED: the units of this item are no codes",
                false => "SEALED: the units of this item are codes: add SEALED",
            }));
        }
        if let Some(position) = names_twice(ask.names) {
            return Err(Answer::UnitKnown { ask: position });
        }
        let mut new = 0;
        for (position, name) in ask.names.iter().enumerate() {
            let unit = named.and_then(|named| Some((named, named.find_bytes(name)?)));
            match unit {
                None => new += 1,
                Some((named, unit)) if named.may_restock(unit, item, false) => {}
                Some(_) => return Err(Answer::UnitKnown { ask: position }),
            }
        }
        let most = bounds.units_max.min(NamedUnits::LEN_MAX - 1);
        if new > 0 && named.map_or(0, NamedUnits::len) + new > most {
            return Err(Answer::Invalid(
                "unit: more than one sale may have, see CONFIG GET flashsale.max-units",
            ));
        }
        if self.units().saturating_add(ask.names.len() as u64) > INTEGER_MAX {
            return Err(Answer::Invalid(
                "unit: the sum over the sale exceeds 9007199254740991",
            ));
        }
        Ok(ask.names.to_vec())
    }

    /// The names of those units that are not withdrawn yet, if all can be.
    fn names_to_withdraw<'a>(
        &self,
        now_ms: u64,
        ask: &RestockUnits<'a>,
        item: Option<ItemIndex>,
    ) -> Result<Vec<&'a [u8]>, Answer> {
        let item = item.ok_or(Answer::NoSku { ask: Some(0) })?;
        let named = self.named.as_deref();
        let kept = named.and_then(|named| Some((named, named.item(item)?)));
        let (named, kept) = kept.ok_or(Answer::Invalid("sku: the item has no named units"))?;
        if names_twice(ask.names).is_some() {
            return Err(Answer::Invalid("UNITS: the same unit twice"));
        }
        let mut names = Vec::with_capacity(ask.names.len());
        for (position, &name) in ask.names.iter().enumerate() {
            let unit = named.find_bytes(name);
            let unit = unit.filter(|&unit| named.item_of(unit) == Some(item));
            let unit = unit.ok_or(Answer::NoUnit { ask: position })?;
            if named.is_withdrawn(unit) {
                continue;
            }
            if !named.is_free(unit) {
                return Err(self.not_free(now_ms, named, unit));
            }
            names.push(name);
        }
        let available = self.items.stock(item).available;
        if kept.sealed && names.len() as u64 > available {
            return Err(Answer::TooFew { available, item });
        }
        Ok(names)
    }

    /// The answer about a unit that somebody has.
    fn not_free(&self, now_ms: u64, named: &NamedUnits, unit: UnitNumber) -> Answer {
        let holder = self.record(named.holder(unit));
        let open = holder.filter(|record| record.status() == Status::Open);
        let until_ms = open.map(Reservation::expires_at_ms);
        Answer::NotFree {
            retry_in_ms: until_ms.map(|until_ms| until_ms.saturating_sub(now_ms).max(1)),
            unit,
        }
    }
}
