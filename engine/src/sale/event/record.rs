//! A record of an outbox: what happened, as an entry of the order stream will say it.
//!
//! | Kind | Entry | Fields after the head |
//! |---|---|---|
//! | 1 to 5 | reserved, granted, extended, released, expired | id, user, lines, deadline |
//! | 6 | released, by REPLACE | the same, then the id in its place |
//! | 7, 8, 9 | allreserved, soldout, backinstock | item, available, reserved, sold as `u64` |
//! | 10 | restocked | list of (item as `u64`, delta as `i64`), optional REF |
//! | 11 | altered | list of (number of the option, optional `u64`), optional EVENTS, flag "the stream" |
//! | 12, 13, 14 | paused, resumed, closed | none |
//! | 15 | lost | how many, as `u64` |
//! | 16 | altered, PASSKEY too | as 11; no secret |
//! | 17 | altered, GROUP too | as 11, then flag "PASSKEY too", optional GROUP |
//! | 20 | as 1 to 6, of units with names | the kind without names, its fields, then the bytes of the numbers with their length |
//!
//! The deadline is an `i64` from the moment of decision. EVENTS is 0 for `orders` and 1 for
//! `all`. A kind is never reused; 2 is not written yet.
//!
//! Edge: bytes to values and back. The head is `book/outbox.rs`, what queues which record
//! `queue.rs`.

use crate::sale::book::items::{Stock, StockChange};
use crate::sale::book::named::UnitList;
use crate::sale::book::outbox::{Head, Hole, Outbox};
use crate::sale::book::restock_refs::ItemDelta;
pub use crate::sale::event::alterations::Alterations;
use crate::sale::event::parts::{put_lines, take_integer, take_lines};
use crate::sale::event::units_codec::{put_units_sized, take_units};
use crate::sale::units::{INTEGER_MAX, ItemIndex, Line, Lines, units_of};
use crate::table::name::Spelling;
use crate::wire::{CodecError, Reader, Writer};

/// An entry that waits to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The order of decisions within the sale.
    pub seq: u64,
    /// The moment of decision, in Unix milliseconds.
    pub at_ms: u64,
    pub news: News<'a>,
}

/// What an entry reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News<'a> {
    Reservation {
        event: ReservationEvent,
        id: Spelling<'a>,
        user: Spelling<'a>,
        lines: Lines,
        /// Units with names, in the order of the lines; none of sealed ones, and none where the
        /// entry does not tell them.
        units: UnitList,
        /// The deadline in force after the event; of `released` and `expired` the one it had.
        expires_at_ms: u64,
        /// The id that REPLACE put in its place.
        replaced_by: Option<Spelling<'a>>,
    },
    Item {
        event: StockChange,
        item: ItemIndex,
        /// After the whole change.
        stock: Stock,
    },
    Restocked {
        deltas: Vec<ItemDelta>,
        reference: Option<Spelling<'a>>,
    },
    Altered(Alterations),
    Paused,
    Resumed,
    Closed,
    /// So many entries were dropped here.
    Lost {
        qty: u64,
    },
}

/// What can happen to a reservation, beside an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationEvent {
    Reserved,
    Granted,
    Extended,
    Released,
    Expired,
}

const RESERVED: u8 = 1;
const GRANTED: u8 = 2;
const EXTENDED: u8 = 3;
const RELEASED: u8 = 4;
const EXPIRED: u8 = 5;
const REPLACED: u8 = 6;
const ALL_RESERVED: u8 = 7;
const SOLD_OUT: u8 = 8;
const BACK_IN_STOCK: u8 = 9;
const RESTOCKED: u8 = 10;
const ALTERED: u8 = 11;
const PAUSED: u8 = 12;
const RESUMED: u8 = 13;
const CLOSED: u8 = 14;
const LOST: u8 = 15;
const ALTERED_PASSKEYS: u8 = 16;
const ALTERED_GROUP: u8 = 17;
const OF_UNITS: u8 = 20;

