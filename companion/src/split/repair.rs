//! `flashsale split repair`: a giver has lost what it gave, after it was taken, so that units are
//! there twice. It gets what is under way to it, and then gives once more what was taken: out
//! of what it has, and for the rest it owes.

use std::collections::BTreeMap;

use redis::Value;

use super::balance::Mover;
use super::books::Books;
use super::names::{self, Names, PartLinks};
use super::options::RepairOptions;
use super::rules::pairs::{Above, Pairs};
use super::rules::transfer::Give;
use super::shares::ulid_text;
use crate::failure::Failure;
use crate::link::{Address, explain, string};

/// Runs the subcommand, and returns the exit code: 1 if there is something to repair, and it was
/// not asked to.
///
/// # Errors
///
/// A part cannot be reached, or what is under way cannot be confirmed.
pub async fn run(options: RepairOptions) -> Result<u8, Failure> {
    let address = options.common.redis.address()?;
    let replicas = options.common.replicas_of(&address)?;
    let cannot = Failure::CannotGoOn;
    let place = &options.common.place;
    let names = names::find(&address, &options.common.sale, place)
        .await
        .map_err(cannot)?;
    let links = PartLinks::connect(&address, &names).await.map_err(cannot)?;
    let found = above(&names, &links).await?;
    if found.is_empty() {
        println!("{}: nothing to repair", names.sale);
        return Ok(0);
    }
    for (sku, one) in &found {
        println!(
            "{sku}: {} has taken {} from {}, which knows of {}",
            names.parts[one.to].key, one.taken, names.parts[one.from].key, one.given
        );
    }
    if !options.apply {
        println!(
            "{}: {} pairs to repair: run it with --apply",
            names.sale,
            found.len()
        );
        return Ok(1);
    }
    let repair = Repair {
        address: &address,
        names: &names,
        links: &links,
        replicas,
    };
    let mut givers: Vec<usize> = found.iter().map(|(_, one)| one.from).collect();
    givers.sort_unstable();
    givers.dedup();
    for giver in givers {
        repair.bring_to(giver).await?;
    }
    for (sku, one) in &found {
        repair.give_again(sku, one).await?;
    }
    Ok(0)
}

/// The pairs of which more is taken than given. The givers are read after the takers.
async fn above(names: &Names, links: &PartLinks) -> Result<Vec<(String, Above)>, Failure> {
    let cannot = Failure::CannotGoOn;
    let first = Books::read(names, links).await.map_err(cannot)?;
    let second = Books::read(names, links).await.map_err(cannot)?;
    let mut found = Vec::new();
    for sku in first.skus() {
        let mut shelves = second.shelves(sku);
        for (shelf, before) in shelves.iter_mut().zip(first.shelves(sku)) {
            shelf.taken = before.taken;
        }
        let mut pairs = Pairs::default();
        pairs.compare(&shelves, &second.share_ids());
        found.extend(pairs.above.iter().map(|one| (sku.to_owned(), *one)));
    }
    Ok(found)
}

struct Repair<'r> {
    address: &'r Address,
    names: &'r Names,
    links: &'r PartLinks,
    replicas: Option<u64>,
}

impl Repair<'_> {
    /// Has a part take what is under way to it.
    async fn bring_to(&self, to: usize) -> Result<(), Failure> {
        let cannot = Failure::CannotGoOn;
        let books = Books::read(self.names, self.links).await.map_err(cannot)?;
        let share_ids = books.share_ids();
        let skus: Vec<&str> = books.skus().into_iter().collect();
        let mut by_giver: BTreeMap<usize, Vec<Give>> = BTreeMap::new();
        for (item, sku) in skus.iter().enumerate() {
            let mut pairs = Pairs::default();
            pairs.compare(&books.shelves(sku), &share_ids);
            for way in pairs.under_way.iter().filter(|way| way.to == to) {
                let (Some(from_share), Some(to_share)) = (share_ids[way.from], share_ids[to])
                else {
                    continue;
                };
                by_giver.entry(way.from).or_default().push(Give {
                    from: way.from,
                    to,
                    item,
                    from_share,
                    to_share,
                    total: way.given,
                });
            }
        }
        for (from, gives) in by_giver {
            let place = &self.links.of(from).server;
            let sku = |item: usize| skus[item].to_owned();
            let mover = Mover::new(self.address, place, self.names, &gives, sku, self.replicas);
            let moved = mover.run(gives, None).await;
            if let Some(why) = moved.unconfirmed {
                return Err(cannot(format!("{}: {why}", self.names.parts[from].key)));
            }
            for take in moved.takes {
                let mut command = redis::cmd("FLASHSALE.TAKE");
                command.arg(&self.names.parts[to].key);
                command
                    .arg(ulid_text(take.from_share))
                    .arg(ulid_text(take.to_share));
                command.arg(take.total).arg("SKU").arg(skus[take.item]);
                self.ask(to, &command).await?;
            }
        }
        Ok(())
    }

    /// Has a giver give what was taken from it.
    async fn give_again(&self, sku: &str, one: &Above) -> Result<(), Failure> {
        let books = Books::read(self.names, self.links)
            .await
            .map_err(Failure::CannotGoOn)?;
        let share_ids = books.share_ids();
        let (Some(from), Some(to)) = (share_ids[one.from], share_ids[one.to]) else {
            return Ok(());
        };
        let before = books.shelves(sku)[one.from].owed;
        let mut command = redis::cmd("FLASHSALE.GIVE");
        command.arg(&self.names.parts[one.from].key);
        command
            .arg(ulid_text(from))
            .arg(ulid_text(to))
            .arg(one.taken);
        command.arg("SKU").arg(sku).arg("OWING").arg("CONFIRM");
        let answer = self.ask(one.from, &command).await?;
        let word = match &answer {
            Value::Array(row) => row.first().map(string).unwrap_or_default(),
            _ => String::new(),
        };
        let key = &self.names.parts[one.from].key;
        if word != "GIVEN" {
            return Err(Failure::CannotGoOn(format!("{key}: GIVE answers {word}")));
        }
        let books = Books::read(self.names, self.links)
            .await
            .map_err(Failure::CannotGoOn)?;
        let owed = books.shelves(sku)[one.from].owed;
        println!(
            "{sku}: {key} knows of {} now, and owes {}",
            one.taken,
            owed.saturating_sub(before)
        );
        Ok(())
    }

    async fn ask(&self, part: usize, command: &redis::Cmd) -> Result<Value, Failure> {
        let answer = self.links.of(part).ask(command).await;
        answer.map_err(|error| {
            Failure::CannotGoOn(format!(
                "{}: {}",
                self.names.parts[part].key,
                explain(&error)
            ))
        })
    }
}
