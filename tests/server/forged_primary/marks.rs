//! Copies that missed a change of their primary: marked, on a chain of replicas, in their
//! AOFs, after a promotion, a restart and a resync.

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::HASHER;
use redis::Value;

use super::forgeries::{AT_MS, event, lift, lines, order};
use crate::support::aof::{self, Aof};
use crate::support::forged_primary::{ForgedPrimary, assert_no_crash, rdb_of};
use crate::support::{Con, Server, text_of, wait_for_replica, wait_until};

/// A replica, and a replica of it, that hear a forged primary; both write an AOF.
pub(super) struct Chain {
    rdb: Vec<u8>,
    pub first: Server,
    pub second: Server,
    primary: ForgedPrimary,
    told: u64,
}

/// What both have at first: sales alike but for their names.
const SALES: [&str; 4] = ["newer", "kind", "option", "misfit"];

fn set_up(con: &mut Con) {
    for sale in SALES {
        let orders = format!("{sale}:o");
        for line in [
            format!("CREATE {sale} {orders} STOCK 10 HOLD 3000000"),
            format!("RESERVE {sale} ann 2 ID open"),
            format!("RESERVE {sale} bob 1 ID given"),
            format!("BUY {sale} {orders} cyd 1 ID sold REF p"),
        ] {
            let reply = con.show(&format!("FLASHSALE.{line}"));
            assert!(!reply.contains("(error)"), "{line}: {reply}");
        }
    }
    con.run("SET text x");
    con.run("FLASHSALE.BFADD filter a");
}

impl Chain {
    pub fn set(preamble: &str) -> Option<Chain> {
        let origin = Server::own(&[], &[])?;
        let mut con = origin.conn();
        set_up(&mut con);
        let rdb = rdb_of(&mut con, &origin);
        let args = format!("--appendonly yes --aof-use-rdb-preamble {preamble}");
        let mut first = Server::own(&[&args], &[])?;
        let mut second = Server::own(&[&args], &[])?;
        first.may_diverge();
        second.may_diverge();
        let mut primary = ForgedPrimary::lead(&first, &rdb);
        primary.tell(&[b"SELECT", b"0"]);
        assert!(primary.is_followed());
        let at = first.port();
        second
            .conn()
            .says(&format!("REPLICAOF 127.0.0.1 {at}"), "OK");
        wait_for_replica(&first, &second);
        // What is written from here on is in the files of changes.
        for con in [&mut first.conn(), &mut second.conn()] {
            aof::wait_for_rewrite(con);
        }
        Some(Chain {
            rdb,
            first,
            second,
            primary,
            told: 0,
        })
    }

    /// Tells a line that does not fit.
    #[track_caller]
    pub fn mislead(&mut self, words: &[&[u8]]) {
        self.mislead_times(words, 1);
    }

    /// Tells a line in which so many events do not fit.
    #[track_caller]
    pub fn mislead_times(&mut self, words: &[&[u8]], misfits: u64) {
        self.primary.tell(words);
        self.told += misfits;
        self.follow();
        for server in [&self.first, &self.second] {
            assert_eq!(server.conn().divergence(), self.told);
        }
    }

    /// Tells a line that fits.
    #[track_caller]
    pub fn lead(&mut self, words: &[&[u8]]) {
        self.primary.tell(words);
        self.follow();
        for server in [&self.first, &self.second] {
            assert_eq!(server.conn().divergence(), self.told);
        }
    }

    #[track_caller]
    fn follow(&mut self) {
        assert!(self.primary.is_followed(), "the replica has hung up");
        wait_for_replica(&self.first, &self.second);
    }

    pub fn cons(&self) -> [Con; 2] {
        [self.first.conn(), self.second.conn()]
    }
}

fn reserved(id: &'static str, qty: u64) -> Vec<u8> {
    event(Change::Reserved {
        id: HASHER.key(id.as_bytes()),
        user: HASHER.key(b"eve"),
        lines: lines(&[(0, qty)]),
        expires_at_ms: AT_MS + 5,
        forgets: Forgets::Nothing,
        replaces: None,
    })
}

