//! **Goal**: a filter errs as often as was asked for and no more, at any filling and
//! however long its chain, for few bits; and never denies what was added.
//!
//! **Method**: filters are filled with numbered items, and asked about a million others.
//! The rate found may be above the one asked for by chance only: five standard deviations
//! of so many throws. Each is printed with the interval the true one lies in.

use flashsale_engine::bloom::{
    Added, Bloom, ErrorRate, Event, Growth, ItemHash, Run, Settings, Shape,
};
use flashsale_fuzz::dice::Dice;

const RATES: [f64; 4] = [0.1, 0.01, 0.001, 0.0001];
/// Lower rates, at which an item has bits in two blocks. A rate can be found where some dozens
/// of strangers are taken; 1e-9 would take 10^11 of them.
const LOW_RATES: [(f64, u64); 2] = [(1e-5, 3_000_000), (1e-6, 10_000_000)];
const STRANGERS: u64 = 1_000_000;

/// A filter, its items those below a number, all of them hashed with a seed.
struct Filled {
    bloom: Bloom,
    seed: u64,
    items: u64,
}

fn hash(seed: u64, item: u64) -> ItemHash {
    ItemHash::of(format!("user:{seed}:{item}").as_bytes())
}

/// The standard deviation of a share found among [`STRANGERS`] where it truly is `share`.
fn deviation(share: f64) -> f64 {
    (share * (1.0 - share) / STRANGERS as f64).sqrt()
}

/// Where the true share is when this was found, but for one case in two million: the
/// interval of Wilson (1927), which also tells something when none was found.
fn interval(found: f64) -> (f64, f64) {
    let spread = 25.0 / STRANGERS as f64;
    let centre = (found + spread / 2.0) / (1.0 + spread);
    let reach = (spread * (found * (1.0 - found) + spread / 4.0)).sqrt() / (1.0 + spread);
    ((centre - reach).max(0.0), centre + reach)
}

impl Filled {
    fn new(error_rate: f64, expansion: u32, capacity: u64, dice: &mut Dice) -> Filled {
        let settings = Settings {
            error_rate: ErrorRate::new(error_rate).expect("a rate"),
            expansion,
        };
        let first = Bloom::plan_first(settings, capacity).expect("a shape");
        Filled {
            bloom: Bloom::new(settings, first),
            seed: dice.below(u64::MAX),
            items: 0,
        }
    }

    /// Adds items until it has been given so many.
    fn fill_to(&mut self, items: u64) {
        let hashes: Vec<ItemHash> = (self.items..items)
            .map(|item| hash(self.seed, item))
            .collect();
        for group in hashes.chunks(1_000) {
            if let (_, Some(added)) = self.bloom.plan_add(group) {
                self.bloom.apply(&Event::Added(added));
            }
        }
        self.items = items;
    }

    /// The share of strangers that are taken for members.
    fn rate_found(&self) -> f64 {
        let strangers = (0..STRANGERS).map(|item| hash(self.seed, 1 << 40 | item));
        let mut taken = 0_u64;
        for group in strangers.collect::<Vec<_>>().chunks(1_000) {
            self.bloom
                .contains_each(group, |is_present| taken += u64::from(is_present));
        }
        taken as f64 / STRANGERS as f64
    }

    /// How many of so many strangers are taken for members.
    fn taken(&self, strangers: u64) -> u64 {
        let mut taken = 0;
        let mut next = 1 << 40;
        let end = next + strangers;
        while next < end {
            let group: Vec<ItemHash> = (next..end.min(next + 1_000))
                .map(|item| ItemHash::of(&[self.seed, item].map(u64::to_le_bytes).concat()))
                .collect();
            self.bloom
                .contains_each(&group, |is_present| taken += u64::from(is_present));
            next += 1_000;
        }
        taken
    }

    #[track_caller]
    fn assert_errs_at_most(&self, error_rate: f64, what: &str) -> f64 {
        let found = self.rate_found();
        let (low, high) = interval(found);
        println!("{what}: {found} ({low:.6} to {high:.6}), asked for {error_rate}");
        assert!(
            found <= error_rate + 5.0 * deviation(error_rate),
            "{what}: {found} ({low:.6} to {high:.6}), not {error_rate}"
        );
        found
    }

    #[track_caller]
    fn assert_denies_nothing(&self) {
        let denied = (0..self.items).find(|&item| !self.bloom.contains(hash(self.seed, item)));
        assert_eq!(denied, None, "an item that was added is denied");
    }

