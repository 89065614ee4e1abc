//! Who comes to the sale, when, and with which bad habits: drawn from the seed before anything
//! is sent. What the buyers meet depends on the machine's timing.

use std::time::Duration;

use super::chance::Chance;

/// The items of a sale that load makes, with their share of the stock in tenths. Everybody wants each of them
/// equally often, so they sell out one after the other.
pub const ITEMS: [(&str, u64); 3] = [("red", 5), ("green", 3), ("blue", 2)];

/// What is special about a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Reserves, thinks, pays.
    Plain,
    /// Reserves and never comes back; the deadline returns the units.
    Abandons,
    /// Gives the units back before paying.
    ChangesMind,
    /// Takes another item instead, by REPLACE, and pays for that.
    ChangesCart,
    /// Pays after the deadline, but within the grace.
    PaysInGrace,
    /// Pays after the grace, is told EXPIRED, and starts again.
    PaysTooLate,
    /// Pays, and pays again by another card.
    PaysTwice,
    /// Sends the same id over two connections at once.
    ClicksTwice,
    /// Asks for two whole carts, under two ids, over two connections at once.
    FillsTwoCarts,
    /// Asks for more than a user may have.
    WantsTooMany,
    /// Asks for more than an order may have.
    WantsPallet,
}

use Habit::{
    Abandons, ChangesCart, ChangesMind, ClicksTwice, FillsTwoCarts, PaysInGrace, PaysTooLate,
    PaysTwice, Plain, WantsPallet, WantsTooMany,
};

/// The habits of a few, whoever pays and whoever does not.
const FEW: [(Habit, f64); 4] = [
    (ClicksTwice, 0.05),
    (FillsTwoCarts, 0.04),
    (WantsTooMany, 0.03),
    (WantsPallet, 0.01),
];

/// The habits of those who pay; the rest of them are plain.
const PAYING: [(Habit, f64); 4] = [
    (ChangesCart, 0.06),
    (PaysInGrace, 0.06),
    (PaysTooLate, 0.04),
    (PaysTwice, 0.03),
];

/// Of those who do not pay; the others change their minds.
const ABANDONS: f64 = 0.67;

/// One line of a cart: the position of the item, and how many.
pub type Line = (usize, u64);

/// One buyer at one connection. Who uses two connections is there twice.
#[derive(Clone, Copy, Debug)]
pub struct Buyer {
    pub user: u64,
    pub habit: Habit,
    /// Sends each request again, as if its answer had been lost.
    pub loses_answers: bool,
    pub first: Line,
    /// A second item in the same cart.
    pub second: Option<Line>,
    /// Tells the ids of two carts of one user apart.
    pub cart: char,
    /// Waits in line where the units do not suffice.
    pub waits: bool,
    /// The second of two: sends over another connection.
    pub is_twin: bool,
    pub chance: Chance,
    /// The intended moment of the first request.
    pub arrives_us: u64,
}

/// What the crowd is like.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    pub seed: u64,
    /// The share of those who have a reservation and pay.
    pub pay: f64,
    /// The share of those who lose answers.
    pub retry: f64,
    pub user_limit: u64,
    pub order_limit: u64,
    /// How many items there are.
    pub items: usize,
    /// Whether the sale has a line.
    pub waits: bool,
    pub lets: Lets,
}

/// What the target lets buyers try. Whoever would try more is plain.
#[derive(Clone, Copy, Debug)]
pub struct Lets {
    /// A cart can be changed by REPLACE.
    pub change: bool,
    /// There is a limit of units for each user.
    pub exceed_user: bool,
    /// There is a limit of units for each order, above the one for each user.
    pub exceed_order: bool,
}

impl Lets {
    /// A sale that load makes has all of it.
    pub const ALL: Self = Self {
        change: true,
        exceed_user: true,
        exceed_order: true,
    };

    fn allows(self, habit: Habit) -> bool {
        match habit {
            ChangesCart => self.change,
            FillsTwoCarts | WantsTooMany => self.exceed_user,
            WantsPallet => self.exceed_order,
            _ => true,
        }
    }
}

/// When buyers come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rush {
    /// So many within a time, half of them in its first third.
    Within { buyers: u64, time: Duration },
    /// So many a second, at random, until the time is over or somebody stops it.
    Rate {
        a_second: f64,
        time: Option<Duration>,
    },
}

/// The buyers in the order of their arrival.
pub struct Arrivals {
    manners: Manners,
    rush: Rush,
    gaps: Chance,
    /// Of the next one.
    user: u64,
    /// In parts of the whole for `Within`, in microseconds for `Rate`.
    clock: f64,
    /// The other half of the last one.
    twin: Option<Buyer>,
}

impl Arrivals {
    /// Begins with the first buyer.
    pub fn new(manners: Manners, rush: Rush) -> Self {
        Self {
            manners,
            rush,
            gaps: Chance::of(manners.seed, u64::MAX),
            user: 0,
            clock: 0.0,
            twin: None,
        }
    }

    /// Returns the intended moment of the next arrival, or `None` at the end.
    fn next_moment(&mut self) -> Option<u64> {
        match self.rush {
            Rush::Within { buyers, time } => {
                if self.user >= buyers {
                    return None;
                }
                // Gaps of a Poisson process add up to uniform draws in order; the power draws
                // them to the beginning.
                self.clock += self.gaps.gap_us(1e6) / buyers as f64;
                let part = self.clock.min(1.0).powf(1.5);
                Some((part * time.as_micros() as f64) as u64)
            }
            Rush::Rate { a_second, time } => {
                self.clock += self.gaps.gap_us(a_second);
                let end_us = time.map_or(f64::INFINITY, |time| time.as_micros() as f64);
                (self.clock < end_us).then_some(self.clock as u64)
            }
        }
    }
}

