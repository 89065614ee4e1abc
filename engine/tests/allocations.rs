//! What a decision costs in allocations.
//!
//! **Goal**: a refusal and a replay allocate nothing, and a reservation only what the
//! tables grow by, which is a page for hundreds: whoever hammers a sold-out sale costs
//! the server no memory, not even for a moment. In a batch an entry allocates no more.
//!
//! **Method**: the decisions of a sale with many users are made on an allocator that
//! counts the calls of this thread.

use std::ops::ControlFlow;

use flashsale_engine::sale::*;
use flashsale_fuzz::meter::{Meter, allocations};

#[global_allocator]
static METER: Meter = Meter;

/// How often `act` allocates.
fn allocations_of<T>(act: impl FnOnce() -> T) -> u64 {
    let before = allocations();
    std::hint::black_box(act());
    allocations() - before
}

const NOW_MS: u64 = 1_765_000_000_000;
const HASHER: Hasher = Hasher::new([1, 2]);
const BOUNDS: Bounds = Bounds {
    reservations_max: 1 << 20,
    items_max: 10,
    units_max: 10,
};
const USERS: u64 = 20_000;

fn sale(stock: u64, user_limit: u64) -> Sale {
    let ask = CreateAsk {
        sale_id: 1,
        share_id: 1,
        orders: b"orders",
        items: vec![(b"default", stock)],
        changes: Changes {
            user_limit: Some(user_limit),
            ..Changes::default()
        },
        hold_ms_default: 300_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &BOUNDS).unwrap();
    Sale::create(&created, HASHER).unwrap()
}

fn names(n: u64) -> (String, String) {
    (format!("{n:012}"), format!("01{n:024}"))
}

fn ask<'a>((user, id): &'a (String, String)) -> Reserve<'a> {
    Reserve {
        user: HASHER.key(user.as_bytes()),
        ask: Ask::Qty(1),
        units: &[],
        id: HASHER.key(id.as_bytes()),
        hold_ms: None,
        replaces: None,
        waits: false,
        pass: Pass::Missing,
    }
}

/// Reserves one unit for each user and says how often that allocated in all.
fn fill(sale: &mut Sale) -> u64 {
    let mut spent = 0;
    for n in 0..USERS {
        let names = names(n);
        let ask = ask(&names);
        spent += allocations_of(|| {
            let event = sale.plan_reserve(NOW_MS + n / 400, &ask, &BOUNDS).unwrap();
            sale.apply(&event);
        });
    }
    spent
}

#[test]
fn a_reservation_allocates_only_what_the_tables_grow_by() {
    let mut sale = sale(USERS, 1);
    let spent = fill(&mut sale);
    assert!(spent < USERS / 30, "{spent} for {USERS} reservations");
}

/// Carries out what changes a sale, into a container, and answers nobody.
struct Carrying<'s> {
    sale: &'s mut Sale,
    container: ContainerWriter,
}

impl<'a> Carrier<'a> for Carrying<'_> {
    type Answered = ();

    fn sale(&self) -> &Sale {
        self.sale
    }

    fn expire(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        self.container.push(event);
        self.sale.apply(event);
        ControlFlow::Continue(())
    }

    fn change(&mut self, event: &Event<'a>) {
        self.container.push(event);
        self.sale.apply(event);
    }

    fn order(&mut self, _: Pending<'a>) {}

    fn say(&mut self, _: &Entry<'a>, _: Answer) {}

    fn refuse_large(&mut self, _: Budget) {}
}

/// Carries out a batch of these entries, into a container that is written in `buffer`.
fn carry_out(sale: &mut Sale, at_ms: u64, entries: &[Entry<'_>], buffer: Vec<u8>) -> Vec<u8> {
    let mut batch = Batch::new(at_ms, BOUNDS, 1_000);
    let mut carrying = Carrying {
        sale,
        container: ContainerWriter::new(buffer, at_ms),
    };
    for entry in entries {
        batch.play(&mut carrying, entry);
    }
    carrying.container.finish();
    carrying.container.into_buffer()
}

#[test]
fn an_entry_of_a_batch_allocates_only_what_the_tables_grow_by() {
    let (mut sale, mut buffer, mut spent) = (sale(USERS, 1), Vec::with_capacity(8_192), 0);
    let all: Vec<_> = (0..USERS + 64).map(names).collect();
    let entries: Vec<_> = all.iter().map(|names| Entry::Reserve(ask(names))).collect();
    let (buyers, strangers) = entries.split_at(USERS as usize);
    for (n, entries) in buyers.chunks(64).enumerate() {
        let (at_ms, before) = (NOW_MS + n as u64, allocations());
        buffer = carry_out(&mut sale, at_ms, entries, buffer);
        spent += allocations() - before;
    }
    assert!(spent < USERS / 30, "{spent} for {USERS} entries");
    // The same again is replays, and strangers are refused.
    let at_ms = NOW_MS + 1_000;
    for (what, entries) in [("replays", &buyers[..64]), ("refusals", strangers)] {
        let before = allocations();
        buffer = carry_out(&mut sale, at_ms, entries, buffer);
        assert_eq!(allocations() - before, 0, "{what}");
    }
}

#[test]
fn a_refusal_and_a_replay_allocate_nothing() {
    let mut sold_out = sale(USERS, 2);
    fill(&mut sold_out);
    let (known, stranger) = (names(7), names(USERS + 7));
    let again = (known.0.clone(), stranger.1.clone());
    let mut limited = sale(USERS + 9, 1);
    fill(&mut limited);
    for (what, sale, names) in [
        ("a replay", &sold_out, &known),
        ("sold out", &sold_out, &stranger),
        ("sold out, to a known user", &sold_out, &again),
        ("the limit of a user", &limited, &again),
    ] {
        let ask = ask(names);
        let spent = allocations_of(|| sale.plan_reserve(NOW_MS + 100, &ask, &BOUNDS).is_err());
        assert_eq!(spent, 0, "{what}");
        assert!(sale.plan_reserve(NOW_MS + 100, &ask, &BOUNDS).is_err());
    }
    let late = Checkout {
        id: HASHER.key(stranger.1.as_bytes()),
        user: None,
        reference: None,
        payload: None,
    };
    let spent = allocations_of(|| sold_out.plan_checkout(NOW_MS + 100, &late).is_err());
    assert_eq!(spent, 0, "a checkout of an unknown id");
}
