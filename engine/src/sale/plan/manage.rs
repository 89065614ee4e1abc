//! Decides what the owner of a sale does: CREATE, ALTER, PAUSE, RESUME, CLOSE, BIND
//! and RESTOCK.
//!
//! Edge: reads the state and returns an event or an answer.

use crate::sale::Plan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, Restock, RestockAsk};
use crate::sale::book::attempt_rate::AttemptRate;
use crate::sale::book::options::{Changes, Options};
use crate::sale::book::pace::PaceRate;
use crate::sale::book::restock_refs::{Deltas, ItemDelta};
use crate::sale::event::apply::signed;
use crate::sale::event::{Change, Created, Event, StockDelta};
use crate::sale::state::Sale;
use crate::sale::units::{INTEGER_MAX, ItemIndex, MOMENT_MS_MAX, has_twice};
use crate::sale::views_units::ItemKind;
use crate::table::name::Spelling;

/// `FLASHSALE.CREATE`, parsed.
#[derive(Clone, Debug)]
pub struct CreateAsk<'a> {
    /// A fresh ULID, or the one that SALEID names.
    pub sale_id: u128,
    /// The same ULID, or a fresh one with SALEID.
    pub share_id: u128,
    pub orders: &'a [u8],
    /// SKU and stock; each SKU once, which is checked here.
    pub items: Vec<(&'a [u8], u64)>,
    pub changes: Changes,
    /// `default-hold-ms`.
    pub hold_ms_default: u64,
    /// `default-keep-ms`.
    pub keep_ms_default: u64,
}

pub(super) const TOO_MANY_ITEMS: Answer =
    Answer::Invalid("ITEMS: more than one sale may have, see CONFIG GET flashsale.max-items");

impl CreateAsk<'_> {
    fn options(&self) -> Options {
        let defaults = Options::new(self.hold_ms_default, self.keep_ms_default);
        self.changes.applied_to(&defaults)
    }
}

impl Sale {
    /// Is the sale what this CREATE with its SALEID made, whatever was sold since? Stream,
    /// options and each item's base are still those of it. O(items).
    pub fn is_made_by(&self, ask: &CreateAsk<'_>) -> bool {
        let bases = self.items.iter().map(|(sku, _, base)| (sku, base));
        let asked = ask.items.iter().map(|&(sku, stock)| (sku, signed(stock)));
        self.sale_id == ask.sale_id
            && *self.orders == *ask.orders
            && self.options == ask.options()
            && bases.eq(asked)
    }

