//! The answer of SHARES, read where it lies.
//!
//! An item whose bytes are those of the last reading is passed over: of 100 items with 15 peers
//! each, 16 parts answer 2 MB a round, nearly all of it known. Of an item's pairs only a print is
//! kept: to compare 2 MB with 2 MB that no cache has kept costs more than all else in a round.

use super::rules::place::LETTERS;
use super::rules::reading::{ShareId, Shelf};
use super::wire::{Walk, header};

/// What a part says of itself, beside its items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub sale_id: String,
    pub share_id: ShareId,
    pub group: String,
    pub state: String,
    pub refunded: u64,
}

/// Why bytes are no answer of SHARES.
#[derive(Debug, PartialEq, Eq)]
pub struct Garbled;

/// The items of one part as they were read last.
#[derive(Default)]
pub struct Known(Vec<KnownRow>);

/// One item: its name and numbers in bytes, and a print of its pairs.
#[derive(Default)]
struct KnownRow {
    /// Empty where nothing is known.
    head: Vec<u8>,
    pairs_length: usize,
    pairs_print: u64,
}

impl KnownRow {
    /// Whether bytes begin with the pairs that are known.
    fn has_pairs(&self, bytes: &[u8]) -> bool {
        let pairs = bytes.get(..self.pairs_length);
        !self.head.is_empty() && pairs.is_some_and(|pairs| print_of(pairs) == self.pairs_print)
    }

    /// Returns the length of the item if these bytes begin with it, unchanged.
    fn length_in(&self, bytes: &[u8]) -> Option<usize> {
        let pairs = bytes.strip_prefix(self.head.as_slice())?;
        self.has_pairs(pairs)
            .then(|| self.head.len() + self.pairs_length)
    }

    /// Notes an item as it is now; of its pairs, only if they have changed.
    fn note(&mut self, bytes: &[u8], pairs_at: usize, has_new_pairs: bool) {
        self.head.clear();
        self.head.extend_from_slice(&bytes[..pairs_at]);
        if has_new_pairs {
            let pairs = &bytes[pairs_at..];
            (self.pairs_length, self.pairs_print) = (pairs.len(), print_of(pairs));
        }
    }
}

/// Mixes bytes into a number, in four lanes, so that one multiplication need not wait for the one
/// before. Bytes that differ in one word of a lane never have one print; others have it once in 2^64.
fn print_of(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let mix = |lane: u64, word: u64| (lane ^ word).wrapping_mul(ODD).rotate_left(29);
    let mut lanes = [bytes.len() as u64, 1, 2, 3];
    let (wholes, rest) = bytes.as_chunks::<32>();
    for whole in wholes {
        for (lane, bytes) in lanes.iter_mut().zip(whole.as_chunks::<8>().0) {
            *lane = mix(*lane, u64::from_le_bytes(*bytes));
        }
    }
    for (lane, bytes) in lanes.iter_mut().zip(rest.chunks(8)) {
        *lane = mix(*lane, word(bytes));
    }
    lanes.into_iter().fold(0, mix)
}

/// An answer on its way in.
#[derive(Default)]
pub struct Reader {
    at: usize,
    /// Names and values that are still to come; `None` before the first line.
    fields: Option<u64>,
    /// Items that are still to come, while they come.
    items: Option<u64>,
    read: usize,
    pub about: About,
}

