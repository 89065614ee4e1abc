//! Who comes to the sale: a seeded crowd with bad habits.
//!
//! Edge: decides habits, carts and arrivals before anything is sent. The same seed
//! brings the same crowd; what it meets depends on the machine's timing.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Options;

/// Most units one user may have in the sale.
pub const USER_LIMIT: u64 = 2;
/// Most units in one reservation.
pub const ORDER_LIMIT: u64 = 4;
/// How late a payment can still succeed.
pub const GRACE_MS: u64 = 300;
/// The last buyer arrives this long after the first.
const RUSH_MS: f64 = 2_500.0;

/// What is special about a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Reserves, thinks, pays.
    Plain,
    /// Loses every answer and sends the same request again.
    Resends,
    /// Reserves and never comes back; the deadline returns the units.
    Abandons,
    /// Pays after the deadline, but within the grace.
    PaysInGrace,
    /// Pays after the grace, is told EXPIRED, and starts again.
    PaysTooLate,
    /// Sends the same id over two connections at once.
    ClicksTwice,
    /// Asks for two whole carts, under two ids, over two connections at once.
    FillsTwoCarts,
    /// Gives the units back before paying.
    ChangesMind,
    /// Asks for more than a user may have.
    WantsTooMany,
    /// Asks for more than an order may have.
    WantsPallet,
}

/// Habits by their share of the crowd, in percent.
const SHARES: [(Habit, u32); 10] = [
    (Habit::Plain, 50),
    (Habit::Resends, 13),
    (Habit::Abandons, 10),
    (Habit::PaysInGrace, 5),
    (Habit::PaysTooLate, 4),
    (Habit::ClicksTwice, 5),
    (Habit::FillsTwoCarts, 4),
    (Habit::ChangesMind, 5),
    (Habit::WantsTooMany, 3),
    (Habit::WantsPallet, 1),
];

/// One buyer at one connection. Who uses two connections is there twice.
#[derive(Clone, Debug)]
pub struct Buyer {
    pub user: u32,
    pub habit: Habit,
    /// Units asked for.
    pub units: u64,
    /// Tells the ids of two carts of one user apart.
    pub cart: char,
    /// Unix milliseconds of the first request.
    pub arrives_at_ms: u64,
}

/// The buyers of one connection, and the randomness of their behaviour.
pub struct Crowd {
    pub buyers: Vec<Buyer>,
    pub random: ChaCha8Rng,
}

/// Makes the crowd and spreads it over the connections.
pub fn crowds(options: &Options, from_ms: u64) -> Vec<Crowd> {
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let mut crowds: Vec<Crowd> = (0..options.connections)
        .map(|_| Crowd {
            buyers: Vec::new(),
            random: ChaCha8Rng::from_rng(&mut random),
        })
        .collect();
    let connections = crowds.len();
    for user in 0..options.buyers {
        let buyer = make_buyer(user, from_ms, &mut random);
        let lane = user as usize % connections;
        // The second click comes over the neighbour's connection, at the same moment.
        let second = match buyer.habit {
            Habit::ClicksTwice => Some(buyer.clone()),
            Habit::FillsTwoCarts => Some(Buyer {
                cart: 'b',
                ..buyer.clone()
            }),
            _ => None,
        };
        crowds[lane].buyers.push(buyer);
        if let Some(second) = second {
            crowds[(lane + 1) % connections].buyers.push(second);
        }
    }
    crowds
}

fn make_buyer(user: u32, from_ms: u64, random: &mut ChaCha8Rng) -> Buyer {
    let habit = draw_habit(random.random_range(0..100));
    let units = match habit {
        Habit::WantsTooMany => USER_LIMIT + 1,
        Habit::WantsPallet => ORDER_LIMIT + 1,
        Habit::FillsTwoCarts => USER_LIMIT,
        _ if random.random_ratio(1, 8) => 2,
        _ => 1,
    };
    // A rush: half of the crowd comes in the first quarter of the time.
    let late: f64 = random.random();
    let arrives_at_ms = from_ms + (late * late * RUSH_MS) as u64;
    Buyer {
        user,
        habit,
        units,
        cart: 'a',
        arrives_at_ms,
    }
}

fn draw_habit(percent: u32) -> Habit {
    let mut sum = 0;
    for (habit, share) in SHARES {
        sum += share;
        if percent < sum {
            return habit;
        }
    }
    Habit::Plain
}
