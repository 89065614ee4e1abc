//! A filter in pieces for a client: SCANDUMP and LOADCHUNK.
//!
//! The bits of all links, laid end to end, are a run of bytes. A piece is named by where
//! it ends, plus 1; 0 names the header, and the piece with it is named 1. No piece
//! crosses the end of a link. Telling pieces keeps no state: any position may be asked
//! for. Loading them does: the header begins a filter, which takes the pieces of that
//! dump alone, in order, and answers no question before the last has come.
//!
//! A piece says what it is:
//!
//! | Bytes | |
//! |---|---|
//! | 4 | `flsp` |
//! | 1 | version 1 |
//! | 8 | the dump: a hash of the filter's settings and the shapes of its links |
//! | 8 | the seal: a hash of what follows, seeded with the name of the piece |
//! | the rest | a header (see `header.rs`), or bits |
//!
//! So bits of another filter are not taken, be they as many: a wrong bit that is set once
//! is never noticed. Neither are those of RedisBloom, whose pieces are bits and nothing
//! else. A filter that grows while it is dumped is another dump.
//!
//! Edge: bytes and positions.

use std::borrow::Cow;
use std::fmt;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::chain::Bloom;
use super::codec::{PLACES, put_settings, put_shape};
use super::event::Event;
use super::filter::Filter;
use super::header::{Header, decode_header, encode_header};
use super::import::Import;
use super::params::{Settings, Shape};
use super::words::{WORD_BYTES, bytes_from, locate, word_of};
use crate::wire::{CodecError, Reader, Writer};

/// Most bytes of one piece.
pub const DUMP_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most bytes of bits in one piece, so that the next begins with a word.
const BITS_BYTES_MAX: u64 = DUMP_BYTES_MAX - 64;
/// What a piece begins with.
const MAGIC: [u8; 4] = *b"flsp";
/// The version of pieces this server writes, and the only one it reads.
const PIECE_VERSION: u8 = 1;
/// The name of the piece with the header.
const HEADER: i64 = 1;

/// Why a piece cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillError {
    /// It is no piece, is damaged, or comes with another iterator than SCANDUMP returned
    /// with it.
    BadData,
    /// It is the header of a filter of RedisBloom.
    RedisBloom,
    /// A later version of this module wrote it.
    Newer(&'static str),
    /// It is not of the dump that was begun.
    OtherDump,
    /// Pieces before it are missing.
    NotNext,
    /// The filter is whole, and has other bits.
    Whole,
    /// There is no memory for the bits.
    NoMemory,
}

impl fmt::Display for FillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FillError::BadData => "received bad data",
            FillError::RedisBloom => {
                "received bad data: a dump of RedisBloom, whose filters have other bits; add \
                 the items anew"
            }
            FillError::Newer(what) => return CodecError::Newer(what).fmt(f),
            FillError::OtherDump => "received bad data: a piece of another dump than was begun",
            FillError::NotNext => "received bad data: pieces before this one are missing",
            FillError::Whole => "received bad data: the filter is whole, and has other bits",
            FillError::NoMemory => "Insufficient memory to create filter",
        })
    }
}

/// A piece of a dump, read.
pub enum Piece<'a> {
    Header(Header),
    Bits {
        /// The dump it is of.
        dump: u64,
        /// Bytes of bits before it.
        position: u64,
        bits: &'a [u8],
    },
}

/// What a dump is known by.
fn dump_of(settings: Settings, shapes: impl Iterator<Item = Shape>) -> u64 {
    let mut bytes = Vec::new();
    let out = &mut Writer(&mut bytes);
    put_settings(out, settings);
    shapes.for_each(|shape| put_shape(out, PLACES, shape));
    xxh3_64(&bytes)
}

impl Header {
    fn dump(&self) -> u64 {
        dump_of(self.settings, self.links.iter().map(|&(shape, _)| shape))
    }
}

impl Bloom {
    fn dump_id(&self) -> u64 {
        dump_of(self.settings, self.links.iter().map(Filter::shape))
    }

    /// The next iterator and the piece that is loaded with it; (0, nothing) at the end.
    pub fn dump(&self, iterator: i64) -> (i64, Vec<u8>) {
        if iterator == 0 {
            let header = encode_header(&self.header());
            return (HEADER, seal(self.dump_id(), HEADER, &header));
        }
        let piece = u64::try_from(iterator).ok().and_then(|iterator| {
            let links = self.links.iter().map(Filter::words);
            let (words, at) = locate(links, iterator.checked_sub(1)?)?;
            let bits = bytes_from(words, at, BITS_BYTES_MAX - at % WORD_BYTES);
            let next = i64::try_from(iterator.checked_add(bits.len() as u64)?).ok()?;
            Some((next, seal(self.dump_id(), next, &bits)))
        });
        piece.unwrap_or_default()
    }

