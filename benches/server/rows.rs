//! The rows. Those that make a ratio stand next to each other, so that both see the
//! same minute of the machine.

use crate::row::{Prepare, Proof, Row, Sender};
use crate::stage::{HOLD_MS, LIMIT, LUA, LUA_SOLD, NEW, OLD, ORDERS, SALE, Scripts, Stage};

const SALE_NEW: Option<Prepare> = Some(Stage::renew_sale);

/// How many requests a row sends, for a population.
#[derive(Clone, Copy)]
enum Amount {
    /// Of what takes well below a microsecond.
    Many,
    /// As many as there are users.
    Some,
    /// Of scripts.
    Few,
    /// A tenth of the users: ids are drawn at random, and one in twenty comes again.
    Once,
}

/// The shape of a row; the rest follows from the population.
struct Shape {
    name: &'static str,
    command: String,
    amount: Amount,
    prepare: Option<Prepare>,
    says: &'static str,
    proof: Proof,
}

impl Shape {
    fn row(self, population: u64, is_pipelined: bool) -> Row {
        let pipelined = match self.amount {
            Amount::Many => population * 2,
            Amount::Some => population,
            Amount::Few => population / 5,
            Amount::Once => population / 10,
        };
        let (requests, repeats) = match self.amount {
            Amount::Once => (pipelined, 3),
            _ if is_pipelined => (pipelined, 1),
            _ => (population / 5, 1),
        };
        Row {
            name: self.name,
            command: self.command.split(' ').map(str::to_owned).collect(),
            requests,
            range: population,
            is_pipelined,
            sender: Sender::Benchmark,
            prepare: self.prepare,
            says: self.says,
            proof: self.proof,
            items: 1,
            repeats,
        }
    }
}

fn ping() -> Shape {
    Shape {
        name: "PING",
        command: "PING".into(),
        amount: Amount::Many,
        prepare: None,
        says: "PONG",
        proof: Proof::Replies,
    }
}

fn incr() -> Shape {
    Shape {
        name: "INCR",
        command: "INCR count".into(),
        amount: Amount::Many,
        prepare: None,
        says: "#",
        proof: Proof::Grows(["GET", "count"], 100),
    }
}

fn hincrby() -> Shape {
    Shape {
        name: "HINCRBY",
        command: "HINCRBY hash __rand_int__ 1".into(),
        amount: Amount::Some,
        prepare: None,
        says: "#",
        proof: Proof::Stays(["HLEN", "hash"]),
    }
}

fn reserve() -> Shape {
    Shape {
        name: "RESERVE",
        command: format!("FLASHSALE.RESERVE {SALE} __rand_int__ 1 ID {NEW}"),
        amount: Amount::Some,
        prepare: SALE_NEW,
        says: "RESERVED",
        proof: Proof::Outcome("reserved", 99),
    }
}

fn lua_reserve(scripts: &Scripts) -> Shape {
    let (script, keys) = (&scripts.reserve, LUA.join(" "));
    Shape {
        name: "Lua reserve",
        command: format!("EVALSHA {script} 4 {keys} __rand_int__ 1 {LIMIT} {HOLD_MS} {NEW}"),
        amount: Amount::Few,
        prepare: Some(Stage::renew_lua),
        says: "RESERVED",
        proof: Proof::Grows(["HLEN", LUA[3]], 99),
    }
}

fn sold_out() -> Shape {
    Shape {
        name: "RESERVE sold out",
        command: format!("FLASHSALE.RESERVE sold __rand_int__ 1 ID {NEW}"),
        amount: Amount::Some,
        prepare: None,
        says: "SOLDOUT",
        proof: Proof::Outcome("soldout", 99),
    }
}

fn lua_sold_out(scripts: &Scripts) -> Shape {
    let (script, keys) = (&scripts.reserve, LUA_SOLD.join(" "));
    Shape {
        name: "Lua sold out",
        command: format!("EVALSHA {script} 4 {keys} __rand_int__ 1 {LIMIT} {HOLD_MS} {NEW}"),
        amount: Amount::Few,
        prepare: None,
        says: "SOLDOUT",
        proof: Proof::Stays(["HLEN", LUA_SOLD[3]]),
    }
}

fn checkout() -> Shape {
    Shape {
        name: "CHECKOUT",
        command: format!("FLASHSALE.CHECKOUT {SALE} {ORDERS} {OLD}"),
        amount: Amount::Once,
        prepare: SALE_NEW,
        says: "SOLD",
        proof: Proof::Outcome("sold", 93),
    }
}

