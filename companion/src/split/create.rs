//! `flashsale split create`: makes the parts that are not there, and touches none that is.
//!
//! Safe to repeat. The names and one SALEID a part are written first, so that whoever repeats
//! it makes the same sales. A part that was lost for good is made anew with what is left of all
//! stock: never more, whatever of the others' gifts was lost with it.

use redis::Value;

use super::balance::Mover;
use super::books::Books;
use super::manage::refuse_salelimit;
use super::names::{Book, Names, PartLinks, PartNames, book_link};
use super::options::CreateOptions;
use super::random_ulid;
use super::rules::lost::left;
use super::rules::place::{PARTS_DEFAULT, dealt, dealt_among};
use super::rules::transfer::Give;
use super::stock::{self, DEFAULT, Stock};
use crate::failure::Failure;
use crate::link::{Link, explain, field, pairs, string};

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; a part that is there is another sale, or cannot be reached.
pub async fn run(options: CreateOptions) -> Result<u8, Failure> {
    let stock = stock::read(&options.words)?;
    refuse_salelimit(stock.rest)?;
    if let Some(option) = stock.rest.iter().find(|word| word.starts_with("--")) {
        return Err(Failure::Usage(format!(
            "{option}: stands before the stock; what follows it is CREATE's"
        )));
    }
    for own in ["GROUP", "SALEID"] {
        if stock.rest.iter().any(|word| word.eq_ignore_ascii_case(own)) {
            return Err(Failure::Usage(format!(
                "{own}: this program says that itself"
            )));
        }
    }
    let cannot = Failure::CannotGoOn;
    let sale = &options.common.sale;
    let address = options.common.redis.address()?;
    let link = book_link(&address, sale).await;
    let link = link.map_err(|error| Failure::cannot("Redis", error))?;
    let book = Book::read(&link, sale).await.map_err(cannot)?;
    let place = &options.common.place;
    let said = place.parts.map(usize::from);
    let parts = book.parts().or(said).unwrap_or(PARTS_DEFAULT);
    if said.is_some_and(|said| said != parts) {
        return Err(cannot(format!("{sale} has {parts} parts, for ever")));
    }
    let names = place.names_of(sale, &book, parts);
    let links = PartLinks::connect(&address, &names).await.map_err(cannot)?;
    let books = Books::read(&names, &links).await.map_err(cannot)?;
    let missing: Vec<usize> = (0..parts)
        .filter(|part| books.parts[*part].is_none())
        .collect();
    let is_new = missing.len() == parts;
    check_lease(&link, &names, &missing, is_new).await?;
    let ids = write_book(&link, &names, &book, &books).await?;
    check_living(&names, &books, &ids, &stock, &links).await?;
    if !missing.is_empty() && !is_new {
        confirm_gifts(&options, &names, &links, &books).await?;
    }
    let shares = shares(&stock, &books, &missing, parts)?;
    for (at, part) in missing.iter().enumerate() {
        let units: Vec<(&str, u64)> = shares.iter().map(|(sku, all)| (*sku, all[at])).collect();
        let make = Make {
            name: &names.parts[*part],
            sale,
            id: &ids[*part],
            units: &units,
            stock: &stock,
            is_paused: options.paused,
        };
        let made = make.send(links.of(*part)).await;
        if made.is_err() && at == 0 && is_new && book.parts().is_none() {
            forget_book(&link, &names, links.of(*part), make.name).await;
        }
        made?;
    }
    let there = parts - missing.len();
    println!("{sale}: {} parts made, {there} were there", missing.len());
    Ok(0)
}

/// A driver at work could give units to a part that is about to be made, or was.
async fn check_lease(
    link: &Link,
    names: &Names,
    missing: &[usize],
    is_new: bool,
) -> Result<(), Failure> {
    if missing.is_empty() || is_new {
        return Ok(());
    }
    let held = link.ask(redis::cmd("EXISTS").arg(names.lease_key())).await;
    match held {
        Ok(Value::Int(0)) => Ok(()),
        Ok(_) => Err(Failure::CannotGoOn(format!(
            "{}: a driver is at work: stop flashsale split balance first",
            names.lease_key()
        ))),
        Err(error) => Err(Failure::CannotGoOn(explain(&error))),
    }
}

/// Writes names and SALEIDs, and returns the ids in force. Those of parts that are there count,
/// if the hash was lost.
async fn write_book(
    link: &Link,
    names: &Names,
    book: &Book,
    books: &Books,
) -> Result<Vec<String>, Failure> {
    let cannot = Failure::CannotGoOn;
    let mut ids = Vec::with_capacity(names.parts.len());
    for (part, living) in books.parts.iter().enumerate() {
        ids.push(match (book.sale_id(part), living) {
            (Some(known), _) => known.to_owned(),
            (None, Some(living)) => living.about.sale_id.clone(),
            (None, None) => random_ulid().map_err(cannot)?,
        });
    }
    let answers = link.ask_all(Book::writes(names, &ids)).await;
    let answers = answers.map_err(|error| cannot(explain(&error)))?;
    for answer in answers {
        if let Value::ServerError(error) = answer {
            return Err(cannot(format!("{}: {error}", names.book_key())));
        }
    }
    let book = Book::read(link, &names.sale).await.map_err(cannot)?;
    let id = |part| book.sale_id(part).map(str::to_owned);
    let ids: Option<Vec<String>> = (0..names.parts.len()).map(id).collect();
    ids.ok_or_else(|| cannot(format!("{} cannot be written", names.book_key())))
}

