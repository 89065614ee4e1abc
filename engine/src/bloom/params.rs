//! How many bits and probes a rate of errors takes: the only floats of the module.
//!
//! A filter is cut into blocks of 512 bits, one cache line each, and all bits of an item
//! lie in one block, or in two. Blocks do not get the same number of items: it varies
//! like a Poisson variable, and the fuller ones err more than the emptier ones err less.
//! So the textbook's formula is not enough; the rate is summed over the number of items
//! of a block, and the number of bits is the smallest at which the sum is not above the
//! rate asked for (Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom
//! Filters", 2007).
//!
//! What blocks cost grows as the rate falls: a block that is a little too full errs many
//! times as often. Below [`TWO_PLACES_BELOW`] an item therefore has bits in two blocks,
//! chosen independently. A stranger is taken for a member where both err, each at the
//! square root of the rate, which blocks hold cheaply. Two are "cell probes" of Putze,
//! Sanders and Singler's multi-blocked filters.
//!
//! Edge: floats stay here. What comes out - probes, blocks, capacity - is integers;
//! replicas are sent those and work nothing out.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Most links of a chain.
pub const LINKS_MAX: usize = 1_000;
/// Most a link may be larger than the one before.
pub const EXPANSION_MAX: u32 = 32_768;

/// What a filter was asked to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Share of strangers that may be taken for members, by the whole chain.
    pub error_rate: ErrorRate,
    /// Each link is this many times the one before; 0 for a filter that does not scale.
    pub expansion: u32,
}

/// Bits of a block: one cache line.
pub const BLOCK_BITS: u64 = 512;
/// Most probes in one block: what three multiplications of a hash yield.
pub const PROBES_MAX: u8 = 21;
/// Most blocks that an item has bits in.
pub const PLACES_MAX: u8 = 2;
/// Rates below it take two blocks an item. Where one block costs a sixth more bits than
/// theory, a member's second cache line is worth it; above, one line is worth more.
const TWO_PLACES_BELOW: f64 = 2e-4;
/// What is built errs a little less often than asked: the sum below is over real numbers,
/// the hash and the blocks are not.
const MARGIN: f64 = 0.98;
/// Smallest rate of errors a user may ask for. Below it the 64 bits of a hash, which
/// choose both the block and the bits in it, are what errs, and no bits help.
pub const ERROR_RATE_MIN: f64 = 1e-9;
/// Rates above it count as it: two probes and three bits an item are the least.
pub const ERROR_RATE_MAX: f64 = 0.25;
/// Smallest rate of one link of a chain. Chains of more than 4.1e-7 keep their rate with
/// as many links as there may be; one of 1e-9 has this rate from the 25th link on, and
/// errs twice as often when it has a thousand.
const LINK_RATE_MIN: f64 = 1e-12;
/// Most blocks of one filter: 256 GiB.
pub const BLOCKS_MAX: u64 = 1 << 32;
/// Rates of later links are rounded down to so many steps between one and its half, so
/// that a long chain needs few densities: 0.1 bits an item at most.
const STEPS_OF_HALF: f64 = 8.0;
/// Densities that are remembered: working one out takes longer than a thousand lookups.
const MEMO_LEN: usize = 32;

/// The share of strangers that may be taken for members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorRate(f64);

impl ErrorRate {
    /// A rate as it is asked for: at least [`ERROR_RATE_MIN`] and below 1. Above
    /// `ERROR_RATE_MAX` it is lowered to that.
    pub fn new(rate: f64) -> Option<ErrorRate> {
        let is_rate = (ERROR_RATE_MIN..1.0).contains(&rate);
        is_rate.then_some(ErrorRate(rate.min(ERROR_RATE_MAX)))
    }

