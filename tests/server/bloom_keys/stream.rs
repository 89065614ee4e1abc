//! What goes down the replication stream, and what a client that watches is told.

use crate::support::{Events, Feed, Server};

/// The names of commands in the stream.
fn names(feed: &mut Feed) -> Vec<String> {
    let commands = feed.commands();
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    let shown = commands.iter().map(|command| {
        let is_event = command[0] == b"FLASHSALE.BFAPPLY";
        let len = command.len() - usize::from(is_event);
        command[..len]
            .iter()
            .map(text)
            .collect::<Vec<_>>()
            .join(" ")
    });
    shown.collect()
}

#[test]
fn what_was_new_is_sent_on_under_the_full_name_and_nothing_else() {
    let Some(server) = Server::own(&[], &["bf-aliases yes"]) else {
        return;
    };
    let mut con = server.conn();
    let mut feed = Feed::follow(&server);
    for prefix in ["FLASHSALE.BF", "BF."] {
        con.says("FLUSHALL", "OK");
        feed.commands();
        let mut sends = |line: &str, expected: &[&str]| {
            let reply = con.show(&format!("{prefix}{line}"));
            assert!(
                !reply.contains("(error)") || line.contains("full"),
                "{line}: {reply}"
            );
            assert_eq!(names(&mut feed), expected, "{line}");
        };
        sends("RESERVE f 0.01 10", &["FLASHSALE.BFAPPLY f"]);
        sends("ADD f a", &["FLASHSALE.BFAPPLY f"]);
        sends("ADD f a", &[]);
        sends("MADD f a b c", &["FLASHSALE.BFAPPLY f"]);
        sends("MADD f a b c", &[]);
        sends("ADD d a", &["FLASHSALE.BFAPPLY d"]);
        sends(
            "INSERT i CAPACITY 1 ITEMS a b c d e f",
            &["FLASHSALE.BFAPPLY i"],
        );
        sends("EXISTS f a", &[]);
        sends("INFO f", &[]);
        sends("RESERVE o 0.01 10", &["FLASHSALE.BFAPPLY o"]);
        sends("ADD o z", &["FLASHSALE.BFAPPLY o"]);
        sends("MERGE u f o f", &["FLASHSALE.BFAPPLY u f o"]);
        sends("MERGE u f o", &[]);
        sends("ADD o new", &["FLASHSALE.BFAPPLY o"]);
        sends("MERGE u f o", &["FLASHSALE.BFAPPLY u o"]);
        sends("CLEAR u", &["FLASHSALE.BFAPPLY u"]);
        sends("CLEAR u", &[]);
        sends(
            "RESERVE full 0.01 1 NONSCALING",
            &["FLASHSALE.BFAPPLY full"],
        );
        sends("ADD full a", &["FLASHSALE.BFAPPLY full"]);
        sends("MADD full b", &[]);
    }
}

#[test]
fn an_item_costs_the_stream_ten_bytes_beside_the_words() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.BFRESERVE f 0.01 1000", "OK");
    let mut feed = Feed::follow(&server);
    con.says("FLASHSALE.BFADD f user:1", "1");
    con.says("FLASHSALE.BFMADD f user:1 user:2 user:3", "0 1 1");
    let events: Vec<usize> = feed
        .commands()
        .iter()
        .map(|command| command[2].len())
        .collect();
    assert_eq!(events, [10, 18]);
}

