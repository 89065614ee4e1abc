//! A scalable Bloom filter: a chain of filters, each larger and stricter than the one
//! before, of which only the last takes items.
//!
//! Almeida, Baquero, Preguica and Hutchison, "Scalable Bloom Filters" (2007). The rate
//! that was asked for is that of the whole chain, however long it becomes; see
//! `params::rate_of_link`. A filter that does not scale has one link with all of it.
//!
//! Adding is planned and applied: a plan looks every item up, says which are new and
//! where the chain has to grow, and changes nothing; the event has all that a replica
//! needs. Items of one request are judged by the filter as it was before it, and by each
//! other's hashes.
//!
//! # Invariants
//!
//! 1. There is at least one link, and no link but the last takes items.
//! 2. What was added is contained, for ever.
//! 3. No link holds more items than its capacity, unless filters were merged into it.

use std::collections::HashSet;

use super::event::{Event, Growth, Run};
use super::filter::Filter;
use super::hash::ItemHash;
use super::params::{Shape, rate_of_link};

/// Blocks looked at before the first is needed: about as many cache misses as a core
/// has under way at once.
const AHEAD: usize = 16;
/// Most links of a chain.
pub const LINKS_MAX: usize = 1_000;

/// What a filter was asked to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of strangers that may be taken for members, above 0 and below 1.
    pub error_rate: f64,
    /// Each link is this many times the one before; 0 for a filter that does not scale.
    pub expansion: u32,
}

/// What became of one item of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Added,
    /// It may have been added before.
    Present,
    /// The filter is full and does not scale, or cannot grow any further.
    Full,
}

/// A Bloom filter that grows.
#[derive(Clone)]
pub struct Bloom {
    settings: Settings,
    links: Vec<Filter>,
}

impl Bloom {
    /// The first link of a filter for `capacity` items. `None` when no such filter is
    /// possible.
    pub fn plan_first(settings: Settings, capacity: u64) -> Option<Shape> {
        let rate = match settings.expansion {
            0 => settings.error_rate,
            _ => rate_of_link(settings.error_rate, 0),
        };
        Shape::for_rate(rate, capacity)
    }

    /// An empty filter.
    pub fn new(settings: Settings, first: Shape) -> Bloom {
        Bloom { settings, links: vec![Filter::new(first)] }
    }

    /// From links that were saved; at least one.
    pub(super) fn from_links(settings: Settings, links: Vec<Filter>) -> Option<Bloom> {
        (!links.is_empty()).then_some(Bloom { settings, links })
    }

    pub fn settings(&self) -> Settings {
        self.settings
    }

    pub fn links(&self) -> &[Filter] {
        &self.links
    }

    pub fn links_mut(&mut self) -> &mut [Filter] {
        &mut self.links
    }

    /// Items added, over all links.
    pub fn items(&self) -> u64 {
        self.links.iter().fold(0, |sum, link| sum.saturating_add(link.items()))
    }

    /// Items for which the rate holds, over all links.
    pub fn capacity(&self) -> u64 {
        let capacities = self.links.iter().map(|link| link.shape().capacity);
        capacities.fold(0, u64::saturating_add)
    }

    /// May this item have been added? O(links), a cache miss each.
    pub fn contains(&self, hash: ItemHash) -> bool {
        // Most items are in the last, largest link.
        self.links.iter().rev().any(|link| link.contains(hash))
    }

    /// The same for many items: their blocks are on the way to the cache while others
    /// are looked at.
    pub fn contains_each(&self, hashes: &[ItemHash], mut tell: impl FnMut(bool)) {
        for group in hashes.chunks(AHEAD) {
            for link in &self.links {
                let touched = group.iter().map(|&hash| link.touch(hash));
                // The reads do not depend on each other, so their misses overlap.
                std::hint::black_box(touched.fold(0, |all, word| all ^ word));
            }
            group.iter().for_each(|&hash| tell(self.contains(hash)));
        }
    }

    /// What adding these items would do: an outcome for each, and the event if any is
    /// new.
    pub fn plan_add(&self, hashes: &[ItemHash]) -> (Vec<Outcome>, Option<Event>) {
        let mut outcomes = Vec::with_capacity(hashes.len());
        self.contains_each(hashes, |present| {
            outcomes.push(if present { Outcome::Present } else { Outcome::Added });
        });
        let mut plan = AddPlan::new(self);
        for (outcome, &hash) in outcomes.iter_mut().zip(hashes) {
            if *outcome == Outcome::Added {
                *outcome = plan.add(hash);
            }
        }
        (outcomes, plan.event())
    }

    /// Carries out an event. What does not fit a filter is left out; see
    /// [`Bloom::fits`].
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { .. } => {}
            Event::Added { first, then } => {
                self.insert_run(first);
                for Growth { shape, run } in then {
                    self.links.push(Filter::new(*shape));
                    self.insert_run(run);
                }
            }
            Event::Cleared => {
                let first = self.links[0].shape();
                self.links = vec![Filter::new(first)];
            }
        }
    }

    fn insert_run(&mut self, run: &Run) {
        let Some(last) = self.links.last_mut() else {
            return;
        };
        for group in run.hashes.chunks(AHEAD) {
            let touched = group.iter().map(|&hash| last.touch(hash));
            std::hint::black_box(touched.fold(0, |all, word| all ^ word));
            group.iter().for_each(|&hash| last.insert(hash));
        }
    }

    /// Bytes of memory, from the sizes of all allocations. O(links).
    pub fn memory_bytes(&self) -> usize {
        let links: usize = self.links.iter().map(Filter::heap_bytes).sum();
        size_of::<Bloom>() + self.links.capacity() * size_of::<Filter>() + links
    }
}

/// Items as they would fall into the chain.
struct AddPlan<'b> {
    bloom: &'b Bloom,
    new: HashSet<u64>,
    room: u64,
    capacity: u64,
    first: Run,
    then: Vec<Growth>,
}

impl<'b> AddPlan<'b> {
    fn new(bloom: &'b Bloom) -> AddPlan<'b> {
        let last = bloom.links.last();
        let capacity = last.map_or(0, |link| link.shape().capacity);
        AddPlan {
            bloom,
            new: HashSet::new(),
            room: capacity.saturating_sub(last.map_or(0, Filter::items)),
            capacity,
            first: Run::default(),
            then: Vec::new(),
        }
    }

    fn add(&mut self, hash: ItemHash) -> Outcome {
        if self.new.contains(&hash.0) {
            return Outcome::Present;
        }
        if self.room == 0 {
            let Some(shape) = self.next_shape() else {
                return Outcome::Full;
            };
            self.capacity = shape.capacity;
            self.room = shape.capacity;
            self.then.push(Growth { shape, run: Run::default() });
        }
        self.room -= 1;
        self.new.insert(hash.0);
        let run = self.then.last_mut().map_or(&mut self.first, |growth| &mut growth.run);
        run.hashes.push(hash);
        Outcome::Added
    }

    fn next_shape(&self) -> Option<Shape> {
        let settings = self.bloom.settings;
        let index = self.bloom.links.len() + self.then.len();
        if settings.expansion == 0 || index >= LINKS_MAX {
            return None;
        }
        let capacity = self.capacity.checked_mul(u64::from(settings.expansion))?;
        Shape::for_rate(rate_of_link(settings.error_rate, index), capacity)
    }

    fn event(self) -> Option<Event> {
        let is_empty = self.first.hashes.is_empty() && self.then.is_empty();
        (!is_empty).then_some(Event::Added { first: self.first, then: self.then })
    }
}
