//! Where the secrets of a sale are, and where they are not.

use super::{NEXT_SECRET, SECRET, pass, pass_until, passkey};
use crate::support::{
    Con, Feed, REPLICA_OF_NOBODY, Server, aof, replicate, unix_ms, wait_for_replica, wait_until,
};

fn fill(con: &mut Con) {
    let options = passkey(&[SECRET, NEXT_SECRET]);
    con.says(
        &format!("FLASHSALE.CREATE sale orders STOCK 9 EVENTS all USERRATE 50 1000 {options}"),
        "OK",
    );
    let shown = pass("a", "ann");
    con.says(
        &format!("FLASHSALE.RESERVE sale ann 1 ID a PASS {shown}"),
        "RESERVED ...",
    );
    all_is_told(con);
}

/// Entries that wait are written whenever the timer comes by, and are in the digest.
fn all_is_told(con: &mut Con) {
    wait_until("all is told", || {
        con.field("FLASHSALE.INFO sale", "events_waiting") == "0"
    });
}

/// The sale asks for passes of its first secret.
fn asks_for_passes(con: &mut Con, id: &str) {
    con.fields(
        "FLASHSALE.INFO sale",
        "passkeys 2, userrate_n 50, userrate_ms 1000",
    );
    con.refuses(
        &format!("FLASHSALE.RESERVE sale bob 1 ID {id}"),
        &format!("NOPASS {id}"),
    );
    let shown = pass(id, "bob");
    con.says(
        &format!("FLASHSALE.RESERVE sale bob 1 ID {id} PASS {shown}"),
        &format!("RESERVED {id} ..."),
    );
    all_is_told(con);
}

#[test]
fn a_reload_a_rewrite_and_a_replay_keep_the_secrets() {
    for preamble in ["yes", "no"] {
        let args =
            format!("--appendonly yes --appendfsync always --aof-use-rdb-preamble {preamble}");
        let Some(mut server) = Server::own(&[&args], &[]) else {
            return;
        };
        let mut con = server.conn();
        fill(&mut con);
        let digest = con.digest("sale");
        con.says("DEBUG RELOAD", "OK");
        assert_eq!(con.digest("sale"), digest);
        asks_for_passes(&mut con, "b");
        let digest = con.digest("sale");
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(con.digest("sale"), digest);
        con.says("REPLICAOF NO ONE", "OK");
        aof::rewrite(&mut con);
        drop(con);
        server.kill9();
        server.start_again(&[REPLICA_OF_NOBODY]);
        let mut con = server.conn();
        assert_eq!(con.digest("sale"), digest);
        con.says("REPLICAOF NO ONE", "OK");
        asks_for_passes(&mut con, "c");
    }
}

#[test]
fn another_secret_is_another_digest() {
    let server = Server::any();
    let mut con = server.conn();
    fill(&mut con);
    let digest = con.digest("sale");
    con.says(
        &format!("FLASHSALE.ALTER sale {}", passkey(&[NEXT_SECRET, SECRET])),
        "OK",
    );
    assert_ne!(con.digest("sale"), digest);
}

#[test]
fn a_replica_verifies_nothing_and_asks_once_it_is_the_primary() {
    let (Some(mut primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    let mut con = primary.conn();
    fill(&mut con);
    // Over by the time that the replica hears of it.
    let shown = pass_until(unix_ms() + 300, "late", "ann");
    con.says(
        &format!("FLASHSALE.RESERVE sale ann 1 ID late PASS {shown}"),
        "RESERVED ...",
    );
    let now_ms = unix_ms();
    wait_until("the pass is over", || unix_ms() > now_ms + 300);
    replicate(&primary, &replica);
    let shown = pass_until(unix_ms() + 200, "later", "ann");
    con.says("CLIENT KILL TYPE replica", "...");
    con.says(
        &format!("FLASHSALE.RESERVE sale ann 1 ID later PASS {shown}"),
        "RESERVED ...",
    );
    // Whoever vouches needs none.
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 1 eve 1 e",
        "[RESERVED e ...",
    );
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    assert_eq!(copy.digest("sale orders"), con.digest("sale orders"));
    copy.has_not_diverged();
    primary.kill9();
    copy.says("REPLICAOF NO ONE", "OK");
    asks_for_passes(&mut copy, "b");
    copy.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn neither_source_nor_pass_is_in_what_is_sent_on() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders STOCK 9 FROMRATE 1 60000 {}",
            passkey(&[SECRET])
        ),
        "OK",
    );
    let feed = Feed::follow(&server);
    let shown = pass("a", "ann");
    con.says(
        &format!("FLASHSALE.BUY sale orders ann 1 ID a FROM 203.0.113.9 PASS {shown}"),
        "SOLD ...",
    );
    con.refuses(
        "FLASHSALE.RESERVE sale bob 1 ID b FROM 203.0.113.9",
        "THROTTLED * from",
    );
    let mut feed = feed;
    let sent = feed.short().join("\n");
    assert!(sent.contains("FLASHSALE.APPLY"), "{sent}");
    for hidden in ["203.0.113.9", &shown[14..]] {
        assert!(!sent.contains(hidden), "{sent}");
        assert!(!con.show("XRANGE orders - +").contains(hidden));
    }
}

