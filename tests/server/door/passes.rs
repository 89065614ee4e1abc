//! Who needs a pass, and what is one.

use super::{NEXT_SECRET, SECRET, next_pass, pass, pass_until, passkey, sale};
use crate::support::{Con, unix_ms, wait_until};

/// RESERVE of one unit under an id, with whatever else.
fn reserve(id: &str, user: &str, rest: &str) -> String {
    format!("FLASHSALE.RESERVE sale {user} 1 ID {id} {rest}")
}

fn with_pass(id: &str, user: &str) -> String {
    reserve(id, user, &format!("PASS {}", pass(id, user)))
}

#[test]
fn a_new_id_needs_a_pass_of_its_own() {
    let (_server, mut con) = sale(&format!("STOCK 9 {}", passkey(&[SECRET])));
    con.refuses(&reserve("a", "ann", ""), "NOPASS a");
    con.refuses("FLASHSALE.BUY sale orders ann 1 ID a", "NOPASS a");
    for wrong in [
        pass("a", "bob"),
        pass("b", "ann"),
        next_pass("a", "ann"),
        pass_until(unix_ms() - 1, "a", "ann"),
        pass("a", "ann") + "x",
        pass("a", "ann")[1..].to_owned(),
        "1".to_owned(),
        "x".repeat(64),
    ] {
        con.refuses(&reserve("a", "ann", &format!("PASS {wrong}")), "NOPASS a");
        let buy = format!("FLASHSALE.BUY sale orders ann 1 PASS {wrong} ID a");
        con.refuses(&buy, "NOPASS a");
    }
    con.says(&with_pass("a", "ann"), "RESERVED a ...");
    let buy = format!(
        "FLASHSALE.BUY sale orders bob 1 ID b PASS {}",
        pass("b", "bob")
    );
    con.says(&buy, "SOLD b *");
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}

#[test]
fn without_an_id_there_is_no_pass() {
    let (_server, mut con) = sale(&format!("STOCK 9 {}", passkey(&[SECRET])));
    con.refuses("FLASHSALE.RESERVE sale ann 1", "NOPASS *");
    let shown = pass("", "ann");
    con.refuses(
        &format!("FLASHSALE.RESERVE sale ann 1 PASS {shown}"),
        "NOPASS *",
    );
    con.refuses(
        &format!("FLASHSALE.BUY sale orders ann 1 PASS {shown}"),
        "NOPASS *",
    );
}

#[test]
fn a_sale_without_passkey_looks_at_no_pass() {
    let (_server, mut con) = sale("STOCK 9");
    con.says(&reserve("a", "ann", "PASS nonsense"), "RESERVED a ...");
    con.says("FLASHSALE.RESERVE sale ann 1 PASS nonsense", "RESERVED ...");
    con.says(
        "FLASHSALE.BUY sale orders ann 1 ID b PASS nonsense",
        "SOLD ...",
    );
}

#[test]
fn whoever_has_an_id_needs_no_pass_any_more() {
    let (_server, mut con) = sale(&format!("STOCK 9 MAXHOLD 900000 {}", passkey(&[SECRET])));
    con.says(&with_pass("a", "ann"), "RESERVED a ...");
    con.refuses(&reserve("a", "ann", ""), "RESERVED a ...");
    con.refuses(&reserve("a", "ann", "PASS wrong"), "RESERVED a ...");
    con.says("FLASHSALE.EXTEND sale a 900000", "RESERVED a ...");
    con.says(&reserve("b", "ann", "REPLACE a"), "RESERVED b ...");
    con.says("FLASHSALE.CHECKOUT sale orders b", "SOLD b *");
    con.refuses("FLASHSALE.BUY sale orders ann 1 ID b", "SOLD b *");
    con.says("FLASHSALE.RELEASE sale unseen", "RELEASED unseen");
    con.refuses(&reserve("unseen", "ann", ""), "RELEASED unseen");
}

