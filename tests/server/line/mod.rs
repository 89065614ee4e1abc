//! **Goal**: a reservation that waits: who joins, what they are told, who gets units at their
//! turn and in which order, and that every copy agrees on it.
//!
//! **Method**: each row of RESERVE's table is met with WAIT; lines are served by the timer and by
//! polls; START draws them; PACE and PATIENCE are lived through; copies that follow, load, replay
//! and are promoted are compared; and the recipes of the guide are played.

mod copies;
mod recipes;
mod rows;
mod turns;

use crate::support::{Con, Server};

/// A server, and a sale with these options.
fn sale(options: &str) -> (Server, Con) {
    let server = Server::any();
    let mut con = server.conn();
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
    (server, con)
}

/// Sends the request of a user who waits, under the id `i-user`.
fn wait(con: &mut Con, user: &str) -> String {
    con.show(&format!("FLASHSALE.RESERVE sale {user} 1 ID i-{user} WAIT"))
}

/// Reports whether a user has units.
fn has_units(con: &mut Con, user: &str) -> bool {
    con.field(&format!("FLASHSALE.GET sale i-{user}"), "state") == "reserved"
}

/// A number of a map.
fn number(con: &mut Con, line: &str, name: &str) -> u64 {
    con.field(line, name).parse().expect("a number")
}
