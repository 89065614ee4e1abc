//! `FLASHSALE.DOCTOR`
//!
//! Tells what would hurt a sale on this server, and what to do about it. Changes nothing,
//! and is answered by replicas too, about themselves.
//!
//! - Complexity: O(N) with N places where sales are or were marked, at most 1,000; it also
//!   asks the server for several sections of INFO.
//! - Reply: an array of `[severity, topic, advice]`, empty where all is well. `error`:
//!   orders or sales are being lost, or will be; `warning`: a sale suffers when something
//!   else happens; `note`: right for some. Advice begins with what to do.
//! - Errors: `ERR` arity.

use crate::command::args::Args;
use crate::command::{Handler, SINCE};
use crate::doctor::{Facts, judge};
use crate::error::Error;
use crate::ffi::{Call, CommandSpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.DOCTOR",
    summary: "Tells what would hurt a sale on this server.",
    complexity: "O(N) with N places where sales are or were marked, at most 1,000",
    since: SINCE,
    // A replica whose link is down has something to say.
    flags: "allow-stale",
    arity: 1,
    keys: &[],
    arguments: &[],
    tips: "nondeterministic_output",
    internal: false,
};

pub struct Doctor;

impl Handler for Doctor {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).end()?;
        let findings = judge(&Facts::gather(call.ctx()));
        let reply = call.reply();
        reply.array(findings.len());
        for finding in findings {
            reply.array(3);
            reply.bytes(finding.severity.as_bytes());
            reply.bytes(finding.topic.as_bytes());
            reply.bytes(finding.advice.as_bytes());
        }
        Ok(())
    }
}
