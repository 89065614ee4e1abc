//! A REF of RESTOCK from the bytes of a snapshot.
//!
//! Edge: as `loader.rs`, nothing that is read is trusted.

use crate::sale::book::restock_refs::{Deltas, ItemDelta};
use crate::sale::disk::snapshot::{DIGEST, LINES};
use crate::sale::state::Sale;
use crate::sale::units::INTEGER_MAX;
use crate::table::name::NameBuffer;
use crate::wire::{CodecError, NameReader};

pub(super) fn take_restock_ref(
    from: &mut NameReader<'_>,
    version: u8,
    sale: &mut Sale,
) -> Result<(), CodecError> {
    let reference = from.spelling()?;
    let kept = if version < 3 { LINES } else { from.tag()? };
    let deltas = match kept {
        LINES => take_deltas(from, sale)?,
        DIGEST => Deltas::Digest(from.wide()?),
        _ => return Err(CodecError::Invalid("a REF of RESTOCK")),
    };
    let mut buffer = NameBuffer::default();
    let is_known = sale
        .restock_refs
        .find(reference.bytes(&mut buffer))
        .is_some();
    if sale.restock_refs.is_full() || is_known {
        return Err(CodecError::Invalid("a REF of RESTOCK"));
    }
    sale.restock_refs.push(reference, deltas);
    Ok(())
}

fn take_deltas(from: &mut NameReader<'_>, sale: &Sale) -> Result<Deltas, CodecError> {
    let deltas: Vec<ItemDelta> = from.list(2, |from| Ok((from.small()?, from.signed()?)))?;
    let is_wrong = |&(item, delta): &ItemDelta| {
        item as usize >= sale.items.len() || delta.unsigned_abs() > INTEGER_MAX
    };
    if deltas.is_empty()
        || deltas.iter().any(is_wrong)
        || !deltas.is_sorted_by(|(item, _), (next, _)| item < next)
    {
        return Err(CodecError::Invalid("a REF of RESTOCK"));
    }
    Ok(Deltas::new(&deltas))
}