    /// CREATE. O(items log items).
    pub fn plan_create<'a>(now_ms: u64, ask: &CreateAsk<'a>, bounds: &Bounds) -> Plan<'a> {
        let now_ms = now_ms.min(MOMENT_MS_MAX);
        let options = ask.options();
        check_hold(&options)?;
        check_lines(&options)?;
        check_rates(&options)?;
        check_window(&options)?;
        if options
            .end_at_ms
            .is_some_and(|end_at_ms| end_at_ms <= now_ms)
        {
            return Err(Answer::Invalid(
                "END: the sale would already be over (END is Unix time in milliseconds)",
            ));
        }
        if ask.items.len() > bounds.items_max {
            return Err(TOO_MANY_ITEMS);
        }
        if has_twice(ask.items.iter().map(|&(sku, _)| sku)) {
            return Err(Answer::Invalid("ITEMS: the same SKU twice"));
        }
        let total = ask
            .items
            .iter()
            .fold(0_u64, |sum, &(_, stock)| sum.saturating_add(stock));
        if total > INTEGER_MAX {
            return Err(Answer::Invalid(
                "n: the sum over the sale exceeds 9007199254740991",
            ));
        }
        let created = Created {
            sale_id: ask.sale_id,
            share_id: ask.share_id,
            orders: ask.orders,
            options,
            items: ask.items.clone(),
        };
        Ok(Event {
            at_ms: now_ms,
            change: Change::Created(Box::new(created)),
        })
    }

    /// ALTER. O(1).
    pub fn plan_alter(&self, now_ms: u64, changes: &Changes) -> Plan<'static> {
        let moves_window = changes.start_at_ms.is_some() || changes.end_at_ms.is_some();
        if let Some(at_ms) = self.closed_at_ms
            && moves_window
        {
            return Err(Answer::Ended { at_ms });
        }
        let mut options = changes.applied_to(&self.options);
        if options.item_limit.is_some() && !self.users.tracks_items() {
            return Err(Answer::Invalid(
                "ITEMLIMIT: can be changed, not introduced: give it to CREATE",
            ));
        }
        check_hold(&options)?;
        check_lines(&options)?;
        check_rates(&options)?;
        match changes.end_at_ms {
            // An END in the past ends the sale now, whatever START says.
            Some(end_at_ms) if (1..=now_ms).contains(&end_at_ms) => {
                options.end_at_ms = Some(self.ended_at_ms(now_ms).unwrap_or(now_ms));
            }
            _ if moves_window => check_window(&options)?,
            _ => {}
        }
        if options == self.options {
            return Err(Answer::Unchanged);
        }
        Ok(Event {
            at_ms: now_ms,
            change: Change::Altered(Box::new(options)),
        })
    }

    /// PAUSE.
    pub fn plan_pause(&self, now_ms: u64) -> Plan<'static> {
        self.unless_closed(now_ms, self.paused_at_ms.is_some(), Change::Paused)
    }

    /// RESUME.
    pub fn plan_resume(&self, now_ms: u64) -> Plan<'static> {
        // A diverged copy sells again when a person says so, also once it is closed.
        if let Some(mark) = &self.mark {
            let lifts = Some(mark.id);
            return Ok(Event {
                at_ms: now_ms,
                change: Change::Resumed { lifts },
            });
        }
        let resumed = Change::Resumed { lifts: None };
        self.unless_closed(now_ms, self.paused_at_ms.is_none(), resumed)
    }

    fn unless_closed(
        &self,
        now_ms: u64,
        already_so: bool,
        change: Change<'static>,
    ) -> Plan<'static> {
        match self.closed_at_ms {
            Some(at_ms) => Err(Answer::Ended { at_ms }),
            None if already_so => Err(Answer::Unchanged),
            None => Ok(Event {
                at_ms: now_ms,
                change,
            }),
        }
    }

    /// CLOSE.
    pub fn plan_close(&self, now_ms: u64) -> Plan<'static> {
        if self.closed_at_ms.is_some() {
            return Err(Answer::Unchanged);
        }
        Ok(Event {
            at_ms: now_ms,
            change: Change::Closed,
        })
    }

    /// BIND.
    pub fn plan_bind<'a>(&self, now_ms: u64, orders: &'a [u8]) -> Plan<'a> {
        if *self.orders == *orders {
            return Err(Answer::Unchanged);
        }
        Ok(Event {
            at_ms: now_ms,
            change: Change::Bound { orders },
        })
    }

    /// RESTOCK. O(N log N) with N SKUs asked for, and the REFs remembered when one is given.
    pub fn plan_restock<'a>(&self, now_ms: u64, ask: &Restock<'a>, bounds: &Bounds) -> Plan<'a> {
        let deltas = self.deltas_of(&ask.ask)?;
        if let Some(reference) = ask.reference {
            self.refuse_known_restock(reference, &deltas)?;
        }
        let is_known = deltas.iter().all(|delta| delta.item.is_some());
        let deltas: Vec<StockDelta<'a>> = self.restockable(ask.new, deltas)?;
        self.check_restock(&deltas, bounds)?;
        if ask.ask.is_of_nothing() && ask.reference.is_none() && is_known {
            return Err(Answer::Restocked);
        }
        let change = Change::Restocked {
            named: None,
            deltas,
            reference: ask.reference.map(Spelling::of),
        };
        Ok(Event {
            at_ms: now_ms,
            change,
        })
    }

    /// Deltas summed by SKU, in the order first asked; each with its first position.
    fn deltas_of<'a>(&self, ask: &RestockAsk<'a>) -> Result<Vec<Delta<'a>>, Answer> {
        let asked = match ask {
            RestockAsk::Delta(delta) => {
                return Ok(vec![Delta {
                    sku: None,
                    item: self.items.bare(),
                    position: 0,
                    delta: *delta,
                }]);
            }
            RestockAsk::Items(asked) => asked,
        };
        let mut deltas: Vec<Delta<'a>> = asked
            .iter()
            .enumerate()
            .map(|(position, &(sku, delta))| Delta {
                sku: Some(sku),
                item: self.items.find(sku),
                position,
                delta,
            })
            .collect();
        deltas.sort_by_key(|delta| (delta.sku, delta.position));
        let parts_by_sku = deltas.chunk_by(|one, next| one.sku == next.sku);
        let mut deltas = parts_by_sku
            .filter_map(sum_parts)
            .collect::<Result<Vec<Delta<'a>>, Answer>>()?;
        deltas.sort_by_key(|delta| delta.position);
        Ok(deltas)
    }

    /// A REF the sale already has: a replay for the same deltas, else a mismatch.
    fn refuse_known_restock(&self, reference: &[u8], deltas: &[Delta<'_>]) -> Result<(), Answer> {
        let Some(known) = self.restock_refs.find(reference) else {
            return Ok(());
        };
        let same = match deltas {
            [
                Delta {
                    sku: None, delta, ..
                },
            ] => self.bare_items().any(|item| known.are(&[(item, *delta)])),
            _ => {
                let asked = deltas.iter().map(|delta| Some((delta.item?, delta.delta)));
                asked
                    .collect::<Option<Vec<ItemDelta>>>()
                    .is_some_and(|mut asked| {
                        asked.sort_unstable();
                        known.are(&asked)
                    })
            }
        };
        Err(if same {
            Answer::Restocked
        } else {
            Answer::Mismatch
        })
    }

    /// The item a bare delta changed, or would: for a known REF the one it changed then.
    pub fn bare_restock_item(&self, reference: Option<&[u8]>) -> Option<ItemIndex> {
        match reference.and_then(|reference| self.restock_refs.find(reference)) {
            Some(Deltas::Few(deltas)) if deltas.len() == 1 => Some(deltas[0].0),
            _ => self.items.bare(),
        }
    }

    /// The deltas by SKU, if every SKU is known or may be new.
    fn restockable<'a>(
        &self,
        new: bool,
        deltas: Vec<Delta<'a>>,
    ) -> Result<Vec<StockDelta<'a>>, Answer> {
        let mut by_sku = Vec::with_capacity(deltas.len());
        for Delta {
            sku,
            item,
            position,
            delta,
        } in deltas
        {
            match (sku, item) {
                (Some(_), None) if !new || delta < 0 => {
                    return Err(Answer::NoSku {
                        ask: Some(position),
                    });
                }
                (Some(sku), _) => by_sku.push(StockDelta {
                    sku: sku.into(),
                    delta,
                }),
                (None, Some(item)) => by_sku.push(StockDelta {
                    sku: self.items.sku(item).to_vec().into(),
                    delta,
                }),
                (None, None) => return Err(Answer::NoSku { ask: None }),
            }
        }
        Ok(by_sku)
    }

    /// No item below zero, not too many items, not too many units.
    fn check_restock(&self, deltas: &[StockDelta<'_>], bounds: &Bounds) -> Result<(), Answer> {
        let is_named = |item| self.kind_of_item(item) != ItemKind::Counted;
        let mut known = deltas.iter().filter_map(|by| self.items.find(&by.sku));
        if self.named.is_some() && known.any(is_named) {
            return Err(Answer::Invalid(
                "delta: the units of the item have names, use UNITS",
            ));
        }
        let (mut total, mut items) = (i128::from(self.units()), self.items.len());
        for StockDelta { sku, delta } in deltas {
            total += i128::from(*delta);
            let item = self.items.find(sku);
            if !self.has_base_for(item, *delta) {
                return Err(Answer::Invalid(
                    "delta: the sum of all there ever were of a SKU is too large",
                ));
            }
            let Some(item) = item else {
                items += 1;
                continue;
            };
            let available = self.items.stock(item).available;
            if available.checked_add_signed(*delta).is_none() {
                return Err(Answer::TooFew { available, item });
            }
        }
        // A bound that was lowered since does not stop more of the items there are.
        if items > bounds.items_max.max(self.items.len()) {
            return Err(TOO_MANY_ITEMS);
        }
        if total > i128::from(INTEGER_MAX) {
            return Err(Answer::Invalid(
                "delta: the sum over the sale exceeds 9007199254740991",
            ));
        }
        Ok(())
    }
}

