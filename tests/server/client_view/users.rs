//! Users who may do one thing each - buy, be paid, look, run the sale - with commands
//! listed one by one and rights to keys of the least kind, on connections of their own.

use crate::support::{Con, Server, render};

/// Every command of one kind, on the sale `sale:1` with the stream `orders:1`.
struct Role {
    name: &'static str,
    rules: &'static str,
    commands: &'static str,
}

const ROLES: [Role; 5] = [
    Role {
        name: "buyer",
        rules: "%RW~sale:*",
        commands: "reserve release mreserve mrelease extend",
    },
    Role {
        name: "till",
        rules: "%RW~sale:* %RW~orders:*",
        commands: "checkout mcheckout mbuy refund",
    },
    Role {
        name: "reader",
        rules: "%R~sale:*",
        commands: "stock get user info scan",
    },
    Role {
        name: "operator",
        // Naming a stream asks for the right to look at it, and no more.
        rules: "%RW~sale:* %R~orders:*",
        commands: "create restock alter pause resume close bind",
    },
    Role {
        name: "auditor",
        rules: "%R~sale:* %R~orders:*",
        commands: "audit",
    },
];

/// A line of each command, each of which changes something or answers something.
const LINES: [(&str, &str); 23] = [
    ("create", "FLASHSALE.CREATE sale:2 orders:1 STOCK 5"),
    ("reserve", "FLASHSALE.RESERVE sale:1 bob 1 ID b1"),
    ("extend", "FLASHSALE.EXTEND sale:1 open 900000"),
    ("release", "FLASHSALE.RELEASE sale:1 given-back"),
    (
        "mreserve",
        "FLASHSALE.MRESERVE sale:1 ENTRIES 2 bob 1 b2 cyd 99 b3",
    ),
    ("mrelease", "FLASHSALE.MRELEASE sale:1 ENTRIES 1 unseen"),
    (
        "mbuy",
        "FLASHSALE.MBUY sale:1 orders:1 ENTRIES 1 bob 1 b4 p",
    ),
    (
        "mcheckout",
        "FLASHSALE.MCHECKOUT sale:1 orders:1 ENTRIES 1 open p",
    ),
    ("checkout", "FLASHSALE.CHECKOUT sale:1 orders:1 open"),
    ("refund", "FLASHSALE.REFUND sale:1 orders:1 sold"),
    ("restock", "FLASHSALE.RESTOCK sale:1 5"),
    ("alter", "FLASHSALE.ALTER sale:1 ORDERLIMIT 7"),
    ("pause", "FLASHSALE.PAUSE sale:1"),
    ("resume", "FLASHSALE.RESUME sale:1"),
    ("stock", "FLASHSALE.STOCK sale:1"),
    ("get", "FLASHSALE.GET sale:1 sold"),
    ("user", "FLASHSALE.USER sale:1 ann"),
    ("info", "FLASHSALE.INFO sale:1"),
    ("scan", "FLASHSALE.SCAN sale:1 0"),
    ("units", "FLASHSALE.UNITS sale:1 seats 0"),
    ("audit", "FLASHSALE.AUDIT sale:1 orders:1"),
    ("bind", "FLASHSALE.BIND sale:1 orders:2"),
    ("close", "FLASHSALE.CLOSE sale:1"),
];

/// Logs in as the user of a role, who may use MULTI and EVAL beside its commands.
fn log_in(server: &Server, admin: &mut Con, role: &Role) -> Con {
    let commands = role.commands.split(' ');
    let commands: String = commands.map(|name| format!(" +flashsale.{name}")).collect();
    let rules = format!("{}{commands} +multi +exec +eval +discard", role.rules);
    admin.says(
        &format!("ACL SETUSER {} reset on >secret -@all {rules}", role.name),
        "OK",
    );
    let mut con = server.conn();
    con.says(&format!("AUTH {} secret", role.name), "OK");
    con
}

fn make_sale(admin: &mut Con) {
    admin.run("DEL sale:1 sale:2 orders:1 orders:2");
    admin.says(
        "FLASHSALE.CREATE sale:1 orders:1 STOCK 9 MAXHOLD 9000000",
        "OK",
    );
    admin.says(
        "FLASHSALE.RESTOCK sale:1 UNITS seats 2 A-1 A-2 NEW",
        "RESTOCKED ...",
    );
    for id in ["open", "given-back"] {
        admin.says(
            &format!("FLASHSALE.RESERVE sale:1 ann 1 ID {id}"),
            "RESERVED ...",
        );
    }
    admin.says("FLASHSALE.BUY sale:1 orders:1 ann 1 ID sold", "SOLD ...");
}

fn digests(admin: &mut Con) -> String {
    admin.digest("sale:1 sale:2 orders:1 orders:2")
}

/// The line as a script runs it.
fn in_script(line: &str) -> Vec<Vec<u8>> {
    let words = line.split(' ').map(|word| word.as_bytes().to_vec());
    let mut eval: Vec<Vec<u8>> = ["EVAL", "return redis.call(unpack(ARGV))", "0"]
        .map(|word| word.as_bytes().to_vec())
        .to_vec();
    eval.extend(words);
    eval
}

/// The answers to one line sent by itself, in a transaction and in a script.
fn answers(con: &mut Con, line: &str) -> [String; 3] {
    let alone = con.show(line);
    con.says("MULTI", "OK");
    let queued = con.show(line);
    let executed = con.show("EXEC");
    let eval = in_script(line);
    let words: Vec<&[u8]> = eval.iter().map(Vec::as_slice).collect();
    let scripted = render(&con.run_words(&words));
    [alone, format!("{queued} {executed}"), scripted]
}

