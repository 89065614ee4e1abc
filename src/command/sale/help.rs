//! `FLASHSALE.HELP [command]`
//!
//! Tells the syntax of every command and what it does, or of one alone: `FLASHSALE.RESERVE`, or
//! `RESERVE` for short.
//!
//! - Complexity: O(1).
//! - Reply: an array of strings: the syntax of a command, then its summary, indented.
//! - Errors: `ERR` arity, or no such command.

use crate::command::args::Args;
use crate::command::{Handler, SINCE, SPECS, syntax};
use crate::error::{Error, echo};
use crate::ffi::{Argument, Call, CommandSpec};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.HELP",
    summary: "Tells the syntax of every command and what it does.",
    complexity: "O(1)",
    since: SINCE,
    flags: "fast",
    arity: -1,
    keys: &[],
    arguments: &[Argument::string("command").optional().since("0.2.0")],
    tips: "",
    internal: false,
};

/// Returns the lines of the reply: of one command, or of all that a client may send.
///
/// # Errors
///
/// There is no command of that name.
fn lines(command: Option<&[u8]>) -> Result<Vec<String>, Error> {
    let is_asked = |spec: &&CommandSpec| {
        let short = spec.name.trim_start_matches("FLASHSALE.");
        let names = [spec.name, short];
        let is_it = |word: &[u8]| {
            names
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        !spec.internal && command.is_none_or(is_it)
    };
    let asked = SPECS.iter().copied().filter(is_asked);
    let lines: Vec<String> = asked
        .flat_map(|spec| [syntax::line(spec), format!("    {}", spec.summary)])
        .collect();
    match command {
        Some(word) if lines.is_empty() => Err(Error::new(format!(
            "command: no command '{}', see FLASHSALE.HELP",
            echo(word)
        ))),
        _ => Ok(lines),
    }
}

pub struct Help;

impl Handler for Help {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let mut args = Args::new(call.words());
        let command = match args.is_empty() {
            true => None,
            false => Some(args.word("command")?),
        };
        args.end()?;
        let lines = lines(command)?;
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
        let lines = lines(None).unwrap();
        assert!(
            lines
                .iter()
                .any(|line| line == "FLASHSALE.RELEASE key id [USER user]")
        );
        assert!(!lines.iter().any(|line| line.contains("FLASHSALE.APPLY")));
        assert_eq!(lines.len() % 2, 0);
    }

    #[test]
    fn tells_one_command_by_its_long_or_its_short_name() {
        let expected = [
            "FLASHSALE.RELEASE key id [USER user]",
            "    Gives a reservation's units back before its deadline.",
        ];
        for name in ["FLASHSALE.RELEASE", "flashsale.release", "Release"] {
            assert_eq!(lines(Some(name.as_bytes())).unwrap(), expected);
        }
        for name in ["", "RELEAS", "FLASHSALE.", "APPLY"] {
            let text = lines(Some(name.as_bytes())).unwrap_err().to_string();
            assert_eq!(
                text,
                format!("ERR command: no command '{name}', see FLASHSALE.HELP")
            );
        }
    }
}
