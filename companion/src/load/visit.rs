//! One buyer's visit: what is asked next, given what was answered last. No connection is here;
//! every answer that no rule of the sale allows is noted as unexpected.

use super::buyer::{Buyer, Habit, Line};
use super::line::{Standing, Who};
use super::request::{Request, Step};
use super::resp::Reply;
use super::rules::{Names, Rules};
use super::tally::{Bought, Tally};

/// The first and the longest wait between two attempts, beyond what the server asked for: of a
/// page in a browser, not of a script.
const WAIT_MS: u64 = 500;
const WAIT_MS_MAX: u64 = 2_000;
/// A buyer decides and pays within so long.
const THINK_MS: (u64, u64) = (5, 120);
/// Nobody waits longer than this for a deadline, only to pay after it.
const LATE_WITHIN_MS: u64 = 60_000;

/// What a buyer does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sends `step` at this moment.
    At { us: u64, step: Step },
    /// Has what it came for, or has given up.
    Leaves,
}

/// A buyer on the way through the sale.
pub struct Visit {
    buyer: Buyer,
    names: Names,
    /// Counts the ids this buyer has used: each loss to the deadline and each change is one.
    attempt: u32,
    wait_ms: u64,
    expires_at_ms: u64,
    /// When the buyer was told of the reservation.
    told_us: u64,
    /// The cart as it was before the change that is under way.
    before: Option<(Line, Option<Line>)>,
    /// The answer that was "lost", to compare with the one to the same request.
    lost: Option<Reply>,
    /// When the last request was due.
    asked_us: u64,
    standing: Standing,
}

impl Visit {
    /// Begins the visit of a buyer.
    pub fn new(buyer: Buyer, names: Names) -> Self {
        Self {
            buyer,
            names,
            asked_us: buyer.arrives_us,
            standing: Standing::default(),
            attempt: 0,
            wait_ms: WAIT_MS,
            expires_at_ms: 0,
            told_us: 0,
            before: None,
            lost: None,
        }
    }

    /// Returns a number that chooses the connection: twins have neighbouring ones.
    pub fn lane(&self) -> u64 {
        self.buyer.user + u64::from(self.buyer.is_twin)
    }

    /// The reservation's id, made by the buyer: the token that makes retries safe.
    fn id(&self, attempt: u32) -> String {
        let (prefix, buyer) = (self.names.prefix(), &self.buyer);
        format!("{prefix}{}-{}{attempt}", buyer.user, buyer.cart)
    }

    /// Returns the request of `step`.
    pub fn request(&self, step: Step) -> Request {
        Request {
            step,
            user: self.names.user(self.buyer.user),
            id: self.id(self.attempt),
            old_id: self.id(self.attempt.saturating_sub(1)),
            first: self.buyer.first,
            second: self.buyer.second,
            waits: self.buyer.waits,
        }
    }

    /// Takes the answer to `step`, which came at `now_us`.
    pub fn take(
        &mut self,
        step: Step,
        reply: Reply,
        now_us: u64,
        rules: &Rules,
        tally: &mut Tally,
    ) -> Next {
        if rules.keeps_fates && step != Step::Change {
            let buyer = &self.buyer;
            tally
                .fates
                .note(buyer.user, &reply.word, buyer.arrives_us, now_us);
        }
        let next = self.answer(step, reply, now_us, rules, tally);
        if let Next::At { us, .. } = next {
            // An answer may come when the moment it speaks of has passed.
            self.asked_us = us.max(now_us);
        }
        next
    }

