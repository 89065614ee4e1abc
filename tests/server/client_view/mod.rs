//! **Goal**: what a client can find out about the commands is complete and true:
//! COMMAND INFO, DOCS and GETKEYS, ACL rules, FLASHSALE.HELP; and the commands behave
//! in a transaction, in a script, in the raw protocol and in `redis-cli` as those of
//! the server do.
//!
//! **Method**: `client_view/reference.rs` holds what the contract says of each command,
//! written by hand. What the server tells is read back and written down in the same
//! form: the argument tree of COMMAND DOCS must give the very syntax line of the
//! contract.

mod acl;
mod callers;
mod connections;
mod docs;
mod reference;
mod scripts;
mod users;

use redis::Value;

use crate::support::{Con, Server, render, text_of};
use docs::{Argument, Docs, pairs, words};
use reference::{INTERNAL, REFERENCE, Reference, type_of};

/// Makes a sale with an open reservation.
fn sale(con: &mut Con) {
    con.says(
        "FLASHSALE.CREATE sale:1 orders:1 STOCK 100 USERLIMIT 50",
        "OK",
    );
    con.says("FLASHSALE.RESERVE sale:1 alice 2 ID r1", "RESERVED ...");
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(elements) => elements,
        other => panic!("not an array: {}", render(&other)),
    }
}

/// Text with every run of white space made one space.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_server_knows_these_commands_and_no_others_of_the_module() {
    let server = Server::any();
    let mut con = server.conn();
    let mut known = words(&con.run("COMMAND LIST FILTERBY MODULE flashsale"));
    let mut expected: Vec<String> = REFERENCE.iter().map(Reference::name).collect();
    expected.extend(INTERNAL.map(str::to_owned));
    known.sort();
    expected.sort();
    assert_eq!(known, expected);
}

#[test]
fn help_has_the_syntax_of_every_command_but_the_internal_ones() {
    let server = Server::any();
    let mut con = server.conn();
    let help = words(&con.run("FLASHSALE.HELP"));
    let lines = help.iter().filter(|line| line.starts_with("FLASHSALE."));
    let lines: Vec<String> = lines.map(|line| normal(line)).collect();
    let expected: Vec<String> = REFERENCE
        .iter()
        .map(|command| normal(command.syntax))
        .collect();
    assert_eq!(lines, expected);
    // Each is followed by what it does: what COMMAND DOCS says, too.
    for (index, line) in help
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with("FLASHSALE."))
    {
        let name = line.split(' ').next().expect("a name").to_lowercase();
        let summary = Docs::of(&mut con, &name).summary;
        assert_eq!(
            help.get(index + 1).map(|text| text.trim()),
            Some(summary.as_str()),
            "{line}"
        );
    }
    assert_eq!(help, words(&server.conn3().run("FLASHSALE.HELP")));
}

#[test]
fn command_docs_tell_the_syntax_of_the_contract() {
    let server = Server::any();
    for mut con in [server.conn(), server.conn3()] {
        for command in &REFERENCE {
            let docs = Docs::of(&mut con, &command.name());
            let arguments = docs
                .arguments
                .iter()
                .map(|argument| format!(" {}", argument.syntax()));
            let line = format!(
                "{}{}",
                command.name().to_uppercase(),
                arguments.collect::<String>()
            );
            assert_eq!(line, normal(command.syntax));
        }
    }
}

#[test]
fn command_docs_tell_the_type_of_every_argument() {
    let server = Server::any();
    let mut con = server.conn();
    for command in &REFERENCE {
        let docs = Docs::of(&mut con, &command.name());
        for argument in docs.arguments.iter().flat_map(|argument| argument.all()) {
            let what = format!("{} of {}", argument.name, command.name());
            assert!(
                !argument.name.is_empty(),
                "an argument of {} without a name",
                command.name()
            );
            match argument.kind.as_str() {
                "oneof" | "block" => assert!(argument.arguments.len() > 1, "{what}"),
                "pure-token" => assert!(argument.token.is_some(), "{what}"),
                kind => assert_eq!(kind, type_of(&argument.name), "{what}"),
            }
            let key_spec = match argument.name.as_str() {
                "key" | "dest" => Some(0),
                // One key spec for both: one of its own, of a key left out, voids both.
                "orders" if command.name() == "flashsale.audit" => Some(0),
                "orders" | "src" => Some(1),
                _ => None,
            };
            assert_eq!(argument.key_spec, key_spec, "key spec of {what}");
            let is_known = |flag: &String| flag == "optional" || flag == "multiple";
            assert!(
                argument.flags.iter().all(is_known),
                "{what}: {:?}",
                argument.flags
            );
            let token = argument.token.as_deref().unwrap_or("TOKEN");
            // A value that is one of a few words is written as INFO has it.
            let is_value = ["only-orders", "everything"].contains(&argument.name.as_str());
            assert!(
                is_value || token.bytes().all(|byte| byte.is_ascii_uppercase()),
                "token of {what}: {token}"
            );
        }
    }
}

