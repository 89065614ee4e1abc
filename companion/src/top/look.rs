//! One look at sales and servers: what is read, as data.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use redis::{RedisError, Value};

use crate::link::{
    Address, Group, Link, ReplicaRow, StockRow, explain, moved_to, pairs, replicas, server_version,
    stock_rows, string,
};
use crate::sql::{Database, Kind};

/// Keys that one SCAN looks at, and how many SCANs look for sales at most.
const SCAN_COUNT: usize = 1_000;
const SCANS_MAX: usize = 1_000;

/// The commands of the module that are sent.
const COMMANDS: [&str; 2] = ["FLASHSALE.INFO", "FLASHSALE.STOCK"];

/// What is to be seen of one sale.
#[derive(Debug, Default)]
pub struct SaleLook {
    pub key: String,
    pub state: String,
    pub orders: String,
    /// All whole numbers of INFO by name.
    pub numbers: BTreeMap<String, i64>,
    pub items: Vec<StockRow>,
    pub groups: Vec<Group>,
}

/// What is to be seen of one server.
#[derive(Debug, Default)]
pub struct ServerLook {
    pub name: String,
    pub version: String,
    pub replicas: Vec<ReplicaRow>,
    /// The numbers of `INFO flashsale`, without the prefix.
    pub counters: BTreeMap<String, i64>,
}

/// Everything at one moment.
#[derive(Debug, Default)]
pub struct Look {
    pub at: Option<Instant>,
    pub sales: Vec<SaleLook>,
    /// For each sale that its server refuses to show, a line that says why.
    pub refused: Vec<String>,
    pub servers: Vec<ServerLook>,
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
    /// In words: which server does not answer, or why none of the named sales is shown.
    pub async fn look(&mut self, database: &mut Option<Database>) -> Result<Look, String> {
        let must_find = self.named.is_empty();
        if must_find && self.links.is_empty() {
            self.found = self.find().await?;
        }
        let mut look = Look {
            at: Some(Instant::now()),
            ..Look::default()
        };
        for key in self.found.clone() {
            let link = self.link(&key).await?;
            match read_sale(&link, &key).await {
                Ok(sale) => look.sales.push(sale),
                Err(error) => {
                    let text = format!("{key}: {}", explain(&error));
                    if error.code().is_none() || moved_to(&error).is_some() {
                        return Err(text);
                    }
                    look.refused.push(text);
                }
            }
            add_server(&link, &mut look).await?;
        }
        if must_find && !look.refused.is_empty() {
            // Nobody named them, so a sale that is gone is no fault: the next look finds anew.
            look.refused.clear();
            self.links.clear();
        }
        if look.sales.is_empty() && !look.refused.is_empty() {
            return Err(look.refused.join("\n"));
        }
        if self.found.is_empty() {
            let link = self.link("").await?;
            add_server(&link, &mut look).await?;
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
        link.check_commands(&COMMANDS).await?;
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

async fn read_sale(link: &Link, key: &str) -> Result<SaleLook, RedisError> {
    let mut sale = SaleLook {
        key: key.to_owned(),
        ..SaleLook::default()
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
    sale.items = stock_rows(&link.ask(&command).await?).unwrap_or_default();
    // A stream that has no entry yet does not exist.
    sale.groups = match link.groups(sale.orders.as_bytes()).await {
        Err(error) if error.is_io_error() => return Err(error),
        groups => groups.unwrap_or_default(),
    };
    Ok(sale)
}

/// Adds the server of a connection, unless the look has it already.
async fn add_server(link: &Link, look: &mut Look) -> Result<(), String> {
    if look.servers.iter().all(|known| known.name != link.server) {
        let server = read_server(link).await;
        let server = server.map_err(|error| format!("{}: {}", link.server, explain(&error)))?;
        look.servers.push(server);
    }
    Ok(())
}

async fn read_server(link: &Link) -> Result<ServerLook, RedisError> {
    let info = link.info("server replication flashsale").await?;
    let counters = info.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("flashsale_")?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Ok(ServerLook {
        name: link.server.clone(),
        version: server_version(&info),
        counters: counters.collect(),
        replicas: replicas(&info),
    })
}

async fn read_dead(database: &mut Database) -> Result<Vec<(String, i64)>, String> {
    let sql = "SELECT reason, count(*) FROM flashsale_dead GROUP BY reason ORDER BY reason";
    let rows = database.query(sql, &[], &[Kind::Text, Kind::Int]).await;
    let rows = rows.map_err(|error| format!("SQL: {}", crate::sql::describe(&error)))?;
    let row = |row: &Vec<crate::sql::Value>| (row[0].text().to_owned(), row[1].int());
    Ok(rows.iter().map(row).collect())
}