impl News<'_> {
    /// Returns the value of the entry's field `event`.
    pub fn word(&self) -> &'static str {
        match self {
            News::Reservation { event, .. } => match event {
                ReservationEvent::Reserved => "reserved",
                ReservationEvent::Granted => "granted",
                ReservationEvent::Extended => "extended",
                ReservationEvent::Released => "released",
                ReservationEvent::Expired => "expired",
            },
            News::Item { event, .. } => match event {
                StockChange::AllReserved => "allreserved",
                StockChange::SoldOut => "soldout",
                StockChange::BackInStock => "backinstock",
            },
            News::Restocked { .. } => "restocked",
            News::Altered(_) => "altered",
            News::Paused => "paused",
            News::Resumed => "resumed",
            News::Closed => "closed",
            News::Lost { .. } => "lost",
        }
    }

    /// Returns the value of the entry's field `qty`, if it has one. That of a RESTOCK may be
    /// negative.
    pub fn qty(&self) -> Option<i128> {
        Some(match self {
            News::Reservation { lines, .. } => units_of(lines).into(),
            News::Restocked { deltas, .. } => {
                deltas.iter().map(|&(_, delta)| i128::from(delta)).sum()
            }
            News::Lost { qty } => (*qty).into(),
            _ => return None,
        })
    }

    fn kind(&self) -> u8 {
        match self {
            News::Reservation {
                event, replaced_by, ..
            } => match event {
                ReservationEvent::Reserved => RESERVED,
                ReservationEvent::Granted => GRANTED,
                ReservationEvent::Extended => EXTENDED,
                ReservationEvent::Released if replaced_by.is_some() => REPLACED,
                ReservationEvent::Released => RELEASED,
                ReservationEvent::Expired => EXPIRED,
            },
            News::Item { event, .. } => match event {
                StockChange::AllReserved => ALL_RESERVED,
                StockChange::SoldOut => SOLD_OUT,
                StockChange::BackInStock => BACK_IN_STOCK,
            },
            News::Restocked { .. } => RESTOCKED,
            News::Altered(changed) if changed.group.is_some() => ALTERED_GROUP,
            News::Altered(changed) if changed.passkeys => ALTERED_PASSKEYS,
            News::Altered(_) => ALTERED,
            News::Paused => PAUSED,
            News::Resumed => RESUMED,
            News::Closed => CLOSED,
            News::Lost { .. } => LOST,
        }
    }

    /// Appends the body of a record that was decided at `at_ms`.
    fn put(&self, out: &mut Writer<'_>, at_ms: u64) {
        if let News::Reservation { units, .. } = self
            && !units.is_empty()
        {
            out.tag(OF_UNITS);
        }
        out.tag(self.kind());
        match self {
            News::Reservation {
                id,
                user,
                lines,
                units,
                expires_at_ms,
                replaced_by,
                ..
            } => {
                out.name(*id);
                out.name(*user);
                put_lines(out, lines);
                out.signed(expires_at_ms.cast_signed() - at_ms.cast_signed());
                if let Some(id) = replaced_by {
                    out.name(*id);
                }
                if !units.is_empty() {
                    put_units_sized(out, units);
                }
            }
            News::Item { item, stock, .. } => {
                out.number(u64::from(*item));
                out.number(stock.available);
                out.number(stock.reserved);
                out.number(stock.sold);
            }
            News::Restocked { deltas, reference } => {
                out.list(deltas.iter(), |out, &(item, delta)| {
                    out.number(u64::from(item));
                    out.signed(delta);
                });
                out.option(*reference, Writer::name);
            }
            News::Altered(changed) => changed.put(out),
            News::Paused | News::Resumed | News::Closed => {}
            News::Lost { qty } => out.number(*qty),
        }
    }
}

impl Outbox {
    /// Queues an entry with the next `seq`. O(its bytes).
    pub(crate) fn queue(&mut self, at_ms: u64, news: &News<'_>) {
        self.push(at_ms, |out| news.put(out, at_ms));
    }

    /// Reads the entries that wait, oldest first. Each takes O(its bytes).
    ///
    /// # Errors
    ///
    /// A record is damaged, which no input leads to.
    pub fn read(&self) -> impl Iterator<Item = Result<Record<'_>, CodecError>> {
        let hole = self.hole().map(|hole| Ok(Record::of_hole(hole)));
        hole.into_iter().chain(self.records().map(Record::take))
    }

    /// Adds an entry of a snapshot behind the others, the last of which has the `seq`
    /// `after`; returns its own.
    ///
    /// # Errors
    ///
    /// The record is damaged, names an item of `items` or a unit of `units` that is not there, or does not stand
    /// behind the others.
    pub(crate) fn load(
        &mut self,
        bytes: &[u8],
        items: usize,
        units: usize,
        after: u64,
    ) -> Result<u64, CodecError> {
        let record = Record::take(bytes)?;
        if !record.news.has_items_below(items) || !record.news.has_units_below(units) {
            return Err(CodecError::Invalid("an item of a record"));
        }
        let Record { seq, at_ms, news } = record;
        if let News::Lost { qty } = news {
            self.restore_hole(Hole { seq, at_ms, qty })?;
        } else {
            self.restore(Head { seq, at_ms }, after, bytes)?;
        }
        Ok(seq)
    }
}

