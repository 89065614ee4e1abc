//! What must hold of every sale when the load is over.

use std::collections::{BTreeMap, HashMap, HashSet};

use redis::Value;

use super::buyer::{Entry, State, USERS};
use super::load::Ledger;
use super::sale::{FILTER, ITEMS, SaleName, USERLIMIT};
use crate::support::{Cluster, Con, text_of, wait_until};

/// Units by SKU.
type Units = BTreeMap<String, u64>;

/// One reservation, as the sale tells it.
struct View {
    state: String,
    order_id: String,
    items: Units,
    refunded: Units,
}

/// One entry of an order stream.
struct Order {
    at: String,
    fields: HashMap<String, String>,
}

impl Order {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn units(&self) -> Units {
        let items = serde_json::from_str(self.field("items")).expect("items in JSON");
        let serde_json::Value::Array(items) = items else {
            panic!("items: {items}")
        };
        let unit = |item: &serde_json::Value| {
            let sku = item["sku"].as_str().expect("sku");
            (sku.to_owned(), item["qty"].as_u64().expect("qty"))
        };
        items.iter().map(unit).collect()
    }
}

/// Checks every sale; the entries that are not in the state that was acknowledged.
#[track_caller]
pub fn check(cluster: &Cluster, sales: &[SaleName], ledger: &Ledger) -> Vec<Entry> {
    each_key_is_on_one_primary(cluster, sales);
    let mut lost = Vec::new();
    for (index, sale) in sales.iter().enumerate() {
        let primary = cluster.owner(sale.slot);
        let mut con = cluster.conn(primary);
        nothing_stays_overdue(&mut con, sale);
        let views = views(&mut con, sale);
        units_are_conserved(&mut con, sale, &views);
        orders_fit(&mut con, sale, &views);
        users_keep_their_limit(&mut con, sale);
        replica_is_equal(cluster, primary, sale);
        let entries = ledger.entries.iter().filter(|entry| entry.sale == index);
        let told = |entry: &&Entry| !is_as_told(entry, views.get(&entry.id));
        lost.extend(entries.filter(told).cloned());
    }
    for index in cluster.alive() {
        cluster.conn(index).has_not_diverged();
    }
    lost
}

/// Whoever returned a reservation, it was one server, and a primary.
#[track_caller]
pub fn each_reservation_expired_once(cluster: &Cluster, ledger: &Ledger) {
    let expired = |entry: &&Entry| entry.state_in_the_end() == State::Expired;
    let told = ledger.entries.iter().filter(expired).count() as u64;
    let returned = cluster.sum("flashsale", "flashsale_outcome_expired");
    assert_eq!(
        returned, told,
        "expired, counted by the servers and by the buyers"
    );
}

/// Every id the sales know was acknowledged to somebody.
#[track_caller]
pub fn nobody_else_was_served(cluster: &Cluster, sales: &[SaleName], ledger: &Ledger) {
    let told: HashSet<&str> = (ledger.entries.iter())
        .map(|entry| entry.id.as_str())
        .collect();
    for sale in sales {
        let mut con = cluster.conn(cluster.owner(sale.slot));
        for id in ids(&mut con, sale, "") {
            assert!(told.contains(id.as_str()), "{}: {id}", sale.key);
        }
    }
}

fn is_as_told(entry: &Entry, view: Option<&View>) -> bool {
    let state = match entry.state_in_the_end() {
        State::Reserved => "reserved",
        State::Expired => "expired",
        State::Released => "released",
        State::Sold => "sold",
        State::Refunded => "refunded",
    };
    view.is_some_and(|view| {
        let is_same_order = entry.order_id.is_empty() || view.order_id == entry.order_id;
        view.state == state && is_same_order
    })
}

#[track_caller]
fn each_key_is_on_one_primary(cluster: &Cluster, sales: &[SaleName]) {
    let mut found: Vec<String> = Vec::new();
    for primary in cluster.writable() {
        let Value::Array(keys) = cluster.conn(primary).run("KEYS *") else {
            panic!("KEYS")
        };
        let keys = keys.iter().map(text_of);
        found.extend(keys.filter(|key| !key.ends_with(FILTER)));
    }
    found.sort();
    let names = sales.iter().flat_map(|sale| [&sale.key, &sale.orders]);
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    assert_eq!(found, names, "each key is on one primary");
}

/// The ids of a sale, all of them or those in one state.
#[track_caller]
fn ids(con: &mut Con, sale: &SaleName, state: &str) -> Vec<String> {
    let line = format!("FLASHSALE.SCAN {} 0 COUNT 1000000 {state}", sale.key);
    let Value::Array(parts) = con.run(&line) else {
        panic!("{line}")
    };
    let [cursor, Value::Array(ids)] = &parts[..] else {
        panic!("{line}")
    };
    assert_eq!(text_of(cursor), "0", "all in one go");
    ids.iter().map(text_of).collect()
}

/// Its new owner returns what fell due, wherever the sale was at the time.
#[track_caller]
fn nothing_stays_overdue(con: &mut Con, sale: &SaleName) {
    wait_until("the last short reservation expired", || {
        let soon = con.now_ms() + 60_000;
        ids(con, sale, "STATE reserved").iter().all(|id| {
            let at = con.field(&format!("FLASHSALE.GET {} {id}", sale.key), "expires_at_ms");
            at.parse::<u64>().is_ok_and(|at| at > soon)
        })
    });
}

