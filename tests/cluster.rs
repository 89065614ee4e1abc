//! **Goal**: in Cluster mode a sale and its stream live in one slot, and a command that
//! names two is refused by the server itself.
//!
//! **Method**: one cluster node that owns all slots; keys with and without a common
//! hash tag; a slot that is being migrated away with its sale.

mod support;

use support::{Server, wait_until};

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
    wait_until("it expired", || con.stock("sale") == "[default 9 0 0]");
}

#[test]
fn a_slot_migrates_with_its_sale() {
    let (Some(from), Some(to)) = (node(), Server::own(&["--cluster-enabled yes"], &[])) else {
        return;
    };
    let (mut con, mut there) = (from.conn(), to.conn());
    let bus = there.map("CONFIG GET cluster-port")[0].1.replace('"', "");
    con.says(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", to.port()), "OK");
    wait_until("the nodes know each other", || {
        let state = there.text("CLUSTER INFO");
        state.contains("cluster_slots_ok:16384") && state.contains("cluster_state:ok")
    });
    con.says("FLASHSALE.CREATE sale {sale}orders STOCK 9", "OK");
    con.says(
        "FLASHSALE.RESERVE sale alice 2 ID r1 HOLD 700",
        "RESERVED ...",
    );
    con.says("FLASHSALE.BUY sale {sale}orders bob 1 ID r2", "SOLD ...");
    let before = con.digest("sale");
    let slot = con.int("CLUSTER KEYSLOT sale");
    let (source, target) = (con.text("CLUSTER MYID"), there.text("CLUSTER MYID"));
    there.says(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"), "OK");
    con.says(&format!("CLUSTER SETSLOT {slot} MIGRATING {target}"), "OK");
    let line = format!(
        "MIGRATE 127.0.0.1 {} '' 0 5000 KEYS sale {{sale}}orders",
        to.port()
    );
    con.says(&line, "OK");
    there.says(&format!("CLUSTER SETSLOT {slot} NODE {target}"), "OK");
    con.says(&format!("CLUSTER SETSLOT {slot} NODE {target}"), "OK");
    assert_eq!(there.digest("sale"), before);
    let reply = con.show("FLASHSALE.STOCK sale");
    assert!(reply.contains("MOVED"), "{reply}");
    wait_until("it expired at its new home", || {
        there.stock("sale") == "[default 8 0 1]"
    });
}
