//! **Goal**: a failover leaves one true history. What asynchronous replication can lose
//! of what was acknowledged is bounded by `WAIT` and `min-replicas-to-write`, and a
//! client that asks again by id is served again; nothing is sold twice, and deadlines go
//! over to the new primary.
//!
//! **Method**: a primary, two replicas and three real Sentinels; clients under load ask
//! the Sentinels where the primary is, and send again what was not answered. The primary
//! is killed, or cut off by a network link of the test's own that swallows everything.
//! What each client was promised is then looked up in the surviving history. The planned
//! handover, `FAILOVER`, is made under the same load.

use crate::support::books::Books;
use crate::support::link::Link;
use crate::support::load::{Ack, Load, STOCK, Shopper, Stop, USER_LIMIT, open_sale};
use crate::support::sentinel::{Sentinels, dial, guide_among};
use crate::support::{Con, Dice, Server, replicate, wait_for, wait_until};

/// A primary, its two replicas, and those who watch them through a link.
struct Shop {
    // Dropped first: else they would fail over while the servers end.
    sentinels: Sentinels,
    servers: [Server; 3],
    link: Link,
}

impl Shop {
    fn open() -> Option<Shop> {
        let own = || Server::own(&["--replica-announce-ip 127.0.0.1"], &[]);
        let (Some(primary), Some(one), Some(two)) = (own(), own(), own()) else {
            return None;
        };
        let link = Link::to(primary.port());
        let port = link.port();
        let mut con = primary.conn();
        con.says(&format!("CONFIG SET replica-announce-port {port}"), "OK");
        open_sale(&mut con);
        for replica in [&one, &two] {
            let line = format!("REPLICAOF 127.0.0.1 {port}");
            replica.conn().says(&line, "OK");
        }
        for replica in [&one, &two] {
            wait_until("the replica's link is up", || {
                replica.conn().info("replication", "master_link_status") == "up"
            });
        }
        Some(Shop {
            sentinels: Sentinels::watch(port, 2),
            servers: [primary, one, two],
            link,
        })
    }

    /// Waits until both replicas have what the primary has.
    #[track_caller]
    fn wait_for_replicas(&self) {
        let [primary, replicas @ ..] = &self.servers;
        wait_until("both replicas have everything", || {
            let offset = primary.conn().info("replication", "master_repl_offset");
            replicas
                .iter()
                .all(|one| one.conn().info("replication", "slave_repl_offset") == offset)
        });
    }

    /// Waits until all Sentinels have agreed on another primary, and returns it.
    #[track_caller]
    fn wait_for_another_primary(&self) -> &Server {
        wait_for("another primary is agreed on", || {
            let port = self.sentinels.agreed_port()?;
            let server = self.servers[1..].iter().find(|one| one.port() == port)?;
            told(server, &["role"])?.eq(&["master"]).then_some(server)
        })
    }

    /// Waits until everyone follows the new primary, the old one too, and asserts that
    /// all have the same sale and stream.
    #[track_caller]
    fn is_one_history(&self, primary: &Server) {
        let others = || {
            self.servers
                .iter()
                .filter(|one| one.port() != primary.port())
        };
        let port = primary.port().to_string();
        wait_until("everyone follows the new primary", || {
            let Some(offset) = told(primary, &["master_repl_offset"]) else {
                return false;
            };
            let expected = [port.as_str(), "up", &offset[0]];
            let names = ["master_port", "master_link_status", "slave_repl_offset"];
            others().all(|other| told(other, &names).is_some_and(|told| told == expected))
        });
        wait_until("all have the same", || {
            let expected = digest(primary);
            expected.is_some() && others().all(|other| digest(other) == expected)
        });
    }
}

/// Some lines of INFO replication. None when there is no answer: a Sentinel that gives
/// a server another role closes all its connections.
fn told(server: &Server, names: &[&str]) -> Option<Vec<String>> {
    let mut ask = redis::cmd("INFO");
    ask.arg("replication");
    let text: String = ask.query(&mut dial(server)?.inner).ok()?;
    let line = |name: &&str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_owned()
    };
    Some(names.iter().map(line).collect())
}

fn digest(server: &Server) -> Option<Vec<String>> {
    let mut ask = redis::cmd("DEBUG");
    ask.arg(&["DIGEST-VALUE", "sale", "orders"]);
    ask.query(&mut dial(server)?.inner).ok()
}

/// Those of the promises that are not in the surviving history.
fn lost<'a>(books: &Books, acks: &'a [Ack]) -> Vec<&'a Ack> {
    acks.iter().filter(|ack| !books.hold(ack)).collect()
}

