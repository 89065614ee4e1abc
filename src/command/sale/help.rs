//! `FLASHSALE.HELP`
//!
//! Tells the syntax of every command and what it does.
//!
//! - Complexity: O(1).
//! - Reply: an array of strings: the syntax of a command, then its summary, indented.
//! - Errors: `ERR` arity.

use crate::command::args::Args;
use crate::command::{Handler, SINCE, SPECS, syntax};
use crate::error::Error;
use crate::ffi::{Call, CommandSpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.HELP",
    summary: "Tells the syntax of every command and what it does.",
    complexity: "O(1)",
    since: SINCE,
    flags: "fast",
    arity: 1,
    keys: &[],
    arguments: &[],
    tips: "",
    internal: false,
};

/// The lines of the reply.
fn lines() -> impl Iterator<Item = String> {
    SPECS
        .iter()
        .filter(|spec| !spec.internal)
        .flat_map(|spec| [syntax::line(spec), format!("    {}", spec.summary)])
}

pub struct Help;

impl Handler for Help {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        Args::new(call.words()).end()?;
        let lines: Vec<String> = lines().collect();
        call.reply().array(lines.len());
        for line in lines {
            call.reply().bytes(line.as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_every_command_a_client_may_send() {
        let lines: Vec<String> = lines().collect();
        assert!(
            lines
                .iter()
                .any(|line| line == "FLASHSALE.RELEASE key id [USER user]")
        );
        assert!(!lines.iter().any(|line| line.contains("FLASHSALE.APPLY")));
        assert_eq!(lines.len() % 2, 0);
    }
}
