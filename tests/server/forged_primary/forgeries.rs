//! Events that do not fit the sales and filters of [`SETUP`], whatever is wrong with them.
//!
//! Edge: only made here; `forged_primary.rs` sends them.

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::HASHER;

/// What is on the replica when the forgeries come. The sale is paused in the end.
pub const SETUP: [&str; 16] = [
    "FLASHSALE.CREATE sale orders ITEMS 2 a 10 b 5 USERLIMIT 8 HOLD 3000000",
    "FLASHSALE.RESERVE sale ann ITEMS 1 a 2 ID open",
    "FLASHSALE.RESERVE sale ann ITEMS 1 b 1 ID gone",
    "FLASHSALE.RELEASE sale gone",
    "FLASHSALE.BUY sale orders bob ITEMS 1 a 3 ID sold REF p",
    "FLASHSALE.REFUND sale orders sold ITEMS 1 a 1 REF f",
    "FLASHSALE.RESTOCK sale ITEMS 1 b 2 REF truck",
    "FLASHSALE.PAUSE sale",
    "FLASHSALE.CREATE closed orders STOCK 1",
    "FLASHSALE.CLOSE closed",
    "FLASHSALE.CREATE fresh orders STOCK 5",
    "SET text x",
    "XADD stream 1-1 a b",
    "SADD set x",
    "FLASHSALE.BFMADD filter a b",
    "FLASHSALE.BFMADD source c d e",
];

/// Whatever time it is there: later than the sales were made.
pub const AT_MS: u64 = 4_000_000_000_000;

pub fn event(change: Change<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let at_ms = AT_MS;
    encode_event(&Event { at_ms, change }, &mut bytes);
    bytes
}

/// The event of a person's RESUME of a copy that missed so many changes since a moment.
pub fn lift(at_ms: u64, misses: u64) -> Vec<u8> {
    let lifts = Some(MarkId { at_ms, misses });
    event(Change::Resumed { lifts })
}

pub fn order(ms: u64) -> Order<'static> {
    Order {
        reference: None,
        payload: None,
        entry: EntryId { ms, seq: 1 },
        told: Told::default(),
    }
}

pub fn lines(lines: &[(u32, u64)]) -> Lines {
    lines
        .iter()
        .map(|&(item, qty)| Line { item, qty })
        .collect()
}

fn reserved(id: &'static str, of: &[(u32, u64)], forgets: Forgets) -> Vec<u8> {
    event(Change::Reserved {
        id: HASHER.key(id.as_bytes()),
        user: HASHER.key(b"eve"),
        lines: lines(of),
        expires_at_ms: AT_MS + 5,
        forgets,
        replaces: None,
    })
}

fn bought(id: &'static str, of: &[(u32, u64)], forgets: Forgets) -> Vec<u8> {
    event(Change::Bought {
        id: HASHER.key(id.as_bytes()),
        user: HASHER.key(b"eve"),
        lines: lines(of),
        order: order(AT_MS),
        forgets,
    })
}

fn unseen(id: &'static str, forgets: Forgets) -> Vec<u8> {
    event(Change::ReleasedUnseen {
        id: HASHER.key(id.as_bytes()),
        user: None,
        forgets,
    })
}

fn refunded(id: &'static str, of: &[(u32, u64)], reference: Option<&'static str>) -> Vec<u8> {
    event(Change::Refunded(Refund {
        id: HASHER.key(id.as_bytes()),
        lines: lines(of),
        reference: reference.map(|reference| Spelling::of(reference.as_bytes())),
        restocks: true,
        restores_limit: true,
        no_restock: Some(false),
        entry: EntryId { ms: AT_MS, seq: 9 },
        told: Told::default(),
    }))
}

