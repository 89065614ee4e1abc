//! What becomes of entries: rows, hooks, dead letters.

use std::path::PathBuf;

use crate::Stage;
use crate::servers::wait_until;
use crate::worker::{
    Fields, Worker, append, event, order, refund, run, wait_for_all, with, without,
};

/// Writes a hook, and returns its path.
fn hook(folder: &tempfile::TempDir, name: &str, sql: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, sql).expect("a file");
    path.to_str().expect("a path").to_owned()
}

fn store(stage: &Stage, entries: &[Fields], more: &[&str]) -> String {
    let worker = Worker::start(&stage.redis.url(), &stage.url, more);
    append(&stage.redis, entries);
    wait_for_all(&stage.redis);
    let (status, log) = worker.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

fn count(stage: &Stage, table: &str) -> i64 {
    stage.sql.number(&format!("SELECT COUNT(*) FROM {table}"))
}

pub fn each_entry_is_one_row(stage: &mut Stage) {
    // An older module writes no ref; a newer one more fields, and events nobody knows.
    let old = without(&order("ann-2", ""), "ref");
    let rich = with(&with(&order("ann-3", "r"), "group", "g"), "imported", "1");
    let rich = with(
        &with(&rich, "payload", r#"{"gift":true}"#),
        "colour",
        "blue",
    );
    let entries = [
        order("ann-1", "charge-1"),
        old.clone(),
        rich,
        refund("ann-1", "return-1"),
        refund("ann-1", "return-2"),
        refund("ann-2", ""),
        event("moved", "ann-9", 1),
        with(&event("soldout", "", 5), "sku", "green"),
    ];
    store(stage, &entries, &[]);
    assert_eq!(count(stage, "flashsale_orders"), 3);
    assert_eq!(count(stage, "flashsale_refunds"), 3);
    // Again, in other batches, in twos: nothing changes. A ref of NULL would equal nothing.
    let again: Vec<Fields> = entries.iter().chain(&entries).cloned().collect();
    store(stage, &again, &["--batch", "2"]);
    store(stage, &again, &[]);
    assert_eq!(count(stage, "flashsale_orders"), 3);
    assert_eq!(count(stage, "flashsale_refunds"), 3);
    assert_eq!(count(stage, "flashsale_dead"), 0);
    assert_eq!(count(stage, "flashsale_events"), 0);
    let payload = "SELECT payload FROM flashsale_orders_text WHERE id = 'ann-3' AND imported = 1 AND group_name = 'g'";
    assert_eq!(stage.sql.texts(payload), [r#"{"gift":true}"#]);
    let whole = "SELECT user_id FROM flashsale_orders_text WHERE id = 'ann-1' AND ref = 'charge-1' AND sale = 'tea' AND stream = 'tea:orders' AND qty = 1 AND at_ms = 1795203093164";
    assert_eq!(stage.sql.texts(whole), ["user-ann-1"]);
}

pub fn names_are_bytes(stage: &mut Stage) {
    let odd = with(&order("x", ""), "id", [0xFF, 0, b'\'']);
    let entries = [
        order("ANN-1", "R"),
        order("ann-1", "r"),
        order("ann-1 ", "r"),
        odd,
        order("größe-ж", ""),
    ];
    let refunds = [refund("ANN-1", "Back"), refund("ANN-1", "back")];
    store(stage, &[&entries[..], &refunds[..]].concat(), &[]);
    assert_eq!(count(stage, "flashsale_orders"), 5);
    assert_eq!(count(stage, "flashsale_orders_text"), 5);
    assert_eq!(count(stage, "flashsale_refunds"), 2);
    let exact =
        "SELECT id FROM flashsale_orders_text WHERE id = 'ANN-1' OR id = 'größe-ж' ORDER BY id";
    assert_eq!(stage.sql.texts(exact), ["ANN-1", "größe-ж"]);
}

pub fn the_largest_payload_fits(stage: &mut Stage) {
    let payload = format!("\"{}\"", "x".repeat(65_534));
    let entries: Vec<Fields> = (0..100)
        .map(|at| with(&order(&format!("big-{at}"), ""), "payload", &payload))
        .collect();
    store(stage, &entries, &[]);
    assert_eq!(
        stage
            .sql
            .number("SELECT COUNT(*) FROM flashsale_orders WHERE LENGTH(payload) = 65536"),
        100
    );
}

pub fn hooks_run_once(stage: &mut Stage) {
    stage
        .sql
        .run("CREATE TABLE jobs (kind VARCHAR(20), id VARCHAR(99), due BIGINT, note VARCHAR(99))");
    let folder = tempfile::tempdir().expect("a folder");
    let then = hook(
        &folder,
        "then.sql",
        "-- ship; it\nINSERT INTO jobs VALUES ('ship', :id, :at_ms + 1, :payload); UPDATE jobs SET note = ':id' WHERE id = :id AND kind = 'ship';",
    );
    let expired = hook(
        &folder,
        "expired.sql",
        "INSERT INTO jobs (kind, id, due) VALUES ('give-back', :id, :expires_at_ms + 60000)",
    );
    let on = format!("expired={expired}");
    let hooks = ["--then", &then, "--on", &on, "--batch", "3"];
    let entries = [
        order("a", ""),
        order("a", ""),
        event("expired", "b", 7),
        event("expired", "b", 7),
        event("expired", "b", 8),
        event("released", "c", 9),
        order("d", ""),
    ];
    store(stage, &entries, &hooks);
    store(stage, &entries, &hooks);
    assert_eq!(count(stage, "jobs WHERE kind = 'ship'"), 2);
    assert_eq!(
        count(
            stage,
            "jobs WHERE kind = 'ship' AND note = ':id' AND due = 1795203093165"
        ),
        2
    );
    assert_eq!(
        count(
            stage,
            "jobs WHERE kind = 'give-back' AND due = 1795203213164"
        ),
        2
    );
    // What has no hook is not stored; with --journal all is.
    assert_eq!(count(stage, "flashsale_events"), 2);
    store(stage, &entries, &["--journal"]);
    assert_eq!(count(stage, "flashsale_events"), 3);
    assert_eq!(count(stage, "jobs"), 4);
}

pub fn a_second_payment_and_a_conflict_are_dead(stage: &mut Stage) {
    stage
        .sql
        .run("CREATE TABLE jobs (id VARCHAR(99), ref VARCHAR(99))");
    let folder = tempfile::tempdir().expect("a folder");
    let twice = hook(&folder, "twice.sql", "INSERT INTO jobs VALUES (:id, :ref)");
    let on = format!("paid_twice={twice}");
    let first = order("ann-1", "charge-1");
    // A stranger's REF that would clear the operator's screen, and begin a line of its own.
    let forged = "charge-2\u{1b}[2J\n9";
    let split = with(&first, "items", r#"[{"qty":1,"sku":"green"}]"#);
    let entries = [
        first.clone(),
        split,
        with(&first, "ref", forged),
        with(&first, "ref", forged),
        with(&first, "user", "bob"),
        with(&first, "items", r#"[{"sku":"black","qty":1}]"#),
        refund("ann-1", "back"),
        with(&refund("ann-1", "back"), "items", "[]"),
    ];
    // In one batch, then each compared with its row.
    store(stage, &entries, &["--on", &on]);
    let log = store(stage, &entries, &["--on", &on, "--batch", "1"]);
    assert!(!log.contains("dead letter"), "{log}");
    assert_eq!(count(stage, "flashsale_orders"), 1);
    assert_eq!(
        stage.sql.texts("SELECT ref FROM flashsale_orders_text"),
        ["charge-1"]
    );
    assert_eq!(
        stage
            .sql
            .texts("SELECT reason FROM flashsale_dead ORDER BY number"),
        ["paid_twice", "conflict", "conflict"]
    );
    assert_eq!(stage.sql.texts("SELECT ref FROM jobs"), [forged]);
    let listed = run(&["dead", "list", "--sql", &stage.url]);
    let text = String::from_utf8_lossy(&listed.stdout);
    assert_eq!(listed.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("1  paid_twice  order ann-1  ref charge-2"),
        "{text}"
    );
    let is_plain = text.lines().count() == 3 && !text.contains('\u{1b}');
    assert!(is_plain, "{text:?}");
    let retried = run(&["dead", "retry", "1", "--sql", &stage.url, "--on", &on]);
    let text = String::from_utf8_lossy(&retried.stdout);
    assert_eq!(
        (
            retried.status.code(),
            text.starts_with("1: remains, paid_twice: ")
        ),
        (Some(1), true),
        "{text}"
    );
    for number in stage.sql.texts(&format!(
        "SELECT {} FROM flashsale_dead",
        stage.text_of("number")
    )) {
        assert_eq!(
            run(&["dead", "drop", &number, "--sql", &stage.url])
                .status
                .code(),
            Some(0)
        );
    }
    assert_eq!(
        run(&["dead", "list", "--sql", &stage.url]).status.code(),
        Some(0)
    );
    assert_eq!(
        run(&["dead", "drop", "1", "--sql", &stage.url])
            .status
            .code(),
        Some(1)
    );
}

pub fn what_cannot_be_stored_is_dead(stage: &mut Stage) {
    stage
        .sql
        .run("CREATE TABLE ships (id VARCHAR(99) PRIMARY KEY, qty BIGINT CHECK (qty < 5))");
    let folder = tempfile::tempdir().expect("a folder");
    let then = hook(&folder, "then.sql", "INSERT INTO ships VALUES (:id, :qty)");
    let mut entries: Vec<Fields> = (0..40).map(|at| order(&format!("o-{at}"), "")).collect();
    entries[17] = with(&entries[17], "qty", "7");
    entries[23] = without(&entries[23], "sale_id");
    entries[31] = with(&entries[31], "id", [0xFF, 0xFE]);
    store(stage, &entries, &["--then", &then, "--attempts", "2"]);
    assert_eq!(count(stage, "flashsale_orders"), 37);
    assert_eq!(count(stage, "ships"), 37);
    let reasons = stage
        .sql
        .texts("SELECT reason FROM flashsale_dead ORDER BY reason");
    assert_eq!(reasons, ["failed", "not_text", "unreadable"]);
    let number = stage
        .sql
        .number("SELECT number FROM flashsale_dead WHERE reason = 'failed'")
        .to_string();
    let retry =
        |more: &[&str]| run(&[&["dead", "retry", &number, "--sql", &stage.url], more].concat());
    // Alone, the row would be there and nothing would ever be shipped.
    assert_eq!(retry(&[]).status.code(), Some(2));
    assert_eq!(retry(&["--then", &then]).status.code(), Some(1));
    stage.sql.run("DROP TABLE ships");
    stage
        .sql
        .run("CREATE TABLE ships (id VARCHAR(99) PRIMARY KEY, qty BIGINT)");
    let stored = retry(&["--then", &then]);
    assert_eq!(
        stored.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&stored.stdout)
    );
    assert_eq!(count(stage, "flashsale_orders WHERE qty = 7"), 1);
    assert_eq!(count(stage, "ships"), 1);
    assert_eq!(count(stage, "flashsale_dead"), 2);
    let number = stage
        .sql
        .number("SELECT number FROM flashsale_dead WHERE reason = 'not_text'")
        .to_string();
    let stored = run(&[
        "dead",
        "retry",
        &number,
        "--sql",
        &stage.url,
        "--without-hooks",
    ]);
    assert_eq!(
        stored.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&stored.stdout)
    );
    assert_eq!(count(stage, "flashsale_orders"), 39);
}

pub fn what_was_trimmed_while_pending_is_dead(stage: &mut Stage) {
    let redis = &stage.redis;
    redis.ask::<String>("XGROUP CREATE tea:orders sql 0 MKSTREAM");
    append(
        redis,
        &[order("own", ""), order("other", ""), order("stays", "")],
    );
    redis.ask::<redis::Value>("XREADGROUP GROUP sql w1 COUNT 1 STREAMS tea:orders >");
    redis.ask::<redis::Value>("XREADGROUP GROUP sql w2 COUNT 1 STREAMS tea:orders >");
    redis.ask::<i64>("XTRIM tea:orders MAXLEN 1");
    let worker = Worker::start(&redis.url(), &stage.url, &["--claim-after", "100ms"]);
    wait_until("two dead letters", || {
        stage
            .sql
            .try_number("SELECT COUNT(*) FROM flashsale_dead WHERE reason = 'trimmed'")
            .is_ok_and(|dead| dead == 2)
    });
    let stays = "SELECT COUNT(*) FROM flashsale_orders_text WHERE id = 'stays'";
    wait_until("the entry that stays", || {
        stage.sql.try_number(stays).is_ok_and(|rows| rows == 1)
    });
    worker.kill();
}

pub fn the_newest_seq_wins(stage: &mut Stage) {
    let entries = [
        event("reserved", "a", 10),
        event("extended", "a", 20),
        event("expired", "b", 40),
        event("reserved", "b", 30),
        event("reserved", "c", 50),
        with(&order("c", ""), "seq", "60"),
        event("granted", "d", 5),
        with(&event("released", "e", 70), "replaced_by", "f"),
        order("g", ""),
    ];
    let state = "SELECT COUNT(*) FROM flashsale_reservations_text WHERE (id = 'a' AND state = 'reserved' AND seq = 20) OR (id = 'b' AND state = 'expired') OR (id = 'c' AND state = 'sold') OR (id = 'd' AND state = 'reserved') OR (id = 'e' AND state = 'released' AND user_id = 'user-e' AND expires_at_ms = 1795203153164)";
    for batch in ["500", "1"] {
        store(stage, &entries, &["--reservations", "--batch", batch]);
        assert_eq!(stage.sql.number(state), 5);
        assert_eq!(count(stage, "flashsale_reservations"), 5);
    }
    let mut backwards = entries.to_vec();
    backwards.reverse();
    store(stage, &backwards, &["--reservations", "--batch", "2"]);
    assert_eq!(stage.sql.number(state), 5);
}

pub fn takes_over_what_another_has_left(stage: &mut Stage) {
    let redis = &stage.redis;
    redis.ask::<String>("XGROUP CREATE tea:orders sql 0 MKSTREAM");
    let entries: Vec<Fields> = (0..50).map(|at| order(&format!("left-{at}"), "")).collect();
    append(redis, &entries);
    redis.ask::<redis::Value>("XREADGROUP GROUP sql gone COUNT 30 STREAMS tea:orders >");
    let worker = Worker::start(
        &redis.url(),
        &stage.url,
        &["--claim-after", "200ms", "--batch", "7"],
    );
    wait_for_all(redis);
    assert_eq!(count(stage, "flashsale_orders"), 50);
    assert_eq!(worker.stop().0.code(), Some(0));
}

pub fn stops_in_order(stage: &mut Stage) {
    let redis = &stage.redis;
    let consumers = || {
        redis
            .ask::<Vec<redis::Value>>("XINFO CONSUMERS tea:orders sql")
            .len()
    };
    let mut worker = Worker::start(&redis.url(), &stage.url, &["--metrics", "127.0.0.1:0"]);
    wait_until("it reads", || worker.log().contains("reading from"));
    assert!(worker.is_running());
    let begin = std::time::Instant::now();
    let (status, log) = worker.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    // BLOCK is 5 seconds long, and is not waited for.
    assert!(begin.elapsed().as_secs() < 4, "{:?}", begin.elapsed());
    assert_eq!(consumers(), 0);
    // With something pending the consumer stays: its removal would remove that too.
    redis.ask::<String>("XADD tea:orders * event order");
    redis.ask::<redis::Value>("XREADGROUP GROUP sql w1 COUNT 1 STREAMS tea:orders >");
    stage.sql.run("ALTER TABLE flashsale_dead RENAME TO away");
    let worker = Worker::start(&redis.url(), &stage.url, &[]);
    wait_until("it waits for the table", || {
        worker.log().contains("trying again until it succeeds")
    });
    assert_eq!(worker.stop().0.code(), Some(0));
    assert_eq!(consumers(), 1);
    stage.sql.run("ALTER TABLE away RENAME TO flashsale_dead");
    let worker = Worker::start(&redis.url(), &stage.url, &[]);
    wait_for_all(redis);
    assert_eq!(count(stage, "flashsale_dead"), 1);
    worker.kill();
}