#[test]
fn command_docs_say_which_version_a_command_and_an_option_came_with() {
    let server = Server::any();
    let mut con = server.conn();
    let mut later = Vec::new();
    for name in REFERENCE.iter().map(Reference::name) {
        let docs = Docs::of(&mut con, &name);
        // Filters, batches, rate limits, units with names, and what reaches beyond one server.
        let families = "bf m throttle import give take shares units";
        let is_later = families
            .split(' ')
            .any(|family| name["flashsale.".len()..].starts_with(family))
            || name == "flashsale.rest";
        assert_eq!(docs.since, ["0.1.0", "0.2.0"][usize::from(is_later)]);
        let arguments = docs.arguments.iter().flat_map(Argument::all);
        let since = arguments.filter_map(|argument| {
            let since = argument.since.as_ref()?;
            Some(format!("{name} {} {since}", argument.name))
        });
        later.extend(since);
    }
    later.sort();
    let expected = [
        "flashsale.alter events 0.2.0",
        "flashsale.alter fromrate 0.2.0",
        "flashsale.alter group 0.2.0",
        "flashsale.alter ms 0.2.0",
        "flashsale.alter n 0.2.0",
        "flashsale.alter pace 0.2.0",
        "flashsale.alter passkey 0.2.0",
        "flashsale.alter userrate 0.2.0",
        "flashsale.buy named 0.2.0",
        "flashsale.buy named 0.2.0",
        "flashsale.buy pass 0.2.0",
        "flashsale.buy source 0.2.0",
        "flashsale.create events 0.2.0",
        "flashsale.create fromrate 0.2.0",
        "flashsale.create group 0.2.0",
        "flashsale.create ms 0.2.0",
        "flashsale.create n 0.2.0",
        "flashsale.create pace 0.2.0",
        "flashsale.create passkey 0.2.0",
        "flashsale.create ulid 0.2.0",
        "flashsale.create userrate 0.2.0",
        "flashsale.help command 0.2.0",
        "flashsale.import named 0.2.0",
        "flashsale.import named 0.2.0",
        "flashsale.refund named 0.2.0",
        "flashsale.reserve named 0.2.0",
        "flashsale.reserve named 0.2.0",
        "flashsale.reserve old-id 0.2.0",
        "flashsale.reserve pass 0.2.0",
        "flashsale.reserve source 0.2.0",
        "flashsale.reserve wait 0.2.0",
        "flashsale.restock row 0.2.0",
        "flashsale.restock sealed 0.2.0",
        "flashsale.restock withdraw 0.2.0",
    ];
    assert_eq!(later, expected);
}

#[test]
fn command_docs_tell_what_a_command_does_and_costs() {
    let server = Server::any();
    let mut con = server.conn();
    let mut summaries = Vec::new();
    for name in REFERENCE
        .iter()
        .map(Reference::name)
        .chain(INTERNAL.map(str::to_owned))
    {
        let docs = Docs::of(&mut con, &name);
        let is_internal = INTERNAL.contains(&name.as_str());
        assert!(
            docs.summary.len() > 10 && docs.summary.ends_with('.'),
            "{name}: {}",
            docs.summary
        );
        assert_eq!(
            docs.summary.contains("Internal"),
            is_internal,
            "{name}: {}",
            docs.summary
        );
        assert!(
            docs.complexity.contains("O(") || is_internal,
            "{name}: {}",
            docs.complexity
        );
        let numbers = docs
            .since
            .split('.')
            .map(|part| part.parse::<u32>().is_ok());
        assert_eq!(
            numbers.collect::<Vec<_>>(),
            [true; 3],
            "{name}: since {}",
            docs.since
        );
        assert_eq!(
            (docs.group.as_str(), docs.module.as_str()),
            ("module", "flashsale"),
            "{name}"
        );
        summaries.push(docs.summary);
    }
    let count = summaries.len();
    summaries.sort();
    summaries.dedup();
    assert_eq!(summaries.len(), count, "two commands with one summary");
}

