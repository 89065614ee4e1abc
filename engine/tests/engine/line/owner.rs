//! What the owner of a sale does, and a copy that missed a change.

use super::model::State;
use super::said::{Op, Said};
use super::tries::Tries;
use super::words::{attempt_rate, of, owned};
use super::world::{SECRETS, SKUS, World};
use crate::commands::play::Fault;
use flashsale_engine::sale::*;
use flashsale_fuzz::samples::unentered;

impl World {
    pub fn owner(&mut self, now: u64, op: &Op) -> Result<(Said, Said), Fault> {
        match op {
            Op::Refund {
                id,
                no_restock,
                restore_limit,
            } => self.refund(now, id, *no_restock, *restore_limit),
            Op::Restock(item, delta) => self.restock(now, *item, *delta),
            Op::Alter(options) => self.alter(now, options),
            Op::Pace(n, ms) => self.alter_pace(now, *n, *ms),
            Op::Rates(user, from) => self.alter_rates(now, *user, *from),
            Op::PassKeys(secrets) => self.alter_passkeys(now, secrets),
            Op::Pause => {
                let is_new = self.model.paused_at.is_none();
                let plan = self.sale.plan_pause(now).map(|event| owned(&event));
                self.manage(now, plan, is_new)
            }
            Op::Resume => {
                let is_new = self.model.refuses_since().is_some();
                let plan = self.sale.plan_resume(now).map(|event| owned(&event));
                self.manage(now, plan, is_new)
            }
            Op::Close => {
                let plan = self.sale.plan_close(now).map(|event| owned(&event));
                let expected = match self.model.closed_at {
                    None => Said::Changed,
                    Some(_) => Said::Unchanged,
                };
                self.finish(plan, Said::Changed, expected)
            }
            Op::Mark => {
                let event = Event {
                    at_ms: now,
                    change: Change::marked("a test"),
                };
                let bytes = owned(&event);
                self.finish(Ok(bytes), Said::Changed, Said::Changed)
            }
            other => Err(format!("no owner does {other:?}")),
        }
    }

    fn manage(
        &mut self,
        now: u64,
        plan: Result<Vec<u8>, Answer>,
        is_new: bool,
    ) -> Result<(Said, Said), Fault> {
        // What is over stays so: that is no matter of lines.
        if let Err(Answer::Ended { .. }) = plan {
            return Ok((Said::Unchanged, Said::Unchanged));
        }
        let _ = now;
        let expected = match self.model.closed_at {
            Some(at) if self.model.marked_at.is_none() || !is_new => Said::Ended(at),
            _ if is_new => Said::Changed,
            _ => Said::Unchanged,
        };
        self.finish(plan, Said::Changed, expected)
    }

    fn refund(
        &mut self,
        now: u64,
        id: &str,
        no_restock: bool,
        restore_limit: bool,
    ) -> Result<(Said, Said), Fault> {
        let name = of(id);
        let plan = {
            let ask = RefundAsk {
                units: &[],
                id: self.sale.key(&name),
                user: None,
                ask: None,
                reference: None,
                no_restock,
                restore_limit,
            };
            let plan = self.sale.plan_refund(now, &ask).map(unentered);
            plan.map(|event| owned(&event))
        };
        let expected = match (self.model.find(id), self.model.place(id)) {
            (Some(res), _) if res.state == State::Sold && res.is_refunded => Said::Refunded,
            (Some(res), _) if res.state == State::Sold => Said::Changed,
            (Some(_), _) | (None, Some(_)) => Said::NotSold,
            (None, None) => Said::NoReservation,
        };
        if self.model.place(id).is_some() {
            self.model.row("REFUND waits");
        }
        self.finish(plan, Said::Changed, expected)
    }

    fn restock(&mut self, now: u64, item: usize, delta: i64) -> Result<(Said, Said), Fault> {
        let ask = Restock {
            ask: RestockAsk::Items(vec![(SKUS[item], delta)]),
            new: false,
            reference: None,
        };
        let plan = self.sale.plan_restock(now, &ask, &self.bounds);
        let plan = plan.map(|event| owned(&event));
        let fits = self
            .model
            .available(item)
            .checked_add_signed(delta)
            .is_some();
        let expected = match (fits, delta) {
            (_, 0) => Said::Unchanged,
            (true, _) => Said::Changed,
            (false, _) => Said::Invalid,
        };
        self.finish(plan, Said::Changed, expected)
    }

