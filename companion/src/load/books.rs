//! The books as the servers and the database show them, read once everybody has left.
//!
//! Edge: reads only, with commands that any client has. What they should say is in `checks`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use redis::{RedisError, Value};

use crate::link::{Audit, Link, Raw, integer, pairs, string};
use crate::sql::{Database, Kind};

use super::request::Sale;

/// How many stream entries or reservations are read at a time.
const PAGE: usize = 1_000;

/// Units by item.
pub type Units = Vec<u64>;

/// An `order` entry of the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    pub entry_id: String,
    pub user: String,
    pub units: Units,
}

/// A reservation as GET shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    pub state: String,
    pub user: String,
    pub units: Units,
    pub order_id: String,
}

/// The order stream, deduplicated as its consumers would.
#[derive(Default)]
pub struct Stream {
    pub by_id: HashMap<String, Order>,
    /// Entries that nothing in a load can write, in words.
    pub strange: Vec<String>,
}

/// Orders in SQL: units by id.
pub type SqlRows = HashMap<String, u64>;

/// Everything there is to compare.
#[derive(Default)]
pub struct Books {
    /// By item: available, reserved, sold.
    pub stock: Vec<[u64; 3]>,
    pub info: BTreeMap<String, i64>,
    pub stream: Stream,
    /// Every reservation that SCAN finds.
    pub known: HashMap<String, Known>,
    /// What GET says of the ids that buyers were promised something of.
    pub promised: HashMap<String, Option<Known>>,
    pub audit: Audit,
    pub sql: Option<SqlRows>,
}

/// Reads all books of the sale from the primary.
///
/// # Errors
///
/// The server does not answer.
pub async fn read(link: &Link, sale: &Sale, promised: Vec<&String>) -> Result<Books, RedisError> {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(&sale.key);
    let info = pairs(&link.ask(&command).await?).into_iter();
    let info = info.filter_map(|(name, value)| match value {
        Value::Int(number) => Some((name, number)),
        _ => None,
    });
    Ok(Books {
        stock: read_stock(link, sale).await?,
        info: info.collect(),
        stream: read_stream(link, sale).await?,
        known: scan(link, sale).await?,
        promised: look_up(link, sale, promised).await?,
        audit: Audit::default(),
        sql: None,
    })
}

/// Returns the stock by item: available, reserved, sold.
pub async fn read_stock(link: &Link, sale: &Sale) -> Result<Vec<[u64; 3]>, RedisError> {
    let mut command = redis::cmd("FLASHSALE.STOCK");
    command.arg(&sale.key);
    let mut stock = vec![[0; 3]; sale.items.len()];
    if let Value::Array(rows) = link.ask(&command).await? {
        for row in &rows {
            let Value::Array(parts) = row else {
                continue;
            };
            let sku = parts.first().map(string).unwrap_or_default();
            if let Some(at) = sale.item(&sku) {
                for (number, part) in stock[at].iter_mut().zip(&parts[1..]) {
                    *number = number_of(part);
                }
            }
        }
    }
    Ok(stock)
}

