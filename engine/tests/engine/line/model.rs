//! A slow, obvious model of a sale with lines: lists, and every count made anew.
//!
//! Edge: what the contract says of the state. What is answered is `decide.rs`, what happens in
//! a go of the timer `settle.rs`.

use super::tries::Tries;
use std::collections::BTreeMap;

use flashsale_engine::sale::LastDraw;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Expired within its grace, for all the sale knows.
    Late,
    Expired,
    Released,
    Sold,
}

#[derive(Clone, Debug)]
pub struct Reservation {
    pub id: String,
    pub user: String,
    /// Item and units, in the order first asked.
    pub lines: Vec<(usize, u64)>,
    pub state: State,
    pub made_at: u64,
    pub expires_at: u64,
    pub ended_at: u64,
    pub is_refunded: bool,
    /// Units that a refund with RESTORELIMIT gave back to the user's limits.
    pub is_restored: bool,
    /// The order in which it came into its queue.
    pub queued: u64,
}

/// One who waits.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub user: String,
    pub qty: u64,
    /// The clock of PATIENCE when they were last heard from.
    pub heard: u64,
    /// The last `ahead` they were told since the draw.
    pub told: Option<u64>,
}

/// The people of one SKU.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// By number.
    pub people: Vec<Option<Person>>,
    /// Number by place of those drawn; `None` before the draw.
    pub order: Option<Vec<usize>>,
    /// Everything before this place is settled.
    pub head: usize,
}

impl Line {
    pub fn number_at(&self, place: usize) -> usize {
        let order = self.order.as_ref().expect("a drawn line");
        order.get(place).copied().unwrap_or(place)
    }

    pub fn place_of(&self, number: usize) -> usize {
        let order = self.order.as_ref().expect("a drawn line");
        let found = order.iter().position(|&other| other == number);
        found.unwrap_or(number)
    }

    pub fn living(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().flatten()
    }

    /// Whoever has the turn.
    pub fn front(&self) -> Option<&Person> {
        self.order.as_ref()?;
        let mut places = self.head..self.people.len();
        places.find_map(|place| self.people[self.number_at(place)].as_ref())
    }

    /// People in front of a number.
    pub fn really_ahead(&self, number: usize) -> u64 {
        let place = self.place_of(number);
        let ahead = (0..place).filter(|&place| self.people[self.number_at(place)].is_some());
        ahead.count() as u64
    }

    pub fn units(&self) -> u64 {
        self.living().map(|person| person.qty).sum()
    }
}

/// Number by place, as the contract's page says it: computed one by one.
pub fn drawn(seed: [u8; 16], item: usize, n: usize) -> Vec<usize> {
    let n = n as u64;
    let mut by_place = vec![usize::MAX; n as usize];
    for number in 0..n {
        let mut x = number;
        for round in 0..90_u8 {
            let text = [&seed[..], &(item as u32).to_le_bytes(), &[round]].concat();
            let salt = xxh3_64(&text);
            let y = (salt % n + n - x) % n;
            let bytes = x.max(y).to_le_bytes();
            if xxh3_64_with_seed(&bytes, salt) % 2 == 1 {
                x = y;
            }
        }
        assert_eq!(by_place[x as usize], usize::MAX, "two people at a place");
        by_place[x as usize] = number as usize;
    }
    by_place
}

