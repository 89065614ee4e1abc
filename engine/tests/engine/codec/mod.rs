//! The bytes of events and snapshots, and what the decoders do with bad ones.
//!
//! **Goal**: a byte of the format never changes unnoticed, because replicas, AOFs and
//! RDB files of other servers hold such bytes; and no bytes, however bad, cause
//! anything but an error.
//!
//! **Method**: every kind of event and one sale that uses everything are encoded and
//! held against the files in `tests/golden/` (written anew with `FLASHSALE_BLESS=1`),
//! then flipped bit by bit, cut at every length, and forged.

mod batch;
mod forged;
mod line;
mod outbox;
mod pass;
mod share;

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::{
    HASHER, NOW_MS, ULID, busy_sale, digested, encoded, events, line, loaded, sale_of_version_2,
    saved, set_entry, telling_sale, unentered,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Holds `text` against a file, or writes the file when asked to.
pub fn assert_golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("FLASHSALE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, kept, "the format changed: {path}");
}

#[test]
fn the_bytes_of_every_event_are_those_of_the_golden_file() {
    let mut text = String::new();
    for (name, change) in events() {
        let bytes = encoded(&change);
        let event = decode_event(&bytes, HASHER).unwrap();
        assert_eq!(
            event,
            Event {
                at_ms: NOW_MS,
                change
            },
            "{name}"
        );
        text += &format!("{name} {}\n", hex(&bytes));
    }
    assert_golden("events.txt", &text);
}

/// The bytes in a golden file of `name bytes` lines.
fn golden_lines(name: &str) -> Vec<(String, Vec<u8>)> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let (name, bytes) = line.split_once(' ').unwrap();
        (name.to_owned(), unhex(bytes))
    };
    text.lines().map(line).collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

#[test]
fn every_event_of_version_1_says_what_it_said() {
    let today = events();
    for (name, bytes) in golden_lines("events_1.txt") {
        assert_eq!(bytes[0], 1);
        let read = decode_event(&bytes, HASHER).unwrap();
        let (_, said) = today.iter().find(|(of, _)| *of == name).unwrap();
        let mut said = said.clone();
        // What made room then did not look at GRACE, and names were shorter.
        match &mut said {
            Change::Reserved { forgets, user, .. } if *forgets != Forgets::Nothing => {
                *forgets = Forgets::Oldest;
                *user = HASHER.key(&[b'u'; 128]);
            }
            // Whether NORESTOCK was asked for was not said.
            Change::Refunded(refund) => refund.no_restock = None,
            Change::ReleasedUnseen { forgets, .. } if *forgets != Forgets::Nothing => {
                *forgets = Forgets::Oldest;
            }
            _ => {}
        }
        assert_eq!(read.change, said, "{name}");
    }
}

#[test]
fn what_a_newer_version_wrote_is_not_taken_for_damage() {
    let newer = |bytes: &[u8]| matches!(decode_event(bytes, HASHER), Err(CodecError::Newer(_)));
    let event = encoded(&Change::Closed);
    let version = [&[event[0] + 1], &event[1..]].concat();
    let kind = [&event[..1], &[200], &event[2..]].concat();
    let option = [&[event[0], event[1] | 128], &event[2..], &[1, 9, 1, 7]].concat();
    assert!(newer(&version) && newer(&kind) && newer(&option));
    assert!(!newer(&[0]) && !newer(&event[..3]));

    let snapshot = saved(&sale_of_version_2()).remove(0);
    let newer = |bytes: Vec<u8>| {
        let error = loaded(&[bytes]).err();
        matches!(error, Some(CodecError::Newer(_)))
    };
    let of_version = |version| [&snapshot[..1], &[version], &snapshot[2..]].concat();
    assert!(newer(of_version(snapshot[1] + 1)) && !newer(of_version(0)));
    // An element before the end, and the end with an option.
    let end = snapshot.len() - 3;
    assert_eq!(snapshot[end], 9);
    assert!(newer([&snapshot[..end], &[99], &snapshot[end..]].concat()));
    let with_option = [&[9 | 128], &snapshot[end + 1..], &[1, 1, 0]].concat();
    assert!(newer([&snapshot[..end], &with_option].concat()));
}

