//! UNITS and GET: what anybody may see, and what only WITHIDS tells.

use super::{all_units, each, hall, restock, seats};
use crate::support::{Dice, Server, replicate, text_of, wait_for_replica};
use redis::Value;

const HALL: &str = "ITEMS 3 stalls 0 ga 10 code 0 HOLD 60000";

#[test]
fn units_are_told_with_their_states_and_their_ids_where_asked() {
    each(HALL, |_, con| {
        hall(con);
        con.says(
            "FLASHSALE.RESERVE sale ann UNITS 2 A-1 A-2 ID secret-1",
            "RESERVED ...",
        );
        con.says(
            "FLASHSALE.BUY sale orders bob UNITS 1 A-3 ID secret-2",
            "SOLD ...",
        );
        con.says(
            "FLASHSALE.RESTOCK sale UNITS stalls 1 A-4 WITHDRAW",
            "RESTOCKED ...",
        );
        con.says(
            "FLASHSALE.UNITS sale stalls 0 COUNT 5",
            "* [[A-1 reserved] [A-2 reserved] [A-3 sold] [A-4 withdrawn] [A-5 free]]",
        );
        con.says(
            "FLASHSALE.UNITS sale stalls 0 WITHIDS COUNT 5",
            "* [[A-1 reserved secret-1] [A-2 reserved secret-1] [A-3 sold secret-2] \
             [A-4 withdrawn (nil)] [A-5 free (nil)]]",
        );
        let rest = "A-6 free B-1 free B-2 free B-3 free B-4 free B-5 free B-6 free";
        assert!(all_units(con, "stalls", "COUNT 5").ends_with(rest));
        for options in ["", "COUNT 1", "COUNT 3", "COUNT 12", "COUNT 10000"] {
            let told = all_units(con, "stalls", options);
            assert!(!told.contains("secret"), "{told}");
            assert_eq!(told, all_units(con, "stalls", ""), "{options}");
        }
        con.says("FLASHSALE.RELEASE sale secret-1", "RELEASED ...");
        let told = all_units(con, "stalls", "WITHIDS");
        assert!(
            told.starts_with("A-1 free (nil) A-2 free (nil) A-3 sold secret-2"),
            "{told}"
        );
    });
}

#[test]
fn what_cannot_be_told_is_an_error() {
    each(HALL, |_, con| {
        hall(con);
        restock(con, "code", "k1 k2", "SEALED");
        for (line, code, part) in [
            ("sale ga 0", "ERR", "sku: 'ga' has no named units"),
            ("sale nosuch 0", "NOSKU", "'nosuch'"),
            ("nosuch stalls 0", "NOSALE", "'nosuch'"),
            ("sale stalls x", "ERR", "cursor"),
            ("sale stalls -1", "ERR", "cursor"),
            ("sale stalls 0 COUNT 0", "ERR", "COUNT"),
            ("sale stalls 0 COUNT 10001", "ERR", "at most 10000"),
            ("sale stalls 0 COUNT 1 COUNT 1", "ERR", "COUNT: given twice"),
            (
                "sale stalls 0 WITHIDS WITHIDS",
                "ERR",
                "WITHIDS: given twice",
            ),
            ("sale stalls 0 STATE free", "ERR", "STATE"),
            ("sale code 0", "ERR", "WITHIDS"),
        ] {
            con.fails(&format!("FLASHSALE.UNITS {line}"), code, part);
        }
        con.says("SET text x", "OK");
        con.fails("FLASHSALE.UNITS text stalls 0", "WRONGTYPE", "text");
        // A cursor that is none of ours is answered, whatever it is.
        for cursor in ["1", "12", "4294967296", "9007199254740991"] {
            let reply = con.show(&format!("FLASHSALE.UNITS sale stalls {cursor}"));
            assert!(!reply.contains("(error)"), "{cursor}: {reply}");
        }
    });
}

#[test]
fn of_codes_only_what_was_sold_is_told_and_only_with_ids() {
    each(HALL, |_, con| {
        restock(con, "code", "k1 k2 k3 k4", "SEALED");
        con.says("FLASHSALE.UNITS sale code 0 WITHIDS", "\"0\" []");
        con.says(
            "FLASHSALE.RESERVE sale ann ITEMS 1 code 1 ID i1",
            "RESERVED i1 * 3 -1",
        );
        con.fields("FLASHSALE.GET sale i1", "items [[code 1]], units []");
        con.says(
            "FLASHSALE.BUY sale orders bob ITEMS 1 code 2 ID b1",
            "SOLD ...",
        );
        assert_eq!(all_units(con, "code", "WITHIDS"), "k1 sold b1 k2 sold b1");
        assert_eq!(
            all_units(con, "code", "COUNT 1 WITHIDS"),
            "k1 sold b1 k2 sold b1"
        );
        con.fields("FLASHSALE.GET sale b1", "units [[code k1] [code k2]]");
    });
}

#[test]
fn a_scan_tells_each_unit_once_whatever_happens_meanwhile() {
    each(HALL, |_, con| {
        for row in 0..30 {
            restock(con, "stalls", &seats(&format!("R{row}"), 1, 40), "");
        }
        let mut dice = Dice::seeded();
        let (mut cursor, mut told) = ("0".to_owned(), Vec::new());
        for round in 0.. {
            let line = format!("FLASHSALE.UNITS sale stalls {cursor} COUNT 13");
            let Value::Array(parts) = con.run(&line) else {
                panic!("a cursor and units");
            };
            let Value::Array(units) = &parts[1] else {
                panic!("units")
            };
            for unit in units {
                let Value::Array(pair) = unit else {
                    panic!("a unit and its state")
                };
                told.push(text_of(&pair[0]));
            }
            cursor = text_of(&parts[0]);
            if cursor == "0" {
                break;
            }
            let qty = 1 + dice.below(5);
            con.run(&format!(
                "FLASHSALE.RESERVE sale u ITEMS 1 stalls {qty} ID i{round}"
            ));
            if round % 3 == 0 {
                con.run(&format!(
                    "FLASHSALE.RELEASE sale i{}",
                    dice.below(1 + round)
                ));
            }
            if round % 10 == 0 {
                restock(con, "stalls", &seats(&format!("N{round}"), 1, 20), "");
                con.says("DEBUG RELOAD", "OK");
            }
        }
        let old: Vec<&String> = told.iter().filter(|name| name.starts_with('R')).collect();
        assert_eq!(old.len(), 1_200);
        let mut names = told.clone();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), told.len(), "none twice");
    });
}

#[test]
fn a_replica_serves_units() {
    let (Some(primary), Some(replica)) = (Server::own(&[], &[]), Server::own(&[], &[])) else {
        return;
    };
    replicate(&primary, &replica);
    let mut con = primary.conn();
    con.says(&format!("FLASHSALE.CREATE sale orders {HALL}"), "OK");
    hall(&mut con);
    con.says(
        "FLASHSALE.RESERVE sale ann UNITS 1 A-2 ID i1",
        "RESERVED ...",
    );
    wait_for_replica(&primary, &replica);
    let mut copy = replica.conn();
    copy.says(
        "FLASHSALE.UNITS sale stalls 0 COUNT 2 WITHIDS",
        "* [[A-1 free (nil)] [A-2 reserved i1]]",
    );
    copy.fields("FLASHSALE.GET sale i1", "units [[stalls A-2]]");
    copy.has_not_diverged();
}
