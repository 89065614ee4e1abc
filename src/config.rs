//! Configuration: one table with every knob, the values in force, and the check of
//! module arguments.
//!
//! Edge: a value is read when a request is decided, and what depended on it goes into
//! the event. No replica and no AOF replay reads one.
//!
//! The server checks the range of CONFIG SET and of its configuration file. It does
//! not look at module arguments at all, so that is done here.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::error::echo;
use crate::ffi::{self, Ctx, TextSetting};
use flashsale_engine::bloom::{ERROR_RATE_MIN, EXPANSION_MAX, ErrorRate, RateError};
use flashsale_engine::sale::{Bounds, Granted, INTEGER_MAX};

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

const DEFAULT_KEEP: Knob = Knob {
    name: "default-keep-ms",
    unit: "milliseconds",
    default: 604_800_000,
    min: 0,
    max: INTEGER_MAX as i64,
    is_mutable: true,
    reason: "how long the key of a sale made without KEEP outlives its end: longer where refunds \
             come late, shorter to free the memory sooner",
};

const SWEEP_MAX: Knob = Knob {
    name: "sweep-max",
    unit: "reservations",
    default: 1_000,
    min: 1,
    max: Granted::PLACES_MAX as i64,
    is_mutable: true,
    reason: "most overdue reservations returned in one go, where one counts once for every 16 \
             SKUs or 16 named units it has begun: more returns a wave of deadlines sooner, fewer keeps the pauses \
             of other clients shorter",
};