#[test]
fn options_are_read_in_order_once_and_to_their_end() {
    let swept = encoded(&Change::Swept {
        expired: 1,
        lapsed: 2,
        forgotten: 3,
    });
    let (plain, option) = swept.split_at(swept.len() - 3);
    let plain = &plain[..plain.len() - 1];
    assert_eq!(option, [1, 1, 2]);
    let decoded = |options: &[&[u8]]| {
        let bytes = [plain, &[options.len() as u8], &options.concat()].concat();
        decode_event(&bytes, HASHER).map(|_| ())
    };
    assert!(decoded(&[option]).is_ok());
    for wrong in [
        &[][..],
        &[option, option],
        &[&[1, 2, 2, 0]],
        &[&[1, 0]],
        &[&[1, 5, 2]],
        &[&[1, 1, 0]],
        &[&[0, 0]],
    ] {
        assert!(
            matches!(
                decoded(wrong),
                Err(CodecError::Invalid(_) | CodecError::Truncated)
            ),
            "{wrong:?}"
        );
    }
}

#[test]
fn names_of_every_length_are_read_as_they_were_written() {
    for length in 1..=255 {
        let name = vec![b'n'; length];
        let change = Change::Released {
            id: HASHER.key(&name),
        };
        assert_eq!(
            decode_event(&encoded(&change), HASHER).unwrap().change,
            change
        );
    }
}

#[test]
fn a_reservation_of_one_item_is_an_event_of_fifty_bytes() {
    let change = Change::Reserved {
        id: HASHER.key(ULID),
        user: HASHER.key(b"user:1234567"),
        lines: Lines::from_slice(&[line(0, 1)]),
        expires_at_ms: NOW_MS + 300_000,
        forgets: Forgets::Nothing,
        replaces: None,
    };
    assert_eq!(encoded(&change).len(), 50);
}

#[test]
fn the_bytes_of_a_snapshot_are_those_of_the_golden_file() {
    let sale = busy_sale();
    let chunks = saved(&sale);
    assert_eq!(chunks.len(), 1);
    assert_golden("snapshot.txt", &format!("{}\n", hex(&chunks[0])));
    assert_eq!(digested(&loaded(&chunks).unwrap()), digested(&sale));
}

/// What a reader sees of a sale.
fn seen(sale: &Sale) -> Vec<String> {
    let mut seen: Vec<String> = sale.items().map(|item| format!("{item:?}")).collect();
    sale.scan(0, usize::MAX, None, &mut |slot| {
        let view = sale.view(slot).unwrap();
        let name = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let user = view.user(&mut NameBuffer::default()).map(name);
        if let Some(user) = &user {
            seen.push(format!("{:?}", sale.user(user.as_bytes()).counted));
        }
        seen.push(format!(
            "{} {user:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            name(view.id(&mut NameBuffer::default())),
            view.state,
            view.lines,
            view.refunded,
            view.reserved_at_ms,
            view.expires_at_ms,
            view.sold_at_ms,
            view.released_at_ms,
            view.order,
            view.reference(),
        ));
    });
    seen.sort();
    seen
}

#[test]
fn a_snapshot_of_every_version_is_the_same_sale() {
    let of_version = |version: u8| {
        let name = format!("tests/golden/snapshot_{version}.txt");
        let bytes = unhex(std::fs::read_to_string(name).unwrap().trim());
        assert_eq!(bytes[1], version);
        loaded(&[bytes]).unwrap()
    };
    let (first, second) = (of_version(1), of_version(2));
    assert_eq!(digested(&first), digested(&second));
    assert_eq!(seen(&second), seen(&sale_of_version_2()));
    // Saved today, and loaded again.
    assert_eq!(
        digested(&loaded(&saved(&second)).unwrap()),
        digested(&second)
    );
}

