//! Over RESP: all connections, in the driver's own thread.
//!
//! # How it holds
//!
//! 1. What was unanswered on a broken connection is sent again as it was, in its order.
//! 2. When the primary is another one, every connection goes to it. Of a split sale, what was
//!    unanswered goes to the server that its part is on then.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Poll};

use super::carrier::{Asked, Carrier, Parcel};
use super::lane::{Flight, Lane};
use super::request::Kind;
use super::resp::{Answer, Reply};
use super::world::{World, lock};

/// How long the first answers are waited for at a time.
const LOOK: Duration = Duration::from_millis(20);
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
/// The same while the slot of a part moves, or its primary is being replaced.
const ELSEWHERE: [&str; 2] = ["MOVED", "ASK"];
const ASK_AGAIN_US: u64 = 50_000;

/// All connections to a server.
pub struct Wires<'w> {
    world: &'w World,
    poll: Poll,
    events: Events,
    lanes: Vec<Lane>,
    /// Where the lanes go, `each` of them to one server: the primary, or all that a split sale is or
    /// was on.
    addresses: Vec<SocketAddr>,
    each: usize,
    /// The place of each part's server among these; empty for a sale of one key.
    servers: Vec<usize>,
    /// Where the parts were when the lanes were made for them.
    places: Vec<SocketAddr>,
    /// By kind, where requests travel in batches; the last are those that go alone.
    waiting: Vec<VecDeque<Parcel>>,
    connections_lost: u64,
}

impl<'w> Wires<'w> {
    /// Connects all lanes.
    ///
    /// # Errors
    ///
    /// The server does not answer on each of them.
    pub fn connect(world: &'w World) -> std::io::Result<Self> {
        let lanes = match world.batch {
            // As a gateway does: while one is under way the other gathers.
            Some(_) => 2,
            None => world.connections,
        };
        let mut wires = Self {
            world,
            poll: Poll::new()?,
            events: Events::with_capacity(256),
            lanes: Vec::new(),
            addresses: Vec::new(),
            each: lanes,
            servers: Vec::new(),
            places: Vec::new(),
            waiting: vec![VecDeque::new(); world.sale.items.len() + 3],
            connections_lost: 0,
        };
        let places = lock(&world.places).clone();
        match places.is_empty() {
            true => _ = wires.server_at(world.address()),
            false => wires.go_to(places),
        }
        wires.greet_all()?;
        Ok(wires)
    }

    /// Returns the place of a server; lanes are made where it is a new one.
    fn server_at(&mut self, address: SocketAddr) -> usize {
        if let Some(at) = self.addresses.iter().position(|known| *known == address) {
            return at;
        }
        let first = self.lanes.len();
        self.lanes.extend((first..first + self.each).map(Lane::new));
        self.addresses.push(address);
        self.addresses.len() - 1
    }

    /// Notes where the parts are. What is unanswered of servers that have none any more goes to
    /// those that have.
    fn go_to(&mut self, places: Vec<SocketAddr>) {
        self.servers = places.iter().map(|place| self.server_at(*place)).collect();
        self.places = places;
        let mut unanswered = Vec::new();
        for at in 0..self.lanes.len() {
            if !self.is_used(at) && !self.lanes[at].flights.is_empty() {
                self.lose(at);
                unanswered.extend(std::mem::take(&mut self.lanes[at].flights));
            }
        }
        for flight in unanswered {
            if let Flight::Alone(parcel) = flight {
                self.launch(self.lane_of(&parcel), Flight::Alone(parcel));
            }
        }
    }

    /// Reports whether a lane goes to a server that has something of the sale.
    fn is_used(&self, lane: usize) -> bool {
        self.servers.is_empty() || self.servers.contains(&(lane / self.each))
    }

    /// Returns the lane of a request that goes alone.
    fn lane_of(&self, parcel: &Parcel) -> usize {
        let part = self.world.sale.part_of(&parcel.request.user);
        let server = self.servers.get(part).copied().unwrap_or(0);
        server * self.each + (parcel.number % self.each as u64) as usize
    }

    /// Waits until each lane has answered a PING.
    fn greet_all(&mut self) -> std::io::Result<()> {
        let greetings = &self.world.greetings;
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        for (at, lane) in self.lanes.iter_mut().enumerate() {
            lane.connect(
                self.addresses[at / self.each],
                self.poll.registry(),
                (&greetings.0, greetings.1),
                0,
            );
        }
        while !self.lanes.iter().all(Lane::is_up) {
            if std::time::Instant::now() > deadline {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            self.poll.poll(&mut self.events, Some(LOOK))?;
            for lane in &mut self.lanes {
                lane.flush()?;
                lane.read()?;
                lane.take_answers(&mut Vec::new())?;
            }
        }
        Ok(())
    }

    fn now_us(&self) -> u64 {
        self.world.rules.clock.now_us()
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
            let fronts =
                fronts.filter_map(|(at, queue)| Some((queue.front()?.asked.intended_us, at)));
            let Some((_, queue)) = fronts.min() else {
                return;
            };
            let count = most.min(self.waiting[queue].len());
            let taken: Vec<Parcel> = self.waiting[queue].drain(..count).collect();
            let flights: Vec<Flight> = match self.kind_of(queue) {
                Some(kind) => vec![Flight::Batch(kind, taken)],
                // Commands of their own, but one after the other without a wait.
                None => taken.into_iter().map(Flight::Alone).collect(),
            };
            for flight in flights {
                self.launch(at, flight);
            }
        }
    }

