//! The gateways of `examples/gateway`, as a shop would use them.
//!
//! **Goal**: in each language every buyer gets the answer to their own request, an error
//! included, few commands reach the server, and buyers notice nothing when connections are
//! lost: nobody reserves twice. An argument that cannot be sent is an error of its buyer alone,
//! and an error that would come again, such as a wrong password, is answered.
//!
//! **Method**: buyers ask by the hundred, some of them nonsense, while a second connection kills
//! the gateway's. The Rust gateway is included by path. `redis_py.py` and `node_redis.mjs` do
//! the same with the other two, and then run each as its own page says. In the end the stock
//! and the counters of the server have to agree with the answers.

#[path = "../../../examples/gateway/gateway.rs"]
mod example;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::clients::{node, packages, python, run_script};
use crate::support::{Con, Server, render, wait_until};
use example::Gateway;

/// Who asks at once, and how often one after the other.
const BUYERS: usize = 50;
const TURNS: usize = 20;

fn open(server: &Server) -> Gateway {
    let url = format!("redis://{}/", server.address());
    Gateway::open(&redis::Client::open(url).expect("a URL"), "hats", 2)
}

/// Counts the answers by their first word; an error is known by its code.
fn ask(gateway: &Gateway, qty: impl Fn(usize) -> &'static str + Sync) -> BTreeMap<String, usize> {
    let buy = |buyer: usize| {
        let turns = (0..TURNS).map(|turn| buyer * TURNS + turn);
        let words = turns.map(|request| {
            let id = format!("id-{request}");
            let answer = gateway.reserve(&format!("user-{request}"), qty(request), &id);
            let said =
                render(&answer.expect("an answer").expect("a reply")).replace("(error) ", "");
            let said = said.trim_start_matches(['[', '"']);
            if said.starts_with("RESERVED") {
                assert!(said.contains(&id), "{id}: {said}");
            }
            said.split(' ').next().unwrap_or_default().to_owned()
        });
        words.collect::<Vec<String>>()
    };
    let mut counts = BTreeMap::new();
    thread::scope(|scope| {
        let buy = &buy;
        let buyers: Vec<_> = (0..BUYERS)
            .map(|one| scope.spawn(move || buy(one)))
            .collect();
        for buyer in buyers {
            for word in buyer.join().expect("no panic") {
                *counts.entry(word).or_default() += 1;
            }
        }
    });
    counts
}

fn counts<const N: usize>(pairs: [(&str, usize); N]) -> BTreeMap<String, usize> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(word, count)| (word.to_owned(), count))
        .collect()
}

/// How often the server was called with MRESERVE.
fn calls(con: &mut Con) -> u64 {
    let stats = con.info("commandstats", "cmdstat_flashsale.mreserve");
    let calls = stats
        .strip_prefix("calls=")
        .and_then(|rest| rest.split(',').next());
    calls
        .and_then(|calls| calls.parse().ok())
        .expect("a number")
}

fn reserved(con: &mut Con) -> usize {
    let stock = con.stock("hats");
    let reserved = stock.split(' ').nth(2).and_then(|word| word.parse().ok());
    reserved.unwrap_or_else(|| panic!("{stock}"))
}

#[test]
fn each_buyer_gets_the_own_answer_and_few_commands_are_sent() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE hats hats:orders STOCK 300", "OK");
    con.run("CONFIG RESETSTAT");
    let gateway = open(&server);
    // Every tenth asks for no number, and stops nobody else.
    let said = ask(
        &gateway,
        |request| if request % 10 == 0 { "many" } else { "1" },
    );
    assert_eq!(
        said,
        counts([("ALLRESERVED", 600), ("ERR", 100), ("RESERVED", 300)])
    );
    con.says("FLASHSALE.STOCK hats", "[default 0 300 0 0]");
    let calls = calls(&mut con);
    assert!(calls * 4 < (BUYERS * TURNS) as u64, "{calls} calls");
    con.run("DEL hats");
    // An error of the whole batch is everybody's.
    let said = ask(&gateway, |_| "1");
    assert_eq!(said, counts([("NOSALE", BUYERS * TURNS)]));
}

#[test]
fn buyers_notice_nothing_of_lost_connections() {
    let server = Server::any();
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE hats hats:orders STOCK 9999", "OK");
    let gateway = open(&server);
    let said = thread::scope(|scope| {
        scope.spawn(|| {
            // Again and again while they ask: before, within and after a batch.
            for count in (0..BUYERS * TURNS).step_by(97) {
                wait_until("more have reserved", || reserved(&mut con) >= count);
                con.run("CLIENT KILL TYPE normal SKIPME yes");
            }
        });
        ask(&gateway, |_| "1")
    });
    assert_eq!(said, counts([("RESERVED", BUYERS * TURNS)]));
    server
        .conn()
        .says("FLASHSALE.STOCK hats", "[default 8999 1000 0 0]");
}

#[test]
fn a_wrong_password_is_answered_and_not_tried_for_ever() {
    let server = Server::any();
    let url = format!("redis://nobody:wrong@{}/", server.address());
    let gateway = Gateway::open(&redis::Client::open(url).expect("a URL"), "hats", 2);
    let (said, heard) = std::sync::mpsc::channel();
    thread::spawn(move || said.send(gateway.reserve("ann", "1", "ann-1")));
    let answer = heard.recv_timeout(Duration::from_secs(20));
    let error = answer
        .expect("in time")
        .expect("an answer")
        .expect_err("none");
    assert_eq!(error.kind(), redis::ErrorKind::AuthenticationFailed);
}

#[test]
fn the_gateway_in_python_does_the_same() {
    if let Some(python) = python()
        && let Some(server) = Server::own(&[], &[])
    {
        run_script(
            &server,
            python,
            Path::new("tests/server/gateway/redis_py.py"),
        );
    }
}

#[test]
fn the_gateway_in_javascript_does_the_same() {
    let Some(mut node) = node() else {
        return;
    };
    let Some(server) = Server::own(&[], &[]) else {
        return;
    };
    // A program finds packages beside itself: here as in a shop's own folder.
    let folder = tempfile::tempdir().expect("a folder");
    let modules = packages("node").join("node_modules");
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).expect("a link");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [
        "examples/gateway/gateway.mjs",
        "tests/server/gateway/node_redis.mjs",
    ] {
        let from = root.join(file);
        let to = folder.path().join(from.file_name().expect("a name"));
        std::fs::copy(from, to).expect("a copy");
    }
    node.current_dir(folder.path());
    run_script(&server, node, &folder.path().join("node_redis.mjs"));
}