/// Options as the contract names them; 0 is "none" where it says so.
#[derive(Clone, Debug, Default)]
pub struct Options(pub BTreeMap<&'static str, u64>);

impl Options {
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// A limit; without one there is none.
    pub fn limit(&self, name: &str) -> u64 {
        match self.get(name) {
            0 => u64::MAX,
            limit => limit,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub options: Options,
    pub pace: Option<(u64, u64)>,
    /// Which secrets make passes; none: nobody needs one.
    pub passkeys: Vec<usize>,
    /// Who has tried, by USERRATE and by FROMRATE.
    pub by_user: Tries,
    pub by_source: Tries,
    /// When the next reservation may begin, in units of 1/n ms.
    pub pace_at: u128,
    pub last_change: u64,
    pub paused_at: Option<u64>,
    pub closed_at: Option<u64>,
    pub marked_at: Option<u64>,
    /// Units put on sale in all, by item, less those refunded for good.
    pub total: Vec<u64>,
    pub reservations: Vec<Reservation>,
    pub lines: BTreeMap<usize, Line>,
    pub reservations_max: usize,
    /// A clock that moves with RESERVE and BUY, a second at most between two.
    pub clock: u64,
    pub clock_was_at: Option<u64>,
    pub granted: u64,
    pub passed: u64,
    pub draw: Option<LastDraw>,
    pub queued: u64,
    pub rows: BTreeMap<&'static str, u64>,
}

impl Model {
    pub fn reserved(&self, item: usize) -> u64 {
        self.count(item, State::Open)
    }

    pub fn sold(&self, item: usize) -> u64 {
        self.count(item, State::Sold)
    }

    fn count(&self, item: usize, state: State) -> u64 {
        let counted = self.reservations.iter();
        let counted = counted.filter(|res| res.state == state && !res.is_refunded);
        let lines = counted.flat_map(|res| &res.lines);
        lines.filter(|line| line.0 == item).map(|line| line.1).sum()
    }

    pub fn available(&self, item: usize) -> u64 {
        self.total[item] - self.reserved(item) - self.sold(item)
    }

    pub fn items(&self) -> std::ops::Range<usize> {
        0..self.total.len()
    }

    pub fn sold_in_all(&self) -> u64 {
        self.items().map(|item| self.sold(item)).sum()
    }

    pub fn reserved_in_all(&self) -> u64 {
        self.items().map(|item| self.reserved(item)).sum()
    }

    /// Units that count against a user's limits, of one item or of all.
    pub fn counted(&self, user: &str, item: Option<usize>) -> u64 {
        let counts = |res: &&Reservation| {
            res.user == user
                && match res.state {
                    State::Open => true,
                    State::Sold => !res.is_restored,
                    _ => false,
                }
        };
        let lines = self.reservations.iter().filter(counts);
        let lines = lines.flat_map(|res| &res.lines);
        let lines = lines.filter(|line| item.is_none_or(|item| line.0 == item));
        lines.map(|line| line.1).sum()
    }

    pub fn find(&self, id: &str) -> Option<&Reservation> {
        self.reservations.iter().find(|res| res.id == id)
    }

    pub fn find_mut(&mut self, id: &str) -> &mut Reservation {
        let mut all = self.reservations.iter_mut();
        all.find(|res| res.id == id).expect("a reservation")
    }

    /// The line and number of an id that waits.
    pub fn place(&self, id: &str) -> Option<(usize, usize)> {
        self.place_by(|person| person.id == id)
    }

    pub fn place_by(&self, is: impl Fn(&Person) -> bool) -> Option<(usize, usize)> {
        self.lines.iter().find_map(|(&item, line)| {
            let is_it = |person: &Option<Person>| person.as_ref().is_some_and(&is);
            Some((item, line.people.iter().position(is_it)?))
        })
    }

    pub fn person(&mut self, item: usize, number: usize) -> &mut Person {
        let line = self.lines.get_mut(&item).expect("a line");
        line.people[number].as_mut().expect("a person")
    }

    pub fn waiting(&self) -> u64 {
        self.lines
            .values()
            .map(|line| line.living().count() as u64)
            .sum()
    }

    pub fn has_started(&self, now: u64) -> bool {
        now >= self.options.get("START")
    }

    pub fn ended_at(&self, now: u64) -> Option<u64> {
        let end = Some(self.options.get("END")).filter(|&end| end > 0 && end <= now);
        end.into_iter().chain(self.closed_at).min()
    }

    pub fn refuses_since(&self) -> Option<u64> {
        self.marked_at.or(self.paused_at)
    }

    pub fn is_overdue(res: &Reservation, now: u64) -> bool {
        res.state == State::Open && res.expires_at <= now
    }

    pub fn has_overdue(&self, now: u64) -> bool {
        self.reservations
            .iter()
            .any(|res| Model::is_overdue(res, now))
    }

    pub fn is_in_grace(&self, res: &Reservation, now: u64) -> bool {
        let grace = self.options.get("GRACE");
        matches!(res.state, State::Open | State::Late) && grace > 0 && now < res.expires_at + grace
    }

    fn next_queued(&mut self) -> u64 {
        self.queued += 1;
        self.queued
    }

    pub fn add(&mut self, mut res: Reservation) {
        res.queued = self.next_queued();
        self.reservations.push(res);
    }

    pub fn set_state(&mut self, id: &str, state: State, at: u64) {
        let queued = self.next_queued();
        let res = self.find_mut(id);
        (res.state, res.queued) = (state, queued);
        if state == State::Released {
            res.ended_at = at;
        }
    }

    pub fn expire(&mut self, id: &str) {
        let state = match self.options.get("GRACE") {
            0 => State::Expired,
            _ => State::Late,
        };
        self.set_state(id, state, 0);
    }

    /// Forgets whoever ended first; of one moment, one that can never become an order.
    pub fn forget(&mut self, is_ended: impl Fn(&Reservation) -> bool) {
        let ended = self.reservations.iter().enumerate();
        let ended = ended.filter(|(_, res)| is_ended(res));
        let first = ended.min_by_key(|(_, res)| {
            let is_late = res.state == State::Late;
            (Model::ended_at_ms(res), is_late, res.queued)
        });
        let at = first.map(|(at, _)| at).expect("somebody to forget");
        self.reservations.remove(at);
    }

    fn ended_at_ms(res: &Reservation) -> u64 {
        match res.state {
            State::Released => res.ended_at,
            _ => res.expires_at,
        }
    }

    /// Makes room for one more id, as an event says it was made.
    pub fn make_room(&mut self) {
        let is_ended = |res: &Reservation| matches!(res.state, State::Expired | State::Released);
        if self.reservations.iter().any(is_ended) {
            self.forget(is_ended);
        } else {
            self.forget(|res| res.state == State::Late);
        }
    }

    /// Takes somebody out of a line. Before the draw the last one gets their number.
    pub fn leave(&mut self, item: usize, number: usize) -> Person {
        let line = self.lines.get_mut(&item).expect("a line");
        let left = if line.order.is_none() {
            line.people.swap_remove(number)
        } else {
            line.people[number].take()
        };
        if line.living().next().is_none() {
            self.lines.remove(&item);
        }
        left.expect("a person")
    }

    /// Steps over up to eight places where nobody is.
    pub fn pass_holes(&mut self, item: usize) {
        let Some(line) = self
            .lines
            .get_mut(&item)
            .filter(|line| line.order.is_some())
        else {
            return;
        };
        for _ in 0..8 {
            let is_hole =
                line.head < line.people.len() && line.people[line.number_at(line.head)].is_none();
            line.head += usize::from(is_hole);
        }
    }

    /// Moves the clock of PATIENCE.
    pub fn tick(&mut self, now: u64) {
        let was_at = self.clock_was_at.replace(now).unwrap_or(now);
        self.clock += now.saturating_sub(was_at).min(1_000);
    }

    /// Counts the moment of PACE on, as a reservation begins.
    pub fn begin(&mut self, now: u64) {
        let Some((n, ms)) = self.pace else { return };
        let at = self.pace_now(now);
        let earliest = u128::from(now.saturating_sub(100)) * u128::from(n);
        self.pace_at = at.max(earliest) + u128::from(ms);
    }

    /// The moment as it counts now.
    fn pace_now(&self, now: u64) -> u128 {
        let Some((n, ms)) = self.pace else { return 0 };
        let at = u128::from(now) * u128::from(n);
        if self.pace_at > at + u128::from(ms) {
            at
        } else {
            self.pace_at
        }
    }

    /// How long PACE stops everybody, in whole milliseconds.
    pub fn pace_wait(&self, now: u64) -> u64 {
        let Some((n, _)) = self.pace else { return 0 };
        let at = self.pace_now(now).div_ceil(u128::from(n));
        u64::try_from(at).expect("a moment").saturating_sub(now)
    }

    pub fn row(&mut self, row: &'static str) {
        *self.rows.entry(row).or_default() += 1;
    }
}
