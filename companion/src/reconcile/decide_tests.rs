//! What is decided about each order, refund and entry, case by case.

use super::*;

fn units(lines: &[(&str, u64)]) -> Units {
    let mut units = Units::default();
    for (sku, qty) in lines {
        units.add(sku.as_bytes(), *qty);
    }
    units
}

fn row() -> OrderRow {
    OrderRow {
        id: b"ann-1".to_vec(),
        user: b"ann".to_vec(),
        reference: b"charge-1".to_vec(),
        units: units(&[("red", 2)]),
        at_ms: 1_795_203_093_164,
    }
}

fn known(state: State) -> Known {
    Known {
        state,
        user: Some(b"ann".to_vec()),
        units: Some(units(&[("red", 2)])),
        reference: b"charge-1".to_vec(),
        refunds: Vec::new(),
    }
}

#[test]
fn what_the_sale_has_not_sold_is_lost() {
    assert_eq!(order(&row(), None), Verdict::Lost);
    assert_eq!(order(&row(), Some(&known(State::Unsold))), Verdict::Lost);
    // Released before it was seen, and a cart of which a digest is left: IMPORT compares.
    let mut unseen = known(State::Unsold);
    (unseen.user, unseen.units) = (None, Some(Units::default()));
    assert_eq!(order(&row(), Some(&unseen)), Verdict::Lost);
    unseen.units = None;
    assert_eq!(order(&row(), Some(&unseen)), Verdict::Lost);
}

#[test]
fn what_is_equal_is_fine_refunded_or_not() {
    for state in [State::Sold, State::Refunded] {
        assert_eq!(order(&row(), Some(&known(state))), Verdict::Fine);
    }
}

#[test]
fn another_ref_is_a_second_payment_and_none_is_another() {
    for reference in ["charge-2", ""] {
        let mut sold = known(State::Sold);
        sold.reference = reference.into();
        assert_eq!(order(&row(), Some(&sold)), Verdict::PaidTwice);
        // What was reserved is not paid for yet.
        sold.state = State::Unsold;
        assert_eq!(order(&row(), Some(&sold)), Verdict::Lost);
    }
}

#[test]
fn another_user_or_other_units_are_for_people_whatever_the_state() {
    for state in [State::Unsold, State::Sold, State::Refunded] {
        let mut other = known(state);
        other.user = Some(b"bob".to_vec());
        assert!(matches!(
            order(&row(), Some(&other)),
            Verdict::Conflict(why) if why.contains("user")
        ));
        let mut other = known(state);
        other.units = Some(units(&[("red", 1), ("blue", 1)]));
        assert!(matches!(
            order(&row(), Some(&other)),
            Verdict::Conflict(why) if why.contains("other units")
        ));
    }
}

#[test]
fn units_of_other_names_are_for_people() {
    let mut named = row();
    named.units.name(b"red", b"A-1");
    named.units.name(b"red", b"A-2");
    // Part of them was given back, or none is named before it is sold.
    for names in [&[][..], &["A-2"], &["A-1", "A-2"]] {
        let mut sold = known(State::Sold);
        let add = |sold: &mut Known, name: &str| {
            let units = sold.units.as_mut().expect("units");
            units.name(b"red", name.as_bytes());
        };
        names.iter().for_each(|name| add(&mut sold, name));
        assert_eq!(order(&named, Some(&sold)), Verdict::Fine, "{names:?}");
        add(&mut sold, "B-7");
        assert!(matches!(order(&named, Some(&sold)), Verdict::Conflict(_)));
    }
}

fn refund(reference: &str, at_ms: i64, lines: &[(&str, u64)]) -> RefundRow {
    RefundRow {
        id: b"ann-1".to_vec(),
        reference: reference.into(),
        units: units(lines),
        restorelimit: false,
        norestock: false,
        at_ms,
    }
}

fn known_refund(reference: &str, lines: &[(&str, u64)]) -> KnownRefund {
    KnownRefund {
        reference: reference.into(),
        units: units(lines),
    }
}

#[test]
fn the_refund_without_a_ref_goes_last() {
    let mut rows = vec![
        refund("", 1, &[]),
        refund("b", 3, &[]),
        refund("a", 3, &[]),
        refund("c", 2, &[]),
    ];
    sort_refunds(&mut rows);
    let order: Vec<_> = rows.iter().map(|row| row.reference.clone()).collect();
    assert_eq!(order, [b"c".to_vec(), b"a".to_vec(), b"b".to_vec(), vec![]]);
}

#[test]
fn a_refund_is_repeated_whole_or_left_to_people() {
    use RefundVerdict::{Conflict, Fine, Missing};
    let sold = units(&[("red", 3), ("blue", 1)]);
    let rows = [
        refund("a", 1, &[("red", 1)]),
        refund("b", 2, &[("red", 1)]),
        refund("", 3, &[("red", 1), ("blue", 1)]),
    ];
    assert_eq!(refunds(&sold, &rows, &[]), [Missing, Missing, Missing]);
    let there = [known_refund("a", &[("red", 1)])];
    assert_eq!(refunds(&sold, &rows, &there), [Fine, Missing, Missing]);
    // Given back again meanwhile, under a ref that SQL does not know: the rest is another.
    let again = [known_refund("z", &[("red", 2)])];
    let verdicts = refunds(&sold, &rows, &again);
    assert_eq!(verdicts[0], Missing);
    assert!(matches!(verdicts[1], Conflict(why) if why.contains("less")));
    assert!(matches!(verdicts[2], Conflict(why) if why.contains("all the rest")));
    let other = [known_refund("a", &[("red", 2)])];
    assert!(matches!(refunds(&sold, &rows[..1], &other)[0], Conflict(_)));
}

#[test]
fn an_entry_is_inserted_once_nobody_else_will() {
    let group = Group {
        last_delivered: Some((5, 0)),
        pending: [(4, 0)].into(),
    };
    let t0 = (7, 0);
    for (id, is_in_sql, verdict) in [
        ((3, 0), true, EntryVerdict::Fine),
        ((3, 0), false, EntryVerdict::Insert),
        ((4, 0), false, EntryVerdict::Backlog),
        ((5, 1), false, EntryVerdict::Backlog),
        ((7, 1), false, EntryVerdict::Later),
        ((7, 1), true, EntryVerdict::Later),
    ] {
        assert_eq!(entry(id, t0, is_in_sql, &group), verdict, "{id:?}");
    }
    // Where there is no group, one will begin with the first entry.
    let none = Group::default();
    assert_eq!(entry((3, 0), t0, false, &none), EntryVerdict::Backlog);
}

#[test]
fn what_has_no_entry_any_more_is_inserted() {
    assert_eq!(without_row((3, 0), (7, 0), false), EntryVerdict::Insert);
    assert_eq!(without_row((3, 0), (7, 0), true), EntryVerdict::Backlog);
    assert_eq!(without_row((8, 0), (7, 0), false), EntryVerdict::Later);
}

#[test]
fn reads_ids_of_entries() {
    assert_eq!(entry_id("1795203093164-7"), Some((1_795_203_093_164, 7)));
    for wrong in ["", "7", "7-", "-7", "a-b"] {
        assert_eq!(entry_id(wrong), None, "{wrong}");
    }
}
