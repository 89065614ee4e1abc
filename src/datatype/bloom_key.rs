//! Opening the key of a filter, in the few ways there are.

use super::begun;
use super::bloom_live::LiveBloom;
use super::bloom_type::BloomValue;
use crate::error::{Code, Error};
use crate::ffi::{Ctx, Key, Kind, Mode, Text, Typed};
use crate::place::Place;
use flashsale_engine::bloom::{Bloom, Header};

/// The open key of a filter that takes commands.
pub type BloomKey<'c> = Typed<'c, LiveBloom>;

/// The open key of a filter, whatever state it is in.
pub type ValueKey<'c> = Typed<'c, BloomValue>;

/// What the server itself says of a key of another type; clients of filters know it.
const WRONG_TYPE: &str = "Operation against a key holding the wrong kind of value";

fn open_any<'c>(ctx: Ctx<'c>, name: Text<'c>, mode: Mode) -> Result<Option<ValueKey<'c>>, Error> {
    match Key::open(ctx, name, mode).typed::<BloomValue>() {
        Ok(value) => Ok(Some(value)),
        Err(key) if key.kind() == Kind::Empty => Ok(None),
        Err(_) => Err(Error::with(Code::WrongType, WRONG_TYPE)),
    }
}

fn open<'c>(ctx: Ctx<'c>, name: Text<'c>, mode: Mode) -> Result<Option<BloomKey<'c>>, Error> {
    let Some(value) = open_any(ctx, name, mode)? else {
        return Ok(None);
    };
    let live = value.part(|value| match value {
        BloomValue::Live(live) => Some(live),
        BloomValue::Importing(_) | BloomValue::PartlyLoaded(_) => None,
    });
    match live {
        Some(live) => Ok(Some(live)),
        None => Err(partly_loaded()),
    }
}

/// The filter takes no command yet.
pub fn partly_loaded() -> Error {
    Error::new("key: the filter is only partly loaded")
}

/// Opens a filter to look at it; `None` when there is nothing under this name.
///
/// # Errors
///
/// `WRONGTYPE`, or it is only partly loaded.
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

/// Opens a filter to load a dump into it, also one of which only a part has come.
///
/// # Errors
///
/// `WRONGTYPE`.
pub fn open_to_load<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<Option<ValueKey<'c>>, Error> {
    open_any(ctx, name, Mode::Write)
}

/// The filter there has to be.
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
    put(ctx, name, BloomValue::live(bloom))
}

/// Puts a filter under a name that takes the bits of a dump. Whatever was there is gone,
/// with its TTL.
///
/// # Errors
///
/// The server does not take the value.
pub fn begin<'c>(ctx: Ctx<'c>, name: Text<'c>, header: &Header) -> Result<(), Error> {
    put(ctx, name, BloomValue::importing(header))
}

fn put<'c>(ctx: Ctx<'c>, name: Text<'c>, value: BloomValue) -> Result<(), Error> {
    if let Ok(Some(mut old)) = open_any(ctx, name, Mode::Write) {
        old.discard();
    }
    if Key::open(ctx, name, Mode::Write).set_value(Box::new(value)) {
        Ok(())
    } else {
        Err(Error::new("key: the server does not take the filter"))
    }
}

/// Takes one chunk of a filter from an AOF, a primary or the source of an import.
///
/// # Errors
///
/// `WRONGTYPE`, or the chunk does not belong there.
pub fn load_chunk<'c>(ctx: Ctx<'c>, name: Text<'c>, chunk: &[u8]) -> Result<(), Error> {
    let damaged = |reason| Error::new(format!("chunk: {reason}"));
    if !super::is_free(ctx, name) {
        let opened = Key::open(ctx, name, Mode::Write).typed::<BloomValue>();
        let mut value = opened.map_err(|_| Error::with(Code::WrongType, WRONG_TYPE))?;
        return value.push(chunk).map(|_| ()).map_err(damaged);
    }
    let mut value = BloomValue::empty();
    let pushed = value.push(chunk).map(|_| ()).map_err(damaged);
    let is_loading = ctx.flags().is_loading();
    // In a load a damaged one keeps the place: what is left out is reported at the end.
    if pushed.is_ok() || is_loading {
        put(ctx, name, value)?;
    }
    if is_loading {
        begun::note(Place::new(ctx.database(), name.bytes()));
    }
    pushed
}
