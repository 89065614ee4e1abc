//! Opening the key of a sale, in the few ways there are.

use super::begun;
use super::live::LiveSale;
use super::sale_type::SaleValue;
use crate::error::Error;
use crate::ffi::{Ctx, Key, Kind, Mode, Text, Typed};
use crate::place::Place;
use flashsale_engine::sale::Sale;

/// The open key of a sale that takes commands.
pub type SaleKey<'c> = Typed<'c, LiveSale>;

fn open<'c>(ctx: Ctx<'c>, name: Text<'c>, mode: Mode) -> Result<SaleKey<'c>, Error> {
    let value = Key::open(ctx, name, mode)
        .typed::<SaleValue>()
        .map_err(|key| refusal(&key))?;
    value
        .part(|value| match value {
            SaleValue::Live(live) => Some(&mut **live),
            SaleValue::PartlyLoaded(_) => None,
        })
        .ok_or_else(|| Error::new("key: the sale is only partly loaded"))
}

fn refusal(key: &Key<'_>) -> Error {
    match key.kind() {
        Kind::Empty => Error::no_sale(key.name().bytes()),
        Kind::Stream | Kind::Other => Error::wrong_type("key", key.name().bytes(), "a sale"),
    }
}

/// Opens a sale to look at it, also a broken one.
///
/// # Errors
///
/// `NOSALE`, `WRONGTYPE`, or it is only partly loaded.
pub fn open_read<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<SaleKey<'c>, Error> {
    open(ctx, name, Mode::Read)
}

/// Opens a sale to change it. Nothing counts as changed until `change` says so.
///
/// # Errors
///
/// As [`open_read`], or the sale is broken: nothing may follow links that lead nowhere.
pub fn open_write<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<SaleKey<'c>, Error> {
    let key = open(ctx, name, Mode::Write)?;
    match key.sale().broken() {
        None => Ok(key),
        Some(reason) => Err(Error::broken(reason)),
    }
}

/// Is there nothing under this name?
pub fn is_free<'c>(ctx: Ctx<'c>, name: Text<'c>) -> bool {
    Key::open(ctx, name, Mode::Read).kind() == Kind::Empty
}

/// Is there a key of this name, of whatever type? Asking does nothing to it.
pub fn is_there<'c>(ctx: Ctx<'c>, name: Text<'c>) -> bool {
    Key::open(ctx, name, Mode::Look).kind() != Kind::Empty
}

/// Puts a new sale under a name. Whatever was there is gone, with its TTL.
///
/// # Errors
///
/// The server does not take the value.
pub fn create<'c>(ctx: Ctx<'c>, name: Text<'c>, sale: Sale) -> Result<SaleKey<'c>, Error> {
    put(ctx, name, SaleValue::live(sale))?;
    open_write(ctx, name)
}

fn put<'c>(ctx: Ctx<'c>, name: Text<'c>, value: SaleValue) -> Result<(), Error> {
    if Key::open(ctx, name, Mode::Write).set_value(Box::new(value)) {
        Ok(())
    } else {
        Err(Error::new("key: the server does not take the sale"))
    }
}

/// Takes one chunk of a sale from an AOF, a primary or the source of an import; true when
/// it was the last one.
///
/// # Errors
///
/// `WRONGTYPE`, or the chunk does not belong there.
pub fn load_chunk<'c>(ctx: Ctx<'c>, name: Text<'c>, chunk: &[u8]) -> Result<bool, Error> {
    let damaged = |reason| Error::new(format!("chunk: {reason}"));
    if !is_free(ctx, name) {
        return Key::open(ctx, name, Mode::Write)
            .typed::<SaleValue>()
            .map_err(|key| refusal(&key))?
            .push(chunk)
            .map_err(damaged);
    }
    let mut value = SaleValue::empty();
    let pushed = value.push(chunk).map_err(damaged);
    let is_loading = ctx.flags().is_loading();
    // In a load a damaged one keeps the place: what is left out is told at the end.
    if pushed.is_ok() || is_loading {
        put(ctx, name, value)?;
    }
    if is_loading {
        begun::note(Place::new(ctx.database(), name.bytes()));
    }
    pushed
}
