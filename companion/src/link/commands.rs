//! The commands of a consumer group, and their answers as data.

use redis::{Cmd, RedisError, Value};

use super::replies::{bytes, field, integer, pairs, string};
use super::{BLOCK_MS, Link};

/// Names and values as a server sends them.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One entry as it was read. `fields` is `None` where the stream was trimmed while the entry
/// was pending.
#[derive(Clone, Debug)]
pub struct Raw {
    pub id: String,
    pub fields: Option<Fields>,
}

/// What XAUTOCLAIM has handed over.
pub struct Claimed {
    /// Where to go on; `0-0` at the end.
    pub next: String,
    pub entries: Vec<Raw>,
}

/// A consumer group as XINFO and XPENDING describe it.
#[derive(Debug, Default)]
pub struct Group {
    pub name: Vec<u8>,
    pub last_delivered: String,
    /// Entries that the group was not given yet; the server may not know.
    pub lag: Option<i64>,
    pub pending: i64,
    /// The ID of the oldest pending entry.
    pub oldest: Option<String>,
}

impl Link {
    /// Makes the group at the first entry, and the stream if it is not there. Never at the
    /// last entry: to read again is harmless, to pass over is not.
    pub async fn make_group(&self, stream: &[u8], group: &str) -> Result<(), RedisError> {
        let mut command = redis::cmd("XGROUP");
        command
            .arg("CREATE")
            .arg(stream)
            .arg(group)
            .arg("0")
            .arg("MKSTREAM");
        match self.ask(&command).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Reads entries behind `from`: pending ones of this consumer behind an ID, or with `>`
    /// those that nobody was given yet.
    pub async fn read(
        &self,
        stream: &[u8],
        group: &str,
        consumer: &str,
        from: &str,
        count: usize,
        may_block: bool,
    ) -> Result<Vec<Raw>, RedisError> {
        let mut command = redis::cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(group)
            .arg(consumer)
            .arg("COUNT")
            .arg(count);
        if may_block {
            command.arg("BLOCK").arg(BLOCK_MS);
        }
        command.arg("STREAMS").arg(stream).arg(from);
        Ok(match self.ask(&command).await? {
            // [[stream, entries]], or in RESP3 a map.
            Value::Array(mut streams) if !streams.is_empty() => match streams.swap_remove(0) {
                Value::Array(mut pair) if pair.len() == 2 => entries(pair.swap_remove(1)),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        })
    }

    /// Returns entries of a stream from an ID on, without a group.
    pub async fn range(
        &self,
        stream: &[u8],
        from: &str,
        count: usize,
    ) -> Result<Vec<Raw>, RedisError> {
        let command = range_command(stream, from, "+", count);
        Ok(entries(self.ask(&command).await?))
    }

    /// Ends a read that blocks on another connection.
    pub async fn unblock(&self, other: &Self) -> Result<(), RedisError> {
        let mut command = redis::cmd("CLIENT");
        command.arg("UNBLOCK").arg(other.client_id);
        self.ask(&command).await.map(|_| ())
    }

    /// Acknowledges entries.
    pub async fn acknowledge(
        &self,
        stream: &[u8],
        group: &str,
        entries: &[Raw],
    ) -> Result<(), RedisError> {
        let mut command = redis::cmd("XACK");
        command.arg(stream).arg(group);
        for entry in entries {
            command.arg(&entry.id);
        }
        self.ask(&command).await.map(|_| ())
    }

    /// Takes over entries that another consumer has left idle.
    pub async fn claim(
        &self,
        stream: &[u8],
        group: &str,
        consumer: &str,
        idle_ms: u128,
        from: &str,
        count: usize,
    ) -> Result<Claimed, RedisError> {
        let mut command = redis::cmd("XAUTOCLAIM");
        command
            .arg(stream)
            .arg(group)
            .arg(consumer)
            .arg(idle_ms.to_string());
        command.arg(from).arg("COUNT").arg(count);
        let mut claimed = Claimed {
            next: "0-0".into(),
            entries: Vec::new(),
        };
        if let Value::Array(parts) = self.ask(&command).await? {
            let mut parts = parts.into_iter();
            claimed.next = parts.next().map(|next| string(&next)).unwrap_or_default();
            claimed.entries = parts.next().map(entries).unwrap_or_default();
            // What is pending and trimmed: since 7.0 XAUTOCLAIM drops and names it.
            if let Some(Value::Array(trimmed)) = parts.next() {
                let gone = trimmed.iter().map(|id| Raw {
                    id: string(id),
                    fields: None,
                });
                claimed.entries.extend(gone);
            }
        }
        Ok(claimed)
    }

    /// Removes this consumer if nothing is pending for it: XGROUP DELCONSUMER deletes what
    /// is. The server does both in one step, as another program may run under this name.
    pub async fn remove_consumer(
        &self,
        stream: &[u8],
        group: &str,
        consumer: &str,
    ) -> Result<(), RedisError> {
        const SCRIPT: &str = "\
            if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then \
            return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end";
        let mut command = redis::cmd("EVAL");
        command
            .arg(SCRIPT)
            .arg(1)
            .arg(stream)
            .arg(group)
            .arg(consumer);
        self.ask(&command).await.map(|_| ())
    }

    /// Describes the groups of a stream.
    pub async fn groups(&self, stream: &[u8]) -> Result<Vec<Group>, RedisError> {
        let mut command = redis::cmd("XINFO");
        command.arg("GROUPS").arg(stream);
        let Value::Array(found) = self.ask(&command).await? else {
            return Ok(Vec::new());
        };
        let last = self.last_id(stream).await?;
        let mut groups = Vec::new();
        for one in found {
            let mut group = group_of(&one);
            // After a failover the server's own number stays too large: it is counted by
            // entries read, and replicas are not told of those.
            if group.last_delivered == last {
                group.lag = Some(0);
            }
            if group.pending > 0 {
                let mut command = redis::cmd("XPENDING");
                command.arg(stream).arg(&group.name);
                if let Value::Array(summary) = self.ask(&command).await? {
                    group.oldest = summary.get(1).map(string).filter(|id| !id.is_empty());
                }
            }
            groups.push(group);
        }
        Ok(groups)
    }

    /// Returns the ID of the newest entry there ever was.
    ///
    /// # Errors
    ///
    /// There is no such stream.
    pub async fn last_id(&self, stream: &[u8]) -> Result<String, RedisError> {
        let mut command = redis::cmd("XINFO");
        command.arg("STREAM").arg(stream);
        let facts = pairs(&self.ask(&command).await?);
        Ok(field(&facts, "last-generated-id")
            .map(string)
            .unwrap_or_default())
    }

    /// Removes entries before an ID, as far as that is cheap.
    pub async fn trim(&self, stream: &[u8], before: &str) -> Result<i64, RedisError> {
        let mut command = redis::cmd("XTRIM");
        command.arg(stream).arg("MINID").arg("~").arg(before);
        match self.ask(&command).await? {
            Value::Int(removed) => Ok(removed),
            _ => Ok(0),
        }
    }

    /// Returns how long ago a consumer of this name asked for something; `None` if there is
    /// none.
    pub async fn consumer_idle_ms(
        &self,
        stream: &[u8],
        group: &str,
        consumer: &str,
    ) -> Option<i64> {
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(stream).arg(group);
        let Ok(Value::Array(found)) = self.ask(&command).await else {
            return None;
        };
        let is_ours = |facts: &Vec<(String, Value)>| {
            field(facts, "name").is_some_and(|name| string(name) == consumer)
        };
        let ours = found.iter().map(pairs).find(is_ours)?;
        integer(&ours, "idle")
    }
}

/// Asks for entries from one ID to another.
pub fn range_command(stream: &[u8], from: &str, to: &str, count: usize) -> Cmd {
    let mut command = redis::cmd("XRANGE");
    command.arg(stream).arg(from).arg(to);
    command.arg("COUNT").arg(count);
    command
}

/// Returns the milliseconds of an entry's ID.
pub fn entry_ms(id: &str) -> Option<i64> {
    id.split('-').next()?.parse().ok()
}

/// Returns the entries of a reply.
pub fn entries(value: Value) -> Vec<Raw> {
    let Value::Array(found) = value else {
        return Vec::new();
    };
    found.into_iter().filter_map(raw).collect()
}

fn raw(value: Value) -> Option<Raw> {
    let Value::Array(mut pair) = value else {
        return None;
    };
    let fields = match pair.pop()? {
        Value::Array(flat) => {
            let mut flat = flat.into_iter().map(|value| match value {
                Value::BulkString(bytes) => bytes,
                other => bytes(&other),
            });
            let mut fields = Vec::new();
            while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
                fields.push((name, value));
            }
            Some(fields)
        }
        _ => None,
    };
    Some(Raw {
        id: string(&pair.pop()?),
        fields,
    })
}

fn group_of(value: &Value) -> Group {
    let mut group = Group::default();
    for (name, value) in pairs(value) {
        match (name.as_str(), value) {
            ("name", value) => group.name = bytes(&value),
            ("last-delivered-id", value) => group.last_delivered = string(&value),
            ("lag", Value::Int(lag)) => group.lag = Some(lag),
            ("pending", Value::Int(pending)) => group.pending = pending,
            _ => {}
        }
    }
    group
}
