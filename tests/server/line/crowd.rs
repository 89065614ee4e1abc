//! A seeded mix of commands on a sale with lines, for the tests that compare two copies of what
//! came out of it. The names are those of `support/workload.rs`, whose picture shows them.
//!
//! Edge: sends commands, and waits until nothing is left to happen; looks at no reply.

use crate::support::{Con, Dice, unix_ms, wait_until, workload};

/// Ids there are; each asks for the same whenever it comes.
const IDS: u64 = 120;

/// Makes the sale: few units, so that most have to wait, and a START that is yet to come.
#[track_caller]
pub fn create(con: &mut Con) {
    let start_at_ms = unix_ms() + 150;
    con.says(
        &format!(
            "FLASHSALE.CREATE sale orders ITEMS 3 a 9 b 6 c 4 USERLIMIT 12 HOLD 3000000 \
             MAXHOLD 9000000 GRACE 20 WAITING 100 PATIENCE 2000 EVENTS all START {start_at_ms}"
        ),
        "OK",
    );
}

/// What an id asks for: its user, item and units.
fn of(id: u64) -> (u64, &'static str, u64) {
    (id % 30, ["a", "b", "c"][id as usize % 3], 1 + id % 2)
}

/// Sends `count` random commands; refusals and errors among them are welcome.
pub fn play(con: &mut Con, dice: &mut Dice, count: u32) {
    for _ in 0..count {
        let id = dice.below(IDS);
        let (user, sku, qty) = of(id);
        let line = match dice.below(40) {
            0..=17 => format!("RESERVE sale u{user} ITEMS 1 {sku} {qty} ID id{id} WAIT"),
            18..=20 => format!("RELEASE sale id{id}"),
            21..=23 => format!("CHECKOUT sale orders id{id}"),
            24 | 25 => format!(
                "RESERVE sale u{user} ITEMS 1 {sku} 1 ID id{} HOLD {}",
                IDS + id,
                1 + dice.below(40)
            ),
            26 => format!("BUY sale orders u{user} ITEMS 1 {sku} 1 ID id{}", IDS + id),
            27..=29 => format!("RESTOCK sale ITEMS 1 {sku} {}", 1 + dice.below(3)),
            30 => format!("RESTOCK sale ITEMS 1 {sku} -1"),
            31 => {
                let other = (id + 3) % IDS;
                let (other_user, _, other_qty) = of(other);
                format!(
                    "MRESERVE sale ENTRIES 2 u{user} {qty} id{id} u{other_user} {other_qty} \
                     id{other} SKU {sku}"
                )
            }
            32 => format!("MRELEASE sale ENTRIES 2 id{id} id{}", (id + 1) % IDS),
            33 => format!("REFUND sale orders id{id}"),
            34 => "PAUSE sale".to_owned(),
            35 | 36 => "RESUME sale".to_owned(),
            37 => format!("ALTER sale START {}", unix_ms() + dice.below(60)),
            38 => format!("ALTER sale PACE {} 50", 1 + dice.below(9)),
            _ => format!(
                "ALTER sale USERLIMIT {} PATIENCE {}",
                4 + dice.below(9),
                2_000 * dice.below(2)
            ),
        };
        con.run(&format!("FLASHSALE.{line}"));
    }
}

/// Waits until nothing is about to happen by itself: START is over, no deadline is near, and
/// what the timer had to do is done.
#[track_caller]
pub fn settle(con: &mut Con) {
    con.says("FLASHSALE.RESUME sale", "OK");
    let start_at_ms = con.field("FLASHSALE.INFO sale", "start_at_ms");
    let start_at_ms: u64 = start_at_ms.parse().expect("a moment");
    wait_until("START is over", || unix_ms() > start_at_ms);
    workload::settle(con);
    let (mut last, mut since_ms) = (String::new(), unix_ms());
    wait_until("the lines stand still", || {
        let digest = con.digest("sale orders");
        if digest != last {
            (last, since_ms) = (digest, unix_ms());
        }
        unix_ms() > since_ms + 300
    });
    for (name, nothing) in [("granted", "0"), ("drawn_at_ms", "(nil)")] {
        assert_ne!(con.field("FLASHSALE.INFO sale", name), nothing, "{name}");
    }
}

/// What must be the same on both sides.
#[track_caller]
pub fn traits(con: &mut Con) -> Vec<String> {
    let mut traits = workload::picture(con, "sale");
    traits.push(con.show("FLASHSALE.SCAN sale 0 COUNT 1000 STATE waiting"));
    traits.push(con.digest("sale orders"));
    traits
}

#[track_caller]
pub fn assert_same(before: &[String], con: &mut Con) {
    let after = traits(con);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old, new);
    }
    con.has_not_diverged();
    con.fields("FLASHSALE.AUDIT sale orders", "consistent 1");
}
