//! Forgeries that no flipped bit comes to: whole elements doubled, exchanged and made up,
//! each wrong in one way, with everything else right.

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::{HASHER, NOW_MS, ULID, digested, loaded, sale_of_version_2, saved};

/// The elements of a busy sale's snapshot.
fn elements() -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    digest(&sale_of_version_2(), &mut |element| {
        pieces.push(element.to_vec())
    });
    // What the digest adds to them: the order of the queues.
    pieces.pop();
    pieces
}

/// Makes the counts at the end right again: both are below 251.
fn recount(pieces: &mut Vec<Vec<u8>>) {
    let count = |tags: &[u8]| {
        pieces
            .iter()
            .filter(|piece| tags.contains(&(piece[0] & 127)))
            .count()
    };
    let end = vec![9, count(&[2]) as u8, count(&[3, 4, 5, 6, 10]) as u8];
    pieces.retain(|piece| piece[0] != 9);
    pieces.push(end);
}

fn position(pieces: &[Vec<u8>], tag: u8) -> usize {
    let found = pieces.iter().position(|piece| piece[0] & 127 == tag);
    found.expect("an element of this kind")
}

#[track_caller]
fn assert_refused(what: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut pieces = elements();
    change(&mut pieces);
    assert!(loaded(&[pieces.concat()]).is_err(), "taken: {what}");
}

/// The element itself, before the end, and the counts that agree with it.
#[track_caller]
fn assert_refuses_element(what: &str, element: Vec<u8>) {
    assert_refused(what, |pieces| {
        pieces.push(element);
        recount(pieces);
    });
}

/// Released by a user, from a cart of one line.
fn released(id: u8, item: u8, expires: &[u8], ended: &[u8]) -> Vec<u8> {
    let cart = [1, 1, item, 1];
    [&[4, 1, id, 1, 1, b'u'][..], &cart, &[0], expires, ended].concat()
}

/// 2^48 - 1, the last moment, and zigzag twice 2^53 - 1, the last deadline.
const LAST_MS: [u8; 9] = [253, 255, 255, 255, 255, 255, 255, 0, 0];
const LAST_MS_SIGNED: [u8; 9] = [253, 254, 255, 255, 255, 255, 255, 63, 0];

#[test]
fn the_elements_of_a_snapshot_in_their_order_are_the_snapshot() {
    let mut pieces = elements();
    recount(&mut pieces);
    assert!(loaded(&[pieces.concat()]).is_ok());
    pieces.push(released(b'z', 0, &LAST_MS_SIGNED, &LAST_MS));
    recount(&mut pieces);
    assert!(
        loaded(&[pieces.concat()]).is_ok(),
        "what the forgeries are made from"
    );
}

#[test]
fn elements_doubled_exchanged_or_left_out_are_an_error() {
    for (tag, what) in [
        (1, "a header"),
        (2, "a SKU"),
        (3, "an id"),
        (4, "a released id"),
        (10, "a late id"),
        (6, "an order"),
        (7, "a REF"),
        (8, "a refund"),
    ] {
        assert_refused(&format!("{what} twice"), |pieces| {
            let at = position(pieces, tag);
            pieces.insert(at, pieces[at].clone());
            recount(pieces);
        });
    }
    assert_refused("an item without stock twice", |pieces| {
        pieces.push(b"\x02\x07default\0\0\0\0".to_vec());
        recount(pieces);
    });
    assert_refused("what ended in another order", |pieces| {
        let (first, last) = (position(pieces, 4), pieces.len() - 1);
        let later = released(b'z', 0, &LAST_MS_SIGNED, &LAST_MS);
        pieces.insert(last, later);
        pieces.swap(first, last);
        recount(pieces);
    });
    assert_refused("a refund before its order", |pieces| {
        let (order, refund) = (position(pieces, 6), position(pieces, 8));
        pieces.swap(order, refund);
    });
    for tag in [1, 2, 3, 4, 6, 8, 9, 10] {
        // A REF of RESTOCK more or less makes another sale, not a wrong one.
        assert_refused(&format!("without element {tag}"), |pieces| {
            let at = position(pieces, tag);
            pieces.remove(at);
        });
    }
    for at in [1, 2] {
        for by in [1_u8, 255] {
            assert_refused("another count at the end", |pieces| {
                let end = pieces.len() - 1;
                pieces[end][at] = pieces[end][at].wrapping_add(by);
            });
        }
    }
    assert_refused("something after the end", |pieces| pieces.push(vec![0]));
}

