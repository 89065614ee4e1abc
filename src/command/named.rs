//! `UNITS count unit [unit ...]`: units by their names.
//!
//! Edge: pure grammar, shared by the commands that name units. Which item has a unit is looked
//! up by the engine. What a command without UNITS goes through calls nothing here.

use std::collections::HashSet;

use super::args::Args;
use crate::command::NAMES_SINCE;
use crate::error::{Error, echo};
use crate::ffi::Argument;

/// Up to so many names each is compared with all others.
const FEW: usize = 8;

/// `unit [unit ...]`, for the argument tree of a command.
pub const UNIT: Argument = Argument::string("unit").multiple();

/// `UNITS count unit [unit ...]`.
pub const NAMED: Argument =
    Argument::block("named", &[Argument::integer("count").after("UNITS"), UNIT]).since(NAMES_SINCE);

/// Reads `count unit [unit ...]`, what follows the word UNITS, of at most `most` units. Each
/// name is well-formed; one may be there twice.
///
/// # Errors
///
/// The count is no number from 1 to `most`, there are fewer names, or one is no name.
#[cold]
pub fn parse_names<'a>(args: &mut Args<'a>, most: u64) -> Result<&'a [&'a [u8]], Error> {
    let word = args.peek();
    let count = args.integer("count", 1).map_err(|error| match word {
        // Most likely the names without their number.
        [first, ..] if !first.is_ascii_digit() => Error::new(format!(
            "count: '{}' is no number: say how many names follow, as in UNITS 1 A-5",
            echo(word)
        )),
        _ => error,
    })?;
    if count > most {
        return Err(Error::new(format!(
            "count: {count} units, at most {most} are allowed in one call"
        )));
    }
    let left = args.len();
    if count > left as u64 {
        return Err(Error::new(format!(
            "count: {count} units, but {left} words follow"
        )));
    }
    let names = args.take(usize::try_from(count).unwrap_or(usize::MAX));
    let mut each = Args::of(names);
    while !each.is_empty() {
        each.unit()?;
    }
    Ok(names)
}

/// As [`parse_names`], of any number, for commands that take each unit once.
///
/// # Errors
///
/// As [`parse_names`], or a name is there twice.
#[cold]
pub fn parse_names_once<'a>(args: &mut Args<'a>) -> Result<&'a [&'a [u8]], Error> {
    let names = parse_names(args, u64::MAX)?;
    let twice = match names.len() {
        0..=FEW => (1..).zip(names).find_map(|(next, name)| {
            let rest = names.get(next..)?;
            rest.contains(name).then_some(name)
        }),
        _ => {
            let mut seen = HashSet::with_capacity(names.len());
            names.iter().find(|name| !seen.insert(**name))
        }
    };
    match twice {
        None => Ok(names),
        Some(name) => {
            let name = echo(name);
            Err(Error::new(format!("unit: '{name}' is asked for twice")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<&'a [&'a [u8]], String> {
        let mut args = Args::of(words);
        let names = parse_names(&mut args, 3).map_err(|error| error.to_string())?;
        args.end().map_err(|error| error.to_string())?;
        Ok(names)
    }

    #[test]
    fn reads_as_many_names_as_were_counted() {
        let words: [&[u8]; 3] = [b"2", b"A-12", "Stuhl für zwei".as_bytes()];
        assert_eq!(parse(&words), Ok(&words[1..]));
        // A name may look like a keyword, and be there twice.
        let words: [&[u8]; 4] = [b"3", b"ID", b"1", b"ID"];
        assert_eq!(parse(&words), Ok(&words[1..]));
    }

    #[test]
    fn a_unit_is_asked_for_once() {
        let once = |words: &[&[u8]]| {
            let names = parse_names_once(&mut Args::of(words));
            names.map(<[_]>::len).map_err(|error| error.to_string())
        };
        for count in [2, 8, 9, 40] {
            let mut names: Vec<String> = (0..count).map(|n| format!("A-{n}")).collect();
            names.insert(0, count.to_string());
            let mut words: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
            assert_eq!(once(&words), Ok(count));
            words[count] = b"A-0";
            let text = "ERR unit: 'A-0' is asked for twice";
            assert_eq!(once(&words), Err(text.to_owned()));
        }
    }

    #[test]
    fn refuses_a_count_that_does_not_fit_and_what_is_no_name() {
        let long = [b'x'; 129];
        let refused: [(&[&[u8]], &str); 9] = [
            (&[], "ERR count: missing"),
            (
                &[b"A-5", b"A-6"],
                "ERR count: 'A-5' is no number: say how many names follow, as in UNITS 1 A-5",
            ),
            (
                &[b"0"],
                "ERR count: '0' is not an integer from 1 to 9007199254740991",
            ),
            (
                &[b"4", b"a", b"b", b"c", b"d"],
                "ERR count: 4 units, at most 3 are allowed in one call",
            ),
            (&[b"2", b"a"], "ERR count: 2 units, but 1 words follow"),
            (
                &[b"1", b"a", b"b"],
                "ERR syntax: unknown option 'b', see FLASHSALE.HELP",
            ),
            (&[b"1", b""], "ERR unit: 0 bytes, not 1 to 128"),
            (&[b"1", &long], "ERR unit: 129 bytes, not 1 to 128"),
            (&[b"1", b"\xff"], "ERR unit: '\\xff' is not UTF-8"),
        ];
        for (words, text) in refused {
            assert_eq!(parse(words).unwrap_err(), text);
        }
    }
}