/// One SKU of a RESTOCK, looked up; a bare delta has no SKU of its own.
#[derive(Clone, Copy)]
struct Delta<'a> {
    sku: Option<&'a [u8]>,
    item: Option<ItemIndex>,
    position: usize,
    delta: i64,
}

/// Sums the deltas of one SKU, which stand at the position of the first; `None` without any.
/// A sum that saturated on the way would depend on the order of the parts.
fn sum_parts<'a>(parts: &[Delta<'a>]) -> Option<Result<Delta<'a>, Answer>> {
    let first = *parts.first()?;
    let sum: i128 = parts.iter().map(|part| i128::from(part.delta)).sum();
    let sum = i64::try_from(sum).ok();
    Some(
        sum.filter(|sum| sum.unsigned_abs() <= INTEGER_MAX)
            .map(|delta| Delta { delta, ..first })
            .ok_or(Answer::Invalid(
                "delta: the sum of one SKU is not from -9007199254740991 to 9007199254740991",
            )),
    )
}

/// WAITING, PATIENCE and PACE have bounds of their own.
fn check_lines(options: &Options) -> Result<(), Answer> {
    if options.waiting_max > Options::WAITING_MAX {
        return Err(Answer::Invalid("WAITING: more than 100000000 places"));
    }
    if (1..Options::PATIENCE_MS_MIN).contains(&options.patience_ms) {
        return Err(Answer::Invalid(
            "PATIENCE: less than 2000 ms, a poll may be a second late; 0 is for ever",
        ));
    }
    let is_too_large = |rate: PaceRate| rate.n > PaceRate::N_MAX || rate.ms > PaceRate::MS_MAX;
    if options.pace.is_some_and(is_too_large) {
        return Err(Answer::Invalid(
            "PACE: n is at most 1000000, ms at most a day (86400000)",
        ));
    }
    Ok(())
}

