//! The model's RESERVE, BUY, CHECKOUT, RELEASE and EXTEND, row by row.

use super::reference::{Model, words};
use super::reservation::{Fate, Reservation, same_units, sum_lines};
use crate::commands::requests::{Ask, Op};

impl Model {
    pub fn answer_buyer(&mut self, now: u64, op: &Op) -> String {
        match op {
            Op::Reserve {
                user,
                ask,
                id,
                hold,
                replaces: None,
            } => self.reserve(now, user, ask, id, *hold),
            Op::Reserve {
                user,
                ask,
                id,
                replaces: Some(old),
                ..
            } => self.replace(now, user, ask, id, old),
            Op::Buy {
                user,
                ask,
                id,
                reference,
            } => self.buy(now, user, ask, id, reference),
            Op::Checkout {
                id,
                user,
                reference,
            } => self.checkout(now, id, user.as_deref(), reference),
            Op::Release { id, user } => self.release(now, id, user.as_deref()),
            Op::Extend { id, ms, user } => self.extend(now, id, *ms, user.as_deref()),
            _ => unreachable!("not a buyer's command"),
        }
    }

    fn reserve(&mut self, now: u64, user: &str, ask: &Ask, id: &str, hold: Option<u64>) -> String {
        self.expire_overdue_id(now, id);
        if let Some(known) = self.find(id).cloned() {
            return self.replay_reserve(&known, user, ask);
        }
        let lines = match self.admit_after_sweep(now, user, ask, None) {
            Ok(lines) => lines,
            Err(refusal) => return self.row(refusal.row, refusal.answer),
        };
        if !self.make_room(now) {
            return self.row("RESERVE 13 OOM", words!["OOM"]);
        }
        if hold.is_some_and(|hold| hold > self.options["HOLD"]) {
            self.row("RESERVE: HOLD is cut", ());
        }
        let hold = hold.unwrap_or(u64::MAX).min(self.options["HOLD"]);
        let turn = self.next_turn();
        self.reservations.push(Reservation {
            reserved_at: Some(now),
            deadline: Some(Model::later(now, hold)),
            ..Reservation::open(id, user, lines, turn)
        });
        self.last_change = now;
        let answer = self.reserved_reply(id);
        self.row("RESERVE: RESERVED", answer)
    }

    /// RESERVE with REPLACE.
    fn replace(&mut self, now: u64, user: &str, ask: &Ask, id: &str, old: &str) -> String {
        self.expire_overdue_id(now, id);
        self.expire_overdue_id(now, old);
        if let Some(known) = self.find(id).cloned() {
            self.row("REPLACE: the new id is known", ());
            return self.replay_reserve(&known, user, ask);
        }
        let Some(replaced) = self.find(old).cloned() else {
            return self.row("REPLACE NORESERVATION", words!["NORESERVATION", old]);
        };
        if !replaced.is_open() {
            return self.refuse_to_replace(now, &replaced);
        }
        let lines = match self.admit_after_sweep(now, user, ask, Some(old)) {
            Ok(lines) => lines,
            Err(refusal) => {
                self.row("REPLACE: refused", ());
                return self.row(refusal.row, refusal.answer);
            }
        };
        if !self.make_room(now) {
            return self.row("REPLACE 13 OOM", words!["OOM"]);
        }
        self.end_by_release(now, old);
        let turn = self.next_turn();
        self.reservations.push(Reservation {
            reserved_at: replaced.reserved_at,
            deadline: replaced.deadline,
            ..Reservation::open(id, user, lines, turn)
        });
        let row = match replaced.user.as_deref() == Some(user) {
            true => "REPLACE: RESERVED",
            false => "REPLACE: RESERVED, for another user",
        };
        let answer = self.reserved_reply(id);
        self.row(row, answer)
    }

    /// What CHECKOUT would say of a reservation that is not open.
    fn refuse_to_replace(&mut self, now: u64, old: &Reservation) -> String {
        let id = &old.id;
        match old.fate {
            Fate::Open => unreachable!("one to replace"),
            Fate::Sold if old.is_refunded() => {
                self.row("REPLACE REFUNDED", words!["REFUNDED", id, old.last_entry()])
            }
            Fate::Sold => self.row("REPLACE SOLD", words!["SOLD", id, old.order_entry()]),
            Fate::Released => self.row("REPLACE RELEASED", words!["RELEASED", id]),
            Fate::Late | Fate::Expired => {
                let deadline = old.deadline.expect("a deadline");
                let left = self.grace_left(old, now);
                self.row("REPLACE EXPIRED", words!["EXPIRED", id, deadline, left])
            }
        }
    }

    /// `RESERVED id expires_at_ms remaining user_remaining`, as things are now.
    fn reserved_reply(&self, id: &str) -> String {
        let known = self.find(id).expect("a known id");
        let remaining = known.lines.iter().map(|(sku, _)| self.available(sku)).min();
        let user_remaining = (known.user.as_deref())
            .and_then(|user| self.user_remaining(user))
            .map_or("-1".to_string(), |n| n.to_string());
        words![
            "RESERVED",
            id,
            known.deadline.expect("a deadline"),
            remaining.expect("a line"),
            user_remaining
        ]
    }

