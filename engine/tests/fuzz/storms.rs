//! Sequences of calls as somebody would choose them who wants them to be slow.
//!
//! Edge: each is a function of how many calls there are; `work.rs` holds a long one
//! against a short one.

use super::shop::{HOLD_MS, LONG_MS, Shop, Took};
use super::storms_line as line;

pub struct Storm {
    pub what: &'static str,
    /// About so many calls, and what they took.
    pub rage: fn(u64) -> Took,
}

pub const STORMS: [Storm; 16] = [
    Storm {
        what: "releases of ids never seen",
        rage: releases,
    },
    Storm {
        what: "refunds of one order",
        rage: refunds,
    },
    Storm {
        what: "extends to one moment and back apart",
        rage: extends,
    },
    Storm {
        what: "reservations due at once",
        rage: due_at_once,
    },
    Storm {
        what: "late checkouts of reservations due at once",
        rage: late_checkouts,
    },
    Storm {
        what: "reserving and releasing at max-reservations",
        rage: loops_at_the_bound,
    },
    Storm {
        what: "one user's many reservations",
        rage: one_user,
    },
    Storm {
        what: "lines of many items",
        rage: line::many_lines,
    },
    Storm {
        what: "people who join and leave before the draw",
        rage: line::churn,
    },
    Storm {
        what: "a large line that is drawn and served",
        rage: line::drawn,
    },
    Storm {
        what: "a line that all have left but one",
        rage: line::holes,
    },
    Storm {
        what: "a line of people who are absent",
        rage: line::absent,
    },
    Storm {
        what: "fronts that want more than there is",
        rage: line::short_fronts,
    },
    Storm {
        what: "turns of users at their limit while something is overdue",
        rage: line::limited,
    },
    Storm {
        what: "a line that nobody may join any more",
        rage: line::closed_to_others,
    },
    Storm {
        what: "a large line that ends",
        rage: line::dissolved,
    },
];

pub fn name(kind: char, n: u64) -> Vec<u8> {
    format!("{kind}{n}").into_bytes()
}

fn shop() -> Shop {
    Shop::of(&[b"sku"])
}

impl Shop {
    fn reserve_one(&mut self, user: &[u8], n: u64) {
        assert!(self.reserve(user, &name('i', n), &[(b"sku", 1)]));
    }
}

fn releases(calls: u64) -> Took {
    let mut shop = shop();
    shop.bounds.reservations_max = 1_000;
    for n in 0..calls {
        assert!(shop.release(&name('i', n)));
    }
    shop.took
}

fn refunds(calls: u64) -> Took {
    let mut shop = shop();
    assert!(shop.reserve(b"u", b"id", &[(b"sku", calls)]));
    assert!(shop.checkout(b"id"));
    for n in 0..calls / 2 {
        assert!(shop.refund(b"id", &name('r', n)));
        assert!(!shop.refund(b"id", &name('r', n / 2)));
    }
    shop.took
}

fn extends(calls: u64) -> Took {
    let mut shop = shop();
    let ids = calls / 4;
    for n in 0..ids {
        shop.reserve_one(b"u", n);
    }
    for (round, ms) in [HOLD_MS + 1, HOLD_MS + 2, 2 * HOLD_MS]
        .into_iter()
        .enumerate()
    {
        for n in 0..ids {
            let apart = if round == 1 { n % 50_000 } else { 0 };
            assert!(shop.extend(&name('i', n), ms + apart));
        }
    }
    shop.took
}

fn due_at_once(calls: u64) -> Took {
    let mut shop = shop();
    for n in 0..calls {
        shop.reserve_one(&name('u', n / 3), n);
    }
    for _ in ["expired", "forgotten"] {
        shop.now_ms += LONG_MS;
        shop.sweep_all();
    }
    assert_eq!(shop.sale.reservations_known(), 0);
    shop.took
}

fn late_checkouts(calls: u64) -> Took {
    let mut shop = shop();
    let ids = calls / 3;
    for n in 0..ids {
        shop.reserve_one(&name('u', n), n);
    }
    shop.now_ms += HOLD_MS;
    for n in (0..ids).rev() {
        assert!(shop.expire(&name('i', n)));
        assert!(shop.checkout(&name('i', n)));
    }
    shop.took
}

fn loops_at_the_bound(calls: u64) -> Took {
    let mut shop = shop();
    shop.bounds.reservations_max = 500;
    for n in 0..calls / 2 {
        shop.reserve_one(&name('u', n), n);
        assert!(shop.release(&name('i', n)));
    }
    shop.took
}

/// Ends them from the middle, from the newest and from the oldest, looks at them in
/// between, and lets the few that are left become more and fewer again.
fn one_user(calls: u64) -> Took {
    let mut shop = shop();
    let ids = calls / 3;
    for n in 0..ids {
        shop.reserve_one(b"u", n);
    }
    let middle = (0..ids).filter(|n| n % 3 == 1);
    let newest = (0..ids).rev().filter(|n| n % 3 == 2);
    let oldest = (0..ids - 20).filter(|n| n % 3 == 0);
    for n in middle.chain(newest).chain(oldest) {
        assert!(shop.release(&name('i', n)));
        shop.look_at(b"u");
    }
    for n in ids..ids + 1_000 {
        shop.reserve_one(b"u", n);
        shop.reserve_one(b"u", n + calls);
        for n in [n, n + calls] {
            assert!(shop.release(&name('i', n)));
        }
    }
    shop.took
}
