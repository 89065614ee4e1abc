//! Opening the key of a rate limit.

use super::key;
use super::limit_live::LiveLimit;
use super::loadable::Loadable;
use crate::error::Error;
use crate::ffi::{Ctx, Mode, Text, Typed};
use flashsale_engine::rate::Table;

/// The open key of a rate limit that takes commands.
pub type LimitKey<'c> = Typed<'c, LiveLimit>;

/// Opens a limit to change it; `None` when there is nothing under this name. Nothing counts as
/// changed until `change/rate.rs` says so.
///
/// # Errors
///
/// `WRONGTYPE`, or the limit is only partly loaded.
#[inline]
pub fn open_write<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Result<Option<LimitKey<'c>>, Error> {
    key::open_whole(ctx, name, Mode::Write)
}

/// Puts a new limit under a name. Whatever was there is gone, with its TTL.
///
/// # Errors
///
/// The server does not take the value.
pub fn create<'c>(ctx: Ctx<'c>, name: Text<'c>, table: Table) -> Result<LimitKey<'c>, Error> {
    key::put(ctx, name, Loadable::Whole(LiveLimit::new(table)))?;
    open_write(ctx, name)?.ok_or_else(|| Error::new("key: the limit is gone"))
}
