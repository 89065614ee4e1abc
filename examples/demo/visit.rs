//! One buyer's visit: what is asked next, given what was answered last.
//!
//! Edge: no connection here. A visit makes the next request and takes its answer;
//! every answer that no rule of the sale allows is reported as unexpected.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use redis::{Cmd, cmd};

use crate::buyer::{Buyer, GRACE_MS, Habit, USER_LIMIT};
use crate::reply::Reply;
use crate::tally::Tally;
use crate::{ORDERS, SALE};

/// Longest wait between two attempts, beyond what the server asked for.
const PATIENCE_MS: u64 = 1_600;

/// What a buyer is about to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Reserve,
    Checkout,
    Release,
}

/// What a buyer does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sends `step` at this moment.
    At { ms: u64, step: Step },
    /// Has what it came for, or has given up.
    Leaves,
}

/// A buyer on the way through the sale.
pub struct Visit {
    buyer: Buyer,
    /// Counts the reservations that were lost to the deadline: each gets a new id.
    attempt: u32,
    wait_ms: u64,
    expires_at_ms: u64,
    /// The answer that was "lost", to compare with the one to the same request.
    lost: Option<Reply>,
}

impl Visit {
    pub fn new(buyer: Buyer) -> Visit {
        Visit {
            buyer,
            attempt: 0,
            wait_ms: 100,
            expires_at_ms: 0,
            lost: None,
        }
    }

    pub fn arrives_at_ms(&self) -> u64 {
        self.buyer.arrives_at_ms
    }

    /// The reservation's id, made by the buyer: the token that makes retries safe.
    pub fn id(&self) -> String {
        format!(
            "cart-{}-{}{}",
            self.buyer.user, self.buyer.cart, self.attempt
        )
    }

    /// The request of `step`.
    pub fn request(&self, step: Step) -> Cmd {
        let id = self.id();
        match step {
            Step::Reserve => {
                let mut request = cmd("FLASHSALE.RESERVE");
                request
                    .arg(SALE)
                    .arg(user_name(self.buyer.user))
                    .arg(self.buyer.units);
                request.arg("ID").arg(id);
                request
            }
            Step::Checkout => {
                let mut request = cmd("FLASHSALE.CHECKOUT");
                request
                    .arg(SALE)
                    .arg(ORDERS)
                    .arg(&id)
                    .arg("REF")
                    .arg(format!("pay-{id}"));
                request
            }
            Step::Release => {
                let mut request = cmd("FLASHSALE.RELEASE");
                request.arg(SALE).arg(id);
                request
            }
        }
    }

    /// Takes the answer to `step`, which was sent at `sent_ms`.
    pub fn take(
        &mut self,
        step: Step,
        sent_ms: u64,
        reply: Reply,
        random: &mut ChaCha8Rng,
        tally: &mut Tally,
    ) -> Next {
        match (step, reply.word.as_str()) {
            (Step::Reserve, "RESERVED") => self.take_reserved(reply, random, tally),
            (Step::Checkout | Step::Reserve, "SOLD") => self.take_sold(step, sent_ms, reply, tally),
            (Step::Checkout | Step::Reserve, "EXPIRED") => self.start_again(random),
            (Step::Release, "RELEASED") => Next::Leaves,
            (Step::Reserve, "NOTSTARTED" | "ALLRESERVED") => self.wait(&reply, random),
            (Step::Reserve, "SOLDOUT") => self.settle_for_less(&reply, tally),
            (Step::Reserve, "USERLIMIT") if self.may_meet_user_limit() => Next::Leaves,
            (Step::Reserve, "ORDERLIMIT") if self.buyer.habit == Habit::WantsPallet => Next::Leaves,
            _ => {
                tally.unexpected(format!("{step:?} of {}: {}", self.id(), reply.line()));
                Next::Leaves
            }
        }
    }

