//! Runs in which all holds, and starts that cannot go on.

use crate::common::module_path;
use crate::servers::{Redis, Sql, signal, wait_until};
use crate::{Load, PATIENT, SHORT, failed, replica_of, run, wait_for_orders};

#[test]
fn a_sound_sale_passes_every_check_and_is_removed() {
    let redis = Redis::with_module();
    for how in [&["--connections", "5"][..], &["--batch", "64"]] {
        let load = Load::start(&redis.url(), &[&SHORT, &PATIENT, how]);
        let (code, text) = load.end();
        assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
        for part in [
            "Every check passed.",
            "300 of 300 units sold to 3,000 buyers",
            "--seed 7",
            "module flashsale ",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        // Each habit has met its answer, in batches too.
        for (command, word) in [
            ("RESERVE", "ALLRESERVED"),
            ("RESERVE", "SOLDOUT"),
            ("RESERVE", "NOTSTARTED"),
            ("RESERVE", "USERLIMIT"),
            ("RESERVE", "ORDERLIMIT"),
            ("CHECKOUT", "SOLD"),
            ("CHECKOUT", "EXPIRED"),
            ("CHECKOUT", "ALREADYSOLD"),
            ("RELEASE", "RELEASED"),
        ] {
            let is_row = |line: &str| {
                let mut words = line.split_whitespace();
                (words.next(), words.next()) == (Some(command), Some(word))
            };
            assert!(text.lines().any(is_row), "{command} {word} in\n{text}");
        }
        assert!(!text.contains("not expected"), "{text}");
        assert_eq!(redis.ask::<i64>("EXISTS {tea} {tea}:orders"), 0);
        let stats = redis.ask::<String>("INFO commandstats").to_uppercase();
        let has_batches = stats.contains("CMDSTAT_FLASHSALE.MRESERVE");
        assert_eq!(has_batches, how[0] == "--batch");
    }
}

#[test]
fn writes_a_report_with_the_verdict_first() {
    let redis = Redis::with_module();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.html");
    let report = ["--report", file.to_str().expect("a path"), "--keep"];
    let (code, text) = Load::start(&redis.url(), &[&SHORT, &PATIENT, &report]).end();
    assert_eq!(code, 0, "{text}");
    assert_eq!(redis.ask::<i64>("EXISTS {tea} {tea}:orders"), 2);
    let page = std::fs::read_to_string(&file).expect("a report");
    assert_eq!(page.matches("<svg ").count(), 4);
    let at = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part}"));
    assert!(at("Every check passed.") < at("<h2>Checks</h2>"));
    assert!(at("<h2>Checks</h2>") < at("<svg "));
    // It asks nobody for anything, and tells nobody where the server is.
    assert!(!page.contains("http") && !page.contains("src="));
    assert!(page.contains("--target ...") && !page.contains("redis://"));
    assert!(page.contains("prefers-color-scheme: dark"));
}

/// The same crowd twice: what it was told, and how the two are set side by side.
#[test]
fn a_line_is_set_beside_a_race() {
    let module = module_path();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.html");
    let how = [
        "--wait",
        "--race-first",
        "--own",
        module.to_str().expect("a path"),
        "--report",
        file.to_str().expect("a path"),
    ];
    let (code, text) = run(&[&["load"][..], &SHORT, &PATIENT, &how].concat());
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert_eq!(text.matches("Every check passed.").count(), 2, "{text}");
    assert!(!text.contains("not expected"), "{text}");
    let (_, line) = text.split_once("units, with a line").expect("a second act");
    let word = |word: &str| line.contains(&format!("  RESERVE   {word} "));
    assert!(
        word("WAITING") && word("RESERVED") && word("SOLDOUT"),
        "{text}"
    );
    let row = |name: &str| -> Vec<f64> {
        let row = line.lines().find(|row| row.contains(name)).expect(name);
        let figures = row
            .rsplit(name)
            .next()
            .expect("figures")
            .replace([',', '%'], "");
        figures.split_whitespace().flat_map(str::parse).collect()
    };
    let bought = row("  buyers who bought ");
    assert!(bought.len() == 2 && bought[1] > 200.0, "{text}");
    let first = row("among the first so many who came");
    assert!(first[1] > first[0], "{text}");
    assert!(row("estimates of the wait ")[0] > 0.0, "{text}");
    for (file, plots) in [(file.clone(), 5), (folder.path().join("out.race.html"), 4)] {
        let page = std::fs::read_to_string(&file).expect("a report");
        assert_eq!(page.matches("<svg ").count(), plots, "{}", file.display());
    }
}