/// `[[a 2] [b 1]]`, as a field of a map is shown.
fn units(shown: &str) -> Units {
    let words = shown.replace(['[', ']'], " ");
    let words: Vec<&str> = words.split_whitespace().collect();
    let pair = |pair: &[&str]| (pair[0].to_owned(), pair[1].parse().expect("units"));
    words.chunks(2).map(pair).collect()
}

#[track_caller]
fn views(con: &mut Con, sale: &SaleName) -> HashMap<String, View> {
    let mut views = HashMap::new();
    for id in ids(con, sale, "") {
        let map = con.map(&format!("FLASHSALE.GET {} {id}", sale.key));
        let field = |name: &str| {
            let found = map.iter().find(|(field, _)| field == name);
            let value = found.map(|(_, value)| value.as_str()).expect(name);
            if value == "(nil)" {
                String::new()
            } else {
                value.to_owned()
            }
        };
        let view = View {
            state: field("state"),
            order_id: field("order_id"),
            items: units(&field("items")),
            refunded: units(&field("refunded")),
        };
        views.insert(id, view);
    }
    views
}

/// Total = available + reserved + sold, as the reservations say.
#[track_caller]
fn units_are_conserved(con: &mut Con, sale: &SaleName, views: &HashMap<String, View>) {
    let (mut reserved, mut sold) = (Units::new(), Units::new());
    for view in views.values() {
        let (into, is_sold) = match view.state.as_str() {
            "reserved" => (&mut reserved, false),
            "sold" | "refunded" => (&mut sold, true),
            _ => continue,
        };
        for (sku, qty) in &view.items {
            let back = view.refunded.get(sku).copied().unwrap_or_default();
            *into.entry(sku.clone()).or_default() += qty - if is_sold { back } else { 0 };
        }
    }
    let row = |(sku, total): (&str, u64)| {
        let of = |units: &Units| units.get(sku).copied().unwrap_or_default();
        let (reserved, sold) = (of(&reserved), of(&sold));
        format!("[{sku} {} {reserved} {sold} 0]", total - reserved - sold)
    };
    let rows: Vec<String> = ITEMS.into_iter().map(row).collect();
    assert_eq!(con.stock(&sale.key), rows.join(" "), "{}", sale.key);
}

/// The stream holds one order for each id that was sold, and what was refunded of it.
#[track_caller]
fn orders_fit(con: &mut Con, sale: &SaleName, views: &HashMap<String, View>) {
    let sale_id = con.field(&format!("FLASHSALE.INFO {}", sale.key), "sale_id");
    let (mut ordered, mut refunded) = (HashMap::new(), HashMap::new());
    for order in stream(con, &sale.orders) {
        let id = order.field("id").to_owned();
        assert_eq!(order.field("sale_id"), sale_id, "{id}");
        let into = match order.field("event") {
            "order" => &mut ordered,
            "refund" => &mut refunded,
            other => panic!("{id}: {other}"),
        };
        let before = into.insert(id.clone(), order);
        assert!(before.is_none(), "{}: {id} has two", sale.key);
    }
    for (id, view) in views {
        let is_sold = matches!(view.state.as_str(), "sold" | "refunded");
        let order = ordered.remove(id.as_str());
        assert_eq!(
            is_sold,
            order.is_some(),
            "{}: {id}: {}",
            sale.key,
            view.state
        );
        if let Some(order) = order {
            assert_eq!(
                (&order.at, order.units()),
                (&view.order_id, view.items.clone())
            );
        }
        let back = refunded.remove(id.as_str());
        let back = back.map(|order| order.units()).unwrap_or_default();
        assert_eq!(back, view.refunded, "{}: {id}", sale.key);
    }
    let more: Vec<&String> = ordered.keys().chain(refunded.keys()).collect();
    assert!(more.is_empty(), "{}: orders of nobody: {more:?}", sale.key);
}

#[track_caller]
fn stream(con: &mut Con, name: &str) -> Vec<Order> {
    let Value::Array(entries) = con.run(&format!("XRANGE {name} - +")) else {
        panic!("XRANGE {name}")
    };
    let order = |entry: &Value| {
        let Value::Array(parts) = entry else {
            panic!("an entry")
        };
        let [at, Value::Array(fields)] = &parts[..] else {
            panic!("fields")
        };
        let pair = |pair: &[Value]| (text_of(&pair[0]), text_of(&pair[1]));
        Order {
            at: text_of(at),
            fields: fields.chunks(2).map(pair).collect(),
        }
    };
    entries.iter().map(order).collect()
}

#[track_caller]
fn users_keep_their_limit(con: &mut Con, sale: &SaleName) {
    for user in 0..USERS {
        let line = format!("FLASHSALE.USER {} u{user}", sale.key);
        let counted: u64 = con.field(&line, "counted").parse().expect("units");
        assert!(counted <= USERLIMIT, "{line}: {counted}");
    }
}

#[track_caller]
fn replica_is_equal(cluster: &Cluster, primary: usize, sale: &SaleName) {
    let keys = format!("{} {}", sale.key, sale.orders);
    let (mut ahead, mut behind) = (
        cluster.conn(primary),
        cluster.conn(cluster.replica_of(primary)),
    );
    // No deadline is near: nothing changes by itself.
    let digest = ahead.digest(&keys);
    wait_until("the replica is equal", || behind.digest(&keys) == digest);
}
