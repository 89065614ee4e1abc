//! Opening the key of a filter, in the few ways there are.

use std::sync::{Mutex, PoisonError};

use super::bloom_live::LiveBloom;
use super::bloom_type::BloomValue;
use crate::bloom::{Bloom, Header};
use crate::damage;
use crate::error::{Code, Error};
use crate::ffi::{Ctx, Key, Kind, Mode, Text, TextBuf, Typed};

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

/// Opens a filter to change it. Nothing counts as changed until `bloom_replication` says
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

/// Where loading has begun a filter, and perhaps not ended: databases and keys.
static BEGUN: Mutex<Vec<(i32, Box<[u8]>)>> = Mutex::new(Vec::new());

/// Takes one chunk of a filter from an AOF.
///
/// # Errors
///
/// `WRONGTYPE`, or the chunk does not belong there.
pub fn load_chunk<'c>(ctx: Ctx<'c>, name: Text<'c>, chunk: &[u8]) -> Result<(), Error> {
    if super::is_free(ctx, name) {
        put(ctx, name, BloomValue::empty())?;
        let place = (ctx.database(), name.bytes().into());
        BEGUN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(place);
    }
    let opened = Key::open(ctx, name, Mode::Write).typed::<BloomValue>();
    let mut value = opened.map_err(|_| Error::with(Code::WrongType, WRONG_TYPE))?;
    let pushed = value.push(chunk);
    pushed
        .map(|_| ())
        .map_err(|reason| Error::new(format!("chunk: {reason}")))
}

/// Ends the start over filters whose last chunk never came, at the end of loading: half a
/// filter would deny what it contains. With `load-damaged yes` they are left out.
pub fn drop_partly_loaded(ctx: Ctx<'_>) {
    let begun = std::mem::take(&mut *BEGUN.lock().unwrap_or_else(PoisonError::into_inner));
    for (database, key) in begun {
        let name = TextBuf::new(&key);
        if !ctx.select(database) {
            continue;
        }
        let opened = Key::open(ctx, name.as_text(), Mode::Write).typed::<BloomValue>();
        if let Ok(value) = opened
            && matches!(*value, BloomValue::PartlyLoaded(_))
        {
            damage::leave_out(ctx, "the filter", database, &key);
            value.into_key().delete();
        }
    }
}
