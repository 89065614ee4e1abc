//! What must hold for any bytes of a rate limit, and the valid inputs that are damaged.

use super::corpus::with_length;
use super::dice::Dice;
use super::mutate::Pieces;
use super::samples::HASHER;
use flashsale_engine::rate::*;

/// When the limits here have changed last, in Unix microseconds.
pub const NOW_US: u64 = 1_765_000_000_000_000;
/// Subjects that a limit here may have.
const SUBJECTS_MAX: u64 = 12;

/// The chunks of a limit.
pub fn saved(table: &Table) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    table.save(&mut |chunk| chunks.push(chunk.to_vec()));
    chunks
}

/// The limit of these chunks.
///
/// # Errors
///
/// They are damaged.
pub fn loaded(chunks: &[Vec<u8>]) -> Result<Table, String> {
    let mut loader = Loader::new(HASHER);
    for (at, chunk) in chunks.iter().enumerate() {
        let is_last = loader.push(chunk).map_err(|error| error.to_string())?;
        if is_last != (at + 1 == chunks.len()) {
            return Err("not the last chunk".to_owned());
        }
    }
    loader.finish().map_err(|error| error.to_string())
}

/// What DEBUG DIGEST is told.
pub fn digested(table: &Table) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    table.digest(&mut |element| elements.push(element.to_vec()));
    elements
}

pub fn encoded(event: &Event<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_event(event, &mut bytes);
    bytes
}

/// A limit with subjects of every kind, some of them idle.
pub fn busy_limit() -> Table {
    let mut table = Table::new(HASHER, NOW_US - 9_000_000);
    for (at, subject) in subjects().iter().enumerate() {
        let at_us = NOW_US - 8_000_000 + at as u64 * 1_000_000;
        let reset_ns = 1 + at as u64 % 3 * 9_000_000_000;
        table.charge(HASHER.key(subject), at_us, reset_ns, false);
    }
    table
}

fn subjects() -> [Vec<u8>; 9] {
    [
        b"ann".to_vec(),
        b"203.0.113.9".to_vec(),
        b"2001:db8:85a3:8d3::/64".to_vec(),
        vec![0],
        vec![0xff; 16],
        vec![b's'; 17],
        vec![b's'; 255],
        b"01ARZ3NDEKTSV4RRFFQ69G5FAV".to_vec(),
        b"f47ac10b-58cc-4372-a567-0e02b2c3d479".to_vec(),
    ]
}

/// Every kind of event, and its name.
pub fn events() -> Vec<(&'static str, Vec<u8>)> {
    let allowed = |subject: &'static [u8], reset_ns, evicts| Allowed {
        subject: HASHER.key(subject),
        reset_ns,
        evicts,
    };
    let event = |at_us, change| encoded(&Event { at_us, change });
    let ulid = b"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let new = NOW_US + 1_000_000;
    vec![
        (
            "created",
            event(NOW_US, Change::Created(allowed(b"ann", 333_333_334, false))),
        ),
        (
            "allowed",
            event(new, Change::Allowed(allowed(b"ann", 60_000_000_000, false))),
        ),
        (
            "allowed_of_ulid",
            event(new, Change::Allowed(allowed(ulid, 1, false))),
        ),
        (
            "allowed_of_any_bytes",
            event(
                new,
                Change::Allowed(allowed(b"\x00\xff\n", CAPACITY_NS_MAX, false)),
            ),
        ),
        (
            "evicting",
            event(new, Change::Allowed(allowed(b"new", 5_000, true))),
        ),
        (
            "shifted",
            event(
                NOW_US - 3_600_000_000,
                Change::Shifted {
                    by_us: 3_600_000_000,
                },
            ),
        ),
    ]
}

pub fn corpus_of_events() -> Vec<Pieces> {
    let events = events().into_iter();
    events.map(|(_, bytes)| vec![bytes]).collect()
}

/// Snapshots in pieces: the header with its length, then the subjects one by one.
pub fn corpus_of_snapshots() -> Vec<Pieces> {
    let mut table = busy_limit();
    let mut corpus = Vec::new();
    for round in 0..4_u64 {
        table.charge(
            HASHER.key(&round.to_be_bytes()),
            NOW_US + round,
            1 << (9 * round),
            false,
        );
        corpus.push(pieces_of(&table));
    }
    corpus
}