    /// A rate in words, as [`ErrorRate::new`] takes it. In decimals, also with an
    /// exponent.
    ///
    /// # Errors
    ///
    /// Not a number, none between 0 and 1, or below [`ERROR_RATE_MIN`].
    pub fn parse(word: &[u8]) -> Result<ErrorRate, RateError> {
        let text = std::str::from_utf8(word).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(rate) if rate.is_nan() => Err(RateError::NotANumber),
            Ok(rate) if !(rate > 0.0 && rate < 1.0) => Err(RateError::OutOfRange),
            Ok(rate) => ErrorRate::new(rate).ok_or(RateError::TooSmall),
            Err(_) => Err(RateError::NotANumber),
        }
    }

    /// The bits of the number, to be written down.
    pub fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// What [`ErrorRate::to_bits`] wrote; `None` for bits it never writes.
    pub fn from_bits(bits: u64) -> Option<ErrorRate> {
        let rate = f64::from_bits(bits);
        (ERROR_RATE_MIN..=ERROR_RATE_MAX)
            .contains(&rate)
            .then_some(ErrorRate(rate))
    }

    /// The rate of one link: all of it where a filter does not scale.
    pub fn of(self, index: usize, expansion: u32) -> LinkRate {
        match expansion {
            0 => LinkRate(self.0),
            _ => LinkRate(rate_of_link(self, index)),
        }
    }

    /// The rate that link `index` of a chain may have, so that the whole chain, however
    /// long it grows, has at most this one: 6/(pi^2 * (index + 1)^2) of it, which sums
    /// to 1. A geometric series would take less from the second link and ever more from
    /// later ones.
    fn of_link(self, index: usize) -> f64 {
        let place = index as f64 + 1.0;
        self.0 * 6.0 / (std::f64::consts::PI * std::f64::consts::PI * place * place)
    }
}

impl fmt::Display for ErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The rate that link `index` of a chain is built for.
fn rate_of_link(rate: ErrorRate, index: usize) -> f64 {
    let mut rate = rate.of_link(index);
    if index > 0 {
        rate = ((rate.log2() * STEPS_OF_HALF).floor() / STEPS_OF_HALF).exp2();
    }
    rate.max(LINK_RATE_MIN)
}

/// The rate that one link is built for, shown as C's `%g` shows it.
pub struct LinkRate(f64);

impl fmt::Display for LinkRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Six digits; "6.25000e-5".
        let scientific = format!("{:.5e}", self.0);
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if exponent < -4 {
            let digits = digits.trim_end_matches('0').trim_end_matches('.');
            return write!(f, "{digits}e-{:02}", -exponent);
        }
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        let fixed = format!("{:.decimals$}", self.0);
        f.write_str(fixed.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Why a word is no error rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateError {
    NotANumber,
    /// Not above 0 and below 1.
    OutOfRange,
    /// Below [`ERROR_RATE_MIN`].
    TooSmall,
}

/// The size of one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bits of an item in each of its blocks, 1 to `PROBES_MAX`.
    pub probes: u8,
    /// Blocks that an item has bits in, 1 to `PLACES_MAX`.
    pub places: u8,
    /// Blocks of `BLOCK_BITS` bits, at least 1.
    pub blocks: u64,
    /// Items for which the rate holds, at least 1.
    pub capacity: u64,
}

impl Shape {
    /// The smallest filter that holds `capacity` items and errs at most at `rate`.
    /// `None` when no filter of at most `BLOCKS_MAX` blocks does.
    pub fn alone(rate: ErrorRate, capacity: u64) -> Option<Shape> {
        Shape::for_rate(rate.0, capacity)
    }

    /// The same for link `index` of a chain that errs at most at `rate` in all.
    pub fn of_link(rate: ErrorRate, index: usize, capacity: u64) -> Option<Shape> {
        Shape::for_rate(rate_of_link(rate, index), capacity)
    }

    fn for_rate(error_rate: f64, capacity: u64) -> Option<Shape> {
        if capacity == 0 {
            return None;
        }
        let density = Density::known(error_rate);
        let blocks = (capacity as f64 / density.items()).ceil();
        if blocks > BLOCKS_MAX as f64 {
            return None;
        }
        Some(Shape {
            probes: density.probes,
            places: density.places,
            blocks: (blocks as u64).max(1),
            capacity,
        })
    }

    /// Could [`Shape::alone`] or [`Shape::of_link`] have made it? Not the whole truth: a
    /// filter of this shape works, whatever its rate of errors.
    pub fn is_sound(&self) -> bool {
        (1..=PROBES_MAX).contains(&self.probes)
            && (1..=PLACES_MAX).contains(&self.places)
            && (1..=BLOCKS_MAX).contains(&self.blocks)
            && (1..=self.bits()).contains(&self.capacity)
    }

    pub fn bits(&self) -> u64 {
        self.blocks * BLOCK_BITS
    }

    /// Bits of an item, in all of its blocks.
    pub fn probes_in_all(&self) -> u32 {
        u32::from(self.probes) * u32::from(self.places)
    }
}

/// How densely a filter may be filled.
#[derive(Clone, Copy)]
struct Density {
    /// Bits of an item in each of its blocks.
    probes: u8,
    /// Blocks of an item.
    places: u8,
    /// Items that have bits in a block, on average, when the filter is full.
    load: f64,
}

