//! A seeded mix of commands on the sale `sale` and its stream `orders`, for the tests
//! that compare two copies of what came out of it.

use super::con::Con;
use super::wait::wait_until;
use flashsale_fuzz::dice::Dice;

/// Longer than any GRACE that [`play`] gives, in milliseconds.
const GRACE_MS_MAX: u64 = 150;

/// The sale of [`play`]: every kind of limit, and ids remembered for long enough that comparing
/// two copies does not race with forgetting them.
const CREATE: &str = "FLASHSALE.CREATE sale orders ITEMS 3 a 500 b 300 c 200 USERLIMIT 60 \
    ITEMLIMIT 50 ORDERLIMIT 9 SALELIMIT 900 HOLD 3000000 MAXHOLD 9000000 GRACE 40";

/// Makes the sale of [`play`], which writes all that happens to its stream.
#[track_caller]
pub fn create(con: &mut Con) {
    con.says(&format!("{CREATE} EVENTS all"), "OK");
}

/// Makes the sale of [`play`] on a server that may be older than EVENTS.
#[track_caller]
pub fn create_with_orders_alone(con: &mut Con) {
    con.says(CREATE, "OK");
}

/// Sends `count` random commands; refusals and errors among them are welcome. The sale
/// is not paused in the end.
#[track_caller]
pub fn play(con: &mut Con, dice: &mut Dice, count: u32) {
    stir(con, dice, count);
    con.says("FLASHSALE.RESUME sale", "OK");
}

/// The same to a sale that may be closed, or gone.
#[track_caller]
pub fn stir(con: &mut Con, dice: &mut Dice, count: u32) {
    for _ in 0..count {
        let id = format!("id{}", dice.below(400));
        let user = format!("u{}", dice.below(30));
        let sku = ["a", "b", "c"][dice.below(3) as usize];
        let qty = 1 + dice.below(4);
        // Some reservations last for milliseconds, so that expiry takes part.
        let hold = if dice.below(4) == 0 {
            1 + dice.below(30)
        } else {
            3_000_000
        };
        let line = match dice.below(22) {
            0..=6 => format!("RESERVE sale {user} ITEMS 2 {sku} {qty} b 1 ID {id} HOLD {hold}"),
            7 => format!("RESERVE sale {user} ITEMS 1 {sku} {qty}"),
            8..=10 => format!("CHECKOUT sale orders {id} REF p{}", dice.below(2)),
            11 => format!("BUY sale orders {user} ITEMS 1 {sku} {qty} ID {id} PAYLOAD [{qty}]"),
            12 => format!("BUY sale orders {user} ITEMS 1 {sku} {qty} REF x"),
            13 | 14 => format!("RELEASE sale {id}"),
            15 => format!("EXTEND sale {id} {}", 3_000_000 + dice.below(6_000_000)),
            16 => format!(
                "REFUND sale orders {id} ITEMS 1 {sku} 1 REF f{} RESTORELIMIT",
                dice.below(3)
            ),
            17 => format!("REFUND sale orders {id} NORESTOCK"),
            18 => format!(
                "RESTOCK sale ITEMS 1 {sku} {} REF s{}",
                1 + dice.below(9),
                dice.below(50)
            ),
            19 => {
                let other = dice.below(400);
                format!(
                    "MRESERVE sale ENTRIES 3 {user} {qty} {id} u9 1 id{other} {user} 1 {id}-b \
                     SKU {sku} HOLD {hold}"
                )
            }
            20 => {
                let (one, other) = (dice.below(400), dice.below(400));
                format!("MCHECKOUT sale orders ENTRIES 3 {id} p0 id{one} p1 id{other} p0")
            }
            _ => match dice.below(6) {
                0 => "PAUSE sale".to_owned(),
                1 | 2 => "RESUME sale".to_owned(),
                3 => format!("RESTOCK sale ITEMS 1 n{} 3 NEW", dice.below(9)),
                4 => format!(
                    "ALTER sale USERLIMIT {} GRACE {}",
                    40 + dice.below(40),
                    dice.below(60)
                ),
                _ => format!("RESTOCK sale ITEMS 1 {sku} -{qty}"),
            },
        };
        con.run(&format!("FLASHSALE.{line}"));
    }
}

/// Waits until nothing is about to change by itself: every short reservation expired, its grace
/// is over, and every entry is written.
#[track_caller]
pub fn settle(con: &mut Con) {
    wait_until("no deadline is near", || {
        let soon = con.now_ms() + 60_000;
        let found = con.show("FLASHSALE.SCAN sale 0 COUNT 100000 STATE reserved");
        let ids = found
            .split_once('[')
            .expect("ids")
            .1
            .trim_end_matches(']')
            .to_owned();
        ids.split_whitespace().all(|id| {
            let deadline = con.field(&format!("FLASHSALE.GET sale {id}"), "expires_at_ms");
            deadline.parse::<u64>().is_ok_and(|at| at > soon)
        })
    });
    let over_at_ms = con.now_ms() + GRACE_MS_MAX;
    wait_until("every grace is over", || {
        con.now_ms() > over_at_ms && con.info("flashsale", "flashsale_overdue_ms") == "0"
    });
    // An older server, or one that follows another, says nothing or more.
    if con.info("replication", "role") == "master" {
        wait_until("no entry waits", || {
            let waiting = con.info("flashsale", "flashsale_events_waiting");
            waiting.is_empty() || waiting == "0"
        });
    }
}

/// Everything the reads tell of the sale, but for what depends on the clock and on
/// the allocator.
#[track_caller]
pub fn picture(con: &mut Con, key: &str) -> Vec<String> {
    let mut lines = vec![con.stock(key)];
    let info = con.map(&format!("FLASHSALE.INFO {key}"));
    let steady = info
        .iter()
        .filter(|(name, _)| name != "now_ms" && name != "memory_bytes");
    lines.extend(steady.map(|(name, value)| format!("{name} {value}")));
    for user in 0..30 {
        lines.push(con.show(&format!("FLASHSALE.USER {key} u{user}")));
    }
    for id in 0..400 {
        lines.push(con.show(&format!("FLASHSALE.GET {key} id{id}")));
    }
    lines
}
