//! Units with names in a sale that is dumped, restored, renamed, or moved to another node of a
//! cluster.

use super::copies::{fill, go_on, picture};
use super::{restock, seats};
use crate::support::{Server, render, wait_until};
use redis::Value;

#[test]
fn a_dump_is_restored_with_its_units_here_and_elsewhere() {
    let (Some(server), Some(other)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let (mut con, mut elsewhere) = (server.conn(), other.conn());
    fill(&mut con);
    let (digest, seen) = (con.digest("sale"), picture(&mut con, "sale"));
    let Value::BulkString(payload) = con.run("DUMP sale") else {
        panic!("a payload");
    };
    let Value::BulkString(stream) = con.run("DUMP orders") else {
        panic!("a payload");
    };
    for con in [&mut con, &mut elsewhere] {
        let copy = render(&con.run_words(&[b"RESTORE", b"copy", b"0", &payload]));
        assert_eq!(copy, "OK");
        assert_eq!(
            (con.digest("copy"), picture(con, "copy")),
            (digest.clone(), seen.clone())
        );
        con.says("FLASHSALE.AUDIT copy", "consistent 1 ...");
    }
    elsewhere.says("RENAME copy sale", "OK");
    elsewhere.run_words(&[b"RESTORE", b"orders", b"0", &stream]);
    go_on(&mut elsewhere);
    go_on(&mut con);
}

fn node() -> Option<Server> {
    Server::own(&["--cluster-enabled yes"], &[])
}

#[test]
fn a_slot_migrates_with_the_units_of_its_sale() {
    let (Some(from), Some(to)) = (node(), node()) else {
        return;
    };
    let (mut con, mut target) = (from.conn(), to.conn());
    con.says("CLUSTER ADDSLOTSRANGE 0 8191", "OK");
    target.says("CLUSTER ADDSLOTSRANGE 8192 16383", "OK");
    target.says("CLUSTER SET-CONFIG-EPOCH 1", "OK");
    let bus = target.map("CONFIG GET cluster-port")[0].1.replace('"', "");
    con.says(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", to.port()), "OK");
    wait_until("the nodes know each other", || {
        [&mut con, &mut target].iter_mut().all(|con| {
            let state = con.text("CLUSTER INFO");
            state.contains("cluster_slots_ok:16384") && state.contains("cluster_state:ok")
        })
    });
    con.says(
        "FLASHSALE.CREATE sale {sale}orders ITEMS 2 stalls 0 code 0 HOLD 600000",
        "OK",
    );
    restock(&mut con, "stalls", &seats("A", 1, 9), "");
    restock(&mut con, "code", "k1 k2 k3", "SEALED");
    con.says(
        "FLASHSALE.RESERVE sale ann UNITS 2 A-2 A-3 ID i1",
        "RESERVED ...",
    );
    con.says(
        "FLASHSALE.BUY sale {sale}orders bob ITEMS 2 stalls 2 code 1 ID b1",
        "SOLD b1 (entry) [A-4 A-5 k1]",
    );
    let digest = con.digest("sale");
    let slot = con.int("CLUSTER KEYSLOT sale");
    let (source, target_id) = (con.text("CLUSTER MYID"), target.text("CLUSTER MYID"));
    target.says(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"), "OK");
    con.says(
        &format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}"),
        "OK",
    );
    con.says(
        &format!(
            "MIGRATE 127.0.0.1 {} '' 0 5000 KEYS sale {{sale}}orders",
            to.port()
        ),
        "OK",
    );
    for con in [&mut target, &mut con] {
        con.says(&format!("CLUSTER SETSLOT {slot} NODE {target_id}"), "OK");
    }
    assert_eq!(target.digest("sale"), digest);
    target.says(
        "FLASHSALE.RESERVE sale cyd UNITS 1 A-2 ID c1",
        "NOTFREE <=600000 stalls A-2",
    );
    target.says(
        "FLASHSALE.CHECKOUT sale {sale}orders i1",
        "SOLD i1 (entry) [A-2 A-3]",
    );
    target.says(
        "FLASHSALE.BUY sale {sale}orders dan ITEMS 2 stalls 3 code 2 ID d1",
        "SOLD d1 (entry) [A-6 A-7 A-8 k2 k3]",
    );
    target.fields(
        "FLASHSALE.AUDIT sale {sale}orders",
        "consistent 1, differences []",
    );
    let reply = con.show("FLASHSALE.UNITS sale stalls 0");
    assert!(reply.contains("MOVED"), "{reply}");
}
