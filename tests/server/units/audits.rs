//! AUDIT holds the units of each entry against the sale, and says no name: those of codes are for
//! whoever bought them.

use super::{each, hall, restock};
use crate::support::{Con, render};
use redis::Value;

const HALL: &str = "ITEMS 3 stalls 0 ga 10 code 0 HOLD 60000";

/// The words of the stream's entries, ids first.
#[track_caller]
fn entries(con: &mut Con) -> Vec<Vec<Vec<u8>>> {
    let Value::Array(entries) = con.run("XRANGE orders - +") else {
        panic!("entries")
    };
    let bytes = |value: &Value| match value {
        Value::BulkString(bytes) => bytes.clone(),
        other => panic!("{}", render(other)),
    };
    let words = |entry: &Value| match entry {
        Value::Array(parts) => match &parts[..] {
            [id, Value::Array(fields)] => {
                let mut words = vec![bytes(id)];
                words.extend(fields.iter().map(bytes));
                words
            }
            _ => panic!("an id and fields"),
        },
        other => panic!("{}", render(other)),
    };
    entries.iter().map(words).collect()
}

/// Writes the stream anew, with one text in the place of another.
#[track_caller]
fn rewrite(con: &mut Con, entries: &[Vec<Vec<u8>>], text: &str, other: &str) {
    con.says("DEL orders", "1");
    let mut exchanged = 0;
    for entry in entries {
        let mut words: Vec<Vec<u8>> = vec![b"XADD".to_vec(), b"orders".to_vec()];
        for word in entry {
            let is_text = String::from_utf8_lossy(word);
            exchanged += usize::from(is_text.contains(text));
            words.push(is_text.replace(text, other).into_bytes());
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let reply = render(&con.run_words(&words));
        assert!(!reply.contains("(error)"), "{reply}");
    }
    assert!(exchanged > 0, "no {text}");
}

#[test]
fn units_that_are_others_in_the_stream_are_a_difference_without_their_names() {
    each(HALL, |_, con| {
        hall(con);
        restock(con, "code", "QZX7-1 QZX7-2 QZX7-3", "SEALED");
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 1 code 2 UNITS 2 A-1 A-2 ID i1",
            "SOLD i1 (entry) [QZX7-1 QZX7-2 A-1 A-2]",
        );
        con.says(
            "FLASHSALE.REFUND sale orders i1 UNITS 2 A-2 QZX7-1 REF r",
            "REFUNDED i1 (entry)",
        );
        let whole = entries(con);
        assert_eq!(whole.len(), 2);
        for (text, other, count) in [
            // In the order alone, in both, one that is left out, and one that is not there.
            ("\"A-1\",\"A-2\"", "\"A-1\",\"A-3\"", 1),
            ("\"QZX7-1\"", "\"QZX7-3\"", 2),
            ("\"QZX7-1\"", "\"QZX7-9\"", 2),
            (",\"QZX7-2\"", "", 1),
            (",\"units\":[\"A-2\"]", "", 1),
        ] {
            rewrite(con, &whole, text, other);
            let audit = con.show("FLASHSALE.AUDIT sale orders");
            let told = audit.matches("are others in the stream").count();
            assert!(audit.contains("consistent 0"), "{text}: {audit}");
            assert_eq!(told, count, "{text}: {audit}");
            for name in ["QZX7", "A-1", "A-2", "A-3"] {
                assert!(!audit.contains(name), "{text}: {audit}");
            }
        }
        rewrite(con, &whole, "QZX7-1", "QZX7-1");
        con.fields("FLASHSALE.AUDIT sale orders", "consistent 1, entries 2");
    });
}

/// What a buyer may try: nothing tells a code from a guess.
#[test]
fn a_guess_that_is_a_code_is_answered_as_any_other() {
    each(HALL, |_, con| {
        hall(con);
        restock(con, "code", "QZX7-1 QZX7-2 QZX7-3", "SEALED");
        con.says(
            "FLASHSALE.BUY sale orders ann ITEMS 1 code 1 UNITS 1 A-1 ID i1",
            "SOLD i1 (entry) [QZX7-1 A-1]",
        );
        con.says(
            "FLASHSALE.RESERVE sale bob ITEMS 1 code 1 ID b1",
            "RESERVED b1 * 1 -1",
        );
        // One that is sold, one that is promised or free, and one that is not there.
        for guess in ["QZX7-1", "QZX7-2", "QZX7-9"] {
            for (line, answer) in [
                ("RESERVE sale eve UNITS 1 ? ID e1", "NOSKU"),
                ("RESERVE sale eve UNITS 2 A-2 ? ID e1", "NOSKU"),
                ("RESERVE sale eve ITEMS 1 code 1 UNITS 1 ? ID e1", "NOSKU"),
                ("RESERVE sale bob UNITS 1 ? ID b1", "MISMATCH"),
                ("RESERVE sale bob UNITS 1 ? ID b2 REPLACE b1", "NOSKU"),
                ("BUY sale orders eve UNITS 1 ? ID e1", "NOSKU"),
                ("BUY sale orders bob UNITS 1 ? ID b1", "MISMATCH"),
                ("REFUND sale orders b1 UNITS 1 ? REF r", "NOTSOLD"),
            ] {
                let line = format!("FLASHSALE.{}", line.replace('?', guess));
                let reply = con.show(&line);
                let of_any = con.show(&line.replace(guess, "a-guess"));
                assert_eq!(reply.replace(guess, "a-guess"), of_any, "{line}");
                assert!(reply.contains(answer), "{line}: {reply}");
            }
        }
        // Of another's code an order says no more.
        for guess in ["QZX7-2", "QZX7-9"] {
            let line = format!("FLASHSALE.REFUND sale orders i1 UNITS 1 {guess} REF r");
            con.fails(&line, "NOSKU", &format!("'{guess}'"));
        }
        con.says("FLASHSALE.RELEASE sale b1", "RELEASED b1");
    });
}
