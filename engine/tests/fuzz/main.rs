//! **Goal**: no bytes, however they were made, end the server, confuse a sale, or cost
//! memory out of proportion: not as an event, not as a snapshot, not as a row of events.
//!
//! **Method**: `flashsale_fuzz::targets` says what must hold for any bytes. Here it is
//! asked about what a seed makes of valid encodings: bits flipped, pieces doubled, left
//! out, exchanged and cut, numbers at the edges in the place of others. An allocator
//! counts what decoding costs at its peak. What fails is cut down as far as it still
//! fails, and printed in hex; it becomes a line of `found.rs`. `FLASHSALE_SEED` repeats a
//! run, `FLASHSALE_OPS` sets the inputs of a target. `make fuzz` asks libFuzzer the same.
//! What names and calls cost in time is asked in `work.rs`.

mod names;
mod shop;
mod storms;
mod storms_line;
mod work;

use flashsale_fuzz::meter::{Meter, peak_of};
use flashsale_fuzz::seeded::{Target, allowed, from_hex};
use flashsale_fuzz::{corpus, dense, found, mutate, rate, targets};

#[global_allocator]
static METER: Meter = Meter;

const TARGETS: [Target; 6] = [
    Target {
        name: "event",
        body: targets::event,
        measured: targets::decode_alone,
        corpus: corpus::of_events,
        inputs: 100_000,
    },
    Target {
        name: "batch",
        body: targets::batch,
        measured: targets::decode_batch_alone,
        corpus: corpus::of_batches,
        inputs: 20_000,
    },
    Target {
        name: "snapshot",
        body: targets::snapshot,
        measured: targets::load_alone,
        corpus: corpus::of_snapshots,
        inputs: 100_000,
    },
    Target {
        name: "apply_sequence",
        body: targets::apply_sequence,
        measured: |_| {},
        corpus: corpus::of_sequences,
        inputs: 9_000,
    },
    Target {
        name: "rate_event",
        body: rate::event,
        measured: rate::decode_alone,
        corpus: rate::corpus_of_events,
        inputs: 50_000,
    },
    Target {
        name: "rate_snapshot",
        body: rate::snapshot,
        measured: rate::load_alone,
        corpus: rate::corpus_of_snapshots,
        inputs: 50_000,
    },
];

fn target(name: &str) -> &'static Target {
    let mut found = TARGETS.iter().filter(|target| target.name == name);
    found.next().expect("a target")
}

#[test]
fn no_bytes_of_an_event_confuse_a_sale() {
    target("event").fuzz_with(|_, _| {});
}

#[test]
fn no_bytes_of_a_batch_confuse_a_sale() {
    target("batch").fuzz_with(|pieces, dice| {
        if !dice.one_in(8) {
            corpus::count_events(pieces);
        }
    });
}

#[test]
fn no_bytes_of_a_snapshot_make_a_sale_that_is_not_one() {
    target("snapshot").fuzz_with(|pieces, dice| {
        if !dice.one_in(8) {
            mutate::recount(pieces);
        }
    });
}

#[test]
fn no_row_of_events_confuses_a_sale() {
    target("apply_sequence").fuzz_with(|_, _| {});
}

#[test]
fn no_bytes_of_an_event_confuse_a_rate_limit() {
    target("rate_event").fuzz_with(|_, _| {});
}

#[test]
fn no_bytes_of_a_snapshot_make_a_rate_limit_that_is_not_one() {
    target("rate_snapshot").fuzz_with(|_, _| {});
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for (name, text) in found::FOUND {
        (target(name).body)(&from_hex(text));
    }
}

#[test]
fn decoding_takes_memory_in_proportion_to_the_bytes_received() {
    for (name, what, bytes) in dense::inputs() {
        target(name).assert_proportion(what, &bytes);
    }
    target("rate_snapshot").assert_proportion("subjects", &rate::dense());
}

#[test]
fn a_number_that_promises_gigabytes_costs_nothing() {
    let promises = [
        1 << 16,
        1 << 30,
        u64::from(u32::MAX),
        1 << 40,
        (1 << 53) - 1,
        1 << 60,
        u64::MAX,
    ];
    let mut worst = 0;
    for name in ["event", "batch", "snapshot", "rate_event", "rate_snapshot"] {
        let target = target(name);
        for pieces in (target.corpus)().iter().take(30) {
            let bytes = pieces.concat();
            for at in 0..bytes.len() {
                let promise = mutate::spelled(promises[at % promises.len()]);
                let forged = [&bytes[..at], &promise, &bytes[at + 1..]].concat();
                let peak = peak_of(|| (target.measured)(&forged));
                assert!(
                    peak <= allowed(forged.len()),
                    "{name} at {at}: {peak} bytes"
                );
                worst = worst.max(peak);
            }
        }
    }
    println!("at most {worst} bytes");
}

/// Writes valid inputs where `make fuzz` says.
#[test]
#[ignore = "writes files"]
fn writes_the_corpus() {
    TARGETS.iter().for_each(Target::write_corpus);
}
