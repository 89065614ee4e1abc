//! Rules about copies that are no copies any more.
//!
//! Edge: pure, as the other rules.

use super::Facts;
use super::rules::ERROR;
use crate::datatype::Diverged;
use crate::error::echo;

/// Something did not fit since the server started.
pub(super) fn divergence(facts: &Facts) -> Option<(&'static str, String)> {
    let times = Some(facts.replay_divergence).filter(|&times| times > 0)?;
    Some((
        ERROR,
        format!(
            "compare DEBUG DIGEST-VALUE and MODULE LIST with the primary's, and let this server \
             resynchronise: {times} replicated events did not fit what is here, so a sale differs \
             from its primary's"
        ),
    ))
}

/// A sale does not sell, or would not if this server became a primary.
pub(super) fn diverged(facts: &Facts) -> Option<(&'static str, String)> {
    let count = Some(facts.sales_diverged).filter(|&count| count > 0)?;
    let name = |sale: &Diverged| {
        let (key, database) = (echo(&sale.key), sale.database);
        format!("'{key}' in database {database} ({})", sale.reason)
    };
    let mut sales: Vec<String> = facts.diverged.iter().map(name).collect();
    match count.saturating_sub(sales.len() as u64) {
        0 => {}
        more if sales.is_empty() => sales.push(format!("{more} sales")),
        more => sales.push(format!("and {more} more")),
    }
    let sales = sales.join(", ");
    Some((
        ERROR,
        format!(
            "find out what this server missed, then FLASHSALE.RESUME each sale on the primary, or \
             let a replica resynchronise: {sales} do not sell here, as a change did not fit or \
             could not be read"
        ),
    ))
}
