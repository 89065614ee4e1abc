//! Users of a sale.
//!
//! **Goal**: with `examples/acl/users.acl` each program can do its part and nothing else,
//! and no command of the module is forgotten there.
//!
//! **Method**: the file is loaded into real servers, with a tester added who may do all.
//! Its words are held against the table below and the server's list of commands; then
//! each user does its work, and is refused what it must not do.

use std::collections::BTreeSet;

use redis::Value;

use crate::support::{Con, Server, render, text_of, wait_until};

const USERS: &str = include_str!("../../examples/acl/users.acl");
const TESTER: &str = "user tester on nopass ~* &* +@all\n";

/// Who may what. The last row is between servers, and nobody's.
const TABLE: [(&str, &str); 18] = [
    // These ask for no pass, so they are a gateway's alone.
    ("mreserve mbuy", "gateway"),
    ("reserve units user", "buyer gateway operator"),
    ("stock", "buyer gateway driver operator"),
    ("extend", "buyer operator"),
    ("release", "buyer payment operator"),
    ("mrelease", "buyer payment gateway operator"),
    ("mcheckout", "payment gateway operator"),
    ("checkout buy refund", "payment operator"),
    ("get", "buyer payment gateway operator"),
    ("info", "buyer payment gateway driver operator"),
    ("help", "buyer payment gateway operator health"),
    ("bfexists bfmexists throttle", "buyer operator"),
    (
        "create alter restock pause resume close bind scan audit doctor import",
        "operator",
    ),
    ("give take rest shares", "driver operator"),
    (
        "bfreserve bfadd bfmadd bfinsert bfcard bfinfo bfdebug bfscandump bfloadchunk \
         bfclear bfmerge",
        "operator",
    ),
    ("apply load", ""),
    ("bfapply bfload", ""),
    ("rateapply rateload", ""),
];

/// A server with these users, who can be had only after the server has started: its own
/// starter does not know them.
fn guarded() -> Option<(Server, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("users.acl");
    std::fs::write(&file, "").expect("a file");
    let server = Server::own(&[&format!("--aclfile {}", file.display())], &[])?;
    std::fs::write(&file, format!("{USERS}{TESTER}")).expect("a file");
    server.conn().says("ACL LOAD", "OK");
    Some((server, folder))
}

/// A connection of one of the users.
fn conn_of(server: &Server, user: &str) -> Con {
    let mut con = server.conn();
    con.says(&format!("AUTH {user} change-me-{user}"), "OK");
    con
}

#[track_caller]
fn is_refused(con: &mut Con, lines: &[&str]) {
    for line in lines {
        let reply = con.show(line);
        assert!(reply.contains("NOPERM"), "{line}: {reply}");
    }
}

/// The users who may a command of the module, by the words of the file.
fn users_of(command: &str) -> BTreeSet<&'static str> {
    let wanted = format!("+flashsale.{command}");
    let may = USERS
        .lines()
        .filter(|line| line.split(' ').any(|word| word == wanted));
    may.filter_map(|line| line.split(' ').nth(1)).collect()
}

#[test]
fn every_command_has_its_users_or_is_nobodys_on_purpose() {
    let server = Server::any();
    let Value::Array(found) = server
        .conn()
        .run("COMMAND LIST FILTERBY PATTERN flashsale.*")
    else {
        panic!("no list")
    };
    let found: BTreeSet<String> = found.iter().map(text_of).collect();
    let mut tabled = BTreeSet::new();
    for (commands, users) in TABLE {
        for command in commands.split_whitespace() {
            let wanted: BTreeSet<&str> = users.split_whitespace().collect();
            assert_eq!(users_of(command), wanted, "{command}");
            tabled.insert(format!("flashsale.{command}"));
        }
    }
    assert_eq!(tabled, found);
}

