//! docs/companion.md, its part about the gateway, typed in.
//!
//! **Goal**: what the page shows is what is printed; it lists every request, every metric and
//! the rights the gateway needs; the alerts fire when they should.
//!
//! **Method**: tests/common/session.rs.

use crate::common::{self, Redis, free_port, session};
use crate::gateway::{Buyer, Gateway, sale};

const PAGE: &str = include_str!("../../../docs/companion.md");

fn part() -> &'static str {
    let (_, part) = PAGE.split_once("\n## The gateway\n").expect("its part");
    part.split("\n## ").next().expect("its part")
}

#[test]
fn the_page_prints_what_it_shows() {
    let redis = Redis::with_module();
    let port = free_port();
    // Where the page has the default, the test has another port.
    let part = part().replace(
        "--orders shoes:orders 2>",
        &format!("--orders shoes:orders --listen 127.0.0.1:{port} 2>"),
    );
    let played = session::play(&part, redis.port, &[(":8080", port)]);
    assert!(played > 6, "{played} commands");
}

#[test]
fn the_page_lists_every_request_and_every_metric() {
    let routes = include_str!("../../src/serve/routes.rs");
    let paths = routes
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let mut found = 0;
    for path in paths {
        let is_listed = ["GET", "POST"]
            .iter()
            .any(|method| part().contains(&format!("| `{method} {path}` |")));
        assert!(is_listed, "{path}");
        found += 1;
    }
    assert!(found > 8, "{found} paths");
    let redis = sale("STOCK 1");
    let gateway = Gateway::start(&redis.url(), &[]);
    let text = Buyer::nobody(&gateway).get("/metrics").text;
    let families = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in families {
        assert!(part().contains(&format!("| `{name}` |")), "{name}");
    }
}

/// The user of the page can do all that the gateway does.
#[test]
fn the_user_of_the_page_has_every_right_it_needs() {
    let redis = sale("ITEMS 2 red 9 blue 9 USERLIMIT 3");
    let line = PAGE
        .lines()
        .find(|line| line.starts_with("ACL SETUSER gateway "));
    redis.ask::<String>(line.expect("the user"));
    let url = format!("redis://gateway:secret@127.0.0.1:{}", redis.port);
    let gateway = Gateway::start(&url, &[]);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.get("/sale").status, 200);
    assert_eq!(ann.reserve("a1", r#"{"red": 1}"#).status, 201);
    assert_eq!(ann.reserve("a2", r#"{"red": 1, "blue": 1}"#).status, 201);
    assert_eq!(
        ann.reserve("a3", r#"{"red": 1}"#).body["reservations"][0],
        "a1"
    );
    assert_eq!(ann.get("/reservations/a1").status, 200);
    assert_eq!(ann.pay("a1", "p").status, 200);
    assert_eq!(ann.delete("/reservations/a2").status, 200);
    assert!(
        redis.ask::<Vec<redis::Value>>("ACL LOG").is_empty(),
        "a right is missing"
    );
}

#[test]
fn the_alerts_fire_when_they_should() {
    common::alerts_fire("serve_rules_test.yml");
}
