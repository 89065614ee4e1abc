//! A sale with a past, made by an older module, of which every part has another form in
//! the formats of today.

use crate::support::workload::{create_with_orders_alone as create, play, settle};
use crate::support::{Con, Dice, wait_until};

/// Nine SKUs: of a final cart of so many, today's module keeps a digest.
const LARGE: &str = "ITEMS 9 m0 1 m1 1 m2 1 m3 1 m4 1 m5 1 m6 1 m7 1 m8 1";

const LINES: [&str; 12] = [
    "RESTOCK sale ITEMS 9 m0 40 m1 40 m2 40 m3 40 m4 40 m5 40 m6 40 m7 40 m8 40 NEW REF truck",
    "RESTOCK sale ITEMS 1 m0 -3 REF thief",
    "RESERVE sale large ITEMS 9 m0 1 m1 1 m2 1 m3 1 m4 1 m5 1 m6 1 m7 1 m8 1 ID large",
    "BUY sale orders back ITEMS 2 m0 3 m1 2 ID back REF charge",
    "REFUND sale orders back ITEMS 1 m0 1 REF stocked",
    "REFUND sale orders back ITEMS 1 m0 1 REF broken NORESTOCK RESTORELIMIT",
    "BUY sale orders all ITEMS 1 m2 2 ID all",
    "REFUND sale orders all NORESTOCK",
    "RESERVE sale gone ITEMS 2 m3 1 m4 1 ID gone",
    "RELEASE sale gone",
    "RELEASE sale unseen",
    "RESERVE sale open ITEMS 2 m5 2 m6 1 ID open HOLD 3000000",
];

/// Makes `sale`, with commands by chance in front of those of everybody's.
#[track_caller]
pub fn live(con: &mut Con, dice: &mut Dice, commands: u32) {
    create(con);
    play(con, dice, commands);
    con.says("FLASHSALE.ALTER sale GRACE 0 SALELIMIT 0", "OK");
    for line in LINES {
        does(con, line);
    }
    does(con, "RELEASE sale large");
    settle(con);
}

/// Makes two small sales of which a reservation has expired within its grace: of
/// `patient` it lasts for an hour, of `hasty` it is soon over.
#[track_caller]
pub fn expire_within_grace(con: &mut Con) {
    for (sale, grace_ms) in [("patient", 3_600_000), ("hasty", 300)] {
        let items = LARGE.replace(" 1", " 5");
        does(
            con,
            &format!("CREATE {sale} {sale}:orders {items} HOLD 50 GRACE {grace_ms}"),
        );
        does(con, &format!("RESERVE {sale} ann {LARGE} ID late"));
        let line = format!("FLASHSALE.GET {sale} late");
        wait_until("it expired", || con.field(&line, "state") == "expired");
    }
}

#[track_caller]
fn does(con: &mut Con, line: &str) {
    let told = con.show(&format!("FLASHSALE.{line}"));
    let is_done = ["OK", "RE", "SOLD"]
        .iter()
        .any(|word| told.starts_with(word));
    assert!(is_done, "{line}: {told}");
}
