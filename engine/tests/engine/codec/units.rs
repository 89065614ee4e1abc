//! Units with names as bytes: of a snapshot, and of events that cannot be.

use super::*;
use flashsale_fuzz::samples_units::{sale_with_codes_since, seated_sale};

#[test]
fn the_bytes_of_a_seated_sale_are_those_of_the_golden_file() {
    let sale = seated_sale();
    let chunks = saved(&sale);
    assert_golden("snapshot_units.txt", &format!("{}\n", hex(&chunks[0])));
    let again = loaded(&chunks).unwrap();
    assert_eq!(digested(&again), digested(&sale));
    assert_eq!(saved(&again), chunks);
    assert!(again.audit_whole().is_empty());
}

#[test]
fn the_bytes_of_an_item_that_was_counted_before_its_codes_are_those_of_the_golden_file() {
    let sale = sale_with_codes_since();
    let chunks = saved(&sale);
    let golden = format!("{}\n", hex(&chunks[0]));
    assert_golden("snapshot_units_counted.txt", &golden);
    let again = loaded(&chunks).unwrap();
    assert_eq!(digested(&again), digested(&sale));
    assert_eq!(saved(&again), chunks);
    assert!(again.audit_whole().is_empty());
    // Of units that are seen the late ones are listed: there is no such option.
    let sealed = [3, 1, 1, 4];
    let at = chunks[0].windows(4).position(|window| window == sealed);
    let mut forged = chunks[0].clone();
    forged[at.unwrap() + 2] = 0;
    assert!(loaded(&[forged]).is_err());
}

#[test]
fn a_seat_takes_a_byte_more_and_its_neighbour_another() {
    let bytes_of = |numbers: &[UnitNumber]| {
        encoded(&Change::Reserved {
            id: HASHER.key(b"id"),
            user: HASHER.key(b"user"),
            lines: [Line {
                item: 0,
                qty: numbers.len() as u64,
            }]
            .into_iter()
            .collect(),
            units: UnitList::from_slice(numbers),
            expires_at_ms: NOW_MS,
            forgets: Forgets::Nothing,
            replaces: None,
        })
        .len()
    };
    let none = bytes_of(&[]);
    // The number of options, the tag and the length of this one, and the first number.
    assert_eq!(bytes_of(&[100]), none + 4);
    assert_eq!(bytes_of(&[100, 101, 102]), none + 6);
    assert_eq!(bytes_of(&[30_000]), none + 6);
    assert_eq!(bytes_of(&[70_000, 70_001]), none + 9);
}

#[test]
fn names_that_no_restock_has_are_an_error() {
    let restocked = |names: &[&'static [u8]], sealed, withdraw, delta| {
        let change = Change::Restocked {
            deltas: vec![StockDelta {
                sku: b"a"[..].into(),
                delta,
            }],
            reference: None,
            named: Some(Box::new(NamedRestock {
                names: names.to_vec(),
                sealed,
                withdraw,
                digest: None,
            })),
        };
        decode_event(&encoded(&change), HASHER).map(|_| ())
    };
    assert_eq!(restocked(&[b"A", b"B"], false, false, 2), Ok(()));
    assert_eq!(restocked(&[b"A", b"B"], false, true, -2), Ok(()));
    assert_eq!(restocked(&[b"A"], true, false, 1), Ok(()));
    for wrong in [
        restocked(&[b"A", b"B"], false, false, 1),
        restocked(&[b"A"], false, true, 1),
        restocked(&[b"A"], true, true, -1),
        restocked(&[b""], false, false, 1),
        restocked(&[b"\xff"], false, false, 1),
        restocked(&[&[b'x'; 129]], false, false, 1),
        restocked(&[], true, false, 0),
    ] {
        assert!(wrong.is_err());
    }
}
