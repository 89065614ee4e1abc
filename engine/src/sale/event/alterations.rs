//! What an ALTER or a BIND changed, as the record of an outbox has it.
//!
//! Edge: bytes to values and back; the kinds of records are `record.rs`.

use crate::sale::book::options::{Events, NUMBER_NAMES};
use crate::sale::event::parts::take_integer;
use crate::sale::units::GROUP_BYTES_MAX;
use crate::wire::{CodecError, Reader, Writer};

/// What an ALTER or a BIND changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alterations {
    /// Positions in [`NUMBER_NAMES`], ascending, each with its new value.
    pub numbers: Vec<(u8, Option<u64>)>,
    pub events: Option<Events>,
    /// The stream is another one.
    pub orders: bool,
    /// The secrets are others, which are not told.
    pub passkeys: bool,
    /// The new name of the split sale, or none any more.
    pub group: Option<Option<Box<str>>>,
}

impl Alterations {
    /// Reports whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Alterations::default()
    }

    /// Appends the fields of the record.
    pub(super) fn put(&self, out: &mut Writer<'_>) {
        out.list(self.numbers.iter(), |out, &(number, value)| {
            out.tag(number);
            out.option(value, Writer::number);
        });
        out.option(self.events, |out, events| out.flag(events == Events::All));
        out.flag(self.orders);
        if let Some(group) = &self.group {
            out.flag(self.passkeys);
            out.option(group.as_deref(), |out, group| out.bytes(group.as_bytes()));
        }
    }

    /// Reads what [`Alterations::put`] wrote without GROUP; whether the secrets are others, the
    /// kind says.
    pub(super) fn take(from: &mut Reader<'_, ()>, passkeys: bool) -> Result<Self, CodecError> {
        let numbers: Vec<(u8, Option<u64>)> = from.list(2, |from| {
            let number = from.tag()?;
            if usize::from(number) >= NUMBER_NAMES.len() {
                return Err(CodecError::Newer("an option of a sale"));
            }
            Ok((number, from.option(take_integer)?))
        })?;
        if !numbers.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(CodecError::Invalid("the options of a record"));
        }
        let events_of = |is_all| if is_all { Events::All } else { Events::Orders };
        let events = from.option(Reader::flag)?.map(events_of);
        let orders = from.flag()?;
        Ok(Alterations {
            numbers,
            events,
            orders,
            passkeys,
            group: None,
        })
    }

    /// Reads what [`Alterations::put`] wrote with GROUP.
    pub(super) fn take_with_group(from: &mut Reader<'_, ()>) -> Result<Self, CodecError> {
        let mut changed = Alterations::take(from, false)?;
        changed.passkeys = from.flag()?;
        let group = from.option(|from| {
            let group = from.bytes(GROUP_BYTES_MAX)?;
            let group = std::str::from_utf8(group)
                .ok()
                .filter(|group| !group.is_empty());
            group.ok_or(CodecError::Invalid("the name of a split sale"))
        })?;
        changed.group = Some(group.map(Into::into));
        Ok(changed)
    }
}
