//! A buyer who puts deadlines off at the last moment, and notes every id in a filter.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cluster_reshard::buyer::Buyer;
use crate::cluster_reshard::sale::{FILTER, SaleName};
use crate::support::{Cluster, Dice, unix_ms};

/// How long a reservation lasts, and an EXTEND makes it last, in milliseconds.
const HOLD_MS: u64 = 500;
/// How close to its deadline a reservation is extended, in milliseconds.
const LAST_MS: u64 = 100;
/// Between two looks at the deadlines.
const PACE: Duration = Duration::from_millis(5);

/// The filter beside a sale.
pub fn filter_of(name: &SaleName) -> String {
    format!("{}{FILTER}", name.key)
}

/// A reservation that is kept.
struct Kept {
    sale: usize,
    id: String,
    /// As it was last acknowledged.
    expires_at_ms: u64,
}

/// What a keeper has seen.
pub struct Kindness {
    pub buyer: Buyer,
    /// Deadlines put off.
    pub extended: u64,
    /// The longest time one of its requests took.
    pub longest: Duration,
}

pub struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<Kindness>,
}

impl Keeper {
    /// Keeps one reservation of each sale, from a thread of its own.
    pub fn start(cluster: &Cluster, sales: &[SaleName], dice: &mut Dice) -> Keeper {
        let buyer = Buyer::new(98, dice.split(), sales, &cluster.urls(), (false, false));
        let (stop, is_stopped) = channel();
        let sales = sales.to_vec();
        let thread = std::thread::spawn(move || {
            let mut seen = Kindness {
                buyer,
                extended: 0,
                longest: Duration::ZERO,
            };
            let mut kept: Vec<Kept> = (0..sales.len())
                .map(|index| seen.reserve(&sales, index))
                .collect();
            while is_stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                for one in &mut kept {
                    if one.expires_at_ms <= unix_ms() + LAST_MS {
                        seen.extend(&sales, one);
                    }
                }
            }
            seen
        });
        Keeper { stop, thread }
    }

    /// Keeps nothing any more.
    pub fn stop(self) -> Kindness {
        drop(self.stop);
        self.thread
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Kindness {
    fn ask(&mut self, line: &str) -> Vec<String> {
        let since = Instant::now();
        let answer = self.buyer.ask(line);
        self.longest = self.longest.max(since.elapsed());
        answer
    }

    fn reserve(&mut self, sales: &[SaleName], sale: usize) -> Kept {
        let id = self.buyer.reserve(sale, HOLD_MS);
        self.ask(&format!("FLASHSALE.BFADD {} {id}", filter_of(&sales[sale])));
        let expires_at_ms = unix_ms() + HOLD_MS / 2;
        Kept {
            sale,
            id,
            expires_at_ms,
        }
    }

    /// Puts a deadline off; where it has passed before the request came, begins anew.
    fn extend(&mut self, sales: &[SaleName], kept: &mut Kept) {
        let key = &sales[kept.sale].key;
        let answer = self.ask(&format!("FLASHSALE.EXTEND {key} {} {HOLD_MS}", kept.id));
        let moment = || answer[2].parse::<u64>().expect("a deadline");
        match answer[0].as_str() {
            "RESERVED" => {
                assert!(
                    moment() >= kept.expires_at_ms,
                    "{answer:?}: a promise is kept"
                );
                self.extended += 1;
                kept.expires_at_ms = moment();
            }
            "EXPIRED" => {
                let (at_ms, now_ms) = (moment(), unix_ms());
                let is_late = kept.expires_at_ms <= at_ms && at_ms <= now_ms;
                assert!(
                    is_late,
                    "{answer:?} at {now_ms}, was to last until {}",
                    kept.expires_at_ms
                );
                *kept = self.reserve(sales, kept.sale);
            }
            _ => panic!("EXTEND: {answer:?}"),
        }
    }
}
