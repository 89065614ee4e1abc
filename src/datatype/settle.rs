//! What becomes of values that are still only partly loaded when a load ends.
//!
//! Edge: looks when the server says that a load came to its end, and not while it goes on.

use super::bloom_type::BloomState;
use super::key;
use super::limit_live::LiveLimit;
use super::live::LiveSale;
use super::loadable::Content;
use super::partly;
use crate::damage;
use crate::error::echo;
use crate::ffi::{Ctx, Key, Mode, NativeType, Text, TextBuf};
use crate::place::Place;

/// Decides about every value whose last chunk never came, at the end of a load: its slot is
/// on its way to this server or to its primary, or the file was cut short or damaged, which
/// ends the start.
pub fn settle_partly_loaded(ctx: Ctx<'_>, is_importing: impl Fn(&[u8]) -> bool) {
    for Place { database, key } in partly::take_places() {
        if !ctx.select(database) {
            continue;
        }
        let name = TextBuf::new(&key);
        let Some((what, open)) = partly_loaded(ctx, name.as_text()) else {
            continue;
        };
        if is_importing(&key) {
            // The rest may still come. Where the import ended with the server, the server
            // itself deletes what has come; the value is still where it came from.
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

/// Deletes a value that is only partly loaded, here alone; true if there was one.
pub fn drop_partly_loaded<'c>(ctx: Ctx<'c>, name: Text<'c>) -> bool {
    let found = partly_loaded(ctx, name);
    found.map(|(_, key)| key.delete()).is_some()
}

/// Returns the key of this name, if it holds a value that is only partly loaded, and what
/// the log calls the value.
fn partly_loaded<'c>(ctx: Ctx<'c>, name: Text<'c>) -> Option<(&'static str, Key<'c>)> {
    partly_loaded_of::<LiveSale>(ctx, name)
        .or_else(|| partly_loaded_of::<BloomState>(ctx, name))
        .or_else(|| partly_loaded_of::<LiveLimit>(ctx, name))
}

fn partly_loaded_of<'c, C: Content>(
    ctx: Ctx<'c>,
    name: Text<'c>,
) -> Option<(&'static str, Key<'c>)> {
    let value = key::open_any::<C>(ctx, name, Mode::Write).ok()??;
    value
        .stored()
        .is_partly_loaded()
        .then(|| (C::NOUN, value.into_key()))
}
