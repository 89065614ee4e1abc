//! The command line, what is checked at the start, and every line it ends with.

use crate::servers::{DatabaseServer, Redis, Sql, wait_until};
use crate::worker::{Worker, append, event, order, run, wait_for_all};

#[track_caller]
fn fails(code: i32, says: &str, arguments: &[&str]) {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(says), "{arguments:?}: {text}");
    assert!(!text.contains("secret"), "{text}");
    if code == 3 {
        let last = text.trim_end().lines().last().unwrap_or_default();
        assert!(
            last.starts_with("flashsale: ") && last.contains(says),
            "one line at the end: {text}"
        );
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let sql = ["--sql", sqlite.as_str()];
    let all = |more: &[&'static str]| [&sql[..], more].concat();
    let redis = "redis://127.0.0.1:1";
    fails(
        2,
        "give --orders STREAM (once or more), or --group-of SALE",
        &all(&["--redis", redis]),
    );
    fails(
        2,
        "give --redis URL, or set FLASHSALE_REDIS or FLASHSALE_REDIS_FILE",
        &all(&["--orders", "a"]),
    );
    fails(
        2,
        "give --sql URL, or set FLASHSALE_SQL or FLASHSALE_SQL_FILE",
        &["--orders", "a"],
    );
    fails(
        2,
        "the SQL URL begins with none of sqlite:, postgres:// and mysql://",
        &["--sql", "oracle://x:secret@y"],
    );
    fails(
        2,
        "unexpected argument '--order' found",
        &all(&["--order", "a"]),
    );
    fails(
        2,
        "a value is required for '--orders <STREAM>'",
        &all(&["--orders"]),
    );
    fails(
        2,
        "invalid value '2001' for '--batch <N>': 2001 is not in 1..=2000",
        &all(&["--batch", "2001", "--orders", "a"]),
    );
    fails(
        2,
        "invalid value 'x' for '--batch <N>'",
        &all(&["--batch", "x"]),
    );
    fails(
        2,
        "invalid value '60' for '--claim-after <TIME>'",
        &all(&["--claim-after", "60"]),
    );
    for option in ["--claim-after", "--trim"] {
        fails(2, ": it is 0", &all(&[option, "0s"]));
    }
    fails(
        2,
        "invalid value 'expired' for '--on <EVENT=FILE>'",
        &all(&["--on", "expired"]),
    );
    fails(
        2,
        "--on expire: there is no such event",
        &all(&["--on", "expire=x", "--orders", "a", "--redis", redis]),
    );
    fails(2, "<NUMBER>...", &all(&["dead", "retry"]));
    fails(
        2,
        "invalid value 'x' for '<NUMBER>...'",
        &all(&["dead", "drop", "x"]),
    );
    fails(
        2,
        "'--sentinel <NAME>' cannot be used with '--cluster'",
        &all(&[
            "--sentinel",
            "m",
            "--cluster",
            "--orders",
            "a",
            "--redis",
            redis,
        ]),
    );
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("--claim-after <TIME>"));
}

#[test]
fn what_is_missing_at_the_start_ends_with_3_and_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (sqlite, hook) = (format!("sqlite:{}", path("shop.db")), path("hook.sql"));
    let redis = Redis::start(&[
        "--user",
        "poor",
        "on",
        ">secret",
        "~*",
        "+xreadgroup",
        "+client|id",
    ]);
    let url = redis.url();
    let base = ["--sql", &sqlite, "--redis", &url, "--orders", "tea:orders"];
    let with = |more: &[&str]| {
        [&base[..], more]
            .concat()
            .iter()
            .map(|one| (*one).to_owned())
            .collect::<Vec<_>>()
    };
    let fails_with = |says: &str, more: &[&str]| {
        let arguments = with(more);
        fails(
            3,
            says,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    };
    fails_with(
        "nothing.sql cannot be read",
        &["--then", &path("nothing.sql")],
    );
    for (text, says) in [
        (
            "INSERT INTO jobs VALUES (:usr)",
            "line 1: no entry has a field usr",
        ),
        (
            "INSERT INTO jobs VALUES (:user)",
            "line 1: the database does not accept it: no such table: jobs",
        ),
        (
            "GARBAGE 1",
            "the database does not accept it: near \"GARBAGE\": syntax error",
        ),
        ("SELECT 1; COMMIT", "COMMIT has no place in a hook"),
    ] {
        std::fs::write(&hook, text).expect("a file");
        fails_with(says, &["--then", &hook]);
    }
    fails_with(
        "Redis: 127.0.0.1:1: Connection refused",
        &["--redis", "redis://127.0.0.1:1"],
    );
    fails_with(
        "XGROUP CREATE: ",
        &[
            "--redis",
            &format!("redis://poor:secret@127.0.0.1:{}", redis.port),
        ],
    );
    redis.ask::<String>("SET text 1");
    fails_with(
        "text: no stream, but --orders names that of a sale, such as tea:orders: XGROUP CREATE: WRONGTYPE",
        &["--orders", "text"],
    );
    fails_with(
        "--metrics 127.0.0.1:99999",
        &["--metrics", "127.0.0.1:99999"],
    );
    let replica = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", redis.port)]);
    fails_with("is a replica", &["--redis", &replica.url()]);
    let parts = [&base[..4], &["--group-of", "tea"]].concat();
    fails(3, "{tea}:parts is not there: tea is no split sale", &parts);
    let sql = Sql::open(&sqlite).expect("a database");
    sql.run("UPDATE flashsale_schema SET version = 99");
    fails_with(
        "the tables are of version 99, which a newer flashsale has made",
        &[],
    );
    let nowhere = format!("sqlite:{}", path("nowhere/shop.db"));
    let says = format!("the database {nowhere} cannot be opened: ");
    fails_with(&says, &["--sql", &nowhere]);
    fails(
        3,
        "the database postgres://127.0.0.1:1/x cannot be opened",
        &["--sql", "postgres://x:secret@127.0.0.1:1/x", "dead", "list"],
    );
}

