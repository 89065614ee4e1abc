//! The sales of the cluster: their names, so chosen that resharding moves them, and
//! what each begins with.

use crate::support::Cluster;

/// SKUs and units of every sale.
pub const ITEMS: [(&str, u64); 2] = [("a", 1500), ("b", 1000)];
/// Most units one user may have, in every sale.
pub const USERLIMIT: u64 = 40;
/// Slots at the lower end of each primary's range. `redis-cli` moves the lowest ones
/// first: sales in these go wherever slots go.
pub const LOW_SLOTS: u16 = 350;

/// A sale, its stream, and the slot of both.
#[derive(Clone, Debug)]
pub struct SaleName {
    pub key: String,
    pub orders: String,
    pub slot: u16,
}

/// Names that begin so, for so many sales on each primary.
pub fn names(cluster: &Cluster, prefix: &str, each: usize) -> Vec<SaleName> {
    let mut con = cluster.conn(0);
    let mut found = Vec::new();
    let mut number = 0;
    for primary in 0..3 {
        let first = [0, 5461, 10923][primary];
        while found.len() < (primary + 1) * each {
            let key = format!("{{{prefix}{number}}}");
            let slot = con.int(&format!("CLUSTER KEYSLOT {key}")) as u16;
            number += 1;
            if (first..first + LOW_SLOTS).contains(&slot) {
                let orders = format!("{key}:orders");
                found.push(SaleName { key, orders, slot });
            }
        }
    }
    found
}

/// How the name of a filter beside a sale ends, in tests that have one.
pub const FILTER: &str = ":seen";

/// The line that makes a sale.
pub fn creation(name: &SaleName) -> String {
    let SaleName { key, orders, .. } = name;
    let [(a, units_of_a), (b, units_of_b)] = ITEMS;
    format!(
        "FLASHSALE.CREATE {key} {orders} ITEMS 2 {a} {units_of_a} {b} {units_of_b} \
         USERLIMIT {USERLIMIT} HOLD 900000 MAXHOLD 1800000"
    )
}