    /// Is this the request that made the reservation, once more? A release of an id
    /// never seen stands for whatever items were to come.
    fn is_same_request(&self, known: &Reservation, user: &str, ask: &Ask) -> bool {
        if known.lines.is_empty() {
            return known.is_of(Some(user));
        }
        known.user.as_deref() == Some(user)
            && match ask {
                Ask::Qty(qty) => {
                    (self.bare_skus_ever().into_iter()).any(|sku| known.lines == [(sku, *qty)])
                }
                Ask::Items(lines) | Ask::Named(lines, _) => {
                    same_units(&sum_lines(lines), &known.lines)
                }
            }
    }

    fn replay_reserve(&mut self, known: &Reservation, user: &str, ask: &Ask) -> String {
        let id = &known.id;
        if !self.is_same_request(known, user, ask) {
            let row = match known.is_shortened() {
                true => "RESERVE 2 MISMATCH with a large cart",
                false => "RESERVE 2 MISMATCH",
            };
            return self.row(row, words!["MISMATCH", id]);
        }
        match known.fate {
            Fate::Open => {
                let answer = self.reserved_reply(id);
                self.row("RESERVE 2 RESERVED", answer)
            }
            Fate::Sold if known.is_refunded() => self.row(
                "RESERVE 2 REFUNDED",
                words!["REFUNDED", id, known.last_entry()],
            ),
            Fate::Sold => self.row("RESERVE 2 SOLD", words!["SOLD", id, known.order_entry()]),
            Fate::Released if known.lines.is_empty() => self.row(
                "RESERVE 2 RELEASED before it was seen",
                words!["RELEASED", id],
            ),
            Fate::Released if known.is_shortened() => {
                self.row("RESERVE 2 RELEASED, a large cart", words!["RELEASED", id])
            }
            Fate::Released => self.row("RESERVE 2 RELEASED", words!["RELEASED", id]),
            Fate::Late | Fate::Expired => {
                let row = match known.is_shortened() {
                    true => "RESERVE 2 EXPIRED, a large cart",
                    false => "RESERVE 2 EXPIRED",
                };
                let deadline = known.deadline.expect("a deadline");
                self.row(row, words!["EXPIRED", id, deadline])
            }
        }
    }

    fn buy(
        &mut self,
        now: u64,
        user: &str,
        ask: &Ask,
        id: &str,
        reference: &Option<String>,
    ) -> String {
        self.expire_overdue_id(now, id);
        if let Some(known) = self.find(id) {
            if !self.is_same_request(known, user, ask) {
                return self.row("BUY 2 MISMATCH", words!["MISMATCH", id]);
            }
            self.row("BUY: a known id", ());
            return self.checkout_known(now, id, reference);
        }
        let lines = match self.admit_after_sweep(now, user, ask, None) {
            Ok(lines) => lines,
            Err(refusal) => return self.row(refusal.row, refusal.answer),
        };
        if !self.make_room(now) {
            return self.row("BUY 13 OOM", words!["OOM"]);
        }
        let turn = self.next_turn();
        self.reservations.push(Reservation {
            reserved_at: Some(now),
            ..Reservation::open(id, user, lines, turn)
        });
        self.row("BUY: SOLD", ());
        self.sell(now, id, reference)
    }

    fn checkout(
        &mut self,
        now: u64,
        id: &str,
        user: Option<&str>,
        reference: &Option<String>,
    ) -> String {
        self.expire_overdue_id(now, id);
        let Some(known) = self.find(id) else {
            return self.row(
                "CHECKOUT NORESERVATION, unknown",
                words!["NORESERVATION", id],
            );
        };
        if !known.is_of(user) {
            return self.row(
                "CHECKOUT NORESERVATION, not USER's",
                words!["NORESERVATION", id],
            );
        }
        self.checkout_known(now, id, reference)
    }

    fn checkout_known(&mut self, now: u64, id: &str, reference: &Option<String>) -> String {
        let known = self.find(id).expect("a known id").clone();
        match known.fate {
            Fate::Open => {
                self.row("CHECKOUT SOLD", ());
                self.sell(now, id, reference)
            }
            Fate::Late if self.admits_late_after_sweep(now, &known) => {
                self.row("CHECKOUT SOLD within GRACE", ());
                self.sell(now, id, reference)
            }
            Fate::Late | Fate::Expired => {
                let deadline = known.deadline.expect("a deadline");
                let left = self.grace_left(&known, now);
                let row = match left {
                    0 => "CHECKOUT EXPIRED",
                    _ => "CHECKOUT EXPIRED, not final",
                };
                self.row(row, words!["EXPIRED", id, deadline, left])
            }
            Fate::Released => self.row("CHECKOUT RELEASED", words!["RELEASED", id]),
            Fate::Sold if known.is_refunded() => self.row(
                "CHECKOUT REFUNDED",
                words!["REFUNDED", id, known.last_entry()],
            ),
            Fate::Sold if reference.is_none() || *reference == known.reference => self.row(
                "CHECKOUT SOLD, a replay",
                words!["SOLD", id, known.order_entry()],
            ),
            Fate::Sold => {
                let before = known.reference.unwrap_or_default();
                self.row("CHECKOUT ALREADYSOLD", words!["ALREADYSOLD", id, before])
            }
        }
    }

