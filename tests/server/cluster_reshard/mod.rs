//! **Goal**: in a real cluster nothing is lost and nothing is sold twice, while slots
//! move back and forth under load, when a primary hands over, and when one is killed.
//!
//! **Method**: three primaries and three replicas, made and resharded by
//! `redis-cli --cluster`. Threads with a cluster client make reservations under their own
//! ids, and ask again until they are answered. At the end every sale is recounted from
//! its reservations, its order stream and what the threads were told.
//!
//! Long, so ignored by `cargo test`: `make test-cluster` runs it.

pub mod buyer;
pub mod checks;
pub mod load;
mod moving;
pub mod sale;

use crate::support::{Cluster, Dice, unix_ms, wait_until};
use buyer::{Buyer, Entry};
use checks::{check, each_reservation_expired_once, nobody_else_was_served};
use load::{Crowd, Ledger, Load};
use moving::Moving;
use sale::{LOW_SLOTS, SaleName, names};

/// Sales of each primary.
const SALES: usize = 8;
/// So long that a busy machine makes no failover of its own, in milliseconds.
const PATIENT_MS: u32 = 5_000;
/// So short that a killed primary is soon missed, in milliseconds.
const HASTY_MS: u32 = 1_500;
/// How late a thread may write down what it was answered before a kill; far less than a
/// promotion takes. In milliseconds.
const SLOW_MS: u64 = 1_000;

#[test]
#[ignore = "long: make test-cluster"]
fn slots_move_back_and_forth_under_load() {
    let Some(cluster) = Cluster::make(PATIENT_MS) else {
        return;
    };
    let mut dice = Dice::seeded();
    let mut sales = names(&cluster, "sale", SALES);
    sales.extend(names(&cluster, "quiet", 1));
    let crowd = Crowd {
        quiet: 3,
        ..Crowd::of(6)
    };
    let (load, began_ms) = (Load::start(&cluster, &sales, &mut dice, &crowd), unix_ms());
    load.goes_on(300);
    let [one, two, three] = cluster.primaries()[..] else {
        panic!("three primaries")
    };
    let low = u32::from(LOW_SLOTS);
    for _ in 0..2 {
        for (from, to, slots) in [
            (one, two, low),
            (two, three, 2 * low),
            (three, one, 3 * low),
        ] {
            cluster.reshard(from, to, slots);
            load.goes_on(100);
        }
    }
    println!("resharded after {} ms", unix_ms() - began_ms);
    cluster.rebalance();
    let mut marker = Buyer::new(99, dice.split(), &sales, &cluster.urls(), (false, false));
    for (index, sale) in sales.iter().enumerate() {
        let is_busy = index < sales.len() - crowd.quiet;
        move_slowly(&cluster, sale, (index, is_busy), &mut marker);
    }
    cluster.settle();
    println!("moved slowly after {} ms", unix_ms() - began_ms);
    // One of the three gives away all it has.
    cluster.rebalance_without(one);
    load.goes_on(300);
    println!("rebalanced after {} ms", unix_ms() - began_ms);
    let mut ledger = load.stop();
    ledger.add(marker);
    report(&cluster, &ledger);
    assert_eq!(check(&cluster, &sales, &ledger), []);
    nobody_else_was_served(&cluster, &sales, &ledger);
    each_reservation_expired_once(&cluster, &ledger);
}

/// Moves a sale and its stream to the next primary, one after the other, and waits at
/// each stage until buyers have met it and deadlines have passed in it.
#[track_caller]
fn move_slowly(
    cluster: &Cluster,
    sale: &SaleName,
    (index, is_busy): (usize, bool),
    marker: &mut Buyer,
) {
    let count = |name: &str| cluster.sum("errorstats", &format!("errorstat_{name}"));
    let grows = |name: &str| {
        let before = count(name);
        wait_until(&format!("somebody meets {name}"), || {
            !is_busy || count(name) > before
        });
    };
    let at_home = marker.reserve(index, 60);
    let on_the_way = marker.reserve(index, 400);
    let mut moving = Moving::begin(cluster, sale);
    // The sale is still served where it was, and so are its deadlines.
    let state = format!("FLASHSALE.GET {} ", sale.key);
    wait_until("it expired in the migrating slot", || {
        moving.from.field(&format!("{state}{at_home}"), "state") == "expired"
    });
    if index % 2 == 0 {
        moving.carry(&sale.orders);
        grows("TRYAGAIN");
        moving.carry(&sale.key);
    } else {
        moving.carry(&sale.key);
        grows("ASK");
        grows("TRYAGAIN");
        moving.carry(&sale.orders);
    }
    grows("ASK");
    wait_until("it expired in the importing slot", || {
        moving.to.says("ASKING", "OK");
        moving.to.field(&format!("{state}{on_the_way}"), "state") == "expired"
    });
    let asked_by = marker.reserve(index, 50);
    wait_until("one made in the importing slot expired", || {
        moving.to.says("ASKING", "OK");
        moving.to.field(&format!("{state}{asked_by}"), "state") == "expired"
    });
    moving.end();
}

