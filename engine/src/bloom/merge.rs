//! The union of filters that were made alike.
//!
//! Link by link the bits of one are set in the other. A link with the items of both errs
//! as often as one that got all of them one by one: the rate holds as long as it has
//! room for them all. So a merge that would put more items into a link than it has room
//! for is refused. It is no use to append the links of the other chain instead: each
//! chain alone may have used up the rate.
//!
//! Bits do not say how many items both have in common, so their numbers are
//! summed: an upper bound. Only where a source brings no new bit at all - it is merged
//! again - is nothing counted twice.
//!
//! Edge: integers only. A replica merges its own copies of the filters, and must come to
//! the same end.

use std::fmt;

use super::chain::Bloom;
use super::check::Divergence;
use super::filter::{Filter, MemoryTrial};
use super::params::Shape;

/// Why filters cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeError {
    /// They were asked to be of different error rates.
    ErrorRate,
    /// One grows differently from the other.
    Expansion,
    /// This link, counted from 1, has another size.
    Size { link: usize },
    /// This link, counted from 1, would have more items than it may.
    Overfull {
        link: usize,
        items: u64,
        capacity: u64,
    },
    /// There is no memory for the longer chain.
    NoMemory,
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MergeError::ErrorRate => f.write_str("has another error rate"),
            MergeError::Expansion => f.write_str("has another expansion"),
            MergeError::Size { link } => write!(f, "has another size of filter {link}"),
            MergeError::Overfull {
                link,
                items,
                capacity,
            } => write!(
                f,
                "would be overfull: {items} items in filter {link}, which holds {capacity}"
            ),
            MergeError::NoMemory => f.write_str("takes more memory than there is"),
        }
    }
}

impl Bloom {
    /// Which of these filters, by their positions, bring anything new.
    ///
    /// # Errors
    ///
    /// The position of the first that cannot be merged with this one and those before
    /// it, and why.
    pub fn plan_merge(&self, sources: &[&Bloom]) -> Result<Vec<usize>, (usize, MergeError)> {
        let own = self.links.iter().map(|link| (link.shape(), link.items()));
        let mut union: Vec<(Shape, u64)> = own.collect();
        let mut memory = MemoryTrial::default();
        let mut new = Vec::new();
        for (position, source) in sources.iter().enumerate() {
            self.check_settings(source)
                .and_then(|()| check_shapes(&union, source))
                .map_err(|error| (position, error))?;
            if self.has_all_of(source) {
                continue;
            }
            new.push(position);
            for (index, link) in source.links.iter().enumerate() {
                if index == union.len() {
                    if !memory.take(link.shape()) {
                        return Err((position, MergeError::NoMemory));
                    }
                    union.push((link.shape(), 0));
                }
                let (Shape { capacity, .. }, items) = &mut union[index];
                *items = items.saturating_add(link.items());
                if *items > *capacity {
                    let error = MergeError::Overfull {
                        link: index + 1,
                        items: *items,
                        capacity: *capacity,
                    };
                    return Err((position, error));
                }
            }
        }
        Ok(new)
    }

    /// Items this filter counts once these are merged into it.
    pub fn items_with(&self, sources: &[&Bloom]) -> u64 {
        let items = sources.iter().map(|source| source.items());
        items.fold(self.items(), u64::saturating_add)
    }

    /// Whether these filters, all of which brought something new elsewhere, do so here, and
    /// make it count as many items.
    ///
    /// # Errors
    ///
    /// They do not.
    pub fn check_merge(&self, sources: &[&Bloom], items: u64) -> Result<(), Divergence> {
        match self.plan_merge(sources) {
            Ok(new) if new.len() == sources.len() => {}
            Err((_, MergeError::NoMemory)) => return Err(Divergence::NoMemory),
            Ok(_) | Err(_) => return Err(Divergence::OtherSources),
        }
        match self.items_with(sources) {
            counted if counted == items => Ok(()),
            _ => Err(Divergence::OtherItems),
        }
    }

