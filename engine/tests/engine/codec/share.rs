//! What a sale has to do with others as bytes: where it stands, where it does not, and bad ones.

use super::*;
use flashsale_fuzz::samples_share::{PEER, SHARE_ID, part_sale};

#[test]
fn the_bytes_of_a_part_of_a_split_sale_are_those_of_the_golden_file() {
    let sale = part_sale();
    let chunks = saved(&sale);
    assert_golden("snapshot_part.txt", &format!("{}\n", hex(&chunks[0])));
    let again = loaded(&chunks).unwrap();
    assert_eq!(digested(&again), digested(&sale));
    assert_eq!((again.share_id(), again.group()), (SHARE_ID, Some("größe")));
    for item in 0..3 {
        let (kept, loaded) = (sale.share(item), again.share(item));
        assert_eq!(loaded.item, kept.item);
        assert_eq!(
            (loaded.base, loaded.given, loaded.taken),
            (kept.base, kept.given, kept.taken)
        );
    }
    let refunds = |sale: &Sale| -> Vec<_> {
        let slot = |id: &[u8]| sale.find(HASHER.key(id)).unwrap();
        let both = [slot(b"lost"), slot(b"beyond")].into_iter();
        both.flat_map(|slot| {
            sale.refunds(slot)
                .map(|refund| refund.restocked)
                .collect::<Vec<_>>()
        })
        .collect()
    };
    assert_eq!(refunds(&again), [Some(false), Some(true)]);
}

/// A sale that uses none of this has the bytes it always had.
#[test]
fn a_sale_without_a_share_id_of_its_own_says_nothing_of_it() {
    let sale = busy_sale();
    assert_eq!(sale.share_id(), sale.sale_id());
    let again = loaded(&saved(&sale)).unwrap();
    assert_eq!(again.share_id(), sale.sale_id());
    let created = events().into_iter().find(|(name, _)| *name == "created");
    assert!(!hex(&encoded(&created.unwrap().1)).contains("0105"));
}

/// Each of these must not be what it was: a digest that left one out could not tell two copies
/// apart.
#[test]
fn a_digest_depends_on_all_of_it() {
    let sale = part_sale();
    let give = |total, sku: &'static [u8], owes| Give {
        from: SHARE_ID,
        to: PEER,
        total,
        sku: Some(sku),
        most: false,
        owes,
        confirms: false,
    };
    let changed = |plan: &dyn Fn(&Sale) -> Plan<'static>| {
        let mut other = loaded(&saved(&sale)).unwrap();
        let event = plan(&other).unwrap();
        assert_eq!(other.check(&event), Ok(()));
        other.apply(&event);
        assert_eq!(other.audit(), Vec::<String>::new());
        digested(&loaded(&saved(&other)).unwrap())
    };
    let at_ms = NOW_MS + 9;
    let digests = [
        digested(&sale),
        changed(&|sale| sale.plan_give(at_ms, &give(3, b"a", false))),
        changed(&|sale| sale.plan_give(at_ms, &give(3, b"b", true))),
        changed(&|sale| {
            let changes = Changes {
                group: Some(None),
                ..Changes::default()
            };
            sale.plan_alter(at_ms, &changes)
        }),
    ];
    for (n, one) in digests.iter().enumerate() {
        assert!(digests[..n].iter().all(|other| other != one), "{n}");
    }
}

#[test]
fn flipped_and_cut_shares_are_errors_or_consistent_sales() {
    let bytes = saved(&part_sale()).remove(0);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(sale) = loaded(&[flipped]) {
            consistent(sale, &format!("bit {bit}"));
        }
    }
    for len in 0..bytes.len() {
        assert!(loaded(&[bytes[..len].to_vec()]).is_err(), "cut at {len}");
    }
}

#[test]
fn events_between_sales_that_fit_no_history_do_not_fit() {
    let sale = part_sale();
    let check = |change| {
        sale.check(&Event {
            at_ms: NOW_MS + 9,
            change,
        })
    };
    let gives = |given| Change::Given(Box::new(given));
    let takes = |taken| Change::Taken(Box::new(taken));
    let given = Given {
        item: 0,
        to: PEER,
        total: 3,
        units: 1,
        owes: 0,
    };
    let taken = Taken {
        sku: b"a"[..].into(),
        from: PEER,
        total: 5,
        units: 1,
    };
    assert_eq!(check(gives(given)), Ok(()));
    assert_eq!(check(takes(taken.clone())), Ok(()));
    for (change, divergence) in [
        (gives(Given { total: 4, ..given }), Divergence::WrongTotal),
        (gives(Given { item: 9, ..given }), Divergence::ItemUnknown),
        (
            gives(Given {
                to: SHARE_ID,
                ..given
            }),
            Divergence::WrongState,
        ),
        (gives(Given { owes: 1, ..given }), Divergence::TooFewUnits),
        (
            gives(Given {
                total: 42,
                units: 40,
                ..given
            }),
            Divergence::TooFewUnits,
        ),
        (
            takes(Taken {
                total: 6,
                ..taken.clone()
            }),
            Divergence::WrongTotal,
        ),
        (
            takes(Taken {
                total: INTEGER_MAX,
                units: INTEGER_MAX - 4,
                ..taken
            }),
            Divergence::TooManyUnits,
        ),
    ] {
        assert_eq!(check(change.clone()), Err(divergence), "{change:?}");
    }
    let imported = |id: &'static [u8], item, qty| {
        Change::Imported(Box::new(Imported {
            id: HASHER.key(id),
            user: HASHER.key(b"ann"),
            lines: Lines::from_slice(&[line(item, qty)]),
            sold_at_ms: NOW_MS,
            order: Order {
                reference: None,
                payload: None,
                entry: EntryId {
                    ms: NOW_MS,
                    seq: 99,
                },
                told: Told::default(),
            },
            forgets: Forgets::Nothing,
        }))
    };
    assert_eq!(check(imported(b"new", 1, 7)), Ok(()));
    assert_eq!(check(imported(b"lost", 0, 7)), Err(Divergence::WrongState));
    assert_eq!(check(imported(b"new", 9, 7)), Err(Divergence::ItemUnknown));
    assert_eq!(
        check(imported(b"new", 1, INTEGER_MAX)),
        Err(Divergence::TooManyUnits)
    );
}
