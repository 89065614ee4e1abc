//! Inputs that make a decoder build as much as can be built from so many bytes.

use super::corpus::elements;
use super::mutate::{recount, spelled};
use super::samples::busy_sale;

/// How many of the small things there are in one input.
const MANY: u64 = 30_000;

/// Target, what it is full of, and the bytes.
pub fn inputs() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut inputs = vec![
        ("event", "items", created()),
        ("event", "lines of a cart", reserved()),
        ("event", "deltas", restocked()),
        ("batch", "events", batch()),
        ("batch", "a cart", batch_of_a_cart()),
        ("snapshot", "a cart without an end", endless_cart()),
    ];
    inputs.extend(snapshots());
    inputs
}

/// A name that no smaller number has.
fn name(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let bytes = &bytes[5..];
    [&[bytes.len() as u8], bytes].concat()
}

fn sku(number: u64) -> Vec<u8> {
    let text = format!("-{number:x}");
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn repeated(one: impl Fn(u64) -> Vec<u8>) -> Vec<u8> {
    (0..MANY).flat_map(one).collect()
}

fn created() -> Vec<u8> {
    let mut bytes = vec![1, 1, 0];
    bytes.extend([0; 16]);
    bytes.extend([1, b'o', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(spelled(MANY));
    bytes.extend(repeated(|n| [&sku(n)[..], &[1]].concat()));
    bytes
}

fn lines() -> Vec<u8> {
    repeated(|n| [&spelled(n)[..], &[1]].concat())
}

fn reserved() -> Vec<u8> {
    let head = [1, 2, 0, 1, b'i', 1, b'u'];
    [&head[..], &spelled(MANY), &lines(), &[9, 0]].concat()
}

fn batch() -> Vec<u8> {
    let events = repeated(|n| [&[5][..], &name(n)].concat());
    [&[2, 19, 0], &spelled(MANY)[..], &events].concat()
}

fn batch_of_a_cart() -> Vec<u8> {
    [&[2, 19, 0, 1], &reserved()[1..2], &reserved()[3..]].concat()
}

fn restocked() -> Vec<u8> {
    let deltas = repeated(|n| [&sku(n)[..], &[2]].concat());
    [&[1, 11, 0], &spelled(MANY)[..], &deltas, &[0]].concat()
}

/// The header and the items of a snapshot, and `more`.
fn snapshot(more: Vec<Vec<u8>>) -> Vec<u8> {
    let mut pieces = elements(&busy_sale());
    pieces.retain(|piece| [1, 2].contains(&piece[0]));
    pieces.extend(more);
    recount(&mut pieces);
    pieces.concat()
}

/// Begins a cart of a billion lines, and goes on for as long as an element may.
fn endless_cart() -> Vec<u8> {
    let mut bytes = snapshot(Vec::new());
    bytes.truncate(bytes.len() - 3);
    bytes.extend([3, 1, b'i', 1, 1, b'u', 1]);
    bytes.extend(spelled(1_000_000));
    bytes.extend((0..200_000).flat_map(|n| [&spelled(n)[..], &[1]].concat()));
    bytes
}

fn snapshots() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let all = |one: &dyn Fn(u64) -> Vec<u8>| snapshot((0..MANY).map(one).collect());
    // Tag, id, user, cart or none, made at, deadline, and when it ended or its age.
    let unseen = |n: u64| [&[4][..], &name(n), &[0, 0, 0, 0], &spelled(n)].concat();
    let of_users = |n: u64| [&[4][..], &name(n), &[1], &name(n), &[0, 0, 0], &spelled(n)].concat();
    let open = |n: u64| {
        let cart = [1, 1, 0, 1];
        [
            &[3][..],
            &name(n),
            &[1],
            &name(n),
            &cart,
            &[0],
            &spelled(2 * n),
            &[1],
        ]
        .concat()
    };
    let order = |n: u64| {
        let cart = [1, 1, 0, 1];
        [
            &[6][..],
            &name(n),
            &[1],
            &name(n),
            &cart,
            &[0, 0, 0, 0, 0, 0],
        ]
        .concat()
    };
    let refund = |n: u64| {
        let order = [
            &[6][..],
            &name(n),
            &[1],
            &name(n),
            &[1, 1, 0, 1, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let back = [&[8][..], &name(n), &[0, 1, 0, 1, 0, 0, 0]].concat();
        [order, back].concat()
    };
    let item = |n: u64| [&[2][..], &sku(n), &[0, 0, 0]].concat();
    vec![
        ("snapshot", "ids never seen", all(&unseen)),
        ("snapshot", "released ids of users", all(&of_users)),
        ("snapshot", "open reservations", all(&open)),
        ("snapshot", "orders", all(&order)),
        ("snapshot", "orders with refunds", all(&refund)),
        ("snapshot", "items", all(&item)),
        ("snapshot", "carts of many items", carts()),
    ]
}

/// Users who each have something of everything: a line takes two bytes, and counts
/// against a limit of its own.
fn carts() -> Vec<u8> {
    let items = (0..240).map(|n| [&[2][..], &sku(n), &[1, 150, 0]].concat());
    let lines: Vec<u8> = (3..243).flat_map(|item| [item, 1]).collect();
    let cart = |n| {
        [
            &[3][..],
            &name(n),
            &[1],
            &name(n),
            &[1, 240],
            &lines,
            &[0, 0, 1],
        ]
        .concat()
    };
    snapshot(items.chain((0..150).map(cart)).collect())
}
