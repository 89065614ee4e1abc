//! What servers answer, as data: one place for each shape.

use std::collections::HashMap;

use redis::Value;

/// Returns the bytes of a value; empty for what has none.
pub fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes.clone(),
        Value::SimpleString(text) => text.clone().into_bytes(),
        Value::VerbatimString { text, .. } => text.clone().into_bytes(),
        Value::Int(number) => number.to_string().into_bytes(),
        _ => Vec::new(),
    }
}

/// Returns a value as text; empty for what has none.
pub fn string(value: &Value) -> String {
    String::from_utf8_lossy(&bytes(value)).into_owned()
}

/// Returns the names and values of a flat list.
pub fn pairs(value: &Value) -> Vec<(String, Value)> {
    let Value::Array(flat) = value else {
        return Vec::new();
    };
    let pair = |pair: &[Value]| (string(&pair[0]), pair[1].clone());
    flat.chunks_exact(2).map(pair).collect()
}

/// Returns the value of a name.
pub fn field<'p>(pairs: &'p [(String, Value)], name: &str) -> Option<&'p Value> {
    let found = pairs.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value)
}

/// Returns the integer of a name; `None` for any other value.
pub fn integer(pairs: &[(String, Value)], name: &str) -> Option<i64> {
    match field(pairs, name) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    }
}

/// One item of STOCK.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StockRow {
    pub sku: String,
    /// Available, reserved and sold.
    pub units: [u64; 3],
    /// How many wait in line for it; 0 with a module that has no lines.
    pub waiting: u64,
}

/// Returns the items of STOCK; `None` if the reply has another shape.
pub fn stock_rows(stock: &Value) -> Option<Vec<StockRow>> {
    let row = |row: &Value| {
        let Value::Array(parts) = row else {
            return None;
        };
        let [
            sku,
            Value::Int(available),
            Value::Int(reserved),
            Value::Int(sold),
            // Those who wait in line, and whatever a newer module has behind them.
            more @ ..,
        ] = parts.as_slice()
        else {
            return None;
        };
        let waiting = match more.first() {
            Some(Value::Int(waiting)) => waiting.unsigned_abs(),
            _ => 0,
        };
        Some(StockRow {
            sku: string(sku),
            units: [available, reserved, sold].map(|units| units.unsigned_abs()),
            waiting,
        })
    };
    match stock {
        Value::Array(rows) => rows.iter().map(row).collect(),
        _ => None,
    }
}

/// Returns name and version of the program, from the fields of `INFO server`; `?` for what is
/// not there.
pub fn server_version(info: &HashMap<String, String>) -> String {
    match (info.get("valkey_version"), info.get("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "?".into(),
    }
}

/// A replica as its primary describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaRow {
    pub host: String,
    pub port: u16,
    /// `online`, once it follows.
    pub state: String,
    /// The age of what it last confirmed, in seconds.
    pub lag: String,
}

/// Returns the replicas, from the fields of `INFO replication`.
pub fn replicas(info: &HashMap<String, String>) -> Vec<ReplicaRow> {
    let lines = (0..).map_while(|at| info.get(&format!("slave{at}")));
    lines.filter_map(|line| replica(line)).collect()
}

fn replica(line: &str) -> Option<ReplicaRow> {
    let part = |name: &str| {
        let mut parts = line.split(',').filter_map(|part| part.split_once('='));
        let found = parts.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    };
    Some(ReplicaRow {
        host: part("ip")?,
        port: part("port")?.parse().ok()?,
        state: part("state").unwrap_or_default(),
        lag: part("lag").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(lines: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        lines.iter().map(owned).collect()
    }

    #[test]
    fn reads_the_replicas_that_info_lists() {
        let info = info(&[
            ("role", "master"),
            ("slave0", "ip=::1,port=7001,state=online,offset=5,lag=2"),
            ("slave1", "ip=b,port=7002,state=wait_bgsave,offset=0,lag=0"),
            ("slave_read_only", "1"),
        ]);
        let found = replicas(&info);
        let places: Vec<_> = found.iter().map(|one| (&*one.host, one.port)).collect();
        assert_eq!(places, [("::1", 7001), ("b", 7002)]);
        assert_eq!((&*found[0].state, &*found[0].lag), ("online", "2"));
    }

    #[test]
    fn names_the_program_that_answers() {
        let redis = ("redis_version", "7.2.4");
        assert_eq!(server_version(&info(&[redis])), "Redis 7.2.4");
        // Valkey also says with which Redis it agrees.
        let valkey = ("valkey_version", "8.1.1");
        assert_eq!(server_version(&info(&[redis, valkey])), "Valkey 8.1.1");
        assert_eq!(server_version(&info(&[])), "?");
    }

    #[test]
    fn reads_stock_whole_or_not_at_all() {
        let row = |sku: &str| {
            let numbers = [5, 3, 2, 4].map(Value::Int);
            let sku = [Value::BulkString(sku.into())];
            Value::Array(sku.into_iter().chain(numbers).collect())
        };
        let rows = stock_rows(&Value::Array(vec![row("red"), row("blue")]));
        let blue = StockRow {
            sku: "blue".into(),
            units: [5, 3, 2],
            waiting: 4,
        };
        assert_eq!(rows.expect("rows")[1], blue);
        // An unknown SKU is answered null.
        assert_eq!(
            stock_rows(&Value::Array(vec![row("red"), Value::Nil])),
            None
        );
        assert_eq!(stock_rows(&Value::Nil), None);
    }
}
