//! What the commands of filters share: their numbers, in the words of the errors that
//! clients of RedisBloom know, and adding items.
//!
//! Edge: the texts of these errors are RedisBloom's, each with a code in front.

use smallvec::SmallVec;

use crate::change;
use crate::config::{self, BF_CAPACITY_MAX};
use crate::datatype::bloom_key;
use crate::error::{Error, echo};
use crate::ffi::{Call, Ctx, Reply, Text};
use flashsale_engine::bloom::{
    Bloom, ERROR_RATE_MIN, EXPANSION_MAX, ErrorRate, Event, Filter, ItemHash, Outcome, Outcomes,
    RateError, Settings, Shape,
};

/// Hashes of the items of a request; a few are kept in place.
pub type Hashes = SmallVec<[ItemHash; 16]>;

/// What a new filter is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewFilter {
    pub error_rate: ErrorRate,
    pub capacity: u64,
    /// 0 for a filter that does not scale.
    pub expansion: u32,
}

impl NewFilter {
    /// What the configuration says.
    ///
    /// # Errors
    ///
    /// None once the module is loaded.
    pub fn configured() -> Result<NewFilter, Error> {
        Ok(NewFilter {
            error_rate: config::bf_error_rate()
                .ok_or_else(|| Error::new("could not create filter"))?,
            capacity: config::bf_initial_size(),
            expansion: config::bf_expansion(),
        })
    }

    /// Its settings and first link.
    ///
    /// # Errors
    ///
    /// There is no such filter, or no memory for it.
    pub fn plan(self) -> Result<(Settings, Shape), Error> {
        let settings = Settings {
            error_rate: self.error_rate,
            expansion: self.expansion,
        };
        let first = Bloom::plan_first(settings, self.capacity)
            .ok_or_else(|| Error::new("could not create filter"))?;
        if !Filter::fits_memory(first) {
            return Err(no_memory());
        }
        Ok((settings, first))
    }
}

/// New links of fewer bytes in all may take the server beyond `maxmemory`.
const LARGE_BYTES: usize = 16 * 1024 * 1024;

/// Is the server still below `maxmemory` with these links, which were just made? It
/// judges before a command, which is enough for values as large as their command; a
/// filter of gigabytes is asked for in a few words, and afterwards every write would be
/// refused. Where keys may be evicted it would be all of them, perhaps the filter too.
///
/// Links that are made and thrown away cost nothing: the system gives memory when it is
/// written to.
pub fn fits_maxmemory(ctx: Ctx<'_>, links: &[Filter]) -> bool {
    let bytes: usize = links.iter().map(Filter::heap_bytes).sum();
    bytes < LARGE_BYTES || !ctx.flags().is_out_of_memory()
}

/// There is no memory for a new filter.
pub fn no_memory() -> Error {
    Error::new("Insufficient memory to create filter")
}

/// Makes a filter and adds items to it.
///
/// # Errors
///
/// As [`NewFilter::plan`], or the server does not take the value.
pub fn create<'c>(
    ctx: Ctx<'c>,
    name: Text<'c>,
    new: NewFilter,
    hashes: &[ItemHash],
) -> Result<Outcomes, Error> {
    let (settings, first) = new.plan()?;
    let bloom = Bloom::new(settings, first);
    if !fits_maxmemory(ctx, bloom.links()) {
        return Err(no_memory());
    }
    let (outcomes, added) = bloom.plan_add(hashes);
    let event = Event::Created {
        settings,
        first,
        added: added.unwrap_or_default(),
    };
    change::bloom::commit_creation(ctx, name, bloom, &event)?;
    Ok(outcomes)
}

/// Adds items to the filter a command names first; makes it when there is none and
/// `new` says what to make.
///
/// # Errors
///
/// `WRONGTYPE`, `not found`, or as [`create`]; `problem inserting into filter` where new
/// links would take the server beyond `maxmemory`.
pub fn add(
    call: &Call<'_>,
    hashes: &[ItemHash],
    new: impl FnOnce() -> Result<NewFilter, Error>,
) -> Result<Outcomes, Error> {
    let (ctx, name) = (call.ctx(), crate::command::text(call, 1)?);
    let Some(mut key) = bloom_key::open_write(ctx, name)? else {
        return create(ctx, name, new()?, hashes);
    };
    let (outcomes, added) = key.bloom().plan_add(hashes);
    if let Some(added) = added {
        let links = added.then.iter().map(|growth| Filter::new(growth.shape));
        if !fits_maxmemory(ctx, &links.collect::<Vec<_>>()) {
            return Err(cannot_grow());
        }
        change::bloom::commit(ctx, &mut key, &Event::Added(added));
    }
    Ok(outcomes)
}

/// The hash of each item.
pub fn hashes_of(items: &[&[u8]]) -> Hashes {
    items.iter().map(|item| ItemHash::of(item)).collect()
}

