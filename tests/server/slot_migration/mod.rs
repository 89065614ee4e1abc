//! **Goal**: a slot that moves as a whole (Valkey 9) takes its sale and filter along:
//! nothing is lost, expired twice or early, and no promise is broken, whoever ends in the
//! middle of it; and what has come of a sale is saved, loaded and resynchronised.
//!
//! **Method**: real servers of Valkey 9, whatever the other tests run on. A migration is
//! held still by the server's own `DEBUG SLOTMIGRATION`. For a sale of which only a part
//! has come, the test itself plays the source of the import. Under load a slot moves from
//! primary to primary, while deadlines pass and are put off at the last moment; then every
//! sale is recounted, as in `cluster_reshard`.
//!
//! The long ones are ignored by `cargo test`: `make test-cluster` runs them.

mod keeper;
mod moves;
mod pair;
mod source;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cluster_reshard::buyer::Entry;
use crate::cluster_reshard::checks::{
    check, each_reservation_expired_once, nobody_else_was_served,
};
use crate::cluster_reshard::load::{Crowd, Ledger, Load};
use crate::cluster_reshard::sale::{SaleName, names};
use crate::support::{Cluster, Con, Dice, aof, send_all, wait_until};
use flashsale_engine::sale::{Change, ContainerWriter, Event, Forgets};
use flashsale_fuzz::samples::HASHER;
use keeper::{Keeper, filter_of};
use moves::Move;
use pair::{Pair, has_key, job, mover, wait_for_job};
use source::{Chunks, Line, Source};

/// So long that a server which is started again at once is missed by nobody, in
/// milliseconds.
const PATIENT_MS: u32 = 8_000;
/// The state of an import that has got everything and may not go on.
const HELD: &str = "waiting-for-paused";

/// How close to its deadline a reservation is extended, in milliseconds: a busy machine may
/// take so long to come to it.
const LAST_MS: u64 = 500;

/// Waits until a reservation's deadline is near.
#[track_caller]
fn wait_for_the_end_of(con: &mut Con, id: &str) {
    let at = con.field(&format!("FLASHSALE.GET {{s}} {id}"), "expires_at_ms");
    let at: u64 = at.parse().expect("a deadline");
    wait_until("the deadline is near", || con.now_ms() + LAST_MS >= at);
}

fn expired(con: &mut Con) -> String {
    con.info("flashsale", "flashsale_outcome_expired")
}

