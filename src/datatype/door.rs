//! Who may try at a sale: what is kept of that beside the sale, and what DOCTOR asks about it.
//!
//! Edge: no part of the sale. Nothing of it is replicated, saved or in a digest.

use crate::info::SALES_WITH_PASSKEY;
use flashsale_engine::sale::Sale;

/// What is beside the door of one sale.
#[derive(Default)]
pub(super) struct Door {
    /// This sale's share of the gauge.
    guarded: u64,
}

impl Door {
    /// Follows the options of the sale.
    pub(super) fn follow(&mut self, sale: &Sale) {
        let guarded = u64::from(sale.asks_for_pass());
        SALES_WITH_PASSKEY.shift(self.guarded, guarded);
        self.guarded = guarded;
    }

    /// Gives the shares up, on any thread.
    pub(super) fn leave(&self) {
        SALES_WITH_PASSKEY.leave(self.guarded);
    }
}
