//! Sequences of calls around lines as somebody would choose them who wants them to be slow, and
//! goes of the timer among them.
//!
//! Edge: as `storms.rs`.

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::HASHER;

use super::shop::{HOLD_MS, SWEEP, Shop, Took};
use super::storms::name;

/// A sale with a line, of few units: nobody who waits is ever absent.
fn shop(skus: &[&[u8]], units: u64, changes: Changes) -> Shop {
    let changes = Changes {
        waiting_max: Some(1_000_000),
        patience_ms: Some(0),
        ..changes
    };
    Shop::with(skus, units, changes)
}

impl Shop {
    /// RESERVE ... WAIT of somebody who is known by one name; did they join, or get units?
    fn wait(&mut self, id: &[u8], sku: &[u8], qty: u64) -> bool {
        let ask = Reserve {
            units: &[],
            user: HASHER.key(id),
            ask: Ask::Items([(sku, qty)].into_iter().collect()),
            id: HASHER.key(id),
            hold_ms: None,
            waits: true,
            pass: Pass::Missing,
            replaces: None,
        };
        self.call(|sale, now_ms, bounds| sale.plan_reserve(now_ms, &ask, bounds))
    }

    /// The step of a poll.
    fn poll(&mut self, id: &[u8]) -> bool {
        let id = HASHER.key(id);
        self.call(|sale, now_ms, bounds| {
            let place = sale.find_place(id).ok_or(Answer::NoReservation)?;
            sale.wait_terms(place, now_ms);
            let granted = sale.plan_grant_to(now_ms, place, bounds, &|_| true);
            granted.ok_or(Answer::Unchanged)
        })
    }

    fn draw(&mut self) {
        let drawn = self.call(|sale, now_ms, _| {
            let drawn = sale.plan_draw(now_ms, || [7; 16]);
            drawn.ok_or(Answer::Unchanged)
        });
        assert!(drawn);
    }

    /// What the timer does in one go, a call for each event; did it do anything?
    fn go(&mut self, is_present: bool) -> bool {
        let mut budget = SWEEP;
        let mut has_moved = self.call(|sale, now_ms, _| {
            let swept = sale.plan_sweep_within(now_ms, &mut budget);
            swept.ok_or(Answer::Unchanged)
        });
        has_moved |= self.call(|sale, now_ms, _| {
            let ended = sale.plan_dissolve(now_ms, &mut budget);
            ended.ok_or(Answer::Unchanged)
        });
        let mut from = self.next_item;
        while budget > 0
            && self.call(|sale, now_ms, bounds| {
                let present = |_| is_present;
                let granted = sale.plan_grant(now_ms, &mut from, &mut budget, bounds, &present);
                granted.ok_or(Answer::Unchanged)
            })
        {
            has_moved = true;
        }
        self.next_item = from;
        has_moved
    }

    fn go_on(&mut self) {
        while self.go(true) {}
    }
}

/// People who wait for an item each, and all of whom get it at once.
pub fn many_lines(calls: u64) -> Took {
    let mut shop = shop(&[b"sku"], 1, Changes::default());
    let lines = calls / 8;
    let skus: Vec<_> = (0..lines).map(|n| name('s', n)).collect();
    for some in skus.chunks(20) {
        assert!(shop.restock_each(some, 1));
    }
    for (n, sku) in (0..).zip(&skus) {
        assert!(shop.reserve(b"holder", &name('h', n), &[(sku, 1)]));
        assert!(shop.wait(&name('w', n), sku, 1));
    }
    for (n, sku) in (0..).zip(&skus) {
        assert!(shop.release(&name('h', n)));
        assert!(!shop.reserve(b"walk-in", b"walk-in", &[(sku, 1)]));
    }
    shop.go_on();
    assert_eq!(shop.sale.line_counts().granted, lines);
    shop.took
}

/// What a sale with a START in the future is, and its moment.
fn starts_later(shop: &Shop) -> (Changes, u64) {
    let start_at_ms = shop.now_ms + 1_000;
    let changes = Changes {
        start_at_ms: Some(start_at_ms),
        ..Changes::default()
    };
    (changes, start_at_ms)
}

fn begin_later(units: u64) -> (Shop, u64) {
    let (changes, start_at_ms) = starts_later(&shop(&[b"sku"], 1, Changes::default()));
    (shop(&[b"sku"], units, changes), start_at_ms)
}

pub fn churn(calls: u64) -> Took {
    let (mut shop, start_at_ms) = begin_later(1);
    // Not remembered.
    shop.bounds.reservations_max = 0;
    assert!(shop.wait(b"who stays", b"sku", 1));
    let people = calls / 3;
    for n in 0..people {
        assert!(shop.wait(&name('w', n), b"sku", 1));
        if n % 2 == 1 {
            shop.release(&name('w', n - n % 7));
        }
    }
    for n in 0..people {
        shop.release(&name('w', n));
    }
    shop.now_ms = start_at_ms;
    shop.draw();
    shop.took
}

pub fn drawn(calls: u64) -> Took {
    let people = calls / 4;
    let (mut shop, start_at_ms) = begin_later(people / 2);
    for n in 0..people {
        assert!(shop.wait(&name('w', n), b"sku", 1));
    }
    shop.now_ms = start_at_ms;
    shop.draw();
    for n in 0..people {
        shop.poll(&name('w', n));
    }
    shop.go_on();
    assert_eq!(shop.sale.line_counts().granted, people / 2);
    shop.took
}