/// Densities worked out lately, by the bits of their rates. It changes no answer.
static MEMO: Mutex<Vec<(u64, Density)>> = Mutex::new(Vec::new());

impl Density {
    /// The densest that holds the rate; worked out once.
    fn known(error_rate: f64) -> Density {
        let bits = error_rate.to_bits();
        let mut memo = MEMO.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, density)) = memo.iter().find(|(known, _)| *known == bits) {
            return *density;
        }
        let places = if error_rate < TWO_PLACES_BELOW { 2 } else { 1 };
        let mut density = Density::densest(error_rate * MARGIN, places);
        density.load = counted(density);
        if memo.len() >= MEMO_LEN {
            memo.remove(0);
        }
        memo.push((bits, density));
        density
    }

    /// Probes, and items a block, that hold the rate with the fewest bits.
    fn densest(error_rate: f64, places: u8) -> Density {
        let of_a_place = error_rate.powf(1.0 / f64::from(places));
        let of = |probes| Density {
            probes,
            places,
            load: load_for(of_a_place, probes),
        };
        // Without blocks, log2(1/rate) probes are best; with them, some fewer. From a
        // guess it is up or down to the best: there is one hill.
        let ideal = (1.0 / of_a_place).log2().max(1.0);
        let guess = ((ideal * 0.85).round() as u8).clamp(1, PROBES_MAX);
        let mut best = of(guess);
        for direction in [1, -1] {
            while let Some(probes) = best.probes.checked_add_signed(direction)
                && (1..=PROBES_MAX).contains(&probes)
                && let next = of(probes)
                && next.load > best.load
            {
                best = next;
            }
        }
        best
    }

    /// Items a block: an item of two places loads two.
    fn items(&self) -> f64 {
        self.load / f64::from(self.places)
    }
}

/// How many of the items of a block are counted: one that is taken for present when it
/// is added is not, and still is one that the filter contains. The more it errs, the
/// more of them there are before it is full.
fn counted(density: Density) -> f64 {
    const STEPS: u32 = 16;
    let Density {
        probes,
        places,
        load,
    } = density;
    let rates = (0..STEPS).map(|step| {
        let filled = (f64::from(step) + 0.5) / f64::from(STEPS);
        error_rate_at(load * filled, probes).powi(i32::from(places))
    });
    load * (1.0 - rates.sum::<f64>() / f64::from(STEPS))
}

/// Most items a block, on average, at which `probes` probes hold the rate.
fn load_for(error_rate: f64, probes: u8) -> f64 {
    let (mut holds, mut breaks) = (0.0, BLOCK_BITS as f64);
    // Sixteen halvings: to an item in a hundred, always on the safe side.
    for _ in 0..16 {
        let load = (holds + breaks) / 2.0;
        if error_rate_at(load, probes) <= error_rate {
            holds = load;
        } else {
            breaks = load;
        }
    }
    f64::max(holds, 0.25)
}

/// The rate of errors of blocks that got `load` items each on average.
fn error_rate_at(load: f64, probes: u8) -> f64 {
    let items_max = (load + 12.0 * load.sqrt() + 20.0) as u32;
    let mut likelihood = (-load).exp();
    let mut rate = 0.0;
    for items in 0..=items_max {
        if items > 0 {
            likelihood *= load / f64::from(items);
        }
        rate += likelihood * error_rate_of_block(items, probes);
    }
    rate
}

