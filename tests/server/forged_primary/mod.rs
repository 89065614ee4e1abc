//! **Goal**: nothing a primary sends, however wrong, ends a replica, its link, its sales or
//! its filters: what does not fit is counted, told in the log and skipped, the sale is marked, and
//! what is right afterwards is carried out as if nothing had been. A marked sale does not
//! sell, should its server become a primary. From anybody else the commands of a primary
//! are an error.
//!
//! **Method**: the test plays the primary. It gives a real replica the RDB file of a
//! real server and then sends events it has made itself, wrong in one way each, and
//! events of that server with seeded damage. A sale is recounted by dumping it: another
//! server only restores what adds up. The engine's codec writes the events.

mod batches;
mod forgeries;
mod marks;

use flashsale_engine::sale::{Change, Created, EntryId, Forgets, Options, Order};
use flashsale_fuzz::mutate;
use flashsale_fuzz::samples::HASHER;
use redis::Value;

use crate::support::forged_primary::{ForgedPrimary, assert_no_crash, forge_rdb, rdb_of};
use crate::support::{Con, Dice, Feed, Server, render, wait_until, workload};
use forgeries::{AT_MS, SETUP, event, forgeries, lift, lines, order};

/// A real server whose words the test repeats, and the replica that hears them.
struct Stage {
    origin: Server,
    feed: Feed,
    replica: Server,
    primary: ForgedPrimary,
}

impl Stage {
    fn set(setup: impl FnOnce(&mut Con)) -> Option<Stage> {
        let origin = Server::own(&[], &[])?;
        let mut con = origin.conn();
        setup(&mut con);
        let rdb = rdb_of(&mut con, &origin);
        let feed = Feed::follow(&origin);
        let mut replica = Server::own(&[], &[])?;
        replica.may_diverge();
        let mut primary = ForgedPrimary::lead(&replica, &rdb);
        primary.tell(&[b"SELECT", b"0"]);
        assert!(primary.is_followed());
        assert_eq!(replica.conn().divergence(), 0);
        Some(Stage {
            origin,
            feed,
            replica,
            primary,
        })
    }

    /// Passes on what the real server has done since the last time.
    fn pass_on(&mut self) {
        for command in self.feed.commands() {
            self.primary.tell_words(&command);
        }
        assert!(self.primary.is_followed());
    }

    /// Both have the same, to the last bit.
    #[track_caller]
    fn assert_same(&self, keys: &str) {
        let (mut ahead, mut behind) = (self.origin.conn(), self.replica.conn());
        assert_eq!(ahead.digest(keys), behind.digest(keys));
    }

    #[track_caller]
    fn assert_well(&mut self) {
        assert!(self.primary.is_followed(), "the replica has hung up");
        let mut con = self.replica.conn();
        assert_eq!(con.info("replication", "master_link_status"), "up");
        assert_no_crash(&self.replica.log());
    }
}

/// Another server takes the value, because all of it adds up, and has the same then.
/// A sale that a damaged event has ended long ago is not told to clients any more.
#[track_caller]
fn assert_recounted(con: &mut Con, other: &mut Con, key: &str) -> bool {
    let expires = con.int(&format!("PEXPIRETIME {key}")).max(0).to_string();
    let Value::BulkString(payload) = con.run(&format!("DUMP {key}")) else {
        return false;
    };
    let mut words: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), expires.as_bytes()];
    words.extend([&payload[..], b"REPLACE", b"ABSTTL"]);
    let reply = render(&other.run_words(&words));
    assert_eq!(reply, "OK", "{key} does not add up");
    assert_eq!(con.digest(key), other.digest(key));
    true
}

