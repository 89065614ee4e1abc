//! Random requests: retries, known ids, and quantities near what is left.

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::random::{Source, made_up};
use super::reference::{LARGEST, Model};
use super::reservation::Fate;
use crate::commands::requests::{Ask, Deltas, Named, Op};

/// Why a copy misses a change, in words.
const MISSED: [&str; 2] = ["the id is unknown", "the event is cut short"];

const REFERENCES: [&str; 4] = ["p1", "p2", "\u{e9}\u{0}", "01ARZ3NDEKTSV4RRFFQ69G5FAV"];

impl Source {
    /// A retry, word by word or nearly.
    pub fn repeat(&mut self) -> Op {
        let recent = self.past.len().saturating_sub(40);
        let mut op = self.past[recent..]
            .choose(&mut self.rng)
            .expect("a past")
            .clone();
        if !self.one_in(3) {
            return op;
        }
        let (user, ask, reference) = (self.user(), self.ask(), self.reference());
        let (which, shift) = (self.rng.random_range(0..3), self.rng.random_range(-1..=1));
        let other = self.known_id();
        match &mut op {
            Op::Reserve {
                user: u,
                ask: a,
                hold,
                replaces,
                ..
            } => match which {
                0 => *u = user,
                1 => *a = ask,
                _ if replaces.is_some() => *replaces = Some(other),
                _ => *hold = Some(1),
            },
            Op::Buy {
                user: u,
                ask: a,
                reference: r,
                ..
            } => match which {
                0 => *u = user,
                1 => *a = ask,
                _ => *r = reference,
            },
            Op::Refund {
                ask: a,
                reference: r,
                no_restock,
                restore_limit,
                ..
            } => match which {
                0 if r.is_some() => *a = Some(ask),
                1 => *a = None,
                _ if shift > 0 => *no_restock = !*no_restock,
                _ => *restore_limit = !*restore_limit,
            },
            Op::Restock {
                deltas: Deltas::Items(items),
                ..
            } => {
                items[0].1 += shift;
                items.reverse();
                items.retain(|(_, delta)| *delta != 0);
                if items.is_empty() {
                    return Op::Pause;
                }
            }
            _ => {}
        }
        op
    }

    pub fn request(&mut self, model: &Model) -> Op {
        match self.rng.random_range(0..100 + self.sweeps) {
            0..7 => self.replace(model),
            7..10 => self.reserve_of_known(model),
            10..30 => {
                let hold = match self.rng.random_range(0..4) {
                    0 => Some(self.rng.random_range(1..=self.hold_ms)),
                    1 => Some(self.hold_ms.saturating_mul(2).min(LARGEST)),
                    _ => None,
                };
                let id = if self.rng.random_bool(0.75) {
                    self.fresh_id()
                } else {
                    self.known_id()
                };
                Op::Reserve {
                    user: self.user(),
                    ask: self.ask(),
                    id,
                    hold,
                    replaces: None,
                }
            }
            30..38 => {
                let id = if self.rng.random_bool(0.7) {
                    self.fresh_id()
                } else {
                    self.known_id()
                };
                Op::Buy {
                    user: self.user(),
                    ask: self.ask(),
                    id,
                    reference: self.reference(),
                }
            }
            38..40 => self.buy_of_known(model),
            40..45 => self.late_checkout(model),
            45..53 => Op::Checkout {
                id: self.aimed_id(model),
                user: self.whose(),
                reference: self.reference(),
            },
            53..63 => Op::Release {
                id: self.aimed_id(model),
                user: self.whose(),
            },
            63..72 => {
                let ms = self
                    .rng
                    .random_range(1..=(self.hold_ms.saturating_mul(2)).min(LARGEST));
                Op::Extend {
                    id: self.aimed_id(model),
                    ms,
                    user: self.whose(),
                }
            }
            72..82 => self.refund(model),
            82..90 => self.restock(),
            90..95 => self.alter(),
            95 if self.one_in(4) => Op::Mark(MISSED[self.rng.random_range(0..MISSED.len())]),
            95 => Op::Pause,
            96..98 => Op::Resume,
            98 if self.one_in(16) => Op::Close,
            98 => Op::Resume,
            99 => Op::Bind(
                (*["orders", "orders2"]
                    .choose(&mut self.rng)
                    .unwrap_or(&"orders"))
                .into(),
            ),
            _ => Op::Sweep(*[1, 1, 2, 3, 5, 1_000].choose(&mut self.rng).unwrap_or(&1)),
        }
    }

