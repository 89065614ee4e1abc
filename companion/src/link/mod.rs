//! A connection to the primary that has a stream: found directly, by Sentinel, or in a
//! cluster. It never reconnects by itself, so that an XACK goes to the server, and by the
//! connection, that its entries were read from.

mod address;
mod audit;
mod commands;
mod replies;

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, RedisError, Value};

pub use address::{Address, Way};
pub use audit::{Audit, audit};
pub use commands::{Fields, Group, Raw, entries, entry_ms, range_command};
pub use replies::{
    ReplicaRow, StockRow, bytes, field, integer, pairs, replicas, server_version, stock_rows,
    string,
};

/// How long the server may keep a read waiting for entries.
pub const BLOCK_MS: u64 = 5_000;

/// A command that is unanswered for so long has lost its connection. It is longer than BLOCK.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The same for what reads a whole sale and its stream: AUDIT of millions.
const LONG_ANSWER_WITHIN: Duration = Duration::from_secs(600);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A redirection leads to a redirection so often at most.
const REDIRECTIONS: usize = 5;

/// Why there is no connection.
#[derive(Debug)]
pub enum LinkError {
    Redis(RedisError),
    /// No primary could be found, in words.
    NoPrimary(String),
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redis(error) => formatter.write_str(&explain(error)),
            Self::NoPrimary(text) => formatter.write_str(text),
        }
    }
}

/// Describes an error in one line, as the server words it.
pub fn explain(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        // Redis stops all shards for a lost one unless it is told not to.
        (Some("CLUSTERDOWN"), detail) => format!(
            "CLUSTERDOWN {}; with cluster-require-full-coverage no, a lost shard stops no other",
            detail.unwrap_or_default()
        ),
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        _ => error.to_string(),
    }
    .replace('\n', " ")
}

impl From<RedisError> for LinkError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// One connection to a primary.
#[derive(Clone)]
pub struct Link {
    connection: MultiplexedConnection,
    /// Another one after a restart or a failover; empty if the user may not ask.
    pub run_id: String,
    pub version: String,
    pub server: String,
    client_id: i64,
    is_replica: bool,
}

impl Link {
    /// Connects to the primary that has the key of a stream.
    ///
    /// # Errors
    ///
    /// No server answers, or none is a primary.
    pub async fn connect(address: &Address, key: &[u8]) -> Result<Self, LinkError> {
        let mut probe = redis::cmd("XPENDING");
        probe.arg(key).arg("flashsale-where-are-you");
        Self::connect_by(address, &probe).await
    }

