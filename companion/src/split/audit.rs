//! `flashsale split audit`: the books over all parts.
//!
//! Parts are read while units move, so the order counts: taken totals first, given ones after.
//! Bases are not touched by moves, so their sum needs no moment at which all is still.

use redis::Value;

use super::books::{Books, Sums};
use super::names::{self, Names, PartLinks};
use super::options::Common;
use super::rules::pairs::twins;
use crate::failure::Failure;
use crate::link::{Address, Link, Way, explain, field, integer, pairs, replicas, string};
use crate::plain::commas;

/// Runs the subcommand, and returns the exit code: 1 with each difference in words.
///
/// # Errors
///
/// A part cannot be reached.
pub async fn run(common: Common) -> Result<u8, Failure> {
    let address = common.redis.address()?;
    let cannot = Failure::CannotGoOn;
    let names = names::find(&address, &common.sale, &common.place)
        .await
        .map_err(cannot)?;
    let links = PartLinks::connect(&address, &names).await.map_err(cannot)?;
    let first = Books::read(&names, &links).await.map_err(cannot)?;
    let second = Books::read(&names, &links).await.map_err(cannot)?;
    let mut differences = differences(&names, &first, &second);
    for (part, name) in names.parts.iter().enumerate() {
        if second.parts[part].is_some() {
            let copy = copy_of(&address, links.of(part)).await;
            let link = copy.as_ref().unwrap_or_else(|| links.of(part));
            let found = audit(link, &name.key, &name.orders).await;
            differences.extend(found.map_err(cannot)?);
        }
    }
    for sku in second.skus() {
        print_sums(sku, &second.sums(sku));
    }
    for difference in &differences {
        println!("DIFFERENCE  {difference}");
    }
    let verdict = match differences.len() {
        0 => "the books of all parts agree".to_owned(),
        count => format!("{count} differences"),
    };
    println!("{}: {verdict}", names.sale);
    Ok(u8::from(!differences.is_empty()))
}

fn print_sums(sku: &str, sums: &Sums) {
    println!(
        "{sku}: {} in all; {} sold, {} reserved, {} available, {} moved",
        sums.stock,
        commas(sums.sold),
        commas(sums.reserved),
        commas(sums.available),
        commas(sums.taken),
    );
    if sums.given_to_dead > 0 || sums.taken_from_dead > 0 {
        println!(
            "{sku}: {} given to parts that are gone, {} taken from them",
            commas(sums.given_to_dead),
            commas(sums.taken_from_dead)
        );
    }
}

/// What does not agree. The first reading counts for what is taken, the second for what is given.
fn differences(names: &Names, first: &Books, second: &Books) -> Vec<String> {
    let mut found = Vec::new();
    let key = |part: usize| &*names.parts[part].key;
    for (part, living) in second.parts.iter().enumerate() {
        match living {
            None => found.push(format!("{} is not there", key(part))),
            Some(living) if living.about.group != names.sale => {
                found.push(format!(
                    "{} is in the group {:?}",
                    key(part),
                    living.about.group
                ));
            }
            Some(_) => {}
        }
    }
    let share_ids = second.share_ids();
    if let Some((one, other)) = twins(&share_ids) {
        found.push(format!("{} and {} have one share id", key(one), key(other)));
    }
    for (part, living) in second.living() {
        for (sku, shelf) in &living.shelves {
            let given: u64 = shelf.given.iter().map(|(_, total)| total).sum();
            let total =
                i128::from(shelf.base) + i128::from(shelf.taken_in_all()) - i128::from(given);
            let units =
                i128::from(shelf.available) + i128::from(shelf.reserved) + i128::from(shelf.sold);
            if units != total + i128::from(shelf.owed) {
                found.push(format!(
                    "{} {sku}: {units} units available, reserved and sold, and a total of {total} \
                     with {} owed",
                    key(part),
                    shelf.owed
                ));
            }
            if shelf.owed > 0 {
                found.push(format!("{} {sku}: oversold by {}", key(part), shelf.owed));
            }
        }
    }
    for sku in first.skus() {
        let (taking, giving) = (first.shelves(sku), second.shelves(sku));
        for (to, shelf) in taking.iter().enumerate() {
            for (share_id, taken) in &shelf.taken {
                let from = share_ids.iter().position(|one| *one == Some(*share_id));
                let (Some(from), Some(own)) = (from, share_ids[to]) else {
                    continue;
                };
                let given = giving[from].given_to(own);
                if *taken > given {
                    found.push(format!(
                        "{sku}: {} has taken {taken} from {}, which knows of {given}: run \
                         flashsale split repair",
                        key(to),
                        key(from)
                    ));
                }
            }
        }
    }
    found
}

