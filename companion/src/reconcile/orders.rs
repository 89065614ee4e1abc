//! Orders and refunds of SQL against the sale: what is lost is imported and refunded again.

use std::collections::HashMap;

use redis::Cmd;

use super::Sale;
use super::ask::{self, Imported};
use super::decide::{self, EntryId, KnownRefund, RefundRow, RefundVerdict, Units, Verdict};
use super::holders::Holders;
use super::known::{Shown, shown};
use super::report::{Fate, Kind, Report};
use super::rows::{self, Order};
use super::world::{PIPELINE, Server, Sql, refused};
use crate::failure::Failure;

/// Orders that are read at a time.
const PAGE: usize = 4 * PIPELINE;

/// A refund that the sale knows and SQL had not when it was asked: id and ref.
pub type Unwritten = (Vec<u8>, Vec<u8>);

/// Refunds of SQL by the id of their order.
type RefundsById = HashMap<Vec<u8>, Vec<RefundRow>>;

/// One page, with what the sale says of each of its orders.
struct Page {
    orders: Vec<Order>,
    shown: Vec<Option<Shown>>,
    refunds: RefundsById,
}

/// Compares all orders and refunds of SQL with the sale, and returns the refunds that SQL lacks.
///
/// # Errors
///
/// The server or the database cannot be asked.
pub async fn compare(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    report: &mut Report<'_>,
) -> Result<Vec<Unwritten>, Failure> {
    let (mut unwritten, mut holders) = (Vec::new(), Holders::default());
    let mut next = read(sale, sql, b"").await?;
    while let Some((orders, refunds)) = next.take() {
        let gets: Vec<Cmd> = orders
            .iter()
            .map(|order| get(sale, &order.row.id))
            .collect();
        let last = orders
            .last()
            .map_or(Vec::new(), |order| order.row.id.clone());
        // While the server answers, the database looks for the next ones.
        let (answers, behind) = tokio::join!(server.ask_all(&gets), read(sale, sql, &last));
        let shown = answers?.iter().map(shown).collect::<Result<_, _>>();
        let page = Page {
            orders,
            shown: shown.map_err(Failure::CannotGoOn)?,
            refunds,
        };
        next = behind?;
        page.note_unwritten(sale, &mut unwritten);
        page.settle(sale, server, &mut holders, report).await?;
        sale.progress.tell("orders compared", report.compared);
    }
    compare_lone_refunds(sale, server, sql, report).await?;
    Ok(unwritten)
}

fn get(sale: &Sale<'_>, id: &[u8]) -> Cmd {
    let mut command = redis::cmd("FLASHSALE.GET");
    command.arg(&sale.key).arg(id);
    command
}

/// Reads the orders behind an id, and their refunds.
async fn read(
    sale: &Sale<'_>,
    sql: &mut Sql,
    after: &[u8],
) -> Result<Option<(Vec<Order>, RefundsById)>, Failure> {
    let orders = sql
        .run(async |database| rows::orders(database, &sale.wanted, after, PAGE).await)
        .await
        .map_err(|error| refused(&error))?;
    let (Some(first), Some(last)) = (orders.first(), orders.last()) else {
        return Ok(None);
    };
    let (first, last) = (first.row.id.clone(), last.row.id.clone());
    let found = sql
        .run(async |database| rows::refunds(database, &sale.wanted.sale_id, &first, &last).await)
        .await
        .map_err(|error| refused(&error))?;
    Ok(Some((orders, by_id(found))))
}

/// Puts refunds in order, by the id of their order.
fn by_id(found: Vec<RefundRow>) -> RefundsById {
    let mut by_id = RefundsById::new();
    for row in found {
        by_id.entry(row.id.clone()).or_default().push(row);
    }
    by_id
        .values_mut()
        .for_each(|rows| decide::sort_refunds(rows));
    by_id
}