#[test]
fn deadlines_are_kept_by_the_side_that_owns_the_slot() {
    let Some(program) = mover() else {
        return;
    };
    let pair = Pair::start(&program, "");
    let (mut source, mut target) = (pair.source.conn(), pair.target.conn());
    source.says("FLASHSALE.CREATE {s} {s}:o STOCK 9 MAXHOLD 900000", "OK");
    source.says("FLASHSALE.BUY {s} {s}:o cyd 1 ID sold REF p", "SOLD ...");
    source.says("FLASHSALE.BFADD {s}:f cyd", "1");
    let throttle = |who: &str| format!("FLASHSALE.THROTTLE {{s}}:l {who} 1 3600000");
    source.says(&throttle("cyd"), "ALLOWED ...");
    for (id, hold_ms) in [("early", 1_500), ("kept", 4_200), ("late", 4_000)] {
        let line = format!("FLASHSALE.RESERVE {{s}} ann 1 ID {id} HOLD {hold_ms}");
        source.says(&line, "RESERVED ...");
    }
    let deadline = source.field("FLASHSALE.GET {s} early", "expires_at_ms");
    pair.hold_still(true);
    pair.migrate();
    wait_for_job(&mut target, "IMPORT", HELD);
    // The target knows the deadlines, too. It must not act on one, however late the
    // source is.
    pair.source.signal("STOP");
    let early: u64 = deadline.parse().expect("a deadline");
    wait_until("a deadline is long over", || target.now_ms() > early + 400);
    assert_eq!(expired(&mut target), "0");
    pair.source.signal("CONT");
    wait_for_the_end_of(&mut source, "late");
    source.says("FLASHSALE.EXTEND {s} late 4000", "RESERVED ...");
    wait_for_the_end_of(&mut source, "kept");
    source.says("FLASHSALE.EXTEND {s} kept 600000", "RESERVED ...");
    wait_until("it expired where it is owned", || {
        source.stock("{s}") == "[default 6 2 1 0]"
    });
    source.says("FLASHSALE.BUY {s} {s}:o dan 1 ID more", "SOLD ...");
    source.says("FLASHSALE.BFADD {s}:f dan", "1");
    source.says(&throttle("dan"), "ALLOWED ...");
    source.says(&throttle("cyd"), "THROTTLED ...");
    Pair::are_equal(&pair.servers());
    assert_eq!(
        (expired(&mut source), expired(&mut target)),
        ("1".into(), "0".into())
    );
    pair.hold_still(false);
    wait_for_job(&mut target, "IMPORT", "success");
    wait_until("it expired at its new owner", || {
        target.show("FLASHSALE.STOCK {s}") == "[default 6 1 2 0]"
    });
    target.fields("FLASHSALE.GET {s} kept", "state reserved");
    target.says("FLASHSALE.BFMEXISTS {s}:f cyd dan", "1 1");
    for who in ["cyd", "dan"] {
        target.says(&throttle(who), "THROTTLED ...");
    }
    assert_eq!(
        (expired(&mut source), expired(&mut target)),
        ("1".into(), "1".into())
    );
    wait_until("the source has nothing left", || {
        !has_key(&mut source, "{s}")
    });
    Pair::are_equal(&[&pair.target, &pair.replica]);
    // What nobody owned in between is there after a restart, too.
    let mut pair = pair;
    let digest = target.digest("{s} {s}:f {s}:o {s}:l");
    pair.target.kill9();
    pair.target.start_again(&[]);
    assert_eq!(pair.target.conn().digest("{s} {s}:f {s}:o {s}:l"), digest);
}

/// Saves in the middle of an import in every way there is.
#[track_caller]
fn save_in_every_way(con: &mut Con) {
    for preamble in ["no", "yes"] {
        con.says(&format!("CONFIG SET aof-use-rdb-preamble {preamble}"), "OK");
        aof::rewrite(con);
    }
    con.says("SAVE", "OK");
}

#[test]
fn a_part_of_a_sale_is_saved_resynchronised_and_gone_on_with() {
    let Some(program) = mover() else {
        return;
    };
    let chunks = Chunks::make(&program);
    let [first, rest] = chunks.halves();
    let mut pair = Pair::start(&program, "");
    let mut source = Source::begin(&pair);
    source.send(&first);
    source.is_heard();
    save_in_every_way(&mut pair.target.conn());
    // The replica loads the part from its own AOF, then from a snapshot of the target's.
    pair.replica.kill9();
    pair.replica.start_again(&[]);
    pair.settle();
    assert!(
        !pair.replica.log().contains("is left out"),
        "a part is kept"
    );
    save_in_every_way(&mut pair.replica.conn());
    source.send(&rest);
    source.is_heard();
    for server in [&pair.target, &pair.replica] {
        let mut con = server.conn();
        wait_until("the whole has come", || {
            con.digest("{s} {s}:f") == chunks.digest
        });
    }
    // The source is gone, so the server gives the import up.
    drop(source);
    for server in [&pair.target, &pair.replica] {
        let mut con = server.conn();
        wait_until("nothing is left of it", || !has_key(&mut con, "{s}"));
    }
}

#[test]
fn a_target_that_ends_in_the_middle_starts_without_what_had_come() {
    let Some(program) = mover() else {
        return;
    };
    let chunks = Chunks::make(&program);
    let [first, _] = chunks.halves();
    let mut pair = Pair::start(&program, "--appendfsync always");
    for is_rewritten in [false, true] {
        let mut source = Source::begin(&pair);
        source.send(&first);
        source.is_heard();
        if is_rewritten {
            aof::rewrite(&mut pair.target.conn());
        }
        pair.target.kill9();
        pair.target.start_again(&[]);
        let log = pair.target.log();
        for what in ["sale '{s}'", "filter '{s}:f'"] {
            let line = format!("the {what} was on its way here");
            let times = 1 + usize::from(is_rewritten);
            assert_eq!(log.matches(&line).count(), times, "{what}");
        }
        for server in [&pair.target, &pair.replica] {
            let mut con = server.conn();
            wait_until("nothing is left", || {
                !has_key(&mut con, "{s}") && !has_key(&mut con, "{s}:f")
            });
        }
        pair.settle();
    }
}

