//! A cursor over the words of a command: strict numbers, names, keywords, and errors
//! that say which argument is wrong.
//!
//! Edge: pure. Nothing is looked up, and nothing a client sends can make it panic.

use ulid::{ULID_LEN, Ulid};

use crate::error::{Error, echo};
use flashsale_engine::sale::{
    INTEGER_MAX, NAME_BYTES_MAX, ORDERS_BYTES_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_LEVELS_MAX,
    SKU_BYTES_MAX, WINDOW_MS_MAX, WINDOW_MS_MIN,
};

/// Longest PASS, in bytes: a moment of 16 digits and 22 letters take 39.
const PASS_BYTES_MAX: usize = 64;
/// A clock may be behind another one by so much, in milliseconds.
const AHEAD_MS_MAX: u64 = 60_000;

/// What is left of a line.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    rest: &'a [&'a [u8]],
}

impl<'a> Args<'a> {
    /// All words but the first, which is the command's name.
    pub fn new(words: &'a [&'a [u8]]) -> Args<'a> {
        Args {
            rest: words.get(1..).unwrap_or_default(),
        }
    }

    /// The words of a part of a line, all of them.
    pub fn of(words: &'a [&'a [u8]]) -> Args<'a> {
        Args { rest: words }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many words are left.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// The next word, whatever it is.
    ///
    /// # Errors
    ///
    /// There is none: the argument `name` is missing.
    pub fn word(&mut self, name: &str) -> Result<&'a [u8], Error> {
        let (word, rest) = self.rest.split_first().ok_or_else(|| missing(name))?;
        self.rest = rest;
        Ok(word)
    }

    /// The next `count` words, or as many as there are.
    pub fn take(&mut self, count: usize) -> &'a [&'a [u8]] {
        let (words, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        words
    }

    /// The name of a stream that the sale is going to keep.
    ///
    /// # Errors
    ///
    /// Missing, or too long for the sale's own format.
    pub fn orders(&mut self) -> Result<&'a [u8], Error> {
        let word = self.word("orders")?;
        if word.len() > ORDERS_BYTES_MAX {
            return Err(Error::new(format!(
                "orders: {} bytes, at most {ORDERS_BYTES_MAX} are allowed",
                word.len()
            )));
        }
        Ok(word)
    }

    /// A user, an id or a REF: 1 to 255 bytes.
    ///
    /// # Errors
    ///
    /// Missing, empty or longer.
    pub fn name(&mut self, name: &str) -> Result<&'a [u8], Error> {
        self.sized(name, NAME_BYTES_MAX)
    }

    #[inline]
    fn sized(&mut self, name: &str, bytes_max: usize) -> Result<&'a [u8], Error> {
        let word = self.word(name)?;
        match word.len() {
            length if (1..=bytes_max).contains(&length) => Ok(word),
            length => Err(Error::new(format!(
                "{name}: {length} bytes, not 1 to {bytes_max}"
            ))),
        }
    }

    /// Takes the value of PASS, of 1 to 64 bytes. Whether it is a pass is not looked at.
    ///
    /// # Errors
    ///
    /// Missing, empty or longer.
    pub fn pass(&mut self) -> Result<&'a [u8], Error> {
        self.sized("PASS", PASS_BYTES_MAX)
    }

    /// A ULID as the module prints one.
    ///
    /// # Errors
    ///
    /// Missing, or no ULID in its canonical spelling.
    pub fn ulid(&mut self, name: &str) -> Result<u128, Error> {
        let word = self.word(name)?;
        let text = std::str::from_utf8(word).ok();
        let ulid = text.and_then(|text| Ulid::from_string(text).ok());
        match ulid {
            Some(ulid) if ulid.array_to_str(&mut [0; ULID_LEN]).as_bytes() == word => Ok(ulid.0),
            _ => Err(Error::new(format!(
                "{name}: '{}' is not a ULID as FLASHSALE.INFO shows it",
                echo(word)
            ))),
        }
    }

    /// 1 to 128 bytes of UTF-8.
    ///
    /// # Errors
    ///
    /// Missing, empty, longer, or not UTF-8.
    pub fn sku(&mut self) -> Result<&'a [u8], Error> {
        let word = self.sized("sku", SKU_BYTES_MAX)?;
        // Most are ASCII, which takes a fraction of the time to find out.
        if word.is_ascii() || std::str::from_utf8(word).is_ok() {
            Ok(word)
        } else {
            Err(Error::new(format!("sku: '{}' is not UTF-8", echo(word))))
        }
    }

    /// Text of so many bytes of UTF-8, or none.
    ///
    /// # Errors
    ///
    /// Missing, longer, or not UTF-8.
    pub fn text(&mut self, name: &str, bytes_max: usize) -> Result<&'a str, Error> {
        let word = self.word(name)?;
        if word.len() > bytes_max {
            let bytes = word.len();
            return Err(Error::new(format!(
                "{name}: {bytes} bytes, at most {bytes_max} are allowed"
            )));
        }
        let text = std::str::from_utf8(word);
        text.map_err(|_| Error::new(format!("{name}: '{}' is not UTF-8", echo(word))))
    }

    /// A moment at which something happened, in Unix milliseconds, not more than a minute ahead
    /// of the clock.
    ///
    /// # Errors
    ///
    /// As [`Args::integer`], or the moment lies where another unit is likely, or ahead.
    pub fn past(&mut self, name: &str, now_ms: u64) -> Result<u64, Error> {
        let moment_ms = self.integer(name, 0)?;
        let likely = match moment_ms {
            WINDOW_MS_MIN..=WINDOW_MS_MAX => {
                if moment_ms > now_ms.saturating_add(AHEAD_MS_MAX) {
                    return Err(Error::new(format!(
                        "{name}: '{moment_ms}' is more than a minute ahead of this server's clock"
                    )));
                }
                return Ok(moment_ms);
            }
            0..WINDOW_MS_MIN => "in seconds, or a time of day",
            _ => "in microseconds",
        };
        Err(Error::new(format!(
            "{name}: is '{moment_ms}' {likely}? It is Unix time in milliseconds, from \
             {WINDOW_MS_MIN} to {WINDOW_MS_MAX}"
        )))
    }

    /// A number from `min` to 2^53 - 1.
    ///
    /// # Errors
    ///
    /// Missing, not a strict decimal, out of range.
    #[inline]
    pub fn integer(&mut self, name: &str, min: u64) -> Result<u64, Error> {
        let word = self.word(name)?;
        match parse_integer(word) {
            Some(value) if value >= min => Ok(value),
            _ => Err(no_integer(name, word, min)),
        }
    }

    /// A moment of a sale's window, in Unix milliseconds; 0 stands for none.
    ///
    /// A moment in another unit is refused: in seconds it would open a sale at once, in
    /// microseconds never.
    ///
    /// # Errors
    ///
    /// As [`Args::integer`], or the moment lies where another unit is likely.
    pub fn moment(&mut self, name: &str) -> Result<u64, Error> {
        let moment_ms = self.integer(name, 0)?;
        let likely = match moment_ms {
            0 | WINDOW_MS_MIN..=WINDOW_MS_MAX => return Ok(moment_ms),
            1..WINDOW_MS_MIN => "in seconds, or a time of day",
            _ => "in microseconds",
        };
        Err(Error::new(format!(
            "{name}: is '{moment_ms}' {likely}? It is Unix time in milliseconds, from \
             {WINDOW_MS_MIN} to {WINDOW_MS_MAX}, or 0 for none"
        )))
    }

    /// A number which may have a minus sign.
    ///
    /// # Errors
    ///
    /// Missing, not a strict decimal, or out of range.
    pub fn delta(&mut self) -> Result<i64, Error> {
        let word = self.word("delta")?;
        let (digits, sign) = match word.strip_prefix(b"-") {
            Some(digits) => (digits, -1),
            None => (word, 1),
        };
        parse_integer(digits)
            .filter(|value| *value != 0 || sign > 0)
            .and_then(|value| i64::try_from(value).ok())
            .map(|value| value * sign)
            .ok_or_else(|| no_delta(word))
    }

    /// JSON of at most 64 KiB and 128 levels, well-formed. O(bytes).
    ///
    /// # Errors
    ///
    /// Missing, too long, not JSON, too deep.
    pub fn payload(&mut self) -> Result<&'a [u8], Error> {
        let word = self.word("PAYLOAD")?;
        if word.len() > PAYLOAD_BYTES_MAX {
            return Err(Error::new(format!(
                "PAYLOAD: {} bytes, at most {PAYLOAD_BYTES_MAX} are allowed",
                word.len()
            )));
        }
        // With the place: "expected value at line 1 column 9".
        serde_json::from_slice::<serde::de::IgnoredAny>(word)
            .map_err(|reason| Error::new(format!("PAYLOAD: not JSON: {reason}")))?;
        // The parser skips strings it need not build, without a look at their bytes.
        if std::str::from_utf8(word).is_err() {
            return Err(Error::new("PAYLOAD: not JSON: not UTF-8"));
        }
        // Nor does it count the levels of what it skips.
        match json_levels(word) {
            0..=PAYLOAD_LEVELS_MAX => Ok(word),
            levels => Err(Error::new(format!(
                "PAYLOAD: {levels} levels deep, at most {PAYLOAD_LEVELS_MAX} are allowed"
            ))),
        }
    }

    /// Takes the next word if it is this keyword, in any case.
    pub fn keyword(&mut self, keyword: &str) -> bool {
        match self.rest.split_first() {
            Some((word, rest)) if word.eq_ignore_ascii_case(keyword.as_bytes()) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The key, and nothing after it.
    ///
    /// # Errors
    ///
    /// Missing, or something follows.
    pub fn key_alone(mut self) -> Result<(), Error> {
        self.word("key")?;
        self.end()
    }

    /// Returns the next word without taking it; an empty one if there is none.
    pub fn peek(&self) -> &'a [u8] {
        self.rest.first().copied().unwrap_or_default()
    }

    /// What to say when the next word is none of the options of a command.
    pub fn unknown_option(&self) -> Error {
        Error::new(format!(
            "syntax: unknown option '{}', see FLASHSALE.HELP",
            echo(self.peek())
        ))
    }

    /// What to say when the next word is no option and `id`, the word before the options, may be
    /// one: `CHECKOUT shoes ann-1 REF c` lacks the stream, so that REF is read as the id.
    pub fn unknown_option_after(&self, id: &[u8], keywords: &[&str]) -> Error {
        let is_option = |keyword: &&str| id.eq_ignore_ascii_case(keyword.as_bytes());
        if !keywords.iter().any(is_option) {
            return self.unknown_option();
        }
        let (id, word) = (echo(id), echo(self.peek()));
        Error::new(format!(
            "syntax: unknown option '{word}' after the id '{id}', is orders missing? See FLASHSALE.HELP"
        ))
    }

    /// Nothing may follow.
    ///
    /// # Errors
    ///
    /// Something does.
    pub fn end(&self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.unknown_option())
        }
    }
}

