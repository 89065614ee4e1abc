//! docs/companion.md, typed in.
//!
//! **Goal**: a newcomer who types what the page shows sees what the page shows; the page
//! lists every option that matters, every metric, and the rights the worker needs.
//!
//! **Method**: tests/common/session.rs.

use crate::common::{self, session};
use crate::servers::{Redis, wait_until};
use crate::worker::{Worker, append, order, wait_for_all};

const PAGE: &str = include_str!("../../../docs/companion.md");

#[test]
fn the_page_prints_what_it_shows() {
    let (page, _) = PAGE
        .split_once("\n## The gateway\n")
        .expect("the worker's part");
    let redis = Redis::with_module();
    let played = session::play(page, redis.port, &[]);
    assert!(played > 15, "{played} commands");
}

#[test]
fn the_page_lists_every_metric() {
    let source = include_str!("../../src/worker/metrics.rs");
    for name in [
        "rows_total",
        "duplicates_total",
        "dead",
        "lag",
        "pending",
        "oldest_pending_seconds",
        "batch_seconds",
        "retries_total",
        "unknown_events_total",
        "lost_entries_total",
        "primary_changes_total",
    ] {
        assert!(
            source.contains(&format!("\"flashsale_worker_{name}\"")),
            "{name}"
        );
        assert!(
            PAGE.contains(&format!("| `flashsale_worker_{name}` |")),
            "{name}"
        );
    }
}

/// The user of the page can do all that the worker does.
#[test]
fn the_user_of_the_page_has_every_right_it_needs() {
    let redis = Redis::start(&[]);
    let line = PAGE
        .lines()
        .find(|line| line.starts_with("ACL SETUSER worker "))
        .expect("the user");
    // It is one that all the servers of the tests accept.
    redis.ask::<String>(line);
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    append(&redis, &[order("a", "")]);
    let url = format!("redis://worker:secret@127.0.0.1:{}", redis.port);
    let worker = Worker::start(&url, &sqlite, &["--trim", "1h"]);
    wait_for_all(&redis);
    wait_until("it looks at the group", || {
        redis
            .ask::<String>("INFO commandstats")
            .contains("cmdstat_xinfo|groups")
    });
    let (status, log) = worker.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("WARN"), "{log}");
    assert!(
        redis
            .ask::<Vec<redis::Value>>("XINFO CONSUMERS tea:orders sql")
            .is_empty()
    );
    assert!(
        redis.ask::<Vec<redis::Value>>("ACL LOG").is_empty(),
        "a right is missing"
    );
}

#[test]
fn the_alerts_fire_when_they_should() {
    common::alerts_fire("worker_rules_test.yml");
}
