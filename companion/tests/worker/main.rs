//! `flashsale worker` against real servers.
//!
//! **Goal**: each order and refund of the stream is one row, and its hook has run once,
//! whatever is killed and whenever; what cannot be stored is a dead letter and not lost.
//!
//! **Method**: a test for each database plays every scenario with a Redis of its own. The
//! program is a black box: it is started, killed and stopped as a process, and a proxy
//! between it and Redis strikes between COMMIT and XACK. Entries are appended with XADD, as
//! the module writes them; one test has the module write them itself.
//!
//! `FLASHSALE_LOOP_ENTRIES` is the size of the kill loops (2,000).

mod bench;
#[path = "../common/mod.rs"]
mod common;
mod loops;
mod outcomes;
mod page;
mod places;
mod reconcile;
mod servers;
mod startup;
mod worker;

use servers::{DatabaseServer, Redis, Sql};

/// What a scenario plays with.
pub struct Stage {
    pub redis: Redis,
    pub url: String,
    pub sql: Sql,
}

impl Stage {
    /// How a column of bytes is compared with text.
    pub fn text_of(&self, expression: &str) -> String {
        match self.url.split(':').next() {
            Some("mysql") => format!("CAST({expression} AS CHAR)"),
            _ => format!("CAST({expression} AS TEXT)"),
        }
    }
}

type Scenario = (&'static str, fn(&mut Stage));

const SCENARIOS: [Scenario; 10] = [
    ("each entry is one row", outcomes::each_entry_is_one_row),
    ("names are bytes", outcomes::names_are_bytes),
    (
        "the largest payload fits",
        outcomes::the_largest_payload_fits,
    ),
    ("hooks run once", outcomes::hooks_run_once),
    (
        "a second payment and a conflict are dead",
        outcomes::a_second_payment_and_a_conflict_are_dead,
    ),
    (
        "what cannot be stored is dead and can be retried",
        outcomes::what_cannot_be_stored_is_dead,
    ),
    (
        "what was trimmed while pending is dead",
        outcomes::what_was_trimmed_while_pending_is_dead,
    ),
    (
        "the newest seq of a reservation wins",
        outcomes::the_newest_seq_wins,
    ),
    (
        "a worker takes over what another has left",
        outcomes::takes_over_what_another_has_left,
    ),
    ("stops in order", outcomes::stops_in_order),
];

/// Plays every scenario with a database of its own, and names those that fail.
fn play(kind: &'static str) {
    let Some(server) = DatabaseServer::start(kind) else {
        return;
    };
    let only = std::env::var("FLASHSALE_SCENARIO").ok();
    let mut failed = Vec::new();
    for (at, (name, scenario)) in SCENARIOS.iter().enumerate() {
        if only
            .as_ref()
            .is_some_and(|only| !name.contains(only.as_str()))
        {
            continue;
        }
        let url = server.database(&format!("shop{at}"));
        if kind == "sqlite" {
            std::fs::File::create(url.trim_start_matches("sqlite:")).expect("a file");
        }
        let sql = Sql::open(&url).expect("a database");
        let mut stage = Stage {
            redis: Redis::start(&[]),
            url,
            sql,
        };
        let played =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scenario(&mut stage)));
        if played.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{kind}: {failed:?}");
}

#[test]
fn every_scenario_holds_on_sqlite() {
    play("sqlite");
}

#[test]
fn every_scenario_holds_on_postgresql() {
    play("postgres");
}

#[test]
fn every_scenario_holds_on_mariadb() {
    play("mariadb");
}