#[test]
fn a_failover_under_load_leaves_one_history_and_all_that_wait_confirmed() {
    let Some(mut shop) = Shop::open() else { return };
    let mut dice = Dice::seeded();
    let mut careful = Shopper::several(4, &mut dice);
    let hasty = careful.split_off(2);
    careful.iter_mut().for_each(|shopper| shopper.waits_for = 2);
    let careful = Load::start(careful, shop.sentinels.guide());
    let load = Load::start(hasty, shop.sentinels.guide());
    careful.go_on_for(200 + dice.below(100));
    let mut con = shop.servers[0].conn();
    let open = con.run("FLASHSALE.RESERVE sale zoe ITEMS 1 spare 2 ID zoe-1 HOLD 4000");
    con.says("WAIT 2 10000", "2");
    careful.go_on_for(1 + dice.below(50));
    load.go_on_for(1 + dice.below(50));
    shop.servers[0].kill9();
    let port = shop.wait_for_another_primary().port();
    load.go_on_for(600);
    shop.servers[0].start_again(&[]);
    load.go_on_for(200);
    let mut shoppers = careful.end();
    shoppers.extend(load.end());
    let primary = shop.servers.iter().find(|one| one.port() == port);
    let primary = primary.expect("the new primary");
    let mut con = primary.conn();

    // Its deadline was the old primary's to keep.
    wait_until("zoe's reservation expired", || {
        con.field("FLASHSALE.GET sale zoe-1", "state") == "expired"
    });
    let redis::Value::Array(open) = open else {
        panic!("{open:?}")
    };
    let deadline = crate::support::text_of(&open[2]);
    con.fields(
        "FLASHSALE.GET sale zoe-1",
        &format!("expires_at_ms {deadline}"),
    );

    shop.is_one_history(primary);
    let books = Books::read(&mut con);
    books.balance(&STOCK, USER_LIMIT);
    for (index, shopper) in shoppers.iter().enumerate() {
        let lost = lost(&books, &shopper.acks);
        let confirmed = shopper.acks.iter().filter(|ack| ack.is_confirmed).count();
        println!(
            "client {index}, WAIT {}: {} promises, {confirmed} confirmed, {} lost",
            shopper.waits_for,
            shopper.acks.len(),
            lost.len()
        );
        let broken = lost.iter().find(|ack| ack.is_confirmed);
        assert!(broken.is_none(), "confirmed, and lost: {broken:?}");
        assert!(confirmed > 0 || shopper.waits_for == 0);
        // A client is told something else than before only about what was lost.
        assert!(
            shopper.surprises.is_empty() || !lost.is_empty(),
            "{:?}",
            shopper.surprises
        );
    }
    // What was lost is asked for again, and served again.
    for shopper in &mut shoppers {
        shopper.ask_again(&mut con);
    }
    Books::read(&mut con).balance(&STOCK, USER_LIMIT);
    shop.is_one_history(primary);
}

/// Lets a client work at a primary that is cut off, until it was promised this much or
/// an error comes.
fn work_cut_off(shopper: &mut Shopper, con: &mut Con, promises: usize) -> Option<Stop> {
    let enough = shopper.acks.len() + promises;
    while shopper.acks.len() < enough {
        if let Err(stop) = shopper.step(con) {
            return Some(stop);
        }
    }
    None
}

/// Lets a client work, waits until the replicas have all of it, and cuts the primary off.
/// Returns the books of that moment.
fn work_then_cut(shop: &Shop, shopper: &mut Shopper, con: &mut Con) -> Books {
    // NOREPLICAS may come before the replicas have told how far they are.
    wait_until("the first promises are made", || {
        work_cut_off(shopper, con, 100).is_none()
    });
    // Nothing that expires by itself may be open when the books are compared.
    crate::support::workload::settle(con);
    // And the client knows what expired.
    shopper.ask_again(con);
    shop.wait_for_replicas();
    let books = Books::read(con);
    shop.link.cut();
    books
}

#[test]
fn what_a_cut_off_primary_accepts_is_lost_and_served_again_by_id() {
    let Some(shop) = Shop::open() else { return };
    let mut dice = Dice::seeded();
    let mut shopper = Shopper::new("ann", &mut dice);
    let mut con = shop.servers[0].conn();
    let before = work_then_cut(&shop, &mut shopper, &mut con);
    let kept = shopper.acks.len();
    // It does not know, and goes on: also after the others have another primary.
    assert_eq!(work_cut_off(&mut shopper, &mut con, 100), None);
    let primary = shop.wait_for_another_primary();
    assert_eq!(work_cut_off(&mut shopper, &mut con, 100), None);
    shopper.is_not_surprised();
    let other = Books::read(&mut con);
    other.balance(&STOCK, USER_LIMIT);
    assert_ne!(other.records.len(), before.records.len());

    // The new primary knows none of it.
    let mut con = primary.conn();
    Books::read(&mut con).are(&before);
    shop.link.mend();
    shop.is_one_history(primary);
    let books = Books::read(&mut con);
    books.are(&before);
    assert!(lost(&books, &shopper.acks[..kept]).is_empty());
    println!(
        "cut off without min-replicas-to-write: {} of {} promises lost",
        lost(&books, &shopper.acks).len(),
        shopper.acks.len()
    );
    assert_eq!(lost(&books, &shopper.acks).len(), shopper.acks.len() - kept);
    serve_again(&mut shopper, &mut con);
    shop.is_one_history(primary);
}

