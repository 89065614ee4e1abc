//! The values that events and snapshots share, as bytes.

use crate::sale::book::attempt_rate::AttemptRate;
use crate::sale::book::options::Options;
use crate::sale::book::pace::PaceRate;
use crate::sale::book::passkeys::PassKeys;
use crate::sale::state::MarkId;
use crate::sale::units::{
    EntryId, INTEGER_MAX, Line, Lines, MARK_BYTES_MAX, MOMENT_MS_MAX, SKU_BYTES_MAX,
};
use crate::wire::{CodecError, Collector, NameReader, Reader, Sink, Writer};

/// What an event is written with.
pub(super) type Out<'a, 'b> = Writer<'a, Collector<'b>>;

/// An integer of the contract: at most 2^53 - 1.
pub(crate) fn take_integer<H: Copy>(from: &mut Reader<'_, H>) -> Result<u64, CodecError> {
    match from.number()? {
        integer if integer <= INTEGER_MAX => Ok(integer),
        _ => Err(CodecError::Invalid("a number above 2^53 - 1")),
    }
}

/// A moment at which something happened.
pub(crate) fn take_moment(from: &mut NameReader<'_>) -> Result<u64, CodecError> {
    match from.number()? {
        at_ms if at_ms <= MOMENT_MS_MAX => Ok(at_ms),
        _ => Err(CodecError::Invalid("a moment")),
    }
}

/// A limit, START or END: 0 would mean that there is none, which is written otherwise.
pub(crate) fn take_positive(from: &mut NameReader<'_>) -> Result<u64, CodecError> {
    match take_integer(from)? {
        0 => Err(CodecError::Invalid("the options")),
        integer => Ok(integer),
    }
}

pub(crate) fn take_sku<'a>(from: &mut NameReader<'a>) -> Result<&'a [u8], CodecError> {
    let sku = from.bytes(SKU_BYTES_MAX)?;
    if sku.is_empty() || std::str::from_utf8(sku).is_err() {
        return Err(CodecError::Invalid("a SKU"));
    }
    Ok(sku)
}

pub(crate) fn put_mark_id(out: &mut Writer<'_>, mark: MarkId) {
    out.number(mark.at_ms);
    out.number(mark.misses);
}

pub(crate) fn take_mark_id(from: &mut NameReader<'_>) -> Result<MarkId, CodecError> {
    let at_ms = take_moment(from)?;
    match from.number()? {
        0 => Err(CodecError::Invalid("a mark")),
        misses => Ok(MarkId { at_ms, misses }),
    }
}

/// Why a copy is marked, in words.
pub(crate) fn take_reason<'a>(from: &mut NameReader<'a>) -> Result<&'a str, CodecError> {
    std::str::from_utf8(from.bytes(MARK_BYTES_MAX)?).map_err(|_| CodecError::Invalid("a reason"))
}

#[inline]
pub(crate) fn put_entry<S: Sink>(out: &mut Writer<'_, S>, entry: EntryId) {
    out.number(entry.ms);
    out.number(entry.seq);
}

pub(crate) fn take_entry<H: Copy>(from: &mut Reader<'_, H>) -> Result<EntryId, CodecError> {
    Ok(EntryId {
        ms: from.number()?,
        seq: from.number()?,
    })
}

/// Appends the settings of a sale. `EVENTS all` is an option of what they stand in.
pub(crate) fn put_options<S: Sink>(out: &mut Writer<'_, S>, options: &Options) {
    for limit in [
        options.user_limit,
        options.item_limit,
        options.order_limit,
        options.sale_limit,
    ] {
        out.option(limit, Writer::number);
    }
    out.number(options.hold_ms);
    out.option(options.hold_ms_max, Writer::number);
    out.number(options.grace_ms);
    out.option(options.start_at_ms, Writer::number);
    out.option(options.end_at_ms, Writer::number);
    out.number(options.keep_ms);
    out.number(options.remember_ms);
}

/// Reads the settings of a sale, with `EVENTS orders`.
pub(crate) fn take_options(from: &mut NameReader<'_>) -> Result<Options, CodecError> {
    let options = Options {
        user_limit: from.option(take_positive)?,
        item_limit: from.option(take_positive)?,
        order_limit: from.option(take_positive)?,
        sale_limit: from.option(take_positive)?,
        hold_ms: take_integer(from)?,
        hold_ms_max: from.option(take_integer)?,
        grace_ms: take_integer(from)?,
        start_at_ms: from.option(take_positive)?,
        end_at_ms: from.option(take_positive)?,
        keep_ms: take_integer(from)?,
        remember_ms: take_integer(from)?,
        ..Options::new(1, 0)
    };
    if options.hold_ms == 0 || options.max_hold_ms() < options.hold_ms {
        return Err(CodecError::Invalid("the options"));
    }
    Ok(options)
}

