//! AUDIT, asked where it costs nobody anything: of a replica, once it has all that the primary
//! has.

use std::time::{Duration, Instant};

use redis::{RedisError, Value};

use super::{Address, Link, Way, pairs, string};

/// How long a replica may take to get all that the primary has.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(20);

/// What AUDIT says, and which server was asked.
#[derive(Default)]
pub struct Audit {
    pub place: String,
    pub consistent: bool,
    pub differences: Vec<String>,
}

impl Audit {
    /// Reports whether it finds nothing wrong.
    pub fn is_clean(&self) -> bool {
        self.consistent && self.differences.is_empty()
    }
}

/// Asks a replica for AUDIT, once it has all that the primary has; the primary itself where
/// there is none. Replicas of which none catches up are a difference.
///
/// # Errors
///
/// The server that is asked does not answer.
pub async fn audit(
    link: &Link,
    address: &Address,
    sale: &[u8],
    orders: &[u8],
) -> Result<Audit, RedisError> {
    let replica = find_replica(link, address).await?;
    let mut behind = Vec::new();
    let (asked, place) = match &replica {
        Replica::CaughtUp(replica) => (replica, format!("the replica {}", replica.server)),
        Replica::None => (link, format!("{}, which has no replica", link.server)),
        Replica::Behind(text) => {
            behind.push(text.clone());
            (link, format!("the primary {}", link.server))
        }
    };
    let mut command = redis::cmd("FLASHSALE.AUDIT");
    command.arg(sale).arg(orders);
    let mut audit = Audit {
        place,
        ..Audit::default()
    };
    // A million reservations with a million entries take some seconds, on a busy core many.
    let patient = asked.patient(address).await;
    let asked = patient.as_ref().unwrap_or(asked);
    if matches!(replica, Replica::CaughtUp(_)) {
        // Or it redirects in a cluster, each connection for itself. Elsewhere this is an error, which
        // does no harm.
        let _ = asked.ask(&redis::cmd("READONLY")).await;
    }
    for (name, value) in pairs(&asked.ask(&command).await?) {
        match (name.as_str(), value) {
            ("consistent", value) => audit.consistent = value == Value::Int(1),
            ("differences", Value::Array(texts)) => {
                audit.differences = texts.iter().map(string).collect();
            }
            _ => {}
        }
    }
    audit.differences.extend(behind);
    Ok(audit)
}

/// Where AUDIT can be asked beside the primary.
enum Replica {
    None,
    CaughtUp(Link),
    /// None of them can be asked, in words.
    Behind(String),
}

/// Looks for a replica that has all that the primary has now.
async fn find_replica(link: &Link, address: &Address) -> Result<Replica, RedisError> {
    let info = link.info("replication").await?;
    let offset = info.get("master_repl_offset");
    let offset = offset.and_then(|at| at.parse::<u64>().ok()).unwrap_or(0);
    let is_replica = |name: &str| {
        let number = name.strip_prefix("slave");
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let replicas: Vec<_> = info
        .iter()
        .filter(|(name, _)| is_replica(name))
        .filter_map(|(_, line)| server_of(line))
        .collect();
    if replicas.is_empty() {
        return Ok(Replica::None);
    }
    let deadline = Instant::now() + CATCH_UP_WITHIN;
    while Instant::now() < deadline {
        for server in &replicas {
            if let Some(replica) = caught_up(address, server, offset).await {
                return Ok(Replica::CaughtUp(replica));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let names: Vec<String> = replicas
        .iter()
        .map(|(host, port)| format!("{host}:{port}"))
        .collect();
    let seconds = CATCH_UP_WITHIN.as_secs();
    Ok(Replica::Behind(format!(
        "no replica has caught up and can be asked within {seconds} s: {}",
        names.join(", ")
    )))
}

/// Returns host and port of a replica's line in INFO.
fn server_of(line: &str) -> Option<(String, u16)> {
    let part = |name: &str| {
        let mut parts = line.split(',').filter_map(|part| part.split_once('='));
        let found = parts.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    };
    Some((part("ip")?, part("port")?.parse().ok()?))
}

/// Returns a connection to a replica, if it can be reached and has come so far.
async fn caught_up(address: &Address, server: &(String, u16), offset: u64) -> Option<Link> {
    let address = address.of_server(server.clone(), Way::Direct);
    let replica = Link::connect_to_any(&address).await.ok()?;
    let info = replica.info("replication").await.ok()?;
    let reached: u64 = info.get("slave_repl_offset")?.parse().ok()?;
    (reached >= offset).then_some(replica)
}
