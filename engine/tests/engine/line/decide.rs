//! What the contract answers: the rows of RESERVE's table, and what is said of a waiting id.
//!
//! Edge: changes nothing but the count of rows that were reached.

use super::model::{Model, Reservation, State};
use super::said::{Ask, Pass, Said};

/// What a row does.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    Says(Said),
    Reserves,
    Joins,
}

use Decided::Says;

/// The old reservation of REPLACE.
struct Old {
    user: String,
    lines: Vec<(usize, u64)>,
}

impl Old {
    fn of(&self, item: usize) -> u64 {
        let lines = self.lines.iter().filter(|line| line.0 == item);
        lines.map(|line| line.1).sum()
    }

    fn units(&self) -> u64 {
        self.lines.iter().map(|line| line.1).sum()
    }
}

/// Each item once, in the order first asked.
pub fn merged(lines: &[(usize, u64)]) -> Vec<(usize, u64)> {
    let mut merged: Vec<(usize, u64)> = Vec::new();
    for &(item, qty) in lines {
        match merged.iter_mut().find(|line| line.0 == item) {
            Some(line) => line.1 += qty,
            None => merged.push((item, qty)),
        }
    }
    merged
}

fn is_same_cart(one: &[(usize, u64)], other: &[(usize, u64)]) -> bool {
    let [mut one, mut other] = [merged(one), merged(other)];
    one.sort_unstable();
    other.sort_unstable();
    one == other
}

impl Model {
    /// The name of a row with WAIT, or without.
    fn note(&mut self, ask: &Ask, without: &'static str, with: &'static str) {
        self.row(if ask.waits { with } else { without });
    }

    /// RESERVE, row by row; also BUY, of an id that is not known.
    pub fn decide(&mut self, now: u64, ask: &Ask) -> Decided {
        if let Some(said) = self.replay(now, ask) {
            self.note(ask, "2", "2 wait");
            return Says(said);
        }
        let old = match self.replaced(now, ask) {
            Ok(old) => old,
            Err(said) => {
                self.row("2 replace");
                return Says(said);
            }
        };
        let lines = merged(&ask.lines);
        if lines.iter().any(|line| line.0 >= self.total.len()) {
            self.note(ask, "3", "3 wait");
            return Says(Said::NoSku);
        }
        let mut joins = false;
        if let Some(ended_at) = self.ended_at(now) {
            self.note(ask, "4", "4 wait");
            return Says(Said::Ended(ended_at));
        }
        if !self.has_started(now) {
            self.note(ask, "5", "5 wait");
            if !ask.waits {
                return Says(Said::NotStarted(self.options.get("START") - now));
            }
            joins = true;
        }
        if let Some(since) = self.refuses_since() {
            let is_copy = self.marked_at.is_some();
            self.note(ask, "6", if is_copy { "6 copy wait" } else { "6 wait" });
            if !ask.waits || is_copy {
                return Says(Said::Paused(since));
            }
            joins = true;
        }
        if let Some(said) = self.refused_for_good(now, ask, &lines, old.as_ref()) {
            return Says(said);
        }
        if let Some(said) = self.not_now(now, &lines, old.as_ref()) {
            let is_pace = matches!(said, Said::Throttled(_));
            if is_pace {
                self.note(ask, "14", "14 wait");
            } else {
                self.note(ask, "13", "13 wait");
            }
            // Units of overdue reservations may be free at once: joining would be too early.
            if !ask.waits || (!is_pace && self.has_overdue(now)) {
                return Says(said);
            }
            joins = true;
        }
        let is_known = |secret: &usize| self.passkeys.contains(secret);
        let has_pass = match &ask.pass {
            Pass::Made(secret, end) => is_known(secret) && now < *end,
            _ => false,
        };
        if !self.passkeys.is_empty() && old.is_none() && !has_pass {
            self.note(ask, "15", "15 wait");
            return Says(Said::NoPass);
        }
        self.end(now, ask, joins)
    }

    /// Rows 16 to 18.
    fn end(&mut self, now: u64, ask: &Ask, joins: bool) -> Decided {
        if joins {
            if let Some((item, number)) = self.place_by(|person| person.user == ask.user) {
                self.row("16 wait");
                return Says(Said::Placed(self.person(item, number).id.clone()));
            }
            let most = self.options.get("WAITING");
            if self.waiting() >= most {
                self.row("17 wait");
                return Says(Said::LineFull(most));
            }
            self.row("joined");
            return Decided::Joins;
        }
        if !self.has_room(now) {
            self.note(ask, "18", "18 wait");
            return Says(Said::Full);
        }
        self.note(ask, "made", "made wait");
        Decided::Reserves
    }

