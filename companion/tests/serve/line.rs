//! A sale that has a line, over HTTP.
//!
//! **Goal**: whoever asks with `wait` gets a place, keeps it by asking the same again, gets the
//! units in the order of the line, and can leave; the end of the units reaches everybody.
//!
//! **Method**: HOLD is an hour where a grant must not come from a deadline; PATIENCE is the
//! shortest there is where somebody has to be away.

use serde_json::json;

use crate::common::{Redis, wait_until};
use crate::gateway::{Buyer, Gateway, sale};

const RED: &str = r#"{"red": 1}"#;

/// A buyer whose name is known, as GET of Redis shows it.
fn buyer(gateway: &Gateway, name: &str) -> Buyer {
    Buyer::nobody(gateway).with("x-user", name)
}

fn with_names(redis: &Redis) -> Gateway {
    Gateway::start(&redis.url(), &["--user-header", "x-user"])
}

#[test]
fn whoever_waits_gets_what_comes_free_in_order() {
    let redis = sale("ITEMS 1 red 1 HOLD 3600000 WAITING 9");
    let gateway = with_names(&redis);
    let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| buyer(&gateway, name));
    // What is there is taken at once, also with `wait`.
    assert_eq!(ann.wait("a", RED).status, 201);
    let first = bob.wait("b", RED);
    assert_eq!((first.status, first.answer()), (202, "WAITING"));
    assert_eq!(
        (&first.body["ahead"], &first.body["left"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(first.header("location"), None);
    let second = cyd.wait("c", RED);
    assert_eq!(second.body["ahead"], 1);
    // It is where the others are told that there is a line.
    let seen = cyd.get("/sale").body;
    assert_eq!(
        (&seen["waiting_max"], &seen["items"][0]["waiting"]),
        (&json!(9), &json!(2))
    );
    // Whoever does not wait overtakes nobody.
    assert_eq!(ann.delete("/reservations/a").answer(), "RELEASED");
    let walk_in = buyer(&gateway, "dan").reserve("d", RED);
    assert_eq!((walk_in.status, walk_in.answer()), (409, "ALLRESERVED"));
    let granted = bob.wait("b", RED);
    assert_eq!((granted.status, granted.answer()), (201, "RESERVED"));
    assert_eq!(granted.header("location"), Some("/reservations/b"));
    let next = cyd.wait("c", RED);
    assert_eq!((next.status, &next.body["ahead"]), (202, &json!(0)));
    let looked_up = cyd.get("/reservations/c").body;
    assert_eq!(
        (&looked_up["state"], &looked_up["ahead"]),
        (&json!("waiting"), &json!(0))
    );
    assert_eq!(bob.pay("b", "p").status, 200);
    let sold_out = cyd.wait("c", RED);
    assert_eq!((sold_out.status, sold_out.answer()), (409, "SOLDOUT"));
}

/// The request is the heartbeat: one who sends it no more is passed over.
#[test]
fn asking_again_keeps_the_place_and_silence_loses_it() {
    let redis = sale("ITEMS 1 red 1 HOLD 3600000 WAITING 9 PATIENCE 2000");
    let gateway = with_names(&redis);
    let [ann, away, here] = ["ann", "away", "here"].map(|name| buyer(&gateway, name));
    assert_eq!(ann.wait("a", RED).status, 201);
    assert_eq!(away.wait("w", RED).status, 202);
    let begin = std::time::Instant::now();
    wait_until("whoever is silent is away", || {
        assert_eq!(here.wait("h", RED).status, 202);
        begin.elapsed().as_millis() > 4_500
    });
    assert_eq!(ann.delete("/reservations/a").status, 200);
    wait_until("the one who asks is granted", || {
        here.wait("h", RED).status == 201
    });
    assert_eq!(away.get("/reservations/w").status, 404);
    // Whoever comes back joins at the end.
    assert_eq!(away.wait("w", RED).body["ahead"], 0);
}

#[test]
fn leaving_makes_room_and_the_id_takes_nothing_any_more() {
    let redis = sale("ITEMS 1 red 1 HOLD 3600000 WAITING 1");
    let gateway = with_names(&redis);
    let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| buyer(&gateway, name));
    assert_eq!(ann.wait("a", RED).status, 201);
    assert_eq!(bob.wait("b", RED).status, 202);
    let full = cyd.wait("c", RED);
    assert_eq!((full.status, full.answer()), (409, "LINEFULL"));
    // Nobody else's place can be left, or looked up.
    assert_eq!(cyd.delete("/reservations/b").status, 404);
    assert_eq!(cyd.get("/reservations/b").status, 404);
    assert_eq!(bob.delete("/reservations/b").answer(), "RELEASED");
    assert_eq!(cyd.wait("c", RED).status, 202);
    // A request that was still on its way.
    assert_eq!(bob.wait("b", RED).answer(), "RELEASED");
}

#[test]
fn before_the_start_there_is_no_order() {
    let redis = sale("ITEMS 1 red 1 WAITING 9");
    let now: (i64, i64) = redis.ask("TIME");
    redis.ask::<String>(&format!(
        "FLASHSALE.ALTER shoes START {}",
        (now.0 + 2) * 1_000
    ));
    let gateway = with_names(&redis);
    let [ann, bob] = ["ann", "bob"].map(|name| buyer(&gateway, name));
    for (one, id) in [(&ann, "a"), (&bob, "b")] {
        let early = one.wait(id, RED);
        assert_eq!((early.status, &early.body["ahead"]), (202, &json!(-1)));
        assert_eq!(early.body["eta_ms"], -1);
    }
    wait_until("one of the two is granted", || {
        let answers = [ann.wait("a", RED).status, bob.wait("b", RED).status];
        answers == [201, 202] || answers == [202, 201]
    });
}

/// Batches have no WAIT, and a line no cart.
#[test]
fn who_waits_travels_in_no_batch() {
    let redis = sale("ITEMS 2 red 9 blue 9 WAITING 9");
    let gateway = with_names(&redis);
    let ann = buyer(&gateway, "ann");
    assert_eq!(ann.wait("a", RED).status, 201);
    assert_eq!(gateway.number("batch_entries_total", "") as i64, 0);
    assert_eq!(ann.reserve("b", RED).status, 201);
    assert_eq!(gateway.number("batch_entries_total", "") as i64, 1);
    let cart = ann.wait("c", r#"{"red": 1, "blue": 1}"#);
    assert_eq!((cart.status, cart.answer()), (400, "ERR"));
    assert!(
        cart.body["error"]
            .as_str()
            .is_some_and(|text| text.contains("WAIT")),
        "{cart:?}"
    );
}