#[test]
fn a_sale_of_many_chunks_loads_equal_and_goes_on_the_same() {
    let bounds = Bounds {
        reservations_max: 1 << 20,
        items_max: 10,
    };
    let ask = CreateAsk {
        sale_id: 1,
        share_id: 1,
        orders: b"orders",
        items: vec![(b"a", 1_000_000)],
        changes: Changes::default(),
        hold_ms_default: 1_000,
        keep_ms_default: 3_600_000,
    };
    let mut sale =
        Sale::create(&Sale::plan_create(NOW_MS, &ask, &bounds).unwrap(), HASHER).unwrap();
    for n in 0..20_000_u64 {
        let (id, user) = (
            format!("reservation number {n}"),
            format!("user {}", n % 500),
        );
        // Deadlines out of the order of making, so that the chains need sorting.
        let ask = Reserve {
            user: HASHER.key(user.as_bytes()),
            ask: Ask::Qty(1),
            id: HASHER.key(id.as_bytes()),
            hold_ms: Some(1 + n * 7_919 % 1_000),
            waits: false,
            pass: Pass::Missing,
            replaces: None,
        };
        let event = sale.plan_reserve(NOW_MS + n / 50, &ask, &bounds).unwrap();
        sale.apply(&event);
    }
    let chunks = saved(&sale);
    assert!(
        chunks.len() > 5
            && chunks
                .iter()
                .rev()
                .skip(1)
                .all(|chunk| chunk.len() == 65_536)
    );
    let mut copy = loaded(&chunks).unwrap();
    for user in ["user 0", "user 499"] {
        let ids = |sale: &Sale| -> Vec<Vec<u8>> {
            let slots = sale.user(user.as_bytes()).slots;
            let id = |slot| {
                sale.view(slot)
                    .unwrap()
                    .id(&mut NameBuffer::default())
                    .to_vec()
            };
            slots.into_iter().map(id).collect()
        };
        assert_eq!(ids(&sale), ids(&copy));
    }
    while let Some(event) = sale.plan_sweep(NOW_MS + 700, 999) {
        copy.check(&event).unwrap();
        assert_eq!(sale.apply(&event).stock, copy.apply(&event).stock);
    }
    assert_eq!(digested(&sale), digested(&copy));
}

/// Does to one id what may be done to it.
fn live_through(sale: &mut Sale, id: &[u8], bounds: &Bounds) {
    let now_ms = sale.time(NOW_MS).now_ms;
    let id_key = HASHER.key(id);
    let pay = Checkout {
        id: id_key,
        user: None,
        reference: Some(b"late"),
        payload: None,
    };
    let back = RefundAsk {
        id: id_key,
        user: None,
        ask: None,
        reference: None,
        no_restock: false,
        restore_limit: true,
    };
    let mut seq = 0;
    for step in 0..4 {
        let plan = match step {
            0 => sale.plan_extend(now_ms, id_key, 1_000_000, None),
            // Half of them are paid, the others given back.
            1 if id.len().is_multiple_of(2) => sale.plan_checkout(now_ms, &pay).map(unentered),
            2 => sale.plan_refund(now_ms, &back).map(unentered),
            _ => sale.plan_release(now_ms, id_key, None, bounds),
        };
        if let Ok(mut event) = plan {
            seq += 1;
            set_entry(&mut event, EntryId { ms: now_ms, seq });
            sale.check(&event).unwrap();
            sale.apply(&event);
        }
    }
}

/// Puts a sale through the rest of its life: every id is extended, sold, refunded and
/// released where that may be, then everything falls due and is forgotten. Whatever a
/// decoder let through, no link between the tables may lead nowhere.
fn live_out(mut sale: Sale, what: &str) {
    let bounds = Bounds {
        reservations_max: 1_000,
        items_max: 100,
    };
    let mut ids: Vec<Vec<u8>> = Vec::new();
    sale.scan(0, usize::MAX, None, &mut |slot| {
        ids.push(
            sale.view(slot)
                .unwrap()
                .id(&mut NameBuffer::default())
                .to_vec(),
        );
    });
    for id in &ids {
        live_through(&mut sale, id, &bounds);
    }
    for now_ms in [NOW_MS + 60_001, INTEGER_MAX] {
        while let Some(event) = sale.plan_sweep(now_ms, 3) {
            sale.check(&event).unwrap();
            sale.apply(&event);
        }
    }
    // Forgotten ids are free again, and nothing may still point at what they were.
    for id in &ids {
        live_through(&mut sale, id, &bounds);
    }
    assert_eq!(sale.audit(), Vec::<String>::new(), "{what}");
}

