//! What happened to a filter, with everything a replica needs to do the same: sizes are
//! resolved, and items are their hashes. A merge alone leans on what the replica has: its
//! own copies of the sources, which are the primary's at this point of the stream. Their
//! union can be gigabytes.
//!
//! Edge: data only.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::hash::ItemHash;
use super::header::Header;
use super::params::{Settings, Shape};

/// One change of a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// A new filter, and the first items in it, if any.
    Created {
        settings: Settings,
        first: Shape,
        added: Added,
    },
    Added(Added),
    /// The items are gone, and the links but the first.
    Cleared,
    /// Other filters were merged into this one.
    Merged {
        /// There was no filter: it begins as a copy of the first source.
        is_new: bool,
        /// Items it counts afterwards, over all links.
        items: u64,
    },
    /// A dump began to be loaded.
    Begun(Header),
    /// A piece of a dump was loaded.
    Loaded {
        /// Bytes of bits that had come before.
        position: u64,
        bits: Cow<'a, [u8]>,
    },
}

/// Items that were new: as many as the last link had room for, then more, each run into
/// a link of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    pub first: Run,
    pub then: Vec<Growth>,
}

/// Items that go into one link. A few are kept in place: most requests bring one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub hashes: SmallVec<[ItemHash; 4]>,
}

/// A new link, and its first items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    pub shape: Shape,
    pub run: Run,
}
