//! How long a thread ran on a core, and how long it waited for one, as Linux counts it.
//!
//! Edge: reads `/proc`; where there is none, nothing is known.

use std::fs;

/// The account of one thread since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    pub ran_ns: u64,
    /// Ready to run while another thread had the core.
    pub waited_ns: u64,
}

impl Times {
    /// Reads the account of a process's main thread: of a server, the one that serves clients.
    pub fn of_process(pid: u64) -> Option<Times> {
        parse(&fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?)
    }

    /// Reads the account of the calling thread.
    pub fn of_this_thread() -> Option<Times> {
        parse(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
    }

    /// Returns what came on top since `before`.
    pub fn since(self, before: Times) -> Times {
        Times {
            ran_ns: self.ran_ns.saturating_sub(before.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(before.waited_ns),
        }
    }
}

/// Reads `RAN WAITED SLICES`.
fn parse(text: &str) -> Option<Times> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(Times {
        ran_ns: numbers.next()?.ok()?,
        waited_ns: numbers.next()?.ok()?,
    })
}