pub(super) fn apply<'a>(keys: &[&'a str], event: &'a [u8]) -> Vec<&'a [u8]> {
    let mut words = vec![&b"FLASHSALE.APPLY"[..]];
    words.extend(keys.iter().map(|key| key.as_bytes()));
    words.push(event);
    words
}

/// What each of [`SALES`] is told, and what its mark says of it.
fn forged() -> [(&'static str, Vec<u8>, &'static str); 4] {
    let good = reserved("new", 1);
    let mut newer = good.clone();
    newer[0] = 99;
    let mut kind = good.clone();
    kind[1] = 100;
    // An option with a tag that nobody has.
    let mut option = reserved("new", 1);
    option[1] |= 0x80;
    option.extend([1, 99, 0]);
    [
        (SALES[0], newer, "the data is of a newer version: an event"),
        (
            SALES[1],
            kind,
            "the data is of a newer version: a kind of event",
        ),
        (
            SALES[2],
            option,
            "the data is of a newer version: an option",
        ),
        (SALES[3], reserved("open", 1), "the id is known"),
    ]
}

fn diverged(con: &mut Con) -> u64 {
    let told = con.info("flashsale", "flashsale_sales_diverged");
    told.parse().expect("a number")
}

/// What DOCTOR says of marked sales.
#[track_caller]
fn advice(con: &mut Con) -> Option<String> {
    let Value::Array(findings) = con.run("FLASHSALE.DOCTOR") else {
        panic!("DOCTOR answers with an array");
    };
    findings.iter().find_map(|finding| match finding {
        Value::Array(words) if text_of(&words[1]) == "diverged" => {
            assert_eq!(text_of(&words[0]), "error");
            Some(text_of(&words[2]))
        }
        _ => None,
    })
}

/// The lines about a sale in the file of changes of an ended server.
pub(super) fn lines_of(server: &Server, sale: &str) -> Vec<Vec<Vec<u8>>> {
    let aof = Aof::of(server);
    let mut lines = aof::commands(aof.tail());
    lines.retain(|words| words.get(1).is_some_and(|key| key == sale.as_bytes()));
    lines
}

/// The kind of the event in a line.
fn kind_of(words: &[Vec<u8>]) -> u8 {
    words.last().expect("an event")[1]
}

const MARKED: u8 = 17;

/// Only retries, and what is on the way, is served; the rest is refused.
#[track_caller]
fn assert_sells_nothing_new(con: &mut Con, sale: &str) {
    let orders = format!("{sale}:o");
    con.says(&format!("FLASHSALE.RESERVE {sale} dan 1"), "PAUSED *");
    con.says(&format!("FLASHSALE.BUY {sale} {orders} dan 1"), "PAUSED *");
    let retry = format!("FLASHSALE.RESERVE {sale} ann 2 ID open");
    con.says(&retry, "RESERVED open * 6 -1");
    con.fields(&format!("FLASHSALE.INFO {sale}"), "state diverged");
}

