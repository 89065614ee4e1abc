//! What an event makes of the model, and whether the contract lets it happen.
//!
//! Edge: an event says what happened. What is a function of it is worked out here anew; what was
//! a choice (who gets units, which line ends) is held against the contract.

use super::decide::merged;
use super::model::{Line, Model, Person, Reservation, State, drawn};
use crate::commands::play::Fault;
use crate::commands::requests::name;
use flashsale_engine::sale::{Change, Event, Forgets, Granted, Key, LastDraw, Lines, NameBuffer};

/// What becomes of whoever has the turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Granted,
    PassedOver,
    Waits,
}

/// Is somebody present, as the engine keeps it?
pub type IsPresent<'a> = &'a dyn Fn(&str) -> bool;

pub fn text(key: Key<'_>) -> String {
    let mut buffer = NameBuffer::default();
    name(key.spelling().bytes(&mut buffer))
}

fn cart(lines: &Lines) -> Vec<(usize, u64)> {
    lines
        .iter()
        .map(|line| (line.item as usize, line.qty))
        .collect()
}

fn made(id: String, user: String, lines: Vec<(usize, u64)>, state: State) -> Reservation {
    Reservation {
        id,
        user,
        lines,
        state,
        made_at: 0,
        expires_at: 0,
        ended_at: 0,
        is_refunded: false,
        is_restored: false,
        queued: 0,
    }
}

impl Model {
    /// Carries an event out.
    pub fn follow(&mut self, event: &Event<'_>, is_present: IsPresent<'_>) -> Result<(), Fault> {
        let at = event.at_ms;
        if !matches!(event.change, Change::Marked { .. }) {
            self.last_change = at;
        }
        match &event.change {
            Change::Joined {
                id,
                user,
                item,
                qty,
            } => self.join(at, text(*id), text(*user), *item as usize, *qty),
            Change::Left { id, remembers } => self.left(at, &text(*id), *remembers),
            Change::Drawn { seed } => self.draw(at, *seed)?,
            Change::Granted(granted) => self.grant(at, granted, is_present)?,
            Change::Dissolved { items } => {
                for &item in items {
                    if self.over(at, item as usize, 1).is_none() {
                        return Err(format!("the line of {item} ends, though units may come"));
                    }
                    let line = self.lines.remove(&(item as usize));
                    line.ok_or("a line ends that is not there")?;
                }
            }
            _ => self.follow_reservation(event)?,
        }
        Ok(())
    }

    fn follow_reservation(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        let at = event.at_ms;
        match &event.change {
            Change::Reserved {
                id,
                user,
                lines,
                expires_at_ms,
                forgets,
                replaces,
                ..
            } => {
                self.forget_for(*forgets);
                let mut res = made(text(*id), text(*user), cart(lines), State::Open);
                (res.made_at, res.expires_at) = (at, *expires_at_ms);
                if let Some(old) = replaces.map(text) {
                    res.made_at = self.find_mut(&old).made_at;
                    self.set_state(&old, State::Released, at);
                } else {
                    self.begin(at);
                }
                self.add(res);
            }
            Change::Bought {
                id,
                user,
                lines,
                forgets,
                ..
            } => {
                self.forget_for(*forgets);
                self.begin(at);
                self.add(made(text(*id), text(*user), cart(lines), State::Sold));
            }
            Change::ReleasedUnseen { id, user, forgets } => {
                self.forget_for(*forgets);
                let user = user.map(text).unwrap_or_default();
                let mut res = made(text(*id), user, Vec::new(), State::Released);
                res.ended_at = at;
                self.add(res);
            }
            Change::Sold { id, .. } => self.set_state(&text(*id), State::Sold, at),
            Change::Released { id } => self.set_state(&text(*id), State::Released, at),
            Change::Expired { id } => self.expire(&text(*id)),
            Change::Lapsed { id } => self.set_state(&text(*id), State::Expired, at),
            Change::Extended { id, expires_at_ms } => {
                self.set_state(&text(*id), State::Open, at);
                self.find_mut(&text(*id)).expires_at = *expires_at_ms;
            }
            Change::Swept {
                expired,
                lapsed,
                forgotten,
            } => return self.sweep(at, *expired, *lapsed, *forgotten),
            _ => self.follow_sale(event),
        }
        Ok(())
    }