impl Iterator for Arrivals {
    type Item = Buyer;

    fn next(&mut self) -> Option<Buyer> {
        if let Some(twin) = self.twin.take() {
            return Some(twin);
        }
        let arrives_us = self.next_moment()?;
        let buyer = draw(&self.manners, self.user, arrives_us);
        self.user += 1;
        // The second click comes over another connection, at the same moment.
        self.twin = match buyer.habit {
            ClicksTwice => Some('a'),
            FillsTwoCarts => Some('b'),
            _ => None,
        }
        .map(|cart| Buyer {
            cart,
            is_twin: true,
            ..buyer
        });
        Some(buyer)
    }
}

fn draw(manners: &Manners, user: u64, arrives_us: u64) -> Buyer {
    let mut chance = Chance::of(manners.seed, user);
    let drawn = draw_habit(manners, &mut chance);
    let habit = if manners.lets.allows(drawn) {
        drawn
    } else {
        Plain
    };
    let item = chance.below(manners.items as u64) as usize;
    let may_have_two = manners.user_limit.min(manners.order_limit) >= 2;
    let (mut first, mut second) = ((item, 1), None);
    match habit {
        WantsTooMany => first.1 = manners.user_limit + 1,
        WantsPallet => first.1 = manners.order_limit + 1,
        FillsTwoCarts => first.1 = manners.user_limit,
        _ if may_have_two && chance.below(8) == 0 => {
            if chance.below(2) == 0 || manners.items < 2 {
                first.1 = 2;
            } else {
                second = Some(((item + 1) % manners.items, 1));
            }
        }
        _ => {}
    }
    Buyer {
        user,
        habit,
        // The other half of a double click may pay in between: then the answers differ.
        loses_answers: chance.share() < manners.retry && habit != ClicksTwice,
        first,
        second,
        cart: 'a',
        // A cart of two items cannot wait.
        waits: manners.waits && second.is_none(),
        is_twin: false,
        chance,
        arrives_us,
    }
}

fn draw_habit(manners: &Manners, chance: &mut Chance) -> Habit {
    let pick = |drawn: f64, habits: &[(Habit, f64)]| {
        let mut sum = 0.0;
        habits.iter().find_map(|(habit, share)| {
            sum += share;
            (drawn < sum).then_some(*habit)
        })
    };
    let drawn = chance.share();
    if let Some(habit) = pick(drawn, &FEW) {
        return habit;
    }
    if chance.share() >= manners.pay {
        return if chance.share() < ABANDONS {
            Abandons
        } else {
            ChangesMind
        };
    }
    pick(chance.share(), &PAYING).unwrap_or(Plain)
}

/// Deals the stock to the items; what does not divide goes to the first.
pub fn deal(stock: u64) -> Vec<u64> {
    let mut dealt: Vec<u64> = ITEMS
        .iter()
        .map(|(_, tenths)| stock * tenths / 10)
        .collect();
    dealt[0] += stock - dealt.iter().sum::<u64>();
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANNERS: Manners = Manners {
        seed: 7,
        pay: 0.7,
        retry: 0.05,
        user_limit: 2,
        order_limit: 4,
        items: ITEMS.len(),
        lets: Lets::ALL,
        waits: false,
    };

    fn crowd(rush: Rush) -> Vec<Buyer> {
        Arrivals::new(MANNERS, rush).collect()
    }

    #[test]
    fn the_same_seed_brings_the_same_crowd_in_order() {
        let rush = Rush::Within {
            buyers: 20_000,
            time: Duration::from_millis(1_500),
        };
        let (one, again) = (crowd(rush), crowd(rush));
        assert_eq!(format!("{one:?}"), format!("{again:?}"));
        assert!(one.is_sorted_by_key(|buyer| buyer.arrives_us));
        assert!(one.iter().all(|buyer| buyer.arrives_us <= 1_500_000));
        let users = one.iter().map(|buyer| buyer.user).max();
        assert_eq!(users, Some(19_999));
        // All habits are there, and each twin.
        let of = |habit| one.iter().filter(|buyer| buyer.habit == habit).count();
        for habit in [
            Plain,
            Abandons,
            ChangesMind,
            ChangesCart,
            PaysInGrace,
            PaysTooLate,
        ] {
            assert!(of(habit) > 200, "{habit:?}");
        }
        assert!(of(PaysTwice) > 100 && of(WantsPallet) > 100);
        let second = one.iter().filter(|buyer| buyer.cart == 'b').count();
        assert_eq!(second * 2, of(FillsTwoCarts));
    }

    #[test]
    fn a_rate_is_kept_until_the_end() {
        let rush = Rush::Rate {
            a_second: 2_000.0,
            time: Some(Duration::from_secs(5)),
        };
        let users = crowd(rush).iter().map(|buyer| buyer.user).max();
        assert!(users.is_some_and(|users| (9_500..10_500).contains(&users)));
    }

    #[test]
    fn deals_all_of_the_stock() {
        assert_eq!(deal(10_000), [5_000, 3_000, 2_000]);
        assert_eq!(deal(7).iter().sum::<u64>(), 7);
    }
}