#[test]
fn each_user_can_do_its_part_and_is_refused_the_rest() {
    let Some((server, _folder)) = guarded() else {
        return;
    };
    let mut operator = conn_of(&server, "operator");
    operator.says("FLASHSALE.CREATE sale:{a} orders:{a} STOCK 9", "OK");
    operator.says("XGROUP CREATE orders:{a} shipping 0 MKSTREAM", "OK");
    operator.says("FLASHSALE.BFADD filter:{a} ann", "1");
    let mut buyer = conn_of(&server, "buyer");
    buyer.says("FLASHSALE.RESERVE sale:{a} ann 2 ID a", "RESERVED ...");
    buyer.says("FLASHSALE.EXTEND sale:{a} a 1000", "RESERVED ...");
    buyer.says("FLASHSALE.RESERVE sale:{a} bob 1 ID b", "RESERVED ...");
    buyer.says("FLASHSALE.RELEASE sale:{a} b", "RELEASED b");
    buyer.says("FLASHSALE.STOCK sale:{a}", "[default 7 2 0 0]");
    buyer.says("FLASHSALE.BFEXISTS filter:{a} ann", "1");
    buyer.says("FLASHSALE.THROTTLE limits:login ann 3 1000", "ALLOWED ...");
    let mut payment = conn_of(&server, "payment");
    payment.says("FLASHSALE.CHECKOUT sale:{a} orders:{a} a REF p", "SOLD ...");
    payment.says("FLASHSALE.REFUND sale:{a} orders:{a} a", "REFUNDED ...");
    payment.fields("FLASHSALE.GET sale:{a} a", "state refunded");
    // What was paid too late is released first, and the money given back after that.
    buyer.says("FLASHSALE.RESERVE sale:{a} cyd 1 ID c", "RESERVED ...");
    payment.says("FLASHSALE.RELEASE sale:{a} c", "RELEASED c");
    let mut shipping = conn_of(&server, "shipping");
    let order = shipping.show("XREADGROUP GROUP shipping one COUNT 1 STREAMS orders:{a} >");
    assert!(order.contains("event order"), "{order}");
    shipping.says("XLEN orders:{a}", "2");
    operator.fields(
        "FLASHSALE.AUDIT sale:{a} orders:{a}",
        "consistent 1, entries 2",
    );
    operator.says("CONFIG GET maxmemory", "maxmemory *");

    is_refused(
        &mut buyer,
        &[
            "FLASHSALE.CHECKOUT sale:{a} orders:{a} a",
            "FLASHSALE.RESERVE other ann 1",
            "FLASHSALE.CREATE sale:{b} orders:{b} STOCK 9",
            "FLASHSALE.BFADD filter:{a} bob",
            "FLASHSALE.THROTTLE other ann 3 1000",
            "XLEN orders:{a}",
            "DEL sale:{a}",
        ],
    );
    is_refused(
        &mut payment,
        &[
            "FLASHSALE.CHECKOUT sale:{a} other a",
            "FLASHSALE.CHECKOUT other orders:{a} a",
            "FLASHSALE.RESTOCK sale:{a} 5",
            "XADD orders:{a} * event order",
            "XLEN orders:{a}",
        ],
    );
    is_refused(
        &mut shipping,
        &[
            "XADD orders:{a} * event order",
            "XDEL orders:{a} 1-1",
            "XLEN sale:{a}",
            "FLASHSALE.STOCK sale:{a}",
        ],
    );
    is_refused(
        &mut operator,
        &["FLASHSALE.STOCK other", "XDEL orders:{a} 1-1"],
    );
    // One without a password, and what a client without a name is.
    let mut health = server.conn();
    health.says("AUTH health none", "OK");
    assert!(health.show("FLASHSALE.HELP").contains("FLASHSALE.RESERVE"));
    is_refused(&mut health, &["PING", "FLASHSALE.STOCK sale:{a}", "INFO"]);
    assert!(server.conn().show("PING").contains("NOAUTH"));
}

