//! One look at sales and servers: what is read, as data.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use redis::{RedisError, Value};

use crate::link::{Address, Group, Link, explain, pairs, string};
use crate::sql::{Database, Kind};

/// Keys that one SCAN looks at, and how many SCANs look for sales at most.
const SCAN_COUNT: usize = 1_000;
const SCANS_MAX: usize = 1_000;

/// One sale.
#[derive(Debug, Default)]
pub struct Sale {
    pub key: String,
    /// The server that has it.
    pub server: String,
    pub state: String,
    pub orders: String,
    /// All whole numbers of INFO by name.
    pub numbers: BTreeMap<String, i64>,
    /// SKU, and available, reserved, sold.
    pub items: Vec<(String, [u64; 3])>,
    pub groups: Vec<Group>,
}

/// One server.
#[derive(Debug, Default)]
pub struct Server {
    pub name: String,
    pub version: String,
    /// Replicas: where, their state, and the age of what they last confirmed in seconds.
    pub replicas: Vec<(String, String, String)>,
    /// The numbers of `INFO flashsale`, without the prefix.
    pub counters: BTreeMap<String, i64>,
}

/// Everything at one moment.
#[derive(Debug, Default)]
pub struct Look {
    pub at: Option<Instant>,
    pub sales: Vec<Sale>,
    pub servers: Vec<Server>,
    /// Dead letters in SQL by reason; `None` where nobody asked for them.
    pub dead: Option<Vec<(String, i64)>>,
}

/// Whoever looks, with its connections.
pub struct Viewer {
    address: Address,
    /// As named; empty to look for them.
    named: Vec<String>,
    /// By sale.
    links: HashMap<String, Link>,
    found: Vec<String>,
}

impl Viewer {
    /// Makes a viewer without connections.
    pub fn new(address: Address, named: Vec<String>) -> Self {
        Self {
            address,
            found: named.clone(),
            named,
            links: HashMap::new(),
        }
    }

    /// Connects anew at the next look.
    pub fn forget_links(&mut self) {
        self.links.clear();
    }

    /// Looks at everything.
    ///
    /// # Errors
    ///
    /// In words: which server does not answer, which sale is not there.
    pub async fn look(&mut self, database: &mut Option<Database>) -> Result<Look, String> {
        if self.named.is_empty() && self.links.is_empty() {
            self.found = self.find().await?;
        }
        let mut look = Look {
            at: Some(Instant::now()),
            ..Look::default()
        };
        for key in self.found.clone() {
            let link = self.link(&key).await?;
            let sale = read_sale(&link, &key).await;
            let sale = sale.map_err(|error| format!("{key}: {}", explain(&error)))?;
            if !look.servers.iter().any(|known| known.name == sale.server) {
                let server = read_server(&link).await;
                look.servers
                    .push(server.map_err(|error| format!("{}: {}", link.server, explain(&error)))?);
            }
            look.sales.push(sale);
        }
        if self.found.is_empty() {
            let link = self.link("").await?;
            let server = read_server(&link).await;
            look.servers
                .push(server.map_err(|error| format!("{}: {}", link.server, explain(&error)))?);
        }
        if let Some(database) = database {
            look.dead = Some(read_dead(database).await?);
        }
        Ok(look)
    }

    /// Returns the connection to the server that has a key.
    async fn link(&mut self, key: &str) -> Result<Link, String> {
        if let Some(link) = self.links.get(key) {
            return Ok(link.clone());
        }
        let link = Link::connect(&self.address, key.as_bytes()).await;
        let link = link.map_err(|error| format!("Redis: {error}"))?;
        self.links.insert(key.to_owned(), link.clone());
        Ok(link)
    }

    /// Looks for sales by SCAN, which the server spreads over many short commands.
    async fn find(&mut self) -> Result<Vec<String>, String> {
        let link = self.link("").await?;
        let mut found = Vec::new();
        let mut cursor = "0".to_owned();
        for _ in 0..SCANS_MAX {
            let mut command = redis::cmd("SCAN");
            command.arg(&cursor).arg("COUNT").arg(SCAN_COUNT);
            command.arg("TYPE").arg("flashsale");
            let answer = link.ask(&command).await;
            let answer = answer.map_err(|error| format!("SCAN: {}", explain(&error)))?;
            let Value::Array(parts) = &answer else {
                break;
            };
            if let Some(Value::Array(keys)) = parts.get(1) {
                found.extend(keys.iter().map(string));
            }
            cursor = parts.first().map(string).unwrap_or_default();
            if cursor == "0" {
                break;
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

async fn read_sale(link: &Link, key: &str) -> Result<Sale, RedisError> {
    let mut sale = Sale {
        key: key.to_owned(),
        server: link.server.clone(),
        ..Sale::default()
    };
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(key);
    for (name, value) in pairs(&link.ask(&command).await?) {
        match (name.as_str(), value) {
            ("state", value) => sale.state = string(&value),
            ("orders", value) => sale.orders = string(&value),
            (_, Value::Int(number)) => {
                sale.numbers.insert(name, number);
            }
            _ => {}
        }
    }
    let mut command = redis::cmd("FLASHSALE.STOCK");
    command.arg(key);
    if let Value::Array(rows) = link.ask(&command).await? {
        sale.items = rows.iter().filter_map(item).collect();
    }
    // A stream that has no entry yet does not exist.
    sale.groups = match link.groups(sale.orders.as_bytes()).await {
        Err(error) if error.is_io_error() => return Err(error),
        groups => groups.unwrap_or_default(),
    };
    Ok(sale)
}

fn item(row: &Value) -> Option<(String, [u64; 3])> {
    let Value::Array(parts) = row else {
        return None;
    };
    let [sku, available, reserved, sold] = parts.as_slice() else {
        return None;
    };
    let units = [available, reserved, sold].map(|units| match units {
        Value::Int(number) => number.unsigned_abs(),
        _ => 0,
    });
    Some((string(sku), units))
}

async fn read_server(link: &Link) -> Result<Server, RedisError> {
    let info = link.info("server replication flashsale").await?;
    let version = match (info.get("valkey_version"), info.get("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, version) => format!("Redis {}", version.map_or("?", String::as_str)),
    };
    let counters = info.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("flashsale_")?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    let mut server = Server {
        name: link.server.clone(),
        version,
        counters: counters.collect(),
        replicas: Vec::new(),
    };
    for at in 0.. {
        let Some(line) = info.get(&format!("slave{at}")) else {
            return Ok(server);
        };
        let part = |name: &str| {
            let mut parts = line.split(',').filter_map(|part| part.split_once('='));
            let found = parts.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let place = format!("{}:{}", part("ip"), part("port"));
        server.replicas.push((place, part("state"), part("lag")));
    }
    Ok(server)
}

async fn read_dead(database: &mut Database) -> Result<Vec<(String, i64)>, String> {
    let sql = "SELECT reason, count(*) FROM flashsale_dead GROUP BY reason ORDER BY reason";
    let rows = database.query(sql, &[], &[Kind::Text, Kind::Int]).await;
    let rows = rows.map_err(|error| format!("SQL: {}", crate::sql::describe(&error)))?;
    let row = |row: &Vec<crate::sql::Value>| (row[0].text().to_owned(), row[1].int());
    Ok(rows.iter().map(row).collect())
}
