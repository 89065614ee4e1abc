//! Bloom filters as pure data: "was this seen before?" in a few bits an item, with "no"
//! always right and "yes" wrong at a rate that was asked for.
//!
//! | Question | File |
//! |---|---|
//! | how many bits and probes a rate takes | `params.rs`, the only floats |
//! | which hash | `hash.rs` |
//! | which bits an item sets and looks at | `filter.rs` |
//! | how a filter grows, and looks items up | `chain.rs` |
//! | what adding would do | `plan.rs`, an event in `event.rs` |
//! | does a replicated event fit | `check.rs` |
//! | what a union is, and when it is refused | `merge.rs` |
//! | what is on disk, in a replication stream, in a dump | `codec.rs`; `header.rs` and `snapshot.rs`, `event_codec.rs`, `dump.rs` |
//! | what a filter is while it is being loaded | `import.rs` |
//! | how words become bytes | `words.rs` |
//!
//! # What was chosen, and what it costs
//!
//! A filter is an array of blocks of 512 bits, a cache line each; an item sets all its
//! bits in one block, so that a lookup is one cache miss, and lookups of several items
//! overlap theirs. Where the bits stand within the block is free. At rates below 0.0002
//! an item has bits in two blocks: a member's lookup is two cache misses, a stranger's
//! still one, as the first block turns it away.
//!
//! Bits an item, for a filter that does not scale, beside the least that theory allows
//! without blocks, what RedisBloom's takes, what one block an item would take at every
//! rate, and what such blocks would take if each of their eight words got the same number
//! of bits (as Parquet's do):
//!
//! | Rate | Here | Least | RedisBloom | One block | One bit a word |
//! |---|---|---|---|---|---|
//! | 0.1 | 5.0 | 4.8 | 4.8 | 5.0 | 5.9 |
//! | 0.01 | 10.0 | 9.6 | 9.6 | 10.0 | 10.1 |
//! | 0.001 | 15.7 | 14.4 | 14.4 | 15.7 | 15.7 |
//! | 0.0001 | 20.0 | 19.2 | 19.2 | 22.4 | 23.0 |
//! | 0.00001 | 25.5 | 24.0 | 24.0 | 30.2 | |
//! | 0.000001 | 31.4 | 28.8 | 28.8 | 39.7 | |
//! | 0.0000001 | 37.8 | 33.5 | 33.5 | 51.2 | |
//! | 0.00000001 | 44.7 | 38.3 | 38.3 | 65.5 | |
//! | 0.000000001 | 52.2 | 43.1 | 43.1 | 83.3 | |
//!
//! Three blocks would take 47.1 bits at the lowest rate, and 30.0 at 0.000001: little less
//! for a third cache line.
//!
//! Ours is the rate at as many items as are counted. Those that a filter takes for
//! present while it is filled are not, so it contains a few more: 3 % more at 0.1, which
//! its size allows for.
//!
//! RedisBloom's lookup of a stranger at 0.01 takes two cache misses on average, that of
//! a member seven. Its scaling filters begin at half the rate, and each link has half the
//! rate of the one before; ours begin at 0.61 of it, and later links lose less (see
//! `params.rs`). Bits an item of the first link:
//!
//! | Rate | Here | RedisBloom |
//! |---|---|---|
//! | 0.1 | 6.0 | 6.2 |
//! | 0.01 | 11.2 | 11.0 |
//! | 0.001 | 17.1 | 15.8 |
//! | 0.0001 | 21.1 | 20.6 |
//! | 0.00001 | 26.8 | 25.4 |
//! | 0.000001 | 32.8 | 30.2 |
//! | 0.0000001 | 39.2 | 35.0 |
//! | 0.00000001 | 46.2 | 39.8 |
//! | 0.000000001 | 53.9 | 44.6 |
//!
//! Sources: Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"
//! (2007), also for blocks in several places; RocksDB's FastLocalBloom, which probes by
//! multiplication as we do; the split-block filters of Apache Parquet; Almeida, Baquero,
//! Preguica and Hutchison, "Scalable Bloom Filters" (2007).
//!
//! # Invariants
//!
//! 1. What was added is contained, until the filter is cleared.
//! 2. All bits of an item are in one block of each link, or in two where the link says so,
//!    and blocks begin at a multiple of 64 bytes.
//! 3. There is at least one link, and only the last takes items; a filter that does not
//!    scale has just one.
//! 4. No link has more items than its capacity, so the rate holds.
//! 5. The same events give the same bits: a replica works out no size and no hash.
//!
//! Edge: no server, no clock, no randomness; and no way to list or remove items, which
//! no Bloom filter has.

mod chain;
mod check;
mod codec;
mod dump;
mod event;
mod event_codec;
mod filter;
mod hash;
mod header;
mod import;
mod merge;
mod params;
mod plan;
mod snapshot;
mod words;

pub use crate::wire::CodecError;
pub use chain::Bloom;
pub use check::Divergence;
pub use dump::{DUMP_BYTES_MAX, FillError, Piece, is_header_of_redisbloom, open_piece};
pub use event::{Added, Event, Growth, Run};
pub use event_codec::{decode_event, encode_event};
pub use filter::Filter;
pub use hash::ItemHash;
pub use header::Header;
pub use import::Import;
pub use merge::MergeError;
pub use params::{
    ERROR_RATE_MIN, EXPANSION_MAX, ErrorRate, LINKS_MAX, LinkRate, RateError, Settings, Shape,
};
pub use plan::{Outcome, Outcomes};
pub use snapshot::{Loaded, Loader};
