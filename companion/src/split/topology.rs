//! Where parts are, and how many replicas their primaries should have: as the topology says,
//! never as a server counts who is connected. A primary that is cut off from all its replicas
//! would confirm what nobody else has.

use redis::Value;

use crate::link::{field, integer, pairs, string};

/// One shard of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    /// First and last of each range.
    pub slots: Vec<(usize, usize)>,
    /// Host and port of the primary; the host is empty where the node does not know its own.
    pub primary: Option<(String, u16)>,
    pub primary_id: String,
    /// Failed ones too, and a primary that failed.
    pub replicas: u64,
}

impl Shard {
    /// Whether a slot is here.
    pub fn has(&self, slot: usize) -> bool {
        let mut ranges = self.slots.iter();
        ranges.any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

/// Reads the answer of CLUSTER SHARDS.
pub fn shards(answer: &Value, is_tls: bool) -> Vec<Shard> {
    let Value::Array(rows) = answer else {
        return Vec::new();
    };
    rows.iter().map(|row| shard(row, is_tls)).collect()
}

fn shard(row: &Value, is_tls: bool) -> Shard {
    let mut shard = Shard::default();
    let row = pairs(row);
    if let Some(Value::Array(ends)) = field(&row, "slots") {
        let number = |value: &Value| match value {
            Value::Int(number) => usize::try_from(*number).unwrap_or(0),
            other => string(other).parse().unwrap_or(0),
        };
        let ranges = ends.chunks_exact(2);
        shard.slots = ranges
            .map(|two| (number(&two[0]), number(&two[1])))
            .collect();
    }
    let Some(Value::Array(nodes)) = field(&row, "nodes") else {
        return shard;
    };
    for node in nodes {
        let node = pairs(node);
        let text = |name: &str| field(&node, name).map(string).unwrap_or_default();
        let leads = text("role") == "master";
        if leads && (text("health") == "online" || shard.primary.is_none()) {
            let port = if is_tls { "tls-port" } else { "port" };
            let port = integer(&node, port).and_then(|port| u16::try_from(port).ok());
            let known = |host: &String| !matches!(host.as_str(), "" | "?");
            let hosts = [text("endpoint"), text("ip")];
            let host = hosts.into_iter().find(known).unwrap_or_default();
            shard.primary = port.map(|port| (host, port));
            shard.primary_id = text("id");
        }
    }
    // A primary that failed, and is none any more, is a copy that may come back.
    shard.replicas = (nodes.len() as u64).saturating_sub(1);
    shard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn node(role: &str, health: &str, port: i64) -> Value {
        let fields = [
            (text("id"), text(&format!("id{port}"))),
            (text("port"), Value::Int(port)),
            (text("ip"), text("10.0.0.1")),
            (text("endpoint"), text("?")),
            (text("role"), text(role)),
            (text("health"), text(health)),
        ];
        Value::Array(
            fields
                .into_iter()
                .flat_map(|(name, value)| [name, value])
                .collect(),
        )
    }

    #[test]
    fn whoever_failed_is_a_copy_and_no_primary() {
        let nodes = [
            node("master", "fail", 7_000),
            node("master", "online", 7_001),
            node("replica", "fail", 7_002),
            node("replica", "online", 7_003),
        ];
        let slots = [0, 99, 200, 200].map(Value::Int);
        let row = [
            text("slots"),
            Value::Array(slots.into()),
            text("nodes"),
            Value::Array(nodes.into()),
        ];
        let found = shards(&Value::Array(vec![Value::Array(row.into())]), false);
        assert_eq!(found[0].primary, Some(("10.0.0.1".into(), 7_001)));
        assert_eq!((found[0].replicas, &*found[0].primary_id), (3, "id7001"));
        let has = |slot| found[0].has(slot);
        assert_eq!(
            [0, 99, 100, 200, 201].map(has),
            [true, true, false, true, false]
        );
        assert_eq!(shards(&Value::Nil, false), []);
    }
}