const BATCH_MAX: Knob = Knob {
    name: "batch-max",
    unit: "entries",
    default: 1_000,
    min: 1,
    max: 10_000,
    is_mutable: true,
    reason: "most entries of one MRESERVE, MBUY, MCHECKOUT or MRELEASE: a bound on how long one \
             command keeps other clients waiting",
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

const MAX_UNITS: Knob = Knob {
    name: "max-units",
    unit: "units",
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    is_mutable: true,
    reason: "most units with names in one sale, withdrawn ones among them: a bound on its memory, \
             about 40 bytes each, and as many more for a name of over 16 bytes that is no ULID \
             and no UUID",
};

const EVENTS_MAX: Knob = Knob {
    name: "events-max",
    unit: "entries",
    default: 100_000,
    min: 1_000,
    max: 10_000_000,
    is_mutable: true,
    reason: "most entries of one sale with EVENTS all that wait while its stream takes none, where \
             one counts once for every 256 bytes it has begun: more bridges a longer outage of \
             the stream, fewer keeps the memory for the sale",
};

const MAX_SUBJECTS: Knob = Knob {
    name: "max-subjects",
    unit: "subjects",
    default: 1_000_000,
    min: 1,
    max: 100_000_000,
    is_mutable: true,
    reason: "most subjects of one rate limit, about 40 bytes each: with more than come while one is \
             busy, nobody has to give way to a new one and gets a fresh burst",
};

const PART_RETRY: Knob = Knob {
    name: "part-retry-ms",
    unit: "milliseconds",
    default: 200,
    min: 1,
    max: 60_000,
    is_mutable: true,
    reason: "when a buyer asks a part of a split sale again that has nothing while other parts may \
             have some, ten times that while no driver says so: less sells units that come sooner, \
             more keeps polls away",
};

const BF_INITIAL_SIZE: Knob = Knob {
    name: "bf-initial-size",
    unit: "items",
    default: 100,
    min: 1,
    max: BF_CAPACITY_MAX as i64,
    is_mutable: true,
    reason: "capacity of filters made without one: near the number of items that will come, a \
             filter is one link, the smallest and fastest it can be",
};

const BF_EXPANSION: Knob = Knob {
    name: "bf-expansion",
    unit: "times",
    default: 2,
    min: 0,
    max: EXPANSION_MAX as i64,
    is_mutable: true,
    reason: "how much larger the next link of a full filter is: more makes fewer links, fewer \
             wastes less on a last one that stays empty; 0 makes filters that do not scale",
};

/// Every knob that is a number.
pub const KNOBS: [&Knob; 12] = [
    &DEFAULT_HOLD,
    &DEFAULT_KEEP,
    &SWEEP_MAX,
    &BATCH_MAX,
    &MAX_ITEMS,
    &MAX_RESERVATIONS,
    &MAX_UNITS,
    &EVENTS_MAX,
    &MAX_SUBJECTS,
    &PART_RETRY,
    &BF_INITIAL_SIZE,
    &BF_EXPANSION,
];

/// Most items a filter can be made for; it may grow beyond.
pub const BF_CAPACITY_MAX: u64 = 1 << 30;

/// The knob that is a fraction: how often a filter made without a rate of its own may
/// take a stranger for a member. Smaller takes more memory: 4 to 8 bits more an item for
/// each tenth of it.
const BF_ERROR_RATE: &str = "bf-error-rate";
const BF_ERROR_RATE_DEFAULT: &str = "0.01";

/// A knob that is yes or no. Both are no by default.
struct Flag {
    name: &'static str,
    value: &'static AtomicBool,
    is_mutable: bool,
}

/// For clients that know RedisBloom's commands: register them under those names too. Only
/// when the module is loaded.
static BF_ALIASES: Flag = Flag {
    name: "bf-aliases",
    value: &BF_ALIASES_VALUE,
    is_mutable: false,
};

/// Load an AOF that is damaged, without what does not fit, and sell nothing from such sales.
/// It can be changed at run time so that CONFIG REWRITE can take it back.
static LOAD_DAMAGED: Flag = Flag {
    name: "load-damaged",
    value: &LOAD_DAMAGED_VALUE,
    is_mutable: true,
};

/// Every knob that is yes or no. Statics, because Rust 1.88 takes no constant that refers to
/// an atomic.
static FLAGS: [&Flag; 2] = [&BF_ALIASES, &LOAD_DAMAGED];

static DEFAULT_HOLD_VALUE: AtomicI64 = AtomicI64::new(DEFAULT_HOLD.default);
static DEFAULT_KEEP_VALUE: AtomicI64 = AtomicI64::new(DEFAULT_KEEP.default);
static SWEEP_MAX_VALUE: AtomicI64 = AtomicI64::new(SWEEP_MAX.default);
static BATCH_MAX_VALUE: AtomicI64 = AtomicI64::new(BATCH_MAX.default);
static MAX_ITEMS_VALUE: AtomicI64 = AtomicI64::new(MAX_ITEMS.default);
static MAX_RESERVATIONS_VALUE: AtomicI64 = AtomicI64::new(MAX_RESERVATIONS.default);
static MAX_UNITS_VALUE: AtomicI64 = AtomicI64::new(MAX_UNITS.default);
static EVENTS_MAX_VALUE: AtomicI64 = AtomicI64::new(EVENTS_MAX.default);
static MAX_SUBJECTS_VALUE: AtomicI64 = AtomicI64::new(MAX_SUBJECTS.default);
static PART_RETRY_VALUE: AtomicI64 = AtomicI64::new(PART_RETRY.default);
static BF_INITIAL_SIZE_VALUE: AtomicI64 = AtomicI64::new(BF_INITIAL_SIZE.default);
static BF_EXPANSION_VALUE: AtomicI64 = AtomicI64::new(BF_EXPANSION.default);

/// The bits of `bf-error-rate`.
static BF_ERROR_RATE_VALUE: AtomicU64 = AtomicU64::new(0);
static BF_ERROR_RATE_SETTING: TextSetting = TextSetting::new(
    |text| {
        let rate = parse_rate(text)?;
        BF_ERROR_RATE_VALUE.store(rate.to_bits(), Ordering::Relaxed);
        Ok(())
    },
    || {
        bf_error_rate()
            .map(|rate| rate.to_string())
            .unwrap_or_default()
    },
);
static BF_ALIASES_VALUE: AtomicBool = AtomicBool::new(false);
static LOAD_DAMAGED_VALUE: AtomicBool = AtomicBool::new(false);

/// The values of [`KNOBS`], in the same order.
fn values() -> [&'static AtomicI64; KNOBS.len()] {
    [
        &DEFAULT_HOLD_VALUE,
        &DEFAULT_KEEP_VALUE,
        &SWEEP_MAX_VALUE,
        &BATCH_MAX_VALUE,
        &MAX_ITEMS_VALUE,
        &MAX_RESERVATIONS_VALUE,
        &MAX_UNITS_VALUE,
        &EVENTS_MAX_VALUE,
        &MAX_SUBJECTS_VALUE,
        &PART_RETRY_VALUE,
        &BF_INITIAL_SIZE_VALUE,
        &BF_EXPANSION_VALUE,
    ]
}

#[inline]
fn read(value: &AtomicI64) -> u64 {
    u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(0)
}

/// `default-hold-ms`.
pub fn default_hold_ms() -> u64 {
    read(&DEFAULT_HOLD_VALUE)
}

/// `default-keep-ms`.
pub fn default_keep_ms() -> u64 {
    read(&DEFAULT_KEEP_VALUE)
}

/// `sweep-max`.
pub fn sweep_max() -> u32 {
    u32::try_from(read(&SWEEP_MAX_VALUE)).unwrap_or(u32::MAX)
}

/// `batch-max`.
pub fn batch_max() -> u64 {
    read(&BATCH_MAX_VALUE)
}

/// `events-max`.
pub fn events_max() -> u64 {
    read(&EVENTS_MAX_VALUE)
}

/// `max-subjects`.
pub fn subjects_max() -> u64 {
    read(&MAX_SUBJECTS_VALUE)
}

/// `part-retry-ms`.
pub fn part_retry_ms() -> u64 {
    read(&PART_RETRY_VALUE)
}

/// What a sale may grow to.
#[inline]
pub fn bounds() -> Bounds {
    Bounds {
        reservations_max: usize::try_from(read(&MAX_RESERVATIONS_VALUE)).unwrap_or(usize::MAX),
        items_max: usize::try_from(read(&MAX_ITEMS_VALUE)).unwrap_or(usize::MAX),
        units_max: usize::try_from(read(&MAX_UNITS_VALUE)).unwrap_or(usize::MAX),
    }
}

/// `bf-error-rate`; there is one once the module is loaded.
pub fn bf_error_rate() -> Option<ErrorRate> {
    ErrorRate::from_bits(BF_ERROR_RATE_VALUE.load(Ordering::Relaxed))
}

/// `bf-initial-size`.
pub fn bf_initial_size() -> u64 {
    read(&BF_INITIAL_SIZE_VALUE)
}

/// `bf-expansion`.
pub fn bf_expansion() -> u32 {
    u32::try_from(read(&BF_EXPANSION_VALUE)).unwrap_or(EXPANSION_MAX)
}

/// `bf-aliases`.
pub fn bf_aliases() -> bool {
    BF_ALIASES_VALUE.load(Ordering::Relaxed)
}

/// `load-damaged`.
pub fn load_damaged() -> bool {
    LOAD_DAMAGED_VALUE.load(Ordering::Relaxed)
}

fn parse_rate(text: &[u8]) -> Result<ErrorRate, String> {
    ErrorRate::parse(text).map_err(|error| {
        let text = echo(text);
        match error {
            RateError::NotANumber => format!("'{text}' is not a number"),
            RateError::OutOfRange | RateError::TooSmall => {
                format!("'{text}' is not from {ERROR_RATE_MIN} to 1, exclusive")
            }
        }
    })
}

/// The default of each knob.
#[derive(Debug)]
struct Defaults {
    numbers: [i64; KNOBS.len()],
    error_rate: String,
    flags: [bool; FLAGS.len()],
}

/// The default of each knob, with the module's arguments (`name value ...`) taken
/// into account.
///
/// # Errors
///
/// An unknown name, a name given twice, a missing value, one out of range, in words.
fn defaults(arguments: &[&[u8]]) -> Result<Defaults, String> {
    let mut numbers = [None; KNOBS.len()];
    let (mut error_rate, mut flags) = (None, [None; FLAGS.len()]);
    for pair in arguments.chunks(2) {
        let name = pair.first().copied().unwrap_or_default();
        let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        let known = KNOBS
            .iter()
            .zip(&mut numbers)
            .find(|(knob, _)| is(knob.name));
        let mut flags = FLAGS.iter().zip(&mut flags);
        let flag = flags.find(|(flag, _)| is(flag.name));
        let given_before = match (known, flag) {
            (Some((knob, slot)), _) => {
                let value = value_of(knob.name, pair)?;
                slot.replace(parse(knob, value)?).is_some()
            }
            (None, Some((flag, slot))) => {
                let value = value_of(flag.name, pair)?;
                slot.replace(parse_flag(flag.name, value)?).is_some()
            }
            (None, None) if is(BF_ERROR_RATE) => {
                let rate = parse_rate(value_of(BF_ERROR_RATE, pair)?)
                    .map_err(|reason| format!("the module argument {BF_ERROR_RATE}: {reason}"))?;
                error_rate.replace(rate.to_string()).is_some()
            }
            (None, None) => return Err(format!("unknown module argument '{}'", echo(name))),
        };
        if given_before {
            let name = echo(name);
            return Err(format!("the module argument {name} is given twice"));
        }
    }
    let mut defaults = KNOBS.map(|knob| knob.default);
    for (default, given) in defaults.iter_mut().zip(numbers) {
        *default = given.unwrap_or(*default);
    }
    Ok(Defaults {
        numbers: defaults,
        error_rate: error_rate.unwrap_or_else(|| BF_ERROR_RATE_DEFAULT.to_owned()),
        flags: flags.map(|flag| flag.unwrap_or(false)),
    })
}

fn value_of<'a>(name: &str, pair: &[&'a [u8]]) -> Result<&'a [u8], String> {
    let value = pair.get(1).copied();
    value.ok_or_else(|| format!("the module argument {name} has no value"))
}

