//! The driver: one thread. Whoever is due is sent at once, whatever is unanswered (an open
//! loop), and each latency counts from the moment that was intended.
//!
//! # How it holds
//!
//! 1. A request is handed over when it is due, into a buffer without a bound: a target that
//!    does not read or answer delays no request of another buyer.
//! 2. A request that is handed over late is the load's own fault, and is recorded as such.
//! 3. A buyer has one request under way at most.

use std::iter::Peekable;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::agenda::{Agenda, Due};
use super::buyer::Arrivals;
use super::carrier::{Asked, Carrier, Parcel};
use super::request::Step;
use super::resp::Reply;
use super::series::histogram;
use super::tally::Tally;
use super::visit::{Next, Visit};
use super::world::{World, lock};

/// Most requests that are handed over before the answers are looked at.
const HAND_OVER_MAX: usize = 512;
/// One round of the loop: what is due and what was answered within it share their system calls.
/// A poll cannot wait for less than a millisecond, a sleep can.
const ROUND: Duration = Duration::from_micros(200);
/// How often the live view gets new numbers.
const PUBLISH_US: u64 = 200_000;
/// Who is still there so long after a stop, or unanswered so long, is given up.
const STOP_US: u64 = 10_000_000;
const SILENCE_US: u64 = 30_000_000;

/// All visits.
pub struct Driver<'w> {
    world: &'w World,
    carrier: Box<dyn Carrier + 'w>,
    arrivals: Peekable<Arrivals>,
    visits: Vec<Option<Visit>>,
    free: Vec<usize>,
    /// By visit, the intended moment of the request that is under way.
    under_way: Vec<Option<u64>>,
    agenda: Agenda,
    tally: Tally,
    recent: hdrhistogram::Histogram<u64>,
    published_us: u64,
    heard_us: u64,
    stopped_us: Option<u64>,
}

impl<'w> Driver<'w> {
    /// Makes a driver of a crowd; `column_us` is the width of a column in the report's plots.
    pub fn new(
        world: &'w World,
        carrier: Box<dyn Carrier + 'w>,
        arrivals: Arrivals,
        column_us: u64,
    ) -> Self {
        Self {
            world,
            carrier,
            arrivals: arrivals.peekable(),
            visits: Vec::new(),
            free: Vec::new(),
            under_way: Vec::new(),
            agenda: Agenda::default(),
            tally: Tally::new(column_us, world.sale.items.clone()),
            recent: histogram(2),
            published_us: 0,
            heard_us: 0,
            stopped_us: None,
        }
    }

    /// Lets everybody in, until the last has left.
    ///
    /// # Errors
    ///
    /// The system refuses to poll.
    pub fn run(mut self) -> std::io::Result<Tally> {
        let clock = self.world.rules.clock;
        let mut answered = Vec::new();
        loop {
            let now_us = clock.now_us();
            self.hand_over(now_us);
            self.carrier.flush();
            if self.is_done(now_us) {
                self.publish(now_us);
                self.tally.users = self.tally.users.max(1);
                self.tally.connections_lost = self.carrier.connections_lost();
                return Ok(self.tally);
            }
            if !self.is_busy(now_us) {
                std::thread::sleep(ROUND);
            }
            self.take_answers(&mut answered)?;
            self.publish(clock.now_us());
        }
    }

    fn take_answers(&mut self, answered: &mut Vec<(Asked, Reply, u64)>) -> std::io::Result<()> {
        self.carrier.read(answered)?;
        let (killed_us, promoted_us) = self.world.failover_us();
        self.tally.note_failover(killed_us, promoted_us);
        for (asked, reply, at_us) in answered.drain(..) {
            self.take(asked, reply, at_us);
        }
        Ok(())
    }

    /// Reports whether something was due before this round, so that there is no time to sleep.
    fn is_busy(&mut self, now_us: u64) -> bool {
        self.agenda.is_due(now_us) || self.arrival(now_us).is_some()
    }

    /// Returns the moment of the next arrival, if it has come.
    fn arrival(&mut self, now_us: u64) -> Option<u64> {
        let at_us = self.arrivals.peek()?.arrives_us;
        (at_us <= now_us && self.stopped_us.is_none()).then_some(at_us)
    }