/// What to say of a word that is no delta.
#[cold]
pub fn no_delta(word: &[u8]) -> Error {
    let word = echo(word);
    Error::new(format!(
        "delta: '{word}' is not an integer from -{INTEGER_MAX} to {INTEGER_MAX}, or is 0"
    ))
}

/// What to say of a line that cannot be read, but could be with a stream before its second word:
/// `BUY shoes ann 1 ID x` lacks it, so that ann is read as the stream and 1 as the user.
#[cold]
pub fn or_orders_missing(error: Error, words: &[&[u8]], reads: fn(Args<'_>) -> bool) -> Error {
    let (start, rest) = words.split_at(words.len().min(2));
    let whole = [start, &[b"orders"], rest].concat();
    match rest.first() {
        Some(word) if reads(Args::new(&whole)) => Error::new(format!(
            "orders: is it missing before '{}'? See FLASHSALE.HELP",
            echo(word)
        )),
        _ => error,
    }
}

/// Counts how deep arrays and objects are nested in well-formed JSON: `1` is 0 levels
/// deep, `[{}]` is 2. O(bytes), without recursion.
fn json_levels(json: &[u8]) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    let (mut is_in_string, mut is_escaped) = (false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            _ if is_in_string => {}
            b'[' | b'{' => {
                level = level.saturating_add(1);
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Keeps the value of an option.
///
/// # Errors
///
/// The option was given before.
pub fn once<T>(slot: &mut Option<T>, keyword: &str, value: T) -> Result<(), Error> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(given_twice(keyword)),
    }
}

/// Notes an option without a value.
///
/// # Errors
///
/// The option was given before.
pub fn flag(slot: &mut bool, keyword: &str) -> Result<(), Error> {
    if std::mem::replace(slot, true) {
        Err(given_twice(keyword))
    } else {
        Ok(())
    }
}

/// An argument that is not there. Keywords are in capitals, and when a keyword was read
/// it is its value that is missing.
fn missing(name: &str) -> Error {
    let what = match name.bytes().all(|letter| letter.is_ascii_uppercase()) {
        true => "its value is missing",
        false => "missing",
    };
    Error::new(format!("{name}: {what}"))
}

#[cold]
fn no_integer(name: &str, word: &[u8], min: u64) -> Error {
    let word = echo(word);
    Error::new(format!(
        "{name}: '{word}' is not an integer from {min} to {INTEGER_MAX}"
    ))
}

fn given_twice(keyword: &str) -> Error {
    Error::new(format!("{keyword}: given twice"))
}

fn digit(letter: u8) -> Option<u64> {
    let value = letter.wrapping_sub(b'0');
    (value < 10).then_some(value.into())
}

/// Digits alone, without leading zeros, at most 2^53 - 1.
#[inline(always)]
fn parse_integer(word: &[u8]) -> Option<u64> {
    // Most quantities have one.
    match *word {
        [only] => digit(only),
        _ => parse_digits(word),
    }
}

fn parse_digits(word: &[u8]) -> Option<u64> {
    let (first, rest) = word.split_first()?;
    let mut value = digit(*first)?;
    // Beyond sixteen digits the sum could overflow.
    if !rest.is_empty() && (value == 0 || rest.len() > 15) {
        return None;
    }
    for letter in rest {
        value = value.wrapping_mul(10).wrapping_add(digit(*letter)?);
    }
    (value <= INTEGER_MAX).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T>(result: Result<T, Error>) -> String {
        result
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn numbers_are_strict_decimals() {
        for (word, value) in [
            ("0", 0),
            ("7", 7),
            ("10", 10),
            ("9007199254740991", INTEGER_MAX),
        ] {
            assert_eq!(parse_integer(word.as_bytes()), Some(value));
        }
        for word in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "9007199254740992",
            "99999999999999999999",
            "18446744073709551617",
            "\u{661}",
        ] {
            assert_eq!(parse_integer(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn says_which_argument_is_wrong() {
        let words: [&[u8]; 2] = [b"CMD", b"0"];
        let mut args = Args::new(&words);
        let text = "ERR qty: '0' is not an integer from 1 to 9007199254740991";
        assert_eq!(error(args.integer("qty", 1)), text);
        assert_eq!(
            error(args.integer("HOLD", 1)),
            "ERR HOLD: its value is missing"
        );
        let long = [b'x'; 256];
        let words: [&[u8]; 5] = [b"CMD", b"", &long, &long[..255], b"\xff"];
        let mut args = Args::new(&words);
        assert_eq!(error(args.name("ID")), "ERR ID: 0 bytes, not 1 to 255");
        assert_eq!(error(args.name("ID")), "ERR ID: 256 bytes, not 1 to 255");
        assert_eq!(args.name("ID"), Ok(&long[..255]));
        assert_eq!(error(args.sku()), "ERR sku: '\\xff' is not UTF-8");
        assert_eq!(error(args.sku()), "ERR sku: missing");
    }

    #[test]
    fn a_delta_may_be_negative_and_has_one_zero() {
        let words: [&[u8]; 6] = [b"CMD", b"-3", b"9007199254740991", b"0", b"-0", b"--1"];
        let mut args = Args::new(&words);
        assert_eq!(args.delta(), Ok(-3));
        assert_eq!(args.delta(), Ok(9_007_199_254_740_991));
        assert_eq!(args.delta(), Ok(0));
        for _ in 0..2 {
            let text = error(args.delta());
            assert!(text.starts_with("ERR delta: '") && text.contains("' is not an integer"));
        }
    }

    #[test]
    fn a_payload_is_json_of_bounded_length_and_depth() {
        let long = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 2));
        let longer = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 1));
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        let deepest = nested(PAYLOAD_LEVELS_MAX);
        // Brackets within a string, after an escaped quote too, are no levels.
        let text = format!(r#"["\\", "\"{}"]"#, "[".repeat(1_000));
        let objects = |levels| r#"{"a":"#.repeat(levels) + "1" + &"}".repeat(levels);
        let deepest_object = objects(PAYLOAD_LEVELS_MAX);
        let wide = format!("[{}1]", "[],".repeat(1_000));
        for good in [
            "{}",
            " [1, 2.5e3, null] ",
            "\"a\"",
            &long,
            &deepest,
            &deepest_object,
            &text,
            &wide,
        ] {
            let words: [&[u8]; 2] = [b"CMD", good.as_bytes()];
            assert_eq!(Args::new(&words).payload(), Ok(good.as_bytes()));
        }
        for bad in [
            &b"{"[..],
            b"",
            b"{}{}",
            b"nul",
            b"\"\xff\"",
            longer.as_bytes(),
        ] {
            let words: [&[u8]; 2] = [b"CMD", bad];
            assert!(error(Args::new(&words).payload()).starts_with("ERR PAYLOAD: "));
        }
        for (deep, levels) in [
            (nested(129), 129),
            (objects(129), 129),
            (nested(PAYLOAD_BYTES_MAX / 2), PAYLOAD_BYTES_MAX / 2),
            (nested(128).replacen("[]", r#"["[",{}]"#, 1), 129),
        ] {
            let words: [&[u8]; 2] = [b"CMD", deep.as_bytes()];
            let text = format!("ERR PAYLOAD: {levels} levels deep, at most 128 are allowed");
            assert_eq!(error(Args::new(&words).payload()), text);
        }
    }

    #[test]
    fn keywords_match_in_any_case_and_options_come_once() {
        let words: [&[u8]; 3] = [b"CMD", b"hOlD", b"FOO\n"];
        let mut args = Args::new(&words);
        assert!(!args.keyword("ID"));
        assert!(args.keyword("HOLD"));
        assert_eq!(
            error(args.end()),
            "ERR syntax: unknown option 'FOO\\n', see FLASHSALE.HELP"
        );
        let mut slot = None;
        assert_eq!(once(&mut slot, "HOLD", 1), Ok(()));
        assert_eq!(error(once(&mut slot, "HOLD", 2)), "ERR HOLD: given twice");
        let mut is_given = false;
        assert_eq!(flag(&mut is_given, "NEW"), Ok(()));
        assert_eq!(error(flag(&mut is_given, "NEW")), "ERR NEW: given twice");
    }
}
