//! A scalable Bloom filter: a chain of filters, each larger and stricter than the one
//! before, of which only the last takes items.
//!
//! Almeida, Baquero, Preguica and Hutchison, "Scalable Bloom Filters" (2007). The rate
//! that was asked for is that of the whole chain, however long it becomes; see
//! `params.rs`. A filter that does not scale has one link with all of it.
//!
//! Edge: looks up and carries out. What adding would do is decided in `plan.rs`.

use std::fmt;

use super::event::{Added, Event, Growth, Run};
use super::filter::Filter;
use super::hash::ItemHash;
use super::header::Header;
use super::params::{Settings, Shape};

/// Items whose blocks are fetched before the first is looked at: about as many cache misses
/// as a core has under way at once.
const AHEAD: usize = 16;

/// A Bloom filter that grows.
#[derive(Clone)]
pub struct Bloom {
    pub(super) settings: Settings,
    pub(super) links: Vec<Filter>,
}

impl Bloom {
    /// Returns the shape of the first link of a filter for `capacity` items; `None` when no
    /// such filter is possible.
    pub fn plan_first(settings: Settings, capacity: u64) -> Option<Shape> {
        match settings.expansion {
            0 => Shape::alone(settings.error_rate, capacity),
            _ => Shape::of_link(settings.error_rate, 0, capacity),
        }
    }

    /// Makes an empty filter. There has to be memory for it, see [`Filter::fits_memory`].
    pub fn new(settings: Settings, first: Shape) -> Bloom {
        Bloom {
            settings,
            links: vec![Filter::new(first)],
        }
    }

    pub fn settings(&self) -> Settings {
        self.settings
    }

    pub fn links(&self) -> &[Filter] {
        &self.links
    }

    /// Returns the filter without its bits.
    pub fn header(&self) -> Header {
        let links = self.links.iter();
        Header {
            settings: self.settings,
            links: links.map(|link| (link.shape(), link.items())).collect(),
            received: None,
        }
    }

    /// Returns the number of items added, over all links.
    pub fn items(&self) -> u64 {
        let items = self.links.iter().map(Filter::items);
        items.fold(0, u64::saturating_add)
    }

    /// Returns the number of items for which the rate holds, over all links.
    pub fn capacity(&self) -> u64 {
        let capacities = self.links.iter().map(|link| link.shape().capacity);
        capacities.fold(0, u64::saturating_add)
    }

    /// Reports whether this item may have been added. O(links): a cache miss for each link.
    /// The misses overlap, except those of second blocks, of which hardly more than one is
    /// read.
    pub fn contains(&self, hash: ItemHash) -> bool {
        if self.links.len() > 2 {
            self.touch_first(&[hash]);
        }
        self.contains_touched(hash)
    }

    fn contains_touched(&self, hash: ItemHash) -> bool {
        // Most items are in the last, largest link.
        self.links.iter().rev().any(|link| link.contains(hash))
    }

    /// Reports of each item whether it may have been added. The blocks of a group of items
    /// are fetched together, so that their cache misses overlap.
    pub fn contains_each(&self, hashes: &[ItemHash], mut report: impl FnMut(bool)) {
        for group in hashes.chunks(AHEAD) {
            self.touch(group);
            let answers = group.iter().map(|&hash| self.contains_touched(hash));
            answers.for_each(&mut report);
        }
    }

    /// Reads a word of each first block. The reads do not depend on each other, so their
    /// cache misses overlap.
    fn touch_first(&self, hashes: &[ItemHash]) {
        for link in &self.links {
            link.touch_each(hashes);
        }
    }

    /// Reads a word of each first block, then of each second block: the second ones come in
    /// a round of their own.
    fn touch(&self, hashes: &[ItemHash]) {
        self.touch_first(hashes);
        for link in self.links.iter().filter(|link| link.has_two_places()) {
            link.touch_second_of_each(hashes);
        }
    }

    /// Carries out an event that adds or clears, and returns the links it replaced, because
    /// freeing them can take long. Ignores an event that does not fit the filter; see
    /// [`Bloom::check`].
    pub fn apply(&mut self, event: &Event<'_>) -> Vec<Filter> {
        match event {
            Event::Created { added, .. } | Event::Added(added) => self.add(added),
            Event::Cleared => return self.clear(),
            // The other events bring a filter from elsewhere: see `merge.rs` and `import.rs`.
            Event::Merged { .. } | Event::Begun(_) | Event::Loaded { .. } => {}
        }
        Vec::new()
    }

    fn add(&mut self, Added { first, then }: &Added) {
        self.insert(first);
        for Growth { shape, run } in then {
            self.push(Filter::new(*shape));
            self.insert(run);
        }
    }

    /// Appends a link, and makes room for no other: in a small filter spare room would be
    /// most of the memory, and a replica would have a different amount of it.
    pub(super) fn push(&mut self, link: Filter) {
        self.links.reserve_exact(1);
        self.links.push(link);
    }

    fn insert(&mut self, run: &Run) {
        let Some(last) = self.links.last_mut() else {
            return;
        };
        for group in run.hashes.chunks(AHEAD) {
            if group.len() > 1 {
                last.touch_each(group);
            }
            group.iter().for_each(|&hash| last.insert(hash));
        }
    }

    fn clear(&mut self) -> Vec<Filter> {
        let Some(first) = self.links.first().map(Filter::shape) else {
            return Vec::new();
        };
        let mut replaced = self.take_links();
        if !Filter::fits_memory(first) {
            // The old links are freed here to make room for the new one.
            replaced = Vec::new();
        }
        self.push(Filter::new(first));
        replaced
    }

    /// Takes all links, to be freed elsewhere. The filter is of no use afterwards.
    pub fn take_links(&mut self) -> Vec<Filter> {
        std::mem::take(&mut self.links)
    }

    /// Reports whether nothing was added since the filter was made or cleared.
    pub fn is_clear(&self) -> bool {
        self.links.len() == 1 && self.items() == 0
    }

    /// Returns the bytes of memory, from the sizes of all allocations. O(links).
    pub fn memory_bytes(&self) -> usize {
        let links: usize = self.links.iter().map(Filter::heap_bytes).sum();
        size_of::<Bloom>() + self.links.capacity() * size_of::<Filter>() + links
    }
}

impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.links.iter().map(|link| (link.shape(), link.items()));
        f.debug_struct("Bloom")
            .field("settings", &self.settings)
            .field("links", &shapes.collect::<Vec<_>>())
            .finish()
    }
}

impl PartialEq for Bloom {
    /// Compares settings, links, counts and bits.
    fn eq(&self, other: &Bloom) -> bool {
        let same = |(one, two): (&Filter, &Filter)| {
            one.shape() == two.shape() && one.items() == two.items() && one.words() == two.words()
        };
        self.settings == other.settings
            && self.links.len() == other.links.len()
            && self.links.iter().zip(&other.links).all(same)
    }
}
