//! What a copy does with an event that gives a unit to two, or gives what is not there: it counts
//! the event, marks the sale, and changes nothing.

use flashsale_engine::sale::{
    Change, EntryId, Event, Forgets, Line, Lines, NamedRestock, Order, Refund, Spelling,
    StockDelta, Told, UnitList, encode_event,
};
use flashsale_fuzz::samples::HASHER;

use super::{all_units, restock};
use crate::support::forged_primary::{ForgedPrimary, assert_no_crash, rdb_of};
use crate::support::{Con, Server};

/// Later than the sale was made, whatever time it is there.
const AT_MS: u64 = 4_000_000_000_000;

/// The numbers of units are given in the order of coming: `A-1` to `A-6` are 0 to 5, `X-1` is 6,
/// `k1` to `k4` are 7 to 10. The items are stalls, box and code.
fn set_up(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale orders ITEMS 3 stalls 0 box 0 code 0 HOLD 3000000",
        "OK",
    );
    restock(con, "stalls", "A-1 A-2 A-3 A-4 A-5 A-6", "");
    restock(con, "box", "X-1", "");
    restock(con, "code", "k1 k2 k3 k4", "SEALED");
    for line in [
        "RESERVE sale ann UNITS 1 A-1 ID open",
        "BUY sale orders ann ITEMS 1 code 1 UNITS 1 A-2 ID sold",
        "RESERVE sale ann ITEMS 1 code 1 ID waits",
    ] {
        let reply = con.show(&format!("FLASHSALE.{line}"));
        assert!(!reply.contains("(error)"), "{reply}");
    }
    con.says(
        "FLASHSALE.RESTOCK sale UNITS stalls 1 A-3 WITHDRAW",
        "RESTOCKED ...",
    );
}

fn event(change: Change<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_event(
        &Event {
            at_ms: AT_MS,
            change,
        },
        &mut bytes,
    );
    bytes
}

fn lines(lines: &[(u32, u64)]) -> Lines {
    let line = |&(item, qty): &(u32, u64)| Line { item, qty };
    lines.iter().map(line).collect()
}

fn reserved(of: &[(u32, u64)], units: &[u32]) -> Vec<u8> {
    event(Change::Reserved {
        id: HASHER.key(b"lie"),
        user: HASHER.key(b"eve"),
        lines: lines(of),
        units: UnitList::from_slice(units),
        expires_at_ms: AT_MS + 5,
        forgets: Forgets::Nothing,
        replaces: None,
    })
}

fn order() -> Order<'static> {
    Order {
        reference: None,
        payload: None,
        entry: EntryId { ms: AT_MS, seq: 1 },
        told: Told::default(),
    }
}

fn sold(id: &'static str, sealed: &[u32]) -> Vec<u8> {
    event(Change::Sold {
        id: HASHER.key(id.as_bytes()),
        order: order(),
        sealed: UnitList::from_slice(sealed),
    })
}

fn bought(of: &[(u32, u64)], units: &[u32], sealed: &[u32]) -> Vec<u8> {
    event(Change::Bought {
        id: HASHER.key(b"lie"),
        user: HASHER.key(b"eve"),
        lines: lines(of),
        units: UnitList::from_slice(units),
        order: order(),
        sealed: UnitList::from_slice(sealed),
        forgets: Forgets::Nothing,
    })
}

fn refunded(of: &[(u32, u64)], units: &[u32]) -> Vec<u8> {
    event(Change::Refunded(Refund {
        id: HASHER.key(b"sold"),
        lines: lines(of),
        units: UnitList::from_slice(units),
        reference: Some(Spelling::of(b"f")),
        restocks: true,
        restores_limit: false,
        no_restock: Some(false),
        entry: EntryId { ms: AT_MS, seq: 9 },
        told: Told::default(),
    }))
}

fn restocked(sku: &'static str, names: &[&'static str], sealed: bool, withdraw: bool) -> Vec<u8> {
    let units = names.len() as i64;
    event(Change::Restocked {
        deltas: vec![StockDelta {
            sku: sku.as_bytes().into(),
            delta: if withdraw { -units } else { units },
        }],
        reference: None,
        named: Some(Box::new(NamedRestock {
            names: names.iter().map(|name| name.as_bytes()).collect(),
            sealed,
            withdraw,
            digest: None,
        })),
    })
}

fn counted(sku: &'static str, delta: i64) -> Vec<u8> {
    event(Change::Restocked {
        deltas: vec![StockDelta {
            sku: sku.as_bytes().into(),
            delta,
        }],
        reference: None,
        named: None,
    })
}