    /// Adds what another filter contains, as it was planned.
    pub fn merge(&mut self, source: &Bloom) {
        for (index, link) in source.links.iter().enumerate() {
            match self.links.get_mut(index) {
                Some(own) => {
                    let words = own.words_mut().iter_mut().zip(link.words());
                    words.for_each(|(word, bits)| *word |= bits);
                    own.set_items(own.items().saturating_add(link.items()));
                }
                None => self.push(link.clone()),
            }
        }
    }

    /// A filter with the same bits. `None` when there is no memory for it.
    pub fn try_clone(&self) -> Option<Bloom> {
        self.try_clone_for(&[])
    }

    /// A filter with the same bits, which these can be merged into, as was planned. `None`
    /// when there is no memory for what it will be then.
    pub fn try_clone_for(&self, sources: &[&Bloom]) -> Option<Bloom> {
        let mut memory = MemoryTrial::default();
        let own = self.links.iter().map(Filter::shape);
        let fits = memory.take_all(own.chain(self.shapes_beyond(sources)));
        drop(memory);
        fits.then(|| self.clone())
    }

    /// The links that a union with these filters, which are alike, has beyond the own ones.
    fn shapes_beyond(&self, sources: &[&Bloom]) -> impl Iterator<Item = Shape> {
        let longest = sources.iter().max_by_key(|source| source.links.len());
        let links = longest.map_or(&[][..], |source| &source.links);
        links.iter().skip(self.links.len()).map(Filter::shape)
    }

    fn check_settings(&self, source: &Bloom) -> Result<(), MergeError> {
        if self.settings.error_rate != source.settings.error_rate {
            return Err(MergeError::ErrorRate);
        }
        if self.settings.expansion != source.settings.expansion {
            return Err(MergeError::Expansion);
        }
        Ok(())
    }

    /// Is every bit of the other filter set in this one?
    fn has_all_of(&self, source: &Bloom) -> bool {
        let mut links = source.links.iter().enumerate();
        links.all(|(index, link)| match self.links.get(index) {
            Some(own) => {
                let mut words = own.words().iter().zip(link.words());
                words.all(|(word, bits)| bits & !word == 0)
            }
            None => link.items() == 0 && link.words().iter().all(|&word| word == 0),
        })
    }
}

