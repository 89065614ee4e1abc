//! What may happen between the loss and the repair, and during it.

use redis::Value;

use super::{Scene, catch_up, ids, replica_of, sell, value_of};
use crate::servers::DatabaseServer;

const CREATE: &str = "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 60 black 40 HOLD 600000";

fn ask(scene: &Scene, line: &str) -> Vec<Value> {
    scene.primary.ask(line)
}

/// Sells what the replica gets, and what it does not, and has all of it stored.
fn lose(scene: &mut Scene, kept: usize, lost: usize) {
    sell(&scene.primary, ids("kept", kept));
    scene.store(&[]);
    scene.cut();
    sell(&scene.primary, ids("lost", lost));
    scene.store(&[]);
    scene.fail_over();
}

/// The buyer of a lost order sends it again, or pays again.
pub fn who_paid_anew_has_paid_twice(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, CREATE);
    lose(&mut scene, 3, 6);
    let buy = |id: &str, reference: &str| {
        format!("FLASHSALE.BUY tea tea:orders user-{id} ITEMS 1 green 1 ID {id}{reference}")
    };
    // lost-0 and lost-3 are one green each: a retry, and a second payment.
    ask(&scene, &buy("lost-0", " REF charge-lost-0"));
    ask(&scene, &buy("lost-3", " REF charge-anew"));
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(applied.code, 1, "{}", applied.text);
    assert_eq!(applied.of("lost"), (4, 4), "{}", applied.text);
    assert_eq!(applied.of("paid_twice"), (1, 0), "{}", applied.text);
    // It stays until a person has settled it; the worker tells the same by its dead letter.
    let again = scene.reconcile(&["--apply"]);
    assert_eq!(
        (again.code, again.of("lost")),
        (1, (0, 0)),
        "{}",
        again.text
    );
    scene.store(&[]);
    let reasons = scene.sql.texts("SELECT reason FROM flashsale_dead");
    assert_eq!(reasons, ["paid_twice"]);
}

/// The server that was repaired dies, and its replica had not heard of it.
pub fn another_failover_loses_what_was_imported(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, CREATE);
    lose(&mut scene, 3, 9);
    scene.replica = replica_of(&scene.primary);
    catch_up(&scene.primary, &scene.replica);
    scene.replica.ask::<String>("REPLICAOF 127.0.0.1 1");
    assert_eq!(scene.reconcile(&["--apply"]).of("lost"), (9, 9));
    scene.fail_over();
    let again = scene.reconcile(&["--apply"]);
    assert_eq!(
        (again.code, again.of("lost")),
        (0, (9, 9)),
        "{}",
        again.text
    );
    scene.reconcile(&["--apply"]).finds_nothing();
    scene.store(&[]);
    scene.agrees();
}

/// The stream has entries that the sale does not know: it gets a fresh one first.
pub fn an_older_dump_beside_a_newer_stream(server: &DatabaseServer, name: &str) {
    let scene = Scene::new(server, name, CREATE);
    sell(&scene.primary, ids("kept", 3));
    let mut connection = scene.primary.connection().expect("a connection");
    let dump: Vec<u8> = redis::cmd("DUMP")
        .arg("tea")
        .query(&mut connection)
        .expect("DUMP");
    sell(&scene.primary, ids("lost", 9));
    scene.store(&[]);
    let mut restore = redis::cmd("RESTORE");
    restore.arg("tea").arg(0).arg(dump).arg("REPLACE");
    restore.query::<String>(&mut connection).expect("RESTORE");
    scene
        .primary
        .ask::<String>("FLASHSALE.BIND tea tea:orders:2");
    // The entries before are not in this stream, and AUDIT says so from now on.
    let only_that = |outcome: &super::Outcome| {
        let differences = &outcome.json["audit"]["differences"];
        let differences = differences.as_array().expect("differences");
        let text = differences[0].as_str().expect("words");
        let is_alone = differences.len() == 1 && text.contains("bound to it later");
        assert!(is_alone && outcome.code == 1, "{}", outcome.text);
    };
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(applied.of("lost"), (9, 9), "{}", applied.text);
    only_that(&applied);
    let again = scene.reconcile(&["--apply"]);
    assert_eq!((again.of("lost"), &again.json["left"]), ((0, 0), &0.into()));
    only_that(&again);
    let entries: i64 = scene.primary.ask("XLEN tea:orders:2");
    assert_eq!(entries, 9);
}

