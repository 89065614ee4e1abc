//! A replica that lacks the last moments, and a sale that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::Value;

use super::{Scene, ids, number, sell, server, value_of};
use crate::servers::DatabaseServer;
use crate::worker::wait_for_all;

const CREATE: &str =
    "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 60 black 40 USERLIMIT 2 HOLD 600000";

/// Cut, sell, kill, promote, sell what came back, reconcile.
pub fn what_the_sale_lost_comes_back(server: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(server, name, CREATE);
    sell(&scene.primary, ids("kept", 12));
    let ask = |scene: &Scene, line: &str| scene.primary.ask::<Vec<Value>>(line);
    ask(
        &scene,
        "FLASHSALE.RESERVE tea open ITEMS 1 black 1 ID open-1",
    );
    ask(
        &scene,
        "FLASHSALE.RESERVE tea gone ITEMS 1 black 1 ID gone-1",
    );
    ask(&scene, "FLASHSALE.REFUND tea tea:orders kept-0 REF back-0");
    scene.store(&[]);
    scene.cut();
    sell(&scene.primary, ids("lost", 30));
    ask(
        &scene,
        "FLASHSALE.CHECKOUT tea tea:orders open-1 REF charge-open",
    );
    ask(&scene, "FLASHSALE.CHECKOUT tea tea:orders gone-1");
    // Refunds of what the replica has, and of what it has not; the last one takes the rest.
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders kept-2 ITEMS 1 green 1 REF back-1 NORESTOCK",
    );
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders lost-2 ITEMS 1 green 1 REF back-2 RESTORELIMIT",
    );
    ask(&scene, "FLASHSALE.REFUND tea tea:orders lost-2");
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders lost-1 REF back-3 NORESTOCK RESTORELIMIT",
    );
    scene.store(&[]);
    assert_eq!(scene.count("flashsale_orders"), 44);
    scene.fail_over();
    ask(&scene, "FLASHSALE.RELEASE tea gone-1");
    // One of those who were forgotten has what the limit allows, and green is sold again.
    ask(
        &scene,
        "FLASHSALE.BUY tea tea:orders user-lost-0 ITEMS 1 green 2 ID new-0",
    );
    let stock = "FLASHSALE.STOCK tea green black";
    let left = match &ask(&scene, stock)[0] {
        Value::Array(row) => number(&row[1]),
        other => panic!("{other:?}"),
    };
    for at in 0..left / 2 {
        let line = format!(
            "FLASHSALE.BUY tea tea:orders new-{at} ITEMS 1 green 2 ID new-{}",
            at + 1
        );
        ask(&scene, &line);
    }
    let before = ask(&scene, stock);
    let dry = scene.reconcile(&[]);
    assert_eq!(dry.code, 1, "{}", dry.text);
    assert_eq!(dry.of("lost"), (32, 0), "{}", dry.text);
    assert_eq!(dry.of("refund_missing"), (4, 0), "{}", dry.text);
    assert_eq!(ask(&scene, stock), before);
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(applied.code, 0, "{}", applied.text);
    assert_eq!(applied.of("lost"), (32, 32), "{}", applied.text);
    assert_eq!(applied.of("refund_missing"), (4, 4), "{}", applied.text);
    scene.reconcile(&["--apply"]).finds_nothing();
    scene.store(&[]);
    scene.agrees();
    assert_eq!(scene.count("flashsale_dead"), 0);
    // 60 green: what is sold and not there is owed.
    let sold = match &ask(&scene, stock)[0] {
        Value::Array(row) => (number(&row[1]), number(&row[3])),
        other => panic!("{other:?}"),
    };
    // NORESTOCK has taken one green out of the total.
    assert_eq!(scene.owed()["green"], sold.0 + sold.1 - 59);
    assert!(scene.owed()["green"] > 0);
    assert_eq!(scene.owed()["black"], 0);
    assert_eq!(applied.json["owed"]["green"], scene.owed()["green"]);
    // The entry of an import says so, and brings the payload along.
    let entries: Vec<Value> = scene.primary.ask("XRANGE tea:orders - +");
    let imported = entries
        .iter()
        .filter(|entry| format!("{entry:?}").contains("imported"));
    assert_eq!(imported.count(), 32);
    let with_payload = entries
        .iter()
        .filter(|entry| format!("{entry:?}").contains("of\\\":\\\"lost-"));
    assert_eq!(with_payload.count(), 30);
}