/// Asks for everything again by id. What was lost is made anew by that, what was not is
/// not made twice.
fn serve_again(shopper: &mut Shopper, con: &mut Con) {
    let orders = |con: &mut Con| con.int("XLEN orders");
    let before = orders(con);
    shopper.make_again(con);
    let once = orders(con);
    assert!(once > before, "no order was made again");
    Books::read(con).balance(&STOCK, USER_LIMIT);
    shopper.make_again(con);
    assert_eq!(orders(con), once, "an order was made twice");
    Books::read(con).balance(&STOCK, USER_LIMIT);
}

#[test]
fn with_min_replicas_a_cut_off_primary_soon_refuses() {
    let Some(shop) = Shop::open() else { return };
    let mut dice = Dice::seeded();
    let mut shopper = Shopper::new("ann", &mut dice);
    let mut con = shop.servers[0].conn();
    for line in ["min-replicas-max-lag 1", "min-replicas-to-write 1"] {
        con.says(&format!("CONFIG SET {line}"), "OK");
    }
    let before = work_then_cut(&shop, &mut shopper, &mut con);
    let kept = shopper.acks.len();
    // Until it notices that its replicas have not been heard of.
    let stop = wait_for("the primary refuses", || {
        work_cut_off(&mut shopper, &mut con, 1)
    });
    assert_eq!(stop, Stop::Error("NOREPLICAS".to_owned()));
    let lost_here = shopper.acks.len() - kept;
    // Reads go on, and it makes no further promise.
    con.run("FLASHSALE.STOCK sale");
    let primary = shop.wait_for_another_primary();
    let stop = work_cut_off(&mut shopper, &mut con, 1);
    assert_eq!(stop, Some(Stop::Error("NOREPLICAS".to_owned())));
    println!("cut off with min-replicas-to-write 1: {lost_here} promises lost, then refusals");
    let mut con = primary.conn();
    Books::read(&mut con).are(&before);
    shop.link.mend();
    shop.is_one_history(primary);
    assert_eq!(lost(&before, &shopper.acks).len(), lost_here);
}

#[test]
fn a_planned_failover_under_load_loses_nothing() {
    let own = || Server::own(&[], &[]);
    let (Some(primary), Some(replica)) = (own(), own()) else {
        return;
    };
    let mut con = primary.conn();
    open_sale(&mut con);
    replicate(&primary, &replica);
    let mut dice = Dice::seeded();
    let load = Load::start(
        Shopper::several(4, &mut dice),
        guide_among(&[&primary, &replica]),
    );
    let mut pair = [&primary, &replica];
    let mut overdue = 0;
    for round in 0..4 {
        let [from, to] = pair;
        load.go_on_for(100 + dice.below(200));
        let (mut ahead, mut behind) = (from.conn(), to.conn());
        wait_until("the replica is in sync", || {
            behind.info("replication", "master_link_status") == "up"
        });
        let id = format!("zoe-{round}");
        ahead.says(
            &format!("FLASHSALE.RESERVE sale zoe ITEMS 1 spare 1 ID {id} HOLD 150"),
            "RESERVED ...",
        );
        // The handover waits for a replica that does not answer, and clients with it.
        to.signal("STOP");
        ahead.says("FAILOVER TIMEOUT 15000", "OK");
        let line = format!("FLASHSALE.GET sale {id}");
        let deadline: u64 = ahead
            .field(&line, "expires_at_ms")
            .parse()
            .expect("a moment");
        wait_until("deadlines have passed in the pause", || {
            ahead.now_ms() > deadline + 50
        });
        overdue += u32::from(ahead.field(&line, "state") == "reserved");
        to.signal("CONT");
        wait_until("the replica has taken over", || {
            ahead.info("replication", "role") == "slave"
                && behind.info("replication", "role") == "master"
        });
        wait_until("the new primary has returned it", || {
            behind.field(&line, "state") == "expired"
        });
        pair = [to, from];
    }
    assert!(overdue > 0, "nothing fell due in a pause");
    load.go_on_for(100);
    let mut shoppers = load.end();
    let [now, before] = pair;
    wait_until("the old primary follows", || {
        let (mut ahead, mut behind) = (now.conn(), before.conn());
        behind.info("replication", "master_link_status") == "up"
            && ahead.digest("sale orders") == behind.digest("sale orders")
    });
    let mut con = now.conn();
    for shopper in &mut shoppers {
        shopper.ask_again(&mut con);
        shopper.is_not_surprised();
    }
    let books = Books::read(&mut con);
    books.balance(&STOCK, USER_LIMIT);
    for shopper in &shoppers {
        let lost = lost(&books, &shopper.acks);
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}