/// They leave from the back, then from the front, so that the head finds nobody for long.
pub fn holes(calls: u64) -> Took {
    let mut shop = shop(&[b"sku"], 1, Changes::default());
    shop.bounds.reservations_max = 1;
    assert!(shop.reserve(b"u", b"one", &[(b"sku", 1)]));
    let people = calls / 3;
    for n in 0..people {
        assert!(shop.wait(&name('w', n), b"sku", 1));
    }
    for n in (0..people - 1).rev() {
        assert!(shop.release(&name('w', n)));
    }
    assert!(!shop.poll(&name('w', people - 1)));
    assert!(shop.release(b"one"));
    assert!(!shop.reserve(b"walk-in", b"walk-in", &[(b"sku", 1)]));
    shop.go_on();
    assert_eq!(shop.sale.line_counts().granted, 1);
    shop.took
}

pub fn absent(calls: u64) -> Took {
    let patience = Changes {
        patience_ms: Some(2_000),
        ..Changes::default()
    };
    let mut shop = shop(&[b"sku"], 1, Changes::default());
    assert!(shop.call(|sale, now_ms, _| sale.plan_alter(now_ms, &patience)));
    assert!(shop.reserve(b"u", b"one", &[(b"sku", 1)]));
    for n in 0..calls {
        assert!(shop.wait(&name('w', n), b"sku", 1));
    }
    assert!(shop.release(b"one"));
    while shop.go(false) {}
    assert_eq!(shop.sale.line_counts().passed_over, calls);
    shop.took
}

/// More lines than are asked what is due in them: walk-ins of another item pay for those.
pub fn short_fronts(calls: u64) -> Took {
    let mut shop = shop(&[b"sku"], 1 << 30, Changes::default());
    let skus: Vec<_> = (0..calls / 8).map(|n| name('s', n)).collect();
    for some in skus.chunks(20) {
        assert!(shop.restock_each(some, 2));
    }
    for (n, sku) in (0..).zip(&skus) {
        assert!(shop.reserve(b"holder", &name('h', n), &[(sku, 1)]));
        assert!(shop.wait(&name('w', n), sku, 2));
    }
    for n in 0..calls / 4 {
        assert!(shop.reserve(&name('u', n), &name('r', n), &[(b"sku", 1)]));
        shop.go(true);
    }
    shop.took
}

/// Each has as many reservations as there are looks at, and waits for one more than may be.
pub fn limited(calls: u64) -> Took {
    const EACH: u64 = 900;
    let mut shop = shop(&[b"sku", b"other"], 1 << 30, Changes::default());
    let limit = Changes {
        user_limit: Some(EACH),
        ..Changes::default()
    };
    let users = calls / EACH;
    // One of them is overdue when everybody has their turn, and not one of theirs.
    assert!(shop.reserve(b"zoe", b"overdue", &[(b"other", 1)]));
    shop.now_ms += HOLD_MS - 1;
    assert!(shop.reserve(b"yan", b"all", &[(b"sku", 1 << 30)]));
    for n in 0..users {
        assert!(shop.wait(&name('u', n), b"sku", 1));
        for of in 0..EACH {
            let id = name('r', n * EACH + of);
            assert!(shop.reserve(&name('u', n), &id, &[(b"other", 1)]));
        }
    }
    assert!(shop.call(|sale, now_ms, _| sale.plan_alter(now_ms, &limit)));
    assert!(shop.release(b"all"));
    shop.now_ms += 1;
    assert!(shop.sale.has_overdue(shop.now_ms));
    let (from, budget) = (&mut 0, &mut SWEEP.clone());
    shop.call(|sale, now_ms, bounds| {
        let granted = sale.plan_grant(now_ms, from, budget, bounds, &|_| true);
        granted.ok_or(Answer::Unchanged)
    });
    for n in 0..users {
        shop.poll(&name('u', n));
    }
    shop.go_on();
    assert_eq!(shop.sale.line_counts().passed_over, users);
    shop.took
}

pub fn closed_to_others(calls: u64) -> Took {
    let mut shop = shop(&[b"sku"], 1, Changes::default());
    let nobody = Changes {
        waiting_max: Some(0),
        ..Changes::default()
    };
    assert!(shop.reserve(b"u", b"one", &[(b"sku", 1)]));
    let people = calls / 4;
    for n in 0..people {
        assert!(shop.wait(&name('w', n), b"sku", 1));
    }
    assert!(shop.call(|sale, now_ms, _| sale.plan_alter(now_ms, &nobody)));
    for n in 0..people {
        assert!(!shop.wait(&name('x', n), b"sku", 1));
        assert!(!shop.poll(&name('w', n)));
    }
    let mut holder = b"one".to_vec();
    for n in 0..people {
        assert!(shop.release(&holder) && shop.poll(&name('w', n)));
        holder = name('w', n);
    }
    shop.took
}

/// What is left of it is freed while others come.
pub fn dissolved(calls: u64) -> Took {
    let mut shop = shop(&[b"sku", b"other"], 1, Changes::default());
    assert!(shop.reserve(b"u", b"one", &[(b"sku", 1)]));
    assert!(shop.reserve(b"u", b"two", &[(b"other", 1)]));
    for n in 0..calls / 2 {
        assert!(shop.wait(&name('w', n), b"sku", 1));
    }
    assert!(shop.checkout(b"one") && shop.go(true));
    for n in 0..calls / 4 {
        assert!(shop.wait(&name('x', n), b"other", 1));
        assert!(!shop.poll(&name('w', n)));
    }
    assert_eq!(shop.sale.waiting_len(), calls / 4);
    shop.took
}