/// The rate of errors of a block with so many items: each probe finds a bit set by an
/// item, or one that it has just looked at.
fn error_rate_of_block(items: u32, probes: u8) -> f64 {
    let bits = BLOCK_BITS as f64;
    let clear = (1.0 - 1.0 / bits).powi((items * u32::from(probes)) as i32);
    (0..probes)
        .map(|seen| {
            let seen_before = f64::from(seen) / bits;
            (1.0 - clear) * (1.0 - seen_before) + seen_before
        })
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rate: f64) -> ErrorRate {
        ErrorRate::new(rate).expect("a rate")
    }

    fn bits_per_item(error_rate: f64) -> f64 {
        let shape = Shape::alone(rate(error_rate), 10_000_000).expect("a shape");
        shape.bits() as f64 / shape.capacity as f64
    }

    #[test]
    fn bits_are_close_to_the_theoretical_least() {
        for (error_rate, over_theory_max) in [
            (0.1, 1.06),
            (0.01, 1.05),
            (0.001, 1.10),
            (0.0001, 1.17),
            (1e-5, 1.07),
            (1e-6, 1.10),
            (1e-9, 1.22),
        ] {
            let least = f64::log2(1.0 / error_rate) / std::f64::consts::LN_2;
            let over = bits_per_item(error_rate) / least;
            assert!(
                over < over_theory_max,
                "{error_rate}: {over} times the least"
            );
        }
    }

    #[test]
    fn rates_below_the_smallest_of_one_place_take_two() {
        for (asked, places) in [(0.25, 1), (1e-3, 1), (2e-4, 1), (1.9e-4, 2), (1e-9, 2)] {
            let shape = Shape::alone(rate(asked), 1_000).expect("a shape");
            assert_eq!(shape.places, places, "{asked}");
            assert!(shape.is_sound());
        }
    }

    #[test]
    fn smaller_rates_take_more_bits() {
        let rates = [0.25, 0.1, 0.01, 1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9];
        let bits: Vec<f64> = rates.iter().map(|&rate| bits_per_item(rate)).collect();
        assert!(bits.is_sorted(), "{bits:?}");
        let link = |index| Shape::of_link(rate(1e-9), index, 1_000_000).expect("a shape");
        assert!(link(0).bits() < link(7).bits());
        // The smallest rate of a link still is one that the blocks can hold.
        let last = Density::known(LINK_RATE_MIN);
        assert!(last.load > 1.0, "{}", last.load);
    }

    #[test]
    fn rates_of_all_links_sum_to_at_most_the_rate_asked_for() {
        let sum: f64 = (0..100_000).map(|index| rate(0.01).of_link(index)).sum();
        assert!(sum < 0.01 && sum > 0.0099, "{sum}");
    }

    #[test]
    fn a_first_link_costs_half_a_bit_and_a_bit_an_item_more_than_a_filter_alone() {
        for asked in [0.1, 0.01, 0.001] {
            let alone = Shape::alone(rate(asked), 1_000_000).expect("a shape");
            let link = Shape::of_link(rate(asked), 0, 1_000_000).expect("a shape");
            let more = (link.bits() - alone.bits()) as f64 / 1e6;
            assert!((0.5..1.5).contains(&more), "{asked}: {more} bits");
        }
    }

    #[test]
    fn rates_of_links_are_shown_as_c_shows_them() {
        for (rate, shown) in [
            (0.01, "0.01"),
            (0.25, "0.25"),
            (0.00607927, "0.00607927"),
            (0.000625, "0.000625"),
            (1.0 / 3.0, "0.333333"),
            (6.25e-5, "6.25e-05"),
            (1e-9, "1e-09"),
            (1e-12, "1e-12"),
            (1.234_567_8e-7, "1.23457e-07"),
        ] {
            assert_eq!(LinkRate(rate).to_string(), shown);
        }
    }

    #[test]
    fn rates_are_read_from_words() {
        for word in ["0.01", "1e-2", "+0.01", ".01", "1.0E-2", "0.010"] {
            assert_eq!(ErrorRate::parse(word.as_bytes()), Ok(rate(0.01)), "{word}");
        }
        for (words, error) in [
            (
                &["", " 0.01", "0.01 ", "nan", "x", "0,01", "0.01f", "\u{661}"][..],
                RateError::NotANumber,
            ),
            (
                &[
                    "0",
                    "1",
                    "-0.1",
                    "inf",
                    "-inf",
                    "2",
                    "1e-400",
                    "0.99999999999999999",
                ],
                RateError::OutOfRange,
            ),
            (&["1e-10", "5e-324"], RateError::TooSmall),
        ] {
            for word in words {
                assert_eq!(ErrorRate::parse(word.as_bytes()), Err(error), "{word}");
            }
        }
        assert_eq!(ErrorRate::parse(b"\xff"), Err(RateError::NotANumber));
        assert_eq!(rate(0.01).to_string(), "0.01");
    }

    #[test]
    fn refuses_what_no_filter_can_hold() {
        for error_rate in [0.0, 1.0, -0.1, f64::NAN, 1e-10, f64::INFINITY] {
            assert_eq!(ErrorRate::new(error_rate), None);
        }
        assert_eq!(Shape::alone(rate(0.01), 0), None);
        assert_eq!(Shape::alone(rate(0.01), u64::MAX), None);
        assert_eq!(ErrorRate::new(0.9), ErrorRate::new(0.25));
        assert_eq!(ErrorRate::from_bits(0.5_f64.to_bits()), None);
        assert_eq!(ErrorRate::from_bits(f64::NAN.to_bits()), None);
        let asked = rate(0.013);
        assert_eq!(ErrorRate::from_bits(asked.to_bits()), Some(asked));
    }
}