/// What a run would leave to people it says before anything is done.
pub fn a_seat_that_was_sold_twice_is_foreseen(server: &DatabaseServer, name: &str) {
    let create = "FLASHSALE.CREATE tea tea:orders ITEMS 1 floor 0";
    let mut scene = Scene::new(server, name, create);
    ask(
        &scene,
        "FLASHSALE.RESTOCK tea UNITS floor 4 A-1 A-2 A-3 A-4",
    );
    scene.cut();
    for (n, seat) in ["A-1", "A-2", "A-3"].iter().enumerate() {
        ask(
            &scene,
            &format!("FLASHSALE.BUY tea tea:orders user-{n} UNITS 1 {seat} ID lost-{n} REF r-{n}"),
        );
    }
    scene.store(&[]);
    scene.fail_over();
    ask(
        &scene,
        "FLASHSALE.BUY tea tea:orders eve UNITS 1 A-1 ID again",
    );
    ask(&scene, "FLASHSALE.RESTOCK tea UNITS floor 1 A-3 WITHDRAW");
    for (options, lost) in [(&[][..], 1), (&["--apply"][..], 1), (&[][..], 0)] {
        let run = scene.reconcile(options);
        assert_eq!((run.code, run.of("conflict")), (1, (2, 0)), "{}", run.text);
        assert_eq!(run.of("lost").0, lost, "{}", run.text);
    }
    // People decide: who came second gets the money back, and the seat goes back on sale.
    ask(&scene, "FLASHSALE.REFUND tea tea:orders again");
    ask(&scene, "FLASHSALE.RESTOCK tea UNITS floor 1 A-3");
    let rest = scene.reconcile(&["--apply"]);
    assert_eq!((rest.code, rest.of("lost")), (0, (2, 2)), "{}", rest.text);
    scene.store(&[]);
    scene.reconcile(&["--apply"]).finds_nothing();
}

/// Another user's order, other units, and an item that the sale does not have.
pub fn what_others_have_is_left_to_people(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, CREATE);
    lose(&mut scene, 3, 6);
    ask(
        &scene,
        "FLASHSALE.BUY tea tea:orders eve ITEMS 1 green 1 ID lost-0",
    );
    ask(
        &scene,
        "FLASHSALE.RESERVE tea user-lost-1 ITEMS 1 green 2 ID lost-1",
    );
    let of = bytes_equal(&scene, "id", "lost-5");
    let white = r#"[{"sku":"white","qty":1}]"#;
    scene.sql.run(&format!(
        "UPDATE flashsale_orders SET items = '{white}' WHERE {of}"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let csv = folder.path().join("report.csv").display().to_string();
    let applied = scene.reconcile(&["--apply", "--report", &csv]);
    assert_eq!(applied.code, 1, "{}", applied.text);
    assert_eq!(applied.of("conflict"), (2, 0), "{}", applied.text);
    assert_eq!(applied.of("lost"), (4, 3), "{}", applied.text);
    let written = std::fs::read_to_string(&csv).expect("a report");
    let mut lines: Vec<&str> = written.lines().collect();
    lines.sort_unstable();
    let shown: Vec<_> = lines
        .iter()
        .map(|line| line.split(',').take(5).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(
        shown,
        [
            "sale,kind,id,ref,outcome",
            "tea,conflict,lost-0,charge-lost-0,left",
            "tea,conflict,lost-1,charge-lost-1,left",
            "tea,lost,lost-2,charge-lost-2,done",
            "tea,lost,lost-3,charge-lost-3,done",
            "tea,lost,lost-4,charge-lost-4,done",
            "tea,lost,lost-5,charge-lost-5,left",
        ]
    );
    assert!(written.contains("NOSKU"), "{written}");
    // The other user's order is as it was.
    let known = ask(&scene, "FLASHSALE.GET tea lost-0");
    assert_eq!(
        value_of(&known, "user"),
        Some(Value::BulkString(b"eve".to_vec()))
    );
}

/// Compares a column of bytes with a name, in each dialect.
pub fn bytes_equal(scene: &Scene, column: &str, name: &str) -> String {
    if scene.url.starts_with("postgres") {
        format!("{column} = convert_to('{name}', 'UTF8')")
    } else {
        format!("CAST({column} AS CHAR(99)) = '{name}'")
    }
}