    fn take_reserved(&mut self, reply: Reply, random: &mut ChaCha8Rng, tally: &mut Tally) -> Next {
        let now_ms = now_ms();
        self.expires_at_ms = reply.number(1).unwrap_or(0) as u64;
        if self.buyer.habit == Habit::Resends {
            if let Some(first) = self.lost.take() {
                tally.compare_replay(&first, &reply, 2);
            } else {
                self.lost = Some(reply);
                return Next::At {
                    ms: now_ms,
                    step: Step::Reserve,
                };
            }
        }
        let think_ms = random.random_range(5..120);
        match self.buyer.habit {
            Habit::Abandons => Next::Leaves,
            Habit::ChangesMind => Next::At {
                ms: now_ms + think_ms,
                step: Step::Release,
            },
            Habit::PaysInGrace => {
                let late_ms = random.random_range(1..GRACE_MS * 2 / 3);
                Next::At {
                    ms: self.expires_at_ms + late_ms,
                    step: Step::Checkout,
                }
            }
            Habit::PaysTooLate => {
                let late_ms = GRACE_MS + random.random_range(1..GRACE_MS);
                Next::At {
                    ms: self.expires_at_ms + late_ms,
                    step: Step::Checkout,
                }
            }
            _ => Next::At {
                ms: now_ms + think_ms,
                step: Step::Checkout,
            },
        }
    }

    fn take_sold(&mut self, step: Step, sent_ms: u64, reply: Reply, tally: &mut Tally) -> Next {
        if let Some(first) = self.lost.take() {
            tally.compare_replay(&first, &reply, 2);
        } else if self.buyer.habit == Habit::Resends && step == Step::Checkout {
            self.lost = Some(reply);
            return Next::At {
                ms: now_ms(),
                step: Step::Checkout,
            };
        }
        let in_grace = step == Step::Checkout && sent_ms >= self.expires_at_ms;
        tally.sold(reply.text(0), reply.text(1), self.buyer.units, in_grace);
        Next::Leaves
    }

    /// The deadline won: a new reservation, under a new id, by a wiser buyer.
    fn start_again(&mut self, random: &mut ChaCha8Rng) -> Next {
        self.attempt += 1;
        self.lost = None;
        if matches!(self.buyer.habit, Habit::PaysInGrace | Habit::PaysTooLate) {
            self.buyer.habit = Habit::Plain;
        }
        Next::At {
            ms: now_ms() + random.random_range(1..50),
            step: Step::Reserve,
        }
    }

    /// Waits as long as the server said, and some more, so that not all come at once.
    fn wait(&mut self, reply: &Reply, random: &mut ChaCha8Rng) -> Next {
        let asked_ms = reply.number(0).unwrap_or(1).max(1) as u64;
        let jitter_ms = random.random_range(0..=self.wait_ms);
        self.wait_ms = (self.wait_ms * 2).min(PATIENCE_MS);
        Next::At {
            ms: now_ms() + asked_ms + jitter_ms,
            step: Step::Reserve,
        }
    }

    /// Too few are left for this cart: one fewer will do, if there is one. Not for a
    /// double click, whose other half still asks for the whole cart under this id.
    fn settle_for_less(&mut self, reply: &Reply, tally: &mut Tally) -> Next {
        tally.sold_out(self.buyer.units);
        let settles = self.buyer.units > 1 && self.buyer.habit != Habit::ClicksTwice;
        match reply.number(0) {
            Some(available) if available > 0 && settles => {
                self.buyer.units -= 1;
                Next::At {
                    ms: now_ms(),
                    step: Step::Reserve,
                }
            }
            _ => Next::Leaves,
        }
    }

    fn may_meet_user_limit(&self) -> bool {
        // A double click can get there too: one half starts again after the deadline
        // while the other still pays for the first reservation within its grace.
        let two_at_once = [Habit::FillsTwoCarts, Habit::ClicksTwice];
        self.buyer.units > USER_LIMIT || two_at_once.contains(&self.buyer.habit)
    }
}

/// The name under which a buyer is known to the sale.
pub fn user_name(user: u32) -> String {
    format!("user-{user}")
}

/// This machine's clock, in Unix milliseconds; the server runs on the same one.
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as u64
}