#[test]
fn what_changes_nothing_breaks_no_watch_and_no_client_is_told() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.BFRESERVE f 0.01 10", "OK");
    con.says("FLASHSALE.BFRESERVE full 0.01 1 NONSCALING", "OK");
    con.says("FLASHSALE.BFADD f a", "1");
    con.says("FLASHSALE.BFADD full a", "1");
    con.says("FLASHSALE.BFMERGE u f", "OK");
    con.says("FLASHSALE.BFRESERVE e 0.01 10", "OK");
    let mut other = server.conn();
    let mut events = Events::listen(&server);
    let mut watched = |line: &str, is_broken: bool| {
        con.says("WATCH f full u e", "OK");
        other.run(&format!("FLASHSALE.BF{line}"));
        con.says("MULTI", "OK");
        con.run("PING");
        let reply = con.show("EXEC");
        assert_eq!(reply == "(nil)", is_broken, "{line}: {reply}");
    };
    for line in [
        "ADD f a",
        "MADD f a a",
        "ADD full b",
        "MADD full b c",
        "RESERVE f 0.01 10",
        "INSERT f CAPACITY 0 ITEMS new",
        "EXISTS f b",
        "MERGE u f f",
        "MERGE u nosuch",
        "CLEAR e",
        "LOADCHUNK f 1 x",
        "SCANDUMP f 0",
    ] {
        watched(line, false);
    }
    for line in [
        "ADD f b",
        "MADD f c",
        "MERGE u f",
        "CLEAR u",
        "INSERT e ITEMS a",
    ] {
        watched(line, true);
    }
    assert_eq!(
        events.seen(),
        Vec::<String>::new(),
        "filters have no events"
    );
}

#[test]
fn a_transaction_and_a_script_add_and_find() {
    let Some(primary) = Server::own(&[], &[]) else {
        return;
    };
    let Some(replica) = Server::own(&[], &[]) else {
        return;
    };
    super::replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says("MULTI", "OK");
    con.run("FLASHSALE.BFADD f a");
    con.run("FLASHSALE.BFMADD f a b");
    con.run("FLASHSALE.BFEXISTS f b");
    con.says("EXEC", "1 [0 1] 1");
    con.says(
        "EVAL 'return {redis.call(\"FLASHSALE.BFADD\", KEYS[1], \"c\"), \
         redis.call(\"FLASHSALE.BFEXISTS\", KEYS[1], \"c\")}' 1 f",
        "1 1",
    );
    con.says(
        "EVAL 'redis.setresp(3) return redis.call(\"FLASHSALE.BFADD\", KEYS[1], \"c\") == false' \
         1 f",
        "1",
    );
    super::wait_for_replica(&primary, &replica);
    let mut behind = replica.conn();
    behind.says("FLASHSALE.BFMEXISTS f a b c d", "1 1 1 0");
    assert_eq!(con.digest("f"), behind.digest("f"));
    behind.fails("FLASHSALE.BFADD f d", "READONLY", "");
}

#[test]
fn what_does_not_fit_on_a_replica_is_counted_and_no_error() {
    let Some(primary) = Server::own(&[], &[]) else {
        return;
    };
    let Some(mut replica) = Server::own(&["--replica-read-only no"], &[]) else {
        return;
    };
    replica.may_diverge();
    let mut con = primary.conn();
    con.says("FLASHSALE.BFRESERVE f 0.01 10", "OK");
    con.says("FLASHSALE.BFRESERVE g 0.01 10", "OK");
    con.says("FLASHSALE.BFADD g z", "1");
    super::replicate(&primary, &replica);
    let mut behind = replica.conn();
    let diverged = |con: &mut super::Con| con.info("flashsale", "flashsale_replay_divergence");
    let mut expect = |prepare: &str, line: &str, times: &str| {
        behind.run(prepare);
        con.run(line);
        super::wait_for_replica(&primary, &replica);
        assert_eq!(diverged(&mut behind), times, "{line}");
    };
    expect("FLASHSALE.BFADD f a", "FLASHSALE.BFADD f b", "0");
    expect("PING", "FLASHSALE.BFADD f a", "1");
    expect("DEL f", "FLASHSALE.BFCLEAR f", "2");
    expect("SET s x", "FLASHSALE.BFRESERVE s 0.01 10", "3");
    expect("DEL g", "FLASHSALE.BFMERGE s g", "4");
    // It follows all the same.
    behind.says("TYPE s", "+fls-bloom");
    con.says("PING", "+PONG");
    behind.says("FLASHSALE.BFEXISTS s z", "0");
}
