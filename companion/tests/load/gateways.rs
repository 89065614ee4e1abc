//! A gateway is driven: a sound one passes, and each lie is named.

use std::time::Duration;

use crate::common::Redis;
use crate::crook::{self, Lie};
use crate::gateway::{Buyer, Gateway, sale};
use crate::servers::wait_until;
use crate::{Load, PATIENT, failed, program};

/// A short spike in which all is sold.
const CROWD: [&str; 7] = [
    "spike", "--buyers", "400", "--within", "300ms", "--seed", "7",
];
const SALE: &str = "ITEMS 3 red 40 green 40 blue 20 USERLIMIT 2 ORDERLIMIT 4 HOLD 600 GRACE 300";

const PROMISES: &str = "promises kept";
const SURPRISES: &str = "answers that no rule allows: 0";
const UNITS_TOLD: &str = "units sold = units that buyers were told of";
const UNTOLD: &str = "orders nobody was told of: 0";
const ANSWERED: &str = "every request was answered";

/// Starts a load on a gateway; with a server its books are checked as well.
fn start(url: &str, redis: Option<&Redis>, more: &[&str]) -> Load {
    let server = redis.map(Redis::url);
    let mut books = Vec::new();
    if let Some(server) = &server {
        books.extend(["--redis", server, "--sale", "shoes"]);
    }
    let target = ["load", "--target", url];
    Load::run(program(
        &[&target[..], &CROWD, &PATIENT, &books, more].concat(),
    ))
}

#[test]
fn a_sound_gateway_passes_with_and_without_the_books_behind_it() {
    let redis = sale(&format!("{SALE} EVENTS all"));
    // Somebody who is not of the crowd has bought before, and another one buys meanwhile.
    let gateway = Gateway::start(&redis.url(), &["--user-header", "x-user"]);
    let buyer = |name: &str| Buyer::nobody(&gateway).with("x-user", name);
    let ann = buyer("ann");
    ann.reserve("ann-1", r#"{"red": 1}"#);
    assert_eq!(ann.pay("ann-1", "paid-1").answer(), "SOLD");
    let header = ["--user-header", "x-user"];
    let load = start(&gateway.url(), Some(&redis), &header);
    let bob = buyer("bob");
    bob.reserve("bob-1", r#"{"green": 1}"#);
    assert_eq!(bob.pay("bob-1", "paid-2").answer(), "SOLD");
    let (code, text) = load.end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    for part in [
        "AUDIT finds no difference",
        "100 of 100 units sold",
        "Every check passed.",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    // The sale is not load's to remove.
    assert_eq!(redis.ask::<i64>("EXISTS shoes shoes:orders"), 2);

    let redis = sale(SALE);
    let gateway = Gateway::start(&redis.url(), &[]);
    let (code, text) = start(&gateway.url(), None, &[]).end();
    assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
    assert!(text.contains(UNITS_TOLD), "{text}");
    assert!(!text.contains("AUDIT"), "{text}");
    // Habits met their answers over HTTP too.
    for word in [
        "SOLDOUT",
        "ALLRESERVED",
        "USERLIMIT",
        "ALREADYSOLD",
        "RELEASED",
    ] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
}

#[test]
fn a_gateway_that_lies_is_named_with_and_without_the_books_behind_it() {
    for (lie, by_http, by_books, says) in [
        (Lie::Reserves, SURPRISES, SURPRISES, ": NORESERVATION"),
        (
            Lie::Forgets,
            PROMISES,
            PROMISES,
            "was told SOLD 1700000000000-0, and is ",
        ),
        (Lie::SellsTwice, UNITS_TOLD, UNTOLD, "told of"),
    ] {
        for with_books in [false, true] {
            let redis = sale(SALE);
            let gateway = Gateway::start(&redis.url(), &[]);
            let crook = crook::start(gateway.place, lie);
            let (code, text) = start(&crook, with_books.then_some(&redis), &[]).end();
            let check = if with_books { by_books } else { by_http };
            assert_eq!(code, 1, "{lie:?}: {text}");
            assert!(failed(&text).contains(&check), "{lie:?}: {text}");
            assert!(text.contains(says) && text.contains("FAILED."), "{text}");
            // What the server keeps agrees with itself.
            let sound = "  ok    oversold: 0";
            assert!(text.contains(sound), "{lie:?}: {text}");
        }
    }
}

/// The gateway is killed in the rush and started again. Nobody loses anything by it: it is the
/// broken connections that fail, and only where no outage was announced.
#[test]
fn an_outage_fails_unless_it_was_announced() {
    for is_announced in [false, true] {
        let redis = sale(SALE);
        let mut gateway = Gateway::start(&redis.url(), &[]);
        let more: &[&str] = if is_announced { &["--outages"] } else { &[] };
        let load = start(&gateway.url(), Some(&redis), more);
        wait_until("the first order", || {
            redis.ask::<i64>("XLEN shoes:orders") > 0
        });
        gateway.kill();
        std::thread::sleep(Duration::from_millis(200));
        gateway.restart(&redis.url());
        let (code, text) = load.end();
        if is_announced {
            assert_eq!((code, failed(&text)), (0, vec![]), "{text}");
        } else {
            assert_eq!(code, 1, "{text}");
            assert!(failed(&text).contains(&ANSWERED), "{text}");
        }
        assert!(!text.contains(" 0 broken connections"), "{text}");
    }
}

#[test]
fn says_what_keeps_it_from_driving_a_gateway() {
    let redis = sale(SALE);
    let gateway = Gateway::start(&redis.url(), &[]);
    let (url, server) = (gateway.url(), redis.url());
    redis.ask::<redis::Value>("FLASHSALE.CREATE other other:orders STOCK 5");
    for (code, arguments, says) in [
        (2, vec![&url, "--sale", "shoes"], "give --redis URL"),
        (2, vec![&url, "--redis", &server], "--sale <NAME>"),
        (
            2,
            vec![&url, "--batch", "64"],
            "are not for a --target http",
        ),
        (2, vec!["http://127.0.0.1:1/sale"], "and no path"),
        (2, vec!["https://127.0.0.1:1"], "load speaks no TLS"),
        (
            3,
            vec![&url, "--redis", &server, "--sale", "other"],
            "it is not the sale of the gateway",
        ),
        (3, vec!["http://127.0.0.1:1"], "http://127.0.0.1:1: "),
    ] {
        let (ended, text) = crate::run(&[&["load", "spike", "--target"][..], &arguments].concat());
        assert_eq!(ended, code, "{arguments:?}: {text}");
        assert!(text.contains(says), "{says} in\n{text}");
    }
}
