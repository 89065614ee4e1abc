//! Plays the command layer against the pure engine: moment, plan, commit, answer.
//!
//! What `src/command/` does between parsing and replying, written once for all tests
//! that have no server. Edge: decides nothing; what an event does to other copies of
//! the sale is the host's to play.

use super::lines::{Lines, UnitNames, changes, id_of, replaced_of};
use super::passes::shown;
use super::requests::{Ask, Deltas, Op, Setup, bytes};
use flashsale_engine::sale;
use flashsale_engine::sale::{Answer, Bounds, Change, EntryId, Event, Plan, Sale, Slot, Spelling};
use flashsale_fuzz::samples::unentered;

/// What went wrong, in words.
pub type Fault = String;

/// A server: a sale, its configuration, and the one way to change the sale.
pub trait Host {
    fn sale(&self) -> &Sale;
    fn bounds(&self) -> Bounds;
    /// How many reservations a sweep on the way may return.
    fn sweep_max(&self) -> u32;
    /// Hears what a sweep on the way has left of that.
    fn has_swept(&mut self, _left: u32) {}
    /// Above how many waiting entries nothing is swept on the way.
    fn backlog_max(&self) -> u32 {
        self.sweep_max()
    }
    /// Hears that nothing was swept on the way, because of so many.
    fn met_backlog(&mut self) {}
    /// Counts an attempt, in a sale that limits them; or returns the answer to one too many.
    fn throttle(&mut self, _now_ms: u64, _user: &[u8]) -> Option<Answer> {
        None
    }
    /// Carries an event out, as `change::commit` does.
    fn commit(&mut self, event: Event<'_>) -> Result<Done, Fault>;
}

/// What there is to reply about an event that was carried out.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub slot: Option<Slot>,
    pub entry: Option<EntryId>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub enum Played {
    Did(Did),
    Said(Answer),
}

/// The change that a request led to.
#[derive(Clone, Copy, Debug)]
pub enum Did {
    /// Also extended.
    Reserved(Slot),
    /// Also bought.
    Sold(EntryId),
    Released,
    Refunded(EntryId),
    Restocked,
    /// Of the sale itself: ALTER, PAUSE, RESUME, CLOSE, BIND.
    Changed,
    Swept {
        expired: u32,
        lapsed: u32,
        forgotten: u32,
    },
}

/// Hands on a CREATE as it is asked for.
pub fn with_create<T>(
    setup: &Setup,
    sale_id: u128,
    then: impl FnOnce(&sale::CreateAsk<'_>) -> T,
) -> T {
    let orders = bytes(&setup.orders);
    let items: Vec<(Vec<u8>, u64)> = (setup.items.iter())
        .map(|(sku, n)| (bytes(sku), *n))
        .collect();
    then(&sale::CreateAsk {
        sale_id,
        share_id: sale_id,
        orders: &orders,
        items: items.iter().map(|(sku, n)| (&sku[..], *n)).collect(),
        changes: changes(&setup.options),
        hold_ms_default: setup.hold_ms_default,
        keep_ms_default: setup.keep_ms_default,
    })
}

/// Plans a CREATE and hands on its event; `None` when the engine refuses it.
pub fn create<T>(
    setup: &Setup,
    sale_id: u128,
    then: impl FnOnce(&Event<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    with_create(setup, sale_id, |ask| {
        match Sale::plan_create(setup.clock_ms, ask, &setup.bounds()) {
            Ok(event) => then(&event).map(Some),
            Err(Answer::Invalid(_)) => Ok(None),
            Err(answer) => Err(format!("CREATE answers {answer:?}")),
        }
    })
}

impl Setup {
    pub fn bounds(&self) -> Bounds {
        Bounds {
            units_max: 1_000_000,
            reservations_max: self.reservations_max,
            items_max: self.items_max,
        }
    }
}

fn pass_of(shown: Option<&str>) -> sale::Pass<'_> {
    shown.map_or(sale::Pass::Missing, |pass| {
        sale::Pass::Shown(pass.as_bytes())
    })
}

/// One command or one sweep, at a moment of the server's clock.
pub fn play<H: Host>(host: &mut H, clock_ms: u64, op: &Op) -> Result<Played, Fault> {
    let mut played = Play {
        now_ms: host.sale().time(clock_ms).now_ms,
        host,
    };
    // What was sold was in time, whatever the deadline.
    let expires = !matches!(op, Op::Import { .. });
    let ids = id_of(op).into_iter().chain(replaced_of(op));
    for id in ids.filter(|_| expires) {
        played.expire(&bytes(id))?;
    }
    played.buyer(op)
}

/// One decision: everything it does is at one moment.
struct Play<'h, H> {
    host: &'h mut H,
    now_ms: u64,
}

impl<H: Host> Play<'_, H> {
    fn commit(&mut self, event: Event<'_>) -> Result<Done, Fault> {
        if event.at_ms != self.now_ms {
            return Err(format!(
                "decided at {}, but says so: {event:?}",
                self.now_ms
            ));
        }
        self.host.commit(event)
    }