#[test]
fn a_copy_that_missed_an_event_is_marked_and_so_is_its_own_aof() {
    let Some(mut chain) = Chain::set("yes") else {
        return;
    };
    let [mut con, mut copy] = chain.cons();
    for (count, (sale, bytes, reason)) in (1..).zip(forged()) {
        let before = con.field(&format!("FLASHSALE.INFO {sale}"), "created_at_ms");
        // Twice: each miss is written down, and the first reason stays.
        for _ in 0..2 {
            chain.mislead(&apply(&[sale], &bytes));
        }
        for con in [&mut con, &mut copy] {
            let info = format!("FLASHSALE.INFO {sale}");
            con.fields(&info, "state diverged");
            // Not the moment of the forgery, which is far ahead.
            let paused_at_ms = con.field(&info, "paused_at_ms");
            assert!(paused_at_ms >= before && paused_at_ms.len() == before.len());
            assert_eq!(diverged(con), count);
            let advice = advice(con).expect("something about it");
            let named = format!("'{sale}' in database 0 ({reason})");
            assert!(advice.contains(&named), "{named}: {advice}");
        }
    }
    // What fits goes on, and is in the AOF as it came.
    let good = reserved("late", 1);
    chain.lead(&apply(&["misfit"], &good));
    for line in [&["nosuch"][..], &["text"], &["nosuch", "orders"]] {
        chain.mislead(&apply(line, &good));
    }
    for con in [&mut con, &mut copy] {
        con.fields("FLASHSALE.GET misfit late", "state reserved");
        con.says("EXISTS nosuch", "0");
    }
    assert_eq!(con.digest("misfit"), copy.digest("misfit"));
    for server in [&mut chain.second, &mut chain.first] {
        server.shut_down();
        for (sale, bytes, _) in forged() {
            let lines = lines_of(server, sale);
            let kinds: Vec<u8> = lines.iter().map(|words| kind_of(words)).collect();
            let expected = [MARKED, MARKED, 2];
            let is_misfit = sale == "misfit";
            assert_eq!(kinds, expected[..2 + usize::from(is_misfit)], "{sale}");
            assert!(lines.iter().all(|words| words[words.len() - 1] != bytes));
        }
        assert_eq!(lines_of(server, "nosuch").len(), 0);
        assert_eq!(lines_of(server, "text").len(), 0);
    }
}

#[test]
fn a_marked_sale_does_not_sell_after_a_promotion_or_a_restart_until_it_is_resumed() {
    for preamble in ["yes", "no"] {
        let Some(mut chain) = Chain::set(preamble) else {
            return;
        };
        for (sale, bytes, _) in forged() {
            chain.mislead(&apply(&[sale], &bytes));
        }
        let Chain {
            mut first, second, ..
        } = chain;
        let mut con = first.conn();
        con.says("REPLICAOF NO ONE", "OK");
        for sale in SALES {
            assert_sells_nothing_new(&mut con, sale);
        }
        is_served_all_the_same(&mut con);
        wait_for_replica(&first, &second);
        let all = "newer kind option misfit kind:o";
        assert_eq!(con.digest(all), second.conn().digest(all));
        // From the file of changes, from a rewritten one, and from a snapshot.
        let digest = con.digest(all);
        first.restart();
        is_marked_still(&first, &digest, all);
        aof::rewrite(&mut first.conn());
        first.restart();
        is_marked_still(&first, &digest, all);
        first.conn().says("SAVE", "OK");
        first.shut_down();
        first.start_again(&["--appendonly no"]);
        is_marked_still(&first, &digest, all);
        // The first AOF goes on from here, so nothing of the snapshot is missing there.
        first.shut_down();
        first.start_again(&[]);
        is_resumed(&mut first, second);
    }
}

/// What was promised before is kept: checkouts, releases, refunds, expiry.
#[track_caller]
fn is_served_all_the_same(con: &mut Con) {
    con.says(
        "FLASHSALE.CHECKOUT kind kind:o open REF q",
        "SOLD open (entry)",
    );
    con.says(
        "FLASHSALE.CHECKOUT kind kind:o open REF q",
        "SOLD open (entry)",
    );
    con.says("FLASHSALE.RELEASE kind given", "RELEASED given");
    con.says("FLASHSALE.REFUND kind kind:o sold", "REFUNDED sold (entry)");
    con.says("FLASHSALE.RESERVE kind ann 2 ID open", "SOLD open (entry)");
    con.says("FLASHSALE.STOCK kind", "[default 8 0 2 0]");
}

