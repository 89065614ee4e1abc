//! A sale opened for one decision, at one moment.

use crate::change::{Done, commit};
use crate::clock;
use crate::command::reply::{self, About};
use crate::command::text;
use crate::config;
use crate::datatype::{self, SaleKey};
use crate::error::{Code, Error};
use crate::ffi::{Call, Ctx, Text};
use crate::names;
use crate::news::News;
use crate::orders::OrdersKey;
use crate::rehearsal::{self, Point};
use crate::scripts;
use flashsale_engine::sale::{
    Answer, Ask, Change, Event, Key, Pending, PlaceSlot, Plan, Reserve, Sale,
};

/// A sale that a command is about to change, or not. Whoever listens to its events hears
/// of the changes when it is dropped, after the reply was written.
pub struct OpenSale<'c> {
    ctx: Ctx<'c>,
    key: SaleKey<'c>,
    /// The sale's time, the same for everything one command does.
    pub now_ms: u64,
    /// Behind the key: told when that is closed.
    news: News<'c>,
}

impl<'c> OpenSale<'c> {
    /// Opens the sale a command names first, and takes the time.
    ///
    /// # Errors
    ///
    /// `NOSALE`, `WRONGTYPE`, or the sale is only partly loaded.
    pub fn of(call: &Call<'c>) -> Result<OpenSale<'c>, Error> {
        OpenSale::about(call, None, None)
    }

    /// Opens the sale for a decision about this id and this user, prefetches their
    /// records, and notes in the keys where they are; reading the clock hides part of the
    /// cache misses.
    ///
    /// # Errors
    ///
    /// As [`OpenSale::of`].
    #[inline(always)]
    pub fn about(
        call: &Call<'c>,
        id: Option<&mut Key<'_>>,
        user: Option<&mut Key<'_>>,
    ) -> Result<OpenSale<'c>, Error> {
        let mut key = datatype::open_write(call.ctx(), text(call, 1)?)?;
        rehearsal::panic_at(Point::Plan, key.name().bytes());
        key.sale().touch(id.as_deref(), user.as_deref());
        key.begin(user.as_deref());
        let now_ms = key.sale().time(clock::now_ms()).now_ms;
        key.sale().touch_records(id, user);
        let news = News::about(call.ctx(), key.name());
        Ok(OpenSale {
            ctx: call.ctx(),
            key,
            now_ms,
            news,
        })
    }