    pub fn has_room(&self, now: u64) -> bool {
        let may_go = |res: &Reservation| match res.state {
            State::Expired | State::Released => true,
            State::Late => !self.is_in_grace(res, now),
            _ => false,
        };
        // Whoever is late has been expired for less long than those who ended.
        let ended = |res: &Reservation| matches!(res.state, State::Expired | State::Released);
        let known = &self.reservations;
        known.len() < self.reservations_max
            || known.iter().any(ended)
            || known
                .iter()
                .filter(|res| res.state == State::Late)
                .min_by_key(|res| (res.expires_at, res.queued))
                .is_some_and(may_go)
    }

    fn replay(&self, now: u64, ask: &Ask) -> Option<Said> {
        if let Some(res) = self.find(&ask.id) {
            // An id that was released before it was seen has no cart to compare.
            let is_same = (res.user.is_empty() || res.user == ask.user)
                && (res.lines.is_empty() || is_same_cart(&res.lines, &ask.lines));
            return Some(if is_same {
                self.state_of(res, now)
            } else {
                Said::Mismatch
            });
        }
        let (item, number) = self.place(&ask.id)?;
        let person = self.lines[&item].people[number].as_ref()?;
        if person.user != ask.user || !is_same_cart(&[(item, person.qty)], &ask.lines) {
            return Some(Said::Mismatch);
        }
        let over = self.over(now, item, person.qty);
        Some(over.unwrap_or(Said::Waiting))
    }

    pub fn state_of(&self, res: &Reservation, now: u64) -> Said {
        match res.state {
            State::Open if res.expires_at <= now => Said::Expired,
            State::Open => Said::Reserved(res.expires_at),
            State::Late | State::Expired => Said::Expired,
            State::Released => Said::Released,
            State::Sold if res.is_refunded => Said::Refunded,
            State::Sold => Said::Sold,
        }
    }

    fn replaced(&self, now: u64, ask: &Ask) -> Result<Option<Old>, Said> {
        let Some(old) = &ask.replaces else {
            return Ok(None);
        };
        if self.place(old).is_some() {
            return Err(Said::StillWaiting);
        }
        let res = self.find(old).ok_or(Said::NoReservation)?;
        match self.state_of(res, now) {
            Said::Reserved(_) => Ok(Some(Old {
                user: res.user.clone(),
                lines: res.lines.clone(),
            })),
            other => Err(other),
        }
    }

    /// Rows 4, 11 and 12.
    pub fn over(&self, now: u64, item: usize, qty: u64) -> Option<Said> {
        if let Some(at) = self.ended_at(now) {
            return Some(Said::Ended(at));
        }
        let remaining = self.unsold();
        if qty > remaining {
            return Some(Said::SaleLimit(remaining));
        }
        let could_come = self.available(item) + self.reserved(item);
        (could_come < qty).then(|| Said::SoldOut(self.available(item), item))
    }

    /// Units under SALELIMIT that are not sold.
    pub fn unsold(&self) -> u64 {
        self.options
            .limit("SALELIMIT")
            .saturating_sub(self.sold_in_all())
    }

    /// Rows 8 to 10.
    pub fn limited(&self, user: &str, lines: &[(usize, u64)]) -> Option<Said> {
        self.limited_beside(user, lines, None)
    }

    fn limited_beside(
        &self,
        user: &str,
        lines: &[(usize, u64)],
        old: Option<&Old>,
    ) -> Option<Said> {
        let units: u64 = lines.iter().map(|line| line.1).sum();
        let order_limit = self.options.limit("ORDERLIMIT");
        if units > order_limit {
            return Some(Said::OrderLimit(order_limit));
        }
        let own = old.filter(|old| old.user == user);
        let counted = self.counted(user, None) - own.map_or(0, Old::units);
        let remaining = self.options.limit("USERLIMIT").saturating_sub(counted);
        if units > remaining {
            return Some(Said::UserLimit(remaining));
        }
        for &(item, qty) in lines {
            let counted = self.counted(user, Some(item)) - own.map_or(0, |old| old.of(item));
            let remaining = self.options.limit("ITEMLIMIT").saturating_sub(counted);
            if qty > remaining {
                return Some(Said::ItemLimit(remaining, item));
            }
        }
        None
    }

    /// Rows 8 to 12.
    fn refused_for_good(
        &mut self,
        _now: u64,
        ask: &Ask,
        lines: &[(usize, u64)],
        old: Option<&Old>,
    ) -> Option<Said> {
        if let Some(said) = self.limited_beside(&ask.user, lines, old) {
            match said {
                Said::OrderLimit(_) => self.note(ask, "8", "8 wait"),
                Said::UserLimit(_) => self.note(ask, "9", "9 wait"),
                _ => self.note(ask, "10", "10 wait"),
            }
            return Some(said);
        }
        let units: u64 = lines.iter().map(|line| line.1).sum();
        if units > self.unsold() {
            self.note(ask, "11", "11 wait");
            return Some(Said::SaleLimit(self.unsold()));
        }
        for &(item, qty) in lines {
            if self.available(item) + self.reserved(item) < qty {
                self.note(ask, "12", "12 wait");
                let available = self.available(item) + old.map_or(0, |old| old.of(item));
                return Some(Said::SoldOut(available, item));
            }
        }
        None
    }

