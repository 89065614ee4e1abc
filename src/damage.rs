//! Damage that is met while an AOF is loaded: the start ends over it with one line that
//! says where, as it does over damage that the server itself finds. With `load-damaged yes`
//! it goes on, and what cannot be loaded is left out and counted.
//!
//! Half of a history is no smaller history: a sale that never heard of some of its orders
//! would sell their units again. So it is a person who decides to go on.
//!
//! Edge: says it, counts it, and ends the process or not. What is left out, and what
//! becomes of the sale, is the caller's business.

use crate::config;
use crate::error::echo;
use crate::ffi::Ctx;
use crate::info::{self, Counter};

/// The status Redis itself ends with over a damaged AOF.
const STATUS: i32 = 1;

/// Events and chunks of the load in progress that were carried out.
static LOADED: Counter = Counter::new();

/// Something of an AOF that cannot be loaded.
pub struct Damage<'a> {
    /// What it is: the name of the command that carries it, or a value in words.
    pub what: &'a str,
    pub database: i32,
    pub key: &'a [u8],
    /// Why not, in words.
    pub reason: &'a str,
}

/// Ends the server over damage; returns only where `load-damaged` says that it is to be
/// loaded all the same. It is counted then.
pub fn meet(ctx: Ctx<'_>, damage: &Damage<'_>) {
    if !config::load_damaged() {
        ctx.warn(&last_words(damage, LOADED.get()));
        // Not a panic: nothing is wrong with the server. Nothing is written on the way.
        std::process::exit(STATUS);
    }
    count(ctx, damage.key, damage.reason);
}

/// Meets a value of which the AOF has only a part, and says that it is left out.
pub fn leave_out(ctx: Ctx<'_>, what: &str, database: i32, key: &[u8]) {
    let reason = "not all of it is in the AOF";
    let damage = Damage {
        what,
        database,
        key,
        reason,
    };
    meet(ctx, &damage);
    let key = echo(key);
    ctx.warn(&format!(
        "{what} '{key}' in database {database} is left out: {reason}"
    ));
}

fn last_words(damage: &Damage<'_>, loaded: u64) -> String {
    let Damage {
        what,
        database,
        key,
        reason,
    } = damage;
    let key = echo(key);
    format!(
        "the AOF cannot be loaded, and the start ends here: {what} of the key '{key}' in database \
         {database}, after {loaded} events and chunks that were loaded: {reason}. Put back an \
         older copy of the AOF, or look for damage with redis-check-aof; with \
         flashsale.load-damaged yes what does not fit is left out, and no such sale sells before \
         its RESUME"
    )
}

/// Counts what does not fit what is under this key here, and tells the log once in a while.
pub fn count(ctx: Ctx<'_>, key: &[u8], reason: &str) {
    info::REPLAY_DIVERGENCE.add(1);
    let times = info::REPLAY_DIVERGENCE.get();
    if times.is_power_of_two() {
        let (key, database) = (echo(key), ctx.database());
        ctx.warn(&format!(
            "what the primary or the AOF says does not fit '{key}' in database {database}: \
             {reason} ({times} so far)"
        ));
    }
}

/// An event or a chunk was loaded.
pub fn note_loaded() {
    LOADED.add(1);
}

/// The load came to its end; the next one is counted from 0.
pub fn note_end() {
    LOADED.reset();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_one_line_that_says_where() {
        let damage = Damage {
            what: "FLASHSALE.APPLY",
            database: 3,
            key: b"tea\n",
            reason: "the id is known",
        };
        let line = last_words(&damage, 12);
        let start = "the AOF cannot be loaded, and the start ends here: FLASHSALE.APPLY of the key \
                     'tea\\n' in database 3, after 12 events and chunks that were loaded: the id \
                     is known. ";
        assert!(line.starts_with(start), "{line}");
        assert!(!line.contains('\n'));
    }
}