    fn answer(
        &mut self,
        step: Step,
        reply: Reply,
        now_us: u64,
        rules: &Rules,
        tally: &mut Tally,
    ) -> Next {
        use Step::{Change, Checkout, PayAgain, Release, Reserve};
        match (step, reply.word.as_str()) {
            (Reserve, "RESERVED") => self.take_reserved(reply, now_us, rules, tally),
            (Change, "RESERVED") => self.take_changed(now_us, tally),
            (Change, "SOLDOUT" | "ALLRESERVED" | "USERLIMIT" | "ORDERLIMIT") => {
                self.keep_cart(now_us)
            }
            (Reserve | Checkout, "SOLD") => self.take_sold(step, reply, now_us, rules, tally),
            (PayAgain, "ALREADYSOLD") => {
                tally.paid_twice += 1;
                Next::Leaves
            }
            (Reserve | Change | Checkout, "EXPIRED") => self.start_again(now_us),
            (Release, "RELEASED") => {
                tally.gave_back(self.id(self.attempt), self.buyer.user);
                Next::Leaves
            }
            (Reserve, "WAITING") if self.buyer.waits => self.stand(&reply, now_us, tally),
            (Reserve, "PLACED") if self.has_two_ids() => Next::Leaves,
            (Reserve, "NOTSTARTED" | "ALLRESERVED") => self.wait(&reply, now_us),
            (Reserve, "SOLDOUT") => self.settle_for_less(&reply, now_us, tally),
            (Reserve, "USERLIMIT") if self.may_meet_user_limit(rules) => Next::Leaves,
            (Reserve, "ORDERLIMIT") if self.units() > rules.order_limit => Next::Leaves,
            (Change | Checkout | PayAgain, "NORESERVATION") => {
                let text = format!("{step:?} of {}: {}", self.id(self.attempt), reply.line());
                tally.lost_or_surprising(self.told_us, text);
                Next::Leaves
            }
            // The order was lost to a failover, its reservation was not.
            (PayAgain, "SOLD") if tally.may_be_lost(self.told_us) => {
                tally.lost_to_failover += 1;
                tally.sold(self.id(self.attempt), self.bought(&reply, now_us));
                Next::Leaves
            }
            _ => {
                let id = self.id(self.attempt);
                tally.unexpected(format!("{step:?} of {id}: {}", reply.line()));
                Next::Leaves
            }
        }
    }

    fn take_reserved(
        &mut self,
        reply: Reply,
        now_us: u64,
        rules: &Rules,
        tally: &mut Tally,
    ) -> Next {
        self.expires_at_ms = reply.number(1).unwrap_or(0).unsigned_abs();
        tally.last_deadline_ms = tally.last_deadline_ms.max(self.expires_at_ms);
        let granted_ms = self.expires_at_ms.saturating_sub(rules.hold_ms);
        tally
            .line
            .granted(&mut self.standing, granted_ms, now_us, &rules.clock);
        if self.buyer.loses_answers {
            if let Some(first) = self.lost.take() {
                tally.compare_replay(&first, &reply, 2, self.told_us);
            } else {
                self.lost = Some(reply);
                self.told_us = now_us;
                return now(now_us, Step::Reserve);
            }
        }
        self.told_us = now_us;
        let chance = &mut self.buyer.chance;
        let think_us = (THINK_MS.0 + chance.below(THINK_MS.1 - THINK_MS.0)) * 1_000;
        let after = |step| Next::At {
            us: now_us + think_us,
            step,
        };
        let late = |ms: u64| Next::At {
            us: rules.clock.us_of(self.expires_at_ms + ms),
            step: Step::Checkout,
        };
        let is_soon = self.expires_at_ms < rules.clock.ms_of(now_us) + LATE_WITHIN_MS;
        match self.buyer.habit {
            Habit::Abandons => Next::Leaves,
            Habit::ChangesMind => after(Step::Release),
            Habit::ChangesCart => {
                self.begin_change(rules.items);
                after(Step::Change)
            }
            Habit::PaysInGrace if is_soon => late(1 + chance.below(rules.grace_ms / 2)),
            Habit::PaysTooLate if is_soon => {
                late(rules.grace_ms + 1 + chance.below(rules.grace_ms))
            }
            _ => after(Step::Checkout),
        }
    }

    /// Asks for the next item in place of the first one of the cart.
    fn begin_change(&mut self, items: usize) {
        self.before = Some((self.buyer.first, self.buyer.second));
        let (item, units) = self.buyer.first;
        self.buyer.first = ((item + 1) % items, units);
        self.buyer.second = None;
        self.attempt += 1;
    }

    fn take_changed(&mut self, now_us: u64, tally: &mut Tally) -> Next {
        tally.gave_back(self.id(self.attempt - 1), self.buyer.user);
        self.before = None;
        self.buyer.habit = Habit::Plain;
        self.told_us = now_us;
        let think_us = self.buyer.chance.below(THINK_MS.1) * 1_000;
        Next::At {
            us: now_us + think_us,
            step: Step::Checkout,
        }
    }

    /// The change was refused: the cart is as it was, and is paid for.
    fn keep_cart(&mut self, now_us: u64) -> Next {
        self.forget_change();
        self.buyer.habit = Habit::Plain;
        now(now_us, Step::Checkout)
    }

    fn forget_change(&mut self) {
        if let Some((first, second)) = self.before.take() {
            (self.buyer.first, self.buyer.second) = (first, second);
            self.attempt -= 1;
        }
    }

