//! Clients that go on sending while something else happens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::server::Server;
use super::wait::wait_until;
use super::workload::play;
use flashsale_fuzz::dice::Dice;

/// Clients at the same time.
const CLIENTS: usize = 3;
/// Commands of a client between two looks whether it is over.
const ROUND: u32 = 25;

/// Clients and how far they are.
pub struct Rush {
    rounds: AtomicU64,
    is_over: AtomicBool,
}

impl Rush {
    /// Waits until every client was served a few times more.
    #[track_caller]
    pub fn goes_on(&self) {
        let enough = self.rounds.load(Ordering::Relaxed) + 3 * CLIENTS as u64;
        wait_until("the clients are served", || {
            self.rounds.load(Ordering::Relaxed) >= enough
        });
    }
}

/// Ends the clients, also when what happens meanwhile fails.
struct Ending<'a>(&'a Rush);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Runs `act` while clients play the mix of commands of `workload` on the sale `sale`;
/// they have begun before it, and go on a little after it.
#[track_caller]
pub fn rush_on(server: &Server, act: impl FnOnce(&Rush)) {
    let rush = Rush {
        rounds: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let (mut con, mut dice) = (server.conn(), Dice::seeded());
                while !rush.is_over.load(Ordering::Relaxed) {
                    play(&mut con, &mut dice, ROUND);
                    rush.rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _ending = Ending(&rush);
        rush.goes_on();
        act(&rush);
        rush.goes_on();
    });
}
