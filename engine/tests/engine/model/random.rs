//! Random sales and random requests, biased towards the places where rules meet:
//! little stock, small limits, retries, known ids, and clocks that stand on a deadline.
//!
//! Edge: chooses; it reads the model only to aim (the next deadline, known ids).

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::reference::{LARGEST, LATEST, Model};
use super::world::After;
use crate::commands::requests::{Named, Op, Setup, Step};

/// The source of one sale's requests.
pub struct Source {
    pub rng: ChaCha8Rng,
    pub clock_ms: u64,
    /// Ids, in the order they were made up.
    pub ids: Vec<String>,
    pub users: Vec<String>,
    /// Those of the sale's beginning first, `items` of them.
    pub skus: Vec<String>,
    pub items: usize,
    pub past: Vec<Op>,
    /// Quantities up to here.
    pub most: u64,
    pub hold_ms: u64,
    /// Times are of the order of years, stocks of the order of 2^53.
    pub is_giant: bool,
    /// There are enough items for carts of more than 8 lines.
    pub is_wide: bool,
    /// How many of 100 steps sweep.
    pub sweeps: u32,
}

impl Source {
    pub fn new(seed: u64) -> (Source, Setup) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let is_giant = rng.random_bool(0.05);
        let is_wide = !is_giant && rng.random_bool(0.2);
        let clock_ms = match rng.random_range(0..20) {
            0 => rng.random_range(1..100_000),
            1 if is_giant => LATEST - rng.random_range(0..1_000_000),
            _ => 1_700_000_000_000 + rng.random_range(0..1_000_000),
        };
        let hold_ms = match rng.random_range(0..10) {
            0 => rng.random_range(1..5),
            1 => rng.random_range(50_000..200_000),
            2 if is_giant => LARGEST - rng.random_range(0..2),
            _ => rng.random_range(20..1_000),
        };
        let mut skus: Vec<String> = ["a", "b", "c", "a longer name of an item", "default"]
            .map(str::to_string)
            .to_vec();
        for at in 0..skus.len() {
            let other = rng.random_range(0..skus.len());
            skus.swap(at, other);
        }
        if is_wide {
            skus.extend((0..8).map(|n| format!("item {n}")));
        }
        let users = (0..rng.random_range(1..12))
            .map(|n| made_up(&mut rng, "u", n))
            .collect();
        let mut source = Source {
            clock_ms,
            ids: Vec::new(),
            users,
            skus,
            items: 1,
            past: Vec::new(),
            most: if is_giant {
                LARGEST
            } else {
                rng.random_range(1..5)
            },
            hold_ms,
            is_giant,
            is_wide,
            sweeps: rng.random_range(0..20),
            rng,
        };
        let setup = source.setup();
        (source, setup)
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_range(0..n) == 0
    }

    fn setup(&mut self) -> Setup {
        let items = self.stock();
        let options = self.options();
        let hold_ms_default = if options.iter().any(|(name, _)| *name == "HOLD") {
            self.rng.random_range(1..1_000)
        } else {
            self.hold_ms
        };
        Setup {
            clock_ms: self.clock_ms,
            orders: "orders".into(),
            items,
            options,
            hold_ms_default,
            keep_ms_default: self.option_value("KEEP"),
            sweep_max: *[1, 1, 2, 3, 1_000].choose(&mut self.rng).unwrap_or(&1),
            reservations_max: match self.rng.random_range(0..4) {
                0 => self.rng.random_range(1..14),
                _ => 4_000_000,
            },
            items_max: match self.rng.random_range(0..4) {
                0 => self.rng.random_range(1..=self.items + 1),
                _ => 10_000,
            },
        }
    }

    fn stock(&mut self) -> Vec<(String, u64)> {
        self.items = match self.is_wide {
            true => self.skus.len() - 1,
            false => *[1, 1, 2, 2, 3, 5].choose(&mut self.rng).unwrap_or(&1),
        };
        let mut items = Vec::new();
        for at in 0..self.items {
            let stock = match self.rng.random_range(0..10) {
                _ if self.is_giant => LARGEST / 3 - self.rng.random_range(0..3),
                0 => 0,
                1 => 40,
                _ => self.rng.random_range(1..=15),
            };
            items.push((self.skus[at].clone(), stock));
        }
        if self.one_in(60) {
            items.push(items[0].clone());
        }
        items
    }

    fn options(&mut self) -> Vec<Named> {
        let mut options = Vec::new();
        for name in ["USERLIMIT", "ITEMLIMIT", "ORDERLIMIT", "SALELIMIT", "GRACE"] {
            if self.rng.random_bool(0.45) {
                options.push((name, self.option_value(name)));
            }
        }
        // The default of REMEMBER is longer than most sales here last.
        if self.rng.random_bool(0.9) {
            options.push(("REMEMBER", self.option_value("REMEMBER")));
        }
        for name in ["START", "END", "KEEP", "MAXHOLD"] {
            if self.one_in(4) {
                options.push((name, self.option_value(name)));
            }
        }
        if self.rng.random_bool(0.5) {
            options.push(("EVENTS", 1));
        }
        if self.one_in(40) {
            options.retain(|(name, _)| *name != "START" && *name != "END");
            options.extend(self.empty_window());
        }
        if !self.one_in(20) {
            options.push(("HOLD", self.hold_ms));
        }
        options
    }

    /// A window that ends the moment it begins, or one that lasts a millisecond.
    pub fn empty_window(&mut self) -> [Named; 2] {
        let start = (self.clock_ms + 50).min(LARGEST - 1);
        let end = start + u64::from(self.one_in(3));
        [("START", start), ("END", end)]
    }

    pub fn option_value(&mut self, name: &str) -> u64 {
        let rng = &mut self.rng;
        match name {
            "USERLIMIT" | "ITEMLIMIT" | "ORDERLIMIT" if self.is_giant => {
                LARGEST - rng.random_range(0..LARGEST)
            }
            "SALELIMIT" if self.is_giant => LARGEST - rng.random_range(0..10),
            "USERLIMIT" | "ITEMLIMIT" | "ORDERLIMIT" | "SALELIMIT" if self.is_wide => {
                rng.random_range(0..100)
            }
            "USERLIMIT" => rng.random_range(0..16),
            "ITEMLIMIT" | "ORDERLIMIT" => rng.random_range(0..9),
            "SALELIMIT" => rng.random_range(0..60),
            "HOLD" => rng.random_range(1..=self.hold_ms.saturating_mul(2).min(LARGEST)),
            "MAXHOLD" if rng.random_range(0..5) == 0 => 0,
            "MAXHOLD" => {
                let above = (self.hold_ms.saturating_mul(3)).min(LARGEST);
                rng.random_range(self.hold_ms.saturating_sub(1).max(1)..=above)
            }
            "EVENTS" => rng.random_range(0..2),
            "GRACE" if self.is_giant => rng.random_range(0..=LARGEST),
            "GRACE" | "REMEMBER" | "KEEP" => {
                rng.random_range(0..=2 * self.hold_ms.min(LARGEST / 4))
            }
            // Near enough to be reached, and now and then already over.
            "START" | "END" if rng.random_range(0..5) == 0 => 0,
            // The very same moment, and now, are at the edge of what is allowed.
            "START" | "END" if rng.random_range(0..6) == 0 => {
                let steps = *[0, 0, 1, 2].choose(rng).unwrap_or(&0);
                (self.clock_ms + 50 * steps).min(LARGEST)
            }
            "START" => (self.clock_ms + rng.random_range(0..400))
                .saturating_sub(200)
                .min(LARGEST),
            "END" => {
                let span = (self.hold_ms.min(LARGEST / 16)) * 8 + 10;
                (self.clock_ms + rng.random_range(0..span))
                    .saturating_sub(span / 16)
                    .min(LARGEST)
            }
            other => unreachable!("no option {other}"),
        }
    }

    /// The next step: a moment, and what is asked at it.
    pub fn next(&mut self, model: &Model) -> (Step, After) {
        self.move_clock(model);
        let op = match self.rng.random_range(0..100) {
            // A sale that sells nothing for long has little to show.
            _ if model.refuses_since().is_some() && self.one_in(6) => Op::Resume,
            _ if model.option("END").is_some_and(|end| end <= self.clock_ms) && self.one_in(20) => {
                Op::Alter(vec![("END", 0)])
            }
            // Units that are overdue may be what a late checkout waits for.
            _ if self.is_contended(model) && self.one_in(4) => self.late_checkout(model),
            _ if model.ended_at(self.clock_ms).is_some() && self.one_in(10) => self.refund(model),
            0..15 if !self.past.is_empty() => self.repeat(),
            _ => self.request(model),
        };
        self.past.push(op.clone());
        let after = match self.rng.random_range(0..60) {
            0 | 1 => After::Reload,
            2 => After::Promote,
            _ => After::Nothing,
        };
        (
            Step {
                clock_ms: self.clock_ms,
                op,
            },
            after,
        )
    }

    /// Is one within its grace while another one is overdue?
    fn is_contended(&self, model: &Model) -> bool {
        let known = || model.reservations.iter();
        known().any(|known| known.is_overdue(self.clock_ms))
            && known().any(|known| model.is_in_grace(known, self.clock_ms))
    }

    pub fn move_clock(&mut self, model: &Model) {
        let hold = self.hold_ms.min(1 << 40);
        if self.clock_ms < model.last_change && self.one_in(3) {
            self.clock_ms = model.last_change;
        }
        let aim = match self.rng.random_range(0..100) {
            0..35 => None,
            35..65 => Some(self.clock_ms + self.rng.random_range(0..=hold / 8)),
            65..83 => model.next_due(),
            83..86 => [model.option("START"), model.option("END")]
                .choose(&mut self.rng)
                .copied()
                .flatten(),
            86..90 => Some(self.clock_ms + self.rng.random_range(0..=hold * 2)),
            90..93 => {
                let late = model.next_to_lapse();
                late.map(|at| model.lapses_at(&model.reservations[at]))
            }
            // Steps back: at the edge of what is believed, and beyond.
            93..96 => Some(model.last_change.saturating_sub(60_000)),
            96..98 => Some(
                self.clock_ms
                    .saturating_sub(self.rng.random_range(0..60_000)),
            ),
            98 => Some(
                self.clock_ms
                    .saturating_sub(self.rng.random_range(60_000..300_000)),
            ),
            _ => Some(self.clock_ms + self.rng.random_range(0..100_000)),
        };
        if let Some(aim) = aim {
            let wobble = self.rng.random_range(0..3u64);
            let aim = aim
                .saturating_add(wobble)
                .saturating_sub(1)
                .clamp(1, LARGEST);
            // A due moment that is long past, or centuries away, is nothing to aim at.
            let is_far = aim > self.clock_ms.saturating_add(1 << 45) && !self.is_giant;
            let is_past = aim + 400_000 < self.clock_ms;
            if !is_far && !is_past {
                self.clock_ms = aim;
            }
        }
    }
}

/// A name in one of the shapes that are kept differently: short, long, ULIDs, and
/// what only looks like one.
pub fn made_up(rng: &mut ChaCha8Rng, prefix: &str, n: usize) -> String {
    let ulid = format!("01ARZ3NDEKTSV4RRFFQ69G{:0>4}", n % 10_000);
    match rng.random_range(0..12) {
        0 | 1 => ulid,
        2 => ulid.to_lowercase(),
        3 => format!("8{}", &ulid[1..]),
        4 => format!("{prefix}{n:_>127}"),
        5 => format!("\u{ff}\u{0} {prefix}{n}"),
        6 => format!("{prefix}{n:_>21}"),
        7 => format!("{prefix}{n:_>22}"),
        _ => format!("{prefix}{n}"),
    }
}