    /// What loading a piece into a filter that is whole would do: nothing, where the
    /// piece is sent once more.
    ///
    /// # Errors
    ///
    /// The filter is another.
    pub fn check_loaded(&self, piece: &Piece<'_>) -> Result<(), FillError> {
        match *piece {
            Piece::Bits {
                dump,
                position,
                bits,
            } if dump == self.dump_id() && self.has_bits(position, bits) => Ok(()),
            _ => Err(FillError::Whole),
        }
    }

    /// Are all of these bits set?
    fn has_bits(&self, position: u64, bits: &[u8]) -> bool {
        let links = self.links.iter().map(Filter::words);
        locate(links, position).is_some_and(|(words, at)| {
            let own = bytes_from(words, at, bits.len() as u64);
            own.len() == bits.len() && own.iter().zip(bits).all(|(own, bits)| bits & !own == 0)
        })
    }

    /// Counts an item in each link that has bits and counts none: its header was dumped
    /// before the first item came. A filter that counts none is taken for empty, and
    /// CLEAR has nothing to do.
    pub fn count_late_items(&mut self) {
        let late = self.links.iter_mut().filter(|link| link.items() == 0);
        for link in late {
            if link.words().iter().any(|&word| word != 0) {
                link.set_items(1);
            }
        }
    }
}

impl Import {
    /// The event of loading a piece; `None` when it came before.
    ///
    /// # Errors
    ///
    /// It is of another dump, not the next one, or not what came in its place.
    pub fn plan_piece<'a>(&self, piece: &Piece<'a>) -> Result<Option<Event<'a>>, FillError> {
        let own = self.header();
        let (position, bits) = match piece {
            Piece::Header(header) if header.links == own.links && header.dump() == own.dump() => {
                return Ok(None);
            }
            Piece::Bits {
                dump,
                position,
                bits,
            } if *dump == own.dump() => (*position, *bits),
            _ => return Err(FillError::OtherDump),
        };
        let received = self.received();
        let is_whole_words = (bits.len() as u64).is_multiple_of(WORD_BYTES);
        if position > received {
            Err(FillError::NotNext)
        } else if position < received {
            self.has_bits(position, bits)
                .then_some(None)
                .ok_or(FillError::BadData)
        } else if bits.len() as u64 > self.lacks() || !is_whole_words {
            Err(FillError::BadData)
        } else {
            let bits = Cow::Borrowed(bits);
            Ok(Some(Event::Loaded { position, bits }))
        }
    }

    /// Have exactly these bits come at `position`?
    fn has_bits(&self, position: u64, bits: &[u8]) -> bool {
        locate(self.words(), position)
            .is_some_and(|(words, at)| bytes_from(words, at, bits.len() as u64) == bits)
    }
}

/// A piece with its name and seal.
fn seal(dump: u64, iterator: i64, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 21);
    let out = &mut Writer(&mut bytes);
    out.raw(&MAGIC);
    out.tag(PIECE_VERSION);
    out.full_u64(dump);
    out.full_u64(seal_of(iterator, data));
    out.raw(data);
    bytes
}

fn seal_of(iterator: i64, data: &[u8]) -> u64 {
    xxh3_64_with_seed(data, iterator.cast_unsigned())
}

/// Reads a piece that came with an iterator.
///
/// # Errors
///
/// It is none of this module's, of a newer version, or not as it was dumped.
pub fn open_piece(iterator: i64, bytes: &[u8]) -> Result<Piece<'_>, FillError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(if is_header_of_redisbloom(bytes) {
            FillError::RedisBloom
        } else {
            FillError::BadData
        });
    }
    let (dump, data) = unseal(iterator, bytes).map_err(fill_error)?;
    if iterator == HEADER {
        let header = decode_header(data).map_err(fill_error)?;
        let is_told = header.received.is_none() && header.dump() == dump;
        return is_told
            .then_some(Piece::Header(header))
            .ok_or(FillError::BadData);
    }
    let position = u64::try_from(iterator)
        .ok()
        .and_then(|iterator| iterator.checked_sub(1)?.checked_sub(data.len() as u64))
        .filter(|_| !data.is_empty())
        .ok_or(FillError::BadData)?;
    Ok(Piece::Bits {
        dump,
        position,
        bits: data,
    })
}

fn unseal(iterator: i64, bytes: &[u8]) -> Result<(u64, &[u8]), CodecError> {
    let mut from = Reader::new(bytes, ());
    let _: [u8; 4] = from.array()?;
    match from.tag()? {
        PIECE_VERSION => {}
        0 => return Err(CodecError::Invalid("the version of a piece")),
        _ => return Err(CodecError::Newer("a piece of a dump")),
    }
    let (dump, seal) = (from.full_u64()?, from.full_u64()?);
    let data = from.take_rest();
    if seal != seal_of(iterator, data) {
        return Err(CodecError::Invalid("the seal of a piece"));
    }
    Ok((dump, data))
}