    fn take_sold(
        &mut self,
        step: Step,
        reply: Reply,
        now_us: u64,
        rules: &Rules,
        tally: &mut Tally,
    ) -> Next {
        let order = self.bought(&reply, now_us);
        if let Some(first) = self.lost.take() {
            tally.compare_replay(&first, &reply, 2, self.told_us);
        } else if self.buyer.loses_answers && step == Step::Checkout {
            self.lost = Some(reply);
            self.told_us = now_us;
            return now(now_us, Step::Checkout);
        }
        self.told_us = now_us;
        let is_late = step == Step::Checkout && rules.clock.ms_of(now_us) > self.expires_at_ms;
        tally.paid_in_grace += u64::from(is_late && self.buyer.habit == Habit::PaysInGrace);
        tally.sold(self.id(self.attempt), order);
        if self.buyer.habit == Habit::PaysTwice {
            let think_us = self.buyer.chance.below(THINK_MS.1) * 1_000;
            return Next::At {
                us: now_us + think_us,
                step: Step::PayAgain,
            };
        }
        Next::Leaves
    }

    fn bought(&self, reply: &Reply, now_us: u64) -> Bought {
        Bought {
            order_id: reply.text(1),
            user: self.buyer.user,
            first: self.buyer.first,
            second: self.buyer.second,
            told_us: now_us,
        }
    }

    /// The deadline won: a new reservation, under a new id, by a wiser buyer.
    fn start_again(&mut self, now_us: u64) -> Next {
        self.forget_change();
        self.standing.leave();
        self.attempt += 2;
        self.lost = None;
        if matches!(
            self.buyer.habit,
            Habit::PaysInGrace | Habit::PaysTooLate | Habit::ChangesCart
        ) {
            self.buyer.habit = Habit::Plain;
        }
        Next::At {
            us: now_us + self.buyer.chance.below(50_000),
            step: Step::Reserve,
        }
    }

    /// Waits in line, and asks again when the server says. Some walk away, and not all of them say
    /// so.
    fn stand(&mut self, reply: &Reply, now_us: u64, tally: &mut Tally) -> Next {
        let who = Who {
            user: self.buyer.user,
            item: self.buyer.first.0,
            asked_us: self.asked_us,
            is_twin: self.buyer.habit == Habit::ClicksTwice,
        };
        let us = tally.line.waiting(&mut self.standing, who, reply, now_us);
        let walks_away = self.buyer.user.is_multiple_of(2) && self.standing.times > 1;
        match self.buyer.habit {
            Habit::Abandons if walks_away => Next::Leaves,
            Habit::ChangesMind if walks_away => now(now_us, Step::Release),
            _ => Next::At {
                us,
                step: Step::Reserve,
            },
        }
    }

    /// Waits as long as the server said, and some more, so that not all come at once.
    fn wait(&mut self, reply: &Reply, now_us: u64) -> Next {
        let said_ms = reply.number(0).unwrap_or(1).max(1).unsigned_abs();
        let asked_ms = reply.after_ms.unwrap_or(said_ms);
        let jitter_us = self.buyer.chance.below(self.wait_ms * 1_000);
        self.wait_ms = (self.wait_ms * 2).min(WAIT_MS_MAX);
        Next::At {
            us: now_us + asked_ms * 1_000 + jitter_us,
            step: Step::Reserve,
        }
    }

    /// Too few are left for this cart: one fewer will do, if there is one. Not for a double
    /// click, whose other half still asks for the whole cart under this id, and not for a place in
    /// line, which is for the whole cart until its turn.
    fn settle_for_less(&mut self, reply: &Reply, now_us: u64, tally: &mut Tally) -> Next {
        tally.sold_out(&reply.text(1), self.buyer.first, self.buyer.second);
        let settles = self.buyer.first.1 > 1
            && self.buyer.second.is_none()
            && !self.standing.is_in_line()
            && self.buyer.habit != Habit::ClicksTwice;
        match reply.number(0) {
            Some(available) if available > 0 && settles => {
                self.buyer.first.1 -= 1;
                now(now_us, Step::Reserve)
            }
            _ => Next::Leaves,
        }
    }

    fn units(&self) -> u64 {
        self.buyer.first.1 + self.buyer.second.map_or(0, |line| line.1)
    }

    /// A double click can get there too: one half starts again after the deadline while the
    /// other still pays for the first reservation within its grace.
    fn may_meet_user_limit(&self, rules: &Rules) -> bool {
        self.buyer.first.1 > rules.user_limit || self.has_two_ids()
    }

    fn has_two_ids(&self) -> bool {
        matches!(self.buyer.habit, Habit::FillsTwoCarts | Habit::ClicksTwice)
    }
}

fn now(us: u64, step: Step) -> Next {
    Next::At { us, step }
}
