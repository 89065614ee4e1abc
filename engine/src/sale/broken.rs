//! What becomes of a sale that breaks an invariant: it is broken off, and the server lives.
//!
//! No input leads there; a fault of this code or of the memory could. Whoever changes a sale
//! looks for a [fault](Sale::fault) after each change, and breaks the sale off where there is
//! one, or where something panicked on its way through the tables. A broken sale is changed
//! no more. Its reservations and users may be wrong or lead nowhere, so its snapshot leaves
//! them out, see `disk/snapshot.rs`.
//!
//! Edge: no event says that a sale is broken. The history is sound, and a copy that follows
//! it, or a start that loads it, judges for itself.

use crate::sale::state::{Sale, shorten_reason};
use crate::sale::units::INTEGER_MAX;

impl Sale {
    /// Returns which of invariants 1, 2, 4 and 6 cannot hold, in words, as far as that takes
    /// no recount. O(1).
    ///
    /// Asked after each change; a sale with a fault is to be [broken off](Sale::break_off).
    #[inline]
    pub fn fault(&self) -> Option<&'static str> {
        let (totals, open) = (self.items.totals(), self.reservations_open());
        // Each open reservation has a unit at least.
        let is_sound = !self.items.is_overdrawn()
            && open <= totals.reserved
            && (open > 0 || totals.reserved == 0)
            && totals.units() <= INTEGER_MAX;
        if is_sound {
            None
        } else {
            Some(self.which_fault())
        }
    }

    #[cold]
    fn which_fault(&self) -> &'static str {
        if self.items.is_overdrawn() {
            "more units were to be moved than there are"
        } else if self.items.totals().units() > INTEGER_MAX {
            "there are more units than can be counted"
        } else {
            "the units reserved are not those of the open reservations"
        }
    }

    /// Notes that nothing here can be relied on: an invariant broke. A broken sale must not
    /// be changed any more. The first reason stays, as much of it as a mark keeps.
    pub fn break_off(&mut self, reason: &str) {
        let reason = || shorten_reason(reason).into();
        self.broken.get_or_insert_with(reason);
    }

    /// Why the sale is broken, if it is.
    #[inline]
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Why this copy does not sell, if it does not: it is broken, or missed a change.
    pub fn why_diverged(&self) -> Option<&str> {
        let missed = self.mark.as_ref().map(|mark| &*mark.reason);
        self.broken().or(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::audit::fixture::sale;
    use crate::sale::book::items::{Move, StockChanges};
    use crate::sale::disk::loader::Loader;
    use crate::sale::disk::snapshot::save;
    use crate::sale::views::Phase;
    use crate::table::hash::HASHER;
    use crate::wire::CodecError;

    fn reserve(sale: &mut Sale, by: i64) {
        let by = Move {
            reserved: by,
            ..Move::default()
        };
        sale.items.shift(0, by, &mut StockChanges::new());
    }

    #[test]
    fn a_sale_that_cannot_add_up_has_a_fault_at_once() {
        assert_eq!(sale().fault(), None);
        let reserved = sale().items.totals().reserved;
        for (by, words) in [
            (-1_000_000, "more units were to be moved than there are"),
            (
                INTEGER_MAX.cast_signed(),
                "there are more units than can be counted",
            ),
            (
                -reserved.cast_signed(),
                "the units reserved are not those of the open reservations",
            ),
        ] {
            let mut sale = sale();
            reserve(&mut sale, by);
            assert_eq!(sale.fault(), Some(words));
        }
    }

    fn bytes_of(sale: &Sale) -> Vec<u8> {
        let mut bytes = Vec::new();
        save(sale, &mut |chunk| bytes.extend_from_slice(chunk));
        bytes
    }

    fn load(bytes: &[u8]) -> Result<Sale, CodecError> {
        let mut loader = Loader::new(HASHER);
        loader.push(bytes)?;
        loader.finish()
    }

    /// A server that loads a broken sale must start, and the sale must stay broken.
    #[test]
    fn a_broken_sale_is_loaded_without_what_cannot_be_relied_on() {
        let mut broken = sale();
        reserve(&mut broken, INTEGER_MAX.cast_signed());
        assert!(load(&bytes_of(&broken)).is_err());
        broken.break_off("no record at 7");
        broken.break_off("another reason");
        let again = load(&bytes_of(&broken)).expect("a broken sale");
        assert_eq!(again.broken(), Some("no record at 7"));
        assert_eq!(again.items.totals(), broken.items.totals());
        assert_eq!((again.reservations_known(), again.users_known()), (0, 0));
        assert_eq!(again.phase(0), Phase::Diverged);
    }

    #[test]
    fn a_forged_broken_sale_with_records_is_damage() {
        let mut broken = sale();
        broken.break_off("no record at 7");
        let (head, whole) = (bytes_of(&broken), bytes_of(&sale()));
        // The element at the end is a tag and two counts.
        let items = &head[..head.len() - 3];
        let last_item = &items[items.len() - 5..];
        let at = whole.windows(5).position(|bytes| bytes == last_item);
        let records = &whole[at.expect("an item") + 5..];
        let loaded = load(&[items, records].concat()).map(|_| ());
        let damage = CodecError::Invalid("a record of a broken sale");
        assert_eq!(loaded, Err(damage));
    }
}