    /// A RESERVE that takes the place of a reservation: mostly of an open one, with its
    /// cart a little changed, and of the same user.
    fn replace(&mut self, model: &Model) -> Op {
        let old = self.aimed_id(model);
        let known = model.find(&old).filter(|known| !known.lines.is_empty());
        let mut ask = self.ask();
        let mut user = self.user();
        if let Some(known) = known {
            if !self.one_in(4) {
                user = known.user.clone().unwrap_or_default();
            }
            if !self.one_in(3) {
                ask = Ask::Items(self.changed(&known.lines));
            }
        }
        let id = if self.one_in(8) {
            self.known_id()
        } else {
            self.fresh_id()
        };
        Op::Reserve {
            user,
            ask,
            id,
            hold: None,
            replaces: Some(old),
        }
    }

    /// A cart that grows, shrinks or stays.
    fn changed(&mut self, lines: &[(String, u64)]) -> Vec<(String, u64)> {
        let mut lines = lines.to_vec();
        let at = self.rng.random_range(0..lines.len());
        match self.rng.random_range(0..5) {
            0 => lines[at].1 = (lines[at].1 + 1).min(LARGEST),
            1 => lines[at].1 = self.rng.random_range(1..=lines[at].1),
            2 => lines.push((self.sku(), self.qty())),
            3 if lines.len() > 1 => {
                lines.remove(at);
            }
            _ => {}
        }
        lines
    }

    fn user(&mut self) -> String {
        self.users.choose(&mut self.rng).expect("a user").clone()
    }

    /// USER of a command about an id: mostly not given.
    fn whose(&mut self) -> Option<String> {
        self.one_in(3).then(|| self.user())
    }

    fn reference(&mut self) -> Option<String> {
        match self.rng.random_range(0..3) {
            0 => None,
            _ => REFERENCES[..2 + self.rng.random_range(0..3)]
                .choose(&mut self.rng)
                .map(|r| r.to_string()),
        }
    }

    fn fresh_id(&mut self) -> String {
        let id = made_up(&mut self.rng, "r", self.ids.len());
        self.ids.push(id.clone());
        id
    }

    /// An id of a past request, mostly a recent one.
    fn known_id(&mut self) -> String {
        if self.ids.is_empty() || self.one_in(40) {
            return self.fresh_id();
        }
        let recent = if self.one_in(4) {
            0
        } else {
            self.ids.len().saturating_sub(12)
        };
        self.ids[recent..]
            .choose(&mut self.rng)
            .expect("an id")
            .clone()
    }

    /// An id that is known now, of any state; or a past one.
    fn aimed_id(&mut self, model: &Model) -> String {
        if self.one_in(3) {
            return self.known_id();
        }
        let wants_open = self.one_in(2);
        let known = model
            .reservations
            .iter()
            .filter(|known| known.is_open() || !wants_open);
        match known.collect::<Vec<_>>().choose(&mut self.rng) {
            Some(known) => known.id.clone(),
            None => self.known_id(),
        }
    }

    /// RESERVE of a reservation once more by its own user, word by word or nearly.
    fn reserve_of_known(&mut self, model: &Model) -> Op {
        let wants_large = self.is_wide && !self.one_in(4);
        let known = (model.reservations.iter())
            .filter(|known| !known.lines.is_empty())
            .filter(|known| known.is_shortened() || !wants_large)
            .collect::<Vec<_>>();
        let known = known.choose(&mut self.rng);
        let Some((user, known)) = known.and_then(|known| Some((known.user.clone()?, known))) else {
            return self.replace(model);
        };
        let (id, mut lines) = (known.id.clone(), known.lines.clone());
        lines.reverse();
        if self.one_in(3) {
            lines = self.changed(&lines);
        }
        Op::Reserve {
            user,
            ask: Ask::Items(lines),
            id,
            hold: None,
            replaces: None,
        }
    }

    /// BUY of a reservation by its own user, as a client that forgot it had reserved.
    fn buy_of_known(&mut self, model: &Model) -> Op {
        let reference = self.reference();
        match model.reservations.choose(&mut self.rng) {
            Some(known) if !known.lines.is_empty() => {
                let mut lines = known.lines.clone();
                lines.reverse();
                let user = known.user.clone().unwrap_or_default();
                Op::Buy {
                    user,
                    ask: Ask::Items(lines),
                    id: known.id.clone(),
                    reference,
                }
            }
            _ => Op::Buy {
                user: self.user(),
                ask: self.ask(),
                id: self.known_id(),
                reference,
            },
        }
    }

    /// CHECKOUT of one that has expired, preferably not long ago.
    pub fn late_checkout(&mut self, model: &Model) -> Op {
        let past_grace = self.one_in(4);
        let expired = model.reservations.iter().rev().filter(|known| {
            known.deadline.is_some() && (known.fate == Fate::Late || past_grace && known.is_final())
        });
        let id = match expired.take(3).collect::<Vec<_>>().choose(&mut self.rng) {
            Some(known) => known.id.clone(),
            None => self.aimed_id(model),
        };
        Op::Checkout {
            id,
            user: None,
            reference: self.reference(),
        }
    }