fn lies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a unit that is reserved", reserved(&[(0, 1)], &[0])),
        ("a unit that is sold", reserved(&[(0, 1)], &[1])),
        ("a unit that is withdrawn", reserved(&[(0, 1)], &[2])),
        ("a unit of another item", reserved(&[(0, 1)], &[6])),
        ("a unit that is not there", reserved(&[(0, 1)], &[11])),
        ("one unit twice", reserved(&[(0, 2)], &[3, 3])),
        ("too few units", reserved(&[(0, 2)], &[3])),
        ("too many units", reserved(&[(0, 1)], &[3, 4])),
        ("no units", reserved(&[(0, 1)], &[])),
        ("a code before it is sold", reserved(&[(2, 1)], &[8])),
        ("a reserved unit, bought", bought(&[(0, 1)], &[0], &[])),
        ("a code that was given out", bought(&[(2, 1)], &[], &[7])),
        (
            "a code that is reserved for another",
            bought(&[(2, 3)], &[], &[8, 9, 10]),
        ),
        ("a checkout without its code", sold("waits", &[])),
        ("a checkout with an old code", sold("waits", &[7])),
        ("a checkout with a seat for a code", sold("waits", &[3])),
        ("a checkout with two codes", sold("waits", &[8, 9])),
        ("a checkout with a code too many", sold("open", &[8])),
        (
            "a refund of a unit it does not have",
            refunded(&[(0, 1)], &[0]),
        ),
        (
            "a refund of a code it does not have",
            refunded(&[(2, 1)], &[8]),
        ),
        ("a refund without its unit", refunded(&[(0, 1)], &[])),
        (
            "a name that is there",
            restocked("stalls", &["A-4"], false, false),
        ),
        (
            "a name of another item",
            restocked("box", &["A-4"], false, false),
        ),
        (
            "a name twice",
            restocked("stalls", &["N-1", "N-1"], false, false),
        ),
        (
            "a code that was sold",
            restocked("code", &["k1"], true, false),
        ),
        (
            "a seat that is sealed",
            restocked("stalls", &["N-1"], true, false),
        ),
        (
            "a code that is not",
            restocked("code", &["k9"], false, false),
        ),
        (
            "a reserved unit, withdrawn",
            restocked("stalls", &["A-1"], false, true),
        ),
        (
            "an unknown unit, withdrawn",
            restocked("stalls", &["N-1"], false, true),
        ),
        ("a number more of seats", counted("stalls", 1)),
        ("a number less of codes", counted("code", -1)),
    ]
}

/// All that is told of the sale, but for how much it missed.
fn picture(con: &mut Con) -> Vec<String> {
    let mut seen = vec![con.stock("sale")];
    for sku in ["stalls", "box", "code"] {
        seen.push(all_units(con, sku, "WITHIDS"));
    }
    for id in ["open", "sold", "waits", "lie"] {
        seen.push(con.show(&format!("FLASHSALE.GET sale {id}")));
    }
    seen
}

#[test]
fn a_unit_in_two_hands_is_a_divergence_and_changes_nothing() {
    let (Some(origin), Some(mut replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replica.may_diverge();
    let mut honest = origin.conn();
    set_up(&mut honest);
    let rdb = rdb_of(&mut honest, &origin);
    let mut primary = ForgedPrimary::lead(&replica, &rdb);
    primary.tell(&[b"SELECT", b"0"]);
    assert!(primary.is_followed());
    let mut con = replica.conn();
    assert_eq!(con.digest("sale orders"), honest.digest("sale orders"));
    let before = picture(&mut con);
    let entries = con.int("XLEN orders");
    for (count, (what, lie)) in (1..).zip(lies()) {
        primary.tell(&[b"FLASHSALE.APPLY", b"sale", b"orders", &lie]);
        assert!(primary.is_followed(), "{what}: hung up");
        assert_eq!(con.divergence(), count, "{what}: not counted once");
        assert_eq!(picture(&mut con), before, "{what}: something changed");
    }
    assert_eq!(con.int("XLEN orders"), entries);
    con.fields("FLASHSALE.INFO sale", "state diverged");
    assert_no_crash(&replica.log());
    // What is right is carried out as if nothing had been.
    primary.tell(&[b"FLASHSALE.APPLY", b"sale", &reserved(&[(0, 2)], &[3, 4])]);
    assert!(primary.is_followed());
    con.fields(
        "FLASHSALE.GET sale lie",
        "units [[stalls A-4] [stalls A-5]]",
    );
    let audit = con.show("FLASHSALE.AUDIT sale");
    assert!(audit.contains("consistent 1"), "{audit}");
}
