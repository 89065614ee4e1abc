//! Opening, filling and loading the key of a value of any of the types.
//!
//! Edge: what is the same for all of them; commands use `sale_key.rs`, `bloom_key.rs` and
//! `limit_key.rs`.

use super::loadable::{Content, Loadable};
use super::partly::{self, Partly};
use crate::error::Error;
use crate::ffi::{Ctx, Key, Kind, Mode, Text, Typed};
use crate::place::Place;

/// The open key of a value, whole or partly loaded.
pub type LoadableKey<'c, C> = Typed<'c, Loadable<C>>;

/// Opens the key of a value, whole or partly loaded; `None` when there is nothing under this
/// name, `WRONGTYPE` when there is something else. Every command opens a key: a call and a
/// result in memory would be part of the cost of each.
#[inline(always)]
pub(super) fn open_any<'c, C: Content>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    mode: Mode,
) -> Result<Option<LoadableKey<'c, C>>, Error> {
    match Key::open(ctx, name, mode).typed() {
        Ok(value) => Ok(Some(value)),
        Err(key) if key.kind() == Kind::Empty => Ok(None),
        Err(_) => Err(C::wrong_type(name.bytes())),
    }
}

/// As [`open_any`]; an error also when the value is only partly loaded.
#[inline(always)]
pub(super) fn open_whole<'c, C: Content>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    mode: Mode,
) -> Result<Option<Typed<'c, C>>, Error> {
    let Some(value) = open_any(ctx, name, mode)? else {
        return Ok(None);
    };
    let whole = value.part(Loadable::whole);
    whole.map(Some).ok_or_else(partly_loaded::<C>)
}

/// Returns the error for a value that takes no command yet.
pub fn partly_loaded<C: Content>() -> Error {
    Error::new(format!("key: {} is only partly loaded", C::NOUN))
}

/// Reports whether there is nothing under this name.
pub fn is_free<'c>(ctx: Ctx<'c>, name: Text<'c>) -> bool {
    Key::open(ctx, name, Mode::Read).kind() == Kind::Empty
}

/// Reports whether there is a key of this name, of whatever type, and does not count as an
/// access to it.
pub fn is_there<'c>(ctx: Ctx<'c>, name: Text<'c>) -> bool {
    Key::open(ctx, name, Mode::Look).kind() != Kind::Empty
}

/// Puts a new value under a name, if the server takes it. Whatever was there is gone, with
/// its TTL.
pub(super) fn put<'c, C: Content>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    value: Loadable<C>,
) -> Result<(), Error> {
    if Key::open(ctx, name, Mode::Write).set_value(Box::new(value)) {
        Ok(())
    } else {
        let noun = C::NOUN;
        Err(Error::new(format!("key: the server does not take {noun}")))
    }
}

/// Takes one chunk of a value from an AOF, a primary or the source of a slot import; true
/// when it was the last one.
///
/// # Errors
///
/// `WRONGTYPE`, or the chunk does not belong there.
pub fn load_chunk<'c, C: Content>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    chunk: &[u8],
) -> Result<bool, Error> {
    let damaged = |reason| Error::new(format!("chunk: {reason}"));
    if let Some(mut value) = open_any::<C>(ctx, name, Mode::Write)? {
        return value.push(chunk).map_err(damaged);
    }
    let mut value = Loadable::<C>::Partly(Partly::empty());
    let pushed = value.push(chunk).map_err(damaged);
    let is_loading = ctx.flags().is_loading();
    // In a load a damaged value keeps its place: what is left out is reported at the end.
    if pushed.is_ok() || is_loading {
        put(ctx, name, value)?;
    }
    if is_loading {
        partly::note_place(Place::new(ctx.database(), name.bytes()));
    }
    pushed
}
