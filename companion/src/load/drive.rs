//! The driver: one thread, all connections. Whoever is due is sent at once, whatever is
//! unanswered (an open loop), and each latency counts from the moment that was intended.
//!
//! # How it holds
//!
//! 1. A request is handed over when it is due, into a buffer without a bound: a server that
//!    does not read or answer delays no request of another buyer.
//! 2. A request that is handed over late is the load's own fault, and is recorded as such.
//! 3. What was unanswered on a broken connection is sent again as it was, in its order.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll};

use super::agenda::{Agenda, Due};
use super::buyer::{Arrivals, ITEMS};
use super::lane::{Asked, Flight, Lane};
use super::request::{Kind, Request, Step, push_batch};
use super::resp::{Answer, Reply};
use super::series::histogram;
use super::tally::Tally;
use super::visit::{Next, Visit};
use super::world::World;

/// Most requests that are handed over before the answers are looked at.
const HAND_OVER_MAX: usize = 512;
/// One round of the loop: what is due and what was answered within it share their system calls.
/// A poll cannot wait for less than a millisecond, a sleep can.
const ROUND: Duration = Duration::from_micros(200);
/// How long the first answers are waited for at a time.
const LOOK: Duration = Duration::from_millis(20);
/// How often the live view gets new numbers.
const PUBLISH_US: u64 = 200_000;
/// Who is still there so long after a stop, or unanswered so long, is given up.
const STOP_US: u64 = 10_000_000;
const SILENCE_US: u64 = 30_000_000;
/// How long after a promotion the connections to the dead primary may still break.
const BREAK_US: u64 = 5_000_000;
/// A server that says one of these is asked again, for as long as silence is borne.
const PASSING: [&str; 5] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
];
const ASK_AGAIN_US: u64 = 50_000;

/// All connections and all visits.
pub struct Driver<'w> {
    world: &'w World,
    poll: Poll,
    lanes: Vec<Lane>,
    arrivals: Peekable<Arrivals>,
    visits: Vec<Option<Visit>>,
    free: Vec<usize>,
    agenda: Agenda,
    /// By kind, where requests travel in batches; the last are those that go alone.
    waiting: Vec<VecDeque<Asked>>,
    tally: Tally,
    recent: hdrhistogram::Histogram<u64>,
    published_us: u64,
    heard_us: u64,
    stopped_us: Option<u64>,
}

impl<'w> Driver<'w> {
    /// Connects all lanes.
    ///
    /// # Errors
    ///
    /// The server does not answer on each of them.
    pub fn connect(world: &'w World, arrivals: Arrivals, column_us: u64) -> std::io::Result<Self> {
        let lanes = match world.batch {
            // As a gateway does: while one is under way the other gathers.
            Some(_) => 2,
            None => world.connections,
        };
        let mut driver = Self {
            world,
            poll: Poll::new()?,
            lanes: (0..lanes).map(Lane::new).collect(),
            arrivals: arrivals.peekable(),
            visits: Vec::new(),
            free: Vec::new(),
            agenda: Agenda::default(),
            waiting: vec![VecDeque::new(); ITEMS.len() + 3],
            tally: Tally::new(column_us),
            recent: histogram(2),
            published_us: 0,
            heard_us: 0,
            stopped_us: None,
        };
        driver.greet_all()?;
        Ok(driver)
    }