#[track_caller]
fn is_marked_still(server: &Server, digest: &str, all: &str) {
    let mut con = server.conn();
    assert_eq!(con.digest(all), digest);
    assert_eq!(diverged(&mut con), 4);
    assert_eq!(con.divergence(), 0, "the AOF has nothing that does not fit");
    let advice = advice(&mut con).expect("something about it");
    for sale in SALES {
        assert!(
            advice.contains(&format!("'{sale}' in database 0 (")),
            "{advice}"
        );
        con.says(&format!("FLASHSALE.RESERVE {sale} dan 1"), "PAUSED *");
    }
    assert_no_crash(&server.log());
}

/// RESUME lifts the mark here and on whoever follows, on a closed sale too, for good.
#[track_caller]
fn is_resumed(server: &mut Server, second: Server) {
    let mut con = server.conn();
    wait_for_replica(server, &second);
    assert_eq!(diverged(&mut second.conn()), 4, "as its new primary");
    con.says("FLASHSALE.CLOSE misfit", "OK");
    for (left, sale) in (0..4).rev().zip(SALES) {
        con.says(&format!("FLASHSALE.RESUME {sale}"), "OK");
        assert_eq!(diverged(&mut con), left);
        let reply = if sale == "misfit" {
            "ENDED *"
        } else {
            "RESERVED ..."
        };
        con.says(&format!("FLASHSALE.RESERVE {sale} dan 1 ID dan"), reply);
    }
    assert_eq!(advice(&mut con), None);
    con.says("FLASHSALE.RESUME misfit", "ENDED *");
    wait_for_replica(server, &second);
    assert_eq!(diverged(&mut second.conn()), 0);
    server.restart();
    let mut con = server.conn();
    assert_eq!((diverged(&mut con), con.divergence()), (0, 0));
    con.says("FLASHSALE.RESERVE newer dan 1 ID dan", "RESERVED ...");
}

#[test]
fn the_resume_of_a_sound_primary_lifts_no_mark_and_a_full_resync_does() {
    let Some(mut chain) = Chain::set("yes") else {
        return;
    };
    chain.mislead(&apply(&["kind"], b"x"));
    chain.lead(&apply(&["kind"], &event(Change::Paused)));
    let resumed = event(Change::Resumed { lifts: None });
    chain.lead(&apply(&["kind"], &resumed));
    for mut con in chain.cons() {
        con.fields("FLASHSALE.INFO kind", "state diverged");
        assert_eq!(diverged(&mut con), 1);
    }
    let mut again = ForgedPrimary::lead(&chain.first, &chain.rdb);
    assert!(again.is_followed());
    wait_for_replica(&chain.first, &chain.second);
    for mut con in chain.cons() {
        wait_until("it is a copy again", || diverged(&mut con) == 0);
        con.fields("FLASHSALE.INFO kind", "state open");
        assert_eq!(advice(&mut con), None);
    }
    // Lifted by the event of a person's RESUME, on a chain as well.
    let words = apply(&["kind"], b"x");
    again.tell(&[b"SELECT", b"0"]);
    again.tell(&words);
    let marked_at_ms = chain
        .first
        .conn()
        .field("FLASHSALE.INFO kind", "paused_at_ms");
    let marked_at_ms = marked_at_ms.parse().expect("a moment");
    // What lifts the mark of a copy that missed something else lifts none of these.
    for other in [lift(marked_at_ms, 2), lift(marked_at_ms - 1, 1)] {
        again.tell(&apply(&["kind"], &other));
    }
    assert!(again.is_followed());
    wait_for_replica(&chain.first, &chain.second);
    for mut con in chain.cons() {
        con.fields("FLASHSALE.INFO kind", "state diverged");
    }
    again.tell(&apply(&["kind"], &lift(marked_at_ms, 1)));
    assert!(again.is_followed());
    wait_for_replica(&chain.first, &chain.second);
    for mut con in chain.cons() {
        con.fields("FLASHSALE.INFO kind", "state open");
        assert_eq!(diverged(&mut con), 0);
    }
    // On the primary it sells at once.
    let mut con = chain.first.conn();
    con.says("REPLICAOF NO ONE", "OK");
    con.says("FLASHSALE.RESERVE kind dan 1", "RESERVED ...");
}