/// Takes the names back if the first part was refused: the number of parts is for ever, and was
/// perhaps what was wrong.
async fn forget_book(link: &Link, names: &Names, of_part: &Link, name: &PartNames) {
    let there = of_part.ask(redis::cmd("EXISTS").arg(&name.key)).await;
    if matches!(there, Ok(Value::Int(0))) {
        // Names that stay are no harm but that.
        let _ = link.ask(redis::cmd("DEL").arg(names.book_key())).await;
    }
}

/// Stops at a part that is another sale than the one that would be made.
async fn check_living(
    names: &Names,
    books: &Books,
    ids: &[String],
    stock: &Stock<'_>,
    links: &PartLinks,
) -> Result<(), Failure> {
    for (part, living) in books.living() {
        let (name, about) = (&names.parts[part], &living.about);
        let stops = |text: String| Err(Failure::CannotGoOn(format!("{}: {text}", name.key)));
        if about.sale_id != ids[part] {
            return stops(format!(
                "its sale_id is {}, and not {}",
                about.sale_id, ids[part]
            ));
        }
        if about.group != names.sale {
            return stops(format!("it is in the group {:?}", about.group));
        }
        let info = links.of(part).ask(&super::names::probe(&name.key)).await;
        let info = info.map_err(|error| Failure::CannotGoOn(explain(&error)))?;
        let info = pairs(&info);
        if field(&info, "orders").map(string).as_deref() != Some(&*name.orders) {
            return stops("its orders go to another stream".into());
        }
        for (option, value) in options_of(stock.rest) {
            let lower = option.to_lowercase();
            // USERRATE, FROMRATE and PACE have two numbers, of which this is the first: `_n`.
            let named = ["", "_n", "_ms", "_at_ms"].map(|unit| format!("{lower}{unit}"));
            let there = named.iter().find_map(|name| field(&info, name));
            let there = there.map(string);
            if there.as_ref().is_some_and(|there| there != value) {
                let there = there.unwrap_or_default();
                return stops(format!("its {option} is {there}, and not {value}"));
            }
        }
    }
    Ok(())
}

/// The options whose values are numbers.
fn options_of(words: &[String]) -> Vec<(&str, &str)> {
    let pairs = words.windows(2);
    let is_number =
        |word: &String| !word.is_empty() && word.bytes().all(|one| one.is_ascii_digit());
    let numbers = pairs.filter(|pair| is_number(&pair[1]) && !is_number(&pair[0]));
    numbers
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect()
}

/// What the living have given must survive them before it is counted: what goes back to a giver
/// that loses its tail would be there twice.
async fn confirm_gifts(
    options: &CreateOptions,
    names: &Names,
    links: &PartLinks,
    books: &Books,
) -> Result<(), Failure> {
    let address = options.common.redis.address()?;
    let skus: Vec<&str> = books.skus().into_iter().collect();
    for (part, living) in books.living() {
        let mut gives = Vec::new();
        for (item, sku) in skus.iter().enumerate() {
            let given = living.shelves.get(*sku).map(|shelf| shelf.given.as_slice());
            gives.extend(
                given
                    .unwrap_or_default()
                    .iter()
                    .map(|(to_share, total)| Give {
                        from: part,
                        to: part,
                        item,
                        from_share: living.about.share_id,
                        to_share: *to_share,
                        total: *total,
                    }),
            );
        }
        if gives.is_empty() {
            continue;
        }
        let replicas = options.common.replicas_of(&address)?;
        let sku = |item: usize| skus[item].to_owned();
        let place = links.of(part).server.clone();
        let mover = Mover::new(&address, &place, names, &gives, sku, replicas);
        if let Some(why) = mover.run(gives, None).await.unconfirmed {
            return Err(Failure::CannotGoOn(format!(
                "{}: {why}",
                names.parts[part].key
            )));
        }
    }
    Ok(())
}

/// What each missing part gets of each item: its share, or where others are there, of what is
/// left.
fn shares<'s>(
    stock: &Stock<'s>,
    books: &Books,
    missing: &[usize],
    parts: usize,
) -> Result<Vec<(&'s str, Vec<u64>)>, Failure> {
    let mut shares = Vec::new();
    for (sku, units) in &stock.items {
        let Some(left) = left(*units, books.rows(sku)) else {
            return Err(Failure::CannotGoOn(format!(
                "{sku}: the parts that are there have {} units of stock, more than {units} in all",
                books.sums(sku).stock
            )));
        };
        let all = dealt(sku.as_bytes(), *units, parts);
        let own: Vec<u64> = missing.iter().map(|part| all[*part]).collect();
        shares.push((
            *sku,
            if own.iter().sum::<u64>() == left {
                own
            } else {
                dealt_among(sku.as_bytes(), left, parts, missing)
            },
        ));
    }
    for sku in books.skus() {
        if stock.items.iter().all(|(known, _)| *known != sku) {
            return Err(Failure::CannotGoOn(format!(
                "{sku}: a part that is there has it, and the stock that is given does not"
            )));
        }
    }
    Ok(shares)
}

