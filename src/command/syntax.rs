//! The syntax line of a command, from its argument tree.
//!
//! Edge: pure text. `{a | b}` is a choice, `[a]` may be left out, `a [a ...]` may come
//! again.

use crate::ffi::{Argument, ArgumentKind, CommandSpec};

/// `FLASHSALE.RELEASE key id [USER user]`
pub fn line(spec: &CommandSpec) -> String {
    let mut line = spec.name.to_owned();
    for argument in spec.arguments {
        line.push(' ');
        line.push_str(&one(argument));
    }
    line
}

fn one(argument: &Argument) -> String {
    let is_choice = matches!(argument.kind, ArgumentKind::OneOf(_));
    let body = match argument.token {
        Some(token) if matches!(argument.kind, ArgumentKind::Flag) => token.to_owned(),
        // The braces do not go around the keyword.
        Some(token) if is_choice => format!("{token} {{{}}}", bare(argument)),
        Some(token) => format!("{token} {}", bare(argument)),
        None => bare(argument),
    };
    let is_choice = is_choice && argument.token.is_none();
    match (argument.is_optional, argument.is_multiple) {
        (true, true) => format!("[{body} ...]"),
        (true, false) => format!("[{body}]"),
        // Choices are long: not written down twice.
        (false, true) if is_choice => format!("{{{body}}} [...]"),
        (false, true) => format!("{body} [{body} ...]"),
        (false, false) if is_choice => format!("{{{body}}}"),
        (false, false) => body,
    }
}

fn bare(argument: &Argument) -> String {
    let joined = |arguments: &[Argument], between: &str| {
        arguments.iter().map(one).collect::<Vec<_>>().join(between)
    };
    match argument.kind {
        ArgumentKind::OneOf(choices) => joined(choices, " | "),
        ArgumentKind::Block(parts) => joined(parts, " "),
        _ => argument.name.to_owned(),
    }
}