#[test]
fn a_replica_promoted_in_the_middle_has_nothing_of_what_had_come() {
    let Some(program) = mover() else {
        return;
    };
    let chunks = Chunks::make(&program);
    let [first, _] = chunks.halves();
    let pair = Pair::start(&program, "");
    let mut source = Source::begin(&pair);
    source.send(&first);
    source.is_heard();
    let (mut old, mut new) = (pair.target.conn(), pair.replica.conn());
    wait_until("the replica has got it", || has_key(&mut new, "{s}:f"));
    new.says("CLUSTER FAILOVER", "OK");
    wait_until("the replica is a primary", || {
        new.info("replication", "role") == "master"
    });
    wait_until("the old target follows it", || {
        old.info("replication", "master_link_status") == "up"
    });
    for con in [&mut new, &mut old] {
        wait_until("nothing is left", || {
            !has_key(con, "{s}") && !has_key(con, "{s}:f")
        });
    }
}

/// A batch whose first event fits any sale, and whose second one fits none.
fn batch_with_a_misfit() -> Vec<u8> {
    let id = HASHER.key(b"nobody's");
    let mut batch = ContainerWriter::new(Vec::new(), 4_000_000_000_000);
    for change in [
        Change::ReleasedUnseen {
            id,
            user: None,
            forgets: Forgets::Nothing,
        },
        Change::Expired { id },
    ] {
        let at_ms = 4_000_000_000_000;
        batch.push(&Event { at_ms, change });
    }
    batch.finish().to_vec()
}

#[test]
fn what_does_not_fit_ends_the_import_and_leaves_nothing() {
    let Some(program) = mover() else {
        return;
    };
    let chunks = Chunks::make(&program);
    let mut pair = Pair::start(&program, "");
    let line = |words: &[&[u8]]| -> Line { words.iter().map(|word| word.to_vec()).collect() };
    let damaged = |line: &Line| {
        let mut line = line.clone();
        line[2].fill(0xff);
        line
    };
    let with = |lines: &[Line], last: Line| [lines, &[last]].concat();
    let whole = &chunks.sale[..];
    for lines in [
        vec![damaged(&whole[0])],
        with(&whole[..2], damaged(&whole[2])),
        with(&[], whole[1].clone()),
        with(whole, whole[0].clone()),
        with(whole, line(&[b"FLASHSALE.APPLY", b"{s}", b"no event"])),
        with(
            whole,
            line(&[b"FLASHSALE.APPLY", b"{s}", &batch_with_a_misfit()]),
        ),
        with(&[], line(&[b"FLASHSALE.APPLY", b"{s}", b"no sale"])),
        with(&[], line(&[b"FLASHSALE.LOAD", b"{s}", b""])),
        with(
            &chunks.filter[..1],
            line(&[b"FLASHSALE.BFLOAD", b"{s}:f", b"short"]),
        ),
        with(
            &chunks.filter,
            line(&[b"FLASHSALE.BFAPPLY", b"{s}:f", b"no event"]),
        ),
        with(
            &[],
            line(&[b"FLASHSALE.BFLOADCHUNK", b"{s}:f", b"1", b"no dump"]),
        ),
        with(&[], line(&[b"FLASHSALE.RATELOAD", b"{s}:l", b"no chunk"])),
        with(&[], line(&[b"FLASHSALE.RATEAPPLY", b"{s}:l", b"no event"])),
    ] {
        let mut source = Source::begin(&pair);
        source.send(&lines);
        let mut con = pair.target.conn();
        let last = lines.last().expect("a line");
        let what = last[0].escape_ascii();
        wait_until(&format!("the import with a bad {what} has failed"), || {
            job(&mut con, "IMPORT", "state") == "failed"
        });
        for server in [&pair.target, &pair.replica] {
            let mut con = server.conn();
            wait_until("nothing is left", || {
                !has_key(&mut con, "{s}") && !has_key(&mut con, "{s}:f")
            });
        }
    }
    // Nothing of it is in the AOF but what was carried out.
    pair.target.kill9();
    pair.target.start_again(&[]);
    pair.settle();
}

