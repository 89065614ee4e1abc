//! The engine beside the model: a primary, a copy that follows its events, and what the
//! module does around a command.

use super::model::{Model, State};
use super::said::{Ask, Op, Said};
use super::words::{Parts, of, owned, said_of};
use crate::commands::copies::{elements, loaded, saved};
use crate::commands::play::Fault;
use flashsale_engine::sale::*;
use flashsale_fuzz::samples::unentered;

pub const COPY: Hasher = Hasher::new([3, 9]);
pub const SKUS: [&[u8]; 3] = [b"a", b"b", b"c"];
/// What passes are made with.
pub const SECRETS: [&[u8]; 2] = [b"one secret of many bytes", &[0xff; 128]];

pub struct World {
    pub sale: Sale,
    pub presence: Presence,
    pub attempts: Attempts,
    pub copy: Sale,
    pub model: Model,
    pub bounds: Bounds,
    pub sweep_max: u32,
    /// Where the next go begins.
    from: ItemIndex,
    seeds: u64,
    /// PATIENCE, by the clock from which it was in force.
    pub patiences: Vec<(u64, u64)>,
    /// A copy that fell behind.
    behind: Option<Behind>,
}

/// A copy that heard nothing since, and what was expected then.
struct Behind {
    saved: Vec<Vec<u8>>,
    model: Model,
    patiences: Vec<(u64, u64)>,
}

/// A plan whose order has its entry.
fn planned<'a>(plan: OrderPlan<'a>) -> Plan<'a> {
    plan.map(unentered)
}

impl World {
    pub fn new(sale: Sale, copy: Sale, model: Model, bounds: Bounds, sweep_max: u32) -> World {
        let patience = model.options.get("PATIENCE");
        World {
            presence: Presence::everybody(sale.place_pages()),
            attempts: Attempts::default(),
            sale,
            copy,
            model,
            bounds,
            sweep_max,
            from: 0,
            seeds: 0,
            patiences: vec![(0, patience)],
            behind: None,
        }
    }

    /// Carries an event out everywhere, each copy from its bytes.
    fn commit(&mut self, event: &Event<'_>) -> Result<Applied, Fault> {
        let mut bytes = Vec::new();
        encode_event(event, &mut bytes);
        let of_copy = decode_event(&bytes, COPY).map_err(|error| format!("{error}: {event:?}"))?;
        let mut again = Vec::new();
        encode_event(&of_copy, &mut again);
        if again != bytes {
            return Err(format!("two spellings of {event:?}"));
        }
        for (which, sale) in [("primary", &self.sale), ("copy", &self.copy)] {
            let checked = match which {
                "copy" => sale.check(&of_copy),
                _ => sale.check(event),
            };
            checked.map_err(|why| format!("{which}: {why}: {event:?}"))?;
        }
        self.judge(event)?;
        self.copy.apply(&of_copy);
        let applied = self.sale.apply(event);
        let moves = self.sale.take_moves();
        if let Some(place) = moves.joined {
            self.presence.hear(place);
        }
        if let Some((from, to)) = moves.moved {
            self.presence.note_moved(from, to);
        }
        Ok(applied)
    }

    /// Has the model follow, and looks at whom it took for present.
    fn judge(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        let (sale, presence) = (&self.sale, &self.presence);
        let model = &self.model;
        for person in model.lines.values().flat_map(|line| line.living()) {
            let place = sale.find_place(sale.key(&of(&person.id)));
            let is_present = place.is_some_and(|place| presence.is_present(place));
            let must = model.presence(person, &self.patiences);
            if must.is_some_and(|must| must != is_present) {
                let silent = model.clock - person.heard;
                return Err(format!(
                    "{}: silent for {silent}, present: {is_present}",
                    person.id
                ));
            }
        }
        let is_present = |id: &str| {
            let place = sale.find_place(sale.key(&of(id)));
            place.is_some_and(|place| presence.is_present(place))
        };
        self.model.follow(event, &is_present)
    }

    fn time(&self, clock: u64) -> u64 {
        self.sale.time(clock).now_ms
    }