    fn hand_over(&mut self, now_us: u64) {
        if self.world.stop.load(Ordering::Relaxed) && self.stopped_us.is_none() {
            self.stopped_us = Some(now_us);
        }
        for _ in 0..HAND_OVER_MAX {
            // In turn, so that neither of them keeps the other waiting.
            let step = self.agenda.take(now_us);
            let arrival = self.arrival(now_us).and_then(|_| self.arrivals.next());
            if step.is_none() && arrival.is_none() {
                return;
            }
            if let Some(due) = step {
                let asked = Asked {
                    visit: due.visit,
                    step: due.step,
                    intended_us: due.intended_us,
                };
                self.send(asked, now_us.saturating_sub(due.at_us));
            }
            if let Some(buyer) = arrival {
                self.tally.users = self.tally.users.max(buyer.user + 1);
                let intended_us = buyer.arrives_us;
                let asked = Asked {
                    visit: self.enter(Visit::new(buyer, self.world.rules.names)),
                    step: Step::Reserve,
                    intended_us,
                };
                self.send(asked, now_us.saturating_sub(intended_us));
            }
        }
    }

    fn enter(&mut self, visit: Visit) -> usize {
        match self.free.pop() {
            Some(at) => {
                self.visits[at] = Some(visit);
                at
            }
            None => {
                self.visits.push(Some(visit));
                self.under_way.push(None);
                self.visits.len() - 1
            }
        }
    }

    /// Hands a request over, so late.
    fn send(&mut self, asked: Asked, late_us: u64) {
        self.tally.behind.saturating_record(late_us);
        let Some(visit) = self.visits.get(asked.visit).and_then(Option::as_ref) else {
            return;
        };
        let parcel = Parcel {
            asked,
            request: visit.request(asked.step),
            number: visit.lane(),
        };
        self.under_way[asked.visit] = Some(asked.intended_us);
        self.carrier.send(parcel);
    }

    fn take(&mut self, asked: Asked, reply: Reply, now_us: u64) {
        let Some(visit) = self.visits.get_mut(asked.visit).and_then(Option::as_mut) else {
            return;
        };
        self.under_way[asked.visit] = None;
        if let Some(after_us) = self.carrier.put_off_us(&reply) {
            self.tally.put_off(asked.step, &reply);
            if now_us > asked.intended_us + SILENCE_US {
                self.tally.unanswered += 1;
                self.leave(asked.visit);
                return;
            }
            self.agenda.add(Due {
                at_us: now_us + after_us,
                intended_us: asked.intended_us,
                visit: asked.visit,
                step: asked.step,
            });
            return;
        }
        self.heard_us = now_us;
        self.tally
            .count(asked.step, &reply, asked.intended_us, now_us);
        self.recent
            .saturating_record(now_us.saturating_sub(asked.intended_us));
        let next = visit.take(
            asked.step,
            reply,
            now_us,
            &self.world.rules,
            &mut self.tally,
        );
        match next {
            Next::At { us, step } => {
                // An answer may come when the moment it speaks of has passed.
                let at_us = us.max(now_us);
                self.agenda.add(Due {
                    at_us,
                    intended_us: at_us,
                    visit: asked.visit,
                    step,
                });
            }
            Next::Leaves => self.leave(asked.visit),
        }
    }

    fn leave(&mut self, visit: usize) {
        self.visits[visit] = None;
        self.free.push(visit);
    }

    /// Reports whether nothing has been heard for so long although a request has waited for as
    /// long: a time in which nobody asked is no silence of the server.
    fn is_silent(&self, now_us: u64) -> bool {
        let is_long_ago = |at_us: u64| now_us > at_us.saturating_add(SILENCE_US);
        let mut under_way = self.under_way.iter().flatten();
        is_long_ago(self.heard_us) && under_way.any(|intended_us| is_long_ago(*intended_us))
    }

    fn is_done(&mut self, now_us: u64) -> bool {
        let is_empty = self.free.len() == self.visits.len();
        if is_empty && (self.stopped_us.is_some() || self.arrivals.peek().is_none()) {
            return true;
        }
        let is_silent = self.is_silent(now_us);
        let is_overdue = self
            .stopped_us
            .is_some_and(|stopped_us| now_us > stopped_us + STOP_US);
        if is_silent || is_overdue {
            self.tally.unanswered += self.under_way.iter().flatten().count() as u64;
        }
        is_silent || is_overdue
    }

    fn publish(&mut self, now_us: u64) {
        if now_us < self.published_us + PUBLISH_US && self.published_us > 0 {
            return;
        }
        self.published_us = now_us;
        let mut live = lock(&self.world.live);
        live.at_us = now_us;
        live.answers = self.tally.answers.clone();
        live.users = self.tally.users;
        live.here = self.visits.len() - self.free.len();
        live.lost_to_failover = self.tally.lost_to_failover;
        if live.wants_latency {
            let quantile = |share| self.recent.value_at_quantile(share);
            live.latency_us = [quantile(0.5), quantile(0.95), quantile(0.99)];
            live.wants_latency = false;
            self.recent.reset();
        }
    }
}