    fn alter(&mut self, now: u64, options: &[(&'static str, u64)]) -> Result<(Said, Said), Fault> {
        let mut changes = Changes::default();
        for &(name, value) in options {
            let slot = match name {
                "USERLIMIT" => &mut changes.user_limit,
                "ITEMLIMIT" => &mut changes.item_limit,
                "ORDERLIMIT" => &mut changes.order_limit,
                "SALELIMIT" => &mut changes.sale_limit,
                "HOLD" => &mut changes.hold_ms,
                "GRACE" => &mut changes.grace_ms,
                "START" => &mut changes.start_at_ms,
                "END" => &mut changes.end_at_ms,
                "WAITING" => &mut changes.waiting_max,
                "PATIENCE" => &mut changes.patience_ms,
                other => return Err(format!("no option {other}")),
            };
            *slot = Some(value);
        }
        let plan = self
            .sale
            .plan_alter(now, &changes)
            .map(|event| owned(&event));
        let Ok(bytes) = plan else {
            // What ALTER refuses is the model's of manage.
            return Ok((Said::Unchanged, Said::Unchanged));
        };
        let said = self.finish(Ok(bytes), Said::Changed, Said::Changed)?;
        for &(name, value) in options {
            // An END in the past is one at this moment.
            let is_over = name == "END" && (1..=now).contains(&value);
            let value = if is_over {
                self.sale.info(now).options.end_at_ms.unwrap_or(0)
            } else {
                value
            };
            self.model.options.0.insert(name, value);
            if name == "PATIENCE" {
                self.patiences.push((self.model.clock, value));
            }
        }
        Ok(said)
    }

    fn alter_rates(
        &mut self,
        now: u64,
        user: Option<(u64, u64)>,
        from: Option<(u64, u64)>,
    ) -> Result<(Said, Said), Fault> {
        let changes = Changes {
            user_rate: Some(attempt_rate(user)),
            from_rate: Some(attempt_rate(from)),
            ..Changes::default()
        };
        let plan = self
            .sale
            .plan_alter(now, &changes)
            .map(|event| owned(&event));
        let model = &self.model;
        let expected = if (user, from) == (model.by_user.rate, model.by_source.rate) {
            Said::Unchanged
        } else {
            Said::Changed
        };
        let said = self.finish(plan, Said::Changed, expected)?;
        for (tries, rate) in [
            (&mut self.model.by_user, user),
            (&mut self.model.by_source, from),
        ] {
            if tries.rate != rate {
                *tries = Tries::of(rate);
            }
        }
        self.sale.forget_attempts(&mut self.attempts);
        Ok(said)
    }

    fn alter_passkeys(&mut self, now: u64, wanted: &[usize]) -> Result<(Said, Said), Fault> {
        let secrets: Vec<&[u8]> = wanted.iter().map(|&secret| SECRETS[secret]).collect();
        let changes = Changes {
            passkeys: PassKeys::new(&secrets),
            ..Changes::default()
        };
        let plan = self
            .sale
            .plan_alter(now, &changes)
            .map(|event| owned(&event));
        let expected = if wanted == self.model.passkeys {
            Said::Unchanged
        } else {
            Said::Changed
        };
        let said = self.finish(plan, Said::Changed, expected)?;
        if said.0 == Said::Changed {
            self.model.passkeys = wanted.to_vec();
        }
        Ok(said)
    }

    fn alter_pace(&mut self, now: u64, n: u64, ms: u64) -> Result<(Said, Said), Fault> {
        let pace = (n > 0).then_some(PaceRate { n, ms });
        let changes = Changes {
            pace: Some(pace),
            ..Changes::default()
        };
        let plan = self
            .sale
            .plan_alter(now, &changes)
            .map(|event| owned(&event));
        let wanted = (n > 0).then_some((n, ms));
        let expected = if wanted == self.model.pace {
            Said::Unchanged
        } else {
            Said::Changed
        };
        let said = self.finish(plan, Said::Changed, expected)?;
        if said.0 == Said::Changed {
            (self.model.pace, self.model.pace_at) = (wanted, 0);
        }
        Ok(said)
    }
}
