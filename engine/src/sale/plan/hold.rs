//! Decides EXTEND and RELEASE: for how long units are set aside.
//!
//! Edge: reads the state and returns an event or an answer.

use crate::sale::Plan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::Bounds;
use crate::sale::book::reservation::Status;
use crate::sale::event::{Change, Event};
use crate::sale::state::Sale;
use crate::sale::units::INTEGER_MAX;
use crate::table::name::{Key, Spelling};

impl Sale {
    /// EXTEND. O(1).
    pub fn plan_extend<'a>(
        &self,
        now_ms: u64,
        id: Key<'a>,
        ms: u64,
        user: Option<Spelling<'_>>,
    ) -> Plan<'a> {
        let (slot, record) = self.reservation_of(id, user)?;
        let present = self.present_state(slot, record, now_ms);
        if !matches!(present, Answer::Reserved { .. }) {
            return Err(present);
        }
        let longest_ms = record
            .reserved_at_ms()
            .saturating_add(self.options.max_hold_ms());
        let expires_at_ms = now_ms.saturating_add(ms).min(longest_ms).min(INTEGER_MAX);
        if expires_at_ms <= record.expires_at_ms() {
            return Err(present);
        }
        Ok(Event {
            at_ms: now_ms,
            change: Change::Extended { id, expires_at_ms },
        })
    }

    /// RELEASE. O(1) to plan, O(lines log lines) to apply: of a large cart a digest is kept.
    pub fn plan_release<'a>(
        &self,
        now_ms: u64,
        id: Key<'a>,
        user: Option<Key<'a>>,
        bounds: &Bounds,
    ) -> Plan<'a> {
        let Some(slot) = self.find(id) else {
            if self.has_queue
                && let Some(plan) = self.plan_leave(now_ms, id, user.map(Key::spelling), bounds)
            {
                return plan;
            }
            let forgets = self.room(now_ms, bounds)?;
            let change = Change::ReleasedUnseen { id, user, forgets };
            return Ok(Event {
                at_ms: now_ms,
                change,
            });
        };
        let record = self.reservation_at(slot, user.map(Key::spelling))?;
        match record.status() {
            Status::Open | Status::InGrace | Status::Expired => Ok(Event {
                at_ms: now_ms,
                change: Change::Released { id },
            }),
            Status::Released => Err(Answer::Released),
            Status::Sold => Err(Self::sold_state(record)),
        }
    }
}
