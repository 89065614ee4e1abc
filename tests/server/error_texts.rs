//! **Goal**: an error says what to put right: the argument, what it was, what it may be,
//! and what to do where that is not plain.
//!
//! **Method**: one line for each kind of mistake, with the whole text it gets. Codes are
//! the contract's; these texts are for people, and may be improved here.

use crate::support::{Server, render, words_of};

/// What the lines are about.
const SETUP: [&str; 6] = [
    "SET text x",
    "XADD other 1-1 a b",
    "FLASHSALE.CREATE tea orders ITEMS 2 green 5 black 5",
    "FLASHSALE.BUY tea orders ann ITEMS 2 green 1 black 1 ID ann-1",
    "FLASHSALE.CREATE full other STOCK 5",
    "FLASHSALE.CREATE wide other ITEMS 2 a 1 b 1",
];

const ERRORS: [(&str, &str); 45] = [
    // Names.
    ("RESERVE nosuch ann 1", "NOSALE key: no such sale: 'nosuch'"),
    (
        "RESERVE text ann 1",
        "WRONGTYPE key: 'text' holds a value other than a sale",
    ),
    (
        "CREATE new text STOCK 1",
        "WRONGTYPE orders: 'text' holds a value other than a stream",
    ),
    (
        "CREATE tea orders STOCK 1",
        "BUSYKEY key: 'tea' exists already; ALTER and RESTOCK change a sale",
    ),
    (
        "CREATE new new STOCK 1",
        "ERR orders: the same as key, it needs a key of its own",
    ),
    (
        "BIND tea tea",
        "ERR orders: the same as key, it needs a key of its own",
    ),
    (
        "CHECKOUT tea other ann-1",
        "ERR orders: 'other' is not the stream of this sale, which is 'orders'",
    ),
    (
        "RESERVE tea ann ITEMS 1 red 1",
        "NOSKU sku: the sale has no item 'red'",
    ),
    (
        "RESTOCK tea ITEMS 1 red 1",
        "NOSKU sku: the sale has no item 'red'; NEW adds one, with a delta of 0 or more",
    ),
    (
        "RESTOCK tea ITEMS 1 red -1 NEW",
        "NOSKU sku: the sale has no item 'red'; NEW adds one, with a delta of 0 or more",
    ),
    (
        "RESERVE tea ann 1",
        "NOSKU sku: missing, the sale has several items and none is 'default': name one by \
         ITEMS or SKU",
    ),
    ("RESERVE tea '' 1", "ERR user: 0 bytes, not 1 to 255"),
    // Numbers.
    (
        "RESERVE tea ann 0",
        "ERR qty: '0' is not an integer from 1 to 9007199254740991",
    ),
    (
        "RESERVE tea ann 1 HOLD soon",
        "ERR HOLD: 'soon' is not an integer from 1 to 9007199254740991",
    ),
    (
        "CREATE new o STOCK -1",
        "ERR STOCK: '-1' is not an integer from 0 to 9007199254740991",
    ),
    (
        "EXTEND tea ann-1 1.5",
        "ERR ms: '1.5' is not an integer from 1 to 9007199254740991",
    ),
    (
        "RESTOCK tea 0",
        "ERR delta: '0' is not an integer from -9007199254740991 to 9007199254740991, or is 0",
    ),
    (
        "RESERVE tea ann ITEMS 2 green 1",
        "ERR count: 2 pairs of two words, but 2 words follow",
    ),
    (
        "CREATE new o ITEMS 2 a 9007199254740991 b 1",
        "ERR n: the sum over the sale exceeds 9007199254740991",
    ),
    (
        "RESERVE tea ann ITEMS 2 green 9007199254740991 black 1",
        "ERR qty: the sum exceeds 9007199254740991",
    ),
    (
        "RESTOCK tea ITEMS 1 green 9007199254740991",
        "ERR delta: the sum over the sale exceeds 9007199254740991",
    ),
    (
        "RESTOCK tea ITEMS 2 green 9007199254740991 green 1",
        "ERR delta: the sum of one SKU is not from -9007199254740991 to 9007199254740991",
    ),
    (
        "SCAN tea x",
        "ERR cursor: 'x' is not an integer from 0 to 9007199254740991",
    ),
    (
        "CREATE new o STOCK 1 START 1795203093",
        "ERR START: is '1795203093' in seconds, or a time of day? It is Unix time in milliseconds, \
         from 100000000000 to 10000000000000, or 0 for none",
    ),
    (
        "ALTER tea END 1795203093000000",
        "ERR END: is '1795203093000000' in microseconds? It is Unix time in milliseconds, from \
         100000000000 to 10000000000000, or 0 for none",
    ),
    // Options.
    (
        "RESERVE tea",
        "ERR wrong number of arguments for 'flashsale.reserve' command",
    ),
    (
        "BUY tea ann 1 ID x",
        "ERR orders: is it missing before 'ann'? See FLASHSALE.HELP",
    ),
    (
        "RESERVE tea ann ITEMS 1 green 1 REF x",
        "ERR syntax: unknown option 'REF', see FLASHSALE.HELP",
    ),
    (
        "RESERVE tea ann ITEMS 1 green 1 ID",
        "ERR ID: its value is missing",
    ),
    (
        "RESERVE tea ann ITEMS 1 green 1 ID a ID b",
        "ERR ID: given twice",
    ),
    (
        "CREATE new o 5 ANY",
        "ERR syntax: STOCK n or ITEMS count sku n ... must follow orders",
    ),
    (
        "CREATE new o ITEMS 2 a 1 a 1",
        "ERR ITEMS: the SKU 'a' twice",
    ),
    (
        "SCAN tea 0 STATE gone",
        "ERR STATE: 'gone' is none of reserved, sold, refunded, released, expired, waiting",
    ),
    (
        "CHECKOUT tea orders ann-1 PAYLOAD {gift}",
        "ERR PAYLOAD: not JSON: key must be a string at line 1 column 2",
    ),
    (
        "REFUND tea orders ann-1 ITEMS 1 green 1",
        "ERR REF: missing, QTY, ITEMS and UNITS need one",
    ),
    (
        "REFUND tea orders ann-1 REF r ITEMS 1 green 1 QTY 1",
        "ERR QTY: only one of QTY, ITEMS and UNITS",
    ),
    (
        "REFUND tea orders ann-1 REF r QTY 1",
        "ERR QTY: the order has several SKUs, use ITEMS",
    ),
    // What does not fit together.
    (
        "CREATE new o STOCK 1 MAXHOLD 5",
        "ERR MAXHOLD: below HOLD, which is the sale's or default-hold-ms where not given",
    ),
    (
        "CREATE new o STOCK 1 START 9000000000000 END 9000000000000",
        "ERR START: not before END, both in Unix milliseconds",
    ),
    (
        "CREATE new o STOCK 1 END 1000000000000",
        "ERR END: the sale would already be over (END is Unix time in milliseconds)",
    ),
    (
        "ALTER tea ITEMLIMIT 4",
        "ERR ITEMLIMIT: can be changed, not introduced: give it to CREATE",
    ),
    // What the server is set to.
    (
        "CREATE new o ITEMS 3 a 1 b 1 c 1",
        "ERR ITEMS: more than one sale may have, see CONFIG GET flashsale.max-items",
    ),
    (
        "RESTOCK wide ITEMS 1 c 1 NEW",
        "ERR ITEMS: more than one sale may have, see CONFIG GET flashsale.max-items",
    ),
    (
        "RESERVE full bob 1",
        "OOM max-reservations: the sale may know 1, and none of those it knows can be forgotten",
    ),
    (
        "APPLY tea orders x",
        "ERR internal: only a primary and an AOF may send this command",
    ),
];

#[test]
fn an_error_says_what_to_put_right() {
    let Some(server) = Server::own(&[], &["max-items 2 max-reservations 1"]) else {
        return;
    };
    let mut con = server.conn();
    for line in SETUP {
        let reply = con.show(line);
        assert!(!reply.contains("(error)"), "{line}: {reply}");
    }
    con.says("FLASHSALE.RESERVE full ann 1 ID ann-1", "RESERVED ...");
    for (line, text) in ERRORS {
        let words = words_of(&format!("FLASHSALE.{line}"));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let reply = render(&con.run_words(&words));
        assert_eq!(reply, format!("(error) {text:?}"), "{line}");
    }
}