#[test]
fn no_reply_shows_a_secret() {
    let server = Server::any();
    let mut con = server.conn();
    fill(&mut con);
    let secret = std::str::from_utf8(SECRET).unwrap();
    con.says(
        &format!("FLASHSALE.ALTER sale {}", passkey(&[NEXT_SECRET, SECRET])),
        "OK",
    );
    all_is_told(&mut con);
    let told = con.show("XRANGE orders - +");
    assert!(told.contains(r#"{\"passkeys\":true}"#), "{told}");
    let mut shown = told;
    for line in [
        "FLASHSALE.INFO sale".to_owned(),
        "FLASHSALE.AUDIT sale orders".to_owned(),
        "FLASHSALE.SCAN sale 0".to_owned(),
        "FLASHSALE.GET sale a".to_owned(),
        "FLASHSALE.USER sale ann".to_owned(),
        "FLASHSALE.STOCK sale".to_owned(),
        "FLASHSALE.DOCTOR".to_owned(),
        "INFO everything".to_owned(),
        "FLASHSALE.RESERVE sale bob 1 ID b PASS wrong".to_owned(),
        // Lines with a mistake in them.
        format!("FLASHSALE.ALTER sale PASSKEY {secret}"),
        format!("FLASHSALE.ALTER sale PASSKEY 3 {secret} {secret} {secret}"),
        format!("FLASHSALE.ALTER sale PASSKEY 1 {secret} {secret}"),
        format!("FLASHSALE.ALTER sale PASSKEY 2 {secret}"),
        format!("FLASHSALE.ALTER sale PASSKEY 1 {secret}{secret}{secret}{secret}{secret}"),
        format!("FLASHSALE.CREATE new orders STOCK 1 PASSKEY {secret}"),
        format!("FLASHSALE.CREATE new orders STOCK 1 PASSKEY 0 {secret}"),
        format!("FLASHSALE.CREATE sale orders STOCK 1 PASSKEY 1 {secret}"),
    ] {
        shown += &con.show(&line);
    }
    for secret in [SECRET, NEXT_SECRET] {
        let text = std::str::from_utf8(secret).unwrap();
        assert!(!shown.contains(text), "{shown}");
        assert!(!server.log().contains(text));
    }
}

#[test]
fn doctor_names_whoever_could_do_without_a_pass() {
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    let mut con = server.conn();
    let found = |con: &mut Con| {
        let all = con.show("FLASHSALE.DOCTOR");
        let at = all.find(" passkey ");
        at.map(|at| all[at.saturating_sub(8)..].to_owned())
    };
    let has_category = !con
        .show("ACL SETUSER shop on >x ~sale* -@all +@flashsale")
        .contains("ERR");
    assert_eq!(found(&mut con), None);
    fill(&mut con);
    if has_category {
        let advice = found(&mut con).expect("a finding");
        assert!(
            advice.contains("warning") || advice.contains("arning"),
            "{advice}"
        );
        assert!(
            advice.contains("ACL SETUSER shop -flashsale.mreserve -flashsale.mbuy"),
            "{advice}"
        );
        con.says("ACL SETUSER shop -flashsale.mreserve -flashsale.mbuy", "OK");
    }
    assert_eq!(found(&mut con), None);
    con.says("FLASHSALE.ALTER sale PASSKEY 0", "OK");
    assert_eq!(found(&mut con), None);
}