/// Why an item was not added, if it is an error.
pub fn error_of(outcome: Outcome) -> Option<Error> {
    match outcome {
        Outcome::Added | Outcome::Present => None,
        Outcome::Full => Some(Error::new("non scaling filter is full")),
        Outcome::CannotGrow => Some(cannot_grow()),
    }
}

fn cannot_grow() -> Error {
    Error::new("problem inserting into filter")
}

/// One element for each item that was tried.
pub fn reply_each(reply: Reply<'_>, outcomes: &[Outcome]) {
    reply.array(outcomes.len());
    for &outcome in outcomes {
        match error_of(outcome) {
            None => reply.boolean(outcome == Outcome::Added),
            Some(error) => reply.error(&error.to_string()),
        }
    }
}

/// What the server says of too few words, for too many.
pub fn wrong_arity(words: &[&[u8]]) -> Error {
    let name = echo(words.first().copied().unwrap_or_default()).to_lowercase();
    Error::new(format!("wrong number of arguments for '{name}' command"))
}

/// A word that is no option.
pub fn unknown_argument(word: &[u8]) -> Error {
    Error::new(format!("Unknown argument received: '{}'", echo(word)))
}

/// Why a number is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNumber {
    /// It is none.
    Bad,
    OutOfRange,
    /// An error rate smaller than any filter's.
    TooSmall,
}

/// An error rate.
///
/// # Errors
///
/// Not a number, not between 0 and 1, or too small.
pub fn error_rate(word: &[u8]) -> Result<ErrorRate, BadNumber> {
    ErrorRate::parse(word).map_err(|error| match error {
        RateError::NotANumber => BadNumber::Bad,
        RateError::OutOfRange => BadNumber::OutOfRange,
        RateError::TooSmall => BadNumber::TooSmall,
    })
}

/// A number of items.
///
/// # Errors
///
/// Not an integer, or out of range.
pub fn capacity(word: &[u8]) -> Result<u64, BadNumber> {
    in_range(word, 1, BF_CAPACITY_MAX)
}

/// How much larger the next link is.
///
/// # Errors
///
/// Not an integer, or out of range.
pub fn expansion(word: &[u8]) -> Result<u32, BadNumber> {
    let expansion = in_range(word, 0, u64::from(EXPANSION_MAX))?;
    u32::try_from(expansion).map_err(|_| BadNumber::OutOfRange)
}

fn in_range(word: &[u8], min: u64, max: u64) -> Result<u64, BadNumber> {
    let number = integer(word).ok_or(BadNumber::Bad)?;
    let number = u64::try_from(number).map_err(|_| BadNumber::OutOfRange)?;
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(BadNumber::OutOfRange)
    }
}

/// A number as the server reads one: digits without leading zeros, perhaps a minus sign.
pub fn integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let is_strict = match digits {
        [b'0'] => digits.len() == word.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let text = std::str::from_utf8(word).ok().filter(|_| is_strict)?;
    text.parse().ok()
}

/// The text of an error rate out of its range.
pub fn error_rate_range(error: BadNumber) -> Error {
    match error {
        BadNumber::Bad => Error::new("bad error rate"),
        BadNumber::OutOfRange => Error::new("error rate must be in the range (0.000000, 1.000000)"),
        BadNumber::TooSmall => Error::new(format!("error rate must be at least {ERROR_RATE_MIN}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_strict_decimals() {
        for (word, number) in [
            ("0", 0),
            ("-5", -5),
            ("100", 100),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(word.as_bytes()), Some(number));
        }
        for word in [
            "",
            "-",
            "-0",
            "007",
            "+5",
            " 5",
            "5 ",
            "1e3",
            "0x1",
            "9223372036854775808",
            "\u{661}",
        ] {
            assert_eq!(integer(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn numbers_have_their_ranges() {
        assert_eq!(capacity(b"0"), Err(BadNumber::OutOfRange));
        assert_eq!(capacity(b"-1"), Err(BadNumber::OutOfRange));
        assert_eq!(capacity(b"1073741824"), Ok(1 << 30));
        assert_eq!(capacity(b"1073741825"), Err(BadNumber::OutOfRange));
        assert_eq!(capacity(b"ten"), Err(BadNumber::Bad));
        assert_eq!(expansion(b"0"), Ok(0));
        assert_eq!(expansion(b"32768"), Ok(32768));
        assert_eq!(expansion(b"32769"), Err(BadNumber::OutOfRange));
        assert_eq!(error_rate(b"1"), Err(BadNumber::OutOfRange));
        assert_eq!(error_rate(b"1e-12"), Err(BadNumber::TooSmall));
    }

    #[test]
    fn too_many_words_are_told_in_the_words_of_the_server() {
        let error = wrong_arity(&[b"BF.Reserve"]);
        let text = "ERR wrong number of arguments for 'bf.reserve' command";
        assert_eq!(error.to_string(), text);
    }
}