fn restocked(of: &[(&'static str, i64)], reference: Option<&'static str>) -> Vec<u8> {
    let delta = |&(sku, delta): &(&'static str, i64)| StockDelta {
        sku: sku.as_bytes().into(),
        delta,
    };
    event(Change::Restocked {
        deltas: of.iter().map(delta).collect(),
        reference: reference.map(|reference| Spelling::of(reference.as_bytes())),
    })
}

fn with_id(make: fn(Key<'static>) -> Change<'static>, id: &'static str) -> Vec<u8> {
    event(make(HASHER.key(id.as_bytes())))
}

fn extended(id: &'static str, expires_at_ms: u64) -> Vec<u8> {
    let id = HASHER.key(id.as_bytes());
    event(Change::Extended { id, expires_at_ms })
}

fn sold(id: &'static str) -> Vec<u8> {
    let (id, order) = (HASHER.key(id.as_bytes()), order(AT_MS));
    event(Change::Sold { id, order })
}

/// Bytes that are no event.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let good = reserved("new", &[(0, 1)], Forgets::Nothing);
    let mut other_version = good.clone();
    other_version[0] = 99;
    let mut other_kind = good.clone();
    other_kind[1] = 200;
    let promise = |head: &[u8]| [head, &[253, 0, 0, 0, 0, 0, 0, 0, 0x10]].concat();
    let mut created = vec![1, 1, 0];
    created.extend([0; 16]);
    let mut items = created.clone();
    items.extend([1, b'o', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    vec![
        ("nothing", Vec::new()),
        ("a zero", vec![0]),
        ("a thousand bytes", vec![0xff; 1_000]),
        ("RESP", b"\r\n+OK\r\n*1\r\n$4\r\nPING\r\n".to_vec()),
        ("an event cut short", good[..good.len() - 1].to_vec()),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("another version", other_version),
        ("an unknown kind", other_kind),
        (
            "a cart of 2^60 lines",
            promise(&[1, 2, 0, 1, b'i', 1, b'u']),
        ),
        ("a stream's name of 2^60 bytes", promise(&created)),
        ("2^60 items", promise(&items)),
        ("2^60 deltas", promise(&[1, 11, 0])),
        ("a name of no bytes", vec![1, 5, 0, 0]),
        (
            "a name of 129 bytes",
            [&[1, 5, 0, 129][..], &[b'n'; 129]].concat(),
        ),
        ("no units", vec![1, 2, 0, 1, b'i', 1, b'u', 1, 0, 0, 9, 0]),
        (
            "the same item twice",
            vec![1, 2, 0, 1, b'i', 1, b'u', 2, 0, 1, 0, 1, 9, 0],
        ),
    ]
}

/// Events that do not fit `sale`.
fn misfits() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a known id", reserved("open", &[(0, 1)], Forgets::Nothing)),
        (
            "more than there is",
            reserved("new", &[(0, 7)], Forgets::Nothing),
        ),
        (
            "more of the second",
            reserved("new", &[(0, 1), (1, 8)], Forgets::Nothing),
        ),
        (
            "an unknown item",
            reserved("new", &[(2, 1)], Forgets::Nothing),
        ),
        (
            "the last item there can be",
            reserved("new", &[(u32::MAX, 1)], Forgets::Nothing),
        ),
        (
            "2^53 - 1 units",
            reserved("new", &[(0, INTEGER_MAX)], Forgets::Nothing),
        ),
        (
            "bought, a known id",
            bought("sold", &[(0, 1)], Forgets::Nothing),
        ),
        (
            "bought, too many",
            bought("new", &[(1, 8)], Forgets::Nothing),
        ),
        ("sold, unknown", sold("nosuch")),
        ("sold, sold", sold("sold")),
        ("sold, released", sold("gone")),
        (
            "released, unknown",
            with_id(|id| Change::Released { id }, "nosuch"),
        ),
        (
            "released, sold",
            with_id(|id| Change::Released { id }, "sold"),
        ),
        (
            "released, released",
            with_id(|id| Change::Released { id }, "gone"),
        ),
        ("released unseen, seen", unseen("open", Forgets::Nothing)),
        (
            "expired, unknown",
            with_id(|id| Change::Expired { id }, "nosuch"),
        ),
        (
            "expired, sold",
            with_id(|id| Change::Expired { id }, "sold"),
        ),
        ("extended, unknown", extended("nosuch", AT_MS)),
        ("extended, sold", extended("sold", AT_MS)),
        ("extended, back", extended("open", 1)),
        (
            "too many overdue",
            event(Change::Swept {
                expired: 2,
                lapsed: 0,
                forgotten: 0,
            }),
        ),
        (
            "too many remembered",
            event(Change::Swept {
                expired: 0,
                lapsed: 0,
                forgotten: 2,
            }),
        ),
        (
            "billions",
            event(Change::Swept {
                expired: u32::MAX,
                lapsed: 0,
                forgotten: u32::MAX,
            }),
        ),
        ("refunded, unknown", refunded("nosuch", &[(0, 1)], None)),
        ("refunded, not sold", refunded("open", &[(0, 1)], None)),
        (
            "refunded, more than left",
            refunded("sold", &[(0, 3)], None),
        ),
        ("refunded, another item", refunded("sold", &[(1, 1)], None)),
        (
            "refunded, a known REF",
            refunded("sold", &[(0, 1)], Some("f")),
        ),
        ("below zero", restocked(&[("a", -7)], None)),
        (
            "above 2^53 - 1",
            restocked(&[("a", INTEGER_MAX as i64)], None),
        ),
        (
            "taken from an unknown item",
            restocked(&[("nosuch", -1)], None),
        ),
        (
            "a known REF of RESTOCK",
            restocked(&[("b", 2)], Some("truck")),
        ),
        ("paused twice", event(Change::Paused)),
        (
            "ITEMLIMIT from now on",
            event(Change::Altered(Box::new(Options {
                item_limit: Some(1),
                ..Options::new(5, 3_600_000)
            }))),
        ),
    ]
}

/// Merges of filters that no primary makes: the destination among the sources, or a source
/// twice. With each, whether it makes the filter, and the items it counts then, which are
/// right.
const MERGES: [(&str, &[&str], bool, u64); 5] = [
    (
        "a new filter of itself",
        &["filter", "filter", "source"],
        true,
        5,
    ),
    (
        "a new filter that ends with itself",
        &["filter", "source", "filter"],
        true,
        5,
    ),
    ("merged into itself", &["filter", "filter"], false, 4),
    (
        "the same source twice",
        &["filter", "source", "source"],
        false,
        8,
    ),
    (
        "a new filter of the same source twice",
        &["new", "source", "source"],
        true,
        6,
    ),
];

/// The words of [`MERGES`].
fn merges() -> impl Iterator<Item = (&'static str, Vec<Vec<u8>>)> {
    MERGES.iter().map(|&(what, keys, is_new, items)| {
        let event = [&[2, 5, u8::from(is_new)][..], &items.to_le_bytes()].concat();
        let keys = keys.iter().map(|key| key.as_bytes().to_vec());
        let words = [b"FLASHSALE.BFAPPLY".to_vec()].into_iter();
        (what, words.chain(keys).chain([event]).collect())
    })
}

/// What it is, and the words that carry it.
pub fn forgeries() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let apply = |keys: &[&str], event: &[u8]| -> Vec<Vec<u8>> {
        let words = [b"FLASHSALE.APPLY".to_vec()].into_iter();
        let keys = keys.iter().map(|key| key.as_bytes().to_vec());
        words.chain(keys).chain([event.to_vec()]).collect()
    };
    let mut all = Vec::new();
    for (what, bytes) in garbage() {
        all.push((what, apply(&["sale"], &bytes)));
        all.push((what, apply(&["nosuch", "orders"], &bytes)));
    }
    for (what, bytes) in misfits() {
        all.push((what, apply(&["sale", "orders"], &bytes)));
    }
    let good = bought("new", &[(0, 1)], Forgets::Nothing);
    for key in ["nosuch", "text", "stream", "set", "orders", ""] {
        all.push(("not a sale", apply(&[key, "orders"], &good)));
    }
    let (paused, resumed) = (
        event(Change::Paused),
        event(Change::Resumed { lifts: None }),
    );
    all.push(("no sale to pause", apply(&["nosuch"], &paused)));
    all.push(("resumed and never paused", apply(&["fresh"], &resumed)));
    all.push(("closed twice", apply(&["closed"], &event(Change::Closed))));
    for bytes in [
        reserved("new", &[(0, 1)], Forgets::OldestPastGrace),
        bought("new", &[(0, 1)], Forgets::OldestPastGrace),
        unseen("new", Forgets::OldestPastGrace),
    ] {
        all.push(("nothing to forget", apply(&["fresh", "orders"], &bytes)));
    }
    all.push(("too many words", apply(&["sale", "orders", "x"], &good)));
    for key in ["sale", "new", "text"] {
        for chunk in [&b""[..], b"x", &[1, 1, 0], &[0xff; 65_537], &[0xff; 65_536]] {
            let words = [b"FLASHSALE.LOAD", key.as_bytes(), chunk];
            all.push(("a chunk", words.map(<[u8]>::to_vec).into()));
        }
    }
    all.extend(merges());
    all
}
