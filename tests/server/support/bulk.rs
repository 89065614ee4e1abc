//! Many commands at once, for sales too large to be made one reply at a time.

use std::collections::BTreeMap;

use redis::{ConnectionLike, Value};

use super::con::{Con, pack};
use super::reply::render;

/// Commands sent before their replies are read.
const BATCH: usize = 10_000;

/// Sends command lines (words without spaces in them) and counts the first words of
/// the replies: `RESERVED`, `SOLDOUT`, the code of an error.
#[track_caller]
pub fn send_all(con: &mut Con, lines: impl IntoIterator<Item = String>) -> BTreeMap<String, u64> {
    let mut lines = lines.into_iter();
    let mut counts = BTreeMap::new();
    loop {
        let mut packed = Vec::new();
        let mut sent = 0;
        for line in lines.by_ref().take(BATCH) {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            packed.extend_from_slice(&pack(&words));
            sent += 1;
        }
        if sent == 0 {
            return counts;
        }
        let replies = con.inner.req_packed_commands(&packed, 0, sent);
        for reply in replies.expect("the replies of a pipeline") {
            *counts.entry(first_word(&reply)).or_default() += 1;
        }
    }
}

fn first_word(reply: &Value) -> String {
    match reply {
        Value::ServerError(error) => error.code().to_owned(),
        Value::Array(parts) => parts.first().map(render).unwrap_or_default(),
        other => render(other),
    }
}

/// Asserts that all of `count` commands were answered with this word.
#[track_caller]
pub fn all_said(counts: &BTreeMap<String, u64>, word: &str, count: u64) {
    let expected = BTreeMap::from([(word.to_owned(), count)]);
    assert_eq!(*counts, expected);
}