    fn qty(&mut self) -> u64 {
        let most = self.most;
        match self.rng.random_range(0..12) {
            0 => self
                .rng
                .random_range(1..=most.saturating_mul(3).min(LARGEST)),
            _ => self.rng.random_range(1..=most),
        }
    }

    fn sku(&mut self) -> String {
        if self.one_in(100) {
            return "no such item".into();
        }
        let known = if self.one_in(30) {
            self.skus.len()
        } else {
            self.items
        };
        self.skus[..known]
            .choose(&mut self.rng)
            .expect("an item")
            .clone()
    }

    fn ask(&mut self) -> Ask {
        if self.is_wide && self.one_in(3) {
            let lines = self.rng.random_range(7..=self.skus.len());
            let lines = self.skus[..lines].iter().map(|sku| (sku.clone(), 1));
            return Ask::Items(lines.collect());
        }
        match self.rng.random_range(0..3) {
            0 if self.items == 1 || self.one_in(6) => Ask::Qty(self.qty()),
            _ => {
                let lines = *[1, 1, 2, 2, 3, 4].choose(&mut self.rng).unwrap_or(&1);
                Ask::Items((0..lines).map(|_| (self.sku(), self.qty())).collect())
            }
        }
    }

    pub fn refund(&mut self, model: &Model) -> Op {
        let sold: Vec<_> = model
            .reservations
            .iter()
            .filter(|known| known.order.is_some())
            .collect();
        let known = sold.choose(&mut self.rng).copied();
        let id = match known {
            Some(known) if !self.one_in(8) => known.id.clone(),
            _ => self.known_id(),
        };
        let reference = self.reference();
        let ask = match (&reference, known) {
            (None, _) => None,
            (_, Some(known)) if !self.one_in(4) => {
                let lines = known.lines.iter().filter(|_| self.rng.random_bool(0.7));
                let lines: Vec<(String, u64)> = lines.cloned().collect();
                match &lines[..] {
                    [] => None,
                    [(_, qty)] if self.one_in(2) => Some(Ask::Qty((*qty).min(self.qty()))),
                    _ => {
                        let less = |(sku, qty): &(String, u64)| {
                            (sku.clone(), self.rng.random_range(1..=*qty))
                        };
                        Some(Ask::Items(lines.iter().map(less).collect()))
                    }
                }
            }
            _ => Some(self.ask()),
        };
        let user = self.whose();
        Op::Refund {
            id,
            ask,
            reference,
            user,
            no_restock: self.one_in(3),
            restore_limit: self.one_in(3),
        }
    }

    fn restock(&mut self) -> Op {
        let delta = |source: &mut Source| {
            // Less than the largest by what repetitions may add.
            let up = source.qty().min(LARGEST - 1_000) as i64;
            if source.one_in(3) { -up } else { up }
        };
        let new = self.one_in(6);
        let deltas = match self.rng.random_range(0..3) {
            1 if new => {
                let sku = self.skus.choose(&mut self.rng).expect("an item").clone();
                Deltas::Items(vec![(sku, delta(self)), (self.sku(), delta(self))])
            }
            0 if self.items == 1 || self.one_in(6) => Deltas::Bare(delta(self)),
            _ => {
                let lines = self.rng.random_range(1..4);
                Deltas::Items((0..lines).map(|_| (self.sku(), delta(self))).collect())
            }
        };
        let reference = self.reference().filter(|_| self.one_in(3));
        Op::Restock {
            deltas,
            new,
            reference,
        }
    }

    fn alter(&mut self) -> Op {
        if self.one_in(25) {
            return Op::Alter(self.empty_window().to_vec());
        }
        let mut named: Vec<Named> = Vec::new();
        for _ in 0..self.rng.random_range(1..3) {
            let name = *[
                "USERLIMIT",
                "USERLIMIT",
                "ITEMLIMIT",
                "ORDERLIMIT",
                "SALELIMIT",
                "SALELIMIT",
                "HOLD",
                "MAXHOLD",
                "GRACE",
                "START",
                "END",
                "KEEP",
                "REMEMBER",
                "EVENTS",
            ]
            .choose(&mut self.rng)
            .expect("an option");
            if !named.iter().any(|(known, _)| *known == name) {
                let value = match name {
                    // What ends a sale for long ends the interesting part of it too.
                    "END" | "START" if !self.one_in(4) => 0,
                    "USERLIMIT" | "SALELIMIT" | "ORDERLIMIT" | "ITEMLIMIT" if self.one_in(4) => 0,
                    _ => self.option_value(name),
                };
                named.push((name, value));
            }
        }
        Op::Alter(named)
    }
}
