//! One id is one reservation: clicked twice, lost with its connection, or with the server.

use std::time::{Duration, Instant};

use crate::common::{Redis, wait_until};
use crate::gateway::{Buyer, Gateway, sale};
use crate::proxy::Proxy;

/// Units that are reserved.
fn reserved(redis: &Redis) -> i64 {
    let stock: Vec<Vec<redis::Value>> = redis.ask("FLASHSALE.STOCK shoes");
    let number = |item: &Vec<redis::Value>| match item[2] {
        redis::Value::Int(reserved) => reserved,
        _ => 0,
    };
    stock.iter().map(number).sum()
}

/// Asks again, as a browser does, until there is an answer that is none of 503.
fn reserve_until_answered(buyer: &Buyer, key: &str, items: &str) -> u16 {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let key = format!("{key:?}");
        let body = format!(r#"{{"items": {items}}}"#);
        let reply =
            buyer
                .with("idempotency-key", &key)
                .try_send("POST", "/reservations", Some(&body));
        match reply {
            Ok(reply) if reply.status != 503 => return reply.status,
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
        assert!(Instant::now() < deadline, "never answered");
    }
}

#[test]
fn two_clicks_are_one_reservation() {
    let redis = sale("ITEMS 2 red 500 blue 500");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    for items in [r#"{"red": 1}"#, r#"{"red": 1, "blue": 1}"#] {
        let before = reserved(&redis);
        let key = format!("click-{}", items.len());
        let answers: Vec<_> = std::thread::scope(|scope| {
            let clicks: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| ann.reserve(&key, items)))
                .collect();
            clicks
                .into_iter()
                .map(|click| click.join().expect("an answer"))
                .collect()
        });
        assert!(
            answers.iter().all(|answer| answer.status == 201),
            "{answers:?}"
        );
        assert!(
            answers.iter().all(|answer| answer.body == answers[0].body),
            "{answers:?}"
        );
        assert_eq!(reserved(&redis) - before, items.matches(':').count() as i64);
    }
}

