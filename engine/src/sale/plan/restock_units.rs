//! Decides RESTOCK by name: which units come on sale, and which go off it.
//!
//! Edge: reads the state and returns an event or an answer.

use crate::sale::Plan;
use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Bounds, RestockUnits};
use crate::sale::state::Sale;

impl Sale {
    /// RESTOCK UNITS. O(names).
    pub fn plan_restock_units<'a>(
        &self,
        _now_ms: u64,
        _ask: &RestockUnits<'a>,
        _bounds: &Bounds,
    ) -> Plan<'a> {
        Err(Answer::Invalid("UNITS: not built yet"))
    }
}
