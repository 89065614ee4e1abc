//! What happened to a filter, with everything a replica needs to do the same: sizes are
//! resolved, and items are their hashes.
//!
//! Edge: data only.

use super::chain::Settings;
use super::hash::ItemHash;
use super::params::Shape;

/// One change of a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Created { settings: Settings, first: Shape },
    /// Items that were new: as many as the last link had room for, then more, each run
    /// into a link of its own.
    Added { first: Run, then: Vec<Growth> },
    /// The items are gone, and the links but the first.
    Cleared,
}

/// Items that go into one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub hashes: Vec<ItemHash>,
}

/// A new link, and its first items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    pub shape: Shape,
    pub run: Run,
}