    fn bits(&self) -> u64 {
        self.bloom
            .links()
            .iter()
            .map(|link| link.shape().bits())
            .sum()
    }
}

#[test]
fn a_filter_that_does_not_scale_keeps_its_rate_up_to_its_capacity_and_hardly_better() {
    let mut dice = Dice::seeded();
    for asked in RATES {
        let mut filled = Filled::new(asked, 0, 50_000, &mut dice);
        for percent in [10, 50, 90] {
            filled.fill_to(500 * percent);
            filled.assert_errs_at_most(asked, &format!("{percent} %"));
        }
        // The items a filter takes for present are not counted: fill it to the brim.
        let mut next = 45_000;
        while filled.bloom.items() < 50_000 {
            next += 1;
            filled.fill_to(next);
        }
        let found = filled.assert_errs_at_most(asked, "full");
        // Much below it would be memory for nothing.
        assert!(
            found >= 0.9 * asked - 5.0 * deviation(asked),
            "{asked}: only {found}"
        );
        filled.assert_denies_nothing();
    }
}

#[test]
fn a_chain_keeps_its_rate_however_long_it_is() {
    let mut dice = Dice::seeded();
    for asked in RATES {
        for (expansion, capacity, links) in [(2, 3_000, 5), (1, 4_000, 7), (4, 500, 4)] {
            let mut filled = Filled::new(asked, expansion, capacity, &mut dice);
            for percent in [10, 50, 100, 150, 200] {
                filled.fill_to(capacity * percent / 100);
                filled.assert_errs_at_most(asked, &format!("a chain at {percent} %"));
            }
            while filled.bloom.links().len() < links
                || filled.bloom.items() < filled.bloom.capacity()
            {
                filled.fill_to(filled.items + 97);
                if filled.bloom.links().len() > links {
                    break;
                }
            }
            let what = format!("{links} links, each {expansion} times the last");
            filled.assert_errs_at_most(asked, &what);
            filled.assert_denies_nothing();
        }
    }
}

#[test]
fn small_filters_keep_their_rate_too() {
    let mut dice = Dice::seeded();
    for asked in [0.1, 0.01, 0.001] {
        for capacity in [1, 3, 10, 100, 1_000] {
            // A small filter is lucky or not: the mean of many counts.
            let filters = 20;
            let mut sum = 0.0;
            for _ in 0..filters {
                let mut filled = Filled::new(asked, 0, capacity, &mut dice);
                filled.fill_to(capacity);
                let strangers = (0..50_000).map(|item| hash(filled.seed, 1 << 40 | item));
                let taken = strangers.filter(|&hash| filled.bloom.contains(hash));
                sum += taken.count() as f64 / 50_000.0;
                filled.assert_denies_nothing();
            }
            let found = sum / f64::from(filters);
            assert!(found <= asked * 1.3, "{capacity} items at {asked}: {found}");
        }
    }
}

#[test]
fn low_rates_are_kept_by_two_blocks_an_item() {
    let mut dice = Dice::seeded();
    for (asked, strangers) in LOW_RATES {
        // Filters of few blocks, too: the two must not be the same one.
        for (expansion, capacity, filters) in [(0, 50_000, 1), (2, 4_000, 1), (0, 60, 20)] {
            let mut taken = 0_u64;
            for _ in 0..filters {
                let mut filled = Filled::new(asked, expansion, capacity, &mut dice);
                while filled.bloom.items() < capacity * if expansion > 0 { 7 } else { 1 } {
                    filled.fill_to(filled.items + 1);
                }
                filled.assert_denies_nothing();
                taken += filled.taken(strangers / filters);
            }
            let expected = asked * strangers as f64;
            println!("{asked}, {capacity} items: {taken} taken, at most {expected} expected");
            // Five standard deviations of a Poisson variable.
            assert!(taken as f64 <= expected + 5.0 * expected.sqrt());
        }
    }
}

