//! Values that a load has begun, and what becomes of those it has not ended.
//!
//! Edge: looks after a load, when the server says that it came to its end.

use std::sync::{Mutex, PoisonError};

use super::bloom_type::BloomValue;
use super::sale_type::SaleValue;
use crate::error::echo;
use crate::expiry_index::Place;
use crate::ffi::{Ctx, Key, Mode, NativeType, Text, TextBuf};

/// Where loading has begun a value, and perhaps not ended it. Weak: it may be gone.
static BEGUN: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// Notes that a load has begun a value.
pub(super) fn note(database: i32, key: &[u8]) {
    let place = Place {
        database,
        key: key.into(),
    };
    BEGUN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(place);
}

/// What becomes of a value that is only partly there after a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The primary is importing it, and goes on.
    Stays,
    /// An import ended with the server; the value is still where it came from. The server
    /// deletes what is left of such an import, too.
    Goes,
    /// The file was cut short or damaged. Half a sale would sell what it has forgotten,
    /// half a filter would deny what it contains.
    IsDamage,
}

impl Fate {
    fn of(is_primary: bool, is_importing: bool) -> Fate {
        match (is_importing, is_primary) {
            (true, false) => Fate::Stays,
            (true, true) => Fate::Goes,
            (false, _) => Fate::IsDamage,
        }
    }
}

/// Decides about every value whose last chunk never came, at the end of a load.
pub fn settle_partly_loaded(ctx: Ctx<'_>, is_importing: impl Fn(&[u8]) -> bool) {
    let begun = std::mem::take(&mut *BEGUN.lock().unwrap_or_else(PoisonError::into_inner));
    for Place { database, key } in begun {
        if !ctx.select(database) {
            continue;
        }
        let name = TextBuf::new(&key);
        let sale = partly_loaded::<SaleValue>(ctx, name.as_text()).map(|open| ("sale", open));
        let found = sale.or_else(|| {
            partly_loaded::<BloomValue>(ctx, name.as_text()).map(|open| ("filter", open))
        });
        let Some((what, open)) = found else {
            continue;
        };
        let why = match Fate::of(ctx.flags().is_primary(), is_importing(&key)) {
            Fate::Stays => continue,
            Fate::Goes => "was on its way here when this server ended",
            Fate::IsDamage => "was only partly in the AOF",
        };
        open.delete();
        ctx.warn(&format!(
            "the {what} '{}' {why}, and is deleted",
            echo(&key)
        ));
    }
}

/// The key of this name, if it holds a part of a value of type `T`.
fn partly_loaded<'c, T: NativeType>(ctx: Ctx<'c>, name: Text<'c>) -> Option<Key<'c>> {
    let value = Key::open(ctx, name, Mode::Write).typed::<T>().ok()?;
    value.is_partly_loaded().then(|| value.into_key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_replica_whose_primary_goes_on_keeps_a_part() {
        assert_eq!(Fate::of(false, true), Fate::Stays);
        assert_eq!(Fate::of(true, true), Fate::Goes);
        assert_eq!(Fate::of(true, false), Fate::IsDamage);
        assert_eq!(Fate::of(false, false), Fate::IsDamage);
    }
}
