//! What a part of a split sale says when it has too few units: whether others may have some is
//! what it was told by REST, if it was told anything.
//!
//! Edge: reads the state, and keeps beside it what no copy shares: what was told, and what was
//! asked for in vain.

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::Ask;
use crate::sale::book::deadlines::NEVER;
use crate::sale::plan::reserve::Replaced;
use crate::sale::state::Sale;
use crate::sale::units::{ItemIndex, Line};

impl Sale {
    /// Is the sale a part of a split one?
    #[inline(always)]
    pub fn is_part(&self) -> bool {
        self.options.group.is_some()
    }

    /// The split sale that this one is a part of.
    pub fn group(&self) -> Option<&str> {
        self.options.group.as_deref()
    }

    /// REST: no part has any of these items, for so long by a steady clock. SKUs that the sale
    /// does not have are passed over. Not a change of the sale.
    pub fn note_rest<'k>(
        &mut self,
        skus: impl Iterator<Item = &'k [u8]>,
        steady_ms: u64,
        valid_ms: u64,
    ) {
        let items = skus.filter_map(|sku| self.items.find(sku)).collect();
        let rest = self.rest.get_or_insert_default();
        rest.note(items, steady_ms, valid_ms);
    }

    /// Looks, in a part of a split sale, whether what was said still holds; whoever decides
    /// does so first. `retry_ms` is `part-retry-ms`. Not a change of the sale.
    #[cold]
    pub fn tick_rest(&mut self, steady_ms: u64, retry_ms: u64) {
        let rest = self.rest.get_or_insert_default();
        rest.tick(steady_ms, retry_ms);
    }

    /// Forgets what was said: it was said to another server.
    pub fn forget_rest(&mut self) {
        self.rest = None;
    }

    /// Counts units that were refused, or put in line, for want of stock. Not a change of the
    /// sale.
    #[inline]
    pub fn note_asked(&mut self, item: ItemIndex, units: u64) {
        match self.asked.get_mut(item as usize) {
            Some(asked) => *asked = asked.saturating_add(units),
            None => self.begin_asked(item, units),
        }
    }

    #[cold]
    fn begin_asked(&mut self, item: ItemIndex, units: u64) {
        self.asked.resize(self.items.len(), 0);
        if let Some(asked) = self.asked.get_mut(item as usize) {
            *asked = units;
        }
    }

    /// Counts what a request was refused for want of stock, by the answer to it. Not a change
    /// of the sale.
    #[inline]
    pub fn note_refused(&mut self, ask: &Ask<'_>, answer: &Answer) {
        if let Answer::SoldOut { item, .. }
        | Answer::AllReserved {
            item: Some(item), ..
        } = answer
        {
            let units = match ask {
                Ask::Qty(units) => *units,
                Ask::Items(asked) => self.units_asked(asked, *item),
            };
            self.note_asked(*item, units);
        }
    }

    fn units_asked(&self, asked: &[(&[u8], u64)], item: ItemIndex) -> u64 {
        let sku = self.items.sku(item);
        let of_item = asked.iter().filter(|(asked, _)| *asked == sku);
        of_item.fold(0, |sum, (_, units)| sum.saturating_add(*units))
    }

    /// Units of an item that can still reach a buyer here.
    pub(crate) fn left_of(&self, item: ItemIndex) -> u64 {
        let stock = self.items.reachable(item);
        stock.available.saturating_add(stock.reserved)
    }

    /// Can no more of an item come? Parts of a split sale know it when they were told.
    pub(crate) fn is_all_there_is(&self, item: ItemIndex) -> bool {
        !self.is_part() || self.rest.as_ref().is_some_and(|rest| rest.names(item))
    }

    /// Can no more come of any item of a line that is sold out? O(lines) in a part that was
    /// told of some item, O(1) elsewhere.
    pub(super) fn has_final_line(&self) -> bool {
        let Some(waiting) = &self.waiting else {
            return false;
        };
        let mut lines = waiting.sold_out_lines();
        if !self.is_part() {
            return lines.next().is_some();
        }
        let names_any = self.rest.as_ref().is_some_and(|rest| rest.names_any());
        names_any && lines.any(|item| self.is_all_there_is(item))
    }

    /// Row 12 of a cart that has too few units of some item: final, but in a part whose other
    /// parts may have some.
    #[cold]
    #[inline(never)]
    pub(super) fn too_few(
        &self,
        now_ms: u64,
        lines: &[Line],
        replaced: Option<&Replaced>,
    ) -> Option<Answer> {
        let mut short = None;
        for &Line { item, qty } in lines {
            if self.left_of(item) >= qty {
                continue;
            }
            if self.is_all_there_is(item) {
                let freed = replaced.map_or(0, |replaced| replaced.qty_of(item));
                let available = self.items.stock(item).available.saturating_add(freed);
                return Some(Answer::SoldOut { available, item });
            }
            short = short.or(Some(item));
        }
        let retry_in_ms = self.part_retry_ms(now_ms);
        short.map(|item| Answer::AllReserved {
            retry_in_ms,
            item: Some(item),
        })
    }

    /// When to ask a part again: at its next deadline, or when units may have come to it.
    pub(super) fn part_retry_ms(&self, now_ms: u64) -> u64 {
        let retry_ms = self.rest.as_ref().map_or(1, |rest| rest.retry_in_ms());
        match self.reservations.deadlines().first_ms() {
            NEVER => retry_ms,
            first_ms => first_ms.saturating_sub(now_ms).clamp(1, retry_ms),
        }
    }
}
