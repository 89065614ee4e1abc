//! Decides the entries of a batch: independent requests at one moment, in their order.
//!
//! Each entry is decided on the sale as the entries before it left it, by the plan of the
//! single command. So a [`Carrier`] carries a decision out, and writes its answer, before the
//! next entry is decided: an answer holds slots and items, which the next change may move.
//!
//! Edge: reads the state and decides; knows one entry at a time.
//!
//! # Invariants
//!
//! 1. An entry is answered as its single command would be at this moment, but for four budgets
//!    that all entries share, so that a batch costs no more than its number of entries says:
//!    of sweeps, else a batch of refusals could return `sweep-max` reservations for each of
//!    them; of looks at a user's open reservations; of lines of large carts; and of units with
//!    names.
//! 2. What expires on the way is decided in its place between the entries.

use std::ops::ControlFlow;

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, Checkout, Reserve};
use crate::sale::book::named::ORDER_UNITS_MAX;
use crate::sale::book::reservation::Reservation;
use crate::sale::event::{Event, Pending};
use crate::sale::plan::expiry::{CHAIN_LOOKS_MAX, LINES_PER_COUNT};
use crate::sale::state::Sale;
use crate::sale::units::Line;
use crate::sale::views_units::ItemKind;
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

/// Carries out what a [`Batch`] decides, and answers its entries.
pub trait Carrier<'a> {
    /// What it has to say of an entry that was answered.
    type Answered;

    /// Returns the sale as the entries so far left it.
    fn sale(&self) -> &Sale;

    /// Counts the attempt that an entry is, in a sale that limits them; or returns the answer to
    /// one too many. Asked once for each entry.
    fn throttle(&mut self, _ask: &Reserve<'_>) -> Option<Answer> {
        None
    }

    /// Carries out an event that comes before the entry: reservations expire. The entry is
    /// decided anew after it, unless the carrier breaks off.
    fn expire(&mut self, event: &Event<'_>) -> ControlFlow<Self::Answered>;

    /// Carries out what an entry changes, and answers it.
    fn change(&mut self, event: &Event<'a>) -> Self::Answered;

    /// The same for an order, whose entry of the order stream is to be appended first.
    fn order(&mut self, pending: Pending<'a>) -> Self::Answered;

    /// Answers an entry that changes nothing.
    fn say(&mut self, entry: &Entry<'a>, answer: Answer) -> Self::Answered;

    /// Answers an entry that changes nothing because its cart is larger than what the batch
    /// has left of a budget.
    fn refuse_large(&mut self, budget: Budget) -> Self::Answered;
}

/// What large carts of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Lines of carts that are large.
    Lines,
    /// Units with names.
    Units,
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
    /// The whole of it.
    sweep_max: u32,
    /// What is left of the budget of looks at users' open reservations.
    looks_left: u32,
    /// What is left of the budget of large carts, in lines.
    lines_left: usize,
    /// What is left of the budget of units with names.
    units_left: u64,
}

/// Looks of a batch at users' open reservations: that many of the longest.
const LOOKS_MAX: u32 = 10 * CHAIN_LOOKS_MAX;
/// Lines of all large carts that the entries of a batch change.
const LINES_MAX: usize = 10_000;
/// Units with names that the entries of a batch are about.
const UNITS_MAX: u64 = 10_000;

/// The units with names that an entry is about.
#[derive(Clone, Copy, Default)]
struct NamedUnits {
    units: u64,
    /// They are written into the reply, whatever is decided.
    is_known: bool,
}

impl NamedUnits {
    /// How many an entry that changed nothing gives back to the budget.
    fn given_back(self) -> u64 {
        if self.is_known { 0 } else { self.units }
    }
}

impl Batch {
    /// Begins a batch at a moment of the sale; all its entries together return about
    /// `sweep_max` overdue reservations at most.
    pub fn new(now_ms: u64, bounds: Bounds, sweep_max: u32) -> Batch {
        Batch {
            now_ms,
            bounds,
            sweep_left: sweep_max,
            sweep_max,
            looks_left: LOOKS_MAX,
            lines_left: LINES_MAX,
            units_left: UNITS_MAX,
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

    /// Decides an entry, at the cost of its single command, and has it carried out and
    /// answered.
    // Events are lent: they are too large to be handed on from one function to the next.
    #[inline(always)]
    pub fn play<'a, C: Carrier<'a>>(&mut self, carrier: &mut C, entry: &Entry<'a>) -> C::Answered {
        let mut is_counted = false;
        loop {
            // With fewer items there are no large carts.
            let is_large = carrier.sale().items.len() > LINES_PER_COUNT;
            if is_large && !self.has_room_for(carrier.sale(), entry.id()) {
                return carrier.refuse_large(Budget::Lines);
            }
            let named = named_units(carrier.sale(), entry);
            if named.units > self.units_left {
                return carrier.refuse_large(Budget::Units);
            }
            if let Some(event) = carrier.sale().plan_expire(self.now_ms, entry.id()) {
                if let ControlFlow::Break(answered) = carrier.expire(&event) {
                    return answered;
                }
                continue;
            }
            if carrier.sale().limits_attempts() && !is_counted {
                is_counted = true;
                if let Some(answer) = self.throttle(carrier, entry) {
                    return carrier.say(entry, answer);
                }
            }
            self.units_left -= named.units;
            let (now_ms, bounds) = (self.now_ms, &self.bounds);
            let mut answer = match entry {
                Entry::Reserve(ask) => match carrier.sale().plan_reserve(now_ms, ask, bounds) {
                    Ok(ref event) => return carrier.change(event),
                    Err(answer) => answer,
                },
                Entry::Release(id) => {
                    match carrier.sale().plan_release(now_ms, *id, None, bounds) {
                        Ok(ref event) => return carrier.change(event),
                        Err(answer) => answer,
                    }
                }
                Entry::Buy { ask, reference } => {
                    let sale = carrier.sale();
                    match sale.plan_buy(now_ms, ask, *reference, None, bounds) {
                        Ok(pending) => return carrier.order(pending),
                        Err(answer) => answer,
                    }
                }
                Entry::Checkout(ask) => match carrier.sale().plan_checkout(now_ms, ask) {
                    Ok(pending) => return carrier.order(pending),
                    Err(answer) => answer,
                },
            };
            let Some(event) = self.lift(carrier.sale(), entry, &mut answer) else {
                self.units_left += named.given_back();
                return carrier.say(entry, answer);
            };
            self.units_left += named.units;
            if let ControlFlow::Break(answered) = carrier.expire(&event) {
                return answered;
            }
        }
    }

    /// Counts an entry that is an attempt.
    #[inline(never)] // Most sales limit none.
    fn throttle<'a, C: Carrier<'a>>(&self, carrier: &mut C, entry: &Entry<'a>) -> Option<Answer> {
        match entry {
            Entry::Reserve(ask) | Entry::Buy { ask, .. } => {
                let is_attempt = carrier.sale().is_attempt(self.now_ms, ask);
                is_attempt.then(|| carrier.throttle(ask)).flatten()
            }
            Entry::Checkout(_) | Entry::Release(_) => None,
        }
    }

    /// Takes the lines of this id's cart out of the budget, if it is a large one and there are
    /// as many left.
    fn has_room_for(&mut self, sale: &Sale, id: Key<'_>) -> bool {
        let record = sale.find(id).and_then(|slot| sale.record(slot));
        let lines = record.map_or(0, Reservation::lines_len);
        let left = match lines {
            0..=LINES_PER_COUNT => Some(self.lines_left),
            _ => self.lines_left.checked_sub(lines),
        };
        self.lines_left = left.unwrap_or(self.lines_left);
        left.is_some()
    }

    /// Returns the event that returns overdue reservations first, if that could lift this
    /// refusal. Where the budget of sweeps is used up, the refusal becomes "try again at once".
    fn lift(
        &mut self,
        sale: &Sale,
        entry: &Entry<'_>,
        answer: &mut Answer,
    ) -> Option<Event<'static>> {
        if !self.could_lift(sale, entry, answer) {
            return None;
        }
        let is_late = matches!(answer, Answer::Expired { .. });
        if !is_late && sale.has_backlog(self.sweep_max) {
            *answer = Answer::RETRY_NOW;
            return None;
        }
        // A sweep leaves nothing overdue or no budget, so that this ends.
        let event = sale.plan_sweep_within(self.now_ms, &mut self.sweep_left);
        // A late checkout: expired is expired, whatever else is overdue.
        if event.is_none() && !is_late {
            *answer = Answer::RETRY_NOW;
        }
        event
    }

    /// Reports whether returning overdue reservations could lift this refusal.
    fn could_lift(&mut self, sale: &Sale, entry: &Entry<'_>, answer: &Answer) -> bool {
        match (entry, answer) {
            (Entry::Buy { .. } | Entry::Checkout(_), Answer::Expired { .. }) => {
                sale.overdue_could_grant_grace(self.now_ms, entry.id())
            }
            (Entry::Reserve(ask) | Entry::Buy { ask, .. }, _) => {
                let looks = &mut self.looks_left;
                sale.overdue_could_lift_within(self.now_ms, answer, ask.user, looks)
            }
            (Entry::Checkout(_) | Entry::Release(_), _) => false,
        }
    }
}

/// Counts the units with names that an entry asks for, or that its id has.
#[inline(always)]
fn named_units(sale: &Sale, entry: &Entry<'_>) -> NamedUnits {
    if sale.has_unit_names() {
        return count_named_units(sale, entry);
    }
    NamedUnits::default()
}

#[inline(never)] // Most sales have none.
fn count_named_units(sale: &Sale, entry: &Entry<'_>) -> NamedUnits {
    let named = |lines: &[Line]| {
        let lines = lines.iter();
        let lines = lines.filter(|line| sale.kind_of_item(line.item) != ItemKind::Counted);
        lines.fold(0, |sum: u64, line| sum.saturating_add(line.qty))
    };
    let record = sale.find(entry.id()).and_then(|slot| sale.record(slot));
    if let Some(record) = record {
        return NamedUnits {
            units: named(&record.lines()),
            is_known: true,
        };
    }
    let units = match entry {
        Entry::Reserve(ask) | Entry::Buy { ask, .. } => {
            sale.lines_of(&ask.ask).map_or(0, |lines| named(&lines))
        }
        Entry::Checkout(_) | Entry::Release(_) => 0,
    };
    // More than an order may have is refused before any is chosen.
    NamedUnits {
        units: units.min(ORDER_UNITS_MAX),
        is_known: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sale::ask::request::{Ask, Pass};
    use crate::sale::book::named::UnitList;
    use crate::sale::book::options::Options;
    use crate::sale::event::{Change, Created, Forgets};
    use crate::sale::units::{Line, Lines};
    use crate::table::hash::HASHER;

    const AT_MS: u64 = 1_700_000_000_000;
    const BOUNDS: Bounds = Bounds {
        units_max: 1_000_000,
        items_max: 10_000,
        reservations_max: 10_000,
    };

    fn sale(items: usize, user_limit: u64) -> Sale {
        let skus: Vec<Vec<u8>> = (0..items).map(|sku| sku.to_string().into_bytes()).collect();
        let created = Created {
            sale_id: 7,
            share_id: 7,
            orders: b"orders",
            options: Options {
                user_limit: Some(user_limit),
                ..Options::new(1_000, 3_600_000)
            },
            items: skus.iter().map(|sku| (&sku[..], 1_000_000)).collect(),
        };
        let change = Change::Created(Box::new(created));
        let event = Event {
            at_ms: AT_MS,
            change,
        };
        Sale::create(&event, HASHER).expect("a sale")
    }

    fn reserve(sale: &mut Sale, user: &str, id: &str, items: u32, expires_at_ms: u64) {
        let change = Change::Reserved {
            units: UnitList::new(),
            id: HASHER.key(id.as_bytes()),
            user: HASHER.key(user.as_bytes()),
            lines: (0..items)
                .map(|item| Line { item, qty: 1 })
                .collect::<Lines>(),
            expires_at_ms,
            forgets: Forgets::Nothing,
            replaces: None,
        };
        sale.apply(&Event {
            at_ms: AT_MS,
            change,
        });
    }

    fn checkout(id: &str) -> Entry<'_> {
        Entry::Checkout(Checkout {
            id: HASHER.key(id.as_bytes()),
            user: None,
            reference: None,
            payload: None,
        })
    }

    /// Carries nothing out, and tells what it was to do.
    struct Listener(Sale);

    #[derive(Debug)]
    enum Heard {
        First,
        Change,
        Order,
        Answer(Answer),
        TooLarge(Budget),
    }

    impl<'a> Carrier<'a> for Listener {
        type Answered = Heard;

        fn sale(&self) -> &Sale {
            &self.0
        }

        fn expire(&mut self, _: &Event<'_>) -> ControlFlow<Heard> {
            ControlFlow::Break(Heard::First)
        }

        fn change(&mut self, _: &Event<'a>) -> Heard {
            Heard::Change
        }

        fn order(&mut self, _: Pending<'a>) -> Heard {
            Heard::Order
        }

        fn say(&mut self, _: &Entry<'a>, answer: Answer) -> Heard {
            Heard::Answer(answer)
        }

        fn refuse_large(&mut self, budget: Budget) -> Heard {
            Heard::TooLarge(budget)
        }
    }

    #[test]
    fn large_carts_of_a_batch_have_so_many_lines_in_all() {
        let mut sale = sale(2_000, 1_000_000);
        let ids: Vec<String> = (0..7).map(|id| id.to_string()).collect();
        for (id, items) in ids
            .iter()
            .zip([2_000, 16, 4_000, 2_000, 2_000, 2_000, 1_000])
        {
            reserve(&mut sale, "ann", id, items.min(2_000), AT_MS + 9);
        }
        let mut batch = Batch::new(AT_MS, BOUNDS, 1);
        let mut listener = Listener(sale);
        let mut decided = |id: &str| match batch.play(&mut listener, &checkout(id)) {
            Heard::Order => true,
            Heard::TooLarge(Budget::Lines) => false,
            other => panic!("{other:?}"),
        };
        let fits: Vec<bool> = ids.iter().map(|id| decided(id)).collect();
        assert_eq!(fits, [true, true, true, true, true, true, false]);
        // What has no more lines than a cart of a small sale has goes on.
        assert!(decided("1"));
    }

    /// One user is at the limit with very many open reservations, and another's is overdue.
    #[test]
    fn a_batch_looks_at_so_many_reservations_of_users() {
        let mut sale = sale(1, 1_000);
        for id in 0..1_000 {
            reserve(&mut sale, "ann", &id.to_string(), 1, AT_MS + 9);
        }
        reserve(&mut sale, "bob", "overdue", 1, AT_MS - 1);
        let ask = Entry::Reserve(Reserve {
            units: &[],
            user: HASHER.key(b"ann"),
            ask: Ask::Qty(1),
            id: HASHER.key(b"new"),
            hold_ms: None,
            replaces: None,
            waits: false,
            pass: Pass::Missing,
        });
        let mut batch = Batch::new(AT_MS, BOUNDS, 0);
        let mut listener = Listener(sale);
        for entry in 0..12 {
            let said = match batch.play(&mut listener, &ask) {
                Heard::Answer(answer) => answer,
                other => panic!("{other:?}"),
            };
            // Out of looks, it is "try again at once", which is always true.
            let is_final = matches!(said, Answer::UserLimit { .. });
            assert_eq!(is_final, entry < 10, "{entry}: {said:?}");
        }
    }
}
