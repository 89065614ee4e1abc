//! **Goal**: an order that was sold is recorded, whatever the sale knows, and what the sale does
//! not have is owed; units move between sales by totals, however often a line comes; a part of a
//! split sale says sold out only of what it was told; and every copy agrees on all of it.
//!
//! **Method**: each row of IMPORT, GIVE, TAKE, REST and SHARES by RESP2 and RESP3, with what is
//! written to the stream, replicated and announced; at `maxmemory`, after END and CLOSE, and on
//! copies that follow, load, replay and are promoted.

mod copies;
mod import;
mod parts;
mod shares;

use crate::support::{Con, Feed, Server};

/// A server, a connection by RESP2 or RESP3, and a sale with these options.
fn sale_by(resp3: bool, options: &str) -> (Server, Con) {
    let server = Server::any();
    let mut con = if resp3 { server.conn3() } else { server.conn() };
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
    (server, con)
}

fn sale(options: &str) -> (Server, Con) {
    sale_by(false, options)
}

/// The share id of a sale.
fn share_id(con: &mut Con, key: &str) -> String {
    con.field(&format!("FLASHSALE.INFO {key}"), "share_id")
}

/// A share id that no sale has.
const PEER: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// When the orders here were sold.
const AT_MS: u64 = 1_765_000_000_000;

/// What was sent on since the last call; a listener beside the feed marks its own progress.
fn applied(feed: &mut Feed) -> Vec<String> {
    let mut sent = feed.short();
    sent.retain(|command| command != "PUBLISH");
    sent
}
