//! What the threads of a run share: the sale, where its primary is, and what became of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::link::Address;

use super::live::Snapshot;
use super::request::Sale;
use super::resp;
use super::rules::Rules;

/// Locks what threads share; a panic of another one has broken nothing in it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the driver and the others share.
pub struct World {
    pub sale: Sale,
    pub rules: Rules,
    pub connections: usize,
    /// Requests in one command; `None` sends each as its own command.
    pub batch: Option<usize>,
    /// Where the primary is now.
    pub address: Mutex<SocketAddr>,
    /// Where each part of a split sale is; empty for a sale of one key.
    pub places: Mutex<Vec<SocketAddr>>,
    /// AUTH and SELECT as bytes, and how many commands they are.
    pub greetings: (Vec<u8>, usize),
    /// No further arrivals are wanted.
    pub stop: AtomicBool,
    /// When the primary was killed; 0 before.
    pub killed_us: AtomicU64,
    /// When the replica had been promoted; 0 before.
    pub promoted_us: AtomicU64,
    pub live: Mutex<Snapshot>,
}

impl World {
    /// Returns where the primary is now.
    pub fn address(&self) -> SocketAddr {
        *lock(&self.address)
    }

    /// Notes a failover that others have made: when its primary was gone, and when its survivor had
    /// been found. Of several, the time from the first to the last.
    pub fn note_failover(&self, gone_us: u64) {
        let now_us = self.rules.clock.now_us();
        let first = &self.killed_us;
        let _ = first.compare_exchange(0, gone_us, Ordering::Relaxed, Ordering::Relaxed);
        self.promoted_us.store(now_us, Ordering::Relaxed);
    }

    /// Returns when the primary was killed and the replica promoted; 0 before.
    pub fn failover_us(&self) -> (u64, u64) {
        let at_us = |moment: &AtomicU64| moment.load(Ordering::Relaxed);
        (at_us(&self.killed_us), at_us(&self.promoted_us))
    }
}

/// Returns what each of the buyers' connections begins with, and how many commands that is.
pub fn greetings(address: &Address) -> (Vec<u8>, usize) {
    let (user, password, database) = address.login();
    let (mut bytes, mut count) = (Vec::new(), 1);
    if let Some(password) = password {
        let user = user.unwrap_or_else(|| "default".into());
        resp::push_command(&mut bytes, &[b"AUTH", user.as_bytes(), password.as_bytes()]);
        count += 1;
    }
    if database != 0 {
        let database = database.to_string();
        resp::push_command(&mut bytes, &[b"SELECT", database.as_bytes()]);
        count += 1;
    }
    resp::push_command(&mut bytes, &[b"PING"]);
    (bytes, count)
}