impl Page {
    /// Notes the refunds that the sale knows, that are in the stream up to T0, and that SQL lacks.
    fn note_unwritten(&self, sale: &Sale<'_>, unwritten: &mut Vec<Unwritten>) {
        for (order, shown) in self.orders.iter().zip(&self.shown) {
            let Some(shown) = shown else { continue };
            let rows = self.refunds.get(&order.row.id);
            let is_written = |known: &KnownRefund| {
                let mut rows = rows.into_iter().flatten();
                rows.any(|row| row.reference == known.reference)
            };
            for (known, entry) in shown.known.refunds.iter().zip(&shown.refunds) {
                let id: Option<EntryId> = decide::entry_id(&entry.entry);
                if id.is_some_and(|id| id <= sale.t0) && !is_written(known) {
                    unwritten.push((order.row.id.clone(), known.reference.clone()));
                }
            }
        }
    }

    /// Decides each order of the page, imports what is lost, and repeats its refunds.
    async fn settle(
        mut self,
        sale: &Sale<'_>,
        server: &mut Server,
        holders: &mut Holders,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        report.compared += self.orders.len() as u64;
        let (mut lost, mut refunded) = (Vec::new(), Vec::new());
        for (order, shown) in self.orders.drain(..).zip(self.shown.drain(..)) {
            let known = shown.map(|shown| shown.known);
            let row = &order.row;
            let verdict = match order.is_unreadable {
                true => Verdict::Conflict("its items in SQL cannot be read"),
                false => decide::order(row, known.as_ref()),
            };
            let refunds = self.refunds.remove(&row.id).unwrap_or_default();
            match verdict {
                Verdict::Fine if refunds.is_empty() => {}
                Verdict::Fine => {
                    let known = known.map_or(Vec::new(), |known| known.refunds);
                    refunded.push((order.row.units.clone(), refunds, known));
                }
                Verdict::Lost => lost.push((order, refunds)),
                Verdict::PaidTwice => {
                    let other = known.map_or(Vec::new(), |known| known.reference);
                    report.add(
                        Kind::PaidTwice,
                        &row.id,
                        &row.reference,
                        Fate::Left,
                        &paid(&other),
                    );
                }
                Verdict::Conflict(why) => {
                    report.add(Kind::Conflict, &row.id, &row.reference, Fate::Left, why);
                }
            }
        }
        let imported = match sale.is_applied {
            true => import(sale, server, lost, report).await?,
            false => foresee(sale, server, holders, lost, report).await?,
        };
        for (order, refunds) in imported {
            if !refunds.is_empty() {
                refunded.push((order.row.units, refunds, Vec::new()));
            }
        }
        repeat_refunds(sale, server, refunded, report).await
    }
}

fn paid(reference: &[u8]) -> String {
    match reference {
        b"" => "the sale sold it without a ref".into(),
        other => format!("the sale sold it under {}", String::from_utf8_lossy(other)),
    }
}

type WithRefunds = (Order, Vec<RefundRow>);

/// Says what would become of orders, and returns those that would be sold.
async fn foresee(
    sale: &Sale<'_>,
    server: &mut Server,
    holders: &mut Holders,
    lost: Vec<WithRefunds>,
    report: &mut Report<'_>,
) -> Result<Vec<WithRefunds>, Failure> {
    let mut sold = Vec::new();
    for (order, refunds) in lost {
        let conflict = holders.conflict(sale, server, &order).await?;
        let (kind, fate) = match conflict {
            Some(_) => (Kind::Conflict, Fate::Left),
            None => (Kind::Lost, Fate::Due),
        };
        let (row, why) = (&order.row, conflict.unwrap_or_default());
        report.add(kind, &row.id, &row.reference, fate, &why);
        if kind == Kind::Lost {
            sold.push((order, refunds));
        }
    }
    Ok(sold)
}

