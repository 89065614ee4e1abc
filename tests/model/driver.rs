//! Plays the command layer against the pure engine: plan, commit, answer in words.
//!
//! Edge: decides nothing. What it commits goes to the primary as it was planned, and
//! to the second sale as the bytes say, which is all a replica ever sees.

use super::reference::words;
use super::requests::{Deltas, Op, Setup, bytes};
use super::sale;
use super::translate::{Lines, changes, entry_word, id_of};
use sale::{Answer, Applied, Bounds, Change, EntryId, Event, Sale, StockChange};

/// A primary and its replica.
pub struct Engine {
    pub primary: Sale,
    pub second: Sale,
    pub bounds: Bounds,
    pub sweep_max: u32,
    entries: u64,
    /// Bytes of all events so far, for the curious.
    pub event_bytes: usize,
}

/// What the engine did wrong, in words.
pub type Fault = String;

impl Engine {
    /// CREATE; `Ok(None)` when the engine refuses it.
    pub fn create(setup: &Setup, sale_id: u128) -> Result<Option<Engine>, Fault> {
        let orders = bytes(&setup.orders);
        let skus: Vec<(Vec<u8>, u64)> = setup
            .items
            .iter()
            .map(|(sku, n)| (bytes(sku), *n))
            .collect();
        let ask = sale::CreateAsk {
            sale_id,
            orders: &orders,
            items: skus.iter().map(|(sku, n)| (&sku[..], *n)).collect(),
            changes: changes(&setup.options),
            hold_ms_default: setup.hold_ms_default,
        };
        let bounds = Bounds {
            reservations_max: setup.reservations_max,
            items_max: setup.items_max,
        };
        let event = match Sale::plan_create(setup.clock_ms, &ask, &bounds) {
            Ok(event) => event,
            Err(Answer::Invalid(_)) => return Ok(None),
            Err(answer) => return Err(format!("CREATE answers {answer:?}")),
        };
        let encoded = encode(&event)?;
        let decoded = sale::decode_event(&encoded).map_err(|error| format!("{error:?}"))?;
        let (Some(primary), Some(second)) = (Sale::create(&event), Sale::create(&decoded)) else {
            return Err("a Created event creates no sale".into());
        };
        let sweep_max = setup.sweep_max;
        Ok(Some(Engine {
            primary,
            second,
            bounds,
            sweep_max,
            entries: 0,
            event_bytes: encoded.len(),
        }))
    }

    /// Carries an event out on both sales, as `replication::commit` and its replay do.
    fn commit(
        &mut self,
        now_ms: u64,
        mut event: Event<'_>,
    ) -> Result<(Applied, Option<EntryId>), Fault> {
        if event.has_entry() {
            self.entries += 1;
            event.set_entry(EntryId {
                ms: self.entries,
                seq: self.entries * 7,
            });
        }
        if event.at_ms != now_ms {
            return Err(format!("decided at {now_ms}, but says so: {event:?}"));
        }
        let encoded = encode(&event)?;
        self.event_bytes += encoded.len();
        let decoded = sale::decode_event(&encoded).map_err(|error| format!("{error}"))?;
        if decoded != event {
            return Err(format!("encoded {event:?}, decoded {decoded:?}"));
        }
        if let Err(divergence) = self.second.check(&decoded) {
            return Err(format!(
                "does not fit the second sale: {divergence}: {event:?}"
            ));
        }
        let before = stocks(&self.primary);
        let applied = self.primary.apply(&event);
        let again = self.second.apply(&decoded);
        if applied.stock != again.stock {
            return Err(format!(
                "{:?} here, {:?} there: {event:?}",
                applied.stock, again.stock
            ));
        }
        let mut told = applied.stock.to_vec();
        let mut seen = changes_of_stock(&before, &stocks(&self.primary));
        told.sort_by_key(|change| *change as u8);
        seen.sort_by_key(|change| *change as u8);
        if told != seen {
            return Err(format!(
                "stock changed {seen:?}, announced {told:?}: {event:?}"
            ));
        }
        Ok((applied, event.entry()))
    }

    /// One command or one sweep, answered in the model's words.
    pub fn answer(&mut self, clock_ms: u64, op: &Op) -> Result<String, Fault> {
        let now_ms = self.primary.time(clock_ms).now_ms;
        if let Op::Sweep(budget) = op {
            return self.sweep(now_ms, *budget);
        }
        if let Some(id) = id_of(op)
            && let Some(event) = self.primary.plan_expire(now_ms, &bytes(id))
        {
            self.commit(now_ms, event)?;
        }
        self.answer_buyer(now_ms, op)
    }

