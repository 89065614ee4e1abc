//! What happens to lines as bytes, and the options of a sale that are written with a tag.
//!
//! Edge: the fields of a [`Change`] that only lines have; the rest is
//! `codec.rs`.

use smallvec::SmallVec;

use crate::sale::book::options::{Events, Options};
use crate::sale::book::waiting::draw::Seed;
use crate::sale::event::forgets_codec::{put_forgets, take_forgets};
use crate::sale::event::parts::{
    Out, put_line_options, put_passkeys, put_rates, take_line_options, take_passkeys,
    take_positive, take_rates,
};
use crate::sale::event::{Change, Granted};
use crate::sale::units::{INTEGER_MAX, ItemIndex};
use crate::wire::{CodecError, NameReader, Sink, Writer};

pub(super) const JOINED: u8 = 22;
pub(super) const LEFT: u8 = 23;
pub(super) const DRAWN: u8 = 24;
pub(super) const GRANTED: u8 = 25;
pub(super) const DISSOLVED: u8 = 26;

/// Options of `Created` and `Altered`: `EVENTS all`, no value.
const EVENTS_ALL: u8 = 1;
/// The same: WAITING, PATIENCE and PACE.
const LINE_OPTIONS: u8 = 2;
/// The same: PASSKEY.
const PASSKEYS: u8 = 3;
/// The same: USERRATE and FROMRATE.
const RATES: u8 = 4;

/// Returns how many of the options of a sale are written with a tag.
pub(super) fn count_tagged(options: &Options) -> u64 {
    let tagged = [
        options.events == Events::All,
        options.has_line_options(),
        !options.passkeys.is_empty(),
        options.has_rates(),
    ];
    tagged.into_iter().map(u64::from).sum()
}

/// Appends the options of a sale that are written with a tag; `more` are to follow.
pub(super) fn put_tagged(out: &mut Out<'_, '_>, options: &Options, more: u64) {
    out.number(count_tagged(options) + more);
    if options.events == Events::All {
        out.an_option(EVENTS_ALL, |_| {});
    }
    if options.has_line_options() {
        out.an_option(LINE_OPTIONS, |out| put_line_options(out, options));
    }
    if !options.passkeys.is_empty() {
        out.an_option(PASSKEYS, |out| put_passkeys(out, &options.passkeys));
    }
    if options.has_rates() {
        out.an_option(RATES, |out| put_rates(out, options));
    }
}

/// Reads such an option; false if there is none of this tag.
pub(super) fn take_tagged(
    options: &mut Options,
    tag: u8,
    value: &mut NameReader<'_>,
) -> Result<bool, CodecError> {
    match tag {
        EVENTS_ALL => options.events = Events::All,
        LINE_OPTIONS => {
            take_line_options(value, options)?;
            // What is not asked for is not written.
            if !options.has_line_options() {
                return Err(CodecError::Invalid("the options of lines"));
            }
        }
        PASSKEYS => options.passkeys = take_passkeys(value)?,
        RATES => take_rates(value, options)?,
        _ => return Ok(false),
    }
    Ok(true)
}

pub(crate) fn put_seed<S: Sink>(out: &mut Writer<'_, S>, seed: &Seed) {
    out.wide(u128::from_be_bytes(*seed));
}

pub(crate) fn take_seed(from: &mut NameReader<'_>) -> Result<Seed, CodecError> {
    from.array()
}

/// Appends the fields of what happens to lines; of any other change, nothing.
#[inline(never)] // Most sales have none.
pub(super) fn put_of_lines(out: &mut Out<'_, '_>, change: &Change<'_>, at_ms: u64) {
    match change {
        Change::Joined {
            id,
            user,
            item,
            qty,
        } => {
            out.name(*id);
            out.name(*user);
            out.numbers([u64::from(*item), *qty]);
        }
        Change::Left { id, remembers } => {
            out.name(*id);
            out.option(*remembers, put_forgets);
        }
        Change::Drawn { seed } => put_seed(out, seed),
        Change::Granted(granted) => put_granted(out, granted, at_ms),
        Change::Dissolved { items } => {
            out.list(items.iter(), |out, &item| out.number(u64::from(item)));
        }
        _ => {}
    }
}

/// Reads what [`put_of_lines`] wrote, of this kind.
pub(super) fn take_of_lines<'a>(
    kind: u8,
    at_ms: u64,
    from: &mut NameReader<'a>,
) -> Result<Change<'a>, CodecError> {
    Ok(match kind {
        JOINED => Change::Joined {
            id: from.name()?,
            user: from.name()?,
            item: from.small()?,
            qty: take_positive(from)?,
        },
        LEFT => Change::Left {
            id: from.name()?,
            remembers: from.option(take_forgets)?,
        },
        DRAWN => Change::Drawn {
            seed: take_seed(from)?,
        },
        GRANTED => Change::Granted(take_granted(from, at_ms)?),
        DISSOLVED => Change::Dissolved {
            items: take_items(from)?,
        },
        _ => return Err(CodecError::Newer("a kind of event")),
    })
}

fn put_granted(out: &mut Out<'_, '_>, granted: &Granted, at_ms: u64) {
    out.numbers([u64::from(granted.item), granted.places]);
    out.list(granted.runs.iter(), |out, &run| out.number(u64::from(run)));
    out.number(granted.expires_at_ms.saturating_sub(at_ms));
    out.number(u64::from(granted.forgotten));
}

fn take_granted(from: &mut NameReader<'_>, at_ms: u64) -> Result<Granted, CodecError> {
    let (item, places) = (from.small()?, take_positive(from)?);
    let runs: SmallVec<[u32; 2]> = from.list(1, |from| from.small())?;
    let expires_at_ms = from.number()?.saturating_add(at_ms);
    let granted = Granted {
        item,
        places,
        runs,
        expires_at_ms,
        forgotten: from.small()?,
    };
    let (made, passed) = granted.counts();
    // Only the first run may be of nobody, and each place is of one person at most.
    let has_gap = granted.runs.iter().skip(1).any(|&run| run == 0) || granted.runs[..] == [0];
    if has_gap
        || places > Granted::PLACES_MAX
        || made + passed > places
        || expires_at_ms > INTEGER_MAX
        || u64::from(granted.forgotten) > made
    {
        return Err(CodecError::Invalid("the places of a line"));
    }
    Ok(granted)
}

fn take_items(from: &mut NameReader<'_>) -> Result<Vec<ItemIndex>, CodecError> {
    let items: Vec<ItemIndex> = from.list(1, |from| from.small())?;
    if items.is_empty() || !items.is_sorted_by(|one, next| one < next) {
        return Err(CodecError::Invalid("the items of lines"));
    }
    Ok(items)
}