/// Imports orders, and returns those that are sold now.
async fn import(
    sale: &Sale<'_>,
    server: &mut Server,
    lost: Vec<WithRefunds>,
    report: &mut Report<'_>,
) -> Result<Vec<WithRefunds>, Failure> {
    let command = |(order, _): &WithRefunds| ask::import(&sale.key, &sale.orders, order);
    let commands: Vec<Cmd> = lost.iter().map(command).collect();
    let answers = server.ask_all(&commands).await?;
    let mut sold = Vec::new();
    for ((order, refunds), answer) in lost.into_iter().zip(&answers) {
        let row = &order.row;
        let mut add = |kind, fate, why: &str| report.add(kind, &row.id, &row.reference, fate, why);
        match ask::imported(answer) {
            Imported::Sold => {
                add(Kind::Lost, Fate::Done, "");
                sold.push((order, refunds));
            }
            Imported::PaidTwice(other) => add(Kind::PaidTwice, Fate::Left, &paid(&other)),
            Imported::Conflict(why) => add(Kind::Conflict, Fate::Left, &why),
            Imported::Refused(why) => add(Kind::Lost, Fate::Left, &why),
        }
    }
    Ok(sold)
}

/// Repeats the refunds that the sale does not know: of each order its units, its refunds in SQL,
/// and those the sale knows.
async fn repeat_refunds(
    sale: &Sale<'_>,
    server: &mut Server,
    refunded: Vec<(Units, Vec<RefundRow>, Vec<KnownRefund>)>,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (units, rows, known) in refunded {
        let verdicts = decide::refunds(&units, &rows, &known);
        for (row, verdict) in rows.into_iter().zip(verdicts) {
            match verdict {
                RefundVerdict::Fine => {}
                RefundVerdict::Missing => missing.push(row),
                RefundVerdict::Conflict(why) => {
                    report.add(Kind::Conflict, &row.id, &row.reference, Fate::Left, why);
                }
            }
        }
    }
    if !sale.is_applied {
        for row in &missing {
            report.add(Kind::RefundMissing, &row.id, &row.reference, Fate::Due, "");
        }
        return Ok(());
    }
    let command = |row: &RefundRow| ask::refund(&sale.key, &sale.orders, row);
    let commands: Vec<Cmd> = missing.iter().map(command).collect();
    let answers = server.ask_all(&commands).await?;
    for (row, answer) in missing.iter().zip(&answers) {
        let (fate, why) = match ask::refunded(answer) {
            Ok(()) => (Fate::Done, String::new()),
            Err(why) => (Fate::Left, why),
        };
        report.add(Kind::RefundMissing, &row.id, &row.reference, fate, &why);
    }
    Ok(())
}

/// Compares refunds whose order SQL does not have: the worker may have stored the refund before
/// the order, and the order died with the server.
async fn compare_lone_refunds(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let found = sql
        .run(async |database| rows::refunds_alone(database, &sale.wanted.sale_id).await)
        .await
        .map_err(|error| refused(&error))?;
    let found: Vec<(Vec<u8>, Vec<RefundRow>)> = by_id(found).into_iter().collect();
    for some in found.chunks(PIPELINE) {
        let gets: Vec<Cmd> = some.iter().map(|(id, _)| get(sale, id)).collect();
        let mut refunded = Vec::new();
        for (answer, (id, rows)) in server.ask_all(&gets).await?.iter().zip(some) {
            let shown = shown(answer).map_err(Failure::CannotGoOn)?;
            let known = shown.map(|shown| shown.known);
            let known = known.filter(|known| known.state != decide::State::Unsold);
            match known.and_then(|known| Some((known.units?, known.refunds))) {
                Some((units, known)) => refunded.push((units, rows.clone(), known)),
                None => {
                    let why = "a refund of an order that neither SQL nor the sale has";
                    report.add(Kind::Conflict, id, b"", Fate::Left, why);
                }
            }
        }
        repeat_refunds(sale, server, refunded, report).await?;
    }
    Ok(())
}
