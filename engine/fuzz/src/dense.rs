//! Inputs that make a decoder build as much as can be built from so many bytes.

use super::corpus::elements;
use super::mutate::{recount, spelled};
use super::samples::busy_sale;
use super::samples_line::waiting_sale;

/// How many of the small things there are in one input.
const MANY: u64 = 30_000;

/// Target, what it is full of, and the bytes.
pub fn inputs() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut inputs = vec![
        ("event", "items", created()),
        ("event", "lines of a cart", reserved()),
        ("event", "deltas", restocked()),
        ("event", "lines that end", dissolved()),
        ("event", "runs of people", granted()),
        ("event", "numbers of units", seats()),
        ("event", "names of units", names_of_units()),
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

/// An order whose option of sealed units is full of them.
fn seats() -> Vec<u8> {
    let numbers = repeated(|_| vec![2]);
    let option = [&[1, 3], &spelled(MANY)[..], &numbers].concat();
    [&[2, 3 | 128, 0, 1, b'i', 1, 1, 0, 0], &option[..]].concat()
}

/// A row, with as many names as there may be and more.
fn names_of_units() -> Vec<u8> {
    let names = repeated(sku);
    let value = [&spelled(MANY)[..], &names].concat();
    let option = [&[1, 1], &spelled(value.len() as u64)[..], &value].concat();
    let deltas = [1, 1, b'a', 2];
    [&[2, 11 | 128, 0], &deltas[..], &[0], &option].concat()
}

fn dissolved() -> Vec<u8> {
    [&[2, 26, 0], &spelled(MANY)[..], &repeated(spelled)].concat()
}

fn granted() -> Vec<u8> {
    let head = [&[2, 25, 0, 0], &spelled(MANY)[..], &spelled(MANY)].concat();
    [head, repeated(|_| vec![1]), vec![9, 0]].concat()
}

/// The header and the items of a snapshot, and `more`.
fn snapshot(more: Vec<Vec<u8>>) -> Vec<u8> {
    let mut pieces = elements(&busy_sale());
    pieces.retain(|piece| [1, 2].contains(&(piece[0] & 127)));
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
    // Tag, id, user, cart or none, made at, deadline, and when it ended or the one before it.
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
            &[0],
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
    let item = |n: u64| [&[2][..], &sku(n), &[0, 0, 0, 0]].concat();
    vec![
        ("snapshot", "ids never seen", all(&unseen)),
        ("snapshot", "released ids of users", all(&of_users)),
        ("snapshot", "open reservations", all(&open)),
        ("snapshot", "orders", all(&order)),
        ("snapshot", "orders with refunds", all(&refund)),
        ("snapshot", "items", all(&item)),
        ("snapshot", "carts of many items", carts()),
        ("snapshot", "people in a line", line_of(1, |_| 0)),
        ("snapshot", "people far apart", line_of(64, |_| 0)),
        ("snapshot", "people who want much", line_of(64, |_| 1 << 40)),
        ("snapshot", "lines", lines_of_one(None)),
        (
            "snapshot",
            "lines that were drawn",
            lines_of_one(Some(1_000)),
        ),
        ("snapshot", "lines of the last draw", last_draw()),
    ]
}

/// The header and the items of a sale with lines, and `more`.
fn waiting(mut more: Vec<Vec<u8>>) -> Vec<u8> {
    let mut pieces = elements(&waiting_sale());
    pieces.retain(|piece| [1, 2].contains(&(piece[0] & 127)));
    // Nothing is reserved or sold: there are no records of it.
    for item in pieces.iter_mut().skip(1) {
        let len = 2 + usize::from(item[1]);
        item.truncate(len);
        item.extend([9, 0, 0, 18]);
    }
    pieces.append(&mut more);
    recount(&mut pieces);
    pieces.concat()
}

/// A line, without those who are in it.
fn line(item: u64, next: u64, people: u64, drawn: Option<u64>) -> Vec<u8> {
    let numbers = [item, next, 0, people].into_iter().flat_map(spelled);
    let mut bytes: Vec<u8> = std::iter::once(12).chain(numbers).collect();
    bytes.push(u8::from(drawn.is_some()));
    if let Some(drawn) = drawn {
        bytes.extend(spelled(drawn));
        bytes.extend([7; 16]);
    }
    bytes
}

fn place(number: u64, n: u64, qty: u64) -> Vec<u8> {
    let (id, user) = (name(n), name(n));
    [&[13][..], &spelled(number), &id, &user, &spelled(qty)].concat()
}

/// A drawn line of people whose numbers are so far apart.
fn line_of(apart: u64, more: fn(u64) -> u64) -> Vec<u8> {
    let places = (0..MANY).map(|n| place(n * apart, n, 1 + more(n)));
    let line = line(0, MANY * apart, MANY, Some(0));
    waiting(std::iter::once(line).chain(places).collect())
}

/// Lines of one person each.
fn lines_of_one(drawn: Option<u64>) -> Vec<u8> {
    let items = (4..MANY).map(|n| [&[2][..], &sku(n), &[1, 0, 0, 2]].concat());
    let next = drawn.unwrap_or(1);
    let lines = (0..MANY).map(|n| {
        let line = line(n, next, 1, drawn);
        [line, place(0, n, 1)].concat()
    });
    waiting(items.chain(lines).collect())
}

/// A header that names many lines, which one that was drawn have.
fn last_draw() -> Vec<u8> {
    let mut bytes = waiting(Vec::new());
    let past = [&[3, 2, 1][..], &spelled(super::samples::NOW_MS + 1_000)].concat();
    let found = bytes.windows(past.len()).position(|part| part == past);
    let at = found.unwrap_or_default() + past.len() + 16;
    let list = [
        spelled(MANY),
        repeated(|n| [&spelled(n)[..], &[1]].concat()),
    ]
    .concat();
    // The length of the option stands 19 bytes before.
    let length = found.unwrap_or_default() - 19;
    let longer = spelled(u64::from(bytes[length]) - 3 + list.len() as u64);
    bytes.splice(at..at + 3, list);
    bytes.splice(length..=length, longer);
    bytes
}

/// Users who each have something of everything: a line takes two bytes, and counts
/// against a limit of its own.
fn carts() -> Vec<u8> {
    let items = (0..240).map(|n| [&[2][..], &sku(n), &[1, 150, 0, 0]].concat());
    let lines: Vec<u8> = (3..243).flat_map(|item| [item, 1]).collect();
    let cart = |n| {
        [
            &[3][..],
            &name(n),
            &[1],
            &name(n),
            &[1, 240],
            &lines,
            &[0, 0, 0],
        ]
        .concat()
    };
    snapshot(items.chain((0..150).map(cart)).collect())
}
