//! What other sales and a reconciliation read: shares, debts and refunds.
//!
//! Edge: reads only, and no clock.

use crate::sale::book::reservation::{OrderRecord, Reservation, Slot};
use crate::sale::book::shares::Way;
use crate::sale::book::waiting::line::WaitingLine;
use crate::sale::state::Sale;
use crate::sale::units::{EntryId, INTEGER_MAX, ItemIndex, Lines};
use crate::sale::views::ItemView;
use crate::table::name::Name;

/// One refund of an order, as GET tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundView<'s> {
    pub entry: EntryId,
    pub reference: Option<&'s [u8]>,
    /// In the order first asked for.
    pub lines: Lines,
    /// Units of it went on sale again, or paid what was owed; `None` where older formats do not
    /// say.
    pub restocked: Option<bool>,
    /// RESTORELIMIT was asked for.
    pub restore_limit: bool,
    /// NORESTOCK was asked for; `None` where older formats do not say.
    pub no_restock: Option<bool>,
}

/// One item as other sales see it.
pub struct ShareView<'s> {
    pub item: ItemView<'s>,
    /// Units by CREATE and RESTOCK, less those that refunds took out.
    pub base: i64,
    /// Units that this copy refused, or put in line, for want of stock.
    pub asked: u64,
    /// Units that people in line wait for.
    pub waiting: u64,
    /// By share id: units given in all.
    pub given: Vec<(u128, u64)>,
    /// By share id: units taken in all.
    pub taken: Vec<(u128, u64)>,
}

impl Sale {
    /// An item with all that other sales have to do with it. O(share ids).
    pub fn share(&self, item: ItemIndex) -> ShareView<'_> {
        let shares = self.shares.iter();
        let totals = |way| {
            let shares = shares.clone();
            shares
                .flat_map(|shares| shares.of_item(way, item))
                .collect()
        };
        let waiting = self.waiting.as_ref().and_then(|waiting| waiting.line(item));
        let waiting = waiting.map_or(0, WaitingLine::units);
        ShareView {
            item: self.item(item),
            base: self.items.base(item),
            asked: self.asked.get(item as usize).copied().unwrap_or_default(),
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX).min(INTEGER_MAX),
            given: totals(Way::Given),
            taken: totals(Way::Taken),
        }
    }

    /// Units that all items owe.
    #[inline]
    pub fn owed(&self) -> u64 {
        self.items.owed_in_all()
    }

    /// Units refunded so far.
    pub fn refunded(&self) -> u64 {
        self.refunded
    }

    /// The refunds of an order, in their order.
    pub fn refunds(&self, slot: Slot) -> impl Iterator<Item = RefundView<'_>> {
        let order = self.record(slot).and_then(Reservation::order);
        let refunds = order.into_iter().flat_map(OrderRecord::refunds);
        refunds.map(|refund| RefundView {
            entry: refund.entry,
            reference: refund.reference.as_ref().map(Name::bytes),
            lines: refund.cart.lines(),
            restocked: refund.no_restock.map(|_| refund.restocked),
            restore_limit: refund.restores_limit,
            no_restock: refund.no_restock,
        })
    }
}
