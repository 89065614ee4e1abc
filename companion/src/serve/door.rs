//! What a sale asks of a new reservation that a batch cannot carry: a pass, and where the
//! request comes from.
//!
//! MRESERVE asks for no pass, since whoever may send it has verified passes itself. This gateway
//! has no secret and verifies none: it hands each on, so in a sale with PASSKEY nothing goes in a
//! batch. As long as it is not known whether the sale has one, nothing does either.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::Value;

use crate::link::{field, integer, pairs};

/// How often the sale is looked at: an ALTER is known here after so long.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What goes with a reservation beside its units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// Whether it waits in line where it cannot be met at once.
    pub waits: bool,
    pub pass: Option<&'a str>,
    /// Where the request comes from.
    pub source: Option<&'a [u8]>,
}

/// The door of one sale, as it was when it was last looked at.
pub struct Door {
    asks_for_passes: AtomicBool,
    counts_sources: AtomicBool,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            asks_for_passes: AtomicBool::new(true),
            counts_sources: AtomicBool::new(true),
        }
    }
}

impl Door {
    /// Looks at what INFO says. A module that says nothing of passes knows none.
    pub fn learn(&self, info: &Value) {
        let info = pairs(info);
        if field(&info, "sale_id").is_none() {
            return;
        }
        let has_passes = integer(&info, "passkeys").unwrap_or(0) > 0;
        let has_sources = integer(&info, "fromrate_n").is_some();
        self.asks_for_passes.store(has_passes, Ordering::Relaxed);
        self.counts_sources.store(has_sources, Ordering::Relaxed);
    }

    /// Reports whether a reservation has to go by a command of its own.
    pub fn takes_alone(&self, beside: &Beside<'_>) -> bool {
        let counts = self.counts_sources.load(Ordering::Relaxed);
        beside.waits
            || self.asks_for_passes.load(Ordering::Relaxed)
            || (beside.source.is_some() && counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(fields: &[(&str, Value)]) -> Value {
        let text = |text: &str| Value::BulkString(text.into());
        let id = [text("sale_id"), text("01ARZ3NDEKTSV4RRFFQ69G5FAV")];
        let rest = fields
            .iter()
            .flat_map(|(name, value)| [text(name), value.clone()]);
        Value::Array(id.into_iter().chain(rest).collect())
    }

    #[test]
    fn nothing_goes_in_a_batch_that_a_batch_cannot_carry() {
        let door = Door::default();
        let plain = Beside::default();
        let from = Beside {
            source: Some(b"home"),
            ..plain
        };
        // Nothing is known yet, and an error says nothing.
        assert!(door.takes_alone(&plain));
        door.learn(&Value::Nil);
        assert!(door.takes_alone(&plain));
        // An older module, or a sale without either.
        door.learn(&info(&[]));
        assert!(!door.takes_alone(&plain) && !door.takes_alone(&from));
        let waits = Beside {
            waits: true,
            ..plain
        };
        assert!(door.takes_alone(&waits));
        door.learn(&info(&[
            ("passkeys", Value::Int(0)),
            ("fromrate_n", Value::Int(5)),
        ]));
        assert!(!door.takes_alone(&plain) && door.takes_alone(&from));
        door.learn(&info(&[
            ("passkeys", Value::Int(2)),
            ("fromrate_n", Value::Nil),
        ]));
        assert!(door.takes_alone(&plain));
    }
}
