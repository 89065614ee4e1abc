//! `flashsale reconcile`: SQL, the sale and its stream agree again after a loss.
//!
//! # How it holds
//!
//! 1. SQL is the truth of what was sold. What the sale lost is imported and refunded again, as
//!    it was; nothing the sale has is overwritten.
//! 2. Each step may be repeated, and whoever is killed begins anew: IMPORT and REFUND know their
//!    own retries, and a row is inserted where there is none.
//! 3. The stream behind T0, its last entry when the program began, is the worker's business.
//!
//! The order: orders and refunds of SQL (`orders`), the stream (`stream`), what was trimmed
//! (`trimmed`), then what is owed and AUDIT. What is decided, `decide` decides.

mod ask;
mod decide;
mod holders;
mod insert;
mod known;
mod options;
mod orders;
mod report;
mod rows;
mod stream;
mod trimmed;
mod world;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::Value;

use crate::failure::Failure;
use crate::link::{Address, explain, field, pairs, string};
use crate::log;
use crate::plain::commas;
use crate::sql::{self, describe};
use crate::worker;
use crate::worker::batch::Rules;
use crate::worker::hook::Hooks;

use decide::{EntryId, entry_id};
pub use options::Options;
use report::{Csv, Report};
use rows::{Acquaintance, Wanted};
use world::{Server, Sql, refused};

/// The commands of the module that are needed.
const COMMANDS: [&str; 7] = [
    "FLASHSALE.IMPORT",
    "FLASHSALE.REFUND",
    "FLASHSALE.GET",
    "FLASHSALE.SCAN",
    "FLASHSALE.INFO",
    "FLASHSALE.SHARES",
    "FLASHSALE.AUDIT",
];

/// How often the log says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// A sale that is compared, and how.
pub struct Sale<'a> {
    key: String,
    orders: Vec<u8>,
    /// The name that parts of a split sale share.
    group_name: Option<String>,
    wanted: Wanted,
    /// The stream's last entry when the comparison began.
    t0: EntryId,
    is_applied: bool,
    /// The worker's consumer group.
    group: String,
    rules: &'a Rules,
    progress: Progress,
}

/// Says from time to time how far it is.
struct Progress {
    sale: String,
    told: Mutex<Instant>,
}

impl Progress {
    fn tell(&self, what: &str, count: u64) {
        let Ok(mut told) = self.told.lock() else {
            return;
        };
        if told.elapsed() >= TELL_EVERY {
            *told = Instant::now();
            log::info(format!("{}: {} {what}", self.sale, commas(count)));
        }
    }
}

/// Runs the subcommand, and returns the exit code.
///
/// # Errors
///
/// Wrong usage; no such sale, another one, a replica, or a server that is too old.
pub async fn run(options: Options) -> Result<u8, Failure> {
    log::begin(options.log);
    options.check()?;
    let address = options.redis.address()?;
    let sql_url = options.sql.url()?;
    let dialect = sql::dialect_of(&sql_url).map_err(Failure::Usage)?;
    let mut database = worker::open_database(&sql_url).await?;
    sql::check_tables(&mut database)
        .await
        .map_err(Failure::CannotGoOn)?;
    let hooks = Hooks::read(&options.hooks(), dialect)?;
    hooks.check(&mut database).await?;
    check_condition(&options, &mut database).await?;
    let rules = Rules {
        hooks,
        with_journal: false,
        with_reservations: false,
    };
    let mut sql = Sql::new(sql_url, database);
    let mut csv = options.report.as_deref().map(Csv::create).transpose()?;
    let mut is_settled = true;
    for key in keys(&options, &address).await? {
        let mut server = Server::connect(&address, &key).await?;
        server
            .link
            .check_commands(&COMMANDS)
            .await
            .map_err(Failure::CannotGoOn)?;
        let sale = learn(&options, key, &rules, &mut server).await?;
        check_sql(&sale, &mut sql).await?;
        let report = Report::new(
            &sale.key,
            &sale.wanted.sale_id,
            &server.link.server,
            sale.is_applied,
            csv.as_mut(),
        );
        let mut report = reconcile(&sale, &mut server, &mut sql, report).await?;
        report.check_csv()?;
        is_settled &= report.is_settled();
        match options.json {
            true => println!("{}", report.json()),
            false => print!("{}", report.table()),
        }
    }
    csv.as_mut().map_or(Ok(()), Csv::finish)?;
    Ok(u8::from(!is_settled))
}

/// Lets the database parse the operator's condition.
async fn check_condition(options: &Options, database: &mut sql::Database) -> Result<(), Failure> {
    if options.narrowed.is_none() {
        return Ok(());
    }
    let wanted = Wanted {
        sale_id: String::new(),
        narrowed: options.narrowed.clone(),
        with_payload: false,
    };
    let statement = rows::orders_sql(database.dialect(), &wanted, 1);
    let kinds = [sql::Kind::Text, sql::Kind::Bytes];
    let checked = database.check(&statement, &kinds).await;
    checked.map_err(|error| {
        let why = describe(&error);
        Failure::CannotGoOn(format!("--where: the database does not accept it: {why}"))
    })
}