/// A rate is one that can be kept to.
fn check_rates(options: &Options) -> Result<(), Answer> {
    let is_wrong = |rate: &AttemptRate| rate.rate().is_err();
    if options.user_rate.as_ref().is_some_and(is_wrong) {
        return Err(Answer::Invalid(
            "USERRATE: n is at most 1000000 for each ms, ms at most a year (31536000000)",
        ));
    }
    if options.from_rate.as_ref().is_some_and(is_wrong) {
        return Err(Answer::Invalid(
            "FROMRATE: n is at most 1000000 for each ms, ms at most a year (31536000000)",
        ));
    }
    Ok(())
}

fn check_hold(options: &Options) -> Result<(), Answer> {
    match options.hold_ms_max {
        Some(hold_ms_max) if hold_ms_max < options.hold_ms => Err(Answer::Invalid(
            "MAXHOLD: below HOLD, which is the sale's or default-hold-ms where not given",
        )),
        _ => Ok(()),
    }
}

fn check_window(options: &Options) -> Result<(), Answer> {
    match (options.start_at_ms, options.end_at_ms) {
        (Some(start_at_ms), Some(end_at_ms)) if start_at_ms >= end_at_ms => Err(Answer::Invalid(
            "START: not before END, both in Unix milliseconds",
        )),
        _ => Ok(()),
    }
}