    fn follow_sale(&mut self, event: &Event<'_>) {
        match &event.change {
            Change::Refunded(refund) => {
                for line in &refund.lines {
                    if !refund.restocks {
                        self.total[line.item as usize] -= line.qty;
                    }
                }
                let res = self.find_mut(&text(refund.id));
                (res.is_refunded, res.is_restored) = (true, refund.restores_limit);
            }
            Change::Restocked { deltas, .. } => {
                for delta in deltas {
                    let item = usize::from(delta.sku[0] - b'a');
                    let total = self.total[item].checked_add_signed(delta.delta);
                    self.total[item] = total.expect("a total");
                }
            }
            Change::Paused => self.paused_at = Some(event.at_ms),
            Change::Resumed { .. } => (self.paused_at, self.marked_at) = (None, None),
            Change::Closed => self.closed_at = Some(event.at_ms),
            Change::Marked { .. } => self.marked_at = self.marked_at.or(Some(self.last_change)),
            Change::Altered(_) => {}
            other => unreachable!("{other:?}"),
        }
    }

    fn forget_for(&mut self, forgets: Forgets) {
        if forgets != Forgets::Nothing {
            self.make_room();
        }
    }

    fn sweep(&mut self, at: u64, expired: u32, lapsed: u32, forgotten: u32) -> Result<(), Fault> {
        for _ in 0..expired {
            let due = self
                .reservations
                .iter()
                .filter(|res| Model::is_overdue(res, at));
            let first = due.min_by_key(|res| (res.expires_at, res.queued));
            let id = first.ok_or("nothing is overdue")?.id.clone();
            self.expire(&id);
        }
        for _ in 0..lapsed {
            let late = self
                .reservations
                .iter()
                .filter(|res| res.state == State::Late);
            let first = late.min_by_key(|res| (res.expires_at, res.queued));
            let id = first.ok_or("nothing is late")?.id.clone();
            self.set_state(&id, State::Expired, at);
        }
        for _ in 0..forgotten {
            // Also one that this sweep returned, if its deadline was the first: REMEMBER is no
            // shorter than GRACE, so that its grace is over as well.
            self.forget(|res| !matches!(res.state, State::Open | State::Sold));
        }
        Ok(())
    }

    fn join(&mut self, at: u64, id: String, user: String, item: usize, qty: u64) {
        let is_drawn = self.has_started(at);
        let line = self.lines.entry(item).or_insert_with(|| Line {
            order: is_drawn.then(Vec::new),
            ..Line::default()
        });
        line.people.push(Some(Person {
            id,
            user,
            qty,
            heard: self.clock,
            told: None,
        }));
    }

    fn left(&mut self, at: u64, id: &str, remembers: Option<Forgets>) {
        let (item, number) = self.place(id).expect("a place");
        let person = self.leave(item, number);
        self.pass_holes(item);
        if let Some(forgets) = remembers {
            self.forget_for(forgets);
            let cart = vec![(item, person.qty)];
            let mut res = made(person.id, person.user, cart, State::Released);
            (res.ended_at, res.expires_at) = (at, at);
            self.add(res);
        }
    }

    fn draw(&mut self, at: u64, seed: [u8; 16]) -> Result<(), Fault> {
        if !self.has_started(at) {
            return Err("a draw before START".into());
        }
        let mut counts = Vec::new();
        for (&item, line) in &mut self.lines {
            if line.order.is_none() {
                let n = line.people.len();
                line.order = Some(drawn(seed, item, n));
                counts.push((item as u32, n as u64));
            }
        }
        if counts.is_empty() {
            return Err("a draw of nobody".into());
        }
        self.draw = Some(LastDraw {
            at_ms: at,
            seed,
            drawn: counts,
        });
        Ok(())
    }