#[test]
fn batches_that_lose_their_connection_are_sent_again_under_the_same_ids() {
    let redis = sale("ITEMS 2 red 1000 blue 1000");
    let proxy = Proxy::start(redis.port);
    let gateway = Gateway::start(&proxy.url(), &[]);
    proxy.cut_every(4);
    let buyers = 16;
    let turns = 25;
    std::thread::scope(|scope| {
        for buyer in 0..buyers {
            let gateway = &gateway;
            scope.spawn(move || {
                let ann = Buyer::new(gateway);
                for turn in 0..turns {
                    let sku = if turn % 3 == 0 { "blue" } else { "red" };
                    let items = format!(r#"{{"{sku}": 1}}"#);
                    let key = format!("{buyer}-{turn}");
                    assert_eq!(reserve_until_answered(&ann, &key, &items), 201);
                }
            });
        }
    });
    assert!(proxy.cuts() > 5, "{} cuts", proxy.cuts());
    assert_eq!(reserved(&redis), buyers * turns);
    assert!(gateway.number("resent_total", "") > 0.0);
    assert!(gateway.number("lost_connections_total", "") >= 5.0);
    assert!(gateway.log().contains("connected to"), "{}", gateway.log());
}

/// An answer within the deadline, or 503; then the same key asks again.
#[test]
fn a_restarted_server_is_waited_for() {
    let mut redis = sale("STOCK 1000");
    let module = crate::common::module_path();
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.reserve("before", r#"{"default": 1}"#).status, 201);
    redis.kill();
    let begin = Instant::now();
    let away = ann.reserve("during", r#"{"default": 1}"#);
    assert_eq!((away.status, away.answer()), (503, "LATE"));
    assert_eq!(away.header("retry-after"), Some("1"));
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(ann.get("/healthz").status, 503);
    assert_eq!(ann.get("/sale").status, 503);
    std::thread::scope(|scope| {
        for buyer in 0..20 {
            let gateway = &gateway;
            scope.spawn(move || {
                let bob = Buyer::new(gateway);
                let key = format!("again-{buyer}");
                assert_eq!(reserve_until_answered(&bob, &key, r#"{"default": 1}"#), 201);
            });
        }
        redis.run(&["--loadmodule", module.to_str().expect("a path")]);
    });
    assert_eq!(
        reserve_until_answered(&ann, "during", r#"{"default": 1}"#),
        201
    );
    assert_eq!(ann.reserve("before", r#"{"default": 1}"#).status, 201);
    assert_eq!(reserved(&redis), 22);
    wait_until("it is healthy again", || ann.get("/healthz").status == 200);
    assert_eq!(ann.get("/sale").status, 200);
}

/// The replica is promoted; what is answered READONLY goes to whoever is the primary now.
#[test]
fn a_failover_is_followed() {
    let redis = sale("STOCK 1000");
    let module = crate::common::module_path();
    let module = module.to_str().expect("a path");
    let of = format!("127.0.0.1 {}", redis.port);
    let next = Redis::start(&["--loadmodule", module, "--replicaof", &of]);
    wait_until("the replica follows", || {
        next.ask::<String>("INFO replication")
            .contains("master_link_status:up")
            && next.ask::<i64>("EXISTS shoes") == 1
    });
    let servers = format!("{},127.0.0.1:{}", redis.url(), next.port);
    let gateway = Gateway::start(&servers, &[]);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.reserve("a1", r#"{"default": 1}"#).status, 201);
    wait_until("the replica has it", || reserved(&next) == 1);
    next.ask::<String>("REPLICAOF NO ONE");
    redis.ask::<String>(&format!("REPLICAOF 127.0.0.1 {}", next.port));
    assert_eq!(reserve_until_answered(&ann, "a2", r#"{"default": 1}"#), 201);
    assert_eq!(reserve_until_answered(&ann, "a1", r#"{"default": 1}"#), 201);
    assert_eq!(reserved(&next), 2);
}

#[test]
fn under_load_batches_grow() {
    let redis = sale("STOCK 100000");
    let gateway = Gateway::start(&redis.url(), &[]);
    // While the server is busy elsewhere, 64 buyers ask.
    std::thread::scope(|scope| {
        scope.spawn(|| redis.stall(Duration::from_millis(700)));
        std::thread::sleep(Duration::from_millis(100));
        for buyer in 0..64 {
            let gateway = &gateway;
            scope.spawn(move || {
                let ann =
                    Buyer::nobody(gateway).with("cookie", &format!("flashsale_user={buyer:032x}"));
                assert_eq!(
                    ann.reserve(&buyer.to_string(), r#"{"default": 1}"#).status,
                    201
                );
            });
        }
    });
    let calls = redis.ask::<String>("INFO commandstats");
    let calls = calls
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_flashsale.mreserve:calls="));
    let calls: i64 = calls
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .expect("calls");
    assert!(calls <= 6, "{calls} calls for 64 reservations");
    assert_eq!(gateway.number("batch_entries_total", "") as i64, 64);
}

/// Two nodes with half of the slots each. The second has `{a}`, which is in slot 15495.
fn cluster() -> [Redis; 2] {
    let module = crate::common::module_path();
    let module = module.to_str().expect("a path");
    let node = || Redis::start(&["--cluster-enabled", "yes", "--loadmodule", module]);
    let nodes = [node(), node()];
    nodes[0].ask::<String>("CLUSTER ADDSLOTSRANGE 0 8191");
    nodes[1].ask::<String>("CLUSTER ADDSLOTSRANGE 8192 16383");
    nodes[0].ask::<String>(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port));
    wait_until("the cluster is up", || {
        nodes.iter().all(|node| {
            node.ask::<String>("CLUSTER INFO")
                .contains("cluster_state:ok")
        })
    });
    nodes
}

/// One node is named, and the other has the sale.
#[test]
fn the_node_of_the_sale_is_found_in_a_cluster() {
    let nodes = cluster();
    nodes[1].ask::<String>("FLASHSALE.CREATE {a} {a}:orders ITEMS 2 red 9 blue 9");
    let sale = ["--cluster", "--sale", "{a}", "--orders", "{a}:orders"];
    let gateway = Gateway::start_with(&nodes[0].url(), &sale);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.reserve("a1", r#"{"red": 1}"#).status, 201);
    assert_eq!(ann.reserve("a2", r#"{"red": 1, "blue": 1}"#).status, 201);
    assert_eq!(ann.pay("a1", "p").answer(), "SOLD");
}

/// While the slot is on its way, its old node answers ASK, and the new one MOVED.
#[test]
fn a_slot_that_is_migrated_is_waited_for_and_followed() {
    let nodes = cluster();
    nodes[1].ask::<String>("FLASHSALE.CREATE {a} {a}:orders ITEMS 2 red 9 blue 9");
    let sale = ["--cluster", "--sale", "{a}", "--orders", "{a}:orders"];
    let gateway = Gateway::start_with(&nodes[1].url(), &sale);
    let ann = Buyer::new(&gateway);
    assert_eq!(ann.reserve("a1", r#"{"red": 1}"#).status, 201);
    let ids = [0, 1].map(|node: usize| nodes[node].ask::<String>("CLUSTER MYID"));
    nodes[0].ask::<String>(&format!("CLUSTER SETSLOT 15495 IMPORTING {}", ids[1]));
    nodes[1].ask::<String>(&format!("CLUSTER SETSLOT 15495 MIGRATING {}", ids[0]));
    let port = nodes[0].port;
    nodes[1].ask::<String>(&format!("MIGRATE 127.0.0.1 {port} {{a}} 0 5000"));
    for items in [r#"{"red": 1}"#, r#"{"red": 1, "blue": 1}"#] {
        let reply = ann.reserve(&format!("a{}", items.len()), items);
        assert_eq!((reply.status, reply.answer()), (503, "LATE"));
    }
    assert_eq!(gateway.number("lost_connections_total", "") as i64, 0);
    for node in &nodes {
        node.ask::<String>(&format!("CLUSTER SETSLOT 15495 NODE {}", ids[0]));
    }
    for items in [r#"{"red": 1}"#, r#"{"red": 1, "blue": 1}"#] {
        let key = format!("a{}", items.len());
        assert_eq!(reserve_until_answered(&ann, &key, items), 201);
    }
    assert_eq!(ann.get("/reservations/a1").body["state"], "reserved");
}
