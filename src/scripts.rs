//! Scripts that have changed a sale, at `maxmemory`.
//!
//! There the server refuses a script its first command that takes memory, and lets a
//! script go on that has written something: half a script is worse than a little memory.
//! RESERVE and BUY are held to the same. The server does not tell a module whether a
//! script has written, so it is noted when one changes a sale, by the number of the run.
//!
//! Edge: what else a script has written, or that it bears the flag `allow-oom`, cannot be
//! found out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ffi::{self, Ctx};

/// The commands that run scripts which may write.
const RUNNERS: [&str; 3] = ["cmdstat_eval", "cmdstat_evalsha", "cmdstat_fcall"];

/// No run.
const NONE: u64 = u64::MAX;

/// The last run that changed a sale at `maxmemory`.
static CHANGED_IN: AtomicU64 = AtomicU64::new(NONE);

/// Has the server a limit of its memory? As of the last look.
static IS_LIMITED: AtomicBool = AtomicBool::new(false);

/// Looks whether the server has a limit of its memory, whenever that may have changed:
/// without one a change costs nothing here.
pub fn look(ctx: Ctx<'_>) {
    let has_limit = ctx.flags().has_maxmemory();
    IS_LIMITED.store(has_limit, Ordering::Relaxed);
}

/// Notes that a sale is changed: where it is a script that does it, at `maxmemory`.
pub fn note_change(ctx: Ctx<'_>) {
    if !IS_LIMITED.load(Ordering::Relaxed) {
        return;
    }
    let flags = ctx.flags();
    if flags.is_scripted() && flags.is_out_of_memory() {
        CHANGED_IN.store(run(ctx), Ordering::Relaxed);
    }
}

/// Has the script in progress changed a sale? Asked at `maxmemory` alone, as it takes
/// long.
pub fn has_changed(ctx: Ctx<'_>) -> bool {
    let changed_in = CHANGED_IN.load(Ordering::Relaxed);
    changed_in != NONE && ctx.flags().is_scripted() && changed_in == run(ctx)
}

/// The number of the run in progress: how many scripts have come to their end before it.
/// CONFIG RESETSTAT begins anew, which no script may call.
fn run(ctx: Ctx<'_>) -> u64 {
    let told = ffi::server_info(ctx, c"commandstats", &RUNNERS);
    told.iter().flatten().filter_map(|line| calls(line)).sum()
}

/// `calls=3,usec=20,...`
fn calls(line: &str) -> Option<u64> {
    let (calls, _) = line.strip_prefix("calls=")?.split_once(',')?;
    calls.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_often_a_command_was_called() {
        assert_eq!(calls("calls=30,usec=2,usec_per_call=1.00"), Some(30));
        assert_eq!(calls("calls=,usec=2"), None);
        assert_eq!(calls("usec=2"), None);
    }
}