    /// Connects to the primary that answers the probe, a command with the key. In a cluster
    /// all other nodes redirect it.
    ///
    /// # Errors
    ///
    /// No server answers, or none is a primary.
    pub async fn connect_by(address: &Address, probe: &Cmd) -> Result<Self, LinkError> {
        let servers = match &address.way {
            Way::Sentinel(name) => vec![address.ask_sentinels(name).await?],
            Way::Cluster | Way::Direct => address.servers.clone(),
        };
        let mut last = LinkError::NoPrimary("no server given".into());
        for (host, port) in servers {
            let server = format!("{host}:{port}");
            match Self::to(address, host, port, probe).await {
                Ok(link) => return Ok(link),
                Err(LinkError::Redis(error)) => {
                    last = LinkError::NoPrimary(format!("{server}: {}", explain(&error)));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn to(
        address: &Address,
        mut host: String,
        mut port: u16,
        probe: &Cmd,
    ) -> Result<Self, LinkError> {
        for _ in 0..REDIRECTIONS {
            let link = Self::open(address, &host, port).await?;
            if link.is_replica {
                let text = format!("{} is a replica", link.server);
                return Err(LinkError::NoPrimary(text));
            }
            if address.way != Way::Cluster {
                return Ok(link);
            }
            // Any other answer, NOGROUP for one, comes from the node that has the slot.
            match link.ask(probe).await {
                Err(error) => match moved_to(&error) {
                    Some(node) => (host, port) = split_node(node, &host)?,
                    None if error.is_io_error() => return Err(error.into()),
                    None => return Ok(link),
                },
                Ok(_) => return Ok(link),
            }
        }
        Err(LinkError::NoPrimary(
            "the cluster redirects without end".into(),
        ))
    }

    /// Connects to the first server of the address, be it a replica.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub async fn connect_to_any(address: &Address) -> Result<Self, LinkError> {
        match address.servers.first() {
            Some((host, port)) => Self::open(address, host, *port).await,
            None => Err(LinkError::NoPrimary("no server given".into())),
        }
    }

    /// Connects to the same server once more, for what takes it long to answer.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub async fn patient(&self, address: &Address) -> Result<Self, LinkError> {
        let (host, port) = split_node(&self.server, "")?;
        Self::open_within(address, &host, port, LONG_ANSWER_WITHIN).await
    }

    async fn open(address: &Address, host: &str, port: u16) -> Result<Self, LinkError> {
        Self::open_within(address, host, port, ANSWER_WITHIN).await
    }

    async fn open_within(
        address: &Address,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<Self, LinkError> {
        let info = address.url(host, port).into_connection_info()?;
        // CLIENT SETINFO would be one right more, which Redis 7.0 does not even know.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let client = Client::open(info.set_redis_settings(settings))?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(within))
            .set_connection_timeout(Some(CONNECT_WITHIN));
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut link = Self {
            connection,
            run_id: String::new(),
            version: String::new(),
            server: format!("{host}:{port}"),
            client_id: 0,
            is_replica: false,
        };
        link.learn().await?;
        Ok(link)
    }

    /// Asks the server what it is. A user without INFO can do without: then another primary
    /// goes unnoticed.
    async fn learn(&mut self) -> Result<(), LinkError> {
        if let Ok(Value::Int(id)) = self.ask(redis::cmd("CLIENT").arg("ID")).await {
            self.client_id = id;
        }
        let info = match self.info("server replication").await {
            Ok(info) => info,
            Err(error) if error.code() == Some("NOPERM") => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let value = |name: &str| info.get(name).cloned().unwrap_or_default();
        self.run_id = value("run_id");
        self.version = value("redis_version");
        self.is_replica = value("role") == "slave";
        Ok(())
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    ///
    /// The server answers an error, or not at all.
    pub async fn ask(&self, command: &Cmd) -> Result<Value, RedisError> {
        let value = self.connection.clone().send_packed_command(command).await?;
        match value {
            Value::ServerError(error) => Err(error.into()),
            value => Ok(value),
        }
    }

    /// Checks that the server knows these commands of the module.
    ///
    /// # Errors
    ///
    /// One is unknown, or the server does not answer: in words.
    pub async fn check_commands(&self, names: &[&str]) -> Result<(), String> {
        let mut command = redis::cmd("COMMAND");
        command.arg("INFO").arg(names);
        let known = match self.ask(&command).await {
            Ok(Value::Array(known)) => known,
            Err(error) if error.code() != Some("NOPERM") => {
                return Err(format!("Redis: {}", explain(&error)));
            }
            // Without that right the first request shows what is missing.
            _ => return Ok(()),
        };
        let mut pairs = names.iter().zip(&known);
        match pairs.find(|(_, known)| **known == Value::Nil) {
            None => Ok(()),
            Some((name, _)) => Err(format!(
                "{} does not know {name}: load the module flashsale, 0.2.0 or later",
                self.server
            )),
        }
    }

    /// Returns the fields of some sections of INFO, which a space separates.
    ///
    /// # Errors
    ///
    /// The user has no right to INFO, or the server does not answer.
    pub async fn info(&self, sections: &str) -> Result<HashMap<String, String>, RedisError> {
        let mut command = redis::cmd("INFO");
        for section in sections.split(' ') {
            command.arg(section);
        }
        let text = string(&self.ask(&command).await?);
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Ok(fields.collect())
    }

    /// Sends many commands at once; an answer may be an error.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn ask_all(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, RedisError> {
        let count = commands.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command);
        }
        let mut connection = self.connection.clone();
        connection.send_packed_commands(&pipeline, 0, count).await
    }
}

/// Returns the node that has the slot now; `None` unless the error is MOVED.
///
/// ASK is none of these: the slot is on its way, and the node that ASK names redirects back
/// whoever does not say ASKING first. The node that answers ASK remains the one to ask until
/// the slot has arrived, which is when it answers MOVED.
pub fn moved_to(error: &RedisError) -> Option<&str> {
    let (node, _) = error.redirect_node()?;
    (error.code() == Some("MOVED")).then_some(node)
}

fn split_node(node: &str, host_before: &str) -> Result<(String, u16), LinkError> {
    let wrong = || LinkError::NoPrimary(format!("the cluster redirects to {node:?}"));
    let (host, port) = node.rsplit_once(':').ok_or_else(wrong)?;
    // Without a host: the one that has answered.
    let host = if host.is_empty() { host_before } else { host };
    Ok((host.to_owned(), port.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    #[test]
    fn a_cluster_that_is_down_is_told_how_not_to_be() {
        let told = |line: &[u8]| match redis::parse_redis_value(line) {
            Ok(Value::ServerError(error)) => super::explain(&error.into()),
            other => panic!("{other:?}"),
        };
        assert_eq!(told(b"-NOSALE no such sale\r\n"), "NOSALE no such sale");
        let down = told(b"-CLUSTERDOWN The cluster is down\r\n");
        assert!(
            down.starts_with("CLUSTERDOWN The cluster is down; "),
            "{down}"
        );
        assert!(down.contains("cluster-require-full-coverage no"), "{down}");
    }
}