/// Returns the keys of the sales to compare.
async fn keys(options: &Options, address: &Address) -> Result<Vec<String>, Failure> {
    match (&options.group_of, &options.sale) {
        (Some(sale), _) => {
            let names = crate::split::names::find(address, sale, &options.place).await;
            let names = names.map_err(Failure::CannotGoOn)?;
            Ok(names.parts.into_iter().map(|part| part.key).collect())
        }
        (None, Some(sale)) => Ok(vec![sale.clone()]),
        (None, None) => Ok(Vec::new()),
    }
}

/// Asks the sale what it is, and notes T0.
async fn learn<'a>(
    options: &Options,
    key: String,
    rules: &'a Rules,
    server: &mut Server,
) -> Result<Sale<'a>, Failure> {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(&key);
    let info = match server.ask(command).await {
        Ok(info) => pairs(&info),
        Err(Failure::CannotGoOn(text)) => {
            return Err(Failure::CannotGoOn(format!("{key}: {text}")));
        }
        Err(error) => return Err(error),
    };
    let text = |name: &str| {
        let value = field(&info, name).map(string);
        let missing = || {
            Failure::CannotGoOn(format!(
                "{key}: INFO has no {name}: load the module flashsale, 0.2.0 or later"
            ))
        };
        value.ok_or_else(missing)
    };
    let orders = text("orders")?.into_bytes();
    let t0 = last_entry(server, &orders).await?;
    Ok(Sale {
        group_name: text("group").ok().filter(|group| !group.is_empty()),
        wanted: Wanted {
            sale_id: text("sale_id")?,
            narrowed: options.narrowed.clone(),
            with_payload: options.apply,
        },
        t0,
        orders,
        is_applied: options.apply,
        group: options.group.clone(),
        rules,
        progress: Progress {
            sale: key.clone(),
            told: Mutex::new(Instant::now()),
        },
        key,
    })
}

/// Returns the last ID of the stream; zero where there is none.
async fn last_entry(server: &mut Server, orders: &[u8]) -> Result<EntryId, Failure> {
    match server.link.last_id(orders).await {
        Ok(last) => Ok(entry_id(&last).unwrap_or_default()),
        Err(error)
            if error
                .detail()
                .is_some_and(|text| text.contains("no such key")) =>
        {
            Ok(EntryId::default())
        }
        Err(error) => Err(Failure::CannotGoOn(format!(
            "{}: XINFO STREAM: {}",
            String::from_utf8_lossy(orders),
            explain(&error)
        ))),
    }
}

/// Stops where SQL has a sale of that name and another `sale_id`: it was made anew, and its
/// orders are not those of SQL. Warns where SQL has none of a sale that has entries: each of
/// them would be inserted.
async fn check_sql(sale: &Sale<'_>, sql: &mut Sql) -> Result<(), Failure> {
    let (sale_id, key) = (&sale.wanted.sale_id, sale.key.as_bytes());
    let found = sql
        .run(async |database| rows::acquaintance(database, sale_id, key).await)
        .await
        .map_err(|error| refused(&error))?;
    match found {
        Acquaintance::Namesake => Err(Failure::CannotGoOn(format!(
            "{}: SQL has orders of a sale of this name, and none of its sale_id {sale_id}: a sale that was lost goes on under its old one, CREATE ... SALEID",
            sale.key
        ))),
        Acquaintance::Stranger if sale.t0 > EntryId::default() => {
            log::warn(format!(
                "{}: SQL has no order of this sale: is it the right database? --apply inserts every order of the stream, with your hooks",
                sale.key
            ));
            Ok(())
        }
        Acquaintance::Known | Acquaintance::Stranger => Ok(()),
    }
}

/// Compares, and with `--apply` repairs.
async fn reconcile<'r>(
    sale: &Sale<'_>,
    server: &mut Server,
    sql: &mut Sql,
    mut report: Report<'r>,
) -> Result<Report<'r>, Failure> {
    let unwritten = orders::compare(sale, server, sql, &mut report).await?;
    stream::compare(sale, server, sql, &mut report).await?;
    trimmed::compare(sale, server, sql, unwritten, &mut report).await?;
    report.owed = owed(sale, server).await?;
    let address = server.address().clone();
    let key = sale.key.as_bytes();
    let audit = crate::link::audit(&server.link, &address, key, &sale.orders).await;
    let failed = |error| Failure::CannotGoOn(format!("AUDIT: {}", explain(&error)));
    report.audit = audit.map_err(failed)?;
    Ok(report)
}

/// Returns what the sale owes, by SKU.
async fn owed(sale: &Sale<'_>, server: &mut Server) -> Result<Vec<(String, i64)>, Failure> {
    let mut command = redis::cmd("FLASHSALE.SHARES");
    command.arg(&sale.key);
    let shares = pairs(&server.ask(command).await?);
    let Some(Value::Array(items)) = field(&shares, "items") else {
        return Err(Failure::CannotGoOn("SHARES shows no items".into()));
    };
    let owed = |item: &Value| match item {
        Value::Array(parts) => match parts.as_slice() {
            [sku, _, _, _, Value::Int(owed), ..] if *owed > 0 => Some((string(sku), *owed)),
            _ => None,
        },
        _ => None,
    };
    Ok(items.iter().filter_map(owed).collect())
}
