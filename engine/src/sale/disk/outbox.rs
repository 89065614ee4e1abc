//! The outbox of a sale in its snapshot: counts in the header, and an element for each record.
//!
//! Edge: the bytes of a record itself are `event/record.rs`.

use crate::sale::book::options::Events;
use crate::sale::book::outbox::{Outbox, OutboxCounts};
use crate::sale::event::record::Record;
use crate::sale::state::Sale;
use crate::wire::{CodecError, NameReader, Writer};

/// Appends whether `EVENTS all` is in force, and the counts.
pub(super) fn put_counts(out: &mut Writer<'_>, events: Events, outbox: &Outbox) {
    let OutboxCounts { seq, lost, written } = outbox.counts();
    out.flag(events == Events::All);
    out.number(seq);
    out.number(lost);
    out.number(written);
}

/// Reads what [`put_counts`] wrote; the sale has no record yet.
pub(super) fn take_counts(from: &mut NameReader<'_>, sale: &mut Sale) -> Result<(), CodecError> {
    if from.flag()? {
        sale.options.events = Events::All;
    }
    let counts = OutboxCounts {
        seq: from.number()?,
        lost: from.number()?,
        written: from.number()?,
    };
    sale.outbox = Some(Box::new(Outbox::new(counts)));
    Ok(())
}

/// Appends the bytes of a record, with their length.
pub(super) fn put_record(out: &mut Writer<'_>, record: &Record<'_>) {
    let mut bytes = Vec::new();
    record.put(&mut Writer(&mut bytes));
    out.bytes(&bytes);
}

/// Reads a record. `last_seq` is that of the one before, 0 for none.
pub(super) fn take_record(
    from: &mut NameReader<'_>,
    sale: &mut Sale,
    last_seq: &mut u64,
) -> Result<(), CodecError> {
    let bytes = from.bytes(usize::MAX)?;
    let Some(outbox) = &mut sale.outbox else {
        return Err(CodecError::Invalid("a record without an outbox"));
    };
    // The record has its length: more will not come.
    let units = sale.named.as_ref().map_or(0, |named| named.len());
    let loaded = outbox.load(bytes, sale.items.len(), units, *last_seq);
    *last_seq = loaded.map_err(|error| match error {
        CodecError::Truncated => CodecError::Invalid("a record"),
        error => error,
    })?;
    Ok(())
}
