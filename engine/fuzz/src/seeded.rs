//! A seeded run of a target: damages valid inputs, catches what does not stand, and cuts
//! it down as far as it still fails.
//!
//! `FLASHSALE_SEED` repeats a run, `FLASHSALE_OPS` sets its inputs. A program that runs a
//! target has [`Meter`](crate::meter::Meter) for its allocator: memory is judged as well.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::dice::Dice;
use crate::meter::peak_of;
use crate::mutate::{self, Pieces};

/// Decoding N bytes may have this many times N bytes at its peak. The dearest there is
/// is a short record with a deadline of its own and a user of its own.
const FACTOR_MAX: usize = 64;
/// And this much for the tables of an empty sale, or one more page of a table.
pub const CONSTANT_BYTES: usize = 192 * 1024;

/// One target: its body, and the part of it that is measured.
pub struct Target {
    pub name: &'static str,
    /// Panics when what must hold does not; were the bytes taken for something?
    pub body: fn(&[u8]) -> bool,
    pub measured: fn(&[u8]),
    pub corpus: fn() -> Vec<Pieces>,
    /// Inputs of a run, by default.
    pub inputs: u64,
}

/// Bytes that decoding so many may have at its peak.
pub fn allowed(len: usize) -> usize {
    FACTOR_MAX * len + CONSTANT_BYTES
}

/// A number from the environment.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

thread_local! {
    /// Is a panic of this thread a finding, to be kept and not printed?
    static HUSHED: Cell<bool> = const { Cell::new(false) };
    /// What the panic that was caught said.
    static SAID: Cell<String> = const { Cell::new(String::new()) };
}

/// Keeps what a panic of a hushed thread says, instead of printing each.
fn hush(act: impl FnOnce() -> bool) -> Result<bool, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if HUSHED.get() {
                SAID.set(panic.to_string());
            } else {
                print(panic);
            }
        }));
    });
    HUSHED.set(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    HUSHED.set(false);
    result.map_err(|_| SAID.take())
}

impl Target {
    /// Were the bytes taken for something? Or what was said when they should not have been.
    fn stands(&self, bytes: &[u8]) -> Result<bool, String> {
        hush(|| {
            let peak = peak_of(|| (self.measured)(bytes));
            let len = bytes.len();
            assert!(peak <= allowed(len), "{peak} bytes for {len}");
            (self.body)(bytes)
        })
    }

    /// Cuts out whatever the input fails without.
    fn shrunk(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut width = bytes.len() / 2;
        while width > 0 {
            let mut at = 0;
            while at < bytes.len() {
                let end = (at + width).min(bytes.len());
                let shorter = [&bytes[..at], &bytes[end..]].concat();
                if self.stands(&shorter).is_err() {
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
    fn assert_stands(&self, bytes: &[u8]) -> bool {
        if let Ok(is_taken) = self.stands(bytes) {
            return is_taken;
        }
        let bytes = self.shrunk(bytes.to_vec());
        let said = self.stands(&bytes).err().unwrap_or_default();
        panic!("{} does not stand {}\n{said}", self.name, hex(&bytes));
    }

    /// Runs the target on its corpus, and on what a seed makes of it; `extra` does further
    /// damage.
    #[track_caller]
    pub fn fuzz_with(&self, extra: impl Fn(&mut Pieces, &mut Dice)) {
        let mut dice = Dice::seeded();
        let corpus = (self.corpus)();
        for pieces in &corpus {
            self.assert_stands(&pieces.concat());
        }
        let (inputs, mut taken) = (number("FLASHSALE_OPS").unwrap_or(self.inputs), 0);
        for _ in 0..inputs {
            let mut pieces = dice.pick(&corpus).clone();
            mutate::mutate(&mut pieces, &corpus, &mut dice);
            extra(&mut pieces, &mut dice);
            taken += u64::from(self.assert_stands(&pieces.concat()));
        }
        let name = self.name;
        println!("{name}: {taken} of {inputs} damaged inputs were taken for something");
        assert!(taken * 50 > inputs, "the damage leaves nothing to look at");
    }

    /// Holds inputs that make a decoder build as much as it can against what is allowed.
    #[track_caller]
    pub fn assert_proportion(&self, what: &str, bytes: &[u8]) {
        let name = self.name;
        let peak = peak_of(|| (self.measured)(bytes));
        let factor = peak.saturating_sub(CONSTANT_BYTES) as f64 / bytes.len() as f64;
        println!(
            "{name}, {what}: {peak} bytes at most for {}, {factor:.1} times",
            bytes.len()
        );
        assert!(peak <= allowed(bytes.len()), "{what}: {factor:.1} times");
        // A snapshot is kept; one that takes less was refused at once, and measures nothing.
        let is_read = name != "snapshot" || peak > bytes.len();
        assert!(is_read, "{what}: {peak} bytes");
    }

    /// Writes the valid inputs below the folder that `FLASHSALE_CORPUS` names, for
    /// libFuzzer to start from.
    pub fn write_corpus(&self) {
        let folder = std::env::var("FLASHSALE_CORPUS").expect("FLASHSALE_CORPUS, a folder");
        let folder = format!("{folder}/{}", self.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, pieces) in (self.corpus)().iter().enumerate() {
            std::fs::write(format!("{folder}/valid-{number}"), pieces.concat()).expect("a file");
        }
    }
}

/// Bytes in hexadecimal digits, as a finding is printed.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits, white space aside.
pub fn from_hex(text: &str) -> Vec<u8> {
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