#[test]
fn records_that_no_sale_has_are_an_error() {
    let last = &LAST_MS[..];
    let expires = &LAST_MS_SIGNED[..];
    // Tag, id, user, cart; made at, deadline, the one before.
    let open: [(&str, &[u8]); 6] = [
        ("open for nobody", &[3, 1, b'z', 0, 1, 1, 0, 1, 0, 0, 0]),
        ("open without a cart", &[3, 1, b'z', 1, 1, b'u', 0, 0, 0, 0]),
        ("expired for nobody", &[5, 1, b'z', 0, 1, 1, 0, 1, 0, 0]),
        ("late for nobody", &[10, 1, b'z', 0, 1, 1, 0, 1, 0, 0]),
        ("released for nobody", &[4, 1, b'z', 0, 1, 1, 0, 1, 0, 0, 0]),
        (
            "sold for nobody",
            &[6, 1, b'z', 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0],
        ),
    ];
    for (what, element) in open {
        assert_refuses_element(what, element.to_vec());
    }
    assert_refuses_element("an unknown item", released(b'z', 200, expires, last));
    assert_refuses_element("a deadline below 0", released(b'z', 0, &[1], last));
    let beyond = [253, 0, 0, 0, 0, 0, 0, 64, 0];
    assert_refuses_element(
        "a deadline above 2^53 - 1",
        released(b'z', 0, &beyond, last),
    );
    let beyond = [253, 0, 0, 0, 0, 0, 0, 1, 0];
    assert_refuses_element("an end above 2^48 - 1", released(b'z', 0, expires, &beyond));
    assert_refuses_element(
        "an item above 2^53 - 1",
        [&b"\x02\x01z"[..], &[253, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0]].concat(),
    );
    assert_refuses_element("reserved by nobody", b"\x02\x01z\x00\x01\x00\x02".to_vec());
    assert_refuses_element("sold to nobody", b"\x02\x01z\x00\x00\x01\x02".to_vec());
    assert_refuses_element("an item of another base", b"\x02\x01z\x01\0\0\x04".to_vec());
    assert_refuses_element(
        "a digest of an open cart",
        [&[3, 1, b'z', 1, 1, b'u', 2][..], &[0; 19]].concat(),
    );
    assert_refuses_element("an unknown element", vec![11]);
    let refs: [(&str, &[u8]); 5] = [
        ("of nothing", &[1, 0]),
        ("of an unknown item", &[1, 1, 99, 2]),
        ("of an item twice", &[1, 2, 0, 2, 0, 4]),
        ("in another order", &[1, 2, 1, 2, 0, 2]),
        (
            "beyond 2^53 - 1",
            &[1, 1, 0, 253, 255, 255, 255, 255, 255, 255, 255, 255],
        ),
    ];
    for (what, deltas) in refs {
        let element = [&[7, 1, b'r'][..], deltas].concat();
        assert_refuses_element(&format!("a REF {what}"), element);
    }
    assert_refused("1,001 REFs", |pieces| {
        for number in 0..1_000_u16 {
            let [high, low] = number.to_be_bytes();
            pieces.push(vec![7, 2, high, low, 1, 1, 0, 2]);
        }
        recount(pieces);
    });
}

