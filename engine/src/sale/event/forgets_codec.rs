//! What makes room for a new id, as a byte.

use crate::sale::event::Forgets;
use crate::sale::event::parts::Out;
use crate::wire::{CodecError, NameReader};

/// Appends what makes room for a new id.
#[inline]
pub(super) fn put_forgets(out: &mut Out<'_, '_>, forgets: Forgets) {
    out.tag(match forgets {
        Forgets::Nothing => 0,
        Forgets::Oldest => 1,
        Forgets::OldestPastGrace => 2,
    });
}

/// Reads what makes room for a new id.
pub(super) fn take_forgets(from: &mut NameReader<'_>) -> Result<Forgets, CodecError> {
    match from.tag()? {
        0 => Ok(Forgets::Nothing),
        1 => Ok(Forgets::Oldest),
        2 => Ok(Forgets::OldestPastGrace),
        _ => Err(CodecError::Invalid("which id makes room")),
    }
}
