//! Does a replicated event fit the filter it is about to change?
//!
//! A replica adds what its primary found to be new, into the links its primary made. So
//! each of these items must be new here, and each link must be full before the next one
//! begins. An event that says otherwise was made for another filter: from the primary it is
//! counted and left out, from an AOF it ends the start. Nothing is guessed.

use std::fmt;

use super::chain::Bloom;
use super::event::{Added, Event};
use super::filter::{Filter, MemoryTrial};
use super::params::{LINKS_MAX, Shape};

/// Why an event does not fit; this copy of the filter is not the one it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// The filter that the event makes is there already.
    FilterExists,
    /// An item that was new is present here.
    ItemPresent,
    /// More items than a link has room for.
    NoRoom,
    /// A new link while the one before has room.
    RoomLeft,
    /// A new link in a filter that does not scale, or one too many.
    MustNotGrow,
    /// There is no memory for a new link.
    NoMemory,
    /// A piece of a dump, and no dump is being loaded.
    NotLoading,
    /// A piece of a dump that is not the next one.
    NotNext,
    /// A source of a merge is missing, or cannot be merged.
    OtherSources,
    /// A merge counts another number of items.
    OtherItems,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Divergence::FilterExists => "the filter exists",
            Divergence::ItemPresent => "a new item is present",
            Divergence::NoRoom => "a link has too little room",
            Divergence::RoomLeft => "a link that was full has room",
            Divergence::MustNotGrow => "the filter must not grow",
            Divergence::NoMemory => "there is too little memory",
            Divergence::NotLoading => "no dump is being loaded",
            Divergence::NotNext => "a piece of a dump is not the next one",
            Divergence::OtherSources => "the sources of a merge are others",
            Divergence::OtherItems => "a merge counts other items",
        })
    }
}

impl Bloom {
    /// The empty filter that a `Created` event makes; `None` for other events.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn create(event: &Event<'_>) -> Option<Result<Bloom, Divergence>> {
        let Event::Created {
            settings, first, ..
        } = event
        else {
            return None;
        };
        Some(if Filter::fits_memory(*first) {
            Ok(Bloom::new(*settings, *first))
        } else {
            Err(Divergence::NoMemory)
        })
    }

    /// Whether [`Bloom::apply`] can carry this event out. O(items * links).
    ///
    /// # Errors
    ///
    /// The first thing about the event that does not fit.
    pub fn check(&self, event: &Event<'_>) -> Result<(), Divergence> {
        match event {
            Event::Created { added, .. } if self.is_clear() => self.check_added(added),
            Event::Created { .. } => Err(Divergence::FilterExists),
            Event::Added(added) => self.check_added(added),
            Event::Cleared => Ok(()),
            Event::Begun(_) => Err(Divergence::FilterExists),
            Event::Loaded { .. } => Err(Divergence::NotLoading),
            // Needs the sources; see `Bloom::check_merge`.
            Event::Merged { .. } => Err(Divergence::OtherSources),
        }
    }

    fn check_added(&self, added: &Added) -> Result<(), Divergence> {
        let last = self.links.last();
        let mut room = last.map_or(0, |link| link.shape().capacity.saturating_sub(link.items()));
        room = less(room, added.first.hashes.len())?;
        for growth in &added.then {
            if room > 0 {
                return Err(Divergence::RoomLeft);
            }
            room = less(growth.shape.capacity, growth.run.hashes.len())?;
        }
        let shapes: Vec<Shape> = added.then.iter().map(|growth| growth.shape).collect();
        self.check_growth(&shapes)?;
        let runs = added.then.iter().map(|growth| &growth.run);
        let mut is_known = false;
        for run in std::iter::once(&added.first).chain(runs) {
            self.contains_each(&run.hashes, |present| is_known |= present);
        }
        if is_known {
            return Err(Divergence::ItemPresent);
        }
        Ok(())
    }

    /// May the chain have links of these shapes besides?
    fn check_growth(&self, shapes: &[Shape]) -> Result<(), Divergence> {
        let links = self.links.len() + shapes.len();
        if !shapes.is_empty() && (self.settings.expansion == 0 || links > LINKS_MAX) {
            return Err(Divergence::MustNotGrow);
        }
        if MemoryTrial::default().take_all(shapes.iter().copied()) {
            Ok(())
        } else {
            Err(Divergence::NoMemory)
        }
    }
}

fn less(room: u64, items: usize) -> Result<u64, Divergence> {
    room.checked_sub(items as u64).ok_or(Divergence::NoRoom)
}