/// An entry as CHECKOUT appends it.
fn xadd() -> Shape {
    let sale_id = "01KAHQ8S5TZ5G3M0Q2V7R4W9XY";
    let items = r#"[{"sku":"default","qty":1}]"#;
    Shape {
        name: "XADD",
        command: format!(
            "XADD stream * event order sale {SALE} sale_id {sale_id} id {OLD} \
             user __rand_int__ qty 1 items {items} at_ms 1765000000000"
        ),
        amount: Amount::Once,
        prepare: Some(Stage::renew_stream),
        says: "*",
        proof: Proof::Grows(["XLEN", "stream"], 100),
    }
}

fn lua_checkout(scripts: &Scripts) -> Shape {
    let (script, [_, _, due, held]) = (&scripts.checkout, LUA);
    Shape {
        name: "Lua checkout",
        command: format!("EVALSHA {script} 4 {due} {held} lua:orders lua:sold {OLD}"),
        amount: Amount::Once,
        prepare: Some(Stage::renew_lua),
        // A second one of the same id finds nothing: the samples may have met it.
        says: "SOLD",
        proof: Proof::Grows(["XLEN", "lua:orders"], 93),
    }
}

fn buy() -> Shape {
    Shape {
        name: "BUY",
        command: format!("FLASHSALE.BUY {SALE} {ORDERS} __rand_int__ 1 ID {NEW}"),
        amount: Amount::Some,
        prepare: SALE_NEW,
        says: "SOLD",
        proof: Proof::Outcome("sold", 99),
    }
}

fn cart() -> Shape {
    Shape {
        name: "RESERVE, cart of 3",
        command: format!("FLASHSALE.RESERVE cart __rand_int__ ITEMS 3 a 1 b 1 c 1 ID {NEW}"),
        amount: Amount::Some,
        prepare: Some(Stage::renew_cart),
        says: "RESERVED",
        proof: Proof::Outcome("reserved", 99),
    }
}

fn release() -> Shape {
    Shape {
        name: "RELEASE",
        command: format!("FLASHSALE.RELEASE {SALE} {OLD}"),
        amount: Amount::Once,
        prepare: SALE_NEW,
        says: "RELEASED",
        proof: Proof::Outcome("released", 93),
    }
}

fn replayed() -> Shape {
    Shape {
        name: "RESERVE replayed",
        command: format!("FLASHSALE.RESERVE again the-same-user 1 ID {OLD}"),
        amount: Amount::Some,
        prepare: None,
        says: "RESERVED",
        proof: Proof::Outcome("replayed", 100),
    }
}

fn read(name: &'static str, command: String, says: &'static str) -> Shape {
    Shape {
        name,
        command,
        amount: Amount::Some,
        prepare: None,
        says,
        proof: Proof::Replies,
    }
}

fn stock() -> Shape {
    Shape {
        amount: Amount::Many,
        ..read("STOCK", "FLASHSALE.STOCK again default".into(), "default")
    }
}

/// Pipelined, without an AOF: every row.
pub fn without_aof(population: u64, scripts: &Scripts) -> Vec<Row> {
    let shapes = vec![
        ping(),
        hincrby(),
        reserve(),
        lua_reserve(scripts),
        incr(),
        sold_out(),
        lua_sold_out(scripts),
        xadd(),
        checkout(),
        lua_checkout(scripts),
        read("HGET", "HGET hash __rand_int__".into(), "#"),
        stock(),
        read("HGETALL", "HGETALL order:__rand_int__".into(), "state"),
        read("GET", format!("FLASHSALE.GET again {OLD}"), "state"),
        replayed(),
        cart(),
        buy(),
        release(),
    ];
    rows(shapes, population, true)
}

/// Pipelined, `appendfsync everysec`: what writes.
pub fn with_aof(population: u64, scripts: &Scripts) -> Vec<Row> {
    let shapes = vec![
        incr(),
        hincrby(),
        reserve(),
        lua_reserve(scripts),
        xadd(),
        checkout(),
        lua_checkout(scripts),
        cart(),
        buy(),
        release(),
    ];
    rows(shapes, population, true)
}

/// One command at a time on each connection, without an AOF.
pub fn unpipelined(population: u64, scripts: &Scripts) -> Vec<Row> {
    let shapes = vec![
        ping(),
        incr(),
        reserve(),
        lua_reserve(scripts),
        checkout(),
        stock(),
    ];
    rows(shapes, population, false)
}

fn rows(shapes: Vec<Shape>, population: u64, is_pipelined: bool) -> Vec<Row> {
    let rows = shapes.into_iter();
    rows.map(|shape| shape.row(population, is_pipelined))
        .collect()
}