/// A replica that has all, if there is one: AUDIT looks at each reservation.
async fn copy_of(address: &Address, primary: &Link) -> Option<Link> {
    let info = primary.info("replication").await.ok()?;
    let rows = replicas(&info);
    let online = rows.into_iter().find(|row| row.state == "online")?;
    let place = address.of_server((online.host, online.port), Way::Direct);
    let connect = tokio::time::timeout(
        std::time::Duration::from_secs(2),
        Link::connect_to_any(&place),
    );
    let link = connect.await.ok()?.ok()?;
    // What the primary had when it was read. Elsewhere than in a cluster this is an error.
    let _ = primary.ask(redis::cmd("WAIT").arg(1).arg(1_000)).await;
    let _ = link.ask(&redis::cmd("READONLY")).await;
    Some(link)
}

async fn audit(link: &Link, key: &str, orders: &str) -> Result<Vec<String>, String> {
    let mut command = redis::cmd("FLASHSALE.AUDIT");
    command.arg(key).arg(orders);
    let answer = link.ask(&command).await;
    let answer = answer.map_err(|error| format!("AUDIT {key}: {}", explain(&error)))?;
    let answer = pairs(&answer);
    let mut found = Vec::new();
    if integer(&answer, "consistent") != Some(1) {
        if let Some(Value::Array(words)) = field(&answer, "differences") {
            found.extend(words.iter().map(|word| format!("{key}: {}", string(word))));
        }
        if found.is_empty() {
            found.push(format!("{key}: AUDIT says that it is not consistent"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::books::Part;
    use super::super::rules::reading::Shelf;
    use super::*;

    fn books(shelves: [Option<Shelf>; 2]) -> Books {
        let part = |(at, shelf): (usize, Option<Shelf>)| {
            let mut part = Part::default();
            part.about.share_id = 10 * (at as u128 + 1);
            part.about.group = "shoes".into();
            part.shelves = BTreeMap::from([("red".to_owned(), shelf?)]);
            Some(part)
        };
        Books {
            parts: shelves.into_iter().enumerate().map(part).collect(),
        }
    }

    fn shelf(base: i64, available: u64) -> Shelf {
        Shelf {
            base,
            available,
            ..Shelf::default()
        }
    }

    fn found(first: &Books, second: &Books) -> Vec<String> {
        let names = Names::new("shoes", 2, "{}", "{}:orders");
        let first = differences(&names, first, second);
        first
            .iter()
            .map(|text| text.replace(['{', '}'], ""))
            .collect()
    }

    #[test]
    fn sound_books_have_no_difference_also_while_units_move() {
        let (mut giver, mut taker) = (shelf(5, 2), shelf(5, 8));
        giver.given = vec![(20, 3)];
        taker.taken = vec![(10, 3)];
        let after = books([Some(giver.clone()), Some(taker)]);
        assert_eq!(found(&after, &after), [""; 0]);
        // Under way.
        let before = books([Some(giver), Some(shelf(5, 5))]);
        assert_eq!(found(&before, &after), [""; 0]);
        assert_eq!(found(&before, &before), [""; 0]);
    }

    #[test]
    fn each_difference_is_told() {
        let (mut taker, mut owes) = (shelf(5, 8), shelf(5, 0));
        taker.taken = vec![(10, 3)];
        let lost = books([Some(shelf(5, 5)), Some(taker)]);
        assert!(
            found(&lost, &lost)[0].contains("has taken 3"),
            "{:?}",
            found(&lost, &lost)
        );
        (owes.sold, owes.owed) = (6, 1);
        let oversold = books([Some(owes), None]);
        let words = found(&oversold, &oversold);
        assert!(words[0].ends_with("is not there") && words[1].ends_with("oversold by 1"));
        let wrong = books([Some(shelf(5, 4)), Some(shelf(5, 5))]);
        assert!(found(&wrong, &wrong)[0].contains("a total of 5"));
    }
}