impl<'a> Record<'a> {
    fn of_hole(Hole { seq, at_ms, qty }: Hole) -> Record<'a> {
        let news = News::Lost { qty };
        Record { seq, at_ms, news }
    }

    /// Appends the bytes of the record.
    pub(crate) fn put(&self, out: &mut Writer<'_>) {
        let (at_ms, seq) = (self.at_ms, self.seq);
        Head { at_ms, seq }.put(out);
        self.news.put(out, at_ms);
    }

    /// Reads a record, all of its bytes.
    ///
    /// # Errors
    ///
    /// The bytes are of a newer kind, damaged, too few or too many.
    pub(crate) fn take(bytes: &'a [u8]) -> Result<Record<'a>, CodecError> {
        let from = &mut Reader::new(bytes, ());
        let Head { at_ms, seq } = Head::take(from)?;
        let news = take_news(from, at_ms)?;
        from.end("more bytes than the record has")?;
        Ok(Record { seq, at_ms, news })
    }
}

impl News<'_> {
    fn has_items_below(&self, items: usize) -> bool {
        let is_there = |item: ItemIndex| (item as usize) < items;
        match self {
            News::Reservation { lines, .. } => lines.iter().all(|line| is_there(line.item)),
            News::Item { item, .. } => is_there(*item),
            News::Restocked { deltas, .. } => deltas.iter().all(|&(item, _)| is_there(item)),
            _ => true,
        }
    }

    fn has_units_below(&self, len: usize) -> bool {
        match self {
            News::Reservation { units, .. } => units.iter().all(|&unit| (unit as usize) < len),
            _ => true,
        }
    }
}

type Plain<'a> = Reader<'a, ()>;

fn take_news<'a>(from: &mut Plain<'a>, at_ms: u64) -> Result<News<'a>, CodecError> {
    let kind = from.tag()?;
    if kind == OF_UNITS {
        return take_of_units(from, at_ms);
    }
    take_kind(kind, from, at_ms)
}

/// Reads an entry of a reservation with names.
fn take_of_units<'a>(from: &mut Plain<'a>, at_ms: u64) -> Result<News<'a>, CodecError> {
    let kind = from.tag()?;
    if !(RESERVED..=REPLACED).contains(&kind) {
        return Err(CodecError::Invalid("the kind of a record"));
    }
    let mut news = take_kind(kind, from, at_ms)?;
    if let News::Reservation { units, .. } = &mut news {
        let mut numbers = Reader::new(from.bytes(usize::MAX)?, ());
        *units = take_units(&mut numbers)?;
    }
    Ok(news)
}

fn take_kind<'a>(kind: u8, from: &mut Plain<'a>, at_ms: u64) -> Result<News<'a>, CodecError> {
    Ok(match kind {
        RESERVED => take_reservation(from, at_ms, ReservationEvent::Reserved)?,
        GRANTED => take_reservation(from, at_ms, ReservationEvent::Granted)?,
        EXTENDED => take_reservation(from, at_ms, ReservationEvent::Extended)?,
        RELEASED => take_reservation(from, at_ms, ReservationEvent::Released)?,
        EXPIRED => take_reservation(from, at_ms, ReservationEvent::Expired)?,
        REPLACED => {
            let mut news = take_reservation(from, at_ms, ReservationEvent::Released)?;
            if let News::Reservation { replaced_by, .. } = &mut news {
                *replaced_by = Some(from.spelling()?);
            }
            news
        }
        ALL_RESERVED => take_item(from, StockChange::AllReserved)?,
        SOLD_OUT => take_item(from, StockChange::SoldOut)?,
        BACK_IN_STOCK => take_item(from, StockChange::BackInStock)?,
        RESTOCKED => take_restocked(from)?,
        ALTERED => News::Altered(Alterations::take(from, false)?),
        ALTERED_PASSKEYS => News::Altered(Alterations::take(from, true)?),
        ALTERED_GROUP => News::Altered(Alterations::take_with_group(from)?),
        PAUSED => News::Paused,
        RESUMED => News::Resumed,
        CLOSED => News::Closed,
        LOST => News::Lost {
            qty: from.number()?,
        },
        0 => return Err(CodecError::Invalid("the kind of a record")),
        _ => return Err(CodecError::Newer("a kind of record")),
    })
}

