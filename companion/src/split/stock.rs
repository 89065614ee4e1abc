//! Stock in words, and `flashsale split restock`: dealt by a rule, so that the same call deals
//! the same.

use super::manage::refuse_salelimit;
use super::names::{self, PartLinks};
use super::options::RestockOptions;
use super::rules::place::dealt;
use crate::failure::Failure;
use crate::link::{explain, string};
use redis::{Cmd, Value};

/// The SKU of a sale of one item.
pub const DEFAULT: &str = "default";

/// `ITEMS count sku n ...` or `STOCK n`, and what stands behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct Stock<'w> {
    pub items: Vec<(&'w str, u64)>,
    pub rest: &'w [String],
}

/// Reads stock in words.
///
/// # Errors
///
/// Wrong usage.
pub fn read(words: &[String]) -> Result<Stock<'_>, Failure> {
    let wrong = |text: &str| Failure::Usage(text.to_owned());
    let usage = || wrong("ITEMS count sku units [sku units ...], or STOCK units");
    let units = |word: &String| match word.parse::<u64>() {
        Ok(units) => Ok(units),
        Err(_) if word.starts_with('-') => Err(wrong(
            "units: not below 0; to take stock out of a split sale, pause it, and RESTOCK its \
             parts one by one",
        )),
        Err(_) => Err(usage()),
    };
    let kind = words.first().ok_or_else(usage)?;
    if kind.eq_ignore_ascii_case("STOCK") {
        let word = words.get(1).ok_or_else(usage)?;
        return Ok(Stock {
            items: vec![(DEFAULT, units(word)?)],
            rest: &words[2..],
        });
    }
    let count = words.get(1).and_then(|count| count.parse::<usize>().ok());
    let count = count
        .filter(|count| (1..=1_000_000).contains(count))
        .ok_or_else(usage)?;
    let pairs = words.get(2..2 + 2 * count).ok_or_else(usage)?;
    if !kind.eq_ignore_ascii_case("ITEMS") {
        return Err(usage());
    }
    let pairs = pairs.chunks_exact(2);
    let items: Result<Vec<_>, Failure> = pairs
        .map(|pair| Ok((pair[0].as_str(), units(&pair[1])?)))
        .collect();
    let items = items?;
    let mut skus: Vec<&str> = items.iter().map(|(sku, _)| *sku).collect();
    skus.sort_unstable();
    if let Some(twice) = skus.windows(2).find(|two| two[0] == two[1]) {
        return Err(Failure::Usage(format!("{} is there twice", twice[0])));
    }
    Ok(Stock {
        items,
        rest: &words[2 + 2 * count..],
    })
}

/// Runs `restock`, and returns the exit code: 1 if a part refuses.
///
/// # Errors
///
/// Wrong usage; a part cannot be reached, or answers an error.
pub async fn restock(options: RestockOptions) -> Result<u8, Failure> {
    let [word, reference, words @ ..] = options.words.as_slice() else {
        return Err(Failure::Usage("REF ref ITEMS count sku units ...".into()));
    };
    if !word.eq_ignore_ascii_case("REF") {
        let text = "REF ref comes first: with it, a repetition is harmless";
        return Err(Failure::Usage(text.into()));
    }
    let stock = read(words)?;
    refuse_salelimit(stock.rest)?;
    let is_new = match stock.rest {
        [] => false,
        [word] if word.eq_ignore_ascii_case("NEW") => true,
        _ => {
            return Err(Failure::Usage(
                "behind the items there is NEW, or nothing".into(),
            ));
        }
    };
    let address = options.common.redis.address()?;
    let cannot = Failure::CannotGoOn;
    let names = names::find(&address, &options.common.sale, &options.common.place).await;
    let names = names.map_err(cannot)?;
    let links = PartLinks::connect(&address, &names).await.map_err(cannot)?;
    let shares: Vec<(&str, Vec<u64>)> = stock
        .items
        .iter()
        .map(|(sku, units)| (*sku, dealt(sku.as_bytes(), *units, names.parts.len())))
        .collect();
    let gets = |part: &usize| shares.iter().any(|(_, shares)| shares[*part] > 0);
    let (some, none): (Vec<usize>, Vec<usize>) = (0..names.parts.len()).partition(gets);
    for part in some.into_iter().chain(none) {
        // With NEW each part learns the SKU. A part that gets nothing learns the REF by it, or
        // the same REF with more units would bring it some; the SKU is known by then.
        let learns = is_new || !gets(&part);
        let rows = shares.iter().map(|(sku, shares)| (*sku, shares[part]));
        let rows: Vec<_> = rows.filter(|(_, units)| learns || *units > 0).collect();
        let mut command = redis::cmd("FLASHSALE.RESTOCK");
        command.arg(&names.parts[part].key);
        command.arg("ITEMS").arg(rows.len());
        for (sku, units) in rows {
            command.arg(sku).arg(units);
        }
        if learns {
            command.arg("NEW");
        }
        command.arg("REF").arg(reference);
        if let Some(refusal) = refusal(&links, part, &command).await? {
            let key = &names.parts[part].key;
            println!("{key}: {refusal}. The parts behind it were not asked");
            return Ok(1);
        }
    }
    for (sku, units) in &stock.items {
        println!("{sku}: {units} units over {} parts", names.parts.len());
    }
    Ok(0)
}

/// Sends a RESTOCK to a part, and says in words why it is refused.
async fn refusal(links: &PartLinks, part: usize, command: &Cmd) -> Result<Option<String>, Failure> {
    let link = links.of(part);
    let answer = link.ask(command).await.map_err(|error| {
        let (server, text) = (&link.server, explain(&error));
        Failure::CannotGoOn(format!("{server}: {text}. Run it again, with the same REF"))
    })?;
    let word = match &answer {
        Value::Array(row) => row.first().map(string).unwrap_or_default(),
        _ => String::new(),
    };
    Ok(match &*word {
        "RESTOCKED" => None,
        "MISMATCH" => Some("MISMATCH: the REF is known with other units".into()),
        _ => Some(word),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn reads_items_and_what_stands_behind_them() {
        let line = words("items 2 red 5 blue 0 USERLIMIT 2");
        let stock = read(&line).expect("stock");
        assert_eq!(stock.items, [("red", 5), ("blue", 0)]);
        assert_eq!(stock.rest, ["USERLIMIT", "2"]);
        let line = words("STOCK 7");
        assert_eq!(read(&line).expect("stock").items, [(DEFAULT, 7)]);
    }

    #[test]
    fn refuses_what_is_no_stock() {
        let wrong = [
            "STOCK",
            "STOCK x",
            "ITEMS 2 red 1",
            "ITEMS 0",
            "ITEMS 1 red -3",
            "red 1 2 3",
            "ITEMS 2 red 1 red 2",
            "ITEMS 99999999999999999999 a 1",
        ];
        for line in wrong {
            assert!(read(&words(line)).is_err(), "{line}");
        }
    }
}
