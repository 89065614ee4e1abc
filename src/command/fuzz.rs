//! What must hold for the words of any command, before anything is looked up.
//!
//! **Goal**: a line in any bytes is an error that can be shown, or values within the bounds
//! of the contract, and costs no memory out of proportion.
//!
//! **Method**: as for the engine (`engine/fuzz`): valid lines, damaged from a seed;
//! `make fuzz` asks libFuzzer the same.

use flashsale_engine::sale::{INTEGER_MAX, WINDOW_MS_MAX, WINDOW_MS_MIN};

use super::args::Args;
use super::{items, options, rate};
use crate::error::Error;

/// A line of words, each with its length in two bytes, is an error that can be shown, or
/// values within the bounds of the contract.
pub fn arguments(bytes: &[u8]) -> bool {
    let words = words_of(bytes);
    for word in &words {
        word_alone(word);
    }
    parse_line(&words)
}

/// Only what parses a line, for measuring: the words are there already. Is it right in
/// any of the places a line has?
pub fn parse_line(words: &[&[u8]]) -> bool {
    let mut is_right = shown(options::parse(Args::new(words))).is_some();
    is_right |= shown(items::parse_units(&mut Args::new(words))).is_some();
    if let Some(lines) = shown(items::parse_lines(&mut Args::new(words))) {
        let sum = |sum: u64, line: &(&[u8], u64)| sum.saturating_add(line.1);
        assert!(lines.iter().fold(0, sum) <= INTEGER_MAX);
        is_right = true;
    }
    let mut deltas = Vec::new();
    let mut keep = |sku, delta| deltas.push((sku, delta));
    let pairs = items::parse_pairs(&mut Args::new(words), Args::delta, &mut keep);
    is_right |= shown(pairs).is_some();
    is_right |= shown(rate::throttle::Request::parse(Args::new(words))).is_some();
    shown(Args::new(words).end());
    shown(Args::new(words).key_alone());
    is_right
}

/// The words of a line: the first stands for the command's name.
pub fn words_of(bytes: &[u8]) -> Vec<&[u8]> {
    let mut words: Vec<&[u8]> = vec![b"COMMAND"];
    let mut rest = bytes;
    while let Some((&[low, high], tail)) = rest.split_first_chunk() {
        let len = (usize::from(low) | usize::from(high) << 8).min(tail.len());
        words.push(&tail[..len]);
        rest = &tail[len..];
    }
    words
}

/// Everything one word may be taken for.
fn word_alone(word: &[u8]) {
    let words = [&b"COMMAND"[..], word];
    let text = std::str::from_utf8(word).ok();
    let args = || Args::new(&words);
    // The one spelling of an integer is how it is printed.
    let printed = text.and_then(|text| text.parse::<u64>().ok());
    let printed = printed.filter(|number| number.to_string().as_bytes() == word);
    let wanted = printed.filter(|number| *number <= INTEGER_MAX);
    assert_eq!(shown(args().integer("n", 0)), wanted);
    let signed = text.and_then(|text| text.parse::<i64>().ok());
    let signed = signed.filter(|number| number.to_string().as_bytes() == word);
    let wanted = signed.filter(|number| number.unsigned_abs() <= INTEGER_MAX);
    assert_eq!(shown(args().delta()), wanted);
    let is_name = (1..=255).contains(&word.len());
    assert_eq!(shown(args().name("ID")).is_some(), is_name);
    let is_sku = (1..=128).contains(&word.len()) && text.is_some();
    assert_eq!(shown(args().sku()).is_some(), is_sku);
    assert_eq!(shown(args().orders()).is_some(), word.len() <= 1 << 20);
    let is_moment = wanted_moment(printed);
    assert_eq!(shown(args().past("AT", INTEGER_MAX)).is_some(), is_moment);
    let is_group = word.len() <= 128 && text.is_some();
    assert_eq!(shown(args().text("GROUP", 128)).is_some(), is_group);
    if shown(args().payload()).is_some() {
        assert!(word.len() <= 64 * 1024 && text.is_some());
        assert!(!word.iter().all(u8::is_ascii_whitespace));
    } else if word.len() <= 64 * 1024 {
        // Who builds the value refuses no less, but for what nests too deep for a builder.
        let built = serde_json::from_slice::<serde_json::Value>(word);
        assert!(built.is_err(), "refused, and yet JSON");
    }
}

