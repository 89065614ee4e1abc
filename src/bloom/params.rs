//! How many bits and probes a rate of errors takes: the only floats of the module.
//!
//! A filter is cut into blocks of 512 bits, one cache line each, and all bits of an item
//! lie in one block. Blocks do not get the same number of items: it varies like a
//! Poisson variable, and the fuller ones err more than the emptier ones err less. So
//! the textbook's formula is not enough; the rate is summed over the number of items of
//! a block, and the number of bits is the smallest at which the sum is not above the
//! rate asked for (Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom
//! Filters", 2007).
//!
//! Edge: floats stay here. What comes out - probes, blocks, capacity - is integers;
//! replicas are sent those and work nothing out.

/// Bits of a block: one cache line.
pub const BLOCK_BITS: u64 = 512;
/// Most probes a filter uses: what three multiplications of a hash yield.
pub const PROBES_MAX: u8 = 21;
/// What is built errs a little less often than asked: the sum below is over real numbers,
/// the hash and the blocks are not.
const MARGIN: f64 = 0.98;
/// Smallest rate of errors that is taken.
pub const ERROR_RATE_MIN: f64 = 1e-9;
/// Most blocks of one filter: 256 GiB.
pub const BLOCKS_MAX: u64 = 1 << 32;

/// The size of one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bits per item, 1 to [`PROBES_MAX`].
    pub probes: u8,
    /// Blocks of [`BLOCK_BITS`] bits, at least 1.
    pub blocks: u64,
    /// Items for which the rate holds, at least 1.
    pub capacity: u64,
}

impl Shape {
    /// The smallest filter that holds `capacity` items and errs at most at `error_rate`.
    /// `None` when no filter of at most [`BLOCKS_MAX`] blocks does.
    pub fn for_rate(error_rate: f64, capacity: u64) -> Option<Shape> {
        if !(ERROR_RATE_MIN..1.0).contains(&error_rate) || capacity == 0 {
            return None;
        }
        let (probes, load) = densest(error_rate * MARGIN);
        let blocks = (capacity as f64 / load).ceil();
        if blocks > BLOCKS_MAX as f64 {
            return None;
        }
        Some(Shape {
            probes,
            blocks: (blocks as u64).max(1),
            capacity,
        })
    }

    pub fn bits(&self) -> u64 {
        self.blocks * BLOCK_BITS
    }
}

/// The rate that link `index` of a chain may have, so that the whole chain, however long
/// it grows, has at most `error_rate`: 6/(pi^2 * (index + 1)^2) of it, which sums to 1.
/// A geometric series would take less from the second link and ever more from later
/// ones.
pub fn rate_of_link(error_rate: f64, index: usize) -> f64 {
    let place = index as f64 + 1.0;
    error_rate * 6.0 / (std::f64::consts::PI * std::f64::consts::PI * place * place)
}

/// Probes, and items a block, that hold the rate with the fewest bits.
fn densest(error_rate: f64) -> (u8, f64) {
    // Without blocks, log2(1/rate) probes are best; with them, some fewer.
    let ideal = (1.0 / error_rate).log2().ceil() as u8;
    let from = (ideal / 2).clamp(1, PROBES_MAX);
    (from..=ideal.clamp(from, PROBES_MAX))
        .map(|probes| (probes, load_for(error_rate, probes)))
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .unwrap_or((PROBES_MAX, 1.0))
}

/// Most items a block, on average, at which `probes` probes hold the rate.
fn load_for(error_rate: f64, probes: u8) -> f64 {
    let (mut holds, mut breaks) = (0.0, 2.0 * BLOCK_BITS as f64);
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

    fn bits_per_item(error_rate: f64) -> f64 {
        let shape = Shape::for_rate(error_rate, 10_000_000).expect("a shape");
        shape.bits() as f64 / shape.capacity as f64
    }

    #[test]
    fn bits_are_close_to_the_theoretical_least() {
        for (error_rate, over_theory_max) in
            [(0.1, 1.03), (0.01, 1.05), (0.001, 1.10), (0.0001, 1.17)]
        {
            let least = f64::log2(1.0 / error_rate) / std::f64::consts::LN_2;
            let over = bits_per_item(error_rate) / least;
            assert!(over < over_theory_max, "{error_rate}: {over} times the least");
        }
    }

    #[test]
    fn smaller_rates_take_more_bits() {
        let rates = [0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9];
        let bits: Vec<f64> = rates.iter().map(|&rate| bits_per_item(rate)).collect();
        assert!(bits.is_sorted(), "{bits:?}");
    }

    #[test]
    fn rates_of_all_links_sum_to_at_most_the_rate_asked_for() {
        let sum: f64 = (0..100_000).map(|index| rate_of_link(0.01, index)).sum();
        assert!(sum < 0.01 && sum > 0.0099, "{sum}");
    }

    #[test]
    fn refuses_what_no_filter_can_hold() {
        for (error_rate, capacity) in [
            (0.0, 1),
            (1.0, 1),
            (-0.1, 1),
            (f64::NAN, 1),
            (1e-10, 1),
            (0.01, 0),
            (0.01, u64::MAX),
        ] {
            assert_eq!(Shape::for_rate(error_rate, capacity), None);
        }
    }
}