/// Everything goes on while it repairs.
pub fn a_worker_and_buyers_go_on_meanwhile(server: &DatabaseServer, name: &str) {
    let create = "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 1000000 black 1000000";
    let mut scene = Scene::new(server, name, create);
    sell(&scene.primary, ids("kept", 300));
    scene.store(&[]);
    scene.cut();
    sell(&scene.primary, ids("lost", 300));
    let refund = |at: usize| format!("FLASHSALE.REFUND tea tea:orders lost-{at} REF back-{at}");
    for at in 0..30 {
        scene.primary.ask::<Vec<Value>>(&refund(at));
    }
    scene.store(&[]);
    scene.fail_over();
    let worker = scene.worker(&["--batch", "7"]);
    let stop = Arc::new(AtomicBool::new(false));
    let (ours, client) = (
        Arc::clone(&stop),
        redis::Client::open(scene.primary.url()).expect("a URL"),
    );
    let buyers = std::thread::spawn(move || {
        let mut connection = client.get_connection().expect("a connection");
        let mut bought = 0;
        while !ours.load(Ordering::SeqCst) {
            let mut command = redis::cmd("FLASHSALE.BUY");
            command
                .arg("tea")
                .arg("tea:orders")
                .arg(format!("new-{bought}"));
            command.arg("ITEMS").arg(1).arg("green").arg(1);
            command.arg("ID").arg(format!("new-{bought}"));
            command.query::<Vec<Value>>(&mut connection).expect("BUY");
            bought += 1;
            std::thread::sleep(std::time::Duration::from_micros(500));
        }
        bought
    });
    crate::servers::wait_until("somebody buys", || scene.count("flashsale_orders") > 620);
    // No entry of theirs is a difference, whether the worker has it in hand or not.
    let dry = scene.reconcile(&[]);
    assert_eq!(dry.of("lost"), (300, 0), "{}", dry.text);
    assert_eq!(dry.of("only_in_stream"), (0, 0), "{}", dry.text);
    assert_eq!(dry.of("trimmed"), (0, 0), "{}", dry.text);
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(applied.code, 0, "{}", applied.text);
    assert_eq!(applied.of("lost"), (300, 300), "{}", applied.text);
    assert_eq!(applied.of("refund_missing"), (30, 30), "{}", applied.text);
    scene.reconcile(&["--apply"]).finds_nothing();
    stop.store(true, Ordering::SeqCst);
    let bought = buyers.join().expect("buyers");
    wait_for_all(&scene.primary);
    let (status, log) = worker.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(scene.count("flashsale_orders"), 600 + bought);
    assert_eq!(scene.count("flashsale_dead"), 0);
    scene.agrees();
}

/// Made again under its SALEID, with the stock it had in all.
pub fn a_sale_lost_for_good_is_made_again(database: &DatabaseServer, name: &str) {
    let mut scene = Scene::new(database, name, CREATE);
    sell(&scene.primary, ids("sold", 30));
    let ask = |scene: &Scene, line: &str| scene.primary.ask::<Vec<Value>>(line);
    ask(&scene, "FLASHSALE.RESTOCK tea ITEMS 1 green 5");
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders sold-2 ITEMS 1 green 1 REF back-1 NORESTOCK",
    );
    ask(
        &scene,
        "FLASHSALE.REFUND tea tea:orders sold-5 ITEMS 1 green 1 REF back-2",
    );
    ask(&scene, "FLASHSALE.REFUND tea tea:orders sold-5");
    scene.store(&[]);
    let stock = ask(&scene, "FLASHSALE.STOCK tea green black");
    let info = ask(&scene, "FLASHSALE.INFO tea");
    let sale_id = super::text(&value_of(&info, "sale_id").expect("a sale_id"));
    // All copies are gone.
    scene.primary = server(&[]);
    scene.replica.kill();
    let create =
        "FLASHSALE.CREATE tea tea:orders ITEMS 2 green 65 black 40 USERLIMIT 2 HOLD 600000";
    scene.primary.ask::<String>(create);
    let other = scene.reconcile(&["--apply"]);
    assert_eq!(other.code, 3, "{}", other.text);
    assert!(other.text.contains("SALEID"), "{}", other.text);
    scene.primary.ask::<i64>("DEL tea");
    scene
        .primary
        .ask::<String>(&format!("{create} SALEID {sale_id}"));
    scene.primary.ask::<String>("FLASHSALE.PAUSE tea");
    let applied = scene.reconcile(&["--apply"]);
    assert_eq!(applied.code, 0, "{}", applied.text);
    assert_eq!(applied.of("lost"), (30, 30), "{}", applied.text);
    assert_eq!(applied.of("refund_missing"), (3, 3), "{}", applied.text);
    scene.reconcile(&["--apply"]).finds_nothing();
    scene.agrees();
    assert_eq!(ask(&scene, "FLASHSALE.STOCK tea green black"), stock);
    assert_eq!(scene.owed().values().sum::<i64>(), 0);
    scene.primary.ask::<String>("FLASHSALE.RESUME tea");
    // To every consumer it is the same sale: no order is a new one.
    scene.store(&[]);
    assert_eq!(scene.count("flashsale_orders"), 30);
    assert_eq!(scene.count("flashsale_dead"), 0);
}
