//! Rows 3 to 12 of the model's RESERVE, and what a late checkout is admitted by.

use super::reference::{LARGEST, Model, words};
use super::reservation::{Reservation, units_in_all};
use crate::commands::requests::Ask;

/// A refusal, and the overdue reservations that stand behind it.
pub struct Refusal {
    pub row: &'static str,
    pub answer: String,
    behind: Behind,
}

/// Which reservations, returned, could turn a refusal into a yes.
enum Behind {
    Nothing,
    /// This user's.
    User,
    /// This user's with this SKU.
    UserSku(String),
    /// Anybody's. One of other items may be counted in, which costs a retry.
    All,
}

fn refuse<T>(row: &'static str, answer: String, behind: Behind) -> Result<T, Refusal> {
    Err(Refusal {
        row,
        answer,
        behind,
    })
}

impl Model {
    /// Rows 3 to 12, with overdue reservations out of the way first.
    pub fn admit_after_sweep(
        &mut self,
        now: u64,
        user: &str,
        ask: &Ask,
        replaced: Option<&str>,
    ) -> Result<Vec<(String, u64)>, Refusal> {
        let first = self.admit_without(replaced, now, user, ask);
        match first {
            Err(refusal) if self.overdue_could_lift(now, user, &refusal) => {}
            answer => return answer,
        }
        if self.has_backlog {
            return refuse(
                "RESERVE: ALLRESERVED 1 behind a backlog of entries",
                words!["ALLRESERVED", 1],
                Behind::All,
            );
        }
        self.sweep(now, self.sweep_max);
        match self.admit_without(replaced, now, user, ask) {
            Err(refusal) if self.overdue_could_lift(now, user, &refusal) => refuse(
                "RESERVE: ALLRESERVED 1 while more are overdue",
                words!["ALLRESERVED", 1],
                Behind::All,
            ),
            Err(refusal) => Err(refusal),
            Ok(lines) => self.row("RESERVE: a sweep lifts a refusal", Ok(lines)),
        }
    }

    fn overdue_could_lift(&self, now: u64, user: &str, refusal: &Refusal) -> bool {
        let is_mine = |r: &Reservation| r.user.as_deref() == Some(user);
        let open = (self.reservations.iter()).filter(|r| r.is_open() && is_mine(r));
        // Nobody looks through so many: any of them may be overdue.
        let has_many = open.count() > 1_000;
        self.reservations
            .iter()
            .filter(|r| r.is_overdue(now))
            .any(|r| match &refusal.behind {
                Behind::Nothing => false,
                Behind::User | Behind::UserSku(_) if has_many => true,
                Behind::User => is_mine(r),
                Behind::UserSku(sku) => is_mine(r) && r.units(sku) > 0,
                Behind::All => true,
            })
    }

    /// Decides as if the reservation that is to be replaced were not there.
    fn admit_without(
        &mut self,
        replaced: Option<&str>,
        now: u64,
        user: &str,
        ask: &Ask,
    ) -> Result<Vec<(String, u64)>, Refusal> {
        let next = self
            .next_to_expire()
            .and_then(|at| self.reservations[at].deadline);
        let retry_in = next.unwrap_or(0).saturating_sub(now).max(1);
        let Some(at) = replaced.and_then(|id| self.position(id)) else {
            return self.admit(now, user, ask, retry_in);
        };
        let taken_out = self.reservations.remove(at);
        let answer = self.admit(now, user, ask, retry_in);
        self.reservations.insert(at, taken_out);
        answer
    }

    fn admit(
        &self,
        now: u64,
        user: &str,
        ask: &Ask,
        retry_in: u64,
    ) -> Result<Vec<(String, u64)>, Refusal> {
        let Some(lines) = self.summed(ask) else {
            return refuse(
                "RESERVE 3 NOSKU of several",
                words!["NOSKU", "?"],
                Behind::Nothing,
            );
        };
        if let Some((sku, _)) = lines.iter().find(|(sku, _)| !self.skus.contains(sku)) {
            return refuse("RESERVE 3 NOSKU", words!["NOSKU", sku], Behind::Nothing);
        }
        self.admit_now(now)?;
        self.admit_units(&lines, user)?;
        self.admit_stock(&lines, retry_in)?;
        Ok(lines)
    }

    /// Rows 4 to 6.
    fn admit_now(&self, now: u64) -> Result<(), Refusal> {
        if let Some(ended_at) = self.ended_at(now) {
            return refuse(
                "RESERVE 4 ENDED",
                words!["ENDED", ended_at],
                Behind::Nothing,
            );
        }
        if let Some(start) = self.option("START").filter(|start| *start > now) {
            return refuse(
                "RESERVE 5 NOTSTARTED",
                words!["NOTSTARTED", start - now],
                Behind::Nothing,
            );
        }
        if let Some(since) = self.refuses_since() {
            let row = match self.mark {
                Some(_) => "RESERVE 6 PAUSED by a mark",
                None => "RESERVE 6 PAUSED",
            };
            return refuse(row, words!["PAUSED", since], Behind::Nothing);
        }
        Ok(())
    }

