//! The stream up to T0 against SQL: what the worker is done with and SQL lacks is inserted.

use std::collections::BTreeSet;

use redis::{Cmd, Value};

use super::Sale;
use super::decide::{self, EntryId, EntryVerdict, Group, entry_id};
use super::insert::{Candidate, insert, lacking};
use super::report::{Kind, Report};
use super::world::{PIPELINE, Server, Sql};
use crate::failure::Failure;
use crate::link::{bytes, entries, field, pairs, range_command, string};

/// Entries that are read at a time.
const PAGE: usize = 4 * PIPELINE;

/// Compares the entries up to T0 with SQL.
///
/// # Errors
///
/// The server or the database cannot be asked.
pub async fn compare(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mut next = server.ask(page(sale, "-")).await?;
    let mut read = 0;
    loop {
        let found = entries(next);
        let Some(last) = found.last() else {
            return Ok(());
        };
        read += found.len() as u64;
        let behind = page(sale, &format!("({}", last.id));
        let sale_id = &sale.wanted.sale_id;
        let ours = found.into_iter();
        let ours: Vec<Candidate> = ours.filter_map(|raw| Candidate::of(raw, sale_id)).collect();
        let (answer, missing) = tokio::join!(server.ask(behind), lacking(sql, ours));
        next = answer?;
        let missing = missing?;
        if !missing.is_empty() {
            settle(sale, server, sql, missing, report).await?;
        }
        sale.progress.tell("entries compared", read);
    }
}

fn page(sale: &Sale<'_>, from: &str) -> Cmd {
    let to = format!("{}-{}", sale.t0.0, sale.t0.1);
    range_command(&sale.orders, from, &to, PAGE)
}

/// Decides what becomes of entries that SQL lacks.
async fn settle(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    missing: Vec<Candidate>,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let group = group(sale, server, &missing).await?;
    // Once more: what was acknowledged before the group was read is a row by now.
    let still = lacking(sql, missing).await?;
    let mut due = Vec::new();
    for one in still {
        let Some(id) = entry_id(&one.raw.id) else {
            continue;
        };
        match decide::entry(id, sale.t0, false, &group) {
            EntryVerdict::Insert => due.push(one),
            EntryVerdict::Backlog => report.backlog += 1,
            EntryVerdict::Fine | EntryVerdict::Later => {}
        }
    }
    insert(sale, sql, due, Kind::OnlyInStream, report).await
}

/// Reads how far the worker's group is, and what of these entries is pending.
async fn group(
    sale: &Sale<'_>,
    server: &mut Server,
    missing: &[Candidate],
) -> Result<Group, Failure> {
    let mut command = redis::cmd("XINFO");
    command.arg("GROUPS").arg(&sale.orders);
    let Value::Array(groups) = server.ask(command).await? else {
        return Ok(Group::default());
    };
    let groups: Vec<_> = groups.iter().map(pairs).collect();
    let is_ours = |facts: &&Vec<(String, Value)>| {
        field(facts, "name").is_some_and(|name| bytes(name) == sale.group.as_bytes())
    };
    let Some(ours) = groups.iter().find(is_ours) else {
        return Ok(Group::default());
    };
    let last = field(ours, "last-delivered-id").map(string);
    let mut group = Group {
        last_delivered: last.and_then(|last| entry_id(&last)),
        pending: BTreeSet::new(),
    };
    let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
        return Ok(group);
    };
    let (mut from, last) = (first.raw.id.clone(), &last.raw.id);
    loop {
        let some = pending(sale, server, &from, last).await?;
        let is_last = some.len() < PAGE;
        if let Some((ms, seq)) = some.last() {
            from = format!("({ms}-{seq}");
        }
        group.pending.extend(some);
        if is_last {
            return Ok(group);
        }
    }
}

async fn pending(
    sale: &Sale<'_>,
    server: &mut Server,
    from: &str,
    to: &str,
) -> Result<Vec<EntryId>, Failure> {
    let mut command = redis::cmd("XPENDING");
    command.arg(&sale.orders).arg(sale.group.as_str());
    command.arg(from).arg(to).arg(PAGE);
    let Value::Array(rows) = server.ask(command).await? else {
        return Ok(Vec::new());
    };
    let id = |row: &Value| match row {
        Value::Array(parts) => entry_id(&string(parts.first()?)),
        _ => None,
    };
    Ok(rows.iter().filter_map(id).collect())
}