/// Appends WAITING, PATIENCE and PACE: an option of what the settings stand in.
pub(crate) fn put_line_options(out: &mut Writer<'_>, options: &Options) {
    out.number(options.waiting_max);
    out.number(options.patience_ms);
    out.option(options.pace, |out, rate| {
        out.number(rate.n);
        out.number(rate.ms);
    });
}

/// Reads WAITING, PATIENCE and PACE into the settings of a sale.
pub(crate) fn take_line_options(
    from: &mut NameReader<'_>,
    options: &mut Options,
) -> Result<(), CodecError> {
    options.waiting_max = from.number()?;
    options.patience_ms = take_integer(from)?;
    options.pace = from.option(|from| {
        let (n, ms) = (take_positive(from)?, take_positive(from)?);
        Ok(PaceRate { n, ms })
    })?;
    let is_too_fast = |rate: PaceRate| rate.n > PaceRate::N_MAX || rate.ms > PaceRate::MS_MAX;
    if options.waiting_max > Options::WAITING_MAX || options.pace.is_some_and(is_too_fast) {
        return Err(CodecError::Invalid("the options of lines"));
    }
    Ok(())
}

/// Appends the secrets of PASSKEY: an option of what the settings stand in.
pub(crate) fn put_passkeys(out: &mut Writer<'_>, passkeys: &PassKeys) {
    out.list(passkeys.iter(), Writer::bytes);
}

/// Reads the secrets of PASSKEY, at least one.
pub(crate) fn take_passkeys(from: &mut NameReader<'_>) -> Result<PassKeys, CodecError> {
    let secrets: Vec<&[u8]> = from.list(1, |from| from.bytes(PassKeys::BYTES_MAX))?;
    PassKeys::new(&secrets)
        .filter(|passkeys| !passkeys.is_empty())
        .ok_or(CodecError::Invalid("the secrets of passes"))
}

/// Appends USERRATE and FROMRATE: an option of what the settings stand in.
pub(crate) fn put_rates(out: &mut Writer<'_>, options: &Options) {
    for rate in [options.user_rate, options.from_rate] {
        out.option(rate, |out, rate| {
            out.number(rate.n);
            out.number(rate.ms);
        });
    }
}

/// Reads USERRATE and FROMRATE, at least one, into the settings of a sale.
pub(crate) fn take_rates(
    from: &mut NameReader<'_>,
    options: &mut Options,
) -> Result<(), CodecError> {
    let mut take = || {
        from.option(|from| {
            let (n, ms) = (take_positive(from)?, take_positive(from)?);
            let rate = AttemptRate { n, ms };
            match rate.rate() {
                Ok(_) => Ok(rate),
                Err(_) => Err(CodecError::Invalid("a rate of attempts")),
            }
        })
    };
    (options.user_rate, options.from_rate) = (take()?, take()?);
    if options.has_rates() {
        return Ok(());
    }
    // What is not asked for is not written.
    Err(CodecError::Invalid("the rates of attempts"))
}

/// Appends the lines of a cart.
#[inline(always)]
pub(crate) fn put_lines<S: Sink>(out: &mut Writer<'_, S>, lines: &[Line]) {
    // A list of one, which nearly all carts are, in one piece.
    if let &[Line { item, qty }] = lines {
        return out.numbers([1, u64::from(item), qty]);
    }
    out.list(lines.iter(), |out, line| {
        out.number(u64::from(line.item));
        out.number(line.qty);
    });
}

/// Reads the lines of a cart: each of at least one unit, no item twice, none missing.
pub(crate) fn take_lines<H: Copy>(from: &mut Reader<'_, H>) -> Result<Lines, CodecError> {
    let lines: Lines = from.list(2, |from| {
        Ok(Line {
            item: from.small()?,
            qty: from.number()?,
        })
    })?;
    let mut items: smallvec::SmallVec<[u32; 8]> = lines.iter().map(|line| line.item).collect();
    items.sort_unstable();
    if lines.is_empty()
        || items.windows(2).any(|pair| pair[0] == pair[1])
        || lines
            .iter()
            .any(|line| !(1..=INTEGER_MAX).contains(&line.qty))
    {
        return Err(CodecError::Invalid("the lines of a cart"));
    }
    Ok(lines)
}