fn parse_flag(name: &str, value: &[u8]) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => {
            let value = echo(value);
            Err(format!(
                "the module argument {name} is '{value}', not yes or no"
            ))
        }
    }
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
    for ((knob, value), default) in KNOBS.iter().zip(values()).zip(defaults.numbers) {
        let range = knob.min..=knob.max;
        ffi::register_number(ctx, knob.name, value, default, range, knob.is_mutable);
    }
    ffi::register_text(
        ctx,
        BF_ERROR_RATE,
        &BF_ERROR_RATE_SETTING,
        &defaults.error_rate,
    );
    for (flag, default) in FLAGS.iter().zip(defaults.flags) {
        ffi::register_flag(ctx, flag.name, flag.value, default, flag.is_mutable);
    }
    ffi::load_settings(ctx)
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
        let defaults = defaults(&[]).unwrap();
        assert_eq!(
            defaults.numbers,
            [
                300_000,
                604_800_000,
                1_000,
                1_000,
                10_000,
                4_000_000,
                1_000_000,
                100_000,
                1_000_000,
                200,
                100,
                2
            ]
        );
        assert_eq!(
            (defaults.error_rate.as_str(), defaults.flags),
            ("0.01", [false, false])
        );
    }

    #[test]
    fn arguments_become_defaults() {
        let arguments: [&[u8]; 10] = [
            b"load-damaged",
            b"yes",
            b"sweep-max",
            b"7",
            b"Default-Hold-MS",
            b"1",
            b"bf-aliases",
            b"Yes",
            b"bf-error-rate",
            b"1e-3",
        ];
        let defaults = defaults(&arguments).unwrap();
        assert_eq!(
            defaults.numbers,
            [
                1,
                604_800_000,
                7,
                1_000,
                10_000,
                4_000_000,
                1_000_000,
                100_000,
                1_000_000,
                200,
                100,
                2
            ]
        );
        assert_eq!(
            (defaults.error_rate.as_str(), defaults.flags),
            ("0.001", [true, true])
        );
    }

    #[test]
    fn refuses_arguments_that_make_no_sense() {
        let refused: [(&[&[u8]], &str); 15] = [
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
            (
                &[b"bf-initial-size", b"0"],
                "not a number of items from 1 to 1073741824",
            ),
            (&[b"bf-expansion", b"32769"], "from 0 to 32768"),
            (
                &[b"bf-error-rate", b"1"],
                "bf-error-rate: '1' is not from 0.000000001 to 1, exclusive",
            ),
            (&[b"bf-error-rate", b"x"], "'x' is not a number"),
            (
                &[b"bf-error-rate", b"1e-10"],
                "'1e-10' is not from 0.000000001 to 1, exclusive",
            ),
            (
                &[b"bf-error-rate"],
                "the module argument bf-error-rate has no value",
            ),
            (&[b"bf-aliases", b"1"], "is '1', not yes or no"),
            (
                &[b"load-damaged", b"no", b"load-damaged", b"no"],
                "load-damaged is given twice",
            ),
        ];
        for (arguments, text) in refused {
            let error = defaults(arguments).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