/// Is a number a moment that IMPORT takes, when the clock is far ahead?
fn wanted_moment(number: Option<u64>) -> bool {
    number.is_some_and(|number| (WINDOW_MS_MIN..=WINDOW_MS_MAX).contains(&number))
}

/// The value, or `None` for an error, whose text must be fit to be read.
fn shown<T>(result: Result<T, Error>) -> Option<T> {
    if let Err(error) = &result {
        let text = error.to_string();
        let is_plain = text.is_ascii() && !text.chars().any(char::is_control);
        assert!(is_plain && text.len() <= 300, "{text:?}");
    }
    result.ok()
}

#[cfg(test)]
mod tests {
    use flashsale_fuzz::corpus::with_length;
    use flashsale_fuzz::meter::peak_of;
    use flashsale_fuzz::mutate::Pieces;
    use flashsale_fuzz::seeded::{Target, allowed};

    use super::*;

    /// How many of the small things there are in a dense line.
    const MANY: usize = 30_000;

    const ARGUMENTS: Target = Target {
        name: "arguments",
        body: arguments,
        measured: |bytes| {
            let words = words_of(bytes);
            let peak = peak_of(|| {
                parse_line(&words);
            });
            assert!(peak <= allowed(bytes.len()), "{peak} bytes");
        },
        corpus,
        inputs: 50_000,
    };

    /// Lines of commands, and words that have been trouble elsewhere.
    fn corpus() -> Vec<Pieces> {
        let lines: [&[&[u8]]; 16] = [
            &[
                b"USERLIMIT",
                b"5",
                b"hold",
                b"60000",
                b"END",
                b"9007199254740991",
            ],
            &[
                b"GRACE",
                b"0",
                b"KEEP",
                b"1",
                b"REMEMBER",
                b"2",
                b"SALELIMIT",
                b"0",
            ],
            &[b"3"],
            &[
                b"ITEMS",
                b"2",
                b"red",
                b"1",
                "größe".as_bytes(),
                b"9007199254740991",
            ],
            &[b"2", b"red", b"-3", b"blue", b"4"],
            &[b"1", b"red", b"9007199254740992"],
            &[b"18446744073709551617", b"-9223372036854775808"],
            &[b"00", b"+1", b" 1", b"1\0", b"-0", b"1e3"],
            &[b"{\"a\":[1,2.5e-3,null,true,\"\\u00e9\\ud800\"]}"],
            &[
                b"1e999999",
                b"-0.0e+1",
                b"{\"a\":1,\"a\":2}",
                b"\"\\udfff\"",
            ],
            &[b"[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]"],
            &[b"\"\xff\"", b"\"\n\"", b"\"\\x\"", b"nul", b"{}{}"],
            &[b"\r\n+OK\r\n", b"\0\0", b"\xff\xfe", b"\x1b[2J"],
            &[b"ITEMS", b"9007199254740991", b"a", b"1"],
            &[b"k", b"ann", b"3", b"1000", b"BURST", b"9007199254740991"],
            &[
                b"k",
                b"a",
                b"9007199254740991",
                b"31536000000",
                b"COST",
                b"0",
            ],
        ];
        let mut corpus: Vec<Pieces> = lines
            .iter()
            .map(|words| words.iter().map(|word| with_length(word)).collect())
            .collect();
        corpus.push(vec![with_length(&[b'['; 60_000])]);
        corpus.push(vec![with_length(&[b'n'; 129]), with_length(&[b'n'; 255])]);
        corpus
    }

    fn pairs() -> Vec<u8> {
        let pair = [with_length(b"a"), with_length(b"1")].concat();
        [with_length(MANY.to_string().as_bytes()), pair.repeat(MANY)].concat()
    }

    #[test]
    fn no_words_of_a_line_are_more_than_an_error() {
        ARGUMENTS.fuzz_with(|_, _| {});
    }

    #[test]
    fn reading_a_line_takes_memory_in_proportion_to_it() {
        ARGUMENTS.assert_proportion("pairs", &pairs());
        ARGUMENTS.assert_proportion("nested arrays", &with_length(&[b'['; 60_000]));
    }

    /// Writes valid inputs where `make fuzz` says.
    #[test]
    #[ignore = "writes files"]
    fn writes_the_corpus() {
        ARGUMENTS.write_corpus();
    }
}