/// Waits until nobody is in line and no reservation is open: whoever abandoned a place or a cart is
/// gone, but its turn or its deadline has yet to come.
pub async fn wait_until_none_is_open(
    link: &Link,
    sale: &Sale,
    at_most: Duration,
) -> Result<(), RedisError> {
    let deadline = Instant::now() + at_most;
    loop {
        let is_waited = is_waited(link, sale).await?;
        let stock = read_stock(link, sale).await?;
        let is_over = !is_waited && stock.iter().all(|item| item[1] == 0);
        if is_over || Instant::now() > deadline {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Returns how many entries the group of load's worker has not stored; `None` without the group.
///
/// # Errors
///
/// The server does not answer.
pub async fn unstored(link: &Link, sale: &Sale) -> Result<Option<i64>, RedisError> {
    let groups = link.groups(sale.orders.as_bytes()).await?;
    let group = groups.into_iter().find(|group| group.name == b"load");
    Ok(group.and_then(|group| Some(group.lag? + group.pending)))
}

/// Reports whether somebody is in line; in a module without lines nobody is.
async fn is_waited(link: &Link, sale: &Sale) -> Result<bool, RedisError> {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(&sale.key);
    let waiting = integer(&pairs(&link.ask(&command).await?), "waiting");
    Ok(waiting.is_some_and(|count| count > 0))
}

async fn read_stream(link: &Link, sale: &Sale) -> Result<Stream, RedisError> {
    let mut stream = Stream::default();
    let mut from = "-".to_owned();
    loop {
        let entries = link.range(sale.orders.as_bytes(), &from, PAGE).await?;
        let Some(last) = entries.last() else {
            return Ok(stream);
        };
        from = format!("({}", last.id);
        entries.iter().for_each(|entry| stream.take(entry, sale));
    }
}

impl Stream {
    fn take(&mut self, entry: &Raw, sale: &Sale) {
        let fields = entry.fields.as_deref().unwrap_or_default();
        let field = |name: &str| {
            let found = fields.iter().find(|(known, _)| known == name.as_bytes());
            found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let text = |name: &str| field(name).unwrap_or_default();
        let (event, id) = (text("event"), text("id"));
        // A sale with `EVENTS all` has more, and a newer module more again.
        if !["order", "refund", ""].contains(&event.as_str()) {
            return;
        }
        if event != "order" {
            self.strange
                .push(format!("{} is a {event:?} of {id}", entry.id));
            return;
        }
        let order = Order {
            entry_id: entry.id.clone(),
            user: text("user"),
            units: units_of_json(&text("items"), sale),
        };
        if let Some(first) = self.by_id.get(&id) {
            self.strange.push(format!(
                "{id} is sold twice, by {} and {}",
                first.entry_id, entry.id
            ));
            return;
        }
        self.by_id.insert(id, order);
    }
}

/// Reads every reservation, found by SCAN: what an auditor without AUDIT would do.
async fn scan(link: &Link, sale: &Sale) -> Result<HashMap<String, Known>, RedisError> {
    let mut all = HashMap::new();
    let mut cursor = "0".to_owned();
    loop {
        let mut command = redis::cmd("FLASHSALE.SCAN");
        command.arg(&sale.key).arg(&cursor).arg("COUNT").arg(PAGE);
        let Value::Array(parts) = link.ask(&command).await? else {
            return Ok(all);
        };
        let ids: HashSet<String> = match parts.get(1) {
            Some(Value::Array(ids)) => ids.iter().map(string).collect(),
            _ => HashSet::new(),
        };
        let found = look_up(link, sale, ids.iter().collect()).await?;
        all.extend(
            found
                .into_iter()
                .filter_map(|(id, known)| Some((id, known?))),
        );
        cursor = parts.first().map(string).unwrap_or_default();
        if cursor.is_empty() || cursor == "0" {
            return Ok(all);
        }
    }
}

/// Asks GET of each id.
async fn look_up(
    link: &Link,
    sale: &Sale,
    ids: Vec<&String>,
) -> Result<HashMap<String, Option<Known>>, RedisError> {
    let mut all = HashMap::with_capacity(ids.len());
    for page in ids.chunks(PAGE) {
        let command = |id: &&String| {
            let mut command = redis::cmd("FLASHSALE.GET");
            command.arg(&sale.key).arg(id.as_str());
            command
        };
        let answers = link.ask_all(page.iter().map(command).collect()).await?;
        for (id, answer) in page.iter().zip(&answers) {
            all.insert((*id).clone(), known_of(answer, sale));
        }
    }
    Ok(all)
}

fn known_of(answer: &Value, sale: &Sale) -> Option<Known> {
    let Value::Array(_) = answer else {
        return None;
    };
    let mut known = Known {
        units: vec![0; sale.items.len()],
        ..Known::default()
    };
    for (name, value) in pairs(answer) {
        match name.as_str() {
            "state" => known.state = string(&value),
            "user" => known.user = string(&value),
            "order_id" => known.order_id = string(&value),
            "items" => {
                if let Value::Array(items) = &value {
                    items
                        .iter()
                        .for_each(|item| add_units(&mut known.units, item, sale));
                }
            }
            _ => {}
        }
    }
    Some(known)
}

fn add_units(units: &mut Units, item: &Value, sale: &Sale) {
    if let Value::Array(pair) = item
        && let [sku, count] = pair.as_slice()
        && let Some(at) = sale.item(&string(sku))
    {
        units[at] += number_of(count);
    }
}

fn units_of_json(items: &str, sale: &Sale) -> Units {
    let mut units = vec![0; sale.items.len()];
    let parsed: serde_json::Value = serde_json::from_str(items).unwrap_or_default();
    for line in parsed.as_array().into_iter().flatten() {
        let sku = line["sku"].as_str().unwrap_or_default();
        if let Some(at) = sale.item(sku) {
            units[at] += line["qty"].as_u64().unwrap_or(0);
        }
    }
    units
}

fn number_of(value: &Value) -> u64 {
    match value {
        Value::Int(number) => number.unsigned_abs(),
        _ => 0,
    }
}

/// Reads the orders of a sale from SQL.
///
/// # Errors
///
/// The database does not answer.
pub async fn read_sql(url: &str, sale_id: &str) -> Result<SqlRows, sqlx::Error> {
    let mut database = Database::connect(url).await?;
    // A ULID, from the server: nothing in it needs a quote.
    let sale_id: String = sale_id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let sql = format!("SELECT id, qty FROM flashsale_orders WHERE sale_id = '{sale_id}'");
    let rows = database.query(&sql, &[], &[Kind::Bytes, Kind::Int]).await?;
    database.close().await;
    let row = |row: &Vec<crate::sql::Value>| {
        let id = String::from_utf8_lossy(row[0].bytes()).into_owned();
        (id, row[1].int().unsigned_abs())
    };
    Ok(rows.iter().map(row).collect())
}