/// The server's words for "you may not".
fn is_denied(answer: &str) -> bool {
    let answer = answer.to_lowercase();
    let words = ["noperm", "no permission", "user executing the script can't"];
    answer.contains("(error)") && words.iter().any(|word| answer.contains(word))
}

#[test]
fn each_role_does_its_own_part_of_a_sale_and_no_other() {
    let server = Server::any();
    let mut admin = server.conn();
    for role in &ROLES {
        let mut con = log_in(&server, &mut admin, role);
        for (command, line) in LINES {
            make_sale(&mut admin);
            let before = digests(&mut admin);
            let is_allowed = role.commands.split(' ').any(|allowed| allowed == command);
            if is_allowed {
                let answer = con.show(line);
                assert!(
                    !answer.contains("(error)"),
                    "{}: {line}: {answer}",
                    role.name
                );
                let is_read = ["reader", "auditor"].contains(&role.name);
                let is_idle = is_read || command == "resume";
                assert_eq!(
                    digests(&mut admin) == before,
                    is_idle,
                    "{}: {line}",
                    role.name
                );
                continue;
            }
            for answer in answers(&mut con, line) {
                assert!(is_denied(&answer), "{}: {line}: {answer}", role.name);
            }
            assert_eq!(digests(&mut admin), before, "{}: {line}", role.name);
        }
        admin.says(&format!("ACL DELUSER {}", role.name), "1");
    }
}

#[test]
fn a_sale_is_held_by_four_users_of_least_rights() {
    let server = Server::any();
    let mut admin = server.conn();
    let mut users = ROLES.iter().map(|role| log_in(&server, &mut admin, role));
    let mut next = || users.next().expect("a role");
    let (mut buyer, mut till, mut reader, mut operator) = (next(), next(), next(), next());
    operator.says("FLASHSALE.CREATE sale:1 orders:1 STOCK 3 USERLIMIT 2", "OK");
    buyer.says("FLASHSALE.RESERVE sale:1 ann 2 ID a1", "RESERVED a1 * 1 0");
    buyer.says("FLASHSALE.RESERVE sale:1 ann 1 ID a2", "USERLIMIT 0");
    buyer.says("FLASHSALE.EXTEND sale:1 a1 1", "RESERVED a1 * 1 0");
    till.says(
        "FLASHSALE.CHECKOUT sale:1 orders:1 a1 REF p",
        "SOLD a1 (entry)",
    );
    // Whoever is paid cannot take units, and whoever buys cannot be paid.
    assert!(is_denied(&till.show("FLASHSALE.BUY sale:1 orders:1 eve 1")));
    assert!(is_denied(
        &buyer.show("FLASHSALE.BUY sale:1 orders:1 eve 1")
    ));
    assert!(is_denied(
        &buyer.show("FLASHSALE.CHECKOUT sale:1 orders:1 a1")
    ));
    reader.says("FLASHSALE.STOCK sale:1", "[default 1 0 2 0]");
    reader.fields("FLASHSALE.GET sale:1 a1", "state sold, ref p");
    operator.says("FLASHSALE.RESTOCK sale:1 4", "RESTOCKED [default 7 5]");
    till.says("FLASHSALE.REFUND sale:1 orders:1 a1", "REFUNDED a1 (entry)");
    buyer.says("FLASHSALE.RESERVE sale:1 bob 2 ID b1", "RESERVED b1 * 5 0");
    buyer.says("FLASHSALE.RELEASE sale:1 b1", "RELEASED b1");
    operator.says("FLASHSALE.CLOSE sale:1", "OK");
    reader.fields(
        "FLASHSALE.INFO sale:1",
        "state closed, available 7, refunded 2",
    );
    assert_eq!(admin.int("XLEN orders:1"), 2);
    for role in &ROLES[..4] {
        admin.says(&format!("ACL DELUSER {}", role.name), "1");
    }
}

#[test]
fn rights_to_keys_hold_alone_in_a_transaction_and_in_a_script() {
    let server = Server::any();
    let mut admin = server.conn();
    let checkout = "FLASHSALE.CHECKOUT sale:1 orders:1 open";
    let reserve = "FLASHSALE.RESERVE sale:1 bob 1 ID b1";
    for (command, rules, line) in [
        ("checkout", "%RW~sale:*", checkout),
        ("checkout", "%RW~orders:*", checkout),
        ("checkout", "%RW~sale:* %R~orders:*", checkout),
        ("checkout", "%R~sale:* %RW~orders:*", checkout),
        ("checkout", "%RW~sale:2 %RW~orders:*", checkout),
        ("reserve", "%R~sale:*", reserve),
        ("reserve", "%W~sale:*", reserve),
        ("reserve", "%RW~orders:*", reserve),
        ("stock", "%W~sale:*", "FLASHSALE.STOCK sale:1"),
        (
            "bind",
            "%R~sale:* %RW~orders:*",
            "FLASHSALE.BIND sale:1 orders:2",
        ),
    ] {
        make_sale(&mut admin);
        let before = digests(&mut admin);
        let role = Role {
            name: "limited",
            rules,
            commands: command,
        };
        let mut con = log_in(&server, &mut admin, &role);
        for answer in answers(&mut con, line) {
            assert!(is_denied(&answer), "{rules}: {line}: {answer}");
        }
        assert_eq!(digests(&mut admin), before, "{rules}: {line}");
        admin.says("ACL DELUSER limited", "1");
    }
}
