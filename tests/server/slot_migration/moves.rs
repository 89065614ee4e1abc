//! Moves of a slot from one primary of a cluster to another, as the server makes them.

use std::time::{Duration, Instant};

use super::pair::{id, job};
use crate::support::{Cluster, wait_until};

/// A slot on its way.
pub struct Move<'c> {
    cluster: &'c Cluster,
    pub from: usize,
    pub to: usize,
    began: Instant,
    /// What the source had sent to others before, in bytes.
    sent: u64,
}

impl<'c> Move<'c> {
    /// Sends a slot to the next primary.
    #[track_caller]
    pub fn begin(cluster: &'c Cluster, slot: u16) -> Move<'c> {
        let from = cluster.owner(slot);
        let primaries = cluster.primaries();
        let place = primaries.iter().position(|index| *index == from);
        let to = primaries[(place.expect("the owner") + 1) % primaries.len()];
        let mut con = cluster.conn(from);
        let sent = sent_bytes(cluster, from);
        let target = id(&mut cluster.conn(to));
        let began = Instant::now();
        con.says(
            &format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {target}"),
            "OK",
        );
        Move {
            cluster,
            from,
            to,
            began,
            sent,
        }
    }

    /// Waits until the slot has arrived; how long it took, and what the source has sent
    /// meanwhile.
    #[track_caller]
    pub fn end(self) -> (Duration, u64) {
        let mut con = self.cluster.conn(self.from);
        wait_until("the slot has moved", || {
            let state = job(&mut con, "EXPORT", "state");
            let has_failed = ["failed", "cancelled"].contains(&state.as_str());
            assert!(
                !has_failed,
                "{state}: {}",
                job(&mut con, "EXPORT", "message")
            );
            state == "success"
        });
        let took = self.began.elapsed();
        self.cluster.settle();
        (took, sent_bytes(self.cluster, self.from) - self.sent)
    }

    /// The state of the export, or of the import.
    #[track_caller]
    pub fn state(&self, operation: &str) -> String {
        let at = if operation == "EXPORT" {
            self.from
        } else {
            self.to
        };
        job(&mut self.cluster.conn(at), operation, "state")
    }
}

#[track_caller]
fn sent_bytes(cluster: &Cluster, index: usize) -> u64 {
    let told = cluster.conn(index).info("stats", "total_net_output_bytes");
    told.parse().expect("bytes")
}
