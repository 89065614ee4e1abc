//! What every seeded test does: take its seed and length from the environment, catch a
//! panic as a fault like others, and leave out steps until none can be left out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use super::play::Fault;

/// A number from the environment, if it is there.
pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: not an integer"))
    })
}

/// A seed nobody had before.
pub fn fresh_seed() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    now.as_nanos() as u64
}

/// A run whose panics are faults.
pub fn caught(run: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = (panic.downcast_ref::<String>().map(String::as_str))
            .or(panic.downcast_ref::<&str>().copied())
            .unwrap_or("no text");
        Err(format!("panicked: {text}"))
    })
}

/// Leaves out steps as long as what is left still goes wrong; `first_bad` runs steps
/// and says at which one they do.
pub fn shorten<T: Clone>(steps: &[T], first_bad: impl Fn(&[T]) -> Option<usize>) -> Vec<T> {
    let mut steps = steps.to_vec();
    let mut size = steps.len().max(1);
    while size > 0 {
        let mut from = 0;
        while from < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(steps.len()));
            match first_bad(&fewer) {
                Some(at) => {
                    fewer.truncate(at + 1);
                    steps = fewer;
                }
                None => from += size,
            }
        }
        size /= 2;
    }
    steps
}
