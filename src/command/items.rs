//! `ITEMS count sku n [sku n ...]`, and what may stand in its place.
//!
//! Edge: pure grammar, shared by the commands that name units of items. Units by their own
//! names are in `named.rs`.

use super::args::Args;
use super::named::{NAMED, parse_names_once};
use crate::error::Error;
use crate::ffi::Argument;
use flashsale_engine::sale::{Ask, AskLines, INTEGER_MAX};

const COUNT: Argument = Argument::integer("count");

/// `ITEMS count sku qty [sku qty ...]`, for the argument tree of a command.
pub const ITEMS_QTY: Argument = Argument::block(
    "items",
    &[
        COUNT.after("ITEMS"),
        Argument::block("item", &[Argument::string("sku"), Argument::integer("qty")]).multiple(),
    ],
);

/// `ITEMS count sku delta [sku delta ...]`.
pub const ITEMS_DELTA: Argument = Argument::block(
    "items",
    &[
        COUNT.after("ITEMS"),
        Argument::block(
            "item",
            &[Argument::string("sku"), Argument::integer("delta")],
        )
        .multiple(),
    ],
);

/// `ITEMS count sku n [sku n ...]`.
pub const ITEMS_STOCK: Argument = Argument::block(
    "items",
    &[
        COUNT.after("ITEMS"),
        Argument::block("item", &[Argument::string("sku"), Argument::integer("n")]).multiple(),
    ],
);

/// `ITEMS count sku qty [sku qty ...] [UNITS count unit [unit ...]]`.
const ITEMS_AND_NAMED: Argument = Argument::block(
    "items",
    &[
        COUNT.after("ITEMS"),
        Argument::block("item", &[Argument::string("sku"), Argument::integer("qty")]).multiple(),
        NAMED.optional(),
    ],
);

/// `{qty | ITEMS ... [UNITS ...] | UNITS ...}`.
pub const UNITS: Argument =
    Argument::one_of("units", &[Argument::integer("qty"), ITEMS_AND_NAMED, NAMED]);

/// What a cart is asked to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart<'a> {
    pub ask: Ask<'a>,
    /// Units by their names; `ask` is without items where nothing else is wanted.
    pub names: &'a [&'a [u8]],
}

/// Reads `count sku n [sku n ...]`, what follows the word ITEMS, and gives each pair
/// to `take`; `number` reads an n.
///
/// # Errors
///
/// The count is no number, or there are fewer pairs; then as `number`.
pub fn parse_pairs<'a, N>(
    args: &mut Args<'a>,
    number: impl Fn(&mut Args<'a>) -> Result<N, Error>,
    mut take: impl FnMut(&'a [u8], N),
) -> Result<(), Error> {
    let count = args.integer("count", 1)?;
    let words = args.len();
    if count > (words / 2) as u64 {
        let text = format!("count: {count} pairs of two words, but {words} words follow");
        return Err(Error::new(text));
    }
    for _ in 0..count {
        let sku = args.sku()?;
        take(sku, number(args)?);
    }
    Ok(())
}

/// Reads a quantity.
#[inline]
pub fn parse_qty(args: &mut Args<'_>) -> Result<u64, Error> {
    args.integer("qty", 1)
}

/// Reads what follows the word ITEMS.
pub fn parse_lines<'a>(args: &mut Args<'a>) -> Result<AskLines<'a>, Error> {
    let mut lines = AskLines::new();
    let mut units = 0_u64;
    parse_pairs(args, parse_qty, |sku, qty| {
        units = units.saturating_add(qty);
        lines.push((sku, qty));
    })?;
    if units > INTEGER_MAX {
        return Err(Error::new(format!("qty: the sum exceeds {INTEGER_MAX}")));
    }
    Ok(lines)
}

