//! What ACL rules about keys and about commands let a user do.
//!
//! Permissions are asked with ACL DRYRUN, so that every line of the reference can be
//! tried without a sale.

use super::docs::words;
use super::reference::{REFERENCE, Reference};
use super::sale;
use crate::support::{Con, Server};

/// May a user with these rules run the line?
#[track_caller]
fn may(con: &mut Con, rules: &str, line: &str) -> bool {
    con.says(
        &format!("ACL SETUSER flashsale-test reset on nopass {rules}"),
        "OK",
    );
    let words = line
        .split(' ')
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ");
    let reply = con.show(&format!("ACL DRYRUN flashsale-test {words}"));
    con.says("ACL DELUSER flashsale-test", "1");
    assert!(!reply.contains("(error)"), "{rules}: {line}: {reply}");
    reply == "OK"
}

/// Asserts which commands a user with these rules may run.
#[track_caller]
fn only(con: &mut Con, rules: &str, is_allowed: impl Fn(&Reference) -> bool) {
    for command in REFERENCE.iter().filter(|command| !command.keys.is_empty()) {
        let expected = is_allowed(command);
        assert_eq!(
            may(con, rules, command.line),
            expected,
            "{rules}: {}",
            command.line
        );
    }
}

#[test]
fn acl_rules_about_keys_hold_for_every_command() {
    let server = Server::any();
    let mut con = server.conn();
    let is_read = |command: &Reference| command.flags == "readonly";
    let names_orders = |command: &Reference| command.keys.contains("orders");
    only(&mut con, "+@all ~sale:* ~orders:*", |_| true);
    only(&mut con, "+@all %RW~sale:* %RW~orders:*", |_| true);
    only(&mut con, "+@all ~sale:*", |command| !names_orders(command));
    only(&mut con, "+@all ~orders:*", |_| false);
    only(&mut con, "+@all ~sale:2", |_| false);
    // Reading is enough for reads, and for nothing else.
    only(&mut con, "+@all %R~sale:* ~orders:*", is_read);
    only(&mut con, "+@all %R~sale:* %R~orders:*", is_read);
    // Every change but the first also tells what is there.
    let is_create = |command: &Reference| command.name() == "flashsale.create";
    only(&mut con, "+@all %W~sale:* ~orders:*", is_create);
    // An order needs the right to write to the stream; naming one does not.
    let appends = |command: &Reference| command.keys.contains("orders:1 RW");
    only(&mut con, "+@all ~sale:* %R~orders:*", |command| {
        !appends(command)
    });
    let is_audit = |command: &Reference| command.name() == "flashsale.audit";
    only(&mut con, "+@all ~sale:* %W~orders:*", |command| {
        !is_audit(command)
    });
    // The stream left out, the right to the sale is still asked for.
    assert!(may(&mut con, "+@all %R~sale:*", "FLASHSALE.AUDIT sale:1"));
    assert!(!may(&mut con, "+@all ~orders:*", "FLASHSALE.AUDIT sale:1"));
}

#[test]
fn acl_rules_about_commands_hold() {
    let server = Server::any();
    let mut con = server.conn();
    only(&mut con, "-@all +flashsale.checkout ~*", |command| {
        command.name() == "flashsale.checkout"
    });
    let checkout = "FLASHSALE.CHECKOUT sale:1 orders:1 r1";
    assert!(!may(
        &mut con,
        "-@all +flashsale.checkout ~sale:*",
        checkout
    ));
    assert!(!may(
        &mut con,
        "-@all +flashsale.checkout ~orders:*",
        checkout
    ));
    assert!(may(
        &mut con,
        "-@all +flashsale.checkout ~sale:* ~orders:*",
        checkout
    ));
    // A selector's rights are not mixed with those of another.
    assert!(!may(
        &mut con,
        "-@all +flashsale.checkout ~sale:* (+@all ~orders:*)",
        checkout
    ));
    // Servers before Redis 7.4 have no categories but their own.
    if words(&con.run("ACL CAT"))
        .iter()
        .any(|category| category == "flashsale")
    {
        only(&mut con, "-@all +@flashsale ~*", |_| true);
        only(&mut con, "+@all -@flashsale ~*", |_| false);
    }
}

#[test]
fn a_user_without_the_right_to_the_stream_changes_nothing() {
    let server = Server::any();
    let mut con = server.conn();
    sale(&mut con);
    con.says(
        "ACL SETUSER flashsale-test reset on nopass ~sale:* -@all +flashsale.checkout",
        "OK",
    );
    let mut limited = server.conn();
    limited.says("AUTH flashsale-test any", "OK");
    let before = con.digest("sale:1");
    for line in [
        "FLASHSALE.CHECKOUT sale:1 orders:1 r1",
        "FLASHSALE.CHECKOUT sale:1 sale:2 r1",
        "FLASHSALE.RELEASE sale:1 r1",
    ] {
        let reply = limited.show(line);
        // The sale's own stream is out of reach, another one is an error, and no other
        // command is allowed.
        let is_told =
            reply.contains("NOPERM") || (line.contains("sale:2") && reply.contains("orders:"));
        assert!(is_told, "{line}: {reply}");
    }
    assert_eq!(before, con.digest("sale:1"));
    con.says("EXISTS orders:1 sale:2", "0");
    con.says("ACL SETUSER flashsale-test ~orders:*", "OK");
    limited.says("FLASHSALE.CHECKOUT sale:1 orders:1 r1", "SOLD r1 (entry)");
    con.says("ACL DELUSER flashsale-test", "1");
}