    /// Waits until each lane has answered a PING.
    fn greet_all(&mut self) -> std::io::Result<()> {
        let (address, greetings) = (self.world.address(), &self.world.greetings);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        for lane in &mut self.lanes {
            lane.connect(
                address,
                self.poll.registry(),
                (&greetings.0, greetings.1),
                0,
            );
        }
        let mut events = Events::with_capacity(256);
        while !self.lanes.iter().all(Lane::is_up) {
            if std::time::Instant::now() > deadline {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            self.poll.poll(&mut events, Some(LOOK))?;
            for lane in &mut self.lanes {
                lane.flush()?;
                lane.read()?;
                lane.take_answers(&mut Vec::new())?;
            }
        }
        Ok(())
    }

    /// Lets everybody in, until the last has left.
    ///
    /// # Errors
    ///
    /// The system refuses to poll.
    pub fn run(mut self) -> std::io::Result<Tally> {
        let clock = self.world.rules.clock;
        let mut events = Events::with_capacity(256);
        let mut answers = Vec::new();
        loop {
            let now_us = clock.now_us();
            self.hand_over(now_us);
            self.fill_free_lanes();
            self.flush(now_us);
            if self.is_done(now_us) {
                self.publish(now_us);
                self.tally.users = self.tally.users.max(1);
                return Ok(self.tally);
            }
            if !self.is_busy(now_us) {
                std::thread::sleep(ROUND);
            }
            match self.poll.poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => other?,
            }
            for event in &events {
                self.read(event.token().0, &mut answers);
            }
            self.publish(clock.now_us());
        }
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
                    visit: self.enter(Visit::new(buyer)),
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
                self.visits.len() - 1
            }
        }
    }

    fn request(&self, asked: &Asked) -> Option<Request> {
        let visit = self.visits.get(asked.visit)?.as_ref()?;
        Some(visit.request(asked.step))
    }

    /// Hands a request over, so late.
    fn send(&mut self, asked: Asked, late_us: u64) {
        self.tally.behind.saturating_record(late_us);
        let Some(request) = self.request(&asked) else {
            return;
        };
        if self.world.batch.is_some() {
            self.waiting[queue_of(request.kind())].push_back(asked);
            return;
        }
        let number = self.visits[asked.visit].as_ref().map_or(0, Visit::lane);
        let count = self.lanes.len() as u64;
        let lane = &mut self.lanes[(number % count) as usize];
        if let Some(bytes) = lane.bytes() {
            request.push(&self.world.sale, bytes);
        }
        lane.flights.push_back(Flight::Alone(asked));
    }

    /// Gives each free connection whatever waits longest, and all that can travel with it.
    fn fill_free_lanes(&mut self) {
        let Some(most) = self.world.batch else {
            return;
        };
        for at in 0..self.lanes.len() {
            let lane = &self.lanes[at];
            if !(lane.is_connected() && lane.flights.is_empty()) {
                continue;
            }
            let fronts = self.waiting.iter().enumerate();
            let fronts = fronts.filter_map(|(at, queue)| Some((queue.front()?.intended_us, at)));
            let Some((_, queue)) = fronts.min() else {
                return;
            };
            let count = most.min(self.waiting[queue].len());
            let taken: Vec<Asked> = self.waiting[queue].drain(..count).collect();
            let flights: Vec<Flight> = match kind_of(queue) {
                Some(kind) => vec![Flight::Batch(kind, taken)],
                // Commands of their own, but one after the other without a wait.
                None => taken.into_iter().map(Flight::Alone).collect(),
            };
            for flight in flights {
                self.push(at, &flight);
                self.lanes[at].flights.push_back(flight);
            }
        }
    }

    /// Writes the command of a flight into the lane's buffer.
    fn push(&mut self, lane: usize, flight: &Flight) {
        let requests: Vec<Request> = flight
            .asked()
            .iter()
            .filter_map(|one| self.request(one))
            .collect();
        let Some(bytes) = self.lanes[lane].bytes() else {
            return;
        };
        match flight {
            Flight::Alone(_) => requests
                .iter()
                .for_each(|request| request.push(&self.world.sale, bytes)),
            Flight::Batch(kind, _) => push_batch(*kind, &requests, &self.world.sale, bytes),
        }
    }

    /// Writes what is in the buffers, and connects where there is no connection.
    fn flush(&mut self, now_us: u64) {
        for at in 0..self.lanes.len() {
            if self.lanes[at]
                .connects_at()
                .is_some_and(|at_us| at_us <= now_us)
            {
                self.reconnect(at, now_us);
            }
            if self.lanes[at].flush().is_err() {
                self.lose(at);
            }
        }
    }

    /// Connects, and sends again what was unanswered.
    fn reconnect(&mut self, at: usize, now_us: u64) {
        let (greetings, address) = (&self.world.greetings, self.world.address());
        let lane = &mut self.lanes[at];
        let registry = self.poll.registry();
        lane.connect(address, registry, (&greetings.0, greetings.1), now_us);
        let flights = std::mem::take(&mut lane.flights);
        for flight in &flights {
            self.push(at, flight);
        }
        self.lanes[at].flights = flights;
    }

    fn lose(&mut self, at: usize) {
        let now_us = self.world.rules.clock.now_us();
        let was_up = self.lanes[at].close(self.poll.registry(), now_us);
        let (killed_us, promoted_us) = self.world.failover_us();
        let is_of_kill = killed_us > 0 && (promoted_us == 0 || now_us <= promoted_us + BREAK_US);
        self.tally.connections_lost += u64::from(was_up && !is_of_kill);
    }

    fn read(&mut self, at: usize, answers: &mut Vec<(Flight, Answer)>) {
        let lane = &mut self.lanes[at];
        let broken = lane.read().is_err();
        // What came before the end counts.
        let broken = lane.take_answers(answers).is_err() || broken;
        if broken {
            self.lose(at);
        }
        if answers.is_empty() {
            return;
        }
        let now_us = self.world.rules.clock.now_us();
        let (killed_us, promoted_us) = self.world.failover_us();
        self.tally.note_failover(killed_us, promoted_us);
        for (flight, answer) in answers.drain(..) {
            self.land(flight, answer, now_us);
        }
    }

    /// Hands an answer to its visits.
    fn land(&mut self, flight: Flight, answer: Answer, now_us: u64) {
        match (flight, answer) {
            (Flight::Alone(asked), answer) => self.take(asked, answer, now_us),
            (Flight::Batch(_, asked), Answer::List(list)) if list.len() == asked.len() => {
                for (asked, answer) in asked.into_iter().zip(list) {
                    self.take(asked, answer, now_us);
                }
            }
            // One error for all of them.
            (Flight::Batch(_, asked), answer) => {
                for asked in asked {
                    self.take(asked, answer.clone(), now_us);
                }
            }
        }
    }

    fn take(&mut self, asked: Asked, answer: Answer, now_us: u64) {
        let Some(visit) = self.visits.get_mut(asked.visit).and_then(Option::as_mut) else {
            return;
        };
        let reply = Reply::new(answer);
        if reply.is_error && PASSING.contains(&reply.word.as_str()) {
            self.tally.put_off(asked.step, &reply);
            if now_us > asked.intended_us + SILENCE_US {
                self.tally.unanswered += 1;
                self.leave(asked.visit);
                return;
            }
            self.agenda.add(Due {
                at_us: now_us + ASK_AGAIN_US,
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
        let flights = self.lanes.iter().flat_map(|lane| &lane.flights);
        let mut under_way = flights.flat_map(Flight::asked);
        let mut waiting = self.waiting.iter().flatten();
        is_long_ago(self.heard_us)
            && (under_way.any(|asked| is_long_ago(asked.intended_us))
                || waiting.any(|asked| is_long_ago(asked.intended_us)))
    }

    fn is_done(&mut self, now_us: u64) -> bool {
        let is_empty = self.free.len() == self.visits.len();
        if is_empty && (self.stopped_us.is_some() || self.arrivals.peek().is_none()) {
            return true;
        }
        let unanswered = self
            .lanes
            .iter()
            .map(|lane| lane.flights.len())
            .sum::<usize>()
            + self.waiting.iter().map(VecDeque::len).sum::<usize>();
        let is_silent = self.is_silent(now_us);
        let is_overdue = self
            .stopped_us
            .is_some_and(|stopped_us| now_us > stopped_us + STOP_US);
        if is_silent || is_overdue {
            self.tally.unanswered += unanswered as u64;
        }
        is_silent || is_overdue
    }

    fn publish(&mut self, now_us: u64) {
        if now_us < self.published_us + PUBLISH_US && self.published_us > 0 {
            return;
        }
        self.published_us = now_us;
        let mut live = self
            .world
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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

/// Returns the queue of a kind.
fn queue_of(kind: Option<Kind>) -> usize {
    match kind {
        Some(Kind::Reserve(item)) => item,
        Some(Kind::Checkout) => ITEMS.len(),
        Some(Kind::Release) => ITEMS.len() + 1,
        None => ITEMS.len() + 2,
    }
}

fn kind_of(queue: usize) -> Option<Kind> {
    match queue {
        item if item < ITEMS.len() => Some(Kind::Reserve(item)),
        other => [Some(Kind::Checkout), Some(Kind::Release), None][other - ITEMS.len()],
    }
}
