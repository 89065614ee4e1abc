//! **Goal**: in Cluster mode a sale and its stream live in one slot, a command that
//! names two is refused by the server itself, and a slot migrates with its sale, whose
//! deadlines belong to whichever primary has it.
//!
//! **Method**: one cluster node that owns all slots; keys with and without a common
//! hash tag; then two primaries and a replica, and a slot that is sent back and forth
//! by CLUSTER SETSLOT and MIGRATE, step by step, so that each stage can be looked at.

use crate::support::{Con, Server, wait_for_replica, wait_until};

fn node() -> Option<Server> {
    let server = Server::own(&["--cluster-enabled yes"], &[])?;
    let mut con = server.conn();
    con.says("CLUSTER ADDSLOTSRANGE 0 16383", "OK");
    wait_until("the cluster is up", || {
        con.text("CLUSTER INFO").contains("cluster_state:ok")
    });
    Some(server)
}

#[test]
fn a_sale_and_its_stream_share_a_hash_tag() {
    let Some(server) = node() else { return };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE {s}sale {s}orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.RESERVE {s}sale alice 1 ID r1",
        "RESERVED r1 * 8 -1",
    );
    con.says("FLASHSALE.CHECKOUT {s}sale {s}orders r1", "SOLD r1 (entry)");
    con.says(
        "FLASHSALE.BUY {s}sale {s}orders alice 1 ID r2",
        "SOLD r2 (entry)",
    );
    con.says(
        "FLASHSALE.REFUND {s}sale {s}orders r2",
        "REFUNDED r2 (entry)",
    );
    for line in [
        "FLASHSALE.CREATE {s}other {t}orders STOCK 9",
        "FLASHSALE.CHECKOUT {s}sale {t}orders r1",
        "FLASHSALE.BUY {s}sale {t}orders alice 1",
        "FLASHSALE.REFUND {s}sale {t}orders r1",
        "FLASHSALE.BIND {s}sale {t}orders",
    ] {
        let reply = con.show(line);
        assert!(reply.contains("CROSSSLOT"), "{line}: {reply}");
    }
}

#[test]
fn deadlines_are_kept_in_cluster_mode() {
    let Some(server) = node() else { return };
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale {sale}orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 HOLD 30", "RESERVED ...");
    wait_until("it expired", || con.stock("sale") == "[default 9 0 0 0]");
}

/// Two primaries with half of the slots each, and a replica of the second. The slot of
/// `sale` is the first one's.
struct Pair {
    from: Server,
    to: Server,
    replica: Server,
}

impl Pair {
    fn make() -> Option<Pair> {
        let one = || Server::own(&["--cluster-enabled yes"], &[]);
        let (from, to, replica) = (one()?, one()?, one()?);
        let mut con = from.conn();
        con.says("CLUSTER ADDSLOTSRANGE 0 8191", "OK");
        to.conn().says("CLUSTER ADDSLOTSRANGE 8192 16383", "OK");
        // Else both may claim one epoch, which takes seconds to settle.
        to.conn().says("CLUSTER SET-CONFIG-EPOCH 1", "OK");
        for met in [&to, &replica] {
            let bus = met.conn().map("CONFIG GET cluster-port")[0].1.clone();
            let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", met.port());
            con.says(&meet.replace('"', ""), "OK");
        }
        let id = to.conn().text("CLUSTER MYID");
        wait_until("the nodes know each other", || {
            [&from, &to, &replica].iter().all(|node| {
                let mut con = node.conn();
                let state = con.text("CLUSTER INFO");
                state.contains("cluster_slots_ok:16384")
                    && state.contains("cluster_state:ok")
                    && state.contains("cluster_known_nodes:3")
            })
        });
        let mut follower = replica.conn();
        wait_until("it may follow", || {
            follower.show(&format!("CLUSTER REPLICATE {id}")) == "OK"
        });
        wait_until("it follows", || {
            follower.info("replication", "master_link_status") == "up"
        });
        Some(Pair { from, to, replica })
    }
}