impl Reader {
    /// Goes on with what has arrived of the answer, and returns its length once it is whole.
    /// `ours` are the items that were asked for; `take` is called for each that has changed, or
    /// that the part does not have.
    ///
    /// # Errors
    ///
    /// These bytes are no such answer. An error of the server is not either: look at the first
    /// byte before.
    pub fn on(
        &mut self,
        bytes: &[u8],
        ours: &[usize],
        known: &mut Known,
        mut take: impl FnMut(usize, Option<Row<'_>>),
    ) -> Result<Option<usize>, Garbled> {
        if self.fields.is_none() {
            let Some((kind, number, after)) = header(bytes, self.at) else {
                return Ok(None);
            };
            if kind != b'*' || number < 0 {
                return Err(Garbled);
            }
            (self.fields, self.at) = (Some(number as u64 / 2), after);
        }
        loop {
            if self.items.is_some() {
                match self.next_items(bytes, ours, known, &mut take)? {
                    true => self.items = None,
                    false => return Ok(None),
                }
            }
            match self.fields {
                Some(0) => return Ok(Some(self.at)),
                Some(left) => match self.next_field(bytes)? {
                    true => self.fields = Some(left - 1),
                    false => return Ok(None),
                },
                None => return Err(Garbled),
            }
        }
    }

    /// Reads a name with its value; of `items` only the line that says how many there are.
    fn next_field(&mut self, bytes: &[u8]) -> Result<bool, Garbled> {
        let Some((name, after)) = word(bytes, self.at)? else {
            return Ok(false);
        };
        if name == b"items" {
            let Some((kind, number, after)) = header(bytes, after) else {
                return Ok(false);
            };
            if kind != b'*' || number < 0 {
                return Err(Garbled);
            }
            (self.items, self.read, self.at) = (Some(number as u64), 0, after);
            return Ok(true);
        }
        let Some(end) = Walk::from(after).on(bytes) else {
            return Ok(false);
        };
        let text = || match word(bytes, after) {
            Ok(Some((text, _))) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
        match name {
            b"sale_id" => self.about.sale_id = text(),
            b"share_id" => self.about.share_id = ulid(text().as_bytes()).ok_or(Garbled)?,
            b"group" => self.about.group = text(),
            b"state" => self.about.state = text(),
            b"refunded" => {
                self.about.refunded = header(bytes, after).map_or(0, |line| line.1.unsigned_abs());
            }
            _ => {}
        }
        self.at = end;
        Ok(true)
    }

    /// Reads items; `false` where more bytes are needed.
    fn next_items(
        &mut self,
        bytes: &[u8],
        ours: &[usize],
        known: &mut Known,
        take: &mut impl FnMut(usize, Option<Row<'_>>),
    ) -> Result<bool, Garbled> {
        while let Some(left) = self.items
            && left > 0
        {
            let Some(item) = ours.get(self.read) else {
                return Err(Garbled);
            };
            let rest = &bytes[self.at..];
            let before = known.of(*item);
            let length = if let Some(length) = before.length_in(rest) {
                length
            } else {
                let Some((row, length)) = Row::read(rest, before)? else {
                    return Ok(false);
                };
                let pairs = row.as_ref().map(|row| (row.pairs_at, row.has_new_pairs));
                take(*item, row);
                let (pairs_at, has_new_pairs) = pairs.unwrap_or((length, true));
                before.note(&rest[..length], pairs_at, has_new_pairs);
                length
            };
            self.at += length;
            self.read += 1;
            self.items = Some(left - 1);
        }
        Ok(true)
    }
}

impl Known {
    fn of(&mut self, item: usize) -> &mut KnownRow {
        if self.0.len() <= item {
            self.0.resize_with(item + 1, KnownRow::default);
        }
        &mut self.0[item]
    }

    /// Whatever comes next is new.
    pub fn forget(&mut self) {
        self.0.iter_mut().for_each(|row| row.head.clear());
    }
}

/// One item, in bytes.
pub struct Row<'b> {
    pub sku: &'b [u8],
    /// Available, reserved, sold, owed, base, asked, waiting.
    numbers: [i64; 7],
    bytes: &'b [u8],
    pairs_at: usize,
    /// Its pairs are not those of the last reading.
    pub has_new_pairs: bool,
}

impl<'b> Row<'b> {
    /// Reads the first item of some bytes, and its length; `None` where more bytes are needed.
    /// An item that the part does not have is `None` in its place. Pairs are looked at only if
    /// they are others than before: people who ask change numbers alone.
    #[allow(clippy::type_complexity)]
    fn read(bytes: &'b [u8], before: &KnownRow) -> Result<Option<(Option<Self>, usize)>, Garbled> {
        let Some((kind, fields, after)) = header(bytes, 0) else {
            return Ok(None);
        };
        if kind != b'*' || fields < 0 {
            return Ok(Walk::default().on(bytes).map(|length| (None, length)));
        }
        // A newer module may append to it.
        if fields < 10 {
            return Err(Garbled);
        }
        let Some((sku, mut at)) = word(bytes, after)? else {
            return Ok(None);
        };
        let mut numbers = [0; 7];
        for number in &mut numbers {
            let Some((kind, found, after)) = header(bytes, at) else {
                return Ok(None);
            };
            if kind != b':' {
                return Err(Garbled);
            }
            (*number, at) = (found, after);
        }
        let has_new_pairs = !before.has_pairs(&bytes[at..]);
        let length = if has_new_pairs {
            let Some(length) = Walk::default().on(bytes) else {
                return Ok(None);
            };
            length
        } else {
            at + before.pairs_length
        };
        let row = Self {
            sku,
            numbers,
            bytes,
            pairs_at: at,
            has_new_pairs,
        };
        Ok(Some((Some(row), length)))
    }

    /// Writes it where the last reading is.
    ///
    /// # Errors
    ///
    /// It is no such row.
    pub fn write_to(&self, shelf: &mut Shelf) -> Result<(), Garbled> {
        let units = |at: usize| self.numbers[at].unsigned_abs();
        shelf.available = units(0);
        shelf.reserved = units(1);
        shelf.sold = units(2);
        shelf.owed = units(3);
        shelf.base = self.numbers[4];
        shelf.asked = units(5);
        shelf.waiting = units(6);
        if self.has_new_pairs {
            let at = pairs(self.bytes, self.pairs_at, &mut shelf.given)?;
            pairs(self.bytes, at, &mut shelf.taken)?;
        }
        Ok(())
    }
}

fn pairs(bytes: &[u8], at: usize, list: &mut Vec<(ShareId, u64)>) -> Result<usize, Garbled> {
    list.clear();
    let Some((b'*', count, mut at)) = header(bytes, at) else {
        return Err(Garbled);
    };
    for _ in 0..count {
        let Some((b'*', 2, after)) = header(bytes, at) else {
            return Err(Garbled);
        };
        let Some((share_id, after)) = word(bytes, after)? else {
            return Err(Garbled);
        };
        let Some((b':', total, after)) = header(bytes, after) else {
            return Err(Garbled);
        };
        list.push((ulid(share_id).ok_or(Garbled)?, total.unsigned_abs()));
        at = after;
    }
    Ok(at)
}

/// Reads the answer to a GIVE: the total in force; `None` for a refusal or an error.
pub fn given(bytes: &[u8]) -> Option<u64> {
    let (b'*', 2.., after) = header(bytes, 0)? else {
        return None;
    };
    let (b"GIVEN", after) = word(bytes, after).ok()?? else {
        return None;
    };
    match header(bytes, after)? {
        (b':', total, _) => u64::try_from(total).ok(),
        _ => None,
    }
}

/// Reads a text at a place; `None` where it is not whole.
fn word(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, Garbled> {
    match header(bytes, at) {
        None => Ok(None),
        Some((b'$', length @ 0.., after)) => {
            let end = after + length as usize;
            if bytes.len() < end + 2 {
                return Ok(None);
            }
            Ok(Some((&bytes[after..end], end + 2)))
        }
        Some((b'+', _, after)) => Ok(Some((&bytes[at + 1..after - 2], after))),
        Some((b'$', ..)) => Ok(Some((&[], at + 5))),
        Some(_) => Err(Garbled),
    }
}

const NONE: u8 = 0xFF;

/// What each letter of a ULID stands for.
static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < 32 {
        values[LETTERS[at] as usize] = at as u8;
        values[LETTERS[at].to_ascii_lowercase() as usize] = at as u8;
        at += 1;
    }
    values
};

/// Reads a ULID.
pub fn ulid(text: &[u8]) -> Option<ShareId> {
    if text.len() != 26 {
        return None;
    }
    let mut id: u128 = 0;
    for letter in text {
        let value = VALUES[usize::from(*letter)];
        if value == NONE {
            return None;
        }
        id = (id << 5) | u128::from(value);
    }
    Some(id)
}

/// Writes a ULID.
pub fn ulid_text(id: ShareId) -> String {
    let letter = |at: u32| char::from(LETTERS[(id >> (5 * at)) as usize & 31]);
    (0..26).rev().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn text(word: &str) -> String {
        format!("${}\r\n{word}\r\n", word.len())
    }

    fn row(sku: &str, numbers: [i64; 7], given: &[(&str, u64)]) -> String {
        let mut row = format!("*10\r\n{}", text(sku));
        numbers
            .iter()
            .for_each(|number| row += &format!(":{number}\r\n"));
        row += &format!("*{}\r\n", given.len());
        for (share_id, total) in given {
            row += &format!("*2\r\n{}:{total}\r\n", text(share_id));
        }
        row + "*0\r\n"
    }

    fn answer(rows: &[String]) -> Vec<u8> {
        let about = [("sale_id", SHARE), ("share_id", SHARE), ("group", "shoes")];
        let mut answer = "*14\r\n".to_owned();
        for (name, value) in about {
            answer += &(text(name) + &text(value));
        }
        answer += &(text("state") + &text("open") + &text("now_ms") + ":170\r\n");
        answer += &(text("refunded") + ":4\r\n" + &text("items"));
        answer += &format!("*{}\r\n", rows.len());
        (answer + &rows.concat()).into_bytes()
    }

    /// Reads an answer that comes in pieces; returns the items that were taken.
    fn read(bytes: &[u8], known: &mut Known, shelves: &mut [Shelf], piece: usize) -> Vec<usize> {
        let (mut reader, mut taken) = (Reader::default(), Vec::new());
        for end in (0..bytes.len()).step_by(piece).chain([bytes.len()]) {
            let length = reader.on(&bytes[..end], &[0, 1], known, |item, row| {
                taken.push(item);
                let row = row.expect("an item");
                row.write_to(&mut shelves[item]).expect("a row");
            });
            match length.expect("an answer") {
                None => assert!(end < bytes.len(), "{piece}"),
                Some(length) => assert_eq!(length, bytes.len()),
            }
        }
        assert_eq!((reader.about.refunded, &*reader.about.group), (4, "shoes"));
        assert_eq!(ulid_text(reader.about.share_id), SHARE);
        taken
    }

    #[test]
    fn reads_what_has_changed_and_passes_over_the_rest() {
        let red = row("red", [5, 4, 3, 2, -1, 7, 6], &[(SHARE, 9)]);
        let blue = row("blue", [0; 7], &[]);
        for piece in [1, 7, 64, 4_096] {
            let (mut known, mut shelves) = (Known::default(), vec![Shelf::default(); 2]);
            let first = answer(&[red.clone(), blue.clone()]);
            assert_eq!(read(&first, &mut known, &mut shelves, piece), [0, 1]);
            let expected = Shelf {
                available: 5,
                reserved: 4,
                sold: 3,
                owed: 2,
                base: -1,
                asked: 7,
                waiting: 6,
                given: vec![(ulid(SHARE.as_bytes()).expect("a ULID"), 9)],
                taken: vec![],
            };
            assert_eq!(shelves[0], expected);
            assert!(read(&first, &mut known, &mut shelves, piece).is_empty());
            let second = answer(&[red.clone(), row("blue", [8; 7], &[])]);
            assert_eq!(read(&second, &mut known, &mut shelves, piece), [1]);
            assert_eq!(shelves[1].available, 8);
            // Numbers alone.
            let third = answer(&[row("red", [1; 7], &[(SHARE, 9)]), row("blue", [8; 7], &[])]);
            assert_eq!(read(&third, &mut known, &mut shelves, piece), [0]);
            assert_eq!((shelves[0].asked, shelves[0].given.len()), (1, 1));
            assert_eq!(read(&second, &mut known, &mut shelves, piece), [0]);
            known.forget();
            assert_eq!(read(&second, &mut known, &mut shelves, piece), [0, 1]);
        }
    }

    #[test]
    fn an_item_that_the_part_does_not_have_is_told() {
        let bytes = answer(&["*-1\r\n".into()]);
        let mut taken = Vec::new();
        let mut known = Known::default();
        let length = Reader::default().on(&bytes, &[3], &mut known, |item, row| {
            taken.push((item, row.is_some()));
        });
        assert_eq!(length, Ok(Some(bytes.len())));
        assert_eq!(taken, [(3, false)]);
    }

    #[test]
    fn a_refusal_gives_nothing() {
        let row = |word: &str| format!("*4\r\n{}:7\r\n:0\r\n$3\r\nred\r\n", text(word));
        assert_eq!(given(row("GIVEN").as_bytes()), Some(7));
        assert_eq!(given(row("TOOFEW").as_bytes()), None);
        assert_eq!(given(b"$-1\r\n"), None);
        assert_eq!(given(b"-NOPERM no\r\n"), None);
    }

    #[test]
    fn other_bytes_are_no_answer() {
        let mut known = Known::default();
        let short = answer(&["*2\r\n$1\r\na\r\n:1\r\n".into()]);
        for bytes in [&b":1\r\n"[..], b"-ERR no\r\n", &short] {
            let read = Reader::default().on(bytes, &[0], &mut known, |_, _| {});
            assert_eq!(read, Err(Garbled));
        }
    }
}
