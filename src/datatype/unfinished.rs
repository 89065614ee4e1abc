//! What becomes of values that a load has begun and not ended.
//!
//! Edge: looks after a load, when the server says that it came to its end.

use super::begun;
use super::bloom_type::BloomValue;
use super::sale_type::SaleValue;
use crate::damage;
use crate::error::echo;
use crate::ffi::{Ctx, Key, Mode, NativeType, Text, TextBuf};
use crate::place::Place;

/// Decides about every value whose last chunk never came, at the end of a load: its slot is
/// on its way to this server or to its primary, or the file was cut short or damaged, which
/// ends the start.
pub fn settle_partly_loaded(ctx: Ctx<'_>, is_importing: impl Fn(&[u8]) -> bool) {
    for Place { database, key } in begun::take() {
        if !ctx.select(database) {
            continue;
        }
        let name = TextBuf::new(&key);
        let sale = partly_loaded::<SaleValue>(ctx, name.as_text());
        let sale = sale.map(|open| ("the sale", open));
        let found = sale.or_else(|| {
            partly_loaded::<BloomValue>(ctx, name.as_text()).map(|open| ("the filter", open))
        });
        let Some((what, open)) = found else {
            continue;
        };
        if is_importing(&key) {
            // The rest may come yet; where the import ended with the server, the server
            // itself deletes what has come of it. The value is still where it came from.
            let key = echo(&key);
            ctx.warn(&format!(
                "{what} '{key}' was on its way here, with its slot, when it was saved"
            ));
        } else {
            // The file was cut short or damaged. Half a sale would sell what it has
            // forgotten, half a filter would deny what it contains.
            damage::leave_out(ctx, what, database, &key);
            open.delete();
        }
    }
}

/// Deletes a value of which only a part has come, here alone; true if there was one.
pub fn drop_partly_loaded<'c>(ctx: Ctx<'c>, name: Text<'c>) -> bool {
    let part = partly_loaded::<SaleValue>(ctx, name);
    let part = part.or_else(|| partly_loaded::<BloomValue>(ctx, name));
    part.map(Key::delete).is_some()
}

/// The key of this name, if it holds a part of a value of type `T`.
fn partly_loaded<'c, T: NativeType>(ctx: Ctx<'c>, name: Text<'c>) -> Option<Key<'c>> {
    let value = Key::open(ctx, name, Mode::Write).typed::<T>().ok()?;
    value.is_partly_loaded().then(|| value.into_key())
}
