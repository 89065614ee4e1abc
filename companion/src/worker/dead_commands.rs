//! `flashsale worker dead list | retry | drop`.

use super::batch::{self, Rules};
use super::dead;
use super::entry::{self, Raw};
use super::options::Dead;
use crate::failure::Failure;
use crate::plain::harmless;
use crate::sql::{Database, describe};

/// Carries out one of them, and returns the exit code.
///
/// # Errors
///
/// The database fails, or an entry had a hook and none is given.
pub async fn run(database: &mut Database, rules: &Rules, command: &Dead) -> Result<u8, Failure> {
    match command {
        Dead::List => list(database).await,
        Dead::Retry {
            numbers,
            without_hooks,
        } => retry(database, rules, numbers, *without_hooks).await,
        Dead::Drop { numbers } => drop(database, numbers).await,
    }
}

/// Lists the dead letters on stdout; exit code 1 if there are any.
///
/// # Errors
///
/// The database fails.
async fn list(database: &mut Database) -> Result<u8, Failure> {
    let rows = dead::all(database).await.map_err(cannot)?;
    for row in &rows {
        println!(
            "{}  {}  {} {}  ref {}  entry {} of {}: {}",
            row.number,
            shown(row.reason.as_bytes()),
            shown(row.event.as_bytes()),
            shown(&row.id),
            shown(&row.reference),
            shown(row.entry_id.as_bytes()),
            shown(&row.stream),
            shown(row.detail.as_bytes())
        );
    }
    Ok(u8::from(!rows.is_empty()))
}

/// Stores dead letters again, each alone and with its hook; exit code 1 if one remains.
///
/// # Errors
///
/// The database fails, or an entry had a hook and none is given.
async fn retry(
    database: &mut Database,
    rules: &Rules,
    numbers: &[i64],
    without_hooks: bool,
) -> Result<u8, Failure> {
    let mut remain = 0;
    for number in numbers {
        let row = dead::by_number(database, *number).await.map_err(cannot)?;
        let Some(row) = row else {
            println!("{number}: there is no such dead letter");
            remain += 1;
            continue;
        };
        let has_hook = rules.hooks.of(&row.event).is_some();
        if row.has_hook && !has_hook && !without_hooks {
            return Err(Failure::Usage(format!(
                "{number}: {} had a hook when it failed: give the same --then or --on, or --without-hooks to store it alone",
                row.event
            )));
        }
        match retry_one(database, rules, &row).await? {
            Ok(()) => println!("{number}: stored"),
            Err(why) => {
                println!("{number}: remains, {}", harmless(&why));
                remain += 1;
            }
        }
    }
    Ok(u8::from(remain > 0))
}

async fn retry_one(
    database: &mut Database,
    rules: &Rules,
    row: &dead::Row,
) -> Result<Result<(), String>, Failure> {
    if row.reason == "trimmed" {
        return Ok(Err("the entry is gone; drop it once you have looked".into()));
    }
    let Some(fields) = entry::from_json(&row.fields) else {
        return Ok(Err("its fields cannot be read".into()));
    };
    let raw = [Raw {
        id: row.entry_id.clone(),
        fields: Some(fields),
    }];
    match batch::store_dead(database, rules, &row.stream, &raw, row.number).await {
        Ok(done) => Ok(done),
        Err(error) => {
            let text = describe(&error);
            database.run("ROLLBACK").await.map_err(cannot)?;
            Ok(Err(text))
        }
    }
}

/// Removes dead letters; exit code 1 if one of them is not there.
///
/// # Errors
///
/// The database fails.
async fn drop(database: &mut Database, numbers: &[i64]) -> Result<u8, Failure> {
    let mut missing = 0;
    for number in numbers {
        if dead::by_number(database, *number)
            .await
            .map_err(cannot)?
            .is_some()
        {
            dead::remove(database, *number).await.map_err(cannot)?;
            println!("{number}: dropped");
        } else {
            println!("{number}: there is no such dead letter");
            missing += 1;
        }
    }
    Ok(u8::from(missing > 0))
}

fn cannot(error: sqlx::Error) -> Failure {
    Failure::CannotGoOn(format!("the database: {}", describe(&error)))
}

/// Returns what a terminal may show of bytes: those of an entry come from strangers.
fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        "-".into()
    } else {
        harmless(&String::from_utf8_lossy(bytes))
    }
}
