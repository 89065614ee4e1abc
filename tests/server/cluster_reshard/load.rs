//! Buyers in threads of their own, until they are stopped.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::buyer::{Buyer, Entry};
use super::sale::{SaleName, creation};
use crate::support::{Cluster, Dice, wait_until};

/// Between two buyers of one thread: it leaves the machine to the servers.
const PACE: Duration = Duration::from_millis(4);

/// Rung once, when the load is over.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_all();
    }

    /// Is it rung within this time?
    fn rings_within(&self, time: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.heard.wait_timeout_while(rung, time, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How many buyers, and what they may see.
pub struct Crowd {
    pub buyers: usize,
    /// So many of them wait for the replica after each request.
    pub waiting: usize,
    pub may_lose: bool,
    /// The last so many sales are visited by nobody: what happens in them, their server
    /// does by itself.
    pub quiet: usize,
}

impl Crowd {
    /// So many who visit every sale, wait for no replica and lose nothing.
    pub fn of(buyers: usize) -> Crowd {
        Crowd {
            buyers,
            waiting: 0,
            may_lose: false,
            quiet: 0,
        }
    }
}

pub struct Load {
    bell: Arc<Bell>,
    visits: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Buyer>>,
}

/// Everything that was answered.
pub struct Ledger {
    pub entries: Vec<Entry>,
    pub counts: BTreeMap<String, u64>,
}

impl Load {
    /// Makes the sales and lets buyers in.
    pub fn start(cluster: &Cluster, sales: &[SaleName], dice: &mut Dice, crowd: &Crowd) -> Load {
        let urls = cluster.urls();
        let mut seller = Buyer::new(0, dice.split(), sales, &urls, (false, false));
        for sale in sales {
            assert_eq!(seller.ask(&creation(sale)), ["OK"]);
        }
        let (busy, quiet) = sales.split_at(sales.len() - crowd.quiet);
        for sale in quiet {
            // Nobody buys there, which would make the stream.
            let line = format!("XGROUP CREATE {} shipping 0 MKSTREAM", sale.orders);
            assert_eq!(seller.ask(&line), ["OK"]);
        }
        let bell = Arc::new(Bell::default());
        let visits = Arc::new(AtomicU64::new(0));
        let start = |number: usize| {
            let waits = number <= crowd.waiting;
            let kind = (waits, crowd.may_lose);
            let mut buyer = Buyer::new(number, dice.split(), busy, &urls, kind);
            let (bell, visits) = (Arc::clone(&bell), Arc::clone(&visits));
            std::thread::spawn(move || {
                while !bell.rings_within(PACE) {
                    buyer.visit();
                    visits.fetch_add(1, Ordering::Relaxed);
                }
                buyer
            })
        };
        let threads = (1..=crowd.buyers).map(start).collect();
        Load {
            bell,
            visits,
            threads,
        }
    }

    /// Waits until so many more buyers have been served.
    #[track_caller]
    pub fn goes_on(&self, more: u64) {
        let wanted = self.visits.load(Ordering::Relaxed) + more;
        wait_until("buyers are served", || {
            // A thread that ended has failed, and `stop` says how.
            self.visits.load(Ordering::Relaxed) >= wanted
                || self.threads.iter().any(JoinHandle::is_finished)
        });
    }

    /// Lets nobody in any more, and returns what everybody was answered.
    pub fn stop(self) -> Ledger {
        self.bell.ring();
        let mut ledger = Ledger {
            entries: Vec::new(),
            counts: BTreeMap::new(),
        };
        for thread in self.threads {
            let buyer = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            ledger.add(buyer);
        }
        ledger
    }
}

impl Ledger {
    pub fn add(&mut self, buyer: Buyer) {
        self.entries.extend(buyer.entries);
        for (what, times) in buyer.counts {
            *self.counts.entry(what).or_default() += times;
        }
    }

    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }
}