#[test]
fn an_aof_has_nothing_of_what_did_not_fit_and_the_next_start_takes_it() {
    let Some(mut chain) = Chain::set("no") else {
        return;
    };
    let later = |seq: u64| EntryId { ms: AT_MS, seq };
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
    let created = event(Change::Created(Box::new(Created {
        sale_id: 7,
        share_id: 7,
        orders: b"elsewhere",
        options: Options::new(1_000, 1_000),
        items: vec![(b"z", 3)],
    })));
    // The stream takes no entry: the sale follows, and so does what builds on it.
    chain.mislead(&apply(
        &["newer", "newer:o"],
        &bought("early", EntryId { ms: 5, seq: 0 }),
    ));
    let refunded = event(Change::Refunded(Refund {
        id: HASHER.key(b"early"),
        lines: lines(&[(0, 1)]),
        reference: None,
        restocks: true,
        restores_limit: true,
        no_restock: Some(false),
        entry: later(3),
        told: Told::default(),
    }));
    chain.lead(&apply(&["newer", "newer:o"], &refunded));
    chain.mislead(&apply(&["newer", "text"], &bought("later", later(5))));
    // Something is where a sale or a filter is made.
    chain.mislead(&apply(&["kind"], &created));
    chain.mislead(&apply(&["text"], &created));
    // Filters, which carry no mark, and chunks, which no primary sends.
    chain.mislead(&[b"FLASHSALE.BFAPPLY", b"filter", b"x"]);
    chain.mislead(&[b"FLASHSALE.BFAPPLY", b"nosuch", b"\x01\x02"]);
    chain.mislead(&[b"FLASHSALE.LOAD", b"nosuch", b"x"]);
    chain.mislead(&[b"FLASHSALE.BFLOAD", b"nosuch", b"x"]);
    chain.mislead(&[b"FLASHSALE.LOAD", b"option", b"x"]);
    // The name of a filter, for a sale: whatever is there at the primary, it is not this.
    chain.mislead(&[b"FLASHSALE.BFAPPLY", b"misfit", b"x"]);
    // In a transaction, and in another database.
    chain.primary.tell(&[b"MULTI"]);
    chain
        .primary
        .tell(&apply(&["option"], &reserved("within", 1)));
    chain.primary.tell(&apply(&["option"], b"x"));
    chain.primary.tell(&[b"SELECT", b"3"]);
    chain.primary.tell(&apply(&["far"], &created));
    chain.primary.tell(&apply(&["far"], &reserved("late", 1)));
    chain.primary.tell(&[b"EXEC"]);
    chain.told += 1;
    chain.lead(&[b"PING"]);
    chain.mislead(&apply(&["far"], &reserved("late", 1)));
    chain.lead(&[b"SELECT", b"0"]);
    let all = "newer kind option misfit text filter nosuch newer:o kind:o";
    let digest = chain.first.conn().digest(all);
    assert_eq!(digest, chain.second.conn().digest(all));
    for server in [&mut chain.second, &mut chain.first] {
        assert_eq!(diverged(&mut server.conn()), 6);
        server.shut_down();
        server.start_again(&["--replicaof no one"]);
        let mut con = server.conn();
        assert_eq!(con.digest(all), digest);
        assert_eq!((diverged(&mut con), con.divergence()), (6, 0));
        con.fields("FLASHSALE.GET option within", "state reserved");
        let mut far = server.conn_db(3);
        far.fields("FLASHSALE.INFO far", "state diverged");
        far.fields("FLASHSALE.GET far late", "state reserved");
        con.fields("FLASHSALE.GET newer early", "state refunded");
        con.fields("FLASHSALE.GET newer later", "state sold");
        con.says("FLASHSALE.STOCK text", "[z 3 0 0 0]");
        con.says("FLASHSALE.RESERVE text dan 1", "PAUSED *");
    }
}

