//! Lines in the snapshot of a sale: an element for each line, and one for each place in it.
//!
//! Edge: bytes to places and back; nothing that is read is trusted.

use crate::sale::book::items::Stock;
use crate::sale::book::pace::Pace;
use crate::sale::book::waiting::draw::Draw;
use crate::sale::book::waiting::line::WaitingLine;
use crate::sale::book::waiting::moves::LoadedLine;
use crate::sale::book::waiting::{LastDraw, LineCounts, NUMBERS_MAX, PAGES_MAX, Place, Waiting};
use crate::sale::event::line_codec::{put_seed, take_seed};
use crate::sale::event::parts::{
    put_line_options, take_integer, take_line_options, take_moment, take_positive,
};
use crate::sale::state::Sale;
use crate::sale::units::ItemIndex;
use crate::wire::{CodecError, NameReader, Writer};

/// Has the header anything to say of lines and PACE?
pub(super) fn has_past(sale: &Sale) -> bool {
    sale.options.has_line_options() || sale.waiting.is_some() || sale.pace != Pace::default()
}

/// Appends the options, PACE's moment, the counts and the last draw.
pub(super) fn put_past(out: &mut Writer<'_>, sale: &Sale) {
    put_line_options(out, &sale.options);
    out.number(sale.pace.ms);
    out.number(sale.pace.part);
    out.option(sale.waiting.as_ref(), |out, waiting| {
        let LineCounts {
            granted,
            passed_over,
        } = waiting.counts();
        out.number(granted);
        out.number(passed_over);
        out.option(waiting.last_draw(), |out, draw| {
            out.number(draw.at_ms);
            put_seed(out, &draw.seed);
            out.list(draw.drawn.iter(), |out, &(item, drawn)| {
                out.number(u64::from(item));
                out.number(drawn);
            });
        });
    });
}

/// Reads what [`put_past`] wrote, in the header of a sale.
pub(super) fn take_past(from: &mut NameReader<'_>, sale: &mut Sale) -> Result<(), CodecError> {
    take_line_options(from, &mut sale.options)?;
    sale.pace = Pace {
        ms: take_integer(from)?,
        part: from.number()?,
    };
    let parts = sale.options.pace.map_or(1, |rate| rate.n);
    if sale.pace.part >= parts {
        return Err(CodecError::Invalid("the moment of PACE"));
    }
    let past = from.option(|from| {
        let counts = LineCounts {
            granted: take_integer(from)?,
            passed_over: take_integer(from)?,
        };
        Ok((counts, from.option(take_last_draw)?))
    })?;
    if let Some((counts, last_draw)) = past {
        let mut waiting = Box::new(Waiting::new(sale.hasher));
        waiting.load_past(counts, last_draw);
        sale.waiting = Some(waiting);
    }
    sale.note_queue();
    Ok(())
}

fn take_last_draw(from: &mut NameReader<'_>) -> Result<LastDraw, CodecError> {
    Ok(LastDraw {
        at_ms: take_moment(from)?,
        seed: take_seed(from)?,
        drawn: from.list(2, |from| Ok((from.small()?, take_positive(from)?)))?,
    })
}

/// Appends a line, without those who are in it.
pub(super) fn put_line(out: &mut Writer<'_>, line: &WaitingLine) {
    out.number(u64::from(line.item()));
    out.number(line.next());
    out.number(line.head());
    out.number(line.len());
    out.option(line.draw(), |out, draw| {
        out.number(draw.drawn());
        put_seed(out, draw.seed());
    });
}

/// Appends a place of the line before it.
pub(super) fn put_place(out: &mut Writer<'_>, place: &Place<'_>) {
    out.number(place.number);
    out.name(place.id);
    out.name(place.user);
    out.number(place.qty);
}

/// The line whose places are being read.
#[derive(Default)]
pub(super) struct LineLoading {
    item: ItemIndex,
    next: u64,
    /// The number of the next place is this one or a later one.
    number: u64,
    /// Places that have yet to come.
    left: u64,
}

impl LineLoading {
    /// Reads what [`put_line`] wrote.
    pub(super) fn take_line(
        &mut self,
        from: &mut NameReader<'_>,
        sale: &mut Sale,
    ) -> Result<(), CodecError> {
        self.end_line(sale)?;
        let item = from.small()?;
        let (next, head, left) = (take_positive(from)?, from.number()?, take_positive(from)?);
        let draw = from.option(|from| Ok((from.number()?, take_seed(from)?)))?;
        let drawn = draw.map_or(0, |(drawn, _)| drawn);
        let is_dense = draw.is_some() || (head == 0 && left == next);
        let is_there = (item as usize) < sale.items.len();
        if !is_there
            || next > NUMBERS_MAX
            || head >= next
            || left > next - head
            || drawn > next
            || !is_dense
        {
            return Err(CodecError::Invalid("a line"));
        }
        let stock: Stock = sale.items.reachable(item);
        let Some(waiting) = &mut sale.waiting else {
            return Err(CodecError::Invalid("a line"));
        };
        let line = LoadedLine {
            item,
            next,
            head,
            draw: draw.map(|(drawn, seed)| Draw::new(seed, item, drawn)),
        };
        if !waiting.begin_line(line, stock) {
            return Err(CodecError::Invalid("a line"));
        }
        *self = LineLoading {
            item,
            next,
            number: 0,
            left,
        };
        Ok(())
    }

    /// Reads what [`put_place`] wrote.
    pub(super) fn take_place(
        &mut self,
        from: &mut NameReader<'_>,
        sale: &mut Sale,
    ) -> Result<(), CodecError> {
        let number = from.number()?;
        let (id, user) = (from.name()?, from.name()?);
        let qty = take_positive(from)?;
        let (Some(waiting), Some(left)) = (&mut sale.waiting, self.left.checked_sub(1)) else {
            return Err(CodecError::Invalid("a place"));
        };
        if !(self.number..self.next).contains(&number)
            || !waiting.has_page(PAGES_MAX)
            || sale.reservations.find(id).is_some()
            || waiting.find(id).is_some()
            || waiting.find_of_user(user).is_some()
        {
            return Err(CodecError::Invalid("a place"));
        }
        waiting.load(id, user, (self.item, qty), number);
        (self.number, self.left) = (number + 1, left);
        Ok(())
    }

    /// Have all places of the last line come, and are the items there that people once waited
    /// for?
    pub(super) fn end(&self, sale: &Sale) -> Result<(), CodecError> {
        self.end_line(sale)?;
        let waiting = sale.waiting.as_ref();
        let drawn = waiting.and_then(|waiting| waiting.last_draw());
        let drawn = drawn.map_or(&[][..], |draw| &draw.drawn);
        let is_of_nothing = |&(item, _): &(ItemIndex, u64)| item as usize >= sale.items.len();
        if !drawn.is_sorted_by(|one, next| one.0 < next.0) || drawn.iter().any(is_of_nothing) {
            return Err(CodecError::Invalid("the last draw"));
        }
        Ok(())
    }

    /// Have all places of the last line come, and is nobody among those who were settled?
    fn end_line(&self, sale: &Sale) -> Result<(), CodecError> {
        let waiting = sale.waiting.as_ref();
        let both = waiting.and_then(|waiting| Some((waiting, waiting.line(self.item)?)));
        let was_settled = both.is_some_and(|(waiting, line)| waiting.has_anybody_before_head(line));
        if self.left > 0 || was_settled {
            return Err(CodecError::Invalid("the places of a line"));
        }
        Ok(())
    }
}
