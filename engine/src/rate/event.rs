//! What happens to the subjects of a limit, as events.
//!
//! A call is decided once, by its own clock; what follows is an event, and every copy carries
//! that out. A refusal is none. A copy that decided the request again, by another clock, would
//! soon have other TATs.
//!
//! Edge: `plan_*` changes nothing and may refuse, [`Table::apply`] cannot fail;
//! [`Table::check`] says whether an event that comes from elsewhere fits.

use std::fmt;

use crate::rate::gcra::{CAPACITY_NS_MAX, Decision, Rate};
use crate::rate::table::{MOMENT_US_MAX, STEP_BACK_US_MAX, Table};
use crate::table::hash::Hasher;
use crate::table::name::Key;

/// A call that is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub subject: Key<'a>,
    pub rate: Rate,
    /// How many calls it counts for; 0 to ask only.
    pub cost: u64,
}

/// A change of the subjects of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The moment it was decided at, in Unix microseconds.
    pub at_us: u64,
    pub change: Change<'a>,
}

/// What was decided about a call.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    pub decision: Decision,
    /// What follows, if anything does.
    pub event: Option<Event<'a>>,
    /// Is the subject not in the table?
    pub is_new: bool,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The first call of all passed, and makes the limit.
    Created(Allowed<'a>),
    Allowed(Allowed<'a>),
    /// The clock stepped back to the moment, by so much.
    Shifted {
        by_us: u64,
    },
}

/// A call that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed<'a> {
    pub subject: Key<'a>,
    /// The new TAT, counted from the moment.
    pub reset_ns: u64,
    /// The subject is a new one, and another gives way to it: how many there may be is
    /// configuration, which a copy does not know.
    pub evicts: bool,
}

/// Why an event does not fit; this copy of the limit is not the one it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// The limit that the event makes is there already.
    LimitExists,
    /// The moment is before the last change, or there is no such one.
    OtherMoment,
    /// The new TAT is the moment itself, or later than that of any rate.
    NoTat,
    /// Another subject is to give way to one that is there, or to the only one.
    NobodyGivesWay,
    /// The step is one that is not believed, or does not end at the moment.
    OtherStep,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Divergence::LimitExists => "the limit exists",
            Divergence::OtherMoment => "the moment is before the last change",
            Divergence::NoTat => "no rate makes such a TAT",
            Divergence::NobodyGivesWay => "no subject has to give way",
            Divergence::OtherStep => "the step of the clock is another",
        })
    }
}

impl<'a> Event<'a> {
    /// What follows from a decision about a call: nothing where it does not pass, or asks only.
    fn of(at_us: u64, ask: &Ask<'a>, decision: &Decision, evicts: bool) -> Option<Allowed<'a>> {
        let is_charged = decision.is_allowed && ask.cost > 0;
        debug_assert!(at_us <= MOMENT_US_MAX);
        is_charged.then_some(Allowed {
            subject: ask.subject,
            reset_ns: decision.reset_ns,
            evicts,
        })
    }
}

/// Decides about a call of a limit that is not there yet. It passes: its cost is at most the
/// burst.
pub fn plan_first<'a>(clock_us: u64, ask: &Ask<'a>) -> (Decision, Option<Event<'a>>) {
    let at_us = clock_us.min(MOMENT_US_MAX);
    let decision = ask.rate.decide(0, 0, ask.cost);
    let allowed = Event::of(at_us, ask, &decision, false);
    let event = allowed.map(|allowed| Event {
        at_us,
        change: Change::Created(allowed),
    });
    (decision, event)
}

impl Table {
    /// Returns the step of a clock that is to be followed before anything is decided.
    #[inline]
    pub fn plan_shift(&self, clock_us: u64) -> Option<Event<'static>> {
        match self.stepped_back_us(clock_us) {
            0 => None,
            by_us => Some(Event {
                at_us: clock_us,
                change: Change::Shifted { by_us },
            }),
        }
    }

    /// Decides about a call, and returns what follows, if anything does.
    pub fn plan<'a>(
        &self,
        clock_us: u64,
        ask: &Ask<'a>,
        subjects_max: u64,
    ) -> (Decision, Option<Event<'a>>) {
        let planned = self.plan_call(clock_us, ask, subjects_max);
        (planned.decision, planned.event)
    }

    /// The same, and reports whether the subject is a new one: it is looked up once.
    #[inline]
    pub fn plan_call<'a>(&self, clock_us: u64, ask: &Ask<'a>, subjects_max: u64) -> Planned<'a> {
        let at_us = self.now_us(clock_us);
        let slot = self.find(ask.subject);
        let decision = self.decide_at(slot, ask.rate, ask.cost, at_us);
        let mut allowed = Event::of(at_us, ask, &decision, false);
        if let (Some(allowed), None) = (&mut allowed, slot) {
            allowed.evicts = self.must_evict_for_new(at_us, subjects_max);
        }
        let event = allowed.map(|allowed| Event {
            at_us,
            change: Change::Allowed(allowed),
        });
        Planned {
            decision,
            event,
            is_new: slot.is_none(),
        }
    }

    /// Makes the limit of a `Created` event, without its subject; `None` for other events.
    pub fn create(event: &Event<'_>, hasher: Hasher) -> Option<Table> {
        matches!(event.change, Change::Created(_)).then(|| Table::new(hasher, event.at_us))
    }

    /// Reports whether [`Table::apply`] can carry an event out that was decided elsewhere.
    ///
    /// # Errors
    ///
    /// The first thing about the event that does not fit.
    pub fn check(&self, event: &Event<'_>) -> Result<(), Divergence> {
        match &event.change {
            Change::Created(_) if !self.is_empty() => Err(Divergence::LimitExists),
            Change::Created(allowed) | Change::Allowed(allowed) => {
                self.check_allowed(event.at_us, allowed)
            }
            Change::Shifted { by_us } => {
                let is_step = *by_us > STEP_BACK_US_MAX;
                if is_step && self.changed_us().checked_sub(*by_us) == Some(event.at_us) {
                    Ok(())
                } else {
                    Err(Divergence::OtherStep)
                }
            }
        }
    }

    fn check_allowed(&self, at_us: u64, allowed: &Allowed<'_>) -> Result<(), Divergence> {
        if !(self.changed_us()..=MOMENT_US_MAX).contains(&at_us) {
            return Err(Divergence::OtherMoment);
        }
        if !(1..=CAPACITY_NS_MAX).contains(&allowed.reset_ns) {
            return Err(Divergence::NoTat);
        }
        if allowed.evicts && (self.is_empty() || self.is_known(allowed.subject)) {
            return Err(Divergence::NobodyGivesWay);
        }
        Ok(())
    }

    /// Carries an event out. O(1).
    #[inline]
    pub fn apply(&mut self, event: &Event<'_>) {
        match event.change {
            Change::Created(allowed) | Change::Allowed(allowed) => {
                let Allowed {
                    subject,
                    reset_ns,
                    evicts,
                } = allowed;
                self.charge(subject, event.at_us, reset_ns, evicts);
            }
            Change::Shifted { by_us } => self.shift(by_us),
        }
    }
}
