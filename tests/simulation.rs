//! Clients, servers and everything that goes wrong between them, simulated.
//!
//! **Goal**: whatever is lost, late, doubled or done in another order, and whichever
//! server crashes, lags or is promoted: on the history that survives nothing is sold
//! twice, no limit is exceeded, nothing expires early, and what a client was told stays
//! true.
//!
//! **Method**: seeded worlds of a few servers, a dozen clients and one small sale, on the
//! engine alone, one thread, no clock but the world's. A primary's events go encoded to
//! its replicas and its AOF; histories fork at failovers (`simulation/history.rs`). Each
//! history has books kept from its decoded events alone (`simulation/ledger.rs`); every
//! event has to keep the contract's rules there, every answer has to be what the books
//! say (`judge.rs`), every sale has to equal its books, and every copy its primary at
//! the same place. A failure prints its seed and the shortest run that still goes
//! wrong. `FLASHSALE_SEED` repeats a run, `FLASHSALE_OPS` sets its length in operations:
//! requests carried out, faults, sweeps and steps of replication. At the end every kind
//! of fault and answer must have been seen.

#[allow(dead_code, unused_imports)]
#[path = "../src/sale/mod.rs"]
mod sale;

#[path = "simulation/against.rs"]
mod against;
#[path = "simulation/booking.rs"]
mod booking;
#[path = "simulation/clients.rs"]
mod clients;
#[path = "commands/copies.rs"]
#[allow(dead_code)]
mod copies;
#[allow(dead_code)]
#[path = "server/support/dice.rs"]
mod dice;
#[path = "simulation/history.rs"]
mod history;
#[path = "simulation/judge.rs"]
mod judge;
#[path = "simulation/judge_refunds.rs"]
mod judge_refunds;
#[path = "simulation/judge_refusals.rs"]
mod judge_refusals;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "commands/lines.rs"]
mod lines;
#[path = "simulation/operator.rs"]
mod operator;
#[path = "commands/play.rs"]
mod play;
#[path = "simulation/record.rs"]
mod record;
#[path = "simulation/reply.rs"]
mod reply;
#[path = "commands/requests.rs"]
#[allow(dead_code)]
mod requests;
#[path = "simulation/run.rs"]
mod run;
#[path = "commands/seeded.rs"]
#[allow(dead_code)]
mod seeded;
#[path = "simulation/seen.rs"]
mod seen;
#[path = "simulation/server.rs"]
mod server;
#[path = "simulation/step.rs"]
mod step;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;

use run::{Run, report};
use seeded::from_environment;

/// Operations of a run, unless `FLASHSALE_OPS` says otherwise.
const OPERATIONS: u64 = 1_000_000;
/// The seed of a run, unless `FLASHSALE_SEED` says otherwise: the same for everyone, and
/// fresh ones for `make soak`.
const SEED: u64 = 1;

#[test]
fn whatever_goes_wrong_nothing_is_sold_twice_and_no_promise_is_broken() {
    let seed = from_environment("FLASHSALE_SEED").unwrap_or(SEED);
    let operations = from_environment("FLASHSALE_OPS").unwrap_or(OPERATIONS);
    println!("FLASHSALE_SEED={seed} FLASHSALE_OPS={operations}");
    let (mut done, mut worlds) = (0, 0);
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    while done < operations {
        let seed = seed.wrapping_add(worlds);
        let run = Run::new(seed);
        if let Some(fault) = &run.fault {
            panic!("{}", report(seed, &run, fault));
        }
        for (what, count) in run.seen {
            *seen.entry(what).or_default() += count;
        }
        done += run.operations;
        worlds += 1;
    }
    println!("{done} operations in {worlds} worlds");
    for (what, count) in &seen {
        println!("{count:9} {what}");
    }
    if done >= OPERATIONS {
        let missing = seen::missing(&seen);
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}