fn pieces_of(table: &Table) -> Pieces {
    let chunks = saved(table);
    let (header, rest) = chunks.split_first().expect("a header");
    let mut pieces = vec![with_length(header)];
    let mut bytes = rest.concat();
    while !bytes.is_empty() {
        let name = match bytes[0] {
            255 => 17,
            0 => 256,
            length => 1 + usize::from(length),
        };
        let number = match bytes[name] {
            0..251 => 1,
            251 => 3,
            252 => 5,
            _ => 9,
        };
        let rest = bytes.split_off(name + number);
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    pieces
}

/// An event in any bytes is an error, or is written as it was read, and either does not fit a
/// limit or leaves it and its copy equal.
pub fn event(bytes: &[u8]) -> bool {
    let Ok(event) = decode_event(bytes, HASHER) else {
        return false;
    };
    assert!(encoded(&event) == bytes, "two spellings of {event:?}");
    if let Some(table) = Table::create(&event, HASHER) {
        let mut pair = Pair([copy(&table), table]);
        return pair.follow(bytes) && pair.live_on(&mut Dice::from_bytes(bytes));
    }
    let mut pair = Pair([busy_limit(), reloaded(&busy_limit())]);
    pair.follow(bytes) && pair.live_on(&mut Dice::from_bytes(bytes))
}

/// A snapshot in any bytes is an error, or a limit that is saved as it was loaded, and lives
/// on.
pub fn snapshot(bytes: &[u8]) -> bool {
    let Ok(table) = load(bytes) else { return false };
    let chunks = saved(&table);
    assert!(
        [&with_length(&chunks[0])[..], &chunks[1..].concat()].concat() == bytes,
        "loaded and saved, other bytes"
    );
    let twin = reloaded(&table);
    Pair([table, twin]).live_on(&mut Dice::from_bytes(bytes))
}

/// Only what decodes an event, for measuring.
pub fn decode_alone(bytes: &[u8]) {
    let _ = decode_event(bytes, HASHER);
}

/// Only what loads a snapshot, for measuring.
pub fn load_alone(bytes: &[u8]) {
    drop(load(bytes));
}

/// As many subjects as there can be in so many bytes.
pub fn dense() -> Vec<u8> {
    const MANY: u64 = 30_000;
    let mut header = vec![1];
    let spelled = super::mutate::spelled;
    for number in [NOW_US, 0, 0, MANY] {
        header.extend(spelled(number));
    }
    let subject = |number: u64| {
        let bytes = &number.to_be_bytes()[5..];
        [&[3], bytes, &[0]].concat()
    };
    let subjects = (0..MANY).flat_map(subject).collect();
    [with_length(&header), subjects].concat()
}

fn load(bytes: &[u8]) -> Result<Table, String> {
    let (&[low, high], rest) = bytes.split_first_chunk().ok_or("no header")?;
    let len = usize::from(u16::from_le_bytes([low, high]));
    let (header, rest) = rest.split_at_checked(len).ok_or("no header")?;
    let mut loader = Loader::new(HASHER);
    let words = |error: CodecError| error.to_string();
    loader.push(header).map_err(words)?;
    if !loader.push(rest).map_err(words)? {
        return Err("more to come".to_owned());
    }
    loader.finish().map_err(words)
}

fn reloaded(table: &Table) -> Table {
    loaded(&saved(table)).expect("what was saved is loaded")
}

/// A copy of a limit without subjects, which nothing saves.
fn copy(table: &Table) -> Table {
    Table::new(HASHER, table.changed_us())
}

/// A limit, and the copy of it that a replica would have.
struct Pair([Table; 2]);

impl Pair {
    /// Carries an event out in both, if it fits.
    fn follow(&mut self, bytes: &[u8]) -> bool {
        let Ok(event) = decode_event(bytes, HASHER) else {
            return false;
        };
        let Pair([table, twin]) = self;
        let fits = table.check(&event);
        assert_eq!(fits, twin.check(&event), "{event:?}");
        if fits.is_err() {
            return false;
        }
        let len = table.len();
        table.apply(&event);
        twin.apply(&event);
        assert_eq!(digested(table), digested(twin), "{event:?}");
        assert!(table.len() <= len + 1 && !table.is_empty());
        assert_eq!(table.expires_at_ms(), twin.expires_at_ms());
        true
    }

    /// Goes on with calls and steps of the clock; the copy is loaded anew in between.
    fn live_on(mut self, dice: &mut Dice) -> bool {
        let mut clock_us = self.0[0].changed_us();
        for _ in 0..12 {
            clock_us = match dice.below(6) {
                0 => clock_us.saturating_sub(dice.below(4_000_000)),
                1 => clock_us + dice.below(1 << 40),
                _ => clock_us + dice.below(2_000_000),
            };
            if let Some(event) = self.0[0].plan_shift(clock_us) {
                assert!(self.follow(&encoded(&event)), "a shift does not fit");
            }
            let subject = subjects()[dice.index(9)].clone();
            let rate = Rate::new(dice.between(1, 9), dice.between(1, 9_000), None);
            let ask = Ask {
                subject: HASHER.key(&subject),
                rate: rate.expect("a rate"),
                cost: dice.below(2),
            };
            let (_, event) = self.0[0].plan(clock_us, &ask, SUBJECTS_MAX);
            if let Some(event) = event {
                assert!(
                    self.follow(&encoded(&event)),
                    "what was planned does not fit"
                );
            }
            if dice.one_in(3) {
                self.0[1] = reloaded(&self.0[0]);
            }
        }
        true
    }
}
