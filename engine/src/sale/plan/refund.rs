//! Decides REFUND: what may be taken back from an order.
//!
//! Edge: reads the state and returns an event or an answer.

use std::ptr;

use crate::sale::OrderPlan;
use crate::sale::ask::answer::{Answer, Which};
use crate::sale::ask::request::{Ask, RefundAsk};
use crate::sale::book::cart::are_same_units;
use crate::sale::book::named::{UnitList, UnitNumber};
use crate::sale::book::reservation::{OrderRecord, Reservation, Status};
use crate::sale::event::told::Told;
use crate::sale::event::{Change, Pending, Refund};
use crate::sale::plan::reserve::merge_lines;
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, Line, Lines};
use crate::sale::views_units::ItemKind;
use crate::table::name::Spelling;

/// What a REFUND is about.
pub(super) enum Wanted {
    /// All that is left.
    Rest,
    Units {
        /// Each item once, in the order first asked.
        lines: Lines,
        /// The position in the request of the first SKU the sale does not have.
        unknown: Option<usize>,
    },
    Named {
        lines: Lines,
        /// As asked, with `None` for a name the sale does not have.
        units: Vec<Option<UnitNumber>>,
    },
}

impl Sale {
    /// REFUND. O(lines log lines).
    pub fn plan_refund<'a>(&self, now_ms: u64, ask: &RefundAsk<'a>) -> OrderPlan<'a> {
        let not_sold = Answer::NotSold {
            left: 0,
            which: Which::Nothing,
        };
        let (slot, record) = match self.reservation_of(ask.id, ask.user) {
            Err(Answer::StillWaiting) => return Err(not_sold),
            known => known?,
        };
        let (Status::Sold, Some(order)) = (record.status(), record.order()) else {
            return Err(not_sold);
        };
        let wanted = self.wanted(record, ask)?;
        if let Some(reference) = ask.reference {
            self.refuse_known(record, order, ask, reference, &wanted)?;
        } else if record.is_refunded() {
            return Err(Self::sold_state(record));
        }
        let mut named = UnitList::new();
        let lines = match wanted {
            Wanted::Rest => Self::rest(record)?,
            Wanted::Units { lines, unknown } => {
                self.refuse_more_than_left(record, ask, &lines, unknown)?;
                self.refuse_some_of_named(record, &lines)?;
                lines
            }
            Wanted::Named { lines, units } => {
                self.refuse_units_of_others(slot, &units)?;
                named = units.into_iter().flatten().collect();
                lines
            }
        };
        let units = match named[..] {
            [] => self.named_units_left(slot, &lines),
            _ => self.in_order_of(&lines, named),
        };
        let is_sealed = |line: &Line| self.kind_of_item(line.item) == ItemKind::Sealed;
        let goes_on_sale = self.named.is_none() || !lines.iter().all(is_sealed);
        let ended = self.ended_at_ms(now_ms).is_some();
        let change = Change::Refunded(Refund {
            units,
            id: ask.id,
            lines,
            reference: ask.reference.map(Spelling::of),
            restocks: !ask.no_restock && !ended && goes_on_sale,
            restores_limit: ask.restore_limit,
            no_restock: Some(ask.no_restock),
            entry: EntryId::default(),
            told: Told::default(),
        });
        Ok(Pending::new(now_ms, change))
    }

    fn wanted(&self, record: Reservation<'_>, ask: &RefundAsk<'_>) -> Result<Wanted, Answer> {
        if !ask.units.is_empty() {
            return self.wanted_by_name(ask);
        }
        let asked = match &ask.ask {
            None => return Ok(Wanted::Rest),
            Some(Ask::Items(asked)) => asked,
            Some(Ask::Qty(qty)) => {
                return match record.lines()[..] {
                    [Line { item, .. }] => {
                        let lines = Lines::from_slice(&[Line { item, qty: *qty }]);
                        Ok(Wanted::Units {
                            lines,
                            unknown: None,
                        })
                    }
                    _ => Err(Answer::Invalid(
                        "QTY: the order has several SKUs, use ITEMS",
                    )),
                };
            }
        };
        let (mut lines, mut unknown) = (Lines::new(), None);
        for (position, &(sku, qty)) in asked.iter().enumerate() {
            match self.items.find(sku) {
                Some(item) => lines.push(Line { item, qty }),
                None => unknown = unknown.or(Some(position)),
            }
        }
        merge_lines(&mut lines);
        Ok(Wanted::Units { lines, unknown })
    }

    /// A REF the order already has: a replay for the same units, NORESTOCK and
    /// RESTORELIMIT, else a mismatch.
    fn refuse_known(
        &self,
        record: Reservation<'_>,
        order: &OrderRecord,
        ask: &RefundAsk<'_>,
        reference: &[u8],
        wanted: &Wanted,
    ) -> Result<(), Answer> {
        let Some(refund) = order.find_refund(reference, self.hasher) else {
            return Ok(());
        };
        let asks_the_same = refund.restores_limit == ask.restore_limit
            && refund
                .no_restock
                .is_none_or(|asked| asked == ask.no_restock);
        let is_same_units = match wanted {
            // "All that is left" is what the refund was that left nothing.
            Wanted::Rest => {
                let is_last = order
                    .last_refund()
                    .is_some_and(|last| ptr::eq(last, refund));
                is_last && record.is_refunded()
            }
            Wanted::Units { lines, unknown } => {
                unknown.is_none() && are_same_units(&refund.cart.lines(), lines)
            }
            Wanted::Named { units, .. } => {
                let asked: Option<Vec<UnitNumber>> = units.iter().copied().collect();
                asked.is_some_and(|mut asked| {
                    let mut refunded = refund.units.to_vec();
                    asked.sort_unstable();
                    refunded.sort_unstable();
                    asked == refunded
                })
            }
        };
        Err(if is_same_units && asks_the_same {
            Answer::Refunded {
                entry: refund.entry,
            }
        } else {
            Answer::Mismatch
        })
    }

    /// All that is left of an order.
    fn rest(record: Reservation<'_>) -> Result<Lines, Answer> {
        let mut left = record.left();
        left.retain(|line| line.qty > 0);
        if !left.is_empty() {
            return Ok(left);
        }
        let which = record
            .lines()
            .first()
            .map_or(Which::Nothing, |line| Which::Item(line.item));
        Err(Answer::NotSold { left: 0, which })
    }

    /// Refuses by the first SKU, as asked, of which less is left or none was sold.
    fn refuse_more_than_left(
        &self,
        record: Reservation<'_>,
        ask: &RefundAsk<'_>,
        lines: &[Line],
        unknown: Option<usize>,
    ) -> Result<(), Answer> {
        let mut left = record.left();
        left.sort_unstable();
        let left_of = |item| {
            let at = left.binary_search_by_key(&item, |left: &Line| left.item);
            at.map_or(0, |at| left[at].qty)
        };
        let short = lines.iter().find(|line| line.qty > left_of(line.item));
        let refused_at = |item| match &ask.ask {
            Some(Ask::Items(asked)) => asked
                .iter()
                .position(|&(sku, _)| self.items.find(sku) == Some(item)),
            _ => None,
        };
        let (left, which) = match (short, unknown) {
            (None, None) => return Ok(()),
            (None, Some(position)) => (0, Which::Asked(position)),
            (Some(line), unknown) => match unknown {
                Some(position) if refused_at(line.item) > Some(position) => {
                    (0, Which::Asked(position))
                }
                _ => (left_of(line.item), Which::Item(line.item)),
            },
        };
        Err(Answer::NotSold { left, which })
    }
}