/// Whether a filter has the sizes of a union so far. Also sources that are longer than the
/// destination have to be alike: one that was loaded may have any sizes.
fn check_shapes(union: &[(Shape, u64)], source: &Bloom) -> Result<(), MergeError> {
    let both = union.iter().zip(&source.links).enumerate();
    for (index, (&(shape, _), link)) in both {
        if shape != link.shape() {
            return Err(MergeError::Size { link: index + 1 });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::super::hash::ItemHash;
    use super::super::params::ErrorRate;
    use super::super::params::Settings;
    use super::*;

    fn bloom(error_rate: f64, expansion: u32, capacity: u64, items: std::ops::Range<u32>) -> Bloom {
        let settings = Settings {
            error_rate: ErrorRate::new(error_rate).expect("a rate"),
            expansion,
        };
        let first = Bloom::plan_first(settings, capacity).expect("a shape");
        let mut bloom = Bloom::new(settings, first);
        for item in items {
            if let (_, Some(added)) = bloom.plan_add(&[hash(item)]) {
                bloom.apply(&Event::Added(added));
            }
        }
        bloom
    }

    fn hash(item: u32) -> ItemHash {
        ItemHash::of(&item.to_le_bytes())
    }

    #[test]
    fn a_union_contains_what_either_contains_and_no_more_items_than_both() {
        let mut one = bloom(1e-4, 0, 100, 0..40);
        let other = bloom(1e-4, 0, 100, 20..70);
        assert_eq!(one.plan_merge(&[&other]), Ok(vec![0]));
        one.merge(&other);
        assert!((0..70).all(|item| one.contains(hash(item))));
        assert_eq!(one.items(), 90);
        // Once more changes nothing, and is no reason to count.
        assert_eq!(one.plan_merge(&[&other, &one.clone()]), Ok(vec![]));
        // The same bits come of adding.
        assert_eq!(
            one.links[0].words(),
            bloom(1e-4, 0, 100, 0..70).links[0].words()
        );
    }

    #[test]
    fn filters_made_differently_are_refused_and_the_difference_is_told() {
        let one = bloom(0.01, 2, 100, 0..9);
        let refused = |other: &Bloom| one.plan_merge(&[&one, other]);
        for (other, error) in [
            (bloom(0.02, 2, 100, 0..9), MergeError::ErrorRate),
            (bloom(0.01, 4, 100, 0..9), MergeError::Expansion),
            (bloom(0.01, 0, 100, 0..9), MergeError::Expansion),
            (bloom(0.01, 2, 101, 0..9), MergeError::Size { link: 1 }),
        ] {
            assert_eq!(refused(&other), Err((1, error)));
        }
    }

    #[test]
    fn sources_that_are_longer_than_the_destination_must_have_the_same_sizes_there() {
        let one = bloom(0.01, 2, 100, 0..9);
        let two = bloom(0.01, 2, 100, 0..150);
        let mut three = bloom(0.01, 2, 100, 0..9);
        // As nothing but a load makes it.
        three.push(bloom(0.01, 2, 300, 0..9).links[0].clone());
        assert_eq!(one.links.len(), 1);
        assert_eq!(two.links.len(), 2);
        let empty = bloom(0.01, 2, 100, 0..0);
        let size = MergeError::Size { link: 2 };
        assert_eq!(empty.plan_merge(&[&two, &three]), Err((1, size)));
        assert_eq!(empty.plan_merge(&[&three, &two]), Err((1, size)));
        assert_eq!(one.plan_merge(&[&three]), Ok(vec![0]));
    }

    #[test]
    fn more_items_than_a_link_has_room_for_are_refused_over_all_sources() {
        let one = bloom(0.01, 2, 100, 0..40);
        let (two, three) = (bloom(0.01, 2, 100, 100..130), bloom(0.01, 2, 100, 200..240));
        assert_eq!(one.plan_merge(&[&two]), Ok(vec![0]));
        let error = MergeError::Overfull {
            link: 1,
            items: 110,
            capacity: 100,
        };
        assert_eq!(one.plan_merge(&[&two, &three]), Err((1, error)));
    }

    #[test]
    fn a_replica_finds_out_that_its_sources_are_others() {
        let one = bloom(1e-4, 0, 100, 0..40);
        let (two, three) = (bloom(1e-4, 0, 100, 20..50), bloom(1e-4, 0, 100, 60..70));
        let items = one.items_with(&[&two, &three]);
        assert_eq!(items, 80);
        assert_eq!(one.check_merge(&[&two, &three], items), Ok(()));
        let other = |sources: &[&Bloom]| one.check_merge(sources, items);
        assert_eq!(other(&[&two]), Err(Divergence::OtherItems));
        // One that brings nothing here, one of another size, one too large.
        for source in [
            one.clone(),
            bloom(1e-4, 0, 101, 0..9),
            bloom(1e-4, 0, 100, 100..190),
        ] {
            assert_eq!(other(&[&two, &source]), Err(Divergence::OtherSources));
        }
    }

    #[test]
    fn the_longer_chain_gives_the_length() {
        let mut one = bloom(0.01, 2, 10, 0..0);
        let long = bloom(0.01, 2, 10, 0..50);
        assert_eq!(one.plan_merge(&[&long]), Ok(vec![0]));
        one.merge(&long);
        assert!(one == long);
        assert!(long.plan_merge(&[&bloom(0.01, 2, 10, 90..91)]).is_err());
    }
}