/// One CREATE.
struct Make<'m> {
    name: &'m PartNames,
    sale: &'m str,
    id: &'m str,
    units: &'m [(&'m str, u64)],
    stock: &'m Stock<'m>,
    is_paused: bool,
}

impl Make<'_> {
    async fn send(&self, link: &Link) -> Result<(), Failure> {
        let mut create = redis::cmd("FLASHSALE.CREATE");
        create.arg(&self.name.key).arg(&self.name.orders);
        match self.units {
            [(DEFAULT, units)] => {
                create.arg("STOCK").arg(units);
            }
            units => {
                create.arg("ITEMS").arg(units.len());
                for (sku, units) in units {
                    create.arg(sku).arg(units);
                }
            }
        }
        create.arg(self.stock.rest);
        create
            .arg("GROUP")
            .arg(self.sale)
            .arg("SALEID")
            .arg(self.id);
        let failed = |text: String| Failure::CannotGoOn(format!("{}: {text}", self.name.key));
        if !self.is_paused {
            let made = link.ask(&create).await;
            return made.map(|_| ()).map_err(|error| failed(explain(&error)));
        }
        let mut pause = redis::cmd("FLASHSALE.PAUSE");
        pause.arg(&self.name.key);
        let step = vec![redis::cmd("MULTI"), create, pause, redis::cmd("EXEC")];
        let answers = link
            .ask_all(step)
            .await
            .map_err(|error| failed(explain(&error)))?;
        let in_exec = match answers.last() {
            Some(Value::Array(answers)) => answers.as_slice(),
            _ => &[],
        };
        let errors = answers.iter().chain(in_exec);
        let mut errors = errors.filter_map(|answer| match answer {
            Value::ServerError(error) => Some(error.to_string()),
            _ => None,
        });
        errors.next().map_or(Ok(()), |text| Err(failed(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::books::Part;
    use super::super::rules::reading::Shelf;
    use super::*;

    fn part(
        share_id: u128,
        base: i64,
        given: &[(u128, u64)],
        taken: &[(u128, u64)],
    ) -> Option<Part> {
        let shelf = Shelf {
            base,
            given: given.to_vec(),
            taken: taken.to_vec(),
            ..Shelf::default()
        };
        let mut part = Part::default();
        part.about.share_id = share_id;
        part.shelves = BTreeMap::from([("red".to_owned(), shelf)]);
        Some(part)
    }

    fn stock<'s>(units: u64) -> Stock<'s> {
        Stock {
            items: vec![("red", units)],
            rest: &[],
        }
    }

    fn made(parts: Vec<Option<Part>>, units: u64) -> Vec<u64> {
        let missing: Vec<usize> = (0..parts.len()).filter(|at| parts[*at].is_none()).collect();
        let count = parts.len();
        let books = Books { parts };
        let shares = shares(&stock(units), &books, &missing, count).expect("shares");
        shares[0].1.clone()
    }

    #[test]
    fn a_new_sale_and_one_that_is_half_made_are_dealt_alike() {
        let whole = dealt(b"red", 11, 4);
        assert_eq!(made(vec![None, None, None, None], 11), whole);
        let base = |at: usize| i64::try_from(whole[at]).expect("units");
        let half = vec![
            part(1, base(0), &[], &[]),
            None,
            part(3, base(2), &[], &[]),
            None,
        ];
        assert_eq!(made(half, 11), [whole[1], whole[3]]);
    }

    #[test]
    fn a_lost_part_gets_what_nobody_else_has() {
        // 100 in all. Part 1 had 50, gave 5 to part 0, and got 8 from it. Both are gone with it.
        let left = part(10, 50, &[(20, 8)], &[(20, 5)]);
        assert_eq!(made(vec![left, None], 100), [100 - (50 - 8 + 5)]);
        // Made anew with 53 under share id 21, it is lost again; what went to 20 still counts.
        let left = part(10, 50, &[(20, 8), (21, 2)], &[(20, 5), (21, 1)]);
        assert_eq!(made(vec![left, None], 100), [100 - (50 - 8 + 5 - 2 + 1)]);
    }

    #[test]
    fn more_than_there_is_in_all_is_a_mistake() {
        let books = Books {
            parts: vec![part(10, 50, &[], &[]), None],
        };
        assert!(shares(&stock(49), &books, &[1], 2).is_err());
    }

    #[test]
    fn options_are_words_with_a_number() {
        let words: Vec<String> = ["USERLIMIT", "2", "EVENTS", "all", "HOLD", "500"]
            .map(str::to_owned)
            .into();
        assert_eq!(options_of(&words), [("USERLIMIT", "2"), ("HOLD", "500")]);
    }
}
