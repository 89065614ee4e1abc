//! What has to be there before the first buyer: a server with the module, and a sale of load's own.

use std::net::{SocketAddr, ToSocketAddrs};

use redis::Value;

use crate::failure::Failure;
use crate::link::{Address, Link, explain, pairs, string};

use super::buyer::ITEMS;
use super::clock::Clock;
use super::line;
use super::options::{Options, Shape};
use super::request::Sale;

/// How late a payment can still succeed.
pub const GRACE_MS: u64 = 300;
/// Who comes in the first moments is too early.
pub const EARLY_MS: u64 = 50;
/// Most places in line: more than can come.
const WAITING_MAX: u64 = 100_000_000;

/// What a run sends or reads in any case.
const COMMANDS: [&str; 9] = [
    "FLASHSALE.CREATE",
    "FLASHSALE.RESERVE",
    "FLASHSALE.CHECKOUT",
    "FLASHSALE.RELEASE",
    "FLASHSALE.STOCK",
    "FLASHSALE.INFO",
    "FLASHSALE.GET",
    "FLASHSALE.SCAN",
    "FLASHSALE.AUDIT",
];
const OF_BATCHES: [&str; 3] = [
    "FLASHSALE.MRESERVE",
    "FLASHSALE.MCHECKOUT",
    "FLASHSALE.MRELEASE",
];

pub async fn connect(address: &Address, sale: &Sale) -> Result<Link, Failure> {
    let link = Link::connect(address, sale.key.as_bytes()).await;
    link.map_err(|error| Failure::cannot("Redis", error))
}

/// Asks for the commands that the run needs.
pub async fn check_commands(link: &Link, options: &Options) -> Result<(), Failure> {
    let mut names = COMMANDS.to_vec();
    if options.batch.is_some() {
        names.extend(OF_BATCHES);
    }
    if options.shape == Shape::Soak {
        names.push("FLASHSALE.RESTOCK");
    }
    let mut command = redis::cmd("COMMAND");
    command.arg("INFO").arg(&names);
    let found = link.ask(&command).await;
    let found = found.map_err(|error| Failure::cannot("COMMAND INFO", explain(&error)))?;
    let known = match &found {
        Value::Array(known) => known.as_slice(),
        _ => &[],
    };
    for (at, name) in names.iter().enumerate() {
        if !matches!(known.get(at), Some(Value::Array(_))) {
            return Err(Failure::CannotGoOn(format!(
                "{} has no {name}: the module flashsale 0.2.0 or later is needed",
                link.server
            )));
        }
    }
    Ok(())
}

pub async fn server_ms(link: &Link) -> Result<u64, Failure> {
    let time = link.ask(&redis::cmd("TIME")).await;
    let time = time.map_err(|error| Failure::cannot("TIME", explain(&error)))?;
    let parts = match &time {
        Value::Array(parts) => parts.iter().filter_map(|part| string(part).parse().ok()),
        _ => return Err(Failure::cannot("TIME", "no answer that can be read")),
    };
    let parts: Vec<u64> = parts.collect();
    match parts.as_slice() {
        [seconds, micros] => Ok(seconds * 1_000 + micros / 1_000),
        _ => Err(Failure::cannot("TIME", "no answer that can be read")),
    }
}

/// Creates the sale. A spike begins a moment before it opens, so that some come too early.
pub async fn create(
    link: &Link,
    options: &Options,
    sale: &Sale,
    stock: &[u64],
    order_limit: u64,
    clock: Clock,
) -> Result<(), Failure> {
    let mut command = redis::cmd("FLASHSALE.CREATE");
    command.arg(&sale.key).arg(&sale.orders);
    command.arg("ITEMS").arg(ITEMS.len());
    for ((sku, _), units) in ITEMS.iter().zip(stock) {
        command.arg(sku).arg(units);
    }
    command.arg("USERLIMIT").arg(options.user_limit);
    command.arg("ORDERLIMIT").arg(order_limit);
    command.arg("HOLD").arg(options.hold_ms());
    command.arg("GRACE").arg(GRACE_MS);
    if options.wait {
        command.arg("WAITING").arg(WAITING_MAX);
        command.arg("PATIENCE").arg(line::PATIENCE_MS);
    }
    if options.shape == Shape::Spike {
        command.arg("START").arg(clock.ms_of(EARLY_MS * 1_000));
    }
    match link.ask(&command).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::cannot("FLASHSALE.CREATE", explain(&error))),
    }
}

/// Limits of a sale that is there; `None` where it has none.
pub struct Limits {
    pub user: Option<u64>,
    pub order: Option<u64>,
    pub grace_ms: u64,
}

/// Reads the limits of a sale, and where its orders go.
///
/// # Errors
///
/// There is no such sale.
pub async fn limits(link: &Link, sale: &Sale) -> Result<(Limits, String), Failure> {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(&sale.key);
    let info = link.ask(&command).await;
    let info = pairs(&info.map_err(|error| Failure::cannot(&sale.key, explain(&error)))?);
    let field = |name: &str| info.iter().find(|(known, _)| known == name);
    let number = |name: &str| match field(name)?.1 {
        Value::Int(number) => u64::try_from(number).ok(),
        _ => None,
    };
    let limits = Limits {
        user: number("userlimit"),
        order: number("orderlimit"),
        grace_ms: number("grace_ms").unwrap_or(0),
    };
    let orders = field("orders").map(|(_, orders)| string(orders));
    Ok((limits, orders.unwrap_or_default()))
}

pub async fn sale_id(link: &Link, sale: &Sale) -> Result<String, Failure> {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(&sale.key);
    let info = link.ask(&command).await;
    let info = info.map_err(|error| Failure::cannot("FLASHSALE.INFO", explain(&error)))?;
    let id = pairs(&info).into_iter().find(|(name, _)| name == "sale_id");
    id.map(|(_, id)| string(&id)).ok_or_else(|| {
        Failure::cannot(
            "FLASHSALE.INFO",
            "it has no sale_id: 0.2.0 or later is needed",
        )
    })
}

pub fn socket_of(server: &str) -> Result<SocketAddr, Failure> {
    let mut found = server
        .to_socket_addrs()
        .map_err(|error| Failure::cannot(server, error))?;
    found
        .next()
        .ok_or_else(|| Failure::cannot(server, "it has no address"))
}
