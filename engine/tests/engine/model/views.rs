//! What the reads show of the model, each as one line of words.

use std::collections::BTreeSet;

use super::reference::{LARGEST, Model, words};
use super::reservation::{Fate, Reservation};

/// `-` where there is nothing.
pub fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".to_string(), |value| value.to_string())
}

/// `[sku qty] [sku qty]`.
pub fn shown_lines(lines: &[(String, u64)]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|(sku, qty)| format!("[{sku} {qty}]"))
        .collect();
    lines.join(" ")
}

/// The lines of a reservation, or that they are kept no longer.
pub fn shown_items(lines: &[(String, u64)], is_shortened: bool) -> String {
    if is_shortened {
        return "null".into();
    }
    shown_lines(lines)
}

impl Reservation {
    pub fn state(&self) -> &'static str {
        match self.fate {
            Fate::Open => "reserved",
            Fate::Sold if self.is_refunded() => "refunded",
            Fate::Sold => "sold",
            Fate::Released => "released",
            Fate::Late | Fate::Expired => "expired",
        }
    }
}

impl Model {
    /// STOCK of one SKU.
    pub fn stock(&self, sku: &str) -> String {
        words![
            sku,
            self.available(sku),
            self.reserved(sku),
            self.sold(sku),
            self.total(sku)
        ]
    }

    /// GET.
    pub fn get(&self, id: &str) -> String {
        let Some(known) = self.find(id) else {
            return "unknown".into();
        };
        [
            format!("id={id:?} state={}", known.state()),
            format!("user={:?}", known.user),
            format!("items={}", shown_items(&known.lines, known.is_shortened())),
            format!("refunded={}", shown_lines(&self.refunds_of(id))),
            format!("reserved_at={}", shown(known.reserved_at)),
            format!("expires_at={}", shown(known.deadline)),
            format!("sold_at={}", shown(known.sold_at)),
            format!("released_at={}", shown(known.released_at)),
            format!("order={}", shown(known.order)),
            format!("ref={:?}", known.reference),
        ]
        .join(" ")
    }

    /// Ids of a user's open reservations, oldest first.
    pub fn open_ids(&self, user: &str) -> Vec<String> {
        let mine = self.reservations.iter().filter(|r| r.is_open());
        mine.filter(|r| r.user.as_deref() == Some(user))
            .map(|r| r.id.clone())
            .collect()
    }

    /// USER.
    pub fn user(&self, user: &str) -> String {
        let (reserved, sold) = self.user_units(user);
        let open = self.open_ids(user);
        let oldest = &open[..open.len().min(100)];
        format!(
            "reserved={reserved} sold={sold} counted={} remaining={} open={} ids={:?}",
            self.counted(user),
            shown(self.user_remaining(user)),
            open.len(),
            oldest,
        )
    }

    fn phase(&self, now: u64) -> &'static str {
        if self.mark.is_some() {
            "diverged"
        } else if self.closed_at.is_some() {
            "closed"
        } else if self.ended_at(now).is_some() {
            "ended"
        } else if self.option("START").is_some_and(|start| now < start) {
            "scheduled"
        } else if self.paused_at.is_some() {
            "paused"
        } else {
            "open"
        }
    }

    /// The earliest clock that is not believed: the time is that of the last change.
    pub fn a_minute_before(&self) -> u64 {
        self.last_change.saturating_sub(60_000)
    }

    /// INFO, without the bytes of memory.
    pub fn info(&self, clock_ms: u64) -> String {
        let (now, stepped_back) = self.time(clock_ms);
        let users: BTreeSet<&str> = self
            .reservations
            .iter()
            .filter_map(|r| r.user.as_deref())
            .collect();
        let sum = |of: &dyn Fn(&str) -> u64| self.skus.iter().map(|sku| of(sku)).sum::<u64>();
        let count = |wanted: &dyn Fn(&Reservation) -> bool| {
            self.reservations.iter().filter(|r| wanted(r)).count()
        };
        let options: Vec<String> = [
            "USERLIMIT",
            "ITEMLIMIT",
            "ORDERLIMIT",
            "SALELIMIT",
            "HOLD",
            "GRACE",
            "START",
            "END",
            "KEEP",
            "REMEMBER",
            "EVENTS",
        ]
        .map(|name| shown(self.option(name)))
        .to_vec();
        [
            format!("mark={:?}", self.mark),
            format!(
                "sale_id={} orders={:?} state={}",
                self.sale_id,
                self.orders,
                self.phase(now)
            ),
            format!(
                "now={now} stepped_back={stepped_back} created_at={}",
                self.created_at
            ),
            format!(
                "paused_at={} closed_at={}",
                shown(self.refuses_since()),
                shown(self.closed_at)
            ),
            format!(
                "earlier={:?} maxhold={}",
                self.time(self.a_minute_before()),
                self.max_hold()
            ),
            format!("options={options:?} items={}", self.skus.len()),
            format!(
                "total={} available={}",
                sum(&|s| self.total(s)),
                sum(&|s| self.available(s))
            ),
            format!(
                "reserved={} sold={}",
                self.reserved_in_all(),
                self.sold_in_all()
            ),
            format!("refunded={} users={}", self.refunded_in_all(), users.len()),
            format!(
                "open={} remembered={}",
                count(&|r| r.is_open()),
                count(&|r| r.is_remembered())
            ),
            format!(
                "next_due={} key_expires_at={}",
                shown(self.next_due()),
                shown(self.key_expires_at())
            ),
        ]
        .join(" ")
    }

    /// When a sweep next has something to do.
    pub fn next_due(&self) -> Option<u64> {
        let expires = self
            .next_to_expire()
            .and_then(|at| self.reservations[at].deadline);
        let lapses = self
            .next_to_lapse()
            .map(|at| self.lapses_at(&self.reservations[at]));
        let forgets = self
            .next_final()
            .map(|at| self.known_until(&self.reservations[at]));
        [expires, lapses, forgets].into_iter().flatten().min()
    }

    /// max(end + MAXHOLD, last open deadline) + GRACE + KEEP.
    pub fn key_expires_at(&self) -> Option<u64> {
        let end = [self.option("END"), self.closed_at]
            .into_iter()
            .flatten()
            .min()?;
        let last_open = self
            .reservations
            .iter()
            .filter(|r| r.is_open())
            .filter_map(|r| r.deadline)
            .max();
        let last = Model::later(end, self.max_hold()).max(last_open.unwrap_or(0)) as u128;
        let at = last + self.options["GRACE"] as u128 + self.options["KEEP"] as u128;
        Some(at.min(LARGEST as u128) as u64)
    }
}
