//! Seeded randomness: SplitMix64 of Sebastiano Vigna (public domain). The same seed brings the
//! same crowd on every machine and with every version of every crate.

/// Draws numbers, each from the one before.
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins anew for one of many, so that what it draws depends on nobody else's draws.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut chance = Self(seed ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03));
        chance.next();
        chance
    }

    /// Returns the next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to, but not including, 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number from 0 up to, but not including, `end`; 0 for an `end` of 0.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.share() * end as f64) as u64
    }

    /// Returns the gap to the next of events that come at `rate` a second on average.
    pub fn gap_us(&mut self, rate: f64) -> f64 {
        -(1.0 - self.share()).ln() / rate * 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation for the seed 1234567.
    #[test]
    fn draws_what_the_reference_draws() {
        let mut chance = Chance(1_234_567);
        let drawn = [chance.next(), chance.next(), chance.next()];
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut chance = Chance::of(1, 2);
        let mean = (0..10_000).map(|_| chance.gap_us(1_000.0)).sum::<f64>() / 10_000.0;
        assert!((950.0..1_050.0).contains(&mean), "{mean}");
        assert!((0..10_000).all(|_| chance.below(7) < 7));
        assert_eq!(chance.below(0), 0);
    }
}