#[test]
fn a_refusal_uses_no_pass_up_and_comes_before_it() {
    let options = format!("STOCK 1 USERLIMIT 5 ORDERLIMIT 3 {}", passkey(&[SECRET]));
    let (_server, mut con) = sale(&options);
    con.fails(
        "FLASHSALE.RESERVE sale ann ITEMS 1 x 1 ID a",
        "NOSKU",
        "'x'",
    );
    con.refuses("FLASHSALE.RESERVE sale ann 4 ID a", "ORDERLIMIT 3");
    con.refuses("FLASHSALE.RESERVE sale ann 2 ID a", "SOLDOUT 1 default");
    con.says(&with_pass("z", "zoe"), "RESERVED ...");
    // The same pass, which was refused for another reason before.
    con.refuses(&with_pass("a", "ann"), "ALLRESERVED * default");
    con.refuses(&reserve("a", "ann", ""), "ALLRESERVED * default");
    con.says("FLASHSALE.RELEASE sale z", "RELEASED z");
    con.refuses(&reserve("a", "ann", ""), "NOPASS a");
    con.says(&with_pass("a", "ann"), "RESERVED a ...");
    con.says("FLASHSALE.CLOSE sale", "OK");
    con.refuses(&reserve("b", "bob", ""), "ENDED *");
}

#[test]
fn a_place_in_line_needs_a_pass_and_a_grant_does_not() {
    let (_server, mut con) = sale(&format!(
        "STOCK 1 WAITING 1 HOLD 60000 {}",
        passkey(&[SECRET])
    ));
    con.says(&with_pass("z", "zoe"), "RESERVED ...");
    con.refuses(&reserve("a", "ann", "WAIT"), "NOPASS a");
    con.says(
        &format!("{} WAIT", with_pass("a", "ann")),
        "WAITING a 0 1 -1 *",
    );
    // Before the rows that tell who else waits.
    con.refuses(&reserve("a2", "ann", "WAIT"), "NOPASS a2");
    con.refuses(&reserve("b", "bob", "WAIT"), "NOPASS b");
    con.refuses(&format!("{} WAIT", with_pass("a2", "ann")), "PLACED a2 a");
    con.refuses(&format!("{} WAIT", with_pass("b", "bob")), "LINEFULL 1");
    // A poll is a replay.
    con.refuses(&reserve("a", "ann", "WAIT"), "WAITING a 0 1 -1 *");
    con.says("FLASHSALE.RELEASE sale z", "RELEASED z");
    wait_until("ann has the unit", || {
        con.show(&reserve("a", "ann", "")).starts_with("RESERVED a")
    });
}

#[test]
fn batches_ask_for_no_pass() {
    let (_server, mut con) = sale(&format!("STOCK 9 {}", passkey(&[SECRET])));
    con.says(
        "FLASHSALE.MRESERVE sale ENTRIES 2 ann 1 a bob 1 b",
        "[RESERVED a * 8 -1] [RESERVED b * 7 -1]",
    );
    con.says(
        "FLASHSALE.MBUY sale orders ENTRIES 1 cyd 1 c c-ref",
        "[SOLD c *]",
    );
    // Another request under the same id is still no new one.
    con.refuses(&reserve("a", "ann", ""), "RESERVED a ...");
}

#[test]
fn only_the_size_of_a_pass_is_an_error() {
    let (_server, mut con) = sale(&format!("STOCK 9 {}", passkey(&[SECRET])));
    let long = "x".repeat(65);
    for (rest, part) in [
        (format!("PASS {long}"), "PASS: 65 bytes, not 1 to 64"),
        ("PASS".to_owned(), "PASS: its value is missing"),
        ("PASS a PASS b".to_owned(), "PASS: given twice"),
    ] {
        con.fails(&reserve("a", "ann", &rest), "ERR", part);
        con.fails(
            &format!("FLASHSALE.BUY sale orders ann 1 ID a {rest}"),
            "ERR",
            part,
        );
    }
    let empty = b"FLASHSALE.RESERVE sale ann 1 ID a PASS ".split(|byte| *byte == b' ');
    let empty: Vec<&[u8]> = empty.collect();
    con.fails_words(&empty, "ERR", "PASS: 0 bytes, not 1 to 64");
    // Any bytes.
    let words: [&[u8]; 8] = [
        b"FLASHSALE.RESERVE",
        b"sale",
        b"ann",
        b"1",
        b"ID",
        b"a",
        b"PASS",
        b"\x00.\xff",
    ];
    assert_eq!(crate::support::render(&con.run_words(&words)), "NOPASS a");
}