#[test]
fn flipped_and_cut_events_are_errors_or_other_events_but_never_a_panic() {
    let (busy, telling) = (busy_sale(), telling_sale());
    for (name, change) in events() {
        let bytes = encoded(&change);
        for len in 0..bytes.len() {
            assert!(
                decode_event(&bytes[..len], HASHER).is_err(),
                "{name} cut at {len}"
            );
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(
            decode_event(&longer, HASHER).is_err(),
            "{name} with a byte too many"
        );
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(event) = decode_event(&flipped, HASHER) else {
                continue;
            };
            for sale in [&busy, &telling] {
                let mut copy = loaded(&saved(sale)).unwrap();
                if copy.check(&event).is_ok() {
                    copy.apply(&event);
                    assert_eq!(
                        copy.audit(),
                        Vec::<String>::new(),
                        "{name} bit {bit}: {event:?}"
                    );
                    live_out(copy, &format!("{name} bit {bit}"));
                }
            }
        }
    }
}

#[test]
fn flipped_and_cut_snapshots_are_errors_or_consistent_sales() {
    damage(&busy_sale(), 0, consistent);
}

/// Cuts and flips the bytes of a saved sale from one on: what is cut is an error, and `live` sees
/// each sale that a flipped bit leaves.
fn damage(sale: &Sale, begins: usize, live: impl Fn(Sale, &str)) {
    let bytes = saved(sale).remove(0);
    for len in begins..bytes.len() {
        assert!(loaded(&[bytes[..len].to_vec()]).is_err(), "cut at {len}");
    }
    for bit in begins * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(sale) = loaded(&[flipped]) {
            live(sale, &format!("bit {bit}"));
        }
    }
}

fn consistent(sale: Sale, what: &str) {
    assert_eq!(sale.audit(), Vec::<String>::new(), "{what}");
    live_out(sale, what);
}

#[test]
fn a_forged_length_is_an_error_before_anything_is_allocated_for_it() {
    // Version, kind `created`, moment, sale id, then a stream name of 2^60 bytes.
    let mut forged = vec![1, 1, 0];
    forged.extend([0; 16]);
    forged.extend([253, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    assert!(decode_event(&forged, HASHER).is_err());
    // Kind `reserved` with a cart of 2^60 lines.
    let mut forged = vec![1, 2, 0, 1, b'i', 1, b'u'];
    forged.extend([253, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    assert!(decode_event(&forged, HASHER).is_err());
}

#[test]
fn a_snapshot_whose_numbers_do_not_add_up_is_an_error() {
    let sale = busy_sale();
    let bytes = saved(&sale).remove(0);
    // The item `b`: its SKU, then available below 251, or a marker and two bytes.
    let at = bytes
        .windows(3)
        .position(|window| window == [2, 1, b'b'])
        .unwrap()
        + 3;
    assert_eq!(bytes[at], 251, "available of b is a number of two bytes");
    let reserved = at + 3;
    for by in [1_u8, 2, 250] {
        let mut forged = bytes.clone();
        forged[reserved] = forged[reserved].wrapping_add(by);
        assert!(loaded(&[forged]).is_err(), "reserved of b forged by {by}");
    }
}

#[test]
fn chunks_of_the_wrong_length_are_an_error() {
    let bytes = saved(&busy_sale()).remove(0);
    assert!(loaded(&[vec![0; 65_537]]).is_err());
    assert!(loaded(&[bytes[..9].to_vec(), bytes[9..].to_vec()]).is_err());
    assert!(loaded(&[bytes.clone(), Vec::new()]).is_err());
    assert!(loaded(&[bytes]).is_ok());
}

#[test]
fn a_snapshot_of_whole_chunks_is_complete_with_the_empty_one_after_them() {
    let of_orders = |len: usize| {
        let orders = vec![b'o'; len];
        let ask = CreateAsk {
            sale_id: 1,
            share_id: 1,
            orders: &orders,
            items: vec![(b"default", 1)],
            changes: Changes::default(),
            hold_ms_default: 1,
            keep_ms_default: 3_600_000,
        };
        let bounds = Bounds {
            reservations_max: 1,
            items_max: 1,
        };
        let event = Sale::plan_create(NOW_MS, &ask, &bounds).unwrap();
        saved(&Sale::create(&event, HASHER).unwrap())
    };
    let bytes: usize = of_orders(60_000).iter().map(Vec::len).sum();
    let chunks = of_orders(60_000 + 65_536 - bytes);
    assert_eq!(chunks.iter().map(Vec::len).collect::<Vec<_>>(), [65_536, 0]);
    let mut loader = Loader::new(HASHER);
    assert_eq!(loader.push(&chunks[0]), Ok(false));
    assert_eq!(loader.push(&chunks[1]), Ok(true));
    assert!(loader.finish().is_ok());
}
