//! Decides the entries of a batch: independent requests at one moment, in their order.
//!
//! Each entry is decided on the sale as the entries before it left it, by the plan of the
//! single command. So the caller carries a decision out, and writes its answer, before it
//! asks about the next entry: an answer holds slots and items, which the next change may move.
//!
//! Edge: reads the state and returns a decision; knows one entry at a time.
//!
//! # Invariants
//!
//! 1. An entry is answered as its single command would be at this moment, but for the budget
//!    of sweeps, which all entries share: else a batch of refusals could return `sweep-max`
//!    reservations for each of them.
//! 2. What expires on the way is decided in its place between the entries.

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, Checkout, Reserve};
use crate::sale::event::{Event, Pending};
use crate::sale::state::Sale;
use crate::table::name::Key;

/// One entry of a batch.
#[derive(Clone, Debug)]
pub enum Entry<'a> {
    Reserve(Reserve<'a>),
    Buy {
        ask: Reserve<'a>,
        reference: Option<&'a [u8]>,
    },
    Checkout(Checkout<'a>),
    Release(Key<'a>),
}

/// What is to be done about an entry.
#[derive(Clone, Debug)]
pub enum Decision<'a> {
    /// Reservations expire first. After this event the entry is decided anew.
    First(Event<'a>),
    Change(Event<'a>),
    /// The entry of the order stream is to be appended first.
    Order(Pending<'a>),
    /// Nothing changes.
    Say(Answer),
}

impl<'a> Entry<'a> {
    /// Returns the id of the reservation that the entry is about.
    #[inline]
    pub fn id(&self) -> Key<'a> {
        match self {
            Entry::Reserve(ask) | Entry::Buy { ask, .. } => ask.id,
            Entry::Checkout(ask) => ask.id,
            Entry::Release(id) => *id,
        }
    }

    /// Lends the id, and the user whose limits the entry may depend on.
    #[inline]
    pub fn keys_mut(&mut self) -> (&mut Key<'a>, Option<&mut Key<'a>>) {
        match self {
            Entry::Reserve(ask) | Entry::Buy { ask, .. } => (&mut ask.id, Some(&mut ask.user)),
            Entry::Checkout(ask) => (&mut ask.id, None),
            Entry::Release(id) => (id, None),
        }
    }
}

/// Decides the entries of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    now_ms: u64,
    bounds: Bounds,
    /// What is left of the budget of sweeps.
    sweep_left: u32,
}

impl Batch {
    /// Begins a batch at a moment of the sale; all its entries together return about
    /// `sweep_max` overdue reservations at most.
    pub fn new(now_ms: u64, bounds: Bounds, sweep_max: u32) -> Batch {
        Batch {
            now_ms,
            bounds,
            sweep_left: sweep_max,
        }
    }

    /// Returns the moment of all decisions, in Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Returns what is left of the budget of sweeps, in reservations.
    pub fn sweep_left(&self) -> u32 {
        self.sweep_left
    }

    /// Decides an entry, at the cost of its single command.
    #[inline(always)]
    pub fn decide<'a>(&mut self, sale: &Sale, entry: &Entry<'a>) -> Decision<'a> {
        if let Some(event) = sale.plan_expire(self.now_ms, entry.id()) {
            return Decision::First(event);
        }
        let (now_ms, bounds) = (self.now_ms, &self.bounds);
        let answer = match entry {
            Entry::Reserve(ask) => match sale.plan_reserve(now_ms, ask, bounds) {
                Ok(event) => return Decision::Change(event),
                Err(answer) => answer,
            },
            Entry::Release(id) => match sale.plan_release(now_ms, *id, None, bounds) {
                Ok(event) => return Decision::Change(event),
                Err(answer) => answer,
            },
            Entry::Buy { ask, reference } => {
                match sale.plan_buy(now_ms, ask, *reference, None, bounds) {
                    Ok(pending) => return Decision::Order(pending),
                    Err(answer) => answer,
                }
            }
            Entry::Checkout(ask) => match sale.plan_checkout(now_ms, ask) {
                Ok(pending) => return Decision::Order(pending),
                Err(answer) => answer,
            },
        };
        self.lift_or_say(sale, entry, answer)
    }

    /// Returns overdue reservations, if that could lift this refusal; else says it.
    fn lift_or_say<'a>(&mut self, sale: &Sale, entry: &Entry<'_>, answer: Answer) -> Decision<'a> {
        if !self.could_lift(sale, entry, &answer) {
            return Decision::Say(answer);
        }
        // A sweep leaves nothing overdue or no budget, so that this ends.
        match sale.plan_sweep_within(self.now_ms, &mut self.sweep_left) {
            Some(event) => Decision::First(event),
            // A late checkout: expired is expired, whatever else is overdue.
            None if matches!(answer, Answer::Expired { .. }) => Decision::Say(answer),
            None => Decision::Say(Answer::RETRY_NOW),
        }
    }

    /// Reports whether returning overdue reservations could lift this refusal.
    fn could_lift(&self, sale: &Sale, entry: &Entry<'_>, answer: &Answer) -> bool {
        match (entry, answer) {
            (Entry::Buy { .. } | Entry::Checkout(_), Answer::Expired { .. }) => {
                sale.overdue_could_grant_grace(self.now_ms, entry.id())
            }
            (Entry::Reserve(ask) | Entry::Buy { ask, .. }, _) => {
                sale.overdue_could_lift(self.now_ms, answer, ask.user)
            }
            (Entry::Checkout(_) | Entry::Release(_), _) => false,
        }
    }
}
