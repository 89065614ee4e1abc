//! One slot on its way, as slowly as the test likes.

use super::sale::SaleName;
use crate::support::{Cluster, Con};

/// A slot that is migrating at one primary and importing at another.
pub struct Moving<'c> {
    cluster: &'c Cluster,
    slot: u16,
    pub from: Con,
    pub to: Con,
    to_port: u16,
    to_id: String,
}

impl<'c> Moving<'c> {
    /// Says to both sides that the slot of a sale is on its way to the next primary.
    #[track_caller]
    pub fn begin(cluster: &'c Cluster, sale: &SaleName) -> Moving<'c> {
        let owner = cluster.owner(sale.slot);
        let primaries = cluster.primaries();
        let place = primaries.iter().position(|index| *index == owner);
        let next = primaries[(place.expect("the owner") + 1) % primaries.len()];
        let (mut from, mut to) = (cluster.conn(owner), cluster.conn(next));
        let (from_id, to_id) = (from.text("CLUSTER MYID"), to.text("CLUSTER MYID"));
        let slot = sale.slot;
        to.says(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"), "OK");
        from.says(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"), "OK");
        Moving {
            cluster,
            slot,
            from,
            to,
            to_port: cluster.port(next),
            to_id,
        }
    }

    /// Carries one key over.
    #[track_caller]
    pub fn carry(&mut self, key: &str) {
        let line = format!("MIGRATE 127.0.0.1 {} '' 0 10000 KEYS {key}", self.to_port);
        // A stream may not be there yet.
        let reply = self.from.show(&line);
        assert!(reply == "OK" || reply == "+NOKEY", "{line}: {reply}");
    }

    /// Says that the slot has arrived; the new owner first, as redis-cli does.
    #[track_caller]
    pub fn end(mut self) {
        let line = format!("CLUSTER SETSLOT {} NODE {}", self.slot, self.to_id);
        self.to.says(&line, "OK");
        self.from.says(&line, "OK");
        for primary in self.cluster.primaries() {
            self.cluster.conn(primary).says(&line, "OK");
        }
    }
}