    fn expire(&mut self, id: &[u8]) -> Result<(), Fault> {
        loop {
            let sale = self.host.sale();
            let Some(event) = sale.plan_expire(self.now_ms, sale.key(id)) else {
                return Ok(());
            };
            self.commit(event)?;
        }
    }

    fn buyer(&mut self, op: &Op) -> Result<Played, Fault> {
        let now_ms = self.now_ms;
        match op {
            Op::Reserve { .. } => self.reserve(op),
            Op::Buy { .. } => self.buy(op),
            Op::Checkout {
                id,
                user,
                reference,
            } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let reference = reference.as_deref().map(bytes);
                let request = sale::Checkout {
                    id: self.host.sale().key(&id),
                    user: user.as_deref().map(Spelling::of),
                    reference: reference.as_deref(),
                    payload: None,
                };
                let could_lift = |sale: &Sale, answer: &Answer| {
                    matches!(answer, Answer::Expired { .. })
                        && sale.overdue_could_grant_grace(now_ms, sale.key(&id))
                };
                let plan = self.plan_swept(could_lift, |sale| {
                    sale.plan_checkout(now_ms, &request).map(unentered)
                })?;
                self.finish(plan)
            }
            Op::Release { id, user } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let bounds = self.host.bounds();
                let sale = self.host.sale();
                self.finish(sale.plan_release(
                    now_ms,
                    sale.key(&id),
                    user.as_deref().map(|user| sale.key(user)),
                    &bounds,
                ))
            }
            Op::Extend { id, ms, user } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let sale = self.host.sale();
                self.finish(sale.plan_extend(
                    now_ms,
                    sale.key(&id),
                    *ms,
                    user.as_deref().map(Spelling::of),
                ))
            }
            _ => self.seller(op),
        }
    }

    /// Row 7, for a request that gets so far.
    fn throttle(&mut self, request: &sale::Reserve<'_>, user: &[u8]) -> Option<Answer> {
        let (sale, now_ms) = (self.host.sale(), self.now_ms);
        let is_counted = sale.limits_attempts() && sale.is_attempt(now_ms, request);
        is_counted
            .then(|| self.host.throttle(now_ms, user))
            .flatten()
    }

    fn reserve(&mut self, op: &Op) -> Result<Played, Fault> {
        let Op::Reserve {
            user,
            ask,
            id,
            hold,
            replaces,
        } = op
        else {
            unreachable!("a RESERVE")
        };
        let (user, id, lines) = (bytes(user), bytes(id), Lines::of(ask));
        let names = UnitNames::of(ask.names());
        let names = names.slices();
        let replaces = replaces.as_deref().map(bytes);
        let pass = shown(&id, &user);
        let request = sale::Reserve {
            units: &names,
            user: self.host.sale().key(&user),
            ask: lines.ask(),
            id: self.host.sale().key(&id),
            hold_ms: *hold,
            waits: false,
            pass: pass_of(pass.as_deref()),
            replaces: replaces.as_deref().map(|old| self.host.sale().key(old)),
        };
        if let Some(answer) = self.throttle(&request, &user) {
            return self.finish(Err(answer));
        }
        let (now_ms, bounds) = (self.now_ms, self.host.bounds());
        let plan = self.plan_swept(
            |sale, answer| sale.overdue_could_lift(now_ms, answer, sale.key(&user)),
            |sale| sale.plan_reserve(now_ms, &request, &bounds),
        )?;
        self.finish(plan)
    }

    fn buy(&mut self, op: &Op) -> Result<Played, Fault> {
        let Op::Buy {
            user,
            ask,
            id,
            reference,
        } = op
        else {
            unreachable!("a BUY")
        };
        let (user, id, lines) = (bytes(user), bytes(id), Lines::of(ask));
        let names = UnitNames::of(ask.names());
        let names = names.slices();
        let reference = reference.as_deref().map(bytes);
        let pass = shown(&id, &user);
        let payload = reference.as_ref().map(|_| &b"{\"paid\":1}"[..]);
        let request = sale::Reserve {
            units: &names,
            user: self.host.sale().key(&user),
            ask: lines.ask(),
            id: self.host.sale().key(&id),
            hold_ms: None,
            waits: false,
            pass: pass_of(pass.as_deref()),
            replaces: None,
        };
        if let Some(answer) = self.throttle(&request, &user) {
            return self.finish(Err(answer));
        }
        let (now_ms, bounds) = (self.now_ms, self.host.bounds());
        let plan = self.plan_swept(
            |sale, answer| match answer {
                Answer::Expired { .. } => sale.overdue_could_grant_grace(now_ms, sale.key(&id)),
                _ => sale.overdue_could_lift(now_ms, answer, sale.key(&user)),
            },
            |sale| {
                sale.plan_buy(now_ms, &request, reference.as_deref(), payload, &bounds)
                    .map(unentered)
            },
        )?;
        self.finish(plan)
    }

    fn seller(&mut self, op: &Op) -> Result<Played, Fault> {
        let now_ms = self.now_ms;
        let sale = self.host.sale();
        match op {
            Op::Refund {
                id,
                ask,
                reference,
                user,
                no_restock,
                restore_limit,
            } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let reference = reference.as_deref().map(bytes);
                let names = UnitNames::of(ask.as_ref().map_or(&[], Ask::names));
                let names = names.slices();
                let lines = ask.as_ref().filter(|_| names.is_empty()).map(Lines::of);
                let request = sale::RefundAsk {
                    units: &names,
                    id: sale.key(&id),
                    user: user.as_deref().map(Spelling::of),
                    ask: lines.as_ref().map(Lines::ask),
                    reference: reference.as_deref(),
                    no_restock: *no_restock,
                    restore_limit: *restore_limit,
                };
                self.finish(sale.plan_refund(now_ms, &request).map(unentered))
            }
            Op::Restock { .. } => self.restock(op),
            Op::RestockUnits { .. } => self.restock_units(op),
            Op::Import { .. } => self.import(op),
            Op::Alter(named) => self.finish(sale.plan_alter(now_ms, &changes(named))),
            Op::Pause => self.finish(sale.plan_pause(now_ms)),
            Op::Resume => self.finish(sale.plan_resume(now_ms)),
            Op::Close => self.finish(sale.plan_close(now_ms)),
            Op::Bind(orders) => {
                let orders = bytes(orders);
                self.finish(sale.plan_bind(now_ms, &orders))
            }
            Op::Sweep(budget) => match sale.plan_sweep(now_ms, *budget) {
                Some(event) => self.finish(Ok(event)),
                None => Ok(Played::Did(Did::Swept {
                    expired: 0,
                    lapsed: 0,
                    forgotten: 0,
                })),
            },
            Op::Mark(reason) => self.finish(Ok(Event {
                at_ms: now_ms,
                change: Change::Marked { reason },
            })),
            _ => unreachable!("a buyer's command"),
        }
    }

    fn restock(&mut self, op: &Op) -> Result<Played, Fault> {
        let Op::Restock {
            deltas,
            new,
            reference,
        } = op
        else {
            unreachable!("a RESTOCK")
        };
        let reference = reference.as_deref().map(bytes);
        let items: Vec<(Vec<u8>, i64)> = match deltas {
            Deltas::Bare(_) => Vec::new(),
            Deltas::Items(items) => items.iter().map(|(sku, n)| (bytes(sku), *n)).collect(),
        };
        let ask = match deltas {
            Deltas::Bare(delta) => sale::RestockAsk::Delta(*delta),
            Deltas::Items(_) => {
                sale::RestockAsk::Items(items.iter().map(|(sku, n)| (&sku[..], *n)).collect())
            }
        };
        let request = sale::Restock {
            ask,
            new: *new,
            reference: reference.as_deref(),
        };
        let bounds = self.host.bounds();
        let sale = self.host.sale();
        self.finish(sale.plan_restock(self.now_ms, &request, &bounds))
    }

    fn restock_units(&mut self, op: &Op) -> Result<Played, Fault> {
        let Op::RestockUnits {
            sku,
            names,
            sealed,
            withdraw,
            reference,
        } = op
        else {
            unreachable!("a RESTOCK by names")
        };
        let (sku, reference) = (bytes(sku), reference.as_deref().map(bytes));
        let names = UnitNames::of(names);
        let request = sale::RestockUnits {
            sku: &sku,
            names: &names.slices(),
            sealed: *sealed,
            new: false,
            withdraw: *withdraw,
            reference: reference.as_deref(),
        };
        let bounds = self.host.bounds();
        let sale = self.host.sale();
        self.finish(sale.plan_restock_units(self.now_ms, &request, &bounds))
    }

    fn import(&mut self, op: &Op) -> Result<Played, Fault> {
        let Op::Import {
            user,
            ask,
            id,
            sold_at_ms,
            reference,
        } = op
        else {
            unreachable!("an IMPORT")
        };
        let (user, id, lines) = (bytes(user), bytes(id), Lines::of(ask));
        let names = UnitNames::of(ask.names());
        let reference = reference.as_deref().map(bytes);
        let (sale, bounds) = (self.host.sale(), self.host.bounds());
        let request = sale::Import {
            user: sale.key(&user),
            ask: lines.ask(),
            units: &names.slices(),
            id: sale.key(&id),
            sold_at_ms: *sold_at_ms,
            reference: reference.as_deref(),
            payload: None,
        };
        let plan = sale.plan_import(self.now_ms, &request, &bounds);
        self.finish(plan.map(unentered))
    }

    /// Plans; when overdue reservations could lift the refusal, returns them and plans
    /// again. While even more overdue ones could, the answer is "try again at once".
    fn plan_swept<'a>(
        &mut self,
        could_lift: impl Fn(&Sale, &Answer) -> bool,
        plan: impl Fn(&Sale) -> Plan<'a>,
    ) -> Result<Plan<'a>, Fault> {
        let is_late = match plan(self.host.sale()) {
            Err(answer) if could_lift(self.host.sale(), &answer) => {
                matches!(answer, Answer::Expired { .. })
            }
            plan => return Ok(plan),
        };
        if !is_late && self.host.sale().has_backlog(self.host.backlog_max()) {
            self.host.met_backlog();
            return Ok(Err(Answer::AllReserved {
                retry_in_ms: 1,
                item: None,
            }));
        }
        let mut budget = self.host.sweep_max();
        let sweep = (self.host.sale()).plan_sweep_within(self.now_ms, &mut budget);
        self.host.has_swept(budget);
        if let Some(event) = sweep {
            self.commit(event)?;
        }
        Ok(match plan(self.host.sale()) {
            Err(answer @ Answer::Expired { .. }) => Err(answer),
            Err(answer) if could_lift(self.host.sale(), &answer) => Err(Answer::AllReserved {
                retry_in_ms: 1,
                item: None,
            }),
            plan => plan,
        })
    }

    fn finish(&mut self, plan: Plan<'_>) -> Result<Played, Fault> {
        let event = match plan {
            Ok(event) => event,
            Err(answer) => return Ok(Played::Said(answer)),
        };
        let kind = Kind::of(&event.change)?;
        let Done { slot, entry } = self.commit(event)?;
        let missing = || format!("an event without slot or entry: {kind:?}");
        Ok(Played::Did(match kind {
            Kind::Reserved => Did::Reserved(slot.ok_or_else(missing)?),
            Kind::Sold => Did::Sold(entry.ok_or_else(missing)?),
            Kind::Refunded => Did::Refunded(entry.ok_or_else(missing)?),
            Kind::Other(did) => did,
        }))
    }
}