#[test]
fn the_gauge_and_doctor_follow_a_marked_sale_wherever_it_goes() {
    let Some(mut chain) = Chain::set("yes") else {
        return;
    };
    for (sale, bytes, _) in forged() {
        chain.mislead(&apply(&[sale], &bytes));
    }
    let mut con = chain.first.conn();
    con.says("REPLICAOF NO ONE", "OK");
    let is_named = |con: &mut Con, place: &str| {
        advice(con).is_some_and(|advice| advice.contains(&format!("{place} (")))
    };
    con.says("RENAME newer moved", "OK");
    assert!(is_named(&mut con, "'moved' in database 0"));
    assert!(!is_named(&mut con, "'newer' in database 0"));
    con.says("MOVE moved 3", "1");
    assert!(is_named(&mut con, "'moved' in database 3"));
    assert!(!is_named(&mut con, "'moved' in database 0"));
    con.says("SWAPDB 3 5", "OK");
    assert!(is_named(&mut con, "'moved' in database 5"));
    // DOCTOR leaves its client where it was.
    con.says("EXISTS kind", "1");
    let Value::BulkString(payload) = con.run("DUMP kind") else {
        panic!("a payload");
    };
    con.run_words(&[b"RESTORE", b"again", b"0", &payload]);
    assert_eq!(diverged(&mut con), 5);
    assert!(is_named(&mut con, "'again' in database 0"));
    con.says("DEBUG RELOAD", "OK");
    assert_eq!(diverged(&mut con), 5);
    assert!(is_named(&mut con, "'again' in database 0"));
    assert!(is_named(&mut con, "'moved' in database 5"));
    con.says("DEL again", "1");
    con.says("CONFIG SET lazyfree-lazy-user-del yes", "OK");
    con.says("UNLINK kind", "1");
    wait_until("they are freed", || diverged(&mut con) == 3);
    assert!(!is_named(&mut con, "'kind' in database 0"));
    con.says("FLUSHALL SYNC", "OK");
    assert_eq!(diverged(&mut con), 0);
    assert_eq!(advice(&mut con), None);
}

/// The chunks of a sale of many items.
fn chunks() -> Vec<Vec<u8>> {
    let skus: Vec<String> = (0..9_000).map(|n| format!("sku-number-{n}")).collect();
    let created = Event {
        at_ms: AT_MS,
        change: Change::Created(Box::new(Created {
            sale_id: 7,
            share_id: 7,
            orders: b"elsewhere",
            options: Options::new(1_000, 1_000),
            items: skus.iter().map(|sku| (sku.as_bytes(), 5)).collect(),
        })),
    };
    let sale = Sale::create(&created, HASHER).expect("a sale");
    let mut chunks = Vec::new();
    save(&sale, &mut |chunk| chunks.push(chunk.to_vec()));
    assert!(chunks.len() > 2, "{} chunks", chunks.len());
    chunks
}

#[test]
fn a_sale_on_its_way_that_misses_a_chunk_is_gone_and_the_next_start_knows() {
    let Some(mut chain) = Chain::set("no") else {
        return;
    };
    let chunks = chunks();
    for chunk in &chunks {
        chain.lead(&[b"FLASHSALE.LOAD", b"whole", chunk]);
    }
    chain.lead(&[b"FLASHSALE.LOAD", b"half", &chunks[0]]);
    chain.mislead(&[b"FLASHSALE.LOAD", b"half", &chunks[2][1..]]);
    for chunk in &chunks[1..] {
        chain.mislead(&[b"FLASHSALE.LOAD", b"half", chunk]);
    }
    for server in [&mut chain.second, &mut chain.first] {
        server.shut_down();
        server.start_again(&["--replicaof no one"]);
        let mut con = server.conn();
        con.says(
            "FLASHSALE.STOCK whole sku-number-0",
            "[sku-number-0 5 0 0 0]",
        );
        con.says("EXISTS half", "0");
        assert_eq!((diverged(&mut con), con.divergence()), (0, 0));
    }
}
