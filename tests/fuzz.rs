//! **Goal**: no bytes, however they were made, end the server, confuse a sale, or cost
//! memory out of proportion: not as an event, not as a snapshot, not as a row of events,
//! not as the words of a command.
//!
//! **Method**: `fuzz/targets.rs` says what must hold for any bytes. Here it is asked
//! about what a seed makes of valid encodings: bits flipped, pieces doubled, left out,
//! exchanged and cut, numbers at the edges in the place of others. An allocator counts
//! what decoding costs at its peak. What fails is cut down as far as it still fails, and
//! printed in hex; it becomes a line of `fuzz/found.rs`. `FLASHSALE_SEED` repeats a run,
//! `FLASHSALE_OPS` sets the inputs of a target. `make fuzz` asks libFuzzer the same.
//! What names and calls cost in time is asked in `fuzz/work.rs`.

#[path = "fuzz/mod.rs"]
mod fuzz;
#[path = "fuzz/names.rs"]
mod names;
#[path = "fuzz/shop.rs"]
mod shop;
#[path = "fuzz/storms.rs"]
mod storms;
#[path = "fuzz/work.rs"]
mod work;

use fuzz::engine::{error, ffi, sale};

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fuzz::corpus::{self, Pieces};
use fuzz::dice::Dice;
use fuzz::meter::{Meter, peak_of};
use fuzz::{dense, found, mutate, targets};

#[global_allocator]
static METER: Meter = Meter;

/// Decoding N bytes may have this many times N bytes at its peak. The dearest there is
/// is a short record with a deadline of its own and a user of its own.
const FACTOR_MAX: usize = 64;
/// And this much for the tables of an empty sale, or one more page of a table.
const CONSTANT_BYTES: usize = 192 * 1024;

/// One target: its body, and the part of it that is measured.
struct Target {
    name: &'static str,
    /// Panics when what must hold does not; were the bytes taken for something?
    body: fn(&[u8]) -> bool,
    measured: fn(&[u8]),
    corpus: fn() -> Vec<Pieces>,
    /// Inputs of a run, by default.
    inputs: u64,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "event",
        body: targets::event,
        measured: targets::decode_alone,
        corpus: corpus::of_events,
        inputs: 100_000,
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
        name: "arguments",
        body: targets::arguments,
        measured: |bytes| {
            let words = targets::words_of(bytes);
            let peak = peak_of(|| {
                targets::parse_line(&words);
            });
            assert!(peak <= allowed(bytes.len()), "{peak} bytes");
        },
        corpus: corpus::of_arguments,
        inputs: 50_000,
    },
];

fn target(name: &str) -> &'static Target {
    let mut found = TARGETS.iter().filter(|target| target.name == name);
    found.next().expect("a target")
}

fn allowed(len: usize) -> usize {
    FACTOR_MAX * len + CONSTANT_BYTES
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

thread_local! {
    /// What the panic that was caught said.
    static SAID: Cell<String> = const { Cell::new(String::new()) };
}

/// Were the bytes taken for something? Or what was said when they should not have been.
fn stands(target: &Target, bytes: &[u8]) -> Result<bool, String> {
    let run = || {
        let peak = peak_of(|| (target.measured)(bytes));
        assert!(
            peak <= allowed(bytes.len()),
            "{peak} bytes for {}",
            bytes.len()
        );
        (target.body)(bytes)
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| SAID.take())
}

/// Keeps what a panic says for [`stands`], instead of printing each.
fn hush() {
    std::panic::set_hook(Box::new(|panic| SAID.set(panic.to_string())));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    let byte = |pair: &[char]| {
        let pair: String = pair.iter().collect();
        u8::from_str_radix(&pair, 16).expect("two hexadecimal digits")
    };
    digits.chunks(2).map(byte).collect()
}

/// Cuts out whatever the input fails without.
fn shrunk(target: &Target, mut bytes: Vec<u8>) -> Vec<u8> {
    let mut width = bytes.len() / 2;
    while width > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + width).min(bytes.len());
            let shorter = [&bytes[..at], &bytes[end..]].concat();
            if stands(target, &shorter).is_err() {
                bytes = shorter;
            } else {
                at = end;
            }
        }
        width /= 2;
    }
    bytes
}

#[track_caller]
fn assert_stands(target: &Target, bytes: &[u8]) -> bool {
    if let Ok(is_taken) = stands(target, bytes) {
        return is_taken;
    }
    let bytes = shrunk(target, bytes.to_vec());
    let said = stands(target, &bytes).err().unwrap_or_default();
    let _ = std::panic::take_hook();
    panic!("{} does not stand {}\n{said}", target.name, hex(&bytes));
}

/// Runs a target on its corpus, and on what a seed makes of it.
fn fuzz_with(name: &str, extra: impl Fn(&mut Pieces, &mut Dice)) {
    let target = target(name);
    let mut dice = Dice::new();
    let corpus = (target.corpus)();
    hush();
    for pieces in &corpus {
        assert_stands(target, &pieces.concat());
    }
    let (inputs, mut taken) = (number("FLASHSALE_OPS").unwrap_or(target.inputs), 0);
    for _ in 0..inputs {
        let mut pieces = dice.pick(&corpus).clone();
        mutate::mutate(&mut pieces, &corpus, &mut dice);
        extra(&mut pieces, &mut dice);
        taken += u64::from(assert_stands(target, &pieces.concat()));
    }
    let _ = std::panic::take_hook();
    println!("{name}: {taken} of {inputs} damaged inputs were taken for something");
    assert!(taken * 50 > inputs, "the damage leaves nothing to look at");
}

#[test]
fn no_bytes_of_an_event_confuse_a_sale() {
    fuzz_with("event", |_, _| {});
}

#[test]
fn no_bytes_of_a_snapshot_make_a_sale_that_is_not_one() {
    fuzz_with("snapshot", |pieces, dice| {
        if !dice.one_in(8) {
            mutate::recount(pieces);
        }
    });
}

#[test]
fn no_row_of_events_confuses_a_sale() {
    fuzz_with("apply_sequence", |_, _| {});
}

#[test]
fn no_words_of_a_line_are_more_than_an_error() {
    fuzz_with("arguments", |_, _| {});
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for (name, text) in found::FOUND {
        (target(name).body)(&from_hex(text));
    }
}

#[test]
fn decoding_takes_memory_in_proportion_to_the_bytes_received() {
    let mut worst = (0.0, "");
    for (name, what, bytes) in dense::inputs() {
        let peak = peak_of(|| (target(name).measured)(&bytes));
        let factor = peak.saturating_sub(CONSTANT_BYTES) as f64 / bytes.len() as f64;
        println!("{name}, {what}: {peak} bytes at most for {}", bytes.len());
        if factor > worst.0 {
            worst = (factor, what);
        }
        assert!(peak <= allowed(bytes.len()), "{what}: {factor:.1} times");
    }
    println!("at most {:.1} times the bytes: {}", worst.0, worst.1);
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
    for name in ["event", "snapshot"] {
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

/// Writes valid inputs where `make fuzz` tells, for libFuzzer to start from.
#[test]
#[ignore = "writes files"]
fn writes_the_corpus() {
    let folder = std::env::var("FLASHSALE_CORPUS").expect("FLASHSALE_CORPUS, a folder");
    for target in &TARGETS {
        let folder = format!("{folder}/{}", target.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, pieces) in (target.corpus)().iter().enumerate() {
            std::fs::write(format!("{folder}/valid-{number}"), pieces.concat()).expect("a file");
        }
    }
}