    /// Rows 7 to 9.
    fn admit_units(&self, lines: &[(String, u64)], user: &str) -> Result<(), Refusal> {
        let wanted = units_in_all(lines);
        if let Some(limit) = self
            .option("ORDERLIMIT")
            .filter(|limit| wanted > *limit as u128)
        {
            return refuse(
                "RESERVE 7 ORDERLIMIT",
                words!["ORDERLIMIT", limit],
                Behind::Nothing,
            );
        }
        if let Some(remaining) = self.user_remaining(user)
            && wanted > remaining as u128
        {
            return refuse(
                "RESERVE 8 USERLIMIT",
                words!["USERLIMIT", remaining],
                Behind::User,
            );
        }
        if let Some(limit) = self.option("ITEMLIMIT") {
            for (sku, qty) in lines {
                let remaining = limit.saturating_sub(self.counted_of(user, sku));
                if *qty > remaining {
                    let answer = words!["ITEMLIMIT", remaining, sku];
                    return refuse("RESERVE 9 ITEMLIMIT", answer, Behind::UserSku(sku.clone()));
                }
            }
        }
        Ok(())
    }

    /// Rows 10 to 12.
    fn admit_stock(&self, lines: &[(String, u64)], retry_in: u64) -> Result<(), Refusal> {
        let wanted = units_in_all(lines);
        let limit = self.option("SALELIMIT").map_or(u128::MAX, u128::from);
        let (reserved, sold) = (self.reserved_in_all() as u128, self.sold_in_all() as u128);
        if sold + wanted > limit {
            let remaining = limit.saturating_sub(sold);
            return refuse(
                "RESERVE 10 SALELIMIT",
                words!["SALELIMIT", remaining],
                Behind::Nothing,
            );
        }
        for (sku, qty) in lines {
            let available = self.available(sku);
            if *qty as u128 > available as u128 + self.reserved(sku) as u128 {
                return refuse(
                    "RESERVE 11 SOLDOUT",
                    words!["SOLDOUT", available, sku],
                    Behind::Nothing,
                );
            }
        }
        for (sku, qty) in lines {
            if *qty > self.available(sku) {
                let answer = words!["ALLRESERVED", retry_in, sku];
                return refuse("RESERVE 12 ALLRESERVED of a SKU", answer, Behind::All);
            }
        }
        if reserved + sold + wanted > limit {
            return refuse(
                "RESERVE 12 ALLRESERVED of SALELIMIT",
                words!["ALLRESERVED", retry_in],
                Behind::All,
            );
        }
        Ok(())
    }

    /// Is there room for one more id, be it by forgetting one that can no longer be
    /// checked out? One whose grace is over goes last, as the sweep has not come to it.
    pub fn make_room(&mut self, now: u64) -> bool {
        if self.reservations.len() < self.reservations_max {
            return true;
        }
        if let Some(oldest) = self.next_final() {
            self.reservations.remove(oldest);
            return self.row("max-reservations: the oldest remembered is forgotten", true);
        }
        let Some(oldest) = self.next_to_lapse() else {
            return false;
        };
        if self.is_in_grace(&self.reservations[oldest], now) {
            return self.row("max-reservations: all are within their grace", false);
        }
        self.reservations.remove(oldest);
        self.row("max-reservations: one past its grace is forgotten", true)
    }

    /// For how much longer a late checkout may still succeed.
    pub fn grace_left(&self, known: &Reservation, now: u64) -> u64 {
        if !self.is_in_grace(known, now) {
            return 0;
        }
        (self.lapses_at(known) - now).min(LARGEST)
    }

    /// Within GRACE, and admitted, if need be after overdue reservations have gone back.
    pub fn admits_late_after_sweep(&mut self, now: u64, known: &Reservation) -> bool {
        if !self.is_in_grace(known, now) {
            return false;
        }
        if self.admits_late(known) {
            return true;
        }
        if !self.reservations.iter().any(|r| r.is_overdue(now)) {
            return false;
        }
        self.sweep(now, self.sweep_max);
        let admits = self.admits_late(known);
        self.row(
            if admits {
                "GRACE: a sweep makes way"
            } else {
                "GRACE: a sweep is not enough"
            },
            admits,
        )
    }

    /// Would its units and limits admit it now?
    fn admits_late(&mut self, known: &Reservation) -> bool {
        let user = known.user.as_deref().expect("a user");
        let wanted = units_in_all(&known.lines);
        if known
            .lines
            .iter()
            .any(|(sku, qty)| *qty > self.available(sku))
        {
            return self.row("GRACE: the units are gone", false);
        }
        if self
            .user_remaining(user)
            .is_some_and(|remaining| wanted > remaining as u128)
        {
            return self.row("GRACE: USERLIMIT", false);
        }
        if let Some(limit) = self.option("ITEMLIMIT")
            && (known.lines.iter())
                .any(|(sku, qty)| self.counted_of(user, sku) as u128 + *qty as u128 > limit as u128)
        {
            return self.row("GRACE: ITEMLIMIT", false);
        }
        let gone = self.reserved_in_all() as u128 + self.sold_in_all() as u128;
        if self
            .option("SALELIMIT")
            .is_some_and(|limit| gone + wanted > limit as u128)
        {
            return self.row("GRACE: SALELIMIT", false);
        }
        true
    }
}