/// What an event is to a reply, before it was carried out.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Reserved,
    Sold,
    Refunded,
    Other(Did),
}

impl Kind {
    fn of(change: &Change<'_>) -> Result<Kind, Fault> {
        Ok(match *change {
            Change::Reserved { .. } | Change::Extended { .. } => Kind::Reserved,
            Change::Sold { .. } | Change::Bought { .. } | Change::Imported(_) => Kind::Sold,
            Change::Refunded(_) => Kind::Refunded,
            Change::Released { .. } | Change::ReleasedUnseen { .. } | Change::Left { .. } => {
                Kind::Other(Did::Released)
            }
            Change::Restocked { .. } => Kind::Other(Did::Restocked),
            Change::Swept {
                expired,
                lapsed,
                forgotten,
            } => Kind::Other(Did::Swept {
                expired,
                lapsed,
                forgotten,
            }),
            Change::Altered(_)
            | Change::Paused
            | Change::Resumed { .. }
            | Change::Closed
            | Change::Bound { .. }
            | Change::Told(_)
            | Change::Dropped { .. }
            | Change::Joined { .. }
            | Change::Drawn { .. }
            | Change::Granted(_)
            | Change::Dissolved { .. }
            | Change::Given(_)
            | Change::Taken(_)
            | Change::Marked { .. } => Kind::Other(Did::Changed),
            Change::Created(_) | Change::Expired { .. } | Change::Lapsed { .. } => {
                return Err(format!("no command plans {change:?}"));
            }
        })
    }
}