#[test]
fn an_order_of_a_users_reservations_that_is_none_is_an_error() {
    let bounds = Bounds {
        reservations_max: 10,
        items_max: 10,
    };
    let ask = CreateAsk {
        sale_id: 1,
        share_id: 1,
        orders: b"o",
        items: vec![(b"a", 9)],
        changes: Changes::default(),
        hold_ms_default: 1_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &bounds).unwrap();
    let mut sale = Sale::create(&created, HASHER).unwrap();
    // The second of ann's falls due first, so its place is written before the other's.
    for (id, user, hold_ms) in [
        ("one", "ann", 900),
        ("two", "ann", 800),
        ("bob", "bob", 700),
    ] {
        let ask = Reserve {
            user: HASHER.key(user.as_bytes()),
            ask: Ask::Qty(1),
            id: HASHER.key(id.as_bytes()),
            hold_ms: Some(hold_ms),
            waits: false,
            pass: Pass::Missing,
            replaces: None,
        };
        let event = sale.plan_reserve(NOW_MS, &ask, &bounds).unwrap();
        sale.apply(&event);
    }
    let bytes = saved(&sale).concat();
    let behind = b"\x01\x03one";
    let at = bytes.windows(5).position(|part| part == behind).unwrap();
    let with = |order: &[u8]| loaded(&[[&bytes[..at], order, &bytes[at + 5..]].concat()]);
    assert_eq!(digested(&with(behind).unwrap()), digested(&sale));
    for (what, order) in [
        ("two oldest ones", &b"\0"[..]),
        ("one behind itself", b"\x01\x03two"),
        ("one behind an unknown one", b"\x01\x01z"),
        ("one behind another user's", b"\x01\x03bob"),
    ] {
        assert!(with(order).is_err(), "taken: {what}");
    }
}

#[test]
fn values_spelled_in_another_way_or_out_of_range_are_an_error() {
    let short = [&[1, 5, 0, 0][..], &[b'n'; 254]].concat();
    let unpacked = [&[1, 5, 0, 26][..], ULID].concat();
    let options = |limit: u8| {
        let limits = [1, limit, 0, 0, 0];
        [&[1, 12, 0][..], &limits, &[1, 0, 0, 0, 0, 0, 0]].concat()
    };
    assert!(decode_event(&options(1), HASHER).is_ok());
    let of_another_kind: [(&str, &[u8]); 11] = [
        ("a name of no bytes", &[1, 5, 0, 0]),
        ("a name of 255 bytes in 254", &short),
        ("a ULID in letters", &unpacked),
        ("five in three bytes", &[1, 13, 251, 5, 0]),
        ("five in five bytes", &[1, 13, 252, 5, 0, 0, 0]),
        ("five in nine bytes", &[1, 13, 253, 5, 0, 0, 0, 0, 0, 0, 0]),
        ("a moment of 2^48", &[1, 13, 253, 0, 0, 0, 0, 0, 0, 1, 0]),
        ("a limit of 0", &options(0)),
        ("no deltas", &[1, 11, 0, 0, 0]),
        ("a flag of 2", &[1, 6, 0, 1, b'i', 2, 0]),
        ("room made by a third", &[1, 6, 0, 1, b'i', 0, 3]),
    ];
    for (what, bytes) in of_another_kind {
        assert!(decode_event(bytes, HASHER).is_err(), "taken: {what}");
    }
    // A deadline is a time from the moment, and both together are at most 2^53 - 1.
    let late = |hold: &[u8]| {
        let head = [&[1, 2][..], &LAST_MS, &[1, b'i', 1, b'u', 1, 0, 1]].concat();
        [&head[..], hold, &[0]].concat()
    };
    assert!(decode_event(&late(&[253, 0, 0, 0, 0, 0, 0, 31, 0]), HASHER).is_ok());
    assert!(decode_event(&late(&[253, 1, 0, 0, 0, 0, 0, 31, 0]), HASHER).is_err());
}

#[test]
fn events_that_only_fit_another_sale_or_another_moment_do_not_fit() {
    let sale = sale_of_version_2();
    let at = |at_ms, change| sale.check(&Event { at_ms, change });
    let id = HASHER.key(b"open-2");
    assert_eq!(
        at(NOW_MS, Change::Expired { id }),
        Err(Divergence::WrongState)
    );
    assert_eq!(at(NOW_MS + 90_000, Change::Expired { id }), Ok(()));
    let created = Change::Created(Box::new(Created {
        sale_id: 1,
        share_id: 1,
        orders: b"o",
        options: Options::new(1, 3_600_000),
        items: vec![(b"a", 1)],
    }));
    assert_eq!(at(NOW_MS, created), Err(Divergence::SaleExists));
    let reserved = |expires_at_ms| Change::Reserved {
        id: HASHER.key(b"new"),
        user: HASHER.key(b"u"),
        lines: Lines::from_slice(&[Line { item: 0, qty: 1 }]),
        expires_at_ms,
        forgets: Forgets::Nothing,
        replaces: None,
    };
    assert_eq!(at(0, reserved(0)), Err(Divergence::DeadlineBack));
    assert_eq!(at(0, reserved(1)), Ok(()));
}
