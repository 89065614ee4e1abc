//! Recounts what a sale has by CREATE and RESTOCK, by other sales, and by debt: the laws
//! `available + reserved + sold = total + owed` and `total = base + taken - given`.

use crate::sale::audit::Differences;
use crate::sale::book::items::Stock;
use crate::sale::book::shares::{Shares, Way};
use crate::sale::state::Sale;
use crate::sale::units::ItemIndex;

impl Sale {
    /// Units of an item that came from other sales, less those that went to them.
    fn moved(&self, item: ItemIndex) -> i128 {
        let shares = self.shares.as_deref();
        let sum = |way| shares.map_or(0, |shares: &Shares| shares.sum(way, item));
        i128::from(sum(Way::Taken)) - i128::from(sum(Way::Given))
    }

    /// Holds the units of an item against where they came from.
    pub(super) fn audit_item_total(
        &self,
        (item, sku): (ItemIndex, &[u8]),
        (stock, base): (Stock, i64),
        differences: &mut Differences,
    ) {
        let owed = self.items.owed(item);
        let total = i128::from(stock.units()) - i128::from(owed);
        let counted = i128::from(base) + self.moved(item);
        let of = |what: &str| format!("{what} of the item '{}'", sku.escape_ascii());
        if total != counted {
            differences.add(|| {
                let (of, by) = (of("total"), "CREATE, RESTOCK, REFUND, GIVE and TAKE");
                format!("{of} is {total}, by {by} it would be {counted}")
            });
        }
        if owed > 0 && stock.available > 0 {
            differences.add(|| {
                let (of, available) = (of("available"), stock.available);
                format!("{of} is {available}, though {owed} are owed")
            });
        }
    }

    /// Holds what all items owe against what each does.
    pub(super) fn audit_owed(&self, differences: &mut Differences) {
        let items = 0..self.items.len() as ItemIndex;
        let owed = items.fold(0_u64, |sum, item| sum.saturating_add(self.items.owed(item)));
        let kept = self.items.owed_in_all();
        differences.compare(|| "owed of the sale".into(), kept, owed);
    }
}