    /// One request, as the module plays it; the engine's answer, and the model's.
    pub fn step(&mut self, clock: u64, op: &Op) -> Result<(Said, Said), Fault> {
        let now = self.time(clock);
        if let Some(id) = op.id() {
            self.expire(now, id)?;
        }
        match op {
            Op::Reserve(ask) | Op::Buy(ask) => {
                if let Some(old) = &ask.replaces {
                    self.expire(now, old)?;
                }
                self.begin(now)?;
                if let Some(said) = self.throttle(now, ask)? {
                    return Ok(said);
                }
                if let Op::Buy(_) = op {
                    self.buy(now, ask)
                } else {
                    self.reserve(now, ask)
                }
            }
            Op::Go(budget) => {
                self.go(now, *budget)?;
                Ok((Said::Went, Said::Went))
            }
            Op::Checkout(id) => self.checkout(now, id),
            Op::Release(id, user) => self.release(now, id, user.as_deref()),
            Op::Extend(id, ms) => self.extend(now, id, *ms),
            other => self.owner(now, other),
        }
    }

    fn expire(&mut self, now: u64, id: &str) -> Result<(), Fault> {
        let id = of(id);
        while let Some(event) = self.sale.plan_expire(now, self.sale.key(&id)) {
            let event = owned(&event);
            let event = decode_event(&event, self.sale.hasher()).expect("an event");
            self.commit(&event)?;
        }
        Ok(())
    }

    /// What lines have to do before units are asked for.
    fn begin(&mut self, now: u64) -> Result<(), Fault> {
        self.presence.tick(now, self.model.options.get("PATIENCE"));
        self.model.tick(now);
        self.draw(now)
    }

