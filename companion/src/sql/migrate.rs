//! Makes the tables, and brings older ones up to date.

use super::database::{Database, Dialect, Kind};
use super::errors::describe;
use super::schema::{self, VERSION};

/// One program at a time; the others wait and find the work done.
const LOCK_NUMBER: &str = "7237193651034";

/// Makes the tables that are missing. A user without the right to make tables can run a
/// worker where somebody else has run `--migrate-only`.
///
/// # Errors
///
/// The database refuses; the tables are of a newer version; in MySQL, of an engine without
/// transactions.
pub async fn migrate(database: &mut Database) -> Result<(), String> {
    if version(database).await != Some(VERSION) {
        lock(database).await.map_err(|error| describe(&error))?;
        let made = bring_up_to_date(database).await;
        let unlocked = unlock(database, made.is_ok()).await;
        made?;
        unlocked.map_err(|error| describe(&error))?;
    }
    check_engine(database).await
}

/// Checks that the tables are there, and of this version: for whoever makes none.
///
/// # Errors
///
/// They are not, in words.
pub async fn check_tables(database: &mut Database) -> Result<(), String> {
    match version(database).await {
        Some(VERSION) => check_engine(database).await,
        Some(other) => Err(format!(
            "the tables are of version {other}, and this flashsale knows version {VERSION}"
        )),
        None => Err(
            "the database has no tables of flashsale worker: is it the right one? If it is, make them by flashsale worker --migrate-only".into(),
        ),
    }
}

/// Returns the version of the tables; `None` where there are none.
async fn version(database: &mut Database) -> Option<i64> {
    let rows = database
        .query("SELECT version FROM flashsale_schema", &[], &[Kind::Int])
        .await;
    rows.ok()?.first().map(|row| row[0].int())
}

async fn bring_up_to_date(database: &mut Database) -> Result<(), String> {
    let make = "CREATE TABLE IF NOT EXISTS flashsale_schema (version BIGINT NOT NULL)";
    let failed = |error: sqlx::Error| format!("the tables could not be made: {}", describe(&error));
    database.run(make).await.map_err(failed)?;
    match version(database).await {
        None => {}
        Some(VERSION) => return Ok(()),
        Some(other) => {
            return Err(format!(
                "the tables are of version {other}, which a newer flashsale has made; this one knows version {VERSION}"
            ));
        }
    }
    for sql in schema::version_1(database.dialect()) {
        database.run(&sql).await.map_err(failed)?;
    }
    let written = format!("INSERT INTO flashsale_schema (version) VALUES ({VERSION})");
    database.run(&written).await.map_err(failed)
}

async fn lock(database: &mut Database) -> Result<(), sqlx::Error> {
    match database.dialect() {
        Dialect::Sqlite => database.run("BEGIN IMMEDIATE").await,
        Dialect::Postgres => {
            let lock = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK_NUMBER})");
            database.run(&lock).await
        }
        Dialect::Mysql => {
            database
                .run("SELECT GET_LOCK('flashsale_schema', 60)")
                .await
        }
    }
}

async fn unlock(database: &mut Database, made: bool) -> Result<(), sqlx::Error> {
    match (database.dialect(), made) {
        (Dialect::Mysql, _) => {
            database
                .run("SELECT RELEASE_LOCK('flashsale_schema')")
                .await
        }
        (_, true) => database.run("COMMIT").await,
        (_, false) => database.run("ROLLBACK").await,
    }
}

/// Without transactions a hook could run twice: MyISAM and Aria have none.
async fn check_engine(database: &mut Database) -> Result<(), String> {
    if database.dialect() != Dialect::Mysql {
        return Ok(());
    }
    let sql =
        "SELECT CONCAT(table_name, ' is of the engine ', engine) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name IN ('flashsale_orders', 'flashsale_refunds',
        'flashsale_events', 'flashsale_reservations', 'flashsale_dead') AND engine <> 'InnoDB'";
    let rows = database.query(sql, &[], &[Kind::Text]).await;
    match rows.map_err(|error| describe(&error))?.first() {
        None => Ok(()),
        Some(row) => Err(format!(
            "{}, which has no transactions: ALTER TABLE ... ENGINE=InnoDB",
            row[0].text()
        )),
    }
}