fn fill_error(error: CodecError) -> FillError {
    match error {
        CodecError::Newer(what) => FillError::Newer(what),
        CodecError::Truncated | CodecError::Invalid(_) => FillError::BadData,
    }
}

/// Reports whether this is what RedisBloom's SCANDUMP returns first, and its rewritten AOF
/// begins a filter with: 20 bytes, the number of links at the eighth, and 53 bytes a link.
/// Its pieces of bits look like any others.
pub fn is_header_of_redisbloom(bytes: &[u8]) -> bool {
    let links = bytes.get(8..12).map(word_of).filter(|&links| links > 0);
    links.is_some_and(|links| bytes.len() as u64 == 20 + 53 * links)
}

#[cfg(test)]
mod tests {
    use super::super::hash::ItemHash;
    use super::super::params::ErrorRate;
    use super::*;

    fn empty(error_rate: f64, capacity: u64) -> Bloom {
        let settings = Settings {
            error_rate: ErrorRate::new(error_rate).expect("a rate"),
            expansion: 2,
        };
        let first = Bloom::plan_first(settings, capacity).expect("a shape");
        Bloom::new(settings, first)
    }

    fn add(bloom: &mut Bloom, items: std::ops::Range<u32>) {
        for item in items {
            if let (_, Some(added)) = bloom.plan_add(&[ItemHash::of(&item.to_le_bytes())]) {
                bloom.apply(&Event::Added(added));
            }
        }
    }

    /// A chain of four links with items in each.
    fn bloom() -> Bloom {
        let mut bloom = empty(0.01, 50);
        add(&mut bloom, 0..600);
        assert_eq!(bloom.links.len(), 4);
        bloom
    }

    /// Every piece, with its iterator.
    fn pieces(bloom: &Bloom) -> Vec<(i64, Vec<u8>)> {
        let mut pieces = vec![bloom.dump(0)];
        loop {
            let (next, piece) = bloom.dump(pieces[pieces.len() - 1].0);
            if next == 0 {
                assert!(piece.is_empty());
                return pieces;
            }
            pieces.push((next, piece));
        }
    }

    fn begin(bloom: &Bloom) -> Import {
        let (iterator, header) = bloom.dump(0);
        match open_piece(iterator, &header) {
            Ok(Piece::Header(header)) => Import::begin(&header),
            _ => panic!("no header"),
        }
    }

    /// Loads a piece; false when it came before.
    fn load(import: &mut Import, iterator: i64, piece: &[u8]) -> Result<bool, FillError> {
        match import.plan_piece(&open_piece(iterator, piece)?)? {
            Some(Event::Loaded { position, bits }) => {
                assert_eq!(position, import.received());
                import.append(&bits).expect("bits that were planned");
                Ok(true)
            }
            Some(event) => panic!("{event:?}"),
            None => Ok(false),
        }
    }

    #[test]
    fn pieces_in_order_make_the_same_filter_also_when_each_comes_twice() {
        let bloom = bloom();
        let mut import = begin(&bloom);
        // A link each: they are small.
        let pieces = pieces(&bloom);
        assert_eq!(pieces.len(), 5);
        assert_eq!(load(&mut import, pieces[0].0, &pieces[0].1), Ok(false));
        for (iterator, piece) in &pieces[1..] {
            assert!(!import.is_whole());
            assert_eq!(load(&mut import, *iterator, piece), Ok(true));
            assert_eq!(load(&mut import, *iterator, piece), Ok(false));
        }
        let copy = import.into_bloom().expect("it is whole");
        assert!(copy == bloom);
        for (iterator, piece) in &pieces[1..] {
            let piece = open_piece(*iterator, piece).expect("a piece");
            assert_eq!(copy.check_loaded(&piece), Ok(()));
        }
        let header = open_piece(1, &pieces[0].1).expect("a header");
        assert_eq!(copy.check_loaded(&header), Err(FillError::Whole));
    }

    #[test]
    fn pieces_may_be_asked_for_from_any_byte() {
        let bloom = bloom();
        let total: u64 = bloom.links.iter().map(Filter::bytes_len).sum();
        for position in 0..total as i64 {
            let (next, piece) = bloom.dump(position + 1);
            let opened = open_piece(next, &piece).expect("a piece");
            assert_eq!(bloom.check_loaded(&opened), Ok(()), "{position}");
        }
        for iterator in [total as i64 + 1, i64::MAX, -1, i64::MIN] {
            assert_eq!(bloom.dump(iterator), (0, Vec::new()), "{iterator}");
        }
    }