    fn answer_buyer(&mut self, now_ms: u64, op: &Op) -> Result<String, Fault> {
        match op {
            Op::Reserve {
                user,
                ask,
                id,
                hold,
            } => {
                let (user, id, lines) = (bytes(user), bytes(id), Lines::of(ask));
                let ask = lines.ask();
                let request = sale::Reserve {
                    user: &user,
                    ask,
                    id: &id,
                    hold_ms: *hold,
                };
                self.admit(now_ms, op, &user, |sale, bounds| {
                    sale.plan_reserve(now_ms, &request, bounds)
                })
            }
            Op::Buy {
                user,
                ask,
                id,
                reference,
            } => {
                let (user, id, lines) = (bytes(user), bytes(id), Lines::of(ask));
                let reference = reference.as_deref().map(bytes);
                let payload = reference.as_ref().map(|_| &b"{\"paid\":1}"[..]);
                let ask = lines.ask();
                let request = sale::Reserve {
                    user: &user,
                    ask,
                    id: &id,
                    hold_ms: None,
                };
                self.admit(now_ms, op, &user, |sale, bounds| {
                    sale.plan_buy(now_ms, &request, reference.as_deref(), payload, bounds)
                })
            }
            Op::Checkout {
                id,
                user,
                reference,
            } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let reference = reference.as_deref().map(bytes);
                let request = sale::Checkout {
                    id: &id,
                    user: user.as_deref(),
                    reference: reference.as_deref(),
                    payload: None,
                };
                self.admit_late(now_ms, op, |sale, _| sale.plan_checkout(now_ms, &request))
            }
            Op::Release { id, user } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let plan = self
                    .primary
                    .plan_release(now_ms, &id, user.as_deref(), &self.bounds);
                self.finish(now_ms, op, plan)
            }
            Op::Extend { id, ms, user } => {
                let (id, user) = (bytes(id), user.as_deref().map(bytes));
                let plan = self.primary.plan_extend(now_ms, &id, *ms, user.as_deref());
                self.finish(now_ms, op, plan)
            }
            _ => self.answer_seller(now_ms, op),
        }
    }

    fn answer_seller(&mut self, now_ms: u64, op: &Op) -> Result<String, Fault> {
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
                let lines = ask.as_ref().map(Lines::of);
                let request = sale::RefundAsk {
                    id: &id,
                    user: user.as_deref(),
                    ask: lines.as_ref().map(Lines::ask),
                    reference: reference.as_deref(),
                    no_restock: *no_restock,
                    restore_limit: *restore_limit,
                };
                let plan = self.primary.plan_refund(now_ms, &request);
                self.finish(now_ms, op, plan)
            }
            Op::Restock { .. } => self.answer_restock(now_ms, op),
            Op::Alter(named) => {
                let plan = self.primary.plan_alter(now_ms, &changes(named));
                self.finish(now_ms, op, plan)
            }
            Op::Pause => self.finish(now_ms, op, self.primary.plan_pause(now_ms)),
            Op::Resume => self.finish(now_ms, op, self.primary.plan_resume(now_ms)),
            Op::Close => self.finish(now_ms, op, self.primary.plan_close(now_ms)),
            Op::Bind(orders) => {
                let orders = bytes(orders);
                let plan = self.primary.plan_bind(now_ms, &orders);
                self.finish(now_ms, op, plan)
            }
            _ => unreachable!("a buyer's command"),
        }
    }

    fn answer_restock(&mut self, now_ms: u64, op: &Op) -> Result<String, Fault> {
        let Op::Restock {
            deltas,
            new,
            reference,
        } = op
        else {
            unreachable!("a restock")
        };
        let reference = reference.as_deref().map(bytes);
        let (ask, items): (_, Vec<(Vec<u8>, i64)>) = match deltas {
            Deltas::Bare(delta) => (Some(sale::RestockAsk::Delta(*delta)), Vec::new()),
            Deltas::Items(items) => (
                None,
                items.iter().map(|(sku, n)| (bytes(sku), *n)).collect(),
            ),
        };
        let named =
            || sale::RestockAsk::Items(items.iter().map(|(sku, n)| (&sku[..], *n)).collect());
        let request = sale::Restock {
            ask: ask.unwrap_or_else(named),
            new: *new,
            reference: reference.as_deref(),
        };
        let plan = self.primary.plan_restock(now_ms, &request, &self.bounds);
        self.finish(now_ms, op, plan)
    }

    fn sweep(&mut self, now_ms: u64, budget: u32) -> Result<String, Fault> {
        let Some(event) = self.primary.plan_sweep(now_ms, budget) else {
            return Ok(words!["SWEPT", 0, 0]);
        };
        let Change::Swept { expired, forgotten } = event.change else {
            return Err(format!("a sweep plans {event:?}"));
        };
        self.commit(now_ms, event)?;
        Ok(words!["SWEPT", expired, forgotten])
    }

    /// RESERVE and BUY: a refusal that overdue reservations could lift is decided once
    /// more after a sweep, and is ALLRESERVED 1 when even more are overdue.
    fn admit<'a>(
        &mut self,
        now_ms: u64,
        op: &Op,
        user: &[u8],
        plan: impl Fn(&Sale, &Bounds) -> sale::Plan<'a>,
    ) -> Result<String, Fault> {
        if id_of(op).is_some_and(|id| self.primary.find(&bytes(id)).is_some()) {
            return self.admit_late(now_ms, op, plan);
        }
        let mut decided = plan(&self.primary, &self.bounds);
        if let Err(answer) = &decided
            && self.primary.overdue_could_lift(now_ms, answer, user)
        {
            if let Some(event) = self.primary.plan_sweep(now_ms, self.sweep_max) {
                self.commit(now_ms, event)?;
            }
            decided = plan(&self.primary, &self.bounds);
            if let Err(answer) = &decided
                && self.primary.overdue_could_lift(now_ms, answer, user)
            {
                decided = Err(Answer::AllReserved {
                    retry_in_ms: 1,
                    item: None,
                });
            }
        }
        self.finish(now_ms, op, decided)
    }

    /// CHECKOUT, and BUY of a known id: a grace that overdue reservations stand in the
    /// way of is asked for once more after a sweep.
    fn admit_late<'a>(
        &mut self,
        now_ms: u64,
        op: &Op,
        plan: impl Fn(&Sale, &Bounds) -> sale::Plan<'a>,
    ) -> Result<String, Fault> {
        let mut decided = plan(&self.primary, &self.bounds);
        if let Err(Answer::Expired { .. }) = decided
            && !matches!(op, Op::Reserve { .. })
            && self
                .primary
                .overdue_could_grant_grace(now_ms, &bytes(id_of(op).unwrap_or("")))
        {
            if let Some(event) = self.primary.plan_sweep(now_ms, self.sweep_max) {
                self.commit(now_ms, event)?;
            }
            decided = plan(&self.primary, &self.bounds);
        }
        self.finish(now_ms, op, decided)
    }

    fn finish(&mut self, now_ms: u64, op: &Op, plan: sale::Plan<'_>) -> Result<String, Fault> {
        let id = id_of(op).unwrap_or("");
        let event = match plan {
            Ok(event) => event,
            Err(answer) => return Ok(self.words_of(op, id, answer)),
        };
        let kind = event.change.clone();
        let (applied, entry) = self.commit(now_ms, event)?;
        let slot = || applied.slot.ok_or_else(|| format!("no slot of {kind:?}"));
        Ok(match &kind {
            Change::Reserved { .. } | Change::Extended { .. } => self.reserved(id, slot()?),
            Change::Sold { .. } | Change::Bought { .. } => words!["SOLD", id, entry_word(entry)],
            Change::Released { .. } | Change::ReleasedUnseen { .. } => words!["RELEASED", id],
            Change::Refunded(_) => words!["REFUNDED", id, entry_word(entry)],
            Change::Restocked { .. } => self.restocked(op),
            Change::Altered(_)
            | Change::Paused
            | Change::Resumed
            | Change::Closed
            | Change::Bound { .. } => {
                words!["OK"]
            }
            other => return Err(format!("{op:?} does {other:?}")),
        })
    }
}

fn encode(event: &Event<'_>) -> Result<Vec<u8>, Fault> {
    let mut encoded = Vec::new();
    sale::encode_event(event, &mut encoded);
    Ok(encoded)
}

/// Available and reserved, by item.
fn stocks(sale: &Sale) -> Vec<(u64, u64)> {
    sale.items()
        .map(|item| (item.available, item.reserved))
        .collect()
}

/// What a keyspace event has to say about each item, given what can be seen.
fn changes_of_stock(before: &[(u64, u64)], after: &[(u64, u64)]) -> Vec<StockChange> {
    let mut changes = Vec::new();
    for (item, (available, reserved)) in after.iter().enumerate() {
        let (available_before, reserved_before) = before.get(item).copied().unwrap_or((0, 0));
        let was_sold_out = available_before == 0 && reserved_before == 0;
        match (available, reserved) {
            (0, 0) if !was_sold_out => changes.push(StockChange::SoldOut),
            (0, 1..) if available_before > 0 => changes.push(StockChange::AllReserved),
            (1.., _) if available_before == 0 => changes.push(StockChange::BackInStock),
            _ => {}
        }
    }
    changes
}
