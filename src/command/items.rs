//! `ITEMS count sku n [sku n ...]`, and what may stand in its place.
//!
//! Edge: pure grammar, shared by the commands that name units of items.

use super::args::Args;
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

/// `{qty | ITEMS ...}`.
pub const UNITS: Argument = Argument::one_of("units", &[Argument::integer("qty"), ITEMS_QTY]);

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

/// Reads `{qty | ITEMS ...}`.
#[inline(always)]
pub fn parse_units<'a>(args: &mut Args<'a>) -> Result<Ask<'a>, Error> {
    if args.keyword("ITEMS") {
        parse_lines(args).map(Ask::Items)
    } else {
        parse_qty(args).map(Ask::Qty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Ask<'a>, Error> {
        let mut args = Args::new(words);
        let ask = parse_units(&mut args)?;
        args.end()?;
        Ok(ask)
    }

    #[test]
    fn reads_a_bare_quantity_or_items() {
        assert_eq!(parse(&[b"CMD", b"3"]), Ok(Ask::Qty(3)));
        let lines = AskLines::from_slice(&[(&b"a"[..], 1), (b"b", 2), (b"a", 3)]);
        let words: [&[u8]; 9] = [b"CMD", b"items", b"3", b"a", b"1", b"b", b"2", b"a", b"3"];
        assert_eq!(parse(&words), Ok(Ask::Items(lines)));
    }

    #[test]
    fn refuses_a_count_that_does_not_fit() {
        let refused: [(&[&[u8]], &str); 6] = [
            (&[b"CMD", b"ITEMS"], "ERR count: missing"),
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
