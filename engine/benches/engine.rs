//! What a decision costs in the engine alone, without a server: `cargo bench`.
//!
//! Edge: the allocator is Rust's own. These numbers
//! compare one state of the engine with another; they say nothing of a server's.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use flashsale_engine::sale::{
    Ask, Bounds, Changes, Checkout, CreateAsk, EntryId, Event, Hasher, Pass, Reserve, Sale,
    decode_event, encode_event, save,
};

const NOW_MS: u64 = 1_765_000_000_000;
const HASHER: Hasher = Hasher::new([1, 2]);
const BOUNDS: Bounds = Bounds {
    reservations_max: 100_000_000,
    items_max: 10_000,
};
/// Users and open reservations in the sale before anything is measured.
const FILLED: u64 = 100_000;
/// The same where memory is what a decision waits for.
const LARGE: u64 = 10_000_000;

fn new_sale(stock: u64) -> Sale {
    let ask = CreateAsk {
        sale_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
        share_id: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
        orders: b"orders",
        items: vec![(b"default", stock)],
        changes: Changes {
            user_limit: Some(1_000_000),
            ..Changes::default()
        },
        hold_ms_default: 300_000,
        keep_ms_default: 3_600_000,
    };
    let created = Sale::plan_create(NOW_MS, &ask, &BOUNDS).expect("a sale");
    Sale::create(&created, HASHER).expect("a sale")
}

/// Names as buyers have them: a user of 12 bytes, an id that is a UUID's length.
fn names(n: u64) -> (String, String) {
    (
        format!("user:{n:07}"),
        format!("{n:08x}-0000-4000-8000-000000000000"),
    )
}

fn ask<'a>(user: &'a str, id: &'a str) -> Reserve<'a> {
    Reserve {
        user: HASHER.key(user.as_bytes()),
        ask: Ask::Qty(1),
        id: HASHER.key(id.as_bytes()),
        hold_ms: None,
        waits: false,
        pass: Pass::Missing,
        replaces: None,
    }
}

fn reserve(sale: &mut Sale, n: u64) {
    let (user, id) = names(n);
    let ask = ask(&user, &id);
    let event = sale
        .plan_reserve(NOW_MS + n / 100, &ask, &BOUNDS)
        .expect("units");
    sale.apply(&event);
}

fn filled() -> Sale {
    let mut sale = new_sale(1 << 40);
    (0..FILLED).for_each(|n| reserve(&mut sale, n));
    sale
}

fn decisions(c: &mut Criterion) {
    let mut sale = filled();
    let mut next = FILLED;
    c.bench_function("reserve, plan and apply", |b| {
        b.iter(|| {
            reserve(&mut sale, next);
            next += 1;
        });
    });
    let (user, id) = names(7);
    c.bench_function("reserve, replayed", |b| {
        let ask = ask(&user, &id);
        b.iter(|| black_box(sale.plan_reserve(NOW_MS, black_box(&ask), &BOUNDS)).is_err());
    });
    let empty = new_sale(0);
    c.bench_function("reserve, sold out", |b| {
        let ask = ask(&user, &id);
        b.iter(|| black_box(empty.plan_reserve(NOW_MS, black_box(&ask), &BOUNDS)).is_err());
    });
}

/// Users drawn by multiplication: any 12 digits, no two the same.
fn reserve_at_random(sale: &mut Sale, n: u64) {
    let user = format!(
        "{:012}",
        n.wrapping_mul(618_033_988_751) % 1_000_000_000_000
    );
    let id = format!("01{:024}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let ask = ask(&user, &id);
    sale.touch(Some(&ask.id), Some(&ask.user));
    let event = sale.plan_reserve(NOW_MS + n / 400, &ask, &BOUNDS);
    sale.apply(&event.expect("units"));
}

/// What memory costs: names from all over a large sale. And the longest call on the way
/// there, which no average shows.
fn growth(c: &mut Criterion) {
    let mut sale = new_sale(1 << 40);
    let mut longest = (Duration::ZERO, 0);
    for n in 0..LARGE {
        let since = Instant::now();
        reserve_at_random(&mut sale, n);
        longest = longest.max((since.elapsed(), n));
    }
    let (took, n) = longest;
    println!("growing to {LARGE}: the longest took {took:?}, number {n}");
    let mut next = LARGE;
    c.bench_function(
        "reserve at random among 10,000,000, names made up on the way",
        |b| {
            b.iter(|| {
                reserve_at_random(&mut sale, next);
                next += 1;
            });
        },
    );
}

fn checkouts(c: &mut Criterion) {
    c.bench_function("checkout of 1,000 reservations, plan and apply", |b| {
        b.iter_batched_ref(
            filled,
            |sale| {
                for n in 0..1_000 {
                    let id = names(n).1;
                    let ask = Checkout {
                        id: HASHER.key(id.as_bytes()),
                        user: None,
                        reference: None,
                        payload: None,
                    };
                    let pending = sale.plan_checkout(NOW_MS, &ask).expect("open ones");
                    let entry = EntryId { ms: NOW_MS, seq: n };
                    sale.apply(&pending.entered(entry));
                }
            },
            BatchSize::LargeInput,
        );
    });
}

fn sweeps(c: &mut Criterion) {
    c.bench_function("sweep of 1,000 reservations", |b| {
        b.iter_batched_ref(
            filled,
            |sale| {
                let event = sale
                    .plan_sweep(NOW_MS + 10_000_000, 1_000)
                    .expect("overdue ones");
                sale.apply(&event);
            },
            BatchSize::LargeInput,
        );
    });
}

fn codec(c: &mut Criterion) {
    let sale = filled();
    let (user, id) = names(FILLED);
    let ask = ask(&user, &id);
    let event: Event<'_> = sale.plan_reserve(NOW_MS, &ask, &BOUNDS).expect("units");
    let mut bytes = Vec::new();
    c.bench_function("event, encode", |b| {
        b.iter(|| {
            bytes.clear();
            encode_event(black_box(&event), &mut bytes);
        });
    });
    let encoded = bytes.clone();
    c.bench_function("event, decode", |b| {
        b.iter(|| decode_event(black_box(&encoded), HASHER).is_ok());
    });
    c.bench_function("snapshot of 100,000 reservations, save", |b| {
        b.iter(|| {
            let mut total = 0;
            save(&sale, &mut |chunk| total += chunk.len());
            total
        });
    });
}

criterion_group! {
    name = engine;
    config = Criterion::default().sample_size(20);
    targets = decisions, growth, checkouts, sweeps, codec
}
criterion_main!(engine);