#[test]
fn a_pass_ends_at_its_moment_by_the_time_of_the_sale() {
    let (_server, mut con) = sale(&format!("STOCK 1000000 {}", passkey(&[SECRET])));
    let end_ms = con.now_ms() + 400;
    let says = |con: &mut Con, id: &str| {
        con.show(&reserve(
            id,
            "ann",
            &format!("PASS {}", pass_until(end_ms, id, "ann")),
        ))
    };
    assert!(says(&mut con, "early").starts_with("RESERVED"));
    let mut tries = 0;
    wait_until("the pass has ended", || {
        tries += 1;
        let before_ms = con.now_ms();
        let said = says(&mut con, &format!("t{tries}"));
        let after_ms = con.now_ms();
        // At the edge: good as long as the moment is before its end.
        assert!(after_ms >= end_ms || said.starts_with("RESERVED"), "{said}");
        assert!(before_ms < end_ms || said.starts_with("NOPASS"), "{said}");
        said.starts_with("NOPASS")
    });
}

#[test]
fn secrets_are_rotated_without_a_gap() {
    let (_server, mut con) = sale(&format!("STOCK 99 {}", passkey(&[SECRET])));
    let old = |id: &str| with_pass(id, "ann");
    let new = |id: &str| reserve(id, "ann", &format!("PASS {}", next_pass(id, "ann")));
    con.says(&old("r1"), "RESERVED ...");
    con.refuses(&new("r2"), "NOPASS r2");
    con.says(
        &format!("FLASHSALE.ALTER sale {}", passkey(&[SECRET, NEXT_SECRET])),
        "OK",
    );
    con.fields("FLASHSALE.INFO sale", "passkeys 2");
    con.says(&old("r3"), "RESERVED ...");
    con.says(&new("r4"), "RESERVED ...");
    con.says(
        &format!("FLASHSALE.ALTER sale {}", passkey(&[NEXT_SECRET])),
        "OK",
    );
    con.refuses(&old("r5"), "NOPASS r5");
    con.says(&new("r6"), "RESERVED ...");
    con.says("FLASHSALE.ALTER sale PASSKEY 0", "OK");
    con.fields("FLASHSALE.INFO sale", "passkeys 0");
    con.says(&reserve("r7", "ann", ""), "RESERVED ...");
}

#[test]
fn names_of_any_bytes_have_passes() {
    use flashsale_fuzz::samples_pass::make_pass;
    let (_server, mut con) = sale(&format!("STOCK 99 {}", passkey(&[SECRET])));
    let (long_id, long_user) = ([b'i'; 255], [b'u'; 255]);
    let ulid = b"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let uuid = b"67e55044-10b1-426f-9247-bb680e5fe0c8";
    for (id, user) in [
        (&long_id[..], &long_user[..]),
        (&[0, 0xff, b'.'], &[0]),
        (ulid, uuid),
        (uuid, ulid),
        (b"ann-", b"1ann"),
    ] {
        let shown = make_pass(SECRET, u64::MAX >> 11, id, user);
        let says = |con: &mut Con, pass: &str| {
            let words: [&[u8]; 8] = [
                b"FLASHSALE.RESERVE",
                b"sale",
                user,
                b"1",
                b"ID",
                id,
                b"PASS",
                pass.as_bytes(),
            ];
            crate::support::render(&con.run_words(&words))
        };
        assert!(says(&mut con, &pass("ann-1", "ann")).starts_with("NOPASS"));
        assert!(says(&mut con, &shown).starts_with("RESERVED"));
    }
}
