//! A sale that gets orders and units from elsewhere, as anybody would write it down: what there
//! is of an item follows from what came, what went, and who has some.

use std::collections::BTreeMap;

/// Units of one item that came and went.
#[derive(Clone, Default)]
pub struct Item {
    /// By CREATE and RESTOCK, less those that refunds took out.
    pub base: i128,
    pub given: BTreeMap<u128, u64>,
    pub taken: BTreeMap<u128, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Ended,
    /// Released before anybody asked for it.
    Unseen,
    Sold,
}

/// One id that is known.
#[derive(Clone)]
pub struct Reservation {
    pub user: Option<usize>,
    /// Item and units, each item once.
    pub lines: Vec<(usize, u64)>,
    pub state: State,
    pub expires_at_ms: u64,
    pub reference: Option<String>,
    pub sold_at_ms: u64,
    /// Units left of each line.
    pub left: Vec<u64>,
    /// Units that no longer count against the user's limits.
    pub restored: u64,
    pub refunds: BTreeMap<String, (bool, bool, bool)>,
}

#[derive(Clone, Default)]
pub struct Book {
    pub items: Vec<Item>,
    pub ids: BTreeMap<String, Reservation>,
}

/// What an IMPORT is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Mismatch,
    Refunded,
    AlreadySold,
    Replay,
    Sold,
}

impl Book {
    fn sum(&self, item: usize, of: impl Fn(&Reservation, usize) -> u64) -> u64 {
        let units = |reservation: &Reservation| {
            let at = reservation.lines.iter().position(|line| line.0 == item);
            at.map_or(0, |at| of(reservation, at))
        };
        self.ids.values().map(units).sum()
    }

    pub fn reserved(&self, item: usize) -> u64 {
        self.sum(item, |reservation, at| match reservation.state {
            State::Open => reservation.lines[at].1,
            _ => 0,
        })
    }

    pub fn sold(&self, item: usize) -> u64 {
        self.sum(item, |reservation, at| match reservation.state {
            State::Sold => reservation.left[at],
            _ => 0,
        })
    }

    pub fn total(&self, item: usize) -> i128 {
        let Item { base, given, taken } = &self.items[item];
        let sum = |units: &BTreeMap<u128, u64>| {
            units.values().map(|&units| i128::from(units)).sum::<i128>()
        };
        base + sum(taken) - sum(given)
    }

    /// What is left when everybody has theirs: below zero it is owed.
    fn net(&self, item: usize) -> i128 {
        self.total(item) - i128::from(self.reserved(item)) - i128::from(self.sold(item))
    }

    pub fn available(&self, item: usize) -> u64 {
        u64::try_from(self.net(item)).unwrap_or(0)
    }

    pub fn owed(&self, item: usize) -> u64 {
        u64::try_from(-self.net(item)).unwrap_or(0)
    }

    /// What a user has counted against the limit.
    pub fn counted(&self, user: usize) -> u64 {
        let own = self.ids.values().filter(|known| known.user == Some(user));
        let units = |known: &Reservation| -> u64 {
            let all: u64 = known.lines.iter().map(|line| line.1).sum();
            match known.state {
                State::Open => all,
                State::Sold => all - known.restored,
                State::Ended | State::Unseen => 0,
            }
        };
        own.map(units).sum()
    }

    /// IMPORT, all of its rows.
    pub fn import(
        &mut self,
        id: &str,
        user: usize,
        lines: &[(usize, u64)],
        reference: Option<&str>,
        at_ms: u64,
    ) -> Told {
        let sorted = |lines: &[(usize, u64)]| {
            let mut lines = lines.to_vec();
            lines.sort_unstable();
            lines
        };
        if let Some(known) = self.ids.get(id) {
            let is_his = known.user.is_none_or(|of| of == user);
            let is_same = known.state == State::Unseen || sorted(&known.lines) == sorted(lines);
            if !is_his || !is_same {
                return Told::Mismatch;
            }
            if known.state == State::Sold {
                return if known.left.iter().all(|&left| left == 0) {
                    Told::Refunded
                } else if known.reference.as_deref() == reference {
                    Told::Replay
                } else {
                    Told::AlreadySold
                };
            }
        }
        let known = self
            .ids
            .get(id)
            .filter(|known| known.state != State::Unseen);
        let lines = known.map_or_else(|| lines.to_vec(), |known| known.lines.clone());
        self.sell(id, user, &lines, reference, at_ms);
        Told::Sold
    }

    /// Notes an order.
    pub fn sell(
        &mut self,
        id: &str,
        user: usize,
        lines: &[(usize, u64)],
        reference: Option<&str>,
        at_ms: u64,
    ) {
        let order = Reservation {
            user: Some(user),
            lines: lines.to_vec(),
            state: State::Sold,
            expires_at_ms: 0,
            reference: reference.map(str::to_owned),
            sold_at_ms: at_ms,
            left: lines.iter().map(|line| line.1).collect(),
            restored: 0,
            refunds: BTreeMap::new(),
        };
        self.ids.insert(id.to_owned(), order);
    }

    /// A refund of some units of one item, which the engine has accepted.
    pub fn refund(
        &mut self,
        id: &str,
        (item, qty): (usize, u64),
        reference: &str,
        (no_restock, restores): (bool, bool),
        has_ended: bool,
    ) {
        let owed = self.owed(item);
        let known = self.ids.get_mut(id).expect("an order");
        let at = known.lines.iter().position(|line| line.0 == item);
        known.left[at.expect("a line")] -= qty;
        known.restored += if restores { qty } else { 0 };
        let pays = if no_restock { 0 } else { owed.min(qty) };
        let leaves = if no_restock || has_ended {
            qty - pays
        } else {
            0
        };
        self.items[item].base -= i128::from(leaves);
        let restocked = !no_restock && (!has_ended || pays > 0);
        let flags = (restocked, restores, no_restock);
        let known = self.ids.get_mut(id).expect("an order");
        known.refunds.insert(reference.to_owned(), flags);
    }
}