fn take_reservation<'a>(
    from: &mut Plain<'a>,
    at_ms: u64,
    event: ReservationEvent,
) -> Result<News<'a>, CodecError> {
    let (id, user) = (from.spelling()?, from.spelling()?);
    let lines = take_lines(from)?;
    let expires_at_ms = from.signed()?.checked_add(at_ms.cast_signed());
    let expires_at_ms = expires_at_ms.and_then(|at_ms| u64::try_from(at_ms).ok());
    match expires_at_ms {
        Some(expires_at_ms) if expires_at_ms <= INTEGER_MAX => Ok(News::Reservation {
            units: UnitList::new(),
            event,
            id,
            user,
            lines,
            expires_at_ms,
            replaced_by: None,
        }),
        _ => Err(CodecError::Invalid("a deadline")),
    }
}

fn take_item<'a>(from: &mut Plain<'a>, event: StockChange) -> Result<News<'a>, CodecError> {
    Ok(News::Item {
        event,
        item: from.small()?,
        stock: Stock {
            available: take_integer(from)?,
            reserved: take_integer(from)?,
            sold: take_integer(from)?,
        },
    })
}

fn take_restocked<'a>(from: &mut Plain<'a>) -> Result<News<'a>, CodecError> {
    let deltas: Vec<ItemDelta> = from.list(2, |from| Ok((from.small()?, from.signed()?)))?;
    let is_too_large = |&(_, delta): &ItemDelta| delta.unsigned_abs() > INTEGER_MAX;
    if deltas.is_empty() || deltas.iter().any(is_too_large) {
        return Err(CodecError::Invalid("the deltas of a restock"));
    }
    let reference = from.option(Reader::spelling)?;
    Ok(News::Restocked { deltas, reference })
}

