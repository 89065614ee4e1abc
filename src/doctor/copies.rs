//! Rules about copies: replicas without the module, and copies that are none any more.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::{Diverged, Facts};
use super::rule::{ERROR, Verdict, WARNING};
use crate::error::echo;

/// The primary cannot ask a replica for its modules; it knows who was there before this
/// one.
pub(super) fn late_load(facts: &Facts) -> Option<Verdict> {
    let others = Some(facts.replicas_at_load).filter(|&others| others > 0)?;
    let advice = format!(
        "MODULE LIST on every replica: {others} were connected when this module was loaded here, \
         and one without it answers WAIT all the same and has neither sales nor orders; load it \
         there, then let the replica resynchronise"
    );
    Some((WARNING, advice))
}

/// Something did not fit since the server started.
pub(super) fn divergence(facts: &Facts) -> Option<Verdict> {
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
pub(super) fn diverged(facts: &Facts) -> Option<Verdict> {
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
             let a replica resynchronise: {sales} do not sell here, because a change did not fit, \
             could not be read or broke the sale; a broken one takes no RESUME, so fail over or \
             restart from the AOF"
        ),
    ))
}

/// The next start would go on over damage.
pub(super) fn load_damaged(facts: &Facts) -> Option<Verdict> {
    facts.is_set("flashsale.load-damaged", "yes").then(|| {
        let advice = "CONFIG SET flashsale.load-damaged no: and CONFIG REWRITE, or the next start \
                      goes on without what is damaged of its AOF, and only its log says so";
        (WARNING, advice.to_owned())
    })
}

pub(super) fn owed(facts: &Facts) -> Option<Verdict> {
    let owed = facts.owed;
    (owed > 0).then(|| {
        let advice = format!(
            "FLASHSALE.RESTOCK, or refund orders: {owed} units were sold that the sales here do \
             not have, FLASHSALE.SHARES names the items; what comes back pays for them first"
        );
        (ERROR, advice)
    })
}