fn set_up(con: &mut Con) {
    for line in SETUP {
        let reply = con.show(line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
    }
}

const ALL: &str = "sale closed fresh orders text stream set filter source nosuch new";

/// The sales among [`ALL`] that forgeries are about.
const SALES: [&str; 3] = ["sale", "closed", "fresh"];

/// What there is, but for how much each sale missed.
fn picture(con: &mut Con) -> Vec<String> {
    let others = [
        "orders", "text", "stream", "set", "filter", "source", "nosuch", "new",
    ];
    let mut seen: Vec<String> = others.iter().map(|key| con.digest(key)).collect();
    for key in SALES {
        seen.push(con.stock(key));
        for command in [
            "SCAN {} 0 COUNT 1000",
            "USER {} ann",
            "GET {} open",
            "GET {} sold",
        ] {
            let line = command.replace("{}", key);
            seen.push(con.show(&format!("FLASHSALE.{line}")));
        }
    }
    seen
}

#[test]
fn an_event_that_does_not_fit_is_counted_and_told_and_changes_nothing_but_the_mark() {
    let Some(mut stage) = Stage::set(set_up) else {
        return;
    };
    let mut con = stage.replica.conn();
    let mut count = 0;
    for key in SALES {
        let before = [
            con.stock(key),
            con.show(&format!("FLASHSALE.USER {key} ann")),
        ];
        let words = [&b"FLASHSALE.APPLY"[..], key.as_bytes(), b"x"];
        stage.primary.tell(&words);
        assert!(stage.primary.is_followed());
        count += 1;
        con.fields(&format!("FLASHSALE.INFO {key}"), "state diverged");
        let after = [
            con.stock(key),
            con.show(&format!("FLASHSALE.USER {key} ann")),
        ];
        assert_eq!(before, after, "{key}");
    }
    let mut misses = 1;
    for (what, words) in forgeries() {
        let before = picture(&mut con);
        stage.primary.tell_words(&words);
        assert!(stage.primary.is_followed(), "{what}: hung up");
        count += 1;
        assert_eq!(con.divergence(), count, "{what}: not counted once");
        assert_eq!(before, picture(&mut con), "{what}: something changed");
        misses += u64::from(words.get(1).is_some_and(|key| key == b"sale"));
    }
    println!("{count} forgeries");
    stage.assert_well();
    let log = stage.replica.log();
    assert!(log.contains("does not fit 'sale'"), "{log}");
    // Errors to a primary are what a replica may be set to end itself over.
    assert!(!log.contains("CRITICAL"), "{log}");
    // Without the mark it is the sale it was; the server behind it said that it is paused.
    let marked_at_ms = con.field("FLASHSALE.INFO sale", "paused_at_ms");
    let lifted = lift(marked_at_ms.parse().expect("a moment"), misses);
    for event in [lifted, event(Change::Paused)] {
        let words = [&b"FLASHSALE.APPLY"[..], b"sale", &event];
        stage.primary.tell(&words);
    }
    let mut honest = stage.origin.conn();
    for line in [
        "FLASHSALE.RESUME sale",
        "FLASHSALE.BUY sale orders cyd ITEMS 1 a 2 ID new REF q",
        "FLASHSALE.CHECKOUT sale orders open",
        "FLASHSALE.RELEASE sale nosuch",
        "FLASHSALE.REFUND sale orders sold REF g",
    ] {
        let reply = honest.show(line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
    }
    stage.pass_on();
    assert_eq!(con.divergence(), count);
    stage.assert_same("sale orders text stream set filter source nosuch new");
}

#[test]
fn a_command_with_words_missing_changes_nothing_and_keeps_the_link() {
    let Some(mut stage) = Stage::set(set_up) else {
        return;
    };
    let before = stage.replica.conn().digest(ALL);
    let lines: [&[&[u8]]; 6] = [
        &[b"FLASHSALE.APPLY"],
        &[b"FLASHSALE.APPLY", b"sale"],
        &[b"FLASHSALE.LOAD"],
        &[b"FLASHSALE.LOAD", b"sale"],
        &[b"FLASHSALE.LOAD", b"sale", b"x", b"y"],
        &[b"FLASHSALE.NOSUCH", b"sale"],
    ];
    for words in lines {
        stage.primary.tell(words);
        stage.assert_well();
    }
    assert_eq!(before, stage.replica.conn().digest(ALL));
    // In a transaction as well.
    let without = "closed fresh orders text stream set filter source nosuch new";
    let before = [
        stage.replica.conn().digest(without),
        stage.replica.conn().stock("sale"),
    ];
    let count = stage.replica.conn().divergence();
    stage.primary.tell(&[b"MULTI"]);
    stage.primary.tell(&[b"FLASHSALE.APPLY", b"sale", b"x"]);
    stage.primary.tell(&[b"FLASHSALE.APPLY", b"sale", b"y"]);
    stage.primary.tell(&[b"EXEC"]);
    stage.assert_well();
    let mut con = stage.replica.conn();
    assert_eq!(con.divergence(), count + 2);
    assert_eq!(
        before,
        [stage.replica.conn().digest(without), con.stock("sale")]
    );
    con.fields("FLASHSALE.INFO sale", "state diverged");
}

#[test]
fn an_entry_the_stream_does_not_take_is_counted_and_the_sale_follows_all_the_same() {
    let Some(mut stage) = Stage::set(set_up) else {
        return;
    };
    let mut con = stage.replica.conn();
    let entries = con.int("XLEN orders");
    let bought = |id: &'static str, entry: EntryId| {
        event(Change::Bought {
            id: HASHER.key(id.as_bytes()),
            user: HASHER.key(b"eve"),
            lines: lines(&[(0, 1)]),
            order: Order {
                entry,
                ..order(AT_MS)
            },
            forgets: Forgets::Nothing,
        })
    };
    let nowhere = EntryId { ms: 0, seq: 0 };
    let earlier = EntryId { ms: 5, seq: 0 };
    let later = EntryId { ms: AT_MS, seq: 0 };
    let told: [(&str, EntryId, &[&[u8]]); 5] = [
        ("e5", later, &[]),
        ("e1", nowhere, &[b"orders"]),
        ("e2", earlier, &[b"orders"]),
        ("e3", later, &[b"text"]),
        ("e4", later, &[b"sale"]),
    ];
    for (count, (id, entry, orders)) in (1..).zip(told) {
        let event = bought(id, entry);
        let words = [&[&b"FLASHSALE.APPLY"[..], b"sale"], orders, &[&event]].concat();
        stage.primary.tell(&words);
        stage.assert_well();
        assert_eq!(con.divergence(), count, "{id}");
        con.fields(&format!("FLASHSALE.GET sale {id}"), "state sold");
    }
    assert_eq!(con.int("XLEN orders"), entries);
    con.says("FLASHSALE.STOCK sale a", "[a 1 2 7 0]");
    con.fields("FLASHSALE.INFO sale", "state diverged");
    con.says("TYPE text", "+string");
}

#[test]
fn a_sale_made_where_something_is_already_is_counted_and_is_what_the_primary_says() {
    let Some(mut stage) = Stage::set(set_up) else {
        return;
    };
    let mut con = stage.replica.conn();
    let event = event(Change::Created(Box::new(Created {
        sale_id: 7,
        share_id: 7,
        orders: b"elsewhere",
        options: Options::new(1_000, 3_600_000),
        items: vec![(b"z", 3)],
    })));
    for (count, key) in (1..).zip(["sale", "text", "stream", "closed"]) {
        let words = [&b"FLASHSALE.APPLY"[..], key.as_bytes(), &event];
        stage.primary.tell(&words);
        stage.assert_well();
        assert_eq!(con.divergence(), count, "{key}");
        con.says(&format!("FLASHSALE.STOCK {key}"), "[z 3 0 0 0]");
        con.fields(&format!("FLASHSALE.INFO {key}"), "state diverged");
        con.says(&format!("PTTL {key}"), "-1");
    }
}

#[test]
fn damaged_events_of_a_real_primary_leave_sales_that_add_up() {
    let Some(other) = Server::own(&[], &[]) else {
        return;
    };
    let mut other = other.conn();
    // A replica of nobody: it returns nothing that is overdue.
    other.says("REPLICAOF 127.0.0.1 1", "OK");
    other.says("CONFIG SET replica-read-only no", "OK");
    let mut dice = Dice::seeded();
    let Some(mut stage) = Stage::set(workload::create) else {
        return;
    };
    workload::play(&mut stage.origin.conn(), &mut dice, 3_000);
    let honest = stage.feed.commands();
    let mut con = stage.replica.conn();
    let mut fuzz = dice.split();
    let (mut sent, mut recounts, mut pieces) = (0, 0, Vec::new());
    let mut is_within = false;
    for (number, command) in honest.iter().enumerate() {
        // MULTI and EXEC stay as they are: half a transaction stops the stream.
        let is_ours = command[0] == b"FLASHSALE.APPLY";
        let copies = usize::from(is_ours && fuzz.one_in(3));
        for _ in 0..copies {
            let mut damaged = command.clone();
            let last = damaged.len() - 1;
            for _ in 0..=fuzz.below(2) {
                mutate::damage(&mut damaged[last], &mut fuzz);
            }
            if fuzz.one_in(4) && !pieces.is_empty() {
                damaged[last] = Vec::clone(fuzz.pick(&pieces));
            }
            stage.primary.tell_words(&damaged);
            sent += 1;
        }
        stage.primary.tell_words(command);
        if is_ours {
            pieces.push(command[command.len() - 1].clone());
        }
        // Within a transaction the question itself would wait for its end.
        is_within = command[0] == b"MULTI" || is_within && command[0] != b"EXEC";
        if number % 40 == 0 && !is_within {
            assert!(stage.primary.is_followed(), "hung up at {number}");
            recounts += u32::from(assert_recounted(&mut con, &mut other, "sale"));
        }
    }
    stage.assert_well();
    assert_recounted(&mut con, &mut other, "sale");
    let (diverged, honest) = (con.divergence(), honest.len());
    println!(
        "{diverged} of {sent} damaged and {honest} honest events did not fit; {recounts} recounts"
    );
    assert!(diverged > 50);
    // As a primary it goes on with what it has.
    con.says("REPLICAOF NO ONE", "OK");
    con.says("FLASHSALE.RESUME sale", "OK");
    workload::stir(&mut con, &mut dice, 300);
    // Nothing is returned any more while it is dumped.
    con.says("REPLICAOF 127.0.0.1 1", "OK");
    assert_recounted(&mut con, &mut other, "sale");
    assert_no_crash(&stage.replica.log());
}

/// Ways of an ordinary client to send one command.
fn ways(words: &[&str]) -> Vec<Vec<String>> {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let lua = format!(
        "local all = {{unpack(KEYS)}} for _, a in ipairs(ARGV) do all[#all+1] = a end return redis.call('{}', unpack(all))",
        words[0]
    );
    let library = format!(
        "#!lua name=forged\nredis.register_function('forged', function(keys, args) return redis.call('{}', keys[1], args[1]) end)",
        words[0]
    );
    vec![
        own(words),
        own(&[&["EVAL", &lua, "1"], &words[1..]].concat()),
        vec!["FUNCTION".into(), "LOAD".into(), "REPLACE".into(), library],
        own(&["FCALL", "forged", "1", words[1], words[words.len() - 1]]),
    ]
}

#[test]
fn a_client_who_sends_what_a_primary_sends_gets_an_error_whoever_it_is() {
    let Some(stage) = Stage::set(set_up) else {
        return;
    };
    let mut feed = stage.feed;
    let replica_con = stage.replica.conn();
    for mut con in [stage.origin.conn(), replica_con] {
        let before = con.digest(ALL);
        con.says("ACL SETUSER all on nopass ~* &* +@all", "OK");
        con.says("AUTH all x", "OK");
        con.run("CONFIG SET replica-read-only no");
        for command in ["FLASHSALE.APPLY", "FLASHSALE.LOAD"] {
            for key in ["sale", "new", "text"] {
                for way in ways(&[command, key, "x"]) {
                    let words: Vec<&[u8]> = way.iter().map(String::as_bytes).collect();
                    let reply = render(&con.run_words(&words));
                    if way[0] == "FUNCTION" {
                        continue;
                    }
                    assert!(reply.contains("internal: only"), "{way:?}: {reply}");
                }
                con.says("MULTI", "OK");
                con.says(&format!("{command} {key} x"), "+QUEUED");
                let reply = con.show("EXEC");
                assert!(reply.contains("internal: only"), "{reply}");
            }
        }
        assert_eq!(before, con.digest(ALL));
        assert_eq!(con.divergence(), 0);
    }
    let replicated = feed.short();
    let ours: Vec<&String> = replicated
        .iter()
        .filter(|line| line.starts_with("FLASHSALE"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn a_forged_snapshot_is_refused_and_ends_nothing_in_a_crash() {
    let Some(origin) = Server::own(&["--rdbcompression no"], &[]) else {
        return;
    };
    let mut con = origin.conn();
    set_up(&mut con);
    let rdb = rdb_of(&mut con, &origin);
    // The item `b`: 7 available, 0 reserved, 0 sold.
    let item = [2, 1, b'b', 7, 0, 0];
    let at = rdb.windows(6).position(|window| window == item);
    let at = at.expect("the item in the file");
    for diskless in ["disabled", "on-empty-db"] {
        for forged in [[7, 1, 0], [7, 0, 1], [251, 0, 0], [7, 0, 251]] {
            let forged = forge_rdb(&rdb, |bytes| bytes[at + 3..at + 6].copy_from_slice(&forged));
            let setting = format!("--repl-diskless-load {diskless}");
            let mut replica = Server::own(&[&setting], &[]).expect("a server");
            let link = ForgedPrimary::lead(&replica, &forged);
            wait_until("the replica refuses it", || {
                replica.log().contains("module type 'flashsale'")
            });
            drop(link);
            // From a file, the server ends in good order; a signal would have no code.
            wait_until("the replica has given up on it", || {
                match replica.has_ended() {
                    Some(code) => code.is_some(),
                    None => replica.log().contains("Failed trying to load the"),
                }
            });
            assert_no_crash(&replica.log());
        }
    }
}
