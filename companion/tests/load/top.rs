//! What `flashsale top` prints of real servers.

use std::io::Read;
use std::process::Stdio;

use crate::common::module_path;
use crate::run;
use crate::servers::{Redis, Sql};

#[test]
fn shows_sales_groups_replicas_and_dead_letters_once() {
    let redis = Redis::with_module();
    let module = module_path();
    let port = redis.port.to_string();
    let replica = Redis::start(&[
        "--loadmodule",
        module.to_str().expect("a path"),
        "--replicaof",
        "127.0.0.1",
        &port,
    ]);
    crate::wait_until("the replica follows", || {
        let info = replica.ask::<String>("INFO replication");
        info.contains("master_link_status:up")
    });
    redis.ask::<redis::Value>("FLASHSALE.CREATE tea tea:orders ITEMS 2 green 10 black 4");
    redis.ask::<redis::Value>("FLASHSALE.CREATE hats hats:orders STOCK 5");
    redis.ask::<redis::Value>("FLASHSALE.RESERVE tea ann ITEMS 1 green 3 ID ann-1");
    redis.ask::<redis::Value>("FLASHSALE.BUY tea tea:orders bob ITEMS 1 black 4 ID bob-1");
    redis.ask::<redis::Value>("XGROUP CREATE tea:orders sql 0");
    redis.ask::<redis::Value>("SET other 1");
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let (code, text) = run(&["worker", "--migrate-only", "--sql", &sqlite]);
    assert_eq!(code, 0, "{text}");
    let sql = Sql::open(&sqlite).expect("a database");
    let dead = "INSERT INTO flashsale_dead (dead_key, reason, detail, stream, entry_id, fields, hook, at_ms)
                VALUES (x'61', 'failed', 'd', x'61', '1-0', '{}', 0, 1)";
    sql.run(dead);
    let url = redis.url();
    // Both sales are found, in the order of their names.
    let (code, text) = run(&["top", "--once", "--redis", &url, "--sql", &sqlite]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "hats  open  0 open reservations, 0 users, 0 refunded\n  default [........",
        "  nobody reads hats:orders by a group\n",
        "tea  open  1 open reservations, 2 users, 0 refunded\n",
        "  green [++++++++++++............................] 0 sold, 3 reserved, 7 available\n",
        "  black [########################################] 4 sold, 0 reserved, 0 available\n",
        "  group sql: lag 1, 0 pending\n",
        " 1 replica: 127.0.0.1:",
        " online, ",
        "  answers a second: none\n",
        "  sweep lag 0 ms, at most 0 ms; overdue 0 ms\n",
        "dead letters 1 failed\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(text.find("hats  open") < text.find("tea  open"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    // One that is gone hides none that is there.
    let named = ["--sale", "gone", "--sale", "tea"];
    let (code, text) = run(&[&["top", "--once", "--redis", &url][..], &named].concat());
    assert!(code == 0 && text.contains("tea  open"), "{text}");
    assert!(text.contains("\ngone: NOSALE"), "{text}");
    // The named one alone.
    let (code, text) = run(&["top", "--once", "--redis", &url, "--sale", "hats"]);
    assert!(code == 0 && !text.contains("tea"), "{text}");
}

#[test]
fn shows_rates_while_a_load_runs() {
    let redis = Redis::with_module();
    let tail = ["tail", "--rate", "2000", "--for", "4s", "--stock", "100"];
    let load = crate::Load::start(&redis.url(), &[&tail, &crate::PATIENT]);
    crate::wait_for_orders(&redis, 50);
    let (code, text) = run(&["top", "--once", "--redis", &redis.url(), "--sale", "{tea}"]);
    assert_eq!(code, 0, "{text}");
    let rates = text
        .lines()
        .find(|line| line.contains("answers a second: "));
    let rates = rates.expect("a line of rates");
    assert!(
        rates.contains("allreserved ") || rates.contains("soldout "),
        "{rates}"
    );
    let (code, text) = load.end();
    assert_eq!(code, 0, "{text}");
}

#[test]
fn says_what_keeps_it_from_looking() {
    let redis = Redis::with_module();
    let url = redis.url();
    for (code, arguments, says) in [
        (2, vec!["--once"], "give --redis URL"),
        (
            2,
            vec!["--cluster", "--redis", "redis://a"],
            "takes the names of the sales",
        ),
        (
            3,
            vec!["--once", "--redis", "redis://127.0.0.1:1"],
            "Redis: 127.0.0.1:1: ",
        ),
        (
            3,
            vec!["--once", "--redis", &url, "--sale", "tea"],
            "tea: NOSALE",
        ),
    ] {
        let (ended, text) = run(&[&["top"][..], &arguments].concat());
        assert_eq!(ended, code, "{arguments:?}: {text}");
        assert!(text.contains(says), "{says} in\n{text}");
    }
    let (code, text) = run(&["top", "--once", "--redis", &url]);
    assert!(code == 0 && text.starts_with("no sale here\n"), "{text}");
    let without = Redis::start(&[]);
    let (code, text) = run(&["top", "--once", "--redis", &without.url()]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("load the module flashsale, 0.2.0"), "{text}");
}

#[test]
fn ends_when_nobody_reads_it_any_more() {
    let redis = Redis::with_module();
    let mut top = crate::program(&["top", "--redis", &redis.url()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("flashsale");
    let mut first = [0];
    let mut out = top.stdout.take().expect("an output");
    out.read_exact(&mut first).expect("a letter");
    drop(out);
    let mut ended = None;
    crate::wait_until("the end", || {
        ended = top.try_wait().expect("a process");
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}