/// Broken by: MRESERVE for the buyer, or MBUY for the payment.
#[test]
fn nobody_but_the_gateway_gets_past_a_passkey() {
    let Some((server, _folder)) = guarded() else {
        return;
    };
    let create = "FLASHSALE.CREATE sale:{a} orders:{a} STOCK 9 PASSKEY 1 0123456789abcdef";
    conn_of(&server, "operator").says(create, "OK");
    let batches = [
        "FLASHSALE.MRESERVE sale:{a} ENTRIES 1 ann 1 a",
        "FLASHSALE.MBUY sale:{a} orders:{a} ENTRIES 1 bob 1 b p",
    ];
    for user in ["buyer", "payment", "operator"] {
        is_refused(&mut conn_of(&server, user), &batches);
    }
    conn_of(&server, "buyer").says("FLASHSALE.RESERVE sale:{a} ann 1 ID a", "NOPASS a");
    let buys = "FLASHSALE.BUY sale:{a} orders:{a} bob 1 ID b REF p";
    conn_of(&server, "payment").says(buys, "NOPASS b");
    let mut gateway = conn_of(&server, "gateway");
    gateway.says(batches[0], "[RESERVED a ...]");
    gateway.says(batches[1], "[SOLD b ...]");
    is_refused(
        &mut gateway,
        &[
            "FLASHSALE.ALTER sale:{a} PASSKEY 0",
            "FLASHSALE.REFUND sale:{a} orders:{a} b",
            "XLEN orders:{a}",
            "FLASHSALE.MRESERVE other ENTRIES 1 ann 1 c",
        ],
    );
}

/// Broken by: no key of the lease for the driver, or SET on its sales.
#[test]
fn a_driver_can_do_a_whole_round_and_nothing_else() {
    let Some((server, _folder)) = guarded() else {
        return;
    };
    let mut operator = conn_of(&server, "operator");
    for part in ["a", "b"] {
        let create = format!("FLASHSALE.CREATE sale:{{{part}}} orders:{{{part}}} STOCK 5");
        operator.says(&create, "OK");
    }
    let mut tester = server.conn();
    tester.says("AUTH tester x", "OK");
    tester.says("HSET {tea}:parts parts 2", "1");
    let mut driver = conn_of(&server, "driver");
    let id = |con: &mut Con, key: &str| con.field(&format!("FLASHSALE.SHARES {key}"), "share_id");
    let (from, to) = (id(&mut driver, "sale:{a}"), id(&mut driver, "sale:{b}"));
    for line in [
        "HLEN {tea}:parts",
        "HGETALL {tea}:parts",
        "EXISTS {tea}:driver",
        "GET {tea}:driver",
        "PEXPIRE {tea}:driver 1500",
        "DEL {tea}:driver",
        "SET {tea}:driver me NX PX 1500",
        "CLIENT ID",
        "INFO server replication",
        "ROLE",
        "COMMAND INFO FLASHSALE.GIVE WAITAOF",
        "CONFIG GET append*",
        "CLUSTER SHARDS",
        "CLUSTER MYID",
        "FLASHSALE.INFO sale:{a}",
        "FLASHSALE.STOCK sale:{a}",
        &format!("FLASHSALE.GIVE sale:{{a}} {from} {to} 2 MOST CONFIRM"),
        "WAIT 0 100",
        "WAITAOF 0 0 100",
        &format!("FLASHSALE.TAKE sale:{{b}} {from} {to} 2"),
        "FLASHSALE.REST sale:{a} 1000",
    ] {
        let reply = driver.show(line);
        assert!(!reply.contains("NOPERM"), "{line}: {reply}");
    }
    operator.says("FLASHSALE.STOCK sale:{a}", "[default 3 0 0 0]");
    operator.says("FLASHSALE.STOCK sale:{b}", "[default 7 0 0 0]");
    is_refused(
        &mut driver,
        &[
            "FLASHSALE.RESERVE sale:{a} ann 1",
            "FLASHSALE.BUY sale:{a} orders:{a} ann 1 ID a",
            "FLASHSALE.CREATE sale:{c} orders:{c} STOCK 9",
            "FLASHSALE.RESTOCK sale:{a} 5",
            "FLASHSALE.ALTER sale:{a} END 0",
            "FLASHSALE.PAUSE sale:{a}",
            "FLASHSALE.GET sale:{a} a",
            "FLASHSALE.REST other 1000",
            "GET sale:{a}",
            "SET sale:{a} x",
            "DEL sale:{a}",
            "SET {tea}:parts x",
            "DEL {tea}:parts",
            "HSET {tea}:parts parts 3",
            "HGETALL sale:{a}",
            "XLEN orders:{a}",
            "CONFIG SET appendonly no",
        ],
    );
}

