//! The items of a snapshot, an element each.
//!
//! Edge: as `loader.rs`, nothing that is read is trusted.

use crate::sale::book::items::Stock;
use crate::sale::disk::shares::take_owed;
use crate::sale::disk::snapshot::OWED;
use crate::sale::disk::units::{COUNTED_UNTIL, NAMED, NamedItem, begin_named};
use crate::sale::event::apply::signed;
use crate::sale::event::parts::take_sku;
use crate::sale::state::Sale;
use crate::sale::units::INTEGER_MAX;
use crate::wire::{CodecError, NameReader};

/// Reads what `snapshot.rs` wrote of an item.
pub(super) fn take_item(
    from: &mut NameReader<'_>,
    version: u8,
    sale: &mut Sale,
    has_options: bool,
) -> Result<(), CodecError> {
    let sku = take_sku(from)?;
    let stock = Stock {
        available: from.number()?,
        reserved: from.number()?,
        sold: from.number()?,
    };
    let base = if version < 3 {
        signed(stock.units())
    } else {
        from.signed()?
    };
    let (mut owed, mut sealed, mut counted_until_ms) = (0, None, None);
    if has_options {
        from.options(|tag, value| {
            match tag {
                OWED => owed = take_owed(value)?,
                NAMED => sealed = Some(value.flag()?),
                COUNTED_UNTIL => counted_until_ms = Some(value.number()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
    }
    let is_too_many = sale.units().saturating_add(stock.units()) > INTEGER_MAX
        || sale.items.owed_in_all().saturating_add(owed) > INTEGER_MAX;
    let is_wrong = is_too_many
        || (owed > 0 && sealed.is_some())
        || (counted_until_ms.is_some() && sealed != Some(true));
    if sale.items.find(sku).is_some() || (is_wrong && sale.broken().is_none()) {
        return Err(CodecError::Invalid("an item"));
    }
    let item = sale.items.add(sku, stock, base);
    sale.items.set_owed(item, owed);
    if let Some(sealed) = sealed {
        let kept = NamedItem {
            sealed,
            counted_until_ms,
        };
        begin_named(sale, item, kept);
    }
    Ok(())
}
