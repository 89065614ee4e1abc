//! A sale, slow and obvious: a list of reservations with plain names. Every count is
//! made anew from the list each time it is wanted, so there is no counter to forget.
//!
//! Edge: what is known, what can be counted, and the passing of time. The commands
//! are in `buyer.rs` and `seller.rs`, what the reads show in `views.rs`.

use std::collections::BTreeMap;

use super::reservation::{Fate, Reservation, sum_lines, units};
use crate::commands::requests::{Ask, Named, Op, Setup};

/// 2^53 - 1.
pub const LARGEST: u64 = 9_007_199_254_740_991;
/// 2^48 - 1: where a clock beyond it counts as standing.
pub const LATEST: u64 = 281_474_976_710_655;

/// Words of a reply, in one line.
macro_rules! words {
    ($($word:expr),+ $(,)?) => { [$($word.to_string()),+].join(" ") };
}
pub(crate) use words;

pub struct Model {
    pub sale_id: u128,
    pub orders: String,
    /// SKUs in the order they were made.
    pub skus: Vec<String>,
    /// How many there were when the sale was made.
    pub items_at_first: usize,
    /// Every unit ever put in or taken out by the seller.
    pub stock_log: Vec<(String, i128)>,
    /// The CREATE, and the options it came to.
    pub setup: Setup,
    pub options_at_first: BTreeMap<&'static str, u64>,
    /// Options by keyword; one that is absent is "none".
    pub options: BTreeMap<&'static str, u64>,
    pub counts_items: bool,
    pub reservations: Vec<Reservation>,
    pub restocks: Vec<(String, BTreeMap<String, i128>)>,
    pub created_at: u64,
    pub last_change: u64,
    pub paused_at: Option<u64>,
    pub closed_at: Option<u64>,
    /// This copy missed a change, after this moment and for this reason.
    pub mark: Option<(u64, u64, String)>,
    pub entries: u64,
    pub turns: u64,
    pub sweep_max: u32,
    /// So many entries wait that nothing is swept on the way.
    pub has_backlog: bool,
    pub reservations_max: usize,
    pub items_max: usize,
    /// How often each row of the contract was the answer.
    pub rows: BTreeMap<&'static str, u64>,
}

impl Model {
    /// CREATE; the text of a refusal is of no interest, its being one is.
    pub fn create(setup: &Setup, sale_id: u128) -> Result<Model, String> {
        let mut model = Model {
            sale_id,
            orders: setup.orders.clone(),
            skus: setup.items.iter().map(|(sku, _)| sku.clone()).collect(),
            items_at_first: setup.items.len(),
            stock_log: setup
                .items
                .iter()
                .map(|(sku, n)| (sku.clone(), *n as i128))
                .collect(),
            setup: setup.clone(),
            options_at_first: BTreeMap::new(),
            options: BTreeMap::from([
                ("HOLD", setup.hold_ms_default),
                ("GRACE", 0),
                ("KEEP", setup.keep_ms_default),
                ("REMEMBER", 600_000),
            ]),
            counts_items: false,
            reservations: Vec::new(),
            restocks: Vec::new(),
            created_at: setup.clock_ms,
            last_change: setup.clock_ms,
            paused_at: None,
            closed_at: None,
            mark: None,
            entries: 0,
            turns: 0,
            sweep_max: setup.sweep_max,
            has_backlog: false,
            reservations_max: setup.reservations_max,
            items_max: setup.items_max,
            rows: BTreeMap::new(),
        };
        let mut skus = model.skus.clone();
        skus.sort();
        skus.dedup();
        if skus.len() < model.skus.len() {
            return Err("the same SKU twice".into());
        }
        if skus.len() > setup.items_max {
            return Err("more items than configured".into());
        }
        let stock: u128 = setup.items.iter().map(|(_, n)| *n as u128).sum();
        if stock > LARGEST as u128 {
            return Err("more stock than an integer holds".into());
        }
        model.options = model.options_after(&setup.options);
        model.counts_items = model.option("ITEMLIMIT").is_some();
        model.check_hold()?;
        model.check_window()?;
        if model.option("END").is_some_and(|end| end <= setup.clock_ms) {
            return Err("over before it began".into());
        }
        model.options_at_first = model.options.clone();
        Ok(model)
    }