    fn draw(&mut self, now: u64) -> Result<(), Fault> {
        self.seeds += 1;
        let seed = u128::from(self.seeds).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_0C5B);
        if let Some(event) = self.sale.plan_draw(now, || seed.to_le_bytes()) {
            self.commit(&event)?;
        }
        Ok(())
    }

    /// What the timer does: the draw, the sweep, lines that end, and grants.
    fn go(&mut self, now: u64, mut budget: u32) -> Result<(), Fault> {
        self.draw(now)?;
        if let Some(event) = self.sale.plan_sweep_within(now, &mut budget) {
            self.commit(&event)?;
        }
        if let Some(event) = self.sale.plan_dissolve(now, &mut budget) {
            self.commit(&event)?;
        }
        loop {
            let (sale, presence) = (&self.sale, &self.presence);
            let (bounds, from) = (self.bounds, &mut self.from);
            let is_present = |place| presence.is_present(place);
            match sale.plan_grant(now, from, &mut budget, &bounds, &is_present) {
                Some(event) => self.commit(&event)?,
                None => break,
            };
        }
        if budget == 0 {
            return Ok(());
        }
        let (sale, presence) = (&self.sale, &self.presence);
        let is_present = |id: &str| {
            let place = sale.find_place(sale.key(&of(id)));
            place.is_some_and(|place| presence.is_present(place))
        };
        match self.model.left_undone(now, &is_present) {
            Some(left) => Err(format!("left undone by a go: {left}")),
            None => Ok(()),
        }
    }

    fn sweep(&mut self, now: u64) -> Result<(), Fault> {
        let mut budget = self.sweep_max;
        match self.sale.plan_sweep_within(now, &mut budget) {
            Some(event) => self.commit(&event).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The engine's plan, and the answer of the model that goes with it: swept once, where
    /// that could lift a refusal.
    fn reserve(&mut self, now: u64, ask: &Ask) -> Result<(Said, Said), Fault> {
        let parts = Parts::of(ask);
        let mut has_swept = false;
        let mut has_been_heard = false;
        loop {
            let request = parts.request(&self.sale, ask);
            let plan = self.sale.plan_reserve(now, &request, &self.bounds);
            let user = self.sale.key(&parts.user);
            if let Err(answer) = &plan
                && self.sale.overdue_could_lift(now, answer, user)
            {
                let said = said_of(&self.sale, answer);
                let expected = self.model.decide(now, ask);
                if expected != super::decide::Decided::Says(said.clone()) {
                    return Err(format!("before a sweep: {said:?}, expected {expected:?}"));
                }
                if has_swept {
                    let retry = Said::AllReserved(1, None);
                    return Ok((retry.clone(), retry));
                }
                has_swept = true;
                self.sweep(now)?;
                continue;
            }
            if let Err(Answer::Waiting { place }) = plan
                && !has_been_heard
            {
                has_been_heard = true;
                self.hear(now, place, &ask.id)?;
                continue;
            }
            let expected = self.model.decide(now, ask);
            let (event, said) = match plan {
                Err(answer) => (None, said_of(&self.sale, &answer)),
                Ok(event) => {
                    let said = match &event.change {
                        Change::Joined { .. } => Said::Joined,
                        Change::Reserved { expires_at_ms, .. } => Said::Made(*expires_at_ms),
                        other => return Err(format!("no RESERVE plans {other:?}")),
                    };
                    (Some(owned(&event)), said)
                }
            };
            let expected = self.expected(now, ask, expected);
            if let Some(bytes) = event.filter(|_| said == expected) {
                let event = decode_event(&bytes, self.sale.hasher()).expect("an event");
                self.commit(&event)?;
            }
            if matches!(said, Said::Waiting | Said::Joined) && said == expected {
                self.check_terms(now, &ask.id)?;
            }
            return Ok((said, expected));
        }
    }

    fn expected(&self, now: u64, ask: &Ask, decided: super::decide::Decided) -> Said {
        use super::decide::Decided;
        match decided {
            Decided::Says(said) => said,
            Decided::Joins => Said::Joined,
            Decided::Reserves => match &ask.replaces {
                Some(old) => Said::Made(self.model.find(old).expect("an old one").expires_at),
                None => {
                    let hold = self.model.options.get("HOLD");
                    Said::Made(now + ask.hold.unwrap_or(hold).min(hold))
                }
            },
        }
    }

    /// A poll: whoever asks was heard from, and gets units if it is their turn.
    fn hear(&mut self, now: u64, place: PlaceSlot, id: &str) -> Result<(), Fault> {
        self.presence.hear(place);
        let (item, number) = self.model.place(id).ok_or("the model has no such place")?;
        let clock = self.model.clock;
        self.model.person(item, number).heard = clock;
        let (sale, presence) = (&self.sale, &self.presence);
        let is_present = |place| presence.is_present(place);
        if let Some(event) = sale.plan_grant_to(now, place, &self.bounds, &is_present) {
            let Change::Granted(granted) = &event.change else {
                return Err(format!("a poll plans {event:?}"));
            };
            if granted.places != 1 {
                return Err(format!("a poll takes {} steps", granted.places));
            }
            self.commit(&event)?;
            self.model.row("granted by a poll");
        }
        Ok(())
    }

    fn buy(&mut self, now: u64, ask: &Ask) -> Result<(Said, Said), Fault> {
        let parts = Parts::of(ask);
        let mut has_swept = false;
        loop {
            let request = parts.request(&self.sale, ask);
            let plan = planned(self.sale.plan_buy(now, &request, None, None, &self.bounds));
            let user = self.sale.key(&parts.user);
            if let Err(answer) = &plan {
                let could_lift = match answer {
                    Answer::Expired { .. } => {
                        let id = self.sale.key(&parts.id);
                        self.sale.overdue_could_grant_grace(now, id)
                    }
                    _ => self.sale.overdue_could_lift(now, answer, user),
                };
                let is_late = matches!(answer, Answer::Expired { .. });
                if could_lift && has_swept && !is_late {
                    let retry = Said::AllReserved(1, None);
                    return Ok((retry.clone(), retry));
                }
                if could_lift && !has_swept {
                    has_swept = true;
                    self.sweep(now)?;
                    continue;
                }
            }
            let expected = self.expected_of_buy(now, ask);
            let said = match plan {
                Err(answer) => said_of(&self.sale, &answer),
                Ok(event) if expected == Said::Bought => {
                    let bytes = owned(&event);
                    let event = decode_event(&bytes, self.sale.hasher()).expect("an event");
                    self.commit(&event)?;
                    Said::Bought
                }
                Ok(_) => Said::Bought,
            };
            return Ok((said, expected));
        }
    }

    fn expected_of_buy(&mut self, now: u64, ask: &Ask) -> Said {
        use super::decide::Decided;
        if self.model.place(&ask.id).is_some() {
            self.model.row("BUY waits");
            return Said::StillWaiting;
        }
        match self.model.decide(now, ask) {
            Decided::Says(Said::Reserved(_)) => Said::Bought,
            Decided::Says(Said::Expired) => {
                let res = self.model.find(&ask.id).expect("a reservation").clone();
                let grants = res.state == State::Late && self.model.grants_grace(&res, now);
                if grants { Said::Bought } else { Said::Expired }
            }
            Decided::Says(said) => said,
            _ => Said::Bought,
        }
    }

    fn checkout(&mut self, now: u64, id: &str) -> Result<(Said, Said), Fault> {
        let name = of(id);
        let mut has_swept = false;
        loop {
            let ask = Checkout {
                id: self.sale.key(&name),
                user: None,
                reference: None,
                payload: None,
            };
            let plan = planned(self.sale.plan_checkout(now, &ask));
            let is_late = matches!(plan, Err(Answer::Expired { .. }));
            if is_late && !has_swept && self.sale.overdue_could_grant_grace(now, ask.id) {
                has_swept = true;
                self.sweep(now)?;
                continue;
            }
            let expected = match (self.model.find(id), self.model.place(id)) {
                (Some(res), _) => match self.model.state_of(res, now) {
                    Said::Reserved(_) => Said::Bought,
                    Said::Expired if res.state == State::Late => {
                        let grants = self.model.grants_grace(res, now);
                        if grants { Said::Bought } else { Said::Expired }
                    }
                    said => said,
                },
                (None, Some(_)) => Said::StillWaiting,
                (None, None) => Said::NoReservation,
            };
            if expected == Said::StillWaiting {
                self.model.row("CHECKOUT waits");
            }
            return self.finish(plan.map(|event| owned(&event)), Said::Bought, expected);
        }
    }

    fn release(&mut self, now: u64, id: &str, user: Option<&str>) -> Result<(Said, Said), Fault> {
        let (name, user_name) = (of(id), user.map(of));
        let plan = {
            let key = user_name.as_deref().map(|user| self.sale.key(user));
            let plan = (self.sale).plan_release(now, self.sale.key(&name), key, &self.bounds);
            plan.map(|event| owned(&event))
        };
        let expected = match (self.model.find(id), self.model.place(id)) {
            (Some(res), _) => match (user, self.model.state_of(res, now)) {
                (Some(user), _) if !res.user.is_empty() && user != res.user => Said::NoReservation,
                (_, Said::Reserved(_) | Said::Expired) => Said::GivenBack,
                (_, said) => said,
            },
            (None, Some((item, number))) => {
                let owner = self.model.person(item, number).user.clone();
                self.model.row("left");
                match user {
                    Some(user) if user != owner => Said::NoReservation,
                    _ => Said::GivenBack,
                }
            }
            (None, None) if self.model.has_room(now) => Said::GivenBack,
            (None, None) => Said::Full,
        };
        self.finish(plan, Said::GivenBack, expected)
    }

    fn extend(&mut self, now: u64, id: &str, ms: u64) -> Result<(Said, Said), Fault> {
        let name = of(id);
        let plan = self.sale.plan_extend(now, self.sale.key(&name), ms, None);
        let plan = plan.map(|event| owned(&event));
        let hold_max = self.model.options.get("HOLD");
        let expected = match (self.model.find(id), self.model.place(id)) {
            (Some(res), _) => match self.model.state_of(res, now) {
                Said::Reserved(until) => {
                    let longest = res.made_at + hold_max;
                    let moves = (now + ms).min(longest) > until;
                    if moves {
                        Said::Changed
                    } else {
                        Said::Reserved(until)
                    }
                }
                said => said,
            },
            (None, Some(_)) => Said::StillWaiting,
            (None, None) => Said::NoReservation,
        };
        if expected == Said::StillWaiting {
            self.model.row("EXTEND waits");
        }
        self.finish(plan, Said::Changed, expected)
    }

    /// Carries out what the engine planned, if the model expects the same.
    pub fn finish(
        &mut self,
        plan: Result<Vec<u8>, Answer>,
        done: Said,
        expected: Said,
    ) -> Result<(Said, Said), Fault> {
        let bytes = match plan {
            Err(answer) => return Ok((said_of(&self.sale, &answer), expected)),
            Ok(bytes) => bytes,
        };
        if done == expected {
            let event = decode_event(&bytes, self.sale.hasher()).expect("an event");
            self.commit(&event)?;
        }
        Ok((done, expected))
    }

    /// What whoever waits is told.
    fn check_terms(&mut self, now: u64, id: &str) -> Result<(), Fault> {
        let key = of(id);
        let place = self
            .sale
            .find_place(self.sale.key(&key))
            .ok_or("no place")?;
        let terms = self.sale.wait_terms(place, now).ok_or("no terms")?;
        let (item, number) = self.model.place(id).ok_or("no place in the model")?;
        let wrong = |what: &str| Err(format!("{what}: {terms:?}"));
        let left = self.model.available(item) + self.model.reserved(item);
        if terms.left != left {
            return wrong("left");
        }
        let line = &self.model.lines[&item];
        let people = line.living().count() as u64;
        match (terms.ahead, line.order.is_some()) {
            (None, false) => {}
            (Some(ahead), true) if ahead >= line.really_ahead(number) => {
                let told = self.model.person(item, number).told.replace(ahead);
                if told.is_some_and(|told| told < ahead) {
                    return wrong("`ahead` rises");
                }
            }
            _ => return wrong("`ahead`"),
        }
        let moves = self.model.has_started(now) && self.model.refuses_since().is_none();
        if terms.eta_ms.is_some() && (!moves || terms.ahead.is_none()) {
            return wrong("an eta while nothing moves");
        }
        let patience = self.model.options.get("PATIENCE");
        let mut most = 1_000 + 10 * terms.ahead.unwrap_or(people);
        most = most.min(if patience == 0 { 30_000 } else { patience / 2 });
        if terms.ahead.is_some_and(|ahead| ahead < left) {
            most = most.min(self.model.options.get("HOLD") / 4);
        }
        let mut least = most;
        if !self.model.has_started(now) {
            let starts_in = self.model.options.get("START") - now;
            (least, most) = (least.min(starts_in), most.min(starts_in + people / 100));
        }
        least = (least - least / 4).max(1);
        if !(least..=most.max(1)).contains(&terms.retry_in_ms) {
            return wrong("when to ask again");
        }
        Ok(())
    }

    /// Everything a reader can see, on both copies.
    pub fn compare(&self) -> Result<(), Fault> {
        for (which, sale) in [("primary", &self.sale), ("copy", &self.copy)] {
            super::views::compare(&self.model, sale)
                .map_err(|wrong| format!("{which}: {wrong}"))?;
        }
        if elements(&self.sale) != elements(&self.copy) {
            return Err("the copies differ".into());
        }
        Ok(())
    }

    /// The copy is loaded from what the primary saves.
    pub fn reload(&mut self) -> Result<(), Fault> {
        self.copy = super::views::load_as(&saved(&self.sale), COPY)?;
        Ok(())
    }

    /// The copy takes over: nobody knows whom the primary heard.
    pub fn promote(&mut self) -> Result<(), Fault> {
        self.begin_as(&saved(&self.sale))
    }

    /// From now on another copy hears nothing of its primary.
    pub fn fall_behind(&mut self) {
        self.behind = Some(Behind {
            saved: saved(&self.sale),
            model: self.model.clone(),
            patiences: self.patiences.clone(),
        });
    }

    /// The copy that fell behind takes over: nobody knows what was decided since.
    pub fn lose_tail(&mut self) -> Result<(), Fault> {
        let Some(behind) = self.behind.take() else {
            return Ok(());
        };
        let lost = std::mem::replace(&mut self.model, behind.model);
        self.model.rows = lost.rows;
        self.model.row("a tail was lost");
        self.patiences = behind.patiences;
        self.begin_as(&behind.saved)
    }

    fn begin_as(&mut self, bytes: &[Vec<u8>]) -> Result<(), Fault> {
        self.sale = loaded(bytes)?;
        self.copy = super::views::load_as(bytes, COPY)?;
        self.presence = Presence::everybody(self.sale.place_pages());
        self.attempts = Attempts::default();
        self.model.forget_tries();
        let clock = self.model.clock;
        let people = (self.model.lines.values_mut()).flat_map(|line| &mut line.people);
        people.flatten().for_each(|person| person.heard = clock);
        self.model.clock_was_at = None;
        Ok(())
    }
}
