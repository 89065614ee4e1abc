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

mod against;
mod booking;
mod clients;
mod clients_units;
mod gateway;
mod history;
mod imports;
mod judge;
mod judge_refunds;
mod judge_refusals;
mod judge_units;
mod ledger;
mod notable;
mod operator;
mod record;
mod reply;
mod run;
mod seats;
mod seen;
mod server;
mod step;
mod stream;
mod world;

use std::collections::BTreeMap;

use crate::commands::seeded::from_environment;
use run::{Run, report};

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