    // ---- options

    pub fn option(&self, name: &str) -> Option<u64> {
        self.options.get(name).copied()
    }

    pub fn max_hold(&self) -> u64 {
        self.option("MAXHOLD").unwrap_or(self.options["HOLD"])
    }

    pub fn options_after(&self, named: &[Named]) -> BTreeMap<&'static str, u64> {
        let mut options = self.options.clone();
        for (name, value) in named {
            let none_if_zero = !matches!(*name, "HOLD" | "GRACE" | "KEEP" | "REMEMBER");
            if none_if_zero && *value == 0 {
                options.remove(name);
            } else {
                options.insert(name, *value);
            }
        }
        options
    }

    pub fn check_hold(&self) -> Result<(), String> {
        if self.max_hold() < self.options["HOLD"] {
            return Err("MAXHOLD below HOLD".into());
        }
        Ok(())
    }

    pub fn check_window(&self) -> Result<(), String> {
        if let (Some(start), Some(end)) = (self.option("START"), self.option("END"))
            && start >= end
        {
            return Err("START not before END".into());
        }
        Ok(())
    }

    // ---- time

    /// The sale's time, and whether a step back of the clock was believed.
    pub fn time(&self, clock_ms: u64) -> (u64, bool) {
        let clock_ms = clock_ms.min(LATEST);
        if self.last_change.saturating_sub(clock_ms) > 60_000 {
            (clock_ms, true)
        } else {
            (clock_ms.max(self.last_change), false)
        }
    }

    pub fn later(at_ms: u64, ms: u64) -> u64 {
        (at_ms as u128 + ms as u128).min(LARGEST as u128) as u64
    }

    /// When the window shut, if it has.
    pub fn ended_at(&self, now: u64) -> Option<u64> {
        let end = self.option("END").filter(|end| *end <= now);
        [end, self.closed_at].into_iter().flatten().min()
    }

    pub fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Until when an ended reservation is known.
    pub fn known_until(&self, reservation: &Reservation) -> u64 {
        let remember = self.options["REMEMBER"].max(self.options["GRACE"]);
        reservation.ended_at.saturating_add(remember)
    }

    fn first(
        &self,
        wanted: impl Fn(&Reservation) -> bool,
        by: impl Fn(&Reservation) -> u64,
    ) -> Option<usize> {
        (0..self.reservations.len())
            .filter(|at| wanted(&self.reservations[*at]))
            .min_by_key(|at| (by(&self.reservations[*at]), self.reservations[*at].turn))
    }

    /// The open reservation with the earliest deadline; the first set, if several.
    pub fn next_to_expire(&self) -> Option<usize> {
        self.first(|r| r.is_open(), |r| r.deadline.unwrap_or(0))
    }

    /// The late reservation with the earliest deadline.
    pub fn next_to_lapse(&self) -> Option<usize> {
        self.first(|r| r.fate == Fate::Late, |r| r.ended_at)
    }

    /// The reservation that ended first of those that can never become an order.
    pub fn next_final(&self) -> Option<usize> {
        self.first(|r| r.is_final(), |r| r.ended_at)
    }

    /// The remembered reservation that ended first; of one moment, one that can never
    /// become an order.
    pub fn next_to_forget(&self) -> Option<usize> {
        let both = [self.next_final(), self.next_to_lapse()];
        let both = both.into_iter().flatten();
        both.min_by_key(|at| self.reservations[*at].ended_at)
    }

    /// When the grace of a late one is over.
    pub fn lapses_at(&self, late: &Reservation) -> u64 {
        late.ended_at.saturating_add(self.options["GRACE"])
    }

    /// Could a CHECKOUT of it still succeed, as far as the time goes?
    pub fn is_in_grace(&self, known: &Reservation, now: u64) -> bool {
        known.fate == Fate::Late && self.options["GRACE"] > 0 && now < self.lapses_at(known)
    }

    /// A deadline passes. Without GRACE that is for good.
    pub fn expire(&mut self, at: usize, now: u64) {
        let turn = self.next_turn();
        let has_grace = self.options["GRACE"] > 0;
        let reservation = &mut self.reservations[at];
        reservation.fate = if has_grace { Fate::Late } else { Fate::Expired };
        reservation.ended_at = reservation
            .deadline
            .expect("an open reservation has a deadline");
        reservation.turn = turn;
        self.last_change = now;
    }

    /// A command about an overdue reservation sees it expired.
    pub fn expire_overdue_id(&mut self, now: u64, id: &str) {
        if let Some(at) = self.position(id)
            && self.reservations[at].is_overdue(now)
        {
            self.expire(at, now);
            self.row("an overdue id expires ahead of its turn", ());
        }
        if let Some(at) = self.position(id)
            && self.reservations[at].fate == Fate::Late
            && self.lapses_at(&self.reservations[at]) <= now
        {
            self.lapse(at, now);
            self.row("a grace ends ahead of its turn", ());
        }
    }

    /// A grace is over, for good.
    fn lapse(&mut self, at: usize, now: u64) {
        let turn = self.next_turn();
        self.reservations[at].fate = Fate::Expired;
        self.reservations[at].turn = turn;
        self.last_change = now;
    }

    /// Returns what is overdue, ends the grace of what was late before, then forgets what
    /// has been known long enough.
    pub fn sweep(&mut self, now: u64, budget: u32) -> [u32; 3] {
        let [expired, lapsed, forgotten] = self.may_sweep(now, budget);
        for _ in 0..expired {
            let at = self.next_to_expire().expect("one that is overdue");
            self.expire(at, now);
        }
        for _ in 0..lapsed {
            let at = self.next_to_lapse().expect("one that is late");
            self.lapse(at, now);
        }
        for _ in 0..forgotten {
            let at = self.next_to_forget().expect("one that is remembered");
            self.reservations.remove(at);
            self.last_change = now;
        }
        [expired, lapsed, forgotten]
    }

    /// How many a sweep returns, ends the grace of, and forgets, until its budget is used
    /// up.
    fn may_sweep(&self, now: u64, budget: u32) -> [u32; 3] {
        let mut left = u64::from(budget);
        let mut count = |due: &dyn Fn(&Reservation) -> bool, by: &dyn Fn(&Reservation) -> u64| {
            let mut due: Vec<_> = self.reservations.iter().filter(|r| due(r)).collect();
            due.sort_by_key(|r| (by(r), r.turn));
            let mut count = 0;
            for reservation in due {
                if left == 0 {
                    break;
                }
                // One, and one more with every 16 lines after the first 16.
                let lines = reservation.lines_kept().max(1) as u64;
                left = left.saturating_sub(1 + (lines - 1) / 16);
                count += 1;
            }
            count
        };
        let is_over = |r: &Reservation| r.fate == Fate::Late && self.lapses_at(r) <= now;
        let is_old = |r: &Reservation| r.is_final() && self.known_until(r) <= now;
        let expired = count(&|r| r.is_overdue(now), &|r| r.deadline.unwrap_or(0));
        let lapsed = count(&is_over, &|r| r.ended_at);
        let forgotten = count(&is_old, &|r| r.ended_at);
        [expired, lapsed, forgotten]
    }

    // ---- finding and counting

    pub fn position(&self, id: &str) -> Option<usize> {
        self.reservations.iter().position(|r| r.id == id)
    }

    pub fn find(&self, id: &str) -> Option<&Reservation> {
        self.reservations.iter().find(|r| r.id == id)
    }

    pub fn reserved(&self, sku: &str) -> u64 {
        self.reservations
            .iter()
            .filter(|r| r.is_open())
            .map(|r| r.units(sku))
            .sum()
    }

    /// Net of refunds.
    pub fn sold(&self, sku: &str) -> u64 {
        self.reservations.iter().map(|r| r.sold_net(sku)).sum()
    }

    /// What CREATE and RESTOCK gave of a SKU, less what refunds took out.
    pub fn base(&self, sku: &str) -> i128 {
        let put_in: i128 = self
            .stock_log
            .iter()
            .filter(|(s, _)| s == sku)
            .map(|(_, n)| n)
            .sum();
        let written_off: u64 = (self.reservations.iter().flat_map(|r| &r.refunds))
            .filter(|refund| !refund.restocked)
            .map(|refund| units(&refund.lines, sku))
            .sum();
        put_in - written_off as i128
    }

    pub fn available(&self, sku: &str) -> u64 {
        let out = self.reserved(sku) as i128 + self.sold(sku) as i128;
        u64::try_from(self.base(sku) - out).expect("more promised than there is")
    }

    /// Is the sale still what its CREATE made, whatever was sold since?
    pub fn is_as_created(&self) -> bool {
        let Setup { orders, items, .. } = &self.setup;
        self.orders == *orders
            && self.options == self.options_at_first
            && self.skus.len() == items.len()
            && (items.iter()).all(|(sku, n)| self.base(sku) == *n as i128)
    }

    pub fn reserved_in_all(&self) -> u64 {
        self.skus.iter().map(|sku| self.reserved(sku)).sum()
    }

    pub fn sold_in_all(&self) -> u64 {
        self.skus.iter().map(|sku| self.sold(sku)).sum()
    }

    /// What counts against a user's limit, of one SKU.
    pub fn counted_of(&self, user: &str, sku: &str) -> u64 {
        (self.reservations.iter())
            .filter(|r| r.user.as_deref() == Some(user))
            .filter(|r| matches!(r.fate, Fate::Open | Fate::Sold))
            .map(|r| r.units(sku) - r.restored(sku))
            .sum()
    }

    pub fn counted(&self, user: &str) -> u64 {
        self.skus.iter().map(|sku| self.counted_of(user, sku)).sum()
    }

    /// What USERLIMIT leaves a user, or None without it.
    pub fn user_remaining(&self, user: &str) -> Option<u64> {
        let limit = self.option("USERLIMIT")?;
        Some(limit.saturating_sub(self.counted(user)))
    }

    /// Which SKU a bare quantity means.
    pub fn bare_sku(&self) -> Option<String> {
        match &self.skus[..] {
            [only] => Some(only.clone()),
            several => several.iter().find(|sku| *sku == "default").cloned(),
        }
    }

    /// What a bare quantity may have meant when it was first sent: with NEW there may
    /// be more items now than then.
    pub fn bare_skus_ever(&self) -> Vec<String> {
        let only = self.skus[..self.items_at_first].to_vec();
        let only = only.into_iter().filter(|_| self.items_at_first == 1);
        self.bare_sku().into_iter().chain(only).collect()
    }

    /// The SKUs asked for with their sums, first asked first; None when a bare
    /// quantity does not say which item is meant.
    pub fn summed(&self, ask: &Ask) -> Option<Vec<(String, u64)>> {
        match ask {
            Ask::Qty(qty) => Some(vec![(self.bare_sku()?, *qty)]),
            Ask::Items(lines) | Ask::Named(lines, _) => Some(sum_lines(lines)),
        }
    }

    // ---- the account of which rows were seen

    pub fn row<T>(&mut self, row: &'static str, answer: T) -> T {
        *self.rows.entry(row).or_default() += 1;
        answer
    }

    /// Does one command, as a client would send it, or one sweep.
    pub fn answer(&mut self, clock_ms: u64, op: &Op) -> String {
        let (now, stepped_back) = self.time(clock_ms);
        if stepped_back {
            self.row("time: a step back is believed", ());
        } else if clock_ms < now {
            self.row("time: a step back is ignored", ());
        }
        match op {
            Op::Sweep(budget) => {
                let [expired, lapsed, forgotten] = self.sweep(now, *budget);
                let row = match (expired, lapsed, forgotten) {
                    (0, 0, 0) => "SWEEP: nothing",
                    (_, 0, 0) => "SWEEP: expired",
                    (0, _, 0) => "SWEEP: a grace is over",
                    (0, 0, _) => "SWEEP: forgotten",
                    (0, _, _) => "SWEEP: a grace is over, and forgotten",
                    (_, _, 0) => "SWEEP: expired, and a grace is over",
                    (_, 0, _) => "SWEEP: expired and forgotten",
                    (_, _, _) => "SWEEP: all three",
                };
                self.row(row, words!["SWEPT", expired, lapsed, forgotten])
            }
            Op::Mark(reason) => self.miss(reason),
            Op::Reserve { .. }
            | Op::Buy { .. }
            | Op::Checkout { .. }
            | Op::Release { .. }
            | Op::Extend { .. } => self.answer_buyer(now, op),
            _ => self.answer_seller(now, op),
        }
    }
}