/// A reservation's entry, as it is queued.
pub(super) fn of_reservation<'a>(
    event: ReservationEvent,
    id: Spelling<'a>,
    user: Spelling<'a>,
    (lines, units): (&[Line], UnitList),
    expires_at_ms: u64,
) -> News<'a> {
    News::Reservation {
        units,
        event,
        id,
        user,
        lines: lines.into(),
        expires_at_ms,
        replaced_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::book::options::Events;
    use crate::sale::book::outbox::OutboxCounts;
    use crate::sale::units::one_line;

    const AT_MS: u64 = 1_765_000_000_000;
    const ULID: &[u8] = b"01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn news() -> Vec<News<'static>> {
        let reservation = |event, replaced_by| News::Reservation {
            units: UnitList::new(),
            event,
            id: Spelling::of(ULID),
            user: Spelling::of(b"user:1234567"),
            lines: one_line(0, 1),
            expires_at_ms: AT_MS + 300_000,
            replaced_by,
        };
        let of_units = |event, replaced_by| {
            let mut news = reservation(event, replaced_by);
            if let News::Reservation { units, .. } = &mut news {
                *units = UnitList::from_slice(&[70_000, 70_001, 3]);
            }
            news
        };
        let item = |event| News::Item {
            event,
            item: 3,
            stock: Stock {
                available: 0,
                reserved: 7,
                sold: INTEGER_MAX,
            },
        };
        vec![
            reservation(ReservationEvent::Reserved, None),
            reservation(ReservationEvent::Granted, None),
            reservation(ReservationEvent::Extended, None),
            reservation(ReservationEvent::Released, None),
            reservation(ReservationEvent::Expired, None),
            reservation(ReservationEvent::Released, Some(Spelling::of(b"next"))),
            item(StockChange::AllReserved),
            item(StockChange::SoldOut),
            item(StockChange::BackInStock),
            News::Restocked {
                deltas: vec![(2, -3), (0, 5)],
                reference: Some(Spelling::of(b"truck 4")),
            },
            News::Altered(Alterations {
                numbers: vec![(0, Some(2)), (8, None)],
                events: Some(Events::All),
                ..Alterations::default()
            }),
            News::Altered(Alterations {
                orders: true,
                ..Alterations::default()
            }),
            News::Paused,
            News::Resumed,
            News::Closed,
            News::Altered(Alterations {
                numbers: vec![(0, Some(2))],
                passkeys: true,
                ..Alterations::default()
            }),
            News::Altered(Alterations {
                group: Some(None),
                ..Alterations::default()
            }),
            of_units(ReservationEvent::Reserved, None),
            of_units(ReservationEvent::Released, Some(Spelling::of(b"next"))),
        ]
    }

    fn queued(news: &[News<'_>]) -> Outbox {
        let mut outbox = Outbox::new(OutboxCounts::default());
        news.iter().for_each(|news| outbox.queue(AT_MS, news));
        outbox
    }

    fn read(outbox: &Outbox) -> Vec<News<'_>> {
        outbox.read().map(|record| record.unwrap().news).collect()
    }

    #[test]
    fn every_kind_of_entry_is_read_as_it_was_queued() {
        let outbox = queued(&news());
        assert_eq!(read(&outbox), news());
        let words: Vec<&str> = news().iter().map(News::word).collect();
        assert_eq!(
            words.join(" "),
            "reserved granted extended released expired released allreserved soldout \
             backinstock restocked altered altered paused resumed closed altered altered \
             reserved released"
        );
        let qty: Vec<_> = news().iter().filter_map(News::qty).collect();
        assert_eq!(qty, [1, 1, 1, 1, 1, 1, 2, 1, 1]);
    }

    #[test]
    fn a_reservation_takes_about_fifty_bytes() {
        let outbox = queued(&news()[..1]);
        assert_eq!(outbox.records().map(<[u8]>::len).collect::<Vec<_>>(), [49]);
    }

    #[test]
    fn the_bytes_of_records_do_not_change() {
        let shown = |n: usize| {
            let outbox = queued(&news()[n..=n]);
            let bytes = outbox.records().next().unwrap().to_vec();
            bytes[10..]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let of_a_user = "ff01563e3ab5d3d6764c61efb99302bd5b0c757365723a31323334353637010001";
        for (n, bytes) in [
            (0, format!("01{of_a_user}fcc0270900")),
            (5, format!("06{of_a_user}fcc0270900046e657874")),
            (6, "07030007fdffffffffffff1f00".to_owned()),
            (9, "0a020205000a0107747275636b2034".to_owned()),
            (10, "0b020001020800010100".to_owned()),
            (11, "0b000001".to_owned()),
            (12, "0c".to_owned()),
            (15, "10010001020000".to_owned()),
            (16, "110000000000".to_owned()),
        ] {
            assert_eq!(shown(n), bytes, "{n}");
        }
    }

    #[test]
    fn names_of_one_and_of_255_bytes_and_large_carts_are_kept_whole() {
        let long = [b'u'; 255];
        let lines: Lines = (0..10_000)
            .map(|item| Line {
                item,
                qty: u64::from(item) + 1,
            })
            .collect();
        for (id, user) in [(&b"i"[..], &long[..]), (&long[..], b"u")] {
            let news = of_reservation(
                ReservationEvent::Expired,
                Spelling::of(id),
                Spelling::of(user),
                (&lines, UnitList::new()),
                AT_MS - 1,
            );
            let outbox = queued(std::slice::from_ref(&news));
            assert_eq!(read(&outbox), [news]);
            // A line takes four to six bytes.
            assert!((150..250).contains(&outbox.weight()), "{}", outbox.weight());
        }
    }

    #[test]
    fn flipped_and_cut_records_are_errors_or_other_records_but_never_a_panic() {
        let outbox = queued(&news());
        for bytes in outbox.records() {
            for len in 0..bytes.len() {
                assert!(Record::take(&bytes[..len]).is_err());
            }
            assert!(Record::take(&[bytes, &[0]].concat()).is_err());
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if let Ok(record) = Record::take(&flipped) {
                    let mut again = Vec::new();
                    record.put(&mut Writer(&mut again));
                    assert_eq!(again, flipped);
                }
            }
        }
    }

    #[test]
    fn a_lost_entry_is_read_before_all_others() {
        let mut outbox = queued(&news());
        outbox.drop_oldest(4);
        let first = outbox.read().next().unwrap().unwrap();
        assert_eq!((first.seq, first.at_ms), (AT_MS * 1_000 + 3, AT_MS));
        assert_eq!((first.news.word(), first.news.qty()), ("lost", Some(4)));
        assert_eq!(read(&outbox)[1..], news()[4..]);
    }
}