    /// Opens the stream a command names second.
    ///
    /// # Errors
    ///
    /// `WRONGTYPE`, or it is not the sale's.
    pub fn orders(&self, call: &Call<'c>) -> Result<OrdersKey<'c>, Error> {
        OrdersKey::open(self.ctx, text(call, 2)?, self.key.sale())
    }

    pub fn sale(&self) -> &Sale {
        self.key.sale()
    }

    /// Carries out what was planned.
    pub fn commit(&mut self, event: &Event<'_>) -> Done {
        commit::commit(self.ctx, &mut self.key, event, &mut self.news)
    }

    /// Carries out what was planned for this id, and appends its entry.
    ///
    /// # Errors
    ///
    /// The order stream takes no entry; nothing has changed then.
    pub fn commit_order(
        &mut self,
        orders: &mut OrdersKey<'c>,
        pending: Pending<'_>,
        id: Text<'_>,
    ) -> Result<Done, Error> {
        let (key, news) = (&mut self.key, &mut self.news);
        commit::commit_order(self.ctx, key, orders, pending, id, news)
    }

    /// Expires this id now if its deadline has passed, and ends its grace if that is over: a
    /// decision about it must not depend on whether the sweep came by.
    #[inline(always)]
    pub fn expire(&mut self, id: Key<'_>) {
        while let Some(event) = self.key.sale().plan_expire(self.now_ms, id) {
            self.commit_expiry(&event);
        }
    }

    /// Does what lines have to do before units are asked for: moves the clock of PATIENCE, and
    /// draws the order of those whose START is over.
    #[inline(always)]
    pub fn begin_line(&mut self) {
        if self.sale().has_line() {
            self.begin_line_of();
        }
    }

    #[inline(never)] // Most sales have none.
    fn begin_line_of(&mut self) {
        self.key.tick_line(self.now_ms);
        if let Some(event) = self.sale().plan_draw(self.now_ms, rand::random) {
            self.commit(&event);
        }
    }

    /// Counts what a request was refused for want of stock, by the answer to it.
    #[inline]
    pub fn note_refused(&mut self, ask: &Ask<'_>, answer: &Answer) {
        self.key.note_refused(ask, answer);
    }

    /// Counts what somebody joined a line for.
    #[cold]
    pub fn note_joined(&mut self, change: &Change<'_>) {
        if let Change::Joined { item, qty, .. } = *change {
            self.key.note_asked(item, qty);
        }
    }

    /// The place of whoever joined by the change that was just carried out.
    pub fn joined(&mut self) -> Option<PlaceSlot> {
        self.key.joined()
    }

    /// Counts a request that is an attempt, in a sale that limits them; returns the answer to one
    /// too many.
    #[inline(always)]
    pub fn throttle(&mut self, ask: &Reserve<'_>, source: Option<&[u8]>) -> Option<Answer> {
        if self.sale().limits_attempts() {
            return self.count_attempt(ask, source);
        }
        None
    }

    #[inline(never)] // Most sales limit none.
    fn count_attempt(&mut self, ask: &Reserve<'_>, source: Option<&[u8]>) -> Option<Answer> {
        self.key.touch_attempts(ask.user);
        let is_attempt = self.sale().is_attempt(self.now_ms, ask);
        let who = (ask.user, source.map(names::key));
        is_attempt
            .then(|| self.key.throttle(self.now_ms, who, config::subjects_max()))
            .flatten()
    }

    /// Whoever has this place was heard from, and gets units if it is their turn: reports
    /// whether the line moved.
    #[cold]
    pub fn hear(&mut self, place: PlaceSlot) -> bool {
        self.key.hear(place);
        let (now_ms, bounds) = (self.now_ms, config::bounds());
        let event = self.key.plan_grant_to(now_ms, place, &bounds);
        if let Some(event) = &event {
            self.commit(event);
        }
        event.is_some()
    }

    /// Carries out what expires on the way, which few commands meet.
    #[cold]
    #[inline(never)]
    fn commit_expiry(&mut self, event: &Event<'_>) {
        self.commit(event);
    }

    /// Looks at what was planned: when overdue reservations could lift the refusal, returns
    /// them and plans again. While even more overdue ones could, the refusal of new units
    /// becomes "try again at once".
    // A plan is large, so it stays where it was made.
    #[inline(always)]
    pub fn plan_swept<P>(
        &mut self,
        planned: &mut Result<P, Answer>,
        could_lift: impl Fn(&Sale, u64, &Answer) -> bool,
        plan: impl Fn(&Sale, u64) -> Result<P, Answer>,
    ) {
        if let Err(answer) = planned
            && could_lift(self.sale(), self.now_ms, answer)
        {
            let is_late = matches!(answer, Answer::Expired { .. });
            *planned = self.sweep_and_plan(is_late, could_lift, plan);
        }
    }

    /// Returns overdue reservations and plans once more; `is_late` is a checkout within GRACE.
    #[cold]
    fn sweep_and_plan<P>(
        &mut self,
        is_late: bool,
        could_lift: impl Fn(&Sale, u64, &Answer) -> bool,
        plan: impl Fn(&Sale, u64) -> Result<P, Answer>,
    ) -> Result<P, Answer> {
        let (now_ms, sweep_max) = (self.now_ms, config::sweep_max());
        if !is_late && self.sale().has_backlog(sweep_max) {
            return Err(Answer::RETRY_NOW);
        }
        if let Some(event) = self.sale().plan_sweep(now_ms, sweep_max) {
            self.commit_expiry(&event);
        }
        match plan(self.sale(), now_ms) {
            // A late checkout: expired is expired, whatever else is overdue.
            Err(answer @ Answer::Expired { .. }) => Err(answer),
            Err(answer) if could_lift(self.sale(), now_ms, &answer) => Err(Answer::RETRY_NOW),
            plan => plan,
        }
    }

    /// Refuses to take more memory for a new reservation at `maxmemory`, unless it is the
    /// next step of a script that has changed a sale.
    ///
    /// Asked only when there will be one, so that a retry still learns what it has.
    ///
    /// # Errors
    ///
    /// `OOM`.
    #[inline]
    pub fn refuse_at_maxmemory(&self) -> Result<(), Error> {
        refuse_at_maxmemory(self.ctx, self.key.name())
    }
}

/// As [`OpenSale::refuse_at_maxmemory`], for any key.
///
/// # Errors
///
/// `OOM`.
#[inline]
pub fn refuse_at_maxmemory(ctx: Ctx<'_>, key: Text<'_>) -> Result<(), Error> {
    if !ctx.flags().is_out_of_memory() {
        return Ok(());
    }
    refuse_above_maxmemory(ctx, key)
}

#[cold]
fn refuse_above_maxmemory(ctx: Ctx<'_>, key: Text<'_>) -> Result<(), Error> {
    if ctx.is_denied_memory(key) && !scripts::has_changed(ctx) {
        return Err(out_of_memory());
    }
    Ok(())
}

/// What the server itself answers to a command that takes memory, at `maxmemory`.
#[cold]
pub fn out_of_memory() -> Error {
    let text = "command not allowed when used memory > 'maxmemory'.";
    Error::with(Code::Oom, text)
}

/// Carries out a change that is answered `OK`, also when it had been made before.
///
/// # Errors
///
/// `NOSALE`, `WRONGTYPE`, or what the plan says.
pub fn manage<'a>(call: &Call<'_>, plan: impl FnOnce(&Sale, u64) -> Plan<'a>) -> Result<(), Error> {
    let mut open = OpenSale::of(call)?;
    match plan(open.sale(), open.now_ms) {
        Ok(event) => {
            open.commit(&event);
            call.reply().ok();
            Ok(())
        }
        Err(answer) => reply::answer(call.reply(), open.sale(), &About::nothing(), answer),
    }
}