/// Moves slots, or whatever `act` does, while buyers are served; then checks every sale.
fn under_load(
    program: &Path,
    each: usize,
    act: impl FnOnce(&mut Cluster, &[SaleName], &Load),
) -> (Cluster, Ledger) {
    let mut cluster = Cluster::make_of(program, PATIENT_MS);
    let mut dice = Dice::seeded();
    let sales = names(&cluster, "sale", each);
    let load = Load::start(&cluster, &sales, &mut dice, &Crowd::of(4));
    let keeper = Keeper::start(&cluster, &sales, &mut dice);
    load.goes_on(100);
    act(&mut cluster, &sales, &load);
    load.goes_on(100);
    let kindness = keeper.stop();
    let mut ledger = load.stop();
    let (extended, longest) = (kindness.extended, kindness.longest);
    ledger.add(kindness.buyer);
    println!(
        "{} reservations, {extended} deadlines put off; longest wait for an answer: {longest:?}",
        ledger.entries.len()
    );
    assert!(ledger.count("SOLD") > 0 && extended > 0, "all was met");
    assert_eq!(check(&cluster, &sales, &ledger), []);
    nobody_else_was_served(&cluster, &sales, &ledger);
    filters_forget_nothing(&cluster, &sales, &ledger.entries);
    (cluster, ledger)
}

/// Every kept reservation's id is in the filter of its sale, and so on the replica.
#[track_caller]
fn filters_forget_nothing(cluster: &Cluster, sales: &[SaleName], entries: &[Entry]) {
    for (index, sale) in sales.iter().enumerate() {
        let filter = filter_of(sale);
        let primary = cluster.owner(sale.slot);
        let mut con = cluster.conn(primary);
        let kept = entries
            .iter()
            .filter(|entry| entry.sale == index && entry.id.starts_with("b98-"));
        for entry in kept {
            con.says(&format!("FLASHSALE.BFEXISTS {filter} {}", entry.id), "1");
        }
        let mut copy = cluster.conn(cluster.replica_of(primary));
        let digest = con.digest(&filter);
        wait_until("the replica's filter is equal", || {
            copy.digest(&filter) == digest
        });
    }
}

/// Moves the slot of each sale once round all primaries.
#[track_caller]
fn move_round(cluster: &Cluster, sales: &[SaleName], load: &Load) {
    for sale in sales {
        for _ in 0..3 {
            let (took, bytes) = Move::begin(cluster, sale.slot).end();
            println!("moved in {took:?}, {bytes} bytes sent meanwhile");
            load.goes_on(20);
        }
    }
}

#[test]
fn slots_move_as_a_whole_under_load() {
    let Some(program) = mover() else {
        return;
    };
    let (cluster, ledger) = under_load(&program, 1, |cluster, sales, load| {
        for _ in 0..2 {
            move_round(cluster, sales, load);
        }
    });
    each_reservation_expired_once(&cluster, &ledger);
}

#[test]
#[ignore = "long: make test-cluster"]
fn slots_move_as_a_whole_under_load_and_servers_end_in_the_middle() {
    let Some(program) = mover() else {
        return;
    };
    under_load(&program, 2, |cluster, sales, load| {
        move_round(cluster, sales, load);
        let held = [PAUSED, GRANTED].into_iter();
        let all = held.flat_map(|held| ACCIDENTS.map(|accident| (held, accident)));
        for ((held, accident), sale) in all.zip(sales.iter().cycle()) {
            happens_in_the_middle(cluster, sale, held, accident);
            load.goes_on(60);
            move_round(cluster, std::slice::from_ref(sale), load);
        }
    });
}