#[test]
fn a_filter_takes_few_bits() {
    let mut dice = Dice::seeded();
    for (asked, most) in [
        (0.1, 1.06),
        (0.01, 1.06),
        (0.001, 1.11),
        (0.0001, 1.05),
        (1e-5, 1.07),
        (1e-6, 1.10),
        (1e-9, 1.22),
    ] {
        let least = f64::log2(1.0 / asked) / std::f64::consts::LN_2;
        let alone = Filled::new(asked, 0, 1_000_000, &mut dice);
        let bits = alone.bits() as f64 / 1e6;
        println!(
            "{asked}: {bits:.2} bits an item, {:.3} times the least",
            bits / least
        );
        assert!(bits <= most * least, "{asked}: {bits} bits an item");
    }
    // One in a hundred, scaling, first link: not more than 1.25 of the least either.
    let chain = Filled::new(0.01, 2, 1_000_000, &mut dice);
    let least = f64::log2(100.0) / std::f64::consts::LN_2;
    assert!(chain.bits() as f64 / 1e6 <= 1.25 * least);
    let taken = chain.bloom.memory_bytes() as u64;
    assert!(taken - chain.bits() / 8 < 1_000, "{taken} bytes of memory");
}

/// Bits of a chain of RedisBloom's: its links are the textbook's, the first at half
/// the rate, each at half the rate of the one before.
fn bits_of_redisbloom(error_rate: f64, capacity: u64, links: i32) -> f64 {
    let bits = (0..links).map(|link| {
        let rate = error_rate / f64::from(2 << link);
        (capacity << link) as f64 * f64::log2(1.0 / rate) / std::f64::consts::LN_2
    });
    bits.sum()
}

#[test]
fn bits_an_item_are_those_that_are_written_down() {
    let mut dice = Dice::seeded();
    let told = [
        include_str!("../../../docs/reference/filters.md"),
        include_str!("../../src/bloom/mod.rs"),
    ];
    for (asked, shown) in [
        (0.1, "0.1"),
        (0.01, "0.01"),
        (0.001, "0.001"),
        (0.0001, "0.0001"),
        (1e-5, "0.00001"),
        (1e-6, "0.000001"),
        (1e-7, "0.0000001"),
        (1e-8, "0.00000001"),
        (1e-9, "0.000000001"),
    ] {
        let mut bits = |expansion| {
            let filled = Filled::new(asked, expansion, 10_000_000, &mut dice);
            filled.bits() as f64 / 1e7
        };
        let (alone, first) = (bits(0), bits(2));
        // RedisBloom's: the textbook's, and at half the rate where it scales.
        let theirs = |rate: f64| f64::log2(1.0 / rate) / std::f64::consts::LN_2;
        let (least, half) = (theirs(asked), theirs(asked / 2.0));
        let row =
            format!("| {shown} | {least:.1} | {least:.1} | {alone:.1} | {half:.1} | {first:.1} |");
        assert!(
            told[0].contains(&row),
            "docs/reference/filters.md has not: {row}"
        );
        for row in [
            format!("//! | {shown} | {alone:.1} | {least:.1} | {least:.1} | "),
            format!("//! | {shown} | {first:.1} | {half:.1} |\n"),
        ] {
            assert!(
                told[1].contains(&row),
                "engine/src/bloom/mod.rs has not: {row}"
            );
        }
    }
}

#[test]
fn bits_an_item_of_filters_that_grew_are_those_that_are_written_down() {
    let page = include_str!("../../../docs/reference/filters.md");
    // From the defaults: 100 items, one in a hundred, twice as many in each link.
    let mut grown = Filled::new(0.01, 2, 100, &mut Dice::seeded());
    let error_rate = grown.bloom.settings().error_rate;
    for (links, items) in [
        (4, "1,500"),
        (7, "12,700"),
        (10, "102,300"),
        (12, "409,500"),
        (14, "1,638,300"),
        (17, "13,107,100"),
        (20, "104,857,500"),
    ] {
        while grown.bloom.links().len() < links {
            let index = grown.bloom.links().len();
            let shape = Shape::of_link(error_rate, index, 100 << index).expect("a shape");
            let then = vec![Growth {
                shape,
                run: Run::default(),
            }];
            let first = Run::default();
            grown.bloom.apply(&Event::Added(Added { first, then }));
        }
        let capacity = grown.bloom.capacity();
        assert_eq!(capacity.to_string(), items.replace(',', ""));
        let ours = grown.bits() as f64 / capacity as f64;
        let theirs = bits_of_redisbloom(0.01, 100, links as i32) / capacity as f64;
        let row = format!("| {items} | {theirs:.1} | {ours:.1} |");
        assert!(
            page.contains(&row),
            "docs/reference/filters.md has not: {row}"
        );
    }
}
