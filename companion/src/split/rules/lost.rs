//! A part that was lost for good: how much stock is left for the one that is made in its place.

use super::reading::{ShareId, Shelf};

/// What the living parts have of all stock of an item: their bases, less what they gave to
/// share ids that no living part has, plus what they took from these. Moves among the living
/// do not touch it.
pub fn stock_of_living<'s>(living: impl Iterator<Item = (ShareId, &'s Shelf)> + Clone) -> i128 {
    let is_living = |share_id: ShareId| living.clone().any(|(own, _)| own == share_id);
    let lost = |pairs: &[(ShareId, u64)]| -> i128 {
        let lost = pairs.iter().filter(|(share_id, _)| !is_living(*share_id));
        lost.map(|(_, total)| i128::from(*total)).sum()
    };
    let stock = |(_, shelf): (ShareId, &Shelf)| {
        i128::from(shelf.base) - lost(&shelf.given) + lost(&shelf.taken)
    };
    living.clone().map(stock).sum()
}

/// What is left of all stock for the parts that are made anew; `None` if the living have more.
pub fn left<'s>(
    all: u64,
    living: impl Iterator<Item = (ShareId, &'s Shelf)> + Clone,
) -> Option<u64> {
    u64::try_from(i128::from(all) - stock_of_living(living)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(base: i64, given: &[(ShareId, u64)], taken: &[(ShareId, u64)]) -> Shelf {
        Shelf {
            base,
            given: given.to_vec(),
            taken: taken.to_vec(),
            ..Shelf::default()
        }
    }

    #[test]
    fn what_went_to_the_lost_is_theirs_and_what_came_from_them_is_not() {
        // Of 100, part 10 had 30 and part 20 had 40; 90 and 91 are gone, one after the other.
        let first = shelf(30, &[(20, 9), (90, 5)], &[(91, 2)]);
        let second = shelf(40, &[(91, 1)], &[(10, 9), (90, 4)]);
        let living = [(10, &first), (20, &second)];
        let stock = 30 - 5 + 2 + 40 - 1 + 4;
        assert_eq!(stock_of_living(living.into_iter()), stock);
        assert_eq!(left(100, living.into_iter()), Some(30));
        assert_eq!(left(69, living.into_iter()), None);
    }
}
