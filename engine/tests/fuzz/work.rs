//! **Goal**: no names and no sequence of calls that a client can choose make a call take
//! much longer than what ordinary clients send: not the average one, and not the longest.
//!
//! **Method**: the engine counts the steps its tables take (`engine/src/table/work.rs`), which is
//! the same on every machine. Families of chosen names (`fuzz/names.rs`) go through the
//! lives of ids, users, SKUs and REFs, and are held against random names; storms of calls
//! (`fuzz/storms.rs`) against the same storm an eighth as long. `FLASHSALE_SEED` repeats
//! a run, `FLASHSALE_NAMES` sets how many names or calls there are.

use super::names::{CHOSEN, RANDOM};
use super::shop::{LONG_MS, Shop, Took};
use super::storms::{STORMS, Storm};
use flashsale_fuzz::dice::Dice;
use flashsale_fuzz::seeded::number;

/// How many times dearer what was chosen may be.
const TIMES_MAX: f64 = 3.0;
/// Names or calls, by default.
const NAMES: u64 = 6_000;
/// A storm is held against one this much shorter, which is long enough for its tables to
/// have grown past their first size.
const SHORTER: u64 = 8;
const STORM_MIN: u64 = 6_000;

/// The life of names in one role: what all calls about them take.
struct Role {
    what: &'static str,
    live: fn(&[Vec<u8>]) -> Took,
}

const ROLES: [Role; 5] = [
    Role {
        what: "ids",
        live: live_as_ids,
    },
    Role {
        what: "ids never seen",
        live: live_as_unseen_ids,
    },
    Role {
        what: "users",
        live: live_as_users,
    },
    Role {
        what: "SKUs",
        live: live_as_skus,
    },
    Role {
        what: "REFs of one order",
        live: live_as_refs,
    },
];

/// Ids that are reserved, asked for again, and sold or released.
fn live_as_ids(names: &[Vec<u8>]) -> Took {
    let mut shop = Shop::of(&[b"sku"]);
    for (n, id) in names.iter().enumerate() {
        let user = format!("u{n}");
        for is_new in [true, false] {
            let has_changed = shop.reserve(user.as_bytes(), id, &[(b"sku", 1)]);
            assert_eq!(has_changed, is_new);
        }
    }
    for (n, id) in names.iter().enumerate() {
        let has_changed = match n % 2 {
            0 => shop.checkout(id),
            _ => shop.release(id),
        };
        assert!(has_changed);
    }
    shop.now_ms += LONG_MS;
    shop.sweep_all();
    shop.took
}

/// Ids that are released before they were seen, more than are remembered.
fn live_as_unseen_ids(names: &[Vec<u8>]) -> Took {
    let mut shop = Shop::of(&[b"sku"]);
    shop.bounds.reservations_max = names.len() / 2;
    for id in names {
        assert!(shop.release(id));
    }
    shop.took
}

/// Users who reserve twice, buy, and are forgotten.
fn live_as_users(names: &[Vec<u8>]) -> Took {
    let mut shop = Shop::of(&[b"sku"]);
    for (n, user) in names.iter().enumerate() {
        for of_two in ["a", "b"] {
            assert!(shop.reserve(user, format!("{of_two}{n}").as_bytes(), &[(b"sku", 1)]));
        }
        assert_eq!(shop.look_at(user).reserved, 2);
    }
    for n in 0..names.len() / 2 {
        assert!(shop.checkout(format!("a{n}").as_bytes()));
    }
    shop.now_ms += LONG_MS;
    shop.sweep_all();
    shop.sweep_all();
    assert_eq!(shop.sale.users_known(), names.len() as u64 / 2);
    shop.took
}

/// SKUs that are put on sale, a few a call, and bought.
fn live_as_skus(names: &[Vec<u8>]) -> Took {
    let mut shop = Shop::of(&[b"sku", b"another"]);
    for some in names.chunks(20) {
        assert!(shop.restock(some));
    }
    for (n, some) in names.chunks(3).enumerate() {
        let lines: Vec<_> = some.iter().map(|sku| (&sku[..], 1)).collect();
        assert!(shop.reserve(b"u", n.to_string().as_bytes(), &lines));
    }
    shop.took
}

/// REFs of one order that is refunded unit by unit, each of them twice.
fn live_as_refs(names: &[Vec<u8>]) -> Took {
    let mut shop = Shop::of(&[b"sku"]);
    assert!(shop.reserve(b"u", b"id", &[(b"sku", names.len() as u64)]));
    assert!(shop.checkout(b"id"));
    for is_new in [true, false] {
        for reference in names {
            assert_eq!(shop.refund(b"id", reference), is_new);
        }
    }
    shop.took
}

fn count() -> u64 {
    number("FLASHSALE_NAMES").unwrap_or(NAMES)
}

#[track_caller]
fn assert_fair(what: &str, chosen: &Took, ordinary: &Took) {
    let times = chosen.times(ordinary);
    println!(
        "{what}: {:.1} steps a call, {} in the longest, {times:.2} times the ordinary",
        chosen.average(),
        chosen.longest,
    );
    assert!(
        times <= TIMES_MAX,
        "{what}: {chosen:?}, ordinary {ordinary:?}"
    );
}

#[test]
fn no_names_cost_more_than_random_ones() {
    let mut dice = Dice::seeded();
    for Role { what, live } in ROLES {
        let ordinary = live(&RANDOM.take(count(), &mut dice));
        for family in CHOSEN {
            let chosen = live(&family.take(count(), &mut dice));
            assert_fair(&format!("{what}, {}", family.what), &chosen, &ordinary);
        }
    }
}

#[test]
fn no_storm_costs_more_a_call_the_longer_it_is() {
    let long = count().max(SHORTER * STORM_MIN);
    for Storm { what, rage } in STORMS {
        assert_fair(what, &rage(long), &rage(long / SHORTER));
    }
}