#[test]
fn mysql_tables_without_transactions_end_with_3() {
    let Some(server) = DatabaseServer::start("mariadb") else {
        return;
    };
    let url = server.database("shop");
    assert_eq!(
        run(&["--migrate-only", "--sql", &url]).status.code(),
        Some(0)
    );
    assert_eq!(
        run(&["--migrate-only", "--sql", &url]).status.code(),
        Some(0)
    );
    Sql::open(&url)
        .expect("a database")
        .run("ALTER TABLE flashsale_orders ENGINE=MyISAM");
    fails(
        3,
        "flashsale_orders is of the engine MyISAM, which has no transactions",
        &["--migrate-only", "--sql", &url],
    );
}

#[test]
fn several_workers_may_make_the_tables_at_once() {
    for kind in ["sqlite", "postgres", "mariadb"] {
        let Some(server) = DatabaseServer::start(kind) else {
            continue;
        };
        let url = server.database("shop");
        let start = || {
            std::thread::spawn({
                let url = url.clone();
                move || run(&["--migrate-only", "--sql", &url])
            })
        };
        let all: Vec<_> = (0..4).map(|_| start()).collect();
        for one in all {
            let output = one.join().expect("a run");
            assert_eq!(
                output.status.code(),
                Some(0),
                "{kind}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

#[test]
fn shows_its_numbers_trims_and_logs_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let redis = Redis::start(&[]);
    let port = crate::servers::free_port();
    let entries: Vec<_> = (0..500).map(|at| order(&format!("o-{at}"), "")).collect();
    append(&redis, &entries);
    append(
        &redis,
        &[
            order("o-1", "again"),
            event("moved", "x", 1),
            crate::worker::with(&event("lost", "", 2), "qty", "9"),
        ],
    );
    let place = format!("127.0.0.1:{port}");
    let worker = Worker::start(
        &redis.url(),
        &sqlite,
        &["--metrics", &place, "--log", "json"],
    );
    wait_for_all(&redis);
    let page = || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&place).ok()?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    };
    wait_until("its numbers", || {
        page().is_some_and(|text| text.contains("lag{stream=\"tea:orders\"} 0"))
    });
    let text = page().expect("a page");
    for line in [
        "flashsale_worker_rows_total{table=\"flashsale_orders\"} 500",
        "flashsale_worker_unknown_events_total 1",
        "flashsale_worker_lost_entries_total 9",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let (_, log) = worker.stop();
    assert!(
        log.lines()
            .all(|line| line.starts_with("{\"timestamp\":\"20")),
        "{log}"
    );
    assert!(log.contains("dead letter: paid_twice: order"), "{log}");
    // A second start trims what is acknowledged.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let worker = Worker::start(&redis.url(), &sqlite, &["--trim", "10ms"]);
    wait_until("it is trimmed", || {
        redis.ask::<i64>("XLEN tea:orders") < 200
    });
    worker.kill();
}

#[test]
fn reads_what_the_module_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let redis = Redis::with_module();
    redis.ask::<String>("FLASHSALE.CREATE tea tea:orders ITEMS 2 green 5 black 2");
    redis.ask::<redis::Value>("FLASHSALE.BUY tea tea:orders ann ITEMS 2 green 2 black 1 ID ann-1 REF charge-1 PAYLOAD {\"gift\":true}");
    redis.ask::<redis::Value>("FLASHSALE.BUY tea tea:orders bob ITEMS 1 green 1 ID bob-1");
    redis.ask::<redis::Value>("FLASHSALE.REFUND tea tea:orders ann-1 ITEMS 1 green 1 REF back-1");
    redis.ask::<redis::Value>("FLASHSALE.REFUND tea tea:orders bob-1");
    let worker = Worker::start(&redis.url(), &sqlite, &[]);
    wait_for_all(&redis);
    let sql = Sql::open(&sqlite).expect("a database");
    let orders = sql.texts("SELECT id || ' ' || ref || ' ' || qty || ' ' || COALESCE(payload, '-') FROM flashsale_orders_text ORDER BY id");
    assert_eq!(orders, ["ann-1 charge-1 3 {\"gift\":true}", "bob-1  1 -"]);
    let refunds = sql.texts("SELECT id || ' ' || ref || ' ' || qty || ' ' || restocked FROM flashsale_refunds_text ORDER BY id");
    assert_eq!(refunds, ["ann-1 back-1 1 1", "bob-1  1 1"]);
    assert_eq!(sql.number("SELECT COUNT(*) FROM flashsale_dead"), 0);
    worker.kill();
}
