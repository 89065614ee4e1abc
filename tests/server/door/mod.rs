//! **Goal**: who may try at a sale: a new id needs a pass where the sale has a PASSKEY, and
//! nobody tries more often than USERRATE and FROMRATE say.
//!
//! **Method**: each row is met by each command it is of, and by retries that it must not meet;
//! passes are made here as an app makes them, and changed; copies that follow, load, replay and
//! are promoted are compared; and everything that a server shows is searched for secrets.

mod passes;
mod rates;
mod secrets;

use crate::support::{Con, Server};
use flashsale_fuzz::samples_pass::{NEXT_SECRET, SECRET, make_pass};

/// A server, and a sale with these options.
fn sale(options: &str) -> (Server, Con) {
    let server = Server::any();
    let mut con = server.conn();
    con.says(&format!("FLASHSALE.CREATE sale orders {options}"), "OK");
    (server, con)
}

/// A secret as a word of a command.
fn word(secret: &[u8]) -> String {
    let text = std::str::from_utf8(secret).expect("a secret that can be typed");
    text.to_owned()
}

/// PASSKEY with these secrets.
fn passkey(secrets: &[&[u8]]) -> String {
    let words: Vec<String> = secrets.iter().map(|secret| word(secret)).collect();
    format!("PASSKEY {} {}", secrets.len(), words.join(" "))
}

/// A pass for an id and a user that is good for a long time.
fn pass(id: &str, user: &str) -> String {
    pass_until(u64::MAX >> 11, id, user)
}

fn pass_until(end_ms: u64, id: &str, user: &str) -> String {
    make_pass(SECRET, end_ms, id.as_bytes(), user.as_bytes())
}

/// The same by the other secret.
fn next_pass(id: &str, user: &str) -> String {
    make_pass(NEXT_SECRET, u64::MAX >> 11, id.as_bytes(), user.as_bytes())
}
