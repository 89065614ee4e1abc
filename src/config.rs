//! Configuration: one table with every knob, the values in force, and the check of
//! module arguments.
//!
//! Edge: a value is read when a request is decided, and what depended on it goes into
//! the event. No replica and no AOF replay reads one.
//!
//! The server checks the range of CONFIG SET and of its configuration file. It does
//! not look at module arguments at all, so that is done here.

use std::sync::atomic::{AtomicI64, Ordering};

use lazy_static::lazy_static;

use crate::error::echo;
use crate::ffi::{self, Ctx};
use crate::sale::{Bounds, INTEGER_MAX};

/// One setting.
pub struct Knob {
    pub name: &'static str,
    pub unit: &'static str,
    pub default: i64,
    pub min: i64,
    pub max: i64,
    /// Can CONFIG SET change it while the server runs?
    pub is_mutable: bool,
    /// Why one would change it.
    pub reason: &'static str,
}

const DEFAULT_HOLD: Knob = Knob {
    name: "default-hold-ms",
    unit: "milliseconds",
    default: 300_000,
    min: 1,
    max: INTEGER_MAX as i64,
    is_mutable: true,
    reason: "how long a reservation lasts in sales made without HOLD: longer for slow payments, \
             shorter to put abandoned units on sale sooner",
};

const SWEEP_MAX: Knob = Knob {
    name: "sweep-max",
    unit: "reservations",
    default: 1_000,
    min: 1,
    max: 100_000,
    is_mutable: true,
    reason: "most overdue reservations returned in one go: more returns a wave of deadlines \
             sooner, fewer keeps the pauses of other clients shorter",
};

const MAX_ITEMS: Knob = Knob {
    name: "max-items",
    unit: "items",
    default: 10_000,
    min: 1,
    max: 100_000,
    is_mutable: true,
    reason: "most SKUs in one sale: a bound on what one CREATE or RESTOCK can cost",
};

const MAX_RESERVATIONS: Knob = Knob {
    name: "max-reservations",
    unit: "reservations",
    default: 4_000_000,
    min: 1,
    max: 1_000_000_000,
    is_mutable: true,
    reason: "most reservations one sale knows, open, sold and remembered together: a bound on \
             its memory",
};

/// Every knob.
pub const KNOBS: [&Knob; 4] = [&DEFAULT_HOLD, &SWEEP_MAX, &MAX_ITEMS, &MAX_RESERVATIONS];

lazy_static! {
    static ref DEFAULT_HOLD_VALUE: AtomicI64 = AtomicI64::new(DEFAULT_HOLD.default);
    static ref SWEEP_MAX_VALUE: AtomicI64 = AtomicI64::new(SWEEP_MAX.default);
    static ref MAX_ITEMS_VALUE: AtomicI64 = AtomicI64::new(MAX_ITEMS.default);
    static ref MAX_RESERVATIONS_VALUE: AtomicI64 = AtomicI64::new(MAX_RESERVATIONS.default);
}

/// The values of [`KNOBS`], in the same order.
fn values() -> [&'static AtomicI64; 4] {
    [
        &DEFAULT_HOLD_VALUE,
        &SWEEP_MAX_VALUE,
        &MAX_ITEMS_VALUE,
        &MAX_RESERVATIONS_VALUE,
    ]
}

fn read(value: &AtomicI64) -> u64 {
    u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(0)
}

/// `default-hold-ms`.
pub fn default_hold_ms() -> u64 {
    read(&DEFAULT_HOLD_VALUE)
}

/// `sweep-max`.
pub fn sweep_max() -> u32 {
    u32::try_from(read(&SWEEP_MAX_VALUE)).unwrap_or(u32::MAX)
}

/// What a sale may grow to.
pub fn bounds() -> Bounds {
    Bounds {
        reservations_max: usize::try_from(read(&MAX_RESERVATIONS_VALUE)).unwrap_or(usize::MAX),
        items_max: usize::try_from(read(&MAX_ITEMS_VALUE)).unwrap_or(usize::MAX),
    }
}

