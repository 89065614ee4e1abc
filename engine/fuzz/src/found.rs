//! What fuzzers have found, in hex, and what it was: mended, and never to come back.

/// Target and bytes.
pub const FOUND: [(&str, &str); 3] = [
    // A number in nine bytes that fits into fewer: one event had two spellings.
    ("event", "0107fd380f000100000000fc80ee3600fcc0270900"),
    // A deadline beyond 2^53 - 1 was cut to it: a guess.
    ("event", "0102fdffffffffffff1f000169017501000101 00"),
    // A ULID in letters, where its packed form is the one spelling.
    (
        "event",
        "0105001a303141525a334e44454b54535634525246465136394735464156",
    ),
];