/// Reads `{qty | ITEMS ... [UNITS ...] | UNITS ...}`.
#[inline(always)]
pub fn parse_units<'a>(args: &mut Args<'a>) -> Result<Cart<'a>, Error> {
    if args.keyword("ITEMS") {
        let ask = Ask::Items(parse_lines(args)?);
        let names = match args.keyword("UNITS") {
            true => parse_names_once(args)?,
            false => &[],
        };
        return Ok(Cart { ask, names });
    }
    // A number, most likely.
    if args.peek().first().is_some_and(u8::is_ascii_digit) {
        let ask = Ask::Qty(parse_qty(args)?);
        return Ok(Cart { ask, names: &[] });
    }
    parse_named_cart(args)
}

#[cold]
fn parse_named_cart<'a>(args: &mut Args<'a>) -> Result<Cart<'a>, Error> {
    let (ask, names): (_, &[_]) = match args.keyword("UNITS") {
        true => (Ask::Items(AskLines::new()), parse_names_once(args)?),
        // Which is an error that says so.
        false => (Ask::Qty(parse_qty(args)?), &[]),
    };
    Ok(Cart { ask, names })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Cart<'a>, Error> {
        let mut args = Args::new(words);
        let cart = parse_units(&mut args)?;
        args.end()?;
        Ok(cart)
    }

    #[test]
    fn reads_a_bare_quantity_or_items() {
        let unnamed = |ask| Ok(Cart { ask, names: &[] });
        assert_eq!(parse(&[b"CMD", b"3"]), unnamed(Ask::Qty(3)));
        let lines = AskLines::from_slice(&[(&b"a"[..], 1), (b"b", 2), (b"a", 3)]);
        let words: [&[u8]; 9] = [b"CMD", b"items", b"3", b"a", b"1", b"b", b"2", b"a", b"3"];
        assert_eq!(parse(&words), unnamed(Ask::Items(lines)));
    }

    #[test]
    fn reads_units_by_name_alone_or_behind_items() {
        let words: [&[u8]; 5] = [b"CMD", b"units", b"2", b"A-1", b"A-2"];
        let cart = parse(&words).unwrap();
        assert_eq!(cart.ask, Ask::Items(AskLines::new()));
        assert_eq!(cart.names, &words[3..]);
        let words: [&[u8]; 8] = [b"CMD", b"ITEMS", b"1", b"ga", b"2", b"UNITS", b"1", b"A-1"];
        let cart = parse(&words).unwrap();
        let lines = AskLines::from_slice(&[(&b"ga"[..], 2)]);
        assert_eq!((cart.ask, cart.names), (Ask::Items(lines), &words[7..]));
    }

    #[test]
    fn refuses_a_count_that_does_not_fit() {
        let refused: [(&[&[u8]], &str); 10] = [
            (&[b"CMD", b"ITEMS"], "ERR count: missing"),
            (&[b"CMD", b"UNITS"], "ERR count: missing"),
            (&[b"CMD"], "ERR qty: missing"),
            (
                &[b"CMD", b"UNIT", b"1", b"A-1"],
                "ERR qty: 'UNIT' is not an integer from 1 to 9007199254740991",
            ),
            (
                &[b"CMD", b"2", b"UNITS", b"1", b"A-1"],
                "ERR syntax: unknown option 'UNITS', see FLASHSALE.HELP",
            ),
            (
                &[b"CMD", b"ITEMS", b"0"],
                "ERR count: '0' is not an integer from 1 to 9007199254740991",
            ),
            (
                &[b"CMD", b"ITEMS", b"2", b"a", b"1", b"b"],
                "ERR count: 2 pairs of two words, but 3 words follow",
            ),
            (
                &[b"CMD", b"ITEMS", b"9007199254740991", b"a", b"1"],
                "ERR count: 9007199254740991 pairs of two words, but 2 words follow",
            ),
            (
                &[b"CMD", b"ITEMS", b"1", b"a", b"1", b"b"],
                "ERR syntax: unknown option 'b', see FLASHSALE.HELP",
            ),
            (
                &[b"CMD", b"ITEMS", b"1", b"", b"1"],
                "ERR sku: 0 bytes, not 1 to 128",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(words).unwrap_err().to_string(), text);
        }
    }
}