    /// Writes the command of a flight into the lane's buffer.
    fn launch(&mut self, lane: usize, flight: Flight) {
        let lane = &mut self.lanes[lane];
        if let Some(bytes) = lane.bytes() {
            flight.push(&self.world.sale, bytes);
        }
        lane.flights.push_back(flight);
    }

    /// Connects, and sends again what was unanswered.
    fn reconnect(&mut self, at: usize, now_us: u64) {
        let greetings = &self.world.greetings;
        let lane = &mut self.lanes[at];
        let registry = self.poll.registry();
        let address = self.addresses[at / self.each];
        lane.connect(address, registry, (&greetings.0, greetings.1), now_us);
        for flight in std::mem::take(&mut lane.flights) {
            self.launch(at, flight);
        }
    }

    fn lose(&mut self, at: usize) {
        let now_us = self.now_us();
        let was_up = self.lanes[at].close(self.poll.registry(), now_us);
        let (killed_us, promoted_us) = self.world.failover_us();
        let is_of_kill = killed_us > 0 && (promoted_us == 0 || now_us <= promoted_us + BREAK_US);
        self.connections_lost += u64::from(was_up && !is_of_kill);
    }

    /// Leaves a primary that is one no more, as Sentinels, the cluster or the load's own failover
    /// have it.
    fn follow_the_primary(&mut self) {
        if !self.servers.is_empty() {
            let moved = {
                let places = lock(&self.world.places);
                (*places != self.places).then(|| places.clone())
            };
            return moved.into_iter().for_each(|places| self.go_to(places));
        }
        let address = self.world.address();
        if address == self.addresses[0] {
            return;
        }
        self.addresses[0] = address;
        for at in 0..self.lanes.len() {
            self.lose(at);
        }
    }

    fn read_lane(&mut self, at: usize, answered: &mut Vec<(Asked, Reply, u64)>) {
        let mut landed = Vec::new();
        let lane = &mut self.lanes[at];
        let broken = lane.read().is_err();
        // What came before the end counts.
        let broken = lane.take_answers(&mut landed).is_err() || broken;
        if broken {
            self.lose(at);
        }
        let now_us = self.now_us();
        for (flight, answer) in landed {
            land(flight, answer, now_us, answered);
        }
    }

    /// Returns the queue of a kind.
    fn queue_of(&self, kind: Option<Kind>) -> usize {
        let items = self.world.sale.items.len();
        match kind {
            Some(Kind::Reserve(item)) => item,
            Some(Kind::Checkout) => items,
            Some(Kind::Release) => items + 1,
            None => items + 2,
        }
    }

    fn kind_of(&self, queue: usize) -> Option<Kind> {
        let items = self.world.sale.items.len();
        match queue {
            item if item < items => Some(Kind::Reserve(item)),
            other => [Some(Kind::Checkout), Some(Kind::Release), None][other - items],
        }
    }
}

impl Carrier for Wires<'_> {
    fn send(&mut self, parcel: Parcel) {
        if self.world.batch.is_some() {
            let queue = self.queue_of(parcel.request.kind());
            self.waiting[queue].push_back(parcel);
            return;
        }
        self.launch(self.lane_of(&parcel), Flight::Alone(parcel));
    }

    fn flush(&mut self) {
        self.follow_the_primary();
        self.fill_free_lanes();
        let now_us = self.now_us();
        for at in 0..self.lanes.len() {
            let connects_at = self.lanes[at].connects_at();
            if connects_at.is_some_and(|at_us| at_us <= now_us) && self.is_used(at) {
                self.reconnect(at, now_us);
            }
            if self.lanes[at].flush().is_err() {
                self.lose(at);
            }
        }
    }

    fn read(&mut self, answered: &mut Vec<(Asked, Reply, u64)>) -> std::io::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => other?,
        }
        let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for at in ready {
            self.read_lane(at, answered);
        }
        Ok(())
    }

    fn connections_lost(&self) -> u64 {
        self.connections_lost
    }

    fn put_off_us(&self, reply: &Reply) -> Option<u64> {
        let word = reply.word.as_str();
        let is_elsewhere = !self.servers.is_empty() && ELSEWHERE.contains(&word);
        let is_put_off = reply.is_error && (is_elsewhere || PASSING.contains(&word));
        is_put_off.then_some(ASK_AGAIN_US)
    }
}

/// Hands an answer to the requests that travelled together.
fn land(flight: Flight, answer: Answer, now_us: u64, answered: &mut Vec<(Asked, Reply, u64)>) {
    match (flight, answer) {
        (Flight::Alone(parcel), answer) => {
            answered.push((parcel.asked, Reply::new(answer), now_us));
        }
        (Flight::Batch(_, parcels), Answer::List(list)) if list.len() == parcels.len() => {
            for (parcel, answer) in parcels.into_iter().zip(list) {
                answered.push((parcel.asked, Reply::new(answer), now_us));
            }
        }
        // One error for all of them.
        (Flight::Batch(_, parcels), answer) => {
            for parcel in parcels {
                answered.push((parcel.asked, Reply::new(answer.clone()), now_us));
            }
        }
    }
}