#[test]
fn a_line_survives_a_failover() {
    let module = module_path();
    let own = [
        "--own",
        module.to_str().expect("a path"),
        "--kill-at",
        "700ms",
        "--wait",
    ];
    let (code, text) = run(&[&["load"][..], &SHORT, &PATIENT, &own].concat());
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert!(text.contains("  RESERVE   WAITING "), "{text}");
}

#[test]
fn kills_its_own_primary_and_checks_the_survivor() {
    let module = module_path();
    let own = [
        "--own",
        module.to_str().expect("a path"),
        "--kill-at",
        "700ms",
    ];
    let (code, text) = run(&[&["load"][..], &SHORT, &PATIENT, &own].concat());
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert!(
        text.contains("killed the primary, promoted 127.0.0.1:"),
        "{text}"
    );
    assert!(text.contains("lost to the failover: "), "{text}");
    // Both servers are gone.
    for port in text.split("127.0.0.1:").skip(1) {
        let digits = port.split(|letter: char| !letter.is_ascii_digit()).next();
        let port: u16 = digits.unwrap_or_default().parse().expect("a port");
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}

#[test]
fn a_kill_that_comes_after_the_end_is_no_failover() {
    let module = module_path();
    let own = ["--own", module.to_str().expect("a path"), "--kill-at", "5m"];
    let (code, text) = run(&[&["load"][..], &SHORT, &PATIENT, &own].concat());
    let check = "the primary was killed and replaced";
    assert_eq!((code, failed(&text)), (1, vec![check]), "{text}");
    // It has said so before the first buyer.
    assert!(text.contains("such a spike is usually over"), "{text}");
}

/// As Sentinels do it: the roles change, and the old primary drops its clients.
#[test]
fn follows_the_primary_to_another_server() {
    let old = Redis::with_module();
    let new = replica_of(&old);
    let both = format!("{},127.0.0.1:{}", old.url(), new.port);
    let load = Load::start(&both, &[&SHORT, &PATIENT, &["--outages"]]);
    wait_for_orders(&old, 1);
    old.ask::<String>(&format!("FAILOVER TO 127.0.0.1 {}", new.port));
    wait_until("the roles have changed", || {
        new.ask::<String>("INFO replication")
            .contains("role:master")
    });
    old.ask::<i64>("CLIENT KILL TYPE normal");
    let (code, text) = load.end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    let place = format!("asked the replica 127.0.0.1:{}", old.port);
    assert!(text.contains(&place), "{text}");
}

#[test]
fn compares_the_rows_of_its_worker_with_the_stream() {
    let redis = Redis::with_module();
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let worker = ["--worker-sql", &sqlite, "--keep"];
    let (code, text) = Load::start(&redis.url(), &[&SHORT, &PATIENT, &worker]).end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert!(
        text.contains("rows in SQL = orders of the stream"),
        "{text}"
    );
    let rows = Sql::open(&sqlite)
        .expect("a database")
        .number("SELECT count(*) FROM flashsale_orders");
    assert_eq!(rows, redis.ask::<i64>("XLEN {tea}:orders"));
}

/// The tail is a short one, the soak is stopped.
#[test]
fn a_tail_ends_and_a_soak_is_stopped() {
    let redis = Redis::with_module();
    let tail = ["tail", "--rate", "2000", "--for", "1s", "--stock", "300"];
    let (code, text) = Load::start(&redis.url(), &[&tail, &PATIENT]).end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    let soak = ["soak", "--rate", "1000", "--stock", "100"];
    let load = Load::start(&redis.url(), &[&soak, &PATIENT]);
    // More than there was at first: what is sold is restocked.
    wait_for_orders(&redis, 300);
    signal(load.pid(), "TERM");
    let (code, text) = load.end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert!(text.contains("stopping: nobody else comes"), "{text}");
}

#[test]
fn says_what_keeps_it_from_starting() {
    let plain = Redis::start(&[]);
    let sold = Redis::with_module();
    sold.ask::<redis::Value>("FLASHSALE.CREATE {tea} {tea}:orders STOCK 5");
    let (plain_url, sold_url) = (plain.url(), sold.url());
    let target = |url| vec!["spike", "--target", url, "--sale", "tea"];
    let secret = "redis://:hidden@127.0.0.1:1";
    for (code, arguments, says) in [
        (
            2,
            vec![],
            "the following required arguments were not provided:\n  <spike|tail|soak>",
        ),
        (2, vec!["rush"], "[possible values: spike, tail, soak]"),
        (2, vec!["spike"], "give --target URL"),
        (
            2,
            vec!["spike", "--pay", "2", "--own", "x"],
            "it is a number from 0 to 1",
        ),
        (2, vec!["spike", "--kill-at", "1s"], "--own <FILE.so>"),
        (
            2,
            vec!["soak", "--target", "http://127.0.0.1:1"],
            "a soak restocks, which no gateway does",
        ),
        (
            2,
            vec!["tail", "--own", "x", "--wait"],
            "--wait is for a spike",
        ),
        (2, vec!["spike", "--own", "x", "--race-first"], "--wait"),
        (
            2,
            vec!["spike", "--wait", "--target", "http://127.0.0.1:1"],
            "--wait is not for a --target http://...",
        ),
        (
            2,
            vec!["spike", "--own", "a", "--target", "b"],
            "cannot be used with",
        ),
        (
            3,
            vec!["spike", "--own", "/nowhere.so"],
            "--own /nowhere.so: ",
        ),
        (3, target(secret), "Redis: 127.0.0.1:1: "),
        (
            3,
            target(&plain_url),
            "has no FLASHSALE.CREATE: the module flashsale 0.2.0",
        ),
        (3, target(&sold_url), "FLASHSALE.CREATE: BUSYKEY"),
    ] {
        let (ended, text) = run(&[&["load"][..], &arguments].concat());
        assert_eq!(ended, code, "{arguments:?}: {text}");
        assert!(text.contains(says), "{says} in\n{text}");
        assert!(!text.contains("hidden"), "{text}");
    }
}

/// `kill -9` runs no destructor: a guard ends the servers.
#[test]
fn leaves_no_server_behind_when_it_is_killed() {
    use std::io::{BufRead, BufReader};
    let module = module_path();
    let own = ["load", "soak", "--own", module.to_str().expect("a path")];
    let mut child = crate::program(&own)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("flashsale");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut lines = lines.map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("target 127.0.0.1:"));
    let line = line.expect("where its server is");
    let port: String = line["target 127.0.0.1:".len()..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let port: u16 = port.parse().expect("a port");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    signal(child.id(), "KILL");
    child.wait().expect("its end");
    wait_until("the server is gone", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
    });
}

#[test]
fn finds_the_node_of_a_cluster_and_gives_its_password() {
    let module = module_path();
    let redis = Redis::start(&[
        "--loadmodule",
        module.to_str().expect("a path"),
        "--cluster-enabled",
        "yes",
    ]);
    redis.ask::<redis::Value>("CLUSTER ADDSLOTSRANGE 0 16383");
    wait_until("the cluster is whole", || {
        redis
            .ask::<String>("CLUSTER INFO")
            .contains("cluster_state:ok")
    });
    redis.ask::<redis::Value>("ACL SETUSER shop on >hidden ~* +@all");
    redis.ask::<redis::Value>("ACL SETUSER default off");
    let url = format!("redis://shop:hidden@127.0.0.1:{}", redis.port);
    let (code, text) = Load::start(&url, &[&SHORT, &PATIENT, &["--cluster"]]).end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}