    #[test]
    fn a_piece_of_another_dump_or_not_the_next_one_is_refused() {
        let bloom = bloom();
        let own = pieces(&bloom);
        let mut import = begin(&bloom);
        let mut refused = |(iterator, piece): &(i64, Vec<u8>), error| {
            let before = import.received();
            assert_eq!(load(&mut import, *iterator, piece), Err(error));
            assert_eq!(import.received(), before);
        };
        refused(&own[2], FillError::NotNext);
        // As many bits, of a filter of another rate; and the same filter once it grew.
        let mut other = empty(0.011, 50);
        assert_eq!(other.links[0].bytes_len(), bloom.links[0].bytes_len());
        add(&mut other, 0..10);
        refused(&other.dump(1), FillError::OtherDump);
        refused(&other.dump(0), FillError::OtherDump);
        let mut grown = bloom.clone();
        add(&mut grown, 600..1_200);
        refused(&grown.dump(1), FillError::OtherDump);
        // Bits alone, as RedisBloom dumps them.
        let Ok(Piece::Bits { bits, .. }) = open_piece(own[1].0, &own[1].1) else {
            panic!("no bits")
        };
        refused(&(own[1].0, bits.to_vec()), FillError::BadData);
        // What came, but with other bits.
        let mut full = bloom.clone();
        full.links[0].words_mut().fill(u64::MAX);
        load(&mut import, own[1].0, &own[1].1).expect("the next one");
        let (iterator, piece) = full.dump(1);
        let loaded = load(&mut import, iterator, &piece);
        assert_eq!(loaded, Err(FillError::BadData));
        let piece = open_piece(iterator, &piece).expect("a piece");
        assert_eq!(bloom.check_loaded(&piece), Err(FillError::Whole));
    }

    #[test]
    fn a_piece_that_is_damaged_or_comes_with_another_iterator_is_bad_data() {
        let bloom = bloom();
        for (iterator, piece) in &pieces(&bloom)[..3] {
            let bad = |iterator, piece: &[u8]| match open_piece(iterator, piece) {
                // The name of the dump is not under the seal.
                Ok(Piece::Bits { dump, .. }) => assert_ne!(dump, bloom.dump_id()),
                Ok(Piece::Header(_)) => panic!("a header"),
                Err(FillError::BadData | FillError::Newer(_)) => {}
                Err(error) => panic!("{error}"),
            };
            for other in [0, 1, 2, -1, i64::MIN, i64::MAX, iterator - 8, iterator + 8] {
                if other != *iterator {
                    bad(other, piece);
                }
            }
            for bit in 0..piece.len() * 8 {
                let mut damaged = piece.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                bad(*iterator, &damaged);
            }
            for len in 0..piece.len() {
                bad(*iterator, &piece[..len]);
            }
        }
    }

    #[test]
    fn a_newer_piece_is_told_from_a_damaged_one() {
        let bloom = bloom();
        let (_, mut piece) = bloom.dump(0);
        let header = encode_header(&bloom.header());
        let newer_header = [&header[..4], &[9], &header[5..]].concat();
        piece[4] = 2;
        for (bytes, what) in [
            (piece, "a piece of a dump"),
            (seal(bloom.dump_id(), 1, &newer_header), "a filter"),
        ] {
            let error = open_piece(1, &bytes).err().expect("an error");
            assert_eq!(error, FillError::Newer(what));
            let text = format!("the data is of a newer version: {what}");
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn headers_of_redisbloom_are_known_by_their_length() {
        for links in 1..20_usize {
            let mut header = vec![0; 20 + 53 * links];
            header[8] = links as u8;
            assert!(is_header_of_redisbloom(&header));
            assert_eq!(open_piece(1, &header).err(), Some(FillError::RedisBloom));
            assert!(!is_header_of_redisbloom(&header[1..]));
            header[9] = 1;
            assert_eq!(open_piece(1, &header).err(), Some(FillError::BadData));
        }
        for bytes in [&[0; 20][..], b"", b"flsb"] {
            assert!(!is_header_of_redisbloom(bytes));
        }
    }

    #[test]
    fn what_was_added_after_the_header_was_told_makes_a_filter_that_is_not_clear() {
        let mut bloom = empty(0.01, 50);
        let mut import = begin(&bloom);
        add(&mut bloom, 7..8);
        let (next, piece) = bloom.dump(1);
        assert_eq!(load(&mut import, next, &piece), Ok(true));
        let mut copy = import.into_bloom().expect("it is whole");
        assert!(copy.is_clear());
        copy.count_late_items();
        let item = ItemHash::of(&7_u32.to_le_bytes());
        assert!(copy.contains(item) && !copy.is_clear());
        assert_eq!(copy.items(), 1);
        copy.apply(&Event::Cleared);
        assert!(!copy.contains(item));
    }
}