#[test]
fn command_info_tells_arity_flags_and_keys() {
    let server = Server::any();
    let mut con = server.conn();
    for command in &REFERENCE {
        let name = command.name();
        let info = array(array(con.run(&format!("COMMAND INFO {name}"))).remove(0));
        assert_eq!(text_of(&info[0]), name);
        assert_eq!(info[1], Value::Int(command.arity), "arity of {name}");
        let mut flags = words_or_texts(&info[2]);
        flags.retain(|flag| flag != "fast" && flag != "module");
        flags.sort();
        let mut expected: Vec<&str> = command.flags.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(flags, expected, "flags of {name}");
        let last = match command.keys {
            "" => 0,
            // To the end of the line, however many.
            _ if ["flashsale.bfmerge", "flashsale.audit"].contains(&name.as_str()) => -1,
            keys => keys.split(", ").count() as i64,
        };
        let first = i64::from(last != 0);
        let places = [Value::Int(first), Value::Int(last), Value::Int(first)];
        assert_eq!(info[3..6], places, "first key, last key, step of {name}");
    }
}

/// Words that the server sends as simple strings.
fn words_or_texts(value: &Value) -> Vec<String> {
    words(value)
        .iter()
        .map(|word| word.trim_start_matches('+').to_owned())
        .collect()
}

#[test]
fn the_server_finds_the_keys_of_every_line_and_what_happens_to_them() {
    let server = Server::any();
    let mut con = server.conn();
    for command in REFERENCE.iter().filter(|command| !command.keys.is_empty()) {
        let keys = command.keys.split(", ");
        let names: Vec<&str> = keys
            .map(|key| key.split(' ').next().expect("a name"))
            .collect();
        con.says(
            &format!("COMMAND GETKEYS {}", command.line),
            &names.join(" "),
        );
        let found = array(con.run(&format!("COMMAND GETKEYSANDFLAGS {}", command.line)));
        let shown = |found: &Value| {
            let parts = match found {
                Value::Array(parts) => parts,
                other => panic!("a key and its flags: {other:?}"),
            };
            let mut flags = words_or_texts(&parts[1]);
            flags.sort();
            format!("{} {}", text_of(&parts[0]), flags.join(" "))
                .trim()
                .to_owned()
        };
        let found: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(found.join(", "), command.keys, "{}", command.line);
    }
    // Options and what looks like them are no keys.
    con.says("COMMAND GETKEYS FLASHSALE.STOCK sale:1", "sale:1");
    con.says(
        "COMMAND GETKEYS FLASHSALE.RESERVE sale:1 orders:1 ITEMS 1 a 1",
        "sale:1",
    );
    con.says("COMMAND GETKEYS FLASHSALE.AUDIT sale:1", "sale:1");
    con.says("COMMAND GETKEYS FLASHSALE.APPLY sale:1 event", "sale:1");
    con.says(
        "COMMAND GETKEYS FLASHSALE.APPLY sale:1 orders:1 event",
        "sale:1 orders:1",
    );
    con.says("COMMAND GETKEYS FLASHSALE.LOAD sale:1 chunk", "sale:1");
    con.says("COMMAND GETKEYS FLASHSALE.BFAPPLY sale:1 event", "sale:1");
    con.says("COMMAND GETKEYS FLASHSALE.BFLOAD sale:1 chunk", "sale:1");
    con.says("COMMAND GETKEYS FLASHSALE.RATEAPPLY login event", "login");
    con.says("COMMAND GETKEYS FLASHSALE.RATELOAD login chunk", "login");
    let reply = con.show("COMMAND GETKEYS FLASHSALE.HELP");
    assert!(reply.contains("(error)"), "{reply}");
}

#[test]
fn a_scan_of_the_server_tells_sales_by_their_type() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.says("SET text x", "OK");
    con.says("TYPE sale:1", "+flashsale");
    con.says("SCAN 0 COUNT 1000 TYPE flashsale", "\"0\" [sale:1]");
    con.says("FLASHSALE.BFADD filter a", "1");
    con.says("TYPE filter", "+fls-bloom");
    con.says("SCAN 0 COUNT 1000 TYPE fls-bloom", "\"0\" [filter]");
    let modules = con.run("MODULE LIST");
    let modules = array(modules);
    let ours = modules.iter().map(pairs).find(|module| {
        module
            .iter()
            .any(|(name, value)| name == "name" && text_of(value) == "flashsale")
    });
    assert!(ours.is_some(), "MODULE LIST names the module");
}
