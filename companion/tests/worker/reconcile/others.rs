//! What SQL lacks, and what is left out on purpose.

use redis::Value;

use super::races::bytes_equal;
use super::{Scene, ids, sell};
use crate::servers::DatabaseServer;

const CREATE: &str = "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 60 black 40 HOLD 600000";

fn ask(scene: &Scene, line: &str) -> Vec<Value> {
    scene.primary.ask(line)
}

fn forget(scene: &Scene, table: &str, id: &str) {
    let of = bytes_equal(scene, "id", id);
    scene.sql.run(&format!("DELETE FROM {table} WHERE {of}"));
}

/// A database that was restored from an older copy, and a worker that has work in hand.
pub fn what_only_the_stream_has_is_inserted(server: &DatabaseServer, name: &str) {
    let scene = Scene::new(server, name, CREATE);
    scene
        .sql
        .run("CREATE TABLE jobs (id VARCHAR(99) PRIMARY KEY, kind VARCHAR(9))");
    let folder = tempfile::tempdir().expect("a folder");
    let hook = |name: &str, sql: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, sql).expect("a file");
        path.display().to_string()
    };
    let then = hook("then.sql", "INSERT INTO jobs VALUES (:id, :event)");
    let back = format!(
        "refund={}",
        hook("back.sql", "UPDATE jobs SET kind = 'back' WHERE id = :id")
    );
    let hooks = ["--then", &then, "--on", &back];
    sell(&scene.primary, ids("sold", 6));
    ask(&scene, "FLASHSALE.REFUND tea tea:orders sold-1 REF back-1");
    scene.store(&hooks);
    for id in ["sold-1", "sold-2", "sold-3"] {
        forget(&scene, "flashsale_orders", id);
    }
    forget(&scene, "flashsale_refunds", "sold-1");
    // The job of sold-3 is there, and its hook is refused.
    for id in ["sold-1", "sold-2"] {
        scene
            .sql
            .run(&format!("DELETE FROM jobs WHERE id = '{id}'"));
    }
    // In the hand of a worker, and not given to any yet.
    sell(&scene.primary, ids("late", 2));
    scene
        .primary
        .ask::<Value>("XREADGROUP GROUP sql other COUNT 1 STREAMS tea:orders >");
    let dry = scene.reconcile(&hooks);
    assert_eq!(
        (dry.code, dry.of("only_in_stream")),
        (1, (4, 0)),
        "{}",
        dry.text
    );
    assert_eq!(dry.json["backlog"], 2, "{}", dry.text);
    assert_eq!(scene.count("flashsale_orders"), 3);
    let applied = scene.reconcile(&[&["--apply"], &hooks[..]].concat());
    assert_eq!(applied.of("only_in_stream"), (4, 3), "{}", applied.text);
    assert_eq!(applied.code, 1, "{}", applied.text);
    assert_eq!(scene.count("jobs WHERE id = 'sold-1' AND kind = 'back'"), 1);
    assert_eq!(
        scene.count("jobs WHERE id = 'sold-2' AND kind = 'order'"),
        1
    );
    scene.sql.run("DELETE FROM jobs WHERE id = 'sold-3'");
    let again = scene.reconcile(&[&["--apply"], &hooks[..]].concat());
    assert_eq!(
        (again.code, again.of("only_in_stream")),
        (0, (1, 1)),
        "{}",
        again.text
    );
    scene.reconcile(&["--apply"]).finds_nothing();
    scene.store(&["--claim-after", "1ms", "--then", &then]);
    assert_eq!(scene.count("jobs"), 8);
    scene.agrees();
}

/// Somebody trimmed the stream before the worker had read it.
pub fn what_was_trimmed_too_early_is_inserted(server: &DatabaseServer, name: &str) {
    let scene = Scene::new(server, name, CREATE);
    sell(&scene.primary, ids("kept", 3));
    scene.store(&[]);
    sell(&scene.primary, ids("cut", 6));
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders cut-2 ITEMS 1 green 1 REF back-1 NORESTOCK",
    );
    ask(&scene, "FLASHSALE.REFUND tea tea:orders cut-2");
    // Of an order that SQL has.
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders kept-0 REF back-2 RESTORELIMIT",
    );
    scene.primary.ask::<i64>("XTRIM tea:orders MAXLEN 0");
    sell(&scene.primary, ids("late", 1));
    let dry = scene.reconcile(&[]);
    assert_eq!((dry.code, dry.of("trimmed")), (1, (9, 0)), "{}", dry.text);
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(
        (applied.code, applied.of("trimmed")),
        (0, (9, 9)),
        "{}",
        applied.text
    );
    assert_eq!(applied.json["backlog"], 1, "{}", applied.text);
    scene.reconcile(&["--apply"]).finds_nothing();
    assert_eq!(scene.count("flashsale_orders WHERE payload IS NULL"), 6);
    scene.store(&[]);
    scene.agrees();
}

/// Two workers, of which one died with the order in hand.
pub fn a_refund_may_be_a_row_before_its_order(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, CREATE);
    sell(&scene.primary, ids("kept", 3));
    scene.store(&[]);
    scene.cut();
    sell(&scene.primary, ids("lost", 3));
    for id in ["kept-0", "lost-0"] {
        ask(
            &scene,
            &format!("FLASHSALE.REFUND tea tea:orders {id} REF back"),
        );
    }
    scene.store(&[]);
    for id in ["kept-0", "lost-0"] {
        forget(&scene, "flashsale_orders", id);
    }
    scene.fail_over();
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(applied.of("lost"), (2, 2), "{}", applied.text);
    assert_eq!(applied.of("refund_missing"), (1, 1), "{}", applied.text);
    // Neither has the order of the other refund.
    assert_eq!(
        (applied.code, applied.of("conflict")),
        (1, (1, 0)),
        "{}",
        applied.text
    );
    assert_eq!(applied.of("only_in_stream"), (1, 1), "{}", applied.text);
}

/// Orders that the shop has cancelled meanwhile are not imported.
pub fn a_condition_leaves_orders_out(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, CREATE);
    scene.cut();
    sell(&scene.primary, ids("lost", 9));
    scene.store(&[]);
    scene.fail_over();
    let wrong = scene.reconcile(&["--where", "no_such_column = 1"]);
    assert_eq!(wrong.code, 3, "{}", wrong.text);
    // A comment at its end does not end the statement.
    let some = scene.reconcile(&["--apply", "--where", "qty = 1 -- not two"]);
    assert_eq!((some.code, some.of("lost")), (0, (6, 6)), "{}", some.text);
    assert_eq!(some.json["compared"], 6);
    let rest = scene.reconcile(&["--apply"]);
    assert_eq!((rest.code, rest.of("lost")), (0, (3, 3)), "{}", rest.text);
}
