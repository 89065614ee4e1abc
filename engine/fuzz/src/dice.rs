//! Numbers that follow from a number (SplitMix64), the same on every machine.
//!
//! Edge: the one generator of seeded tests, with a server and without.

/// A small seeded generator.
pub struct Dice(pub u64);

impl Dice {
    /// Seeded from `FLASHSALE_SEED`, else from the clock; prints the seed.
    pub fn seeded() -> Dice {
        let now = std::time::SystemTime::now();
        let since = now
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock after 1970");
        let given = std::env::var("FLASHSALE_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(since.as_nanos() as u64);
        println!("FLASHSALE_SEED={seed}");
        Dice(seed)
    }

    /// Seeded by bytes, so that what a fuzzer found happens again.
    pub fn from_bytes(bytes: &[u8]) -> Dice {
        let mix = |sum: u64, &byte: &u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Dice(bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    /// Another generator, for a thread of its own.
    pub fn split(&mut self) -> Dice {
        Dice(self.below(u64::MAX))
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// A place in something of this length.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// In `n` of 100 cases.
    pub fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.index(among.len())]
    }

    pub fn of<T: Copy>(&mut self, values: &[T]) -> T {
        *self.pick(values)
    }
}