    /// What whoever has the turn gets.
    pub fn fate(&self, now: u64, item: usize, person: &Person, is_present: IsPresent<'_>) -> Fate {
        if self.over(now, item, person.qty).is_some() {
            return Fate::PassedOver;
        }
        if !self.has_units(item, person.qty) || self.pace_wait(now) > 0 {
            return Fate::Waits;
        }
        let is_absent = self.options.get("PATIENCE") > 0 && !is_present(&person.id);
        if is_absent {
            return Fate::PassedOver;
        }
        let cart = merged(&[(item, person.qty)]);
        if let Some(said) = self.limited(&person.user, &cart) {
            let is_early = self.could_lift(now, &said, &person.user);
            return if is_early {
                Fate::Waits
            } else {
                Fate::PassedOver
            };
        }
        let ended = |res: &Reservation| matches!(res.state, State::Expired | State::Released);
        let known = &self.reservations;
        if known.len() >= self.reservations_max && !known.iter().any(ended) {
            return Fate::Waits;
        }
        Fate::Granted
    }

    fn grant(
        &mut self,
        at: u64,
        granted: &Granted,
        is_present: IsPresent<'_>,
    ) -> Result<(), Fault> {
        let item = granted.item as usize;
        let fates = granted.runs.iter().enumerate().flat_map(|(run, &len)| {
            let fate = [Fate::Granted, Fate::PassedOver][run % 2];
            (0..len).map(move |_| fate)
        });
        let mut fates = fates.collect::<Vec<_>>().into_iter();
        if !self.may_grant(at) {
            return Err("nobody may be granted anything".into());
        }
        for _ in 0..granted.places {
            // Nobody is behind the last one.
            let Some(line) = self.lines.get_mut(&item) else {
                break;
            };
            let number = line.number_at(line.head);
            line.head += 1;
            let Some(person) = line.people[number].clone() else {
                continue;
            };
            let fate = self.fate(at, item, &person, is_present);
            let given = fates.next().ok_or("too few people in the event")?;
            if fate != given {
                return Err(format!(
                    "{} is {given:?}, and should be {fate:?}",
                    person.id
                ));
            }
            self.leave(item, number);
            match fate {
                Fate::Granted => {
                    if self.reservations.len() >= self.reservations_max {
                        self.make_room();
                    }
                    let mut res = made(
                        person.id,
                        person.user,
                        vec![(item, person.qty)],
                        State::Open,
                    );
                    (res.made_at, res.expires_at) = (at, at + self.options.get("HOLD"));
                    if res.expires_at != granted.expires_at_ms {
                        return Err("another HOLD".into());
                    }
                    self.add(res);
                    self.begin(at);
                    self.granted += 1;
                    self.row("granted");
                }
                _ => {
                    self.passed += 1;
                    self.row("passed over");
                }
            }
        }
        self.pass_holes(item);
        fates
            .next()
            .map_or(Ok(()), |_| Err("too many people in the event".into()))
    }

    /// What is left to do after a go that had steps left.
    pub fn left_undone(&self, now: u64, is_present: IsPresent<'_>) -> Option<String> {
        for (&item, line) in &self.lines {
            if let Some(said) = self.over(now, item, 1) {
                return Some(format!("the line of {item} is to end: {said:?}"));
            }
            if line.order.is_none() && self.has_started(now) {
                return Some(format!("the line of {item} is not drawn"));
            }
            let Some(front) = line.front().filter(|_| self.may_grant(now)) else {
                continue;
            };
            let fate = self.fate(now, item, front, is_present);
            if fate != Fate::Waits {
                return Some(format!("{} is to be {fate:?}", front.id));
            }
        }
        None
    }

    /// Must somebody be present, or absent, for all the contract says?
    pub fn presence(&self, person: &Person, patiences: &[(u64, u64)]) -> Option<bool> {
        let silent = self.clock - person.heard;
        let at = patiences.partition_point(|&(clock, _)| clock <= person.heard);
        let since = &patiences[at.saturating_sub(1)..];
        let of = since.iter().map(|&(_, patience)| patience);
        let shortest = of.clone().min().unwrap_or(0);
        if silent <= shortest.saturating_sub(1_000) {
            return Some(true);
        }
        if of.clone().any(|patience| patience == 0) {
            return None;
        }
        // Each change of PATIENCE begins the period anew, and loses a step of the clock.
        let begun = since.len() as u64;
        let longest = (1 + begun) * of.max().unwrap_or(0) + 1_000 * begun;
        (silent > longest).then_some(false)
    }
}