    fn sell(&mut self, now: u64, id: &str, reference: &Option<String>) -> String {
        self.entries += 1;
        let entry = self.entries;
        let at = self.position(id).expect("a known id");
        let reservation = &mut self.reservations[at];
        reservation.fate = Fate::Sold;
        reservation.sold_at = Some(now);
        reservation.order = Some(entry);
        reservation.reference = reference.clone();
        self.last_change = now;
        words!["SOLD", id, entry]
    }

    fn release(&mut self, now: u64, id: &str, user: Option<&str>) -> String {
        self.expire_overdue_id(now, id);
        let Some(at) = self.position(id) else {
            return self.release_unseen(now, id, user);
        };
        let known = self.reservations[at].clone();
        if !known.is_of(user) {
            return self.row("RELEASE NORESERVATION", words!["NORESERVATION", id]);
        }
        match known.fate {
            Fate::Sold if known.is_refunded() => {
                return self.row(
                    "RELEASE REFUNDED",
                    words!["REFUNDED", id, known.last_entry()],
                );
            }
            Fate::Sold => return self.row("RELEASE SOLD", words!["SOLD", id, known.order_entry()]),
            Fate::Released => {
                return self.row("RELEASE RELEASED, a replay", words!["RELEASED", id]);
            }
            Fate::Open => self.row("RELEASE RELEASED", ()),
            Fate::Late | Fate::Expired => self.row("RELEASE RELEASED, had expired", ()),
        }
        self.end_by_release(now, id);
        words!["RELEASED", id]
    }

    fn end_by_release(&mut self, now: u64, id: &str) {
        let turn = self.next_turn();
        let at = self.position(id).expect("a known id");
        let reservation = &mut self.reservations[at];
        reservation.fate = Fate::Released;
        reservation.released_at = Some(now);
        reservation.ended_at = now;
        reservation.turn = turn;
        self.last_change = now;
    }

    fn release_unseen(&mut self, now: u64, id: &str, user: Option<&str>) -> String {
        if !self.make_room(now) {
            return self.row("RELEASE OOM", words!["OOM"]);
        }
        let turn = self.next_turn();
        self.reservations.push(Reservation {
            user: user.map(str::to_string),
            fate: Fate::Released,
            released_at: Some(now),
            ended_at: now,
            ..Reservation::open(id, "", Vec::new(), turn)
        });
        self.last_change = now;
        self.row("RELEASE RELEASED, never seen", words!["RELEASED", id])
    }

    fn extend(&mut self, now: u64, id: &str, ms: u64, user: Option<&str>) -> String {
        self.expire_overdue_id(now, id);
        let Some(at) = self
            .position(id)
            .filter(|at| self.reservations[*at].is_of(user))
        else {
            return self.row("EXTEND NORESERVATION", words!["NORESERVATION", id]);
        };
        let known = self.reservations[at].clone();
        match known.fate {
            Fate::Sold if known.is_refunded() => {
                return self.row(
                    "EXTEND REFUNDED",
                    words!["REFUNDED", id, known.last_entry()],
                );
            }
            Fate::Sold => return self.row("EXTEND SOLD", words!["SOLD", id, known.order_entry()]),
            Fate::Released => return self.row("EXTEND RELEASED", words!["RELEASED", id]),
            Fate::Late | Fate::Expired => {
                return self.row(
                    "EXTEND EXPIRED",
                    words!["EXPIRED", id, known.deadline.expect("a deadline")],
                );
            }
            Fate::Open => {}
        }
        let latest = Model::later(known.reserved_at.expect("made once"), self.max_hold());
        let deadline = Model::later(now, ms).min(latest);
        if deadline > known.deadline.expect("a deadline") {
            self.reservations[at].turn = self.next_turn();
            self.reservations[at].deadline = Some(deadline);
            self.last_change = now;
            self.row("EXTEND RESERVED, later", ());
        } else {
            self.row("EXTEND RESERVED, unmoved", ());
        }
        self.reserved_reply(id)
    }
}

impl Reservation {
    /// One that was never checked out, without any moment yet.
    fn open(id: &str, user: &str, lines: Vec<(String, u64)>, turn: u64) -> Reservation {
        Reservation {
            id: id.to_string(),
            user: Some(user.to_string()),
            lines,
            fate: Fate::Open,
            reserved_at: None,
            deadline: None,
            sold_at: None,
            released_at: None,
            order: None,
            reference: None,
            refunds: Vec::new(),
            turn,
            ended_at: 0,
        }
    }

    pub fn order_entry(&self) -> u64 {
        self.order.expect("an order")
    }

    pub fn last_entry(&self) -> u64 {
        self.refunds.last().expect("a refund").entry
    }
}
