//! `flashsale split status`: a line a part, and the sums.

use super::books::{Books, Part};
use super::names::{self, Names, PartLinks};
use super::options::Common;
use super::rules::pairs::Pairs;
use crate::failure::Failure;
use crate::plain::{commas, harmless};

/// A million reservations stop the source of a move of the old kind for so long, and the
/// destination for less.
const STOP_US_PER_RESERVATION: f64 = 0.75;

/// Runs the subcommand, and returns the exit code.
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
    let books = Books::read(&names, &links).await.map_err(cannot)?;
    print!("{}", draw(&names, &books));
    Ok(0)
}

/// The first line, with a column of keys so wide.
fn head(wide: usize) -> String {
    format!(
        "{:4} {:wide$} {:5} {:21} {:9} {:>10} {:>10} {:>10} {:>7} {:>9} {:>8}\n",
        "part",
        "key",
        "slot",
        "node",
        "state",
        "available",
        "reserved",
        "sold",
        "demand",
        "MB",
        "move ms"
    )
}

fn draw(names: &Names, books: &Books) -> String {
    let asked_of = |part: &Part| -> u64 { part.shelves.values().map(|shelf| shelf.asked).sum() };
    let asked: u64 = books.living().map(|(_, part)| asked_of(part)).sum();
    let keys = names.parts.iter().map(|name| harmless(&name.key));
    let keys: Vec<_> = keys.collect();
    let wide = keys.iter().map(|key| key.chars().count()).max();
    let wide = wide.unwrap_or(0);
    let mut text = head(wide);
    for (at, part) in books.parts.iter().enumerate() {
        let (slot, key) = (names.parts[at].slot, &keys[at]);
        let Some(part) = part else {
            text += &format!("{at:4} {key:wide$} {slot:5} is not there\n");
            continue;
        };
        let sum = |units: fn(&super::rules::reading::Shelf) -> u64| -> String {
            commas(part.shelves.values().map(units).sum())
        };
        let number = |name: &str| part.info.get(name).copied().unwrap_or(0);
        let known = number("reservations_open")
            + number("reservations_remembered")
            + number("orders_known").max(0);
        let demand = match asked {
            0 => "-".to_owned(),
            asked => format!("{:.1}%", 100.0 * asked_of(part) as f64 / asked as f64),
        };
        text += &format!(
            "{at:4} {key:wide$} {slot:5} {:21} {:9} {:>10} {:>10} {:>10} {demand:>7} {:>9.1} {:>8.1}\n",
            harmless(&part.server),
            part.about.state,
            sum(|shelf| shelf.available),
            sum(|shelf| shelf.reserved),
            sum(|shelf| shelf.sold),
            number("memory_bytes") as f64 / 1e6,
            known as f64 * STOP_US_PER_RESERVATION / 1e3,
        );
    }
    for sku in books.skus() {
        let sums = books.sums(sku);
        let mut pairs = Pairs::default();
        pairs.compare(&books.shelves(sku), &books.share_ids());
        let under_way: u64 = pairs
            .under_way
            .iter()
            .map(|way| way.given - way.taken)
            .sum();
        text += &format!(
            "{}: {} in all; {} available, {} reserved, {} sold, {} under way, {} owed\n",
            harmless(sku),
            sums.stock,
            commas(sums.available),
            commas(sums.reserved),
            commas(sums.sold),
            commas(under_way),
            commas(sums.owed),
        );
    }
    text
}
