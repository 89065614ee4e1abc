//! What a sale costs as it grows: bytes, seconds, the longest call; and what happens
//! when very many reservations fall due at once.
//!
//! Edge: measures on servers of its own, one for each size.

/// Whose reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sale,
    Script,
}

/// A sale, or the script's four keys, with so many reservations.
#[derive(Clone, Debug)]
pub struct Growth {
    pub kind: Kind,
    pub count: u64,
    pub per_second: f64,
    pub call_us: f64,
    pub call_max_us: f64,
    pub memory_bytes: f64,
    pub dataset_bytes: f64,
    pub aof_bytes: f64,
    pub stream_bytes: f64,
    pub rdb_bytes: f64,
    pub save_s: f64,
    pub load_s: f64,
    pub unlink_us: f64,
    pub del_us: f64,
    pub expire_us: f64,
    pub slow_calls: u64,
}

/// Reservations due in the same moment.
#[derive(Clone, Debug)]
pub struct Wave {
    pub count: u64,
    pub lasted_ms: f64,
    pub sweep_max_us: Option<f64>,
    pub reserve_max_us: f64,
    pub ping_max_ms: f64,
    pub ping_p999_ms: f64,
    pub reserve_max_ms: f64,
    pub reserve_p999_ms: f64,
}

impl Growth {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("calls_per_second", self.per_second),
            ("call_us", self.call_us),
            ("call_max_us", self.call_max_us),
            ("slow_calls", self.slow_calls as f64),
            ("memory_bytes", self.memory_bytes),
            ("dataset_bytes", self.dataset_bytes),
            ("aof_bytes", self.aof_bytes),
            ("replication_bytes", self.stream_bytes),
            ("rdb_bytes", self.rdb_bytes),
            ("save_s", self.save_s),
            ("load_s", self.load_s),
            ("unlink_us", self.unlink_us),
            ("del_us", self.del_us),
            ("expire_us", self.expire_us),
        ]
    }
}

impl Wave {
    /// Names and values for the CSV.
    pub fn measures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("lasted_ms", self.lasted_ms),
            ("sweep_max_us", self.sweep_max_us.unwrap_or(f64::NAN)),
            ("reserve_max_us", self.reserve_max_us),
            ("ping_p999_ms", self.ping_p999_ms),
            ("ping_max_ms", self.ping_max_ms),
            ("reserve_p999_ms", self.reserve_p999_ms),
            ("reserve_max_ms", self.reserve_max_ms),
        ]
    }
}