/// The slot of `sale` on its way from one primary to another.
struct Migration {
    from: Con,
    to: Con,
    port: u16,
    slot: i64,
}

impl Migration {
    #[track_caller]
    fn begin(from: &Server, to: &Server) -> Migration {
        let (port, mut from, mut to) = (to.port(), from.conn(), to.conn());
        let slot = from.int("CLUSTER KEYSLOT sale");
        let (source, target) = (from.text("CLUSTER MYID"), to.text("CLUSTER MYID"));
        to.says(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"), "OK");
        from.says(&format!("CLUSTER SETSLOT {slot} MIGRATING {target}"), "OK");
        Migration {
            from,
            to,
            port,
            slot,
        }
    }

    #[track_caller]
    fn carry(&mut self, keys: &str) {
        let line = format!("MIGRATE 127.0.0.1 {} '' 0 5000 KEYS {keys}", self.port);
        self.from.says(&line, "OK");
    }

    #[track_caller]
    fn end(mut self) {
        let target = self.to.text("CLUSTER MYID");
        let line = format!("CLUSTER SETSLOT {} NODE {target}", self.slot);
        self.to.says(&line, "OK");
        self.from.says(&line, "OK");
    }
}

/// Asserts that the server sends the client elsewhere, or bids it to try again.
#[track_caller]
fn sends_away(con: &mut Con, line: &str, code: &str) {
    let reply = con.show(line);
    let expected = format!("(error) \"{code} ");
    assert!(reply.starts_with(&expected), "{line}: {reply}");
}

#[test]
fn a_slot_migrates_with_its_sale() {
    let Some(Pair { from, to, replica }) = Pair::make() else {
        return;
    };
    let (mut con, mut there, mut behind) = (from.conn(), to.conn(), replica.conn());
    con.says(
        "FLASHSALE.CREATE sale {sale}orders STOCK 9 KEEP 9000000",
        "OK",
    );
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 2000",
        "RESERVED ...",
    );
    con.says("FLASHSALE.BUY sale {sale}orders bob 1 ID r2", "SOLD ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    let (before, vanishes) = (con.digest("sale {sale}orders"), con.int("PEXPIRETIME sale"));
    assert!(vanishes > 0);
    let mut migration = Migration::begin(&from, &to);
    migration.carry("sale {sale}orders");
    migration.end();
    assert_eq!(there.digest("sale {sale}orders"), before);
    // MIGRATE counts from now: the time it takes is added.
    let late = there.int("PEXPIRETIME sale") - vanishes;
    assert!((0..60_000).contains(&late), "{late} ms");
    sends_away(&mut con, "FLASHSALE.STOCK sale", "MOVED");
    wait_until("it expired at its new home", || {
        there.stock("sale") == "[default 8 0 1 0]"
    });
    // Its old home had nothing to return, and the replica was told to.
    assert_eq!(con.info("flashsale", "flashsale_outcome_expired"), "0");
    assert_eq!(con.int("DBSIZE"), 0);
    wait_for_replica(&to, &replica);
    assert_eq!(
        behind.digest("sale {sale}orders"),
        there.digest("sale {sale}orders")
    );
    assert_eq!(behind.info("flashsale", "flashsale_outcome_expired"), "0");
    there.says("FLASHSALE.BUY sale {sale}orders bob 1 ID r2", "SOLD r2 *");
}

#[test]
fn a_slot_on_its_way_is_served_where_the_sale_is_and_so_are_its_deadlines() {
    let Some(Pair { from, to, .. }) = Pair::make() else {
        return;
    };
    let (mut con, mut there) = (from.conn(), to.conn());
    con.says("FLASHSALE.CREATE sale {sale}orders STOCK 9", "OK");
    con.says("XGROUP CREATE {sale}orders shipping 0 MKSTREAM", "OK");
    for (round, (from, to)) in [(&from, &to), (&to, &from), (&from, &to)]
        .into_iter()
        .enumerate()
    {
        let (mut con, mut there) = (from.conn(), to.conn());
        let id = |name: &str| format!("{name}{round}");
        let (here, gone, asked) = (id("here"), id("gone"), id("asked"));
        let reserve = |con: &mut Con, id: &str, hold_ms: u32| {
            let line = format!("FLASHSALE.RESERVE sale alice 1 ID {id} HOLD {hold_ms}");
            con.says(&line, "RESERVED ...");
        };
        let state =
            |con: &mut Con, id: &str| con.field(&format!("FLASHSALE.GET sale {id}"), "state");
        let checkout = format!("FLASHSALE.CHECKOUT sale {{sale}}orders {}", id("paid"));
        reserve(&mut con, &id("paid"), 9_000_000);
        reserve(&mut con, &gone, 1_500);
        let mut migration = Migration::begin(from, to);
        reserve(&mut con, &here, 20);
        wait_until("it expired where it was", || {
            state(&mut con, &here) == "expired"
        });
        sends_away(&mut there, "FLASHSALE.STOCK sale", "MOVED");
        migration.carry("sale");
        // Here the stream, there the sale: no command with both is served.
        sends_away(&mut con, &checkout, "TRYAGAIN");
        sends_away(&mut con, "FLASHSALE.STOCK sale", "ASK");
        there.says("ASKING", "OK");
        sends_away(&mut there, &checkout, "TRYAGAIN");
        there.says("ASKING", "OK");
        reserve(&mut there, &asked, 20);
        for id in [&asked, &gone] {
            wait_until("it expired where it is now", || {
                there.says("ASKING", "OK");
                state(&mut there, id) == "expired"
            });
        }
        migration.carry("{sale}orders");
        sends_away(&mut con, &checkout, "ASK");
        there.says("ASKING", "OK");
        there.says(&checkout, "SOLD ...");
        migration.end();
        there.says(&checkout, "SOLD ...");
        sends_away(&mut con, &checkout, "MOVED");
    }
    there.says("FLASHSALE.STOCK sale", "[default 6 0 3 0]");
    assert_eq!(there.int("XLEN {sale}orders"), 3);
    let expired = |con: &mut Con| con.info("flashsale", "flashsale_outcome_expired");
    // The first server returned what fell due in its two turns as source and its one as
    // target, the second the rest: each reservation once.
    assert_eq!(
        (expired(&mut con), expired(&mut there)),
        ("4".into(), "5".into())
    );
}

#[test]
fn a_checkout_in_a_migrating_slot_needs_the_stream_to_exist() {
    let Some(Pair { from, to, .. }) = Pair::make() else {
        return;
    };
    let (mut con, mut there) = (from.conn(), to.conn());
    con.says("FLASHSALE.CREATE sale {sale}orders STOCK 9", "OK");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    let checkout = "FLASHSALE.CHECKOUT sale {sale}orders r1";
    let mut migration = Migration::begin(&from, &to);
    // The server takes a key that is not there for one that has gone ahead.
    sends_away(&mut con, checkout, "TRYAGAIN");
    con.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED ...");
    // So it does with both keys of a new sale.
    sends_away(&mut con, "FLASHSALE.CREATE {sale}2 {sale}3 STOCK 9", "ASK");
    there.says("ASKING", "OK");
    sends_away(
        &mut there,
        "FLASHSALE.CREATE {sale}2 {sale}3 STOCK 9",
        "TRYAGAIN",
    );
    migration.carry("sale");
    there.says("ASKING", "OK");
    sends_away(&mut there, checkout, "TRYAGAIN");
    migration.end();
    there.says(checkout, "SOLD r1 (entry)");

    // Now that there is a stream, nobody meets that.
    let mut migration = Migration::begin(&to, &from);
    there.says("FLASHSALE.CHECKOUT sale {sale}orders r2", "SOLD r2 (entry)");
    migration.carry("sale {sale}orders");
    migration.end();
    con.says("FLASHSALE.CHECKOUT sale {sale}orders r2", "SOLD r2 (entry)");
}

#[test]
fn a_replica_of_the_cluster_serves_reads_and_sends_writes_to_its_primary() {
    let Some(Pair { from, to, replica }) = Pair::make() else {
        return;
    };
    from.conn()
        .says("FLASHSALE.CREATE sale {sale}orders STOCK 9", "OK");
    let mut migration = Migration::begin(&from, &to);
    migration.carry("sale");
    migration.end();
    let (mut con, mut behind) = (to.conn(), replica.conn());
    con.says("FLASHSALE.BUY sale {sale}orders bob 1 ID r1", "SOLD ...");
    wait_for_replica(&to, &replica);
    wait_until("the replica knows whose the slot is", || {
        behind
            .show("FLASHSALE.STOCK sale")
            .contains(&format!(":{}", to.port()))
    });
    sends_away(&mut behind, "FLASHSALE.STOCK sale", "MOVED");
    behind.says("READONLY", "OK");
    behind.says("FLASHSALE.STOCK sale", "[default 8 0 1 0]");
    behind.fields("FLASHSALE.GET sale r1", "state sold, user bob");
    for line in [
        "FLASHSALE.INFO sale",
        "FLASHSALE.USER sale bob",
        "FLASHSALE.SCAN sale 0",
        "FLASHSALE.AUDIT sale {sale}orders",
        "FLASHSALE.DOCTOR",
    ] {
        let reply = behind.show(line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
    }
    for line in [
        "FLASHSALE.RESERVE sale alice 1 ID r2",
        "FLASHSALE.CHECKOUT sale {sale}orders r1",
        "FLASHSALE.BUY sale {sale}orders bob 1 ID r1",
        "FLASHSALE.RELEASE sale r1",
        "FLASHSALE.EXTEND sale r1 5",
        "FLASHSALE.REFUND sale {sale}orders r1",
        "FLASHSALE.CREATE {sale}2 {sale}orders STOCK 9",
    ] {
        sends_away(&mut behind, line, "MOVED");
    }
}

/// Asserts that entries wait, and that no stream was made for them here.
#[track_caller]
fn waits(con: &mut Con, is_asking: bool) {
    let until = con.now_ms() + 250;
    wait_until("the timer has looked", || con.now_ms() > until);
    let mut ask = |line: &str| {
        if is_asking {
            con.says("ASKING", "OK");
        }
        con.show(line)
    };
    assert!(ask("FLASHSALE.INFO sale").contains("events_waiting 1"));
    assert_eq!(ask("DBSIZE"), "1", "the sale alone");
}

#[test]
fn entries_wait_while_a_slot_moves_and_no_stream_is_made_on_the_way() {
    let Some(Pair { from, to, .. }) = Pair::make() else {
        return;
    };
    let (mut con, mut there) = (from.conn(), to.conn());
    con.says(
        "FLASHSALE.CREATE sale {sale}orders STOCK 9 EVENTS all",
        "OK",
    );
    // The sale goes first, and there is no stream yet.
    let mut migration = Migration::begin(&from, &to);
    con.says("FLASHSALE.RESERVE sale alice 1 ID r1", "RESERVED ...");
    waits(&mut con, false);
    migration.carry("sale");
    waits(&mut there, true);
    migration.end();
    wait_until("it is written where the sale is now", || {
        there.int("XLEN {sale}orders") == 1
    });
    con.says("DBSIZE", "0");
    // The stream goes first.
    let mut migration = Migration::begin(&to, &from);
    migration.carry("{sale}orders");
    there.says("FLASHSALE.RESERVE sale alice 1 ID r2", "RESERVED ...");
    waits(&mut there, false);
    migration.carry("sale");
    migration.end();
    wait_until("it is written where both are now", || {
        con.int("XLEN {sale}orders") == 2
    });
    con.says("FLASHSALE.CHECKOUT sale {sale}orders r2", "SOLD ...");
    con.says("XLEN {sale}orders", "3");
    con.fields("FLASHSALE.AUDIT sale {sale}orders", "consistent 1");
    there.says("DBSIZE", "0");
}
