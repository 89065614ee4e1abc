//! Opening the key of a sale, in the few ways there are.

use super::key;
use super::live::LiveSale;
use super::loadable::Loadable;
use crate::error::Error;
use crate::ffi::{Ctx, Mode, Text, Typed};
use flashsale_engine::sale::Sale;

/// The open key of a sale that takes commands.
pub type SaleKey<'c> = Typed<'c, LiveSale>;

#[inline]
fn open<'c>(ctx: Ctx<'c>, name: Text<'c>, mode: Mode) -> Result<SaleKey<'c>, Error> {
    key::open_whole(ctx, name, mode)?.ok_or_else(|| Error::no_sale(name.bytes()))
}

/// Opens a sale to look at it, also a broken one.
///
/// # Errors
///
/// `NOSALE`, `WRONGTYPE`, or the sale is only partly loaded.
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

/// Puts a new sale under a name. Whatever was there is gone, with its TTL.
///
/// # Errors
///
/// The server does not take the value.
pub fn create<'c>(ctx: Ctx<'c>, name: Text<'c>, sale: Sale) -> Result<SaleKey<'c>, Error> {
    key::put(ctx, name, Loadable::Whole(LiveSale::new(sale)))?;
    open_write(ctx, name)
}
