//! Opening the key of a filter, in the few ways there are.

use super::bloom_live::{LiveBloom, LiveImport};
use super::bloom_type::BloomState;
use super::key::{self, LoadableKey};
use super::loadable::Loadable;
use crate::error::Error;
use crate::ffi::{Ctx, Mode, Text, Typed};
use flashsale_engine::bloom::{Bloom, Header, Import};

/// The open key of a filter that takes commands.
pub type BloomKey<'c> = Typed<'c, LiveBloom>;

/// The open key of a filter, whatever state it is in.
pub type AnyBloomKey<'c> = LoadableKey<'c, BloomState>;

fn open<'c>(ctx: Ctx<'c>, name: Text<'c>, mode: Mode) -> Result<Option<BloomKey<'c>>, Error> {
    let Some(key) = key::open_any(ctx, name, mode)? else {
        return Ok(None);
    };
    let live = key.part(|value| match value {
        Loadable::Whole(BloomState::Live(live)) => Some(live),
        Loadable::Whole(BloomState::Importing(_)) | Loadable::Partly(_) => None,
    });
    live.map(Some).ok_or_else(key::partly_loaded::<BloomState>)
}

/// Opens a filter to look at it; `None` when there is nothing under this name.
///
/// # Errors
///
/// `WRONGTYPE`, or the filter is only partly loaded.
pub fn open_read<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<Option<BloomKey<'c>>, Error> {
    open(ctx, name, Mode::Read)
}

/// Opens a filter to change it. Nothing counts as changed until `change/bloom.rs` says
/// so.
///
/// # Errors
///
/// As [`open_read`].
pub fn open_write<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<Option<BloomKey<'c>>, Error> {
    open(ctx, name, Mode::Write)
}

/// Opens a filter, whatever state it is in, to load a dump into it; `None` when there is
/// nothing under this name.
///
/// # Errors
///
/// `WRONGTYPE`.
pub fn open_to_load<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<Option<AnyBloomKey<'c>>, Error> {
    key::open_any(ctx, name, Mode::Write)
}

/// Returns the key of a filter that has to be there.
///
/// # Errors
///
/// There is none.
pub fn found<K>(key: Option<K>) -> Result<K, Error> {
    key.ok_or_else(|| Error::new("not found"))
}

/// Puts a new filter under a name. Whatever was there is gone, with its TTL.
///
/// # Errors
///
/// The server does not take the value.
pub fn create<'c>(ctx: Ctx<'c>, name: Text<'c>, bloom: Bloom) -> Result<(), Error> {
    replace(ctx, name, BloomState::live(bloom))
}

/// Puts a filter under a name that takes the bits of a dump. Whatever was there is gone,
/// with its TTL.
///
/// # Errors
///
/// The server does not take the value.
pub fn begin<'c>(ctx: Ctx<'c>, name: Text<'c>, header: &Header) -> Result<(), Error> {
    replace(
        ctx,
        name,
        BloomState::Importing(LiveImport::new(Import::begin(header))),
    )
}

/// Puts a filter under a name. The memory of one that was there is freed on another thread.
fn replace<'c>(ctx: Ctx<'c>, name: Text<'c>, state: BloomState) -> Result<(), Error> {
    if let Ok(Some(mut old)) = open_to_load(ctx, name) {
        old.discard();
    }
    key::put(ctx, name, Loadable::Whole(state))
}