/// What can happen to a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accident {
    SourceEnds,
    TargetEnds,
    /// The target hands over to its replica, which knows what has come.
    TargetHandsOver,
}

const ACCIDENTS: [Accident; 3] = [
    Accident::SourceEnds,
    Accident::TargetEnds,
    Accident::TargetHandsOver,
];

/// Where a migration can be held still: what the server is told, and the state it is in.
type Held = (&'static str, &'static str);
/// All has come but for what happens now.
const PAUSED: Held = ("PREVENT-PAUSE", "waiting-to-pause");
/// Writes are paused, and the target may take the slot.
const GRANTED: Held = ("PREVENT-FAILOVER", "failover-granted");

/// Says to every server whether a migration may come to its pause, and to its end.
#[track_caller]
fn hold_still(cluster: &Cluster, what: &str, is_still: bool) {
    for index in cluster.alive() {
        let line = format!("DEBUG SLOTMIGRATION {what} {}", u8::from(is_still));
        cluster.conn(index).says(&line, "OK");
    }
}

/// Lets something happen to a migration that has come so far. The slot stays where it was.
#[track_caller]
fn happens_in_the_middle(
    cluster: &mut Cluster,
    sale: &SaleName,
    (what, state): Held,
    accident: Accident,
) {
    println!("{state}: {accident:?}");
    hold_still(cluster, what, true);
    let moving = Move::begin(cluster, sale.slot);
    wait_until(state, || moving.state("EXPORT") == state);
    let (from, to) = (moving.from, moving.to);
    if accident == Accident::TargetHandsOver {
        let replica = cluster.replica_of(to);
        cluster.conn(replica).says("CLUSTER FAILOVER", "OK");
        cluster.wait_for_promotion(replica);
    } else {
        let ends = if accident == Accident::SourceEnds {
            from
        } else {
            to
        };
        cluster.kill(ends);
        cluster.start_again();
    }
    hold_still(cluster, what, false);
    let mut con = cluster.conn(from);
    wait_until("the migration is over", || {
        ["", "failed"].contains(&job(&mut con, "EXPORT", "state").as_str())
    });
    cluster.settle();
    assert_eq!(cluster.owner(sale.slot), from, "the slot stays");
}

#[test]
#[ignore = "long: make test-cluster"]
fn a_large_sale_moves_while_it_is_served() {
    let Some(program) = mover() else {
        return;
    };
    let count: u64 = std::env::var("FLASHSALE_RESERVATIONS")
        .map_or(1_000_000, |count| count.parse().expect("a number"));
    let pair = Pair::start(&program, "");
    let (mut source, mut target) = (pair.source.conn(), pair.target.conn());
    let line = format!("FLASHSALE.CREATE {{s}} {{s}}:o STOCK {count} HOLD 9000000");
    source.says(&line, "OK");
    send_all(
        &mut source,
        (1..count).map(|number| format!("FLASHSALE.RESERVE {{s}} u{number} 1 ID r{number:032}")),
    );
    let sent = |con: &mut Con| -> u64 {
        con.info("stats", "total_net_output_bytes")
            .parse()
            .expect("bytes")
    };
    let before = sent(&mut source);
    let began = Instant::now();
    pair.migrate();
    // A client that asks all the time, first one server, then the other.
    let mut longest = Duration::ZERO;
    while job(&mut target, "IMPORT", "state") != "success" {
        let since = Instant::now();
        let mut con = pair.source.conn();
        let reply = con.show("FLASHSALE.RESERVE {s} last 1 ID last");
        assert!(
            reply.starts_with("RESERVED") || reply.contains("MOVED"),
            "{reply}"
        );
        longest = longest.max(since.elapsed());
    }
    println!(
        "{count} reservations moved in {:?}, {} bytes; longest wait for an answer {longest:?}",
        began.elapsed(),
        sent(&mut source) - before,
    );
    target.fields("FLASHSALE.GET {s} last", "state reserved");
    Pair::are_equal(&[&pair.target, &pair.replica]);
}