    /// Rows 13 and 14.
    fn not_now(&self, now: u64, lines: &[(usize, u64)], old: Option<&Old>) -> Option<Said> {
        if let Some(item) = self.in_the_way(lines, old) {
            return Some(Said::AllReserved(self.retry(now), item));
        }
        if self.pace.is_some() && old.is_none() {
            let wait = self.pace_wait(now);
            if wait > 0 || self.is_grant_due(now, false) {
                return Some(Said::Throttled(wait.max(1)));
            }
        }
        None
    }

    /// Row 13: what only open reservations or lines stand in the way of; of SALELIMIT, none.
    fn in_the_way(&self, lines: &[(usize, u64)], old: Option<&Old>) -> Option<Option<usize>> {
        let units: u64 = lines.iter().map(|line| line.1).sum();
        for &(item, qty) in lines {
            let freed = old.map_or(0, |old| old.of(item));
            let is_short = self.available(item) + freed < qty;
            if is_short || (self.lines.contains_key(&item) && qty > freed) {
                return Some(Some(item));
            }
        }
        let freed = old.map_or(0, Old::units);
        let taken = self.sold_in_all() + self.reserved_in_all() - freed;
        let limit = self.options.limit("SALELIMIT");
        let mut spoken_for = 0;
        if old.is_none() || units > freed {
            let of_lines = self.lines.iter();
            let of_lines = of_lines.map(|(&item, line)| line.units().min(self.available(item)));
            spoken_for = of_lines.sum();
        }
        (taken + units + spoken_for > limit).then_some(None)
    }

    /// When somebody who meets row 13 is to ask again.
    fn retry(&self, now: u64) -> u64 {
        if self.is_grant_due(now, self.pace_wait(now) > 0) {
            return 1 + self.waiting() / 1_000;
        }
        let open = self.reservations.iter();
        let open = open.filter(|res| res.state == State::Open);
        let deadline = open.map(|res| res.expires_at.saturating_sub(now)).min();
        let pace = Some(self.pace_wait(now)).filter(|&wait| wait > 0);
        deadline.into_iter().chain(pace).min().unwrap_or(1).max(1)
    }

    /// May anybody get units now?
    pub fn may_grant(&self, now: u64) -> bool {
        self.has_started(now) && self.refuses_since().is_none() && self.ended_at(now).is_none()
    }

    /// Is there something to do at the head of a line, but for PACE?
    pub fn is_due(&self, now: u64, item: usize) -> bool {
        let Some(front) = self.lines[&item].front() else {
            return false;
        };
        self.may_grant(now)
            && self.available(item) > 0
            && (self.over(now, item, front.qty).is_some() || self.has_units(item, front.qty))
    }

    /// Is one due that can be made now, or somebody to be passed over?
    fn is_grant_due(&self, now: u64, is_too_soon: bool) -> bool {
        let is_over = |item| {
            let front = self.lines[&item].front().expect("a front");
            self.over(now, item, front.qty).is_some()
        };
        // Those whose grace may be over are left to the sweep.
        let has_ended = |res: &Reservation| matches!(res.state, State::Expired | State::Released);
        let is_full = self.reservations.len() >= self.reservations_max
            && !self.reservations.iter().any(has_ended);
        let mut due = (self.lines.keys()).filter(|&&item| self.is_due(now, item));
        due.any(|&item| is_over(item) || !(is_too_soon || is_full))
    }

    /// Are so many units there, and under SALELIMIT? What other lines wait for does not count.
    pub fn has_units(&self, item: usize, qty: u64) -> bool {
        let taken = self.sold_in_all() + self.reserved_in_all();
        let room = self.options.limit("SALELIMIT").saturating_sub(taken);
        qty <= self.available(item).min(room)
    }

    /// May a checkout within its grace have the units again?
    pub fn grants_grace(&self, res: &Reservation, now: u64) -> bool {
        self.is_in_grace(res, now)
            && !matches!(
                self.limited(&res.user, &res.lines),
                Some(Said::UserLimit(_) | Said::ItemLimit(..))
            )
            && res.lines.iter().map(|line| line.1).sum::<u64>() <= self.unsold()
            && self.in_the_way(&res.lines, None).is_none()
    }

    /// Could units of overdue reservations lift this refusal?
    pub fn could_lift(&self, now: u64, said: &Said, user: &str) -> bool {
        let mut overdue = self.reservations.iter();
        match *said {
            Said::AllReserved(..) => self.has_overdue(now),
            Said::UserLimit(_) => {
                overdue.any(|res| Model::is_overdue(res, now) && res.user == user)
            }
            Said::ItemLimit(_, item) => overdue.any(|res| {
                let has_item = res.lines.iter().any(|line| line.0 == item);
                Model::is_overdue(res, now) && res.user == user && has_item
            }),
            _ => false,
        }
    }
}
