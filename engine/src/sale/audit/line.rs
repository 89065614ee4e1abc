//! Recounts those who wait: invariants 7 of the sale and 1 to 4 of `book/waiting/`.

use std::collections::HashSet;

use crate::sale::audit::{Differences, shown};
use crate::sale::state::Sale;

impl Sale {
    /// Counts people and units again, line by line.
    pub(super) fn audit_lines(&self, differences: &mut Differences) {
        let Some(waiting) = &self.waiting else { return };
        let mut living = 0;
        for line in waiting.lines() {
            let (mut people, mut units) = (0_u64, 0_u128);
            for place in waiting.iter(line) {
                people += 1;
                units += u128::from(place.qty);
            }
            living += people;
            let item = line.item();
            let sku = || self.items.sku(item).escape_ascii();
            differences.compare(
                || format!("people in the line of '{}'", sku()),
                line.len(),
                people,
            );
            if units != line.units() {
                let kept = line.units();
                differences.add(|| {
                    let sku = sku();
                    format!("units waited for of '{sku}' are {kept}, recounted {units}")
                });
            }
        }
        differences.compare(|| "people who wait".into(), waiting.len(), living);
    }

    /// Looks whether each place is found by its id and user, whether an id is a reservation
    /// too, and whether whoever was settled is gone.
    pub(super) fn audit_places(&self, differences: &mut Differences) {
        let Some(waiting) = &self.waiting else { return };
        let mut seen = HashSet::with_hasher(self.hasher);
        for line in waiting.lines() {
            for place in waiting.iter(line) {
                let id = self.hasher.key_of(place.id);
                let user = self.hasher.key_of(place.user);
                let found = (waiting.find(id), waiting.find_of_user(user));
                if found != (Some(place.slot), Some(place.slot)) || !seen.insert(place.slot) {
                    differences.add(|| {
                        let (id, user) = (shown(place.id), shown(place.user));
                        format!("the place {id} of {user} is not found by its names")
                    });
                }
                if self.reservations.find(id).is_some() {
                    differences.add(|| format!("{} waits and is known", shown(place.id)));
                }
                let order = line.draw().map(|draw| draw.place_of(place.number));
                if order.is_some_and(|order| order < line.head()) {
                    differences.add(|| {
                        let (id, head) = (shown(place.id), line.head());
                        format!("the place of {id} is before {head}, where its line stands")
                    });
                }
            }
        }
    }
}