#[test]
#[ignore = "long: make test-cluster"]
fn a_planned_failover_under_load_loses_nothing() {
    let Some(cluster) = Cluster::make(PATIENT_MS) else {
        return;
    };
    let (mut dice, sales) = (Dice::seeded(), names(&cluster, "sale", SALES));
    let load = Load::start(&cluster, &sales, &mut dice, &Crowd::of(6));
    load.goes_on(300);
    for round in 0..6 {
        let primary = cluster.primaries()[round % 3];
        let replica = cluster.replica_of(primary);
        // Clients are paused while it catches up; deadlines go on to fall due.
        cluster.conn(replica).says("CLUSTER FAILOVER", "OK");
        cluster.wait_for_promotion(replica);
        cluster.settle();
        load.goes_on(300);
    }
    let ledger = load.stop();
    report(&cluster, &ledger);
    assert_eq!(check(&cluster, &sales, &ledger), []);
    nobody_else_was_served(&cluster, &sales, &ledger);
    each_reservation_expired_once(&cluster, &ledger);
}

#[test]
#[ignore = "long: make test-cluster"]
fn a_killed_primary_loses_only_what_no_replica_had() {
    let Some(mut cluster) = Cluster::make(HASTY_MS) else {
        return;
    };
    let (mut dice, sales) = (Dice::seeded(), names(&cluster, "sale", SALES));
    let crowd = Crowd {
        waiting: 3,
        may_lose: true,
        ..Crowd::of(7)
    };
    let load = Load::start(&cluster, &sales, &mut dice, &crowd);
    load.goes_on(500);
    let mut kills = Vec::new();
    let [one, two, _] = cluster.primaries()[..] else {
        panic!("three primaries")
    };
    for (primary, is_cut_off) in [(one, false), (two, true)] {
        kills.push(kill(&mut cluster, &load, (primary, is_cut_off), &sales));
        load.goes_on(500);
        // It was a primary when it was killed, and comes back as a replica.
        cluster.start_again();
        let role = cluster.conn(primary).info("replication", "role");
        assert_eq!(role, "slave");
        load.goes_on(500);
    }
    let mut ledger = load.stop();
    report(&cluster, &ledger);
    let lost = check(&cluster, &sales, &ledger);
    let mut buyer = Buyer::new(99, dice.split(), &sales, &cluster.urls(), (false, true));
    for entry in &lost {
        assert!(is_explained(entry, &kills), "lost: {entry:?} {kills:?}");
        let mut again = entry.clone();
        let is_served = buyer.serve_again(&mut again);
        ledger.entries.retain(|other| other.id != entry.id);
        if is_served {
            ledger.entries.push(again);
        }
    }
    println!(
        "{} acknowledged ids lost a change, unseen until now",
        lost.len()
    );
    let seen = ledger.count("lost, and seen at once");
    let safe = ledger
        .entries
        .iter()
        .filter(|entry| entry.safe.is_some())
        .count();
    println!("{seen} lost one and were served again at once; {safe} waited for the replica");
    assert!(lost.len() as u64 + seen > 0, "the cut link lost nothing");
    assert_eq!(check(&cluster, &sales, &ledger), []);
}

/// When a primary was killed, and the sales it had.
#[derive(Debug)]
struct Kill {
    at_ms: u64,
    sales: Vec<usize>,
}

/// Kills a primary and waits until its replica serves; a replica that was cut off has
/// missed what was acknowledged last.
#[track_caller]
fn kill(
    cluster: &mut Cluster,
    load: &Load,
    (primary, is_cut_off): (usize, bool),
    sales: &[SaleName],
) -> Kill {
    let replica = cluster.replica_of(primary);
    let served = (0..sales.len()).filter(|index| cluster.owner(sales[*index].slot) == primary);
    let served = served.collect();
    if is_cut_off {
        // Asleep it cannot connect again.
        let mut asleep = cluster.conn(replica);
        asleep.send("DEBUG SLEEP 2");
        cluster.conn(primary).run("CLIENT KILL TYPE replica");
        load.goes_on(60);
    }
    cluster.kill(primary);
    let at_ms = unix_ms();
    cluster.wait_for_promotion(replica);
    println!("replaced after {} ms", unix_ms() - at_ms);
    Kill {
        at_ms,
        sales: served,
    }
}

/// Only what was acknowledged before a kill can be lost, of that primary's sales, and
/// nothing that its replica was known to have.
fn is_explained(entry: &Entry, kills: &[Kill]) -> bool {
    let is_before = |kill: &Kill| {
        kill.sales.contains(&entry.sale) && entry.answered_at_ms < kill.at_ms + SLOW_MS
    };
    entry.safe != Some(entry.state) && kills.iter().any(is_before)
}

fn report(cluster: &Cluster, ledger: &Ledger) {
    println!(
        "{} reservations, answers: {:?}",
        ledger.entries.len(),
        ledger.counts
    );
    for name in ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"] {
        let times = cluster.sum("errorstats", &format!("errorstat_{name}"));
        println!("{times} times {name}");
    }
}
