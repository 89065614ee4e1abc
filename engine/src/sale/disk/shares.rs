//! What a sale has to do with others in its snapshot: an option of the header, and an element
//! for each item and share id.
//!
//! Edge: bytes to totals and back; nothing that is read is trusted.

use crate::sale::book::shares::{Shares, Way};
use crate::sale::event::parts::take_positive;
use crate::sale::event::share_codec::{put_share, take_share, take_total};
use crate::sale::state::Sale;
use crate::sale::units::ItemIndex;
use crate::wire::{CodecError, NameReader, Writer};

/// Has the header anything to say of the share id and of GROUP?
pub(super) fn has_share(sale: &Sale) -> bool {
    sale.share_id() != sale.sale_id || sale.is_part()
}

/// Appends the share id and GROUP.
pub(super) fn put_header_share(out: &mut Writer<'_>, sale: &Sale) {
    put_share(out, sale.share_id(), sale.group());
}

/// Reads what [`put_header_share`] wrote.
pub(super) fn take_header_share(
    from: &mut NameReader<'_>,
    sale: &mut Sale,
) -> Result<(), CodecError> {
    let share_id = take_share(from, sale.sale_id, &mut sale.options)?;
    sale.shares = Shares::of_share_id(sale.sale_id, share_id);
    Ok(())
}

/// Appends what one sale was given of an item, and what came from it.
pub(super) fn put_pair(
    out: &mut Writer<'_>,
    (item, peer, given, taken): (ItemIndex, u128, u64, u64),
) {
    out.number(u64::from(item));
    out.wide(peer);
    for total in [given, taken] {
        out.option(Some(total).filter(|&total| total > 0), Writer::number);
    }
}

/// Reads what [`put_pair`] wrote.
pub(super) fn take_pair(from: &mut NameReader<'_>, sale: &mut Sale) -> Result<(), CodecError> {
    let (item, peer) = (from.small()?, from.wide()?);
    let (given, taken) = (take_total(from)?, take_total(from)?);
    let is_there = (item as usize) < sale.items.len();
    let is_known = [Way::Given, Way::Taken]
        .iter()
        .any(|&way| sale.shared(way, item, peer) > 0);
    let may_be = sale.may_share(Way::Given, item, peer, given)
        && sale.may_share(Way::Taken, item, peer, taken);
    if !is_there || is_known || !may_be || given + taken == 0 || peer == sale.share_id() {
        return Err(CodecError::Invalid("what a sale gave and took"));
    }
    let shares = sale.shares_mut();
    shares.set(Way::Given, item, peer, given);
    shares.set(Way::Taken, item, peer, taken);
    Ok(())
}

/// Reads what an item owes, at least 1.
pub(super) fn take_owed(from: &mut NameReader<'_>) -> Result<u64, CodecError> {
    take_positive(from)
}