/// The default of each knob, with the module's arguments (`name value ...`) taken
/// into account.
///
/// # Errors
///
/// An unknown name, a name given twice, a missing value, one out of range, in words.
fn defaults(arguments: &[&[u8]]) -> Result<[i64; KNOBS.len()], String> {
    let mut given = [None; KNOBS.len()];
    for pair in arguments.chunks(2) {
        let name = pair.first().copied().unwrap_or_default();
        let known = KNOBS
            .iter()
            .zip(&mut given)
            .find(|(knob, _)| is_name(knob, name));
        let Some((knob, slot)) = known else {
            return Err(format!("unknown module argument '{}'", echo(name)));
        };
        let Some(value) = pair.get(1) else {
            return Err(format!("the module argument {} has no value", knob.name));
        };
        if slot.is_some() {
            return Err(format!("the module argument {} is given twice", knob.name));
        }
        *slot = Some(parse(knob, value)?);
    }
    let mut defaults = KNOBS.map(|knob| knob.default);
    for (default, given) in defaults.iter_mut().zip(given) {
        *default = given.unwrap_or(*default);
    }
    Ok(defaults)
}

fn is_name(knob: &Knob, name: &[u8]) -> bool {
    knob.name.as_bytes().eq_ignore_ascii_case(name)
}

fn parse(knob: &Knob, value: &[u8]) -> Result<i64, String> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|number| (knob.min..=knob.max).contains(number))
        .ok_or_else(|| {
            let Knob {
                name,
                unit,
                min,
                max,
                reason,
                ..
            } = knob;
            let value = echo(value);
            format!("the module argument {name} is '{value}', not a number of {unit} from {min} to {max} ({reason})")
        })
}

/// Registers every knob as `flashsale.<name>`, with the module's arguments as their
/// defaults, and takes over what the configuration file says.
///
/// # Errors
///
/// A module argument or a setting in the file is wrong, in words for the log.
pub fn register(ctx: Ctx<'_>, arguments: &[&[u8]]) -> Result<(), String> {
    let defaults = defaults(arguments)?;
    for ((knob, value), default) in KNOBS.iter().zip(values()).zip(defaults) {
        let range = knob.min..=knob.max;
        ffi::register_number(ctx, knob.name, value, default, range, knob.is_mutable);
    }
    ffi::load_numbers(ctx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_lie_in_their_ranges() {
        for knob in KNOBS {
            assert!(
                (knob.min..=knob.max).contains(&knob.default),
                "{}",
                knob.name
            );
            assert!(!knob.reason.is_empty() && !knob.unit.is_empty() && knob.is_mutable);
        }
        assert_eq!(defaults(&[]).unwrap(), [300_000, 1_000, 10_000, 4_000_000]);
    }

    #[test]
    fn arguments_become_defaults() {
        let arguments: [&[u8]; 4] = [b"sweep-max", b"7", b"Default-Hold-MS", b"1"];
        assert_eq!(defaults(&arguments).unwrap(), [1, 7, 10_000, 4_000_000]);
    }

    #[test]
    fn refuses_arguments_that_make_no_sense() {
        let refused: [(&[&[u8]], &str); 7] = [
            (&[b"sweep", b"1"], "unknown module argument 'sweep'"),
            (
                &[b"sweep-max"],
                "the module argument sweep-max has no value",
            ),
            (
                &[b"sweep-max", b"1", b"sweep-max", b"2"],
                "sweep-max is given twice",
            ),
            (
                &[b"sweep-max", b"0"],
                "is '0', not a number of reservations from 1 to 100000",
            ),
            (&[b"sweep-max", b"100001"], "from 1 to 100000"),
            (&[b"max-items", b"many"], "is 'many', not a number of items"),
            (
                &[b"max-items", b"99999999999999999999"],
                "not a number of items",
            ),
        ];
        for (arguments, text) in refused {
            let error = defaults(arguments).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