#[test]
fn a_listener_hears_of_sales_and_of_nothing_else() {
    let Some((server, _folder)) = guarded() else {
        return;
    };
    let mut tester = server.conn();
    tester.says("AUTH tester x", "OK");
    tester.says("CONFIG SET notify-keyspace-events KEd", "OK");
    let mut listener = conn_of(&server, "listener");
    is_refused(
        &mut listener,
        &[
            "PSUBSCRIBE *",
            "PSUBSCRIBE __keyevent@0__:*",
            "SUBSCRIBE __keyspace@0__:orders:a",
            "PUBLISH __keyspace@0__:sale:a x",
            "FLASHSALE.STOCK sale:a",
        ],
    );
    for line in [
        "PSUBSCRIBE __keyspace@0__:sale:*",
        "PSUBSCRIBE __keyevent@0__:flashsale.*",
        "SUBSCRIBE __keyspace@0__:sale:a",
    ] {
        listener.send(line);
        let reply = render(&listener.receive());
        assert!(!reply.contains("NOPERM"), "{line}: {reply}");
    }
    conn_of(&server, "operator").says("FLASHSALE.CREATE sale:a orders:a STOCK 9", "OK");
    let heard: Vec<String> = (0..3).map(|_| render(&listener.receive())).collect();
    let all_tell = heard.iter().all(|told| told.contains("flashsale.created"));
    assert!(all_tell, "{heard:?}");
}

#[test]
fn nobody_may_what_is_between_servers_or_would_harm_one() {
    let Some((server, _folder)) = guarded() else {
        return;
    };
    let mut tester = server.conn();
    tester.says("AUTH tester x", "OK");
    tester.says("ACL DRYRUN tester FLASHSALE.APPLY sale:a x", "OK");
    let users = USERS.lines().filter_map(|line| line.split(' ').nth(1));
    for user in users.filter(|user| *user != "default") {
        for line in [
            "FLASHSALE.APPLY sale:a x",
            "FLASHSALE.LOAD sale:a x",
            "FLASHSALE.BFAPPLY filter:a x",
            "FLASHSALE.BFLOAD filter:a x",
            "FLASHSALE.RATEAPPLY limits:a x",
            "FLASHSALE.RATELOAD limits:a x",
            "FLUSHALL",
            "FLUSHDB",
            "KEYS *",
            "MONITOR",
            "SHUTDOWN",
            "CONFIG SET maxmemory 1",
            "DEBUG RELOAD",
            "ACL SETUSER x on",
            "MODULE UNLOAD flashsale",
            "EVAL x 0",
            "COPY sale:a sale:b",
            "RESTORE sale:a 0 x",
            "SET sale:a x",
        ] {
            let told = render(&tester.run(&format!("ACL DRYRUN {user} {line}")));
            assert!(
                told.contains("has no permissions"),
                "{user}: {line}: {told}"
            );
        }
    }
}

#[test]
fn a_replica_of_the_user_replica_is_the_same_sale() {
    let (Some((primary, _one)), Some((replica, _two))) = (guarded(), guarded()) else {
        return;
    };
    let of = |server: &Server| {
        let mut con = server.conn();
        con.says("AUTH tester x", "OK");
        con
    };
    let (mut ahead, mut behind) = (of(&primary), of(&replica));
    behind.says("CONFIG SET masteruser replica", "OK");
    behind.says("CONFIG SET masterauth change-me-replica", "OK");
    behind.says(&format!("REPLICAOF 127.0.0.1 {}", primary.port()), "OK");
    wait_until("the replica's link is up", || {
        behind.info("replication", "master_link_status") == "up"
    });
    conn_of(&primary, "operator").says("FLASHSALE.CREATE sale:a orders:a STOCK 9", "OK");
    conn_of(&primary, "payment").says("FLASHSALE.BUY sale:a orders:a ann 1 ID a", "SOLD ...");
    wait_until("the replica has all of it", || {
        behind.digest("sale:a orders:a") == ahead.digest("sale:a orders:a")
    });
    conn_of(&replica, "buyer").says("FLASHSALE.STOCK sale:a", "[default 8 0 1 0]");
    behind.has_not_diverged();
}
