//! What can be wrong with a line: each case is a line and the error it must get.
//!
//! Edge: made from the table of `lines.rs` alone; nothing is sent here.

use super::lines::{Kind, Line, Word};

/// A wrong line.
#[derive(Clone)]
pub struct Case {
    pub words: Vec<Vec<u8>>,
    /// What the error must name.
    pub names: Named,
}

/// What an error tells about the line.
#[derive(Clone)]
pub enum Named {
    /// The server's own text about the number of words.
    WordCount,
    /// An argument or an option by its name, or the word that is not understood.
    Argument(String),
}

fn argument(name: &str) -> Named {
    Named::Argument(name.to_owned())
}

/// No strict decimals, or beyond 2^53-1. The text of some would be a number to a
/// reader that stops at the first odd byte, skips spaces, or wraps around.
const NO_INTEGERS: [&str; 25] = [
    "",
    "+1",
    "1.0",
    "1.",
    ".5",
    "1e3",
    " 1",
    "1 ",
    "1\n",
    "1\0",
    "\t1",
    "0x1",
    "0b1",
    "01",
    "00",
    "-0",
    "one",
    "1_000",
    "1,000",
    "nan",
    "inf",
    "\u{661}",
    "9007199254740992",
    "18446744073709551617",
    "99999999999999999999999",
];

/// Values that an argument of this kind cannot have.
pub fn bad_values(kind: Kind) -> Vec<Vec<u8>> {
    let numbers = || NO_INTEGERS.iter().map(|text| text.as_bytes().to_vec());
    let text = |texts: &[&str]| -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    };
    match kind {
        // Any key there is, and any there is not: the keys have tests of their own.
        Kind::Sale | Kind::NewSale | Kind::Orders | Kind::Stream | Kind::Limit => Vec::new(),
        Kind::Name => vec![Vec::new(), vec![b'n'; 256], vec![b'n'; 100_000]],
        Kind::Pass => vec![Vec::new(), vec![b'p'; 65], vec![b'p'; 100_000]],
        Kind::Secrets => text(&["", "3", "01", "-1", "1.0", "one", "9007199254740991"]),
        Kind::Secret => vec![Vec::new(), vec![b's'; 15], vec![b's'; 129]],
        Kind::Ulid => text(&[
            "",
            "x",
            "01arz3ndektsv4rrffq69g5fav",
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
        ]),
        Kind::Past => {
            let other_units = ["0", "1", "99999999999", "10000000000001"];
            // Ahead of any clock here.
            let ahead = ["9000000000000"];
            numbers()
                .chain(text(&["-1"]))
                .chain(text(&other_units))
                .chain(text(&ahead))
                .collect()
        }
        Kind::NoGroup => vec![b"shoes".to_vec(), vec![b'n'; 129], b"\xff".to_vec()],
        Kind::Sku | Kind::Group => {
            let mut bad = vec![Vec::new(), vec![b'n'; 129], "é".repeat(65).into_bytes()];
            // A stray byte, an overlong form, a surrogate, a character cut short.
            let not_utf8: [&[u8]; 5] =
                [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82", b"a\x80"];
            bad.extend(not_utf8.iter().map(|bytes| bytes.to_vec()));
            bad
        }
        Kind::Integer(0) => numbers().chain(text(&["-1"])).collect(),
        Kind::Moment => {
            let other_units = ["1", "99999999999", "10000000000001", "9007199254740991"];
            numbers()
                .chain(text(&["-1"]))
                .chain(text(&other_units))
                .collect()
        }
        Kind::Integer(_) | Kind::Count | Kind::Names => {
            numbers().chain(text(&["-1", "0"])).collect()
        }
        Kind::Delta => {
            let signs = ["--1", "-", "-01", "+-1", "- 1", "-1.0", "-9007199254740992"];
            numbers().chain(text(&signs)).collect()
        }
        Kind::Json => bad_json(),
        Kind::State => text(&["", "gone", "open", "sol", "solds", "sold ", " sold", "*"]),
    }
}

fn bad_json() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "{\"a\":}",
        "{'a':1}",
        "nan",
        "NaN",
        "Infinity",
        "undefined",
        "{}{}",
        "{} x",
        "[1,]",
        "{\"a\":1,}",
        "\"a",
        "01",
        "+1",
        "1.",
        ".5",
        "0x1",
        "{}\0",
        "\u{feff}{}",
        "\"\n\"",
        "// c\n1",
        "TRUE",
    ];
    let mut bad: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bad.push(b"\"\xff\"".to_vec());
    bad.push(vec![b'['; 60_000]);
    // Well-formed, and one level too deep.
    bad.push(format!("{}1{}", "[".repeat(129), "]".repeat(129)).into_bytes());
    // Well-formed, and one byte too long.
    bad.push(format!("\"{}\"", "x".repeat(64 * 1024 - 1)).into_bytes());
    bad
}

/// Every wrong line that one line of the table gives.
pub fn cases(line: &Line) -> Vec<Case> {
    let mut cases = cut_short(line);
    cases.extend(wrong_values(line));
    cases.extend(wrong_options(line));
    cases.extend(wrong_counts(line));
    cases
}

/// Commands that end with as many SKUs as there are.
const NAMES_SKUS: [&str; 3] = ["STOCK", "SHARES", "REST"];

/// The line cut after each of its words, and after each option's keyword.
fn cut_short(line: &Line) -> Vec<Case> {
    let all = line.with(&[]);
    let mut cases = Vec::new();
    let mut is_in_pairs = false;
    for (index, missing) in line.words().iter().enumerate() {
        // A keyword ends the pairs before it.
        is_in_pairs &= !matches!(missing, Word::Keyword(_));
        let words = all[..index + 1].to_vec();
        let names = match missing {
            _ if words.len() < line.words_min() => Some(Named::WordCount),
            // What may be left out: then the line is another of the table.
            Word::Keyword(_) => None,
            Word::Argument {
                kind: Kind::Sku, ..
            } if NAMES_SKUS.contains(&line.command) => None,
            Word::Argument {
                kind: Kind::Orders, ..
            } if line.command == "AUDIT" => None,
            // The count promised more than there is.
            Word::Argument { .. } if is_in_pairs => Some(argument("count")),
            Word::Argument { name, .. } => Some(argument(name)),
        };
        is_in_pairs |= matches!(
            missing,
            Word::Argument {
                kind: Kind::Count | Kind::Names,
                ..
            }
        );
        cases.extend(names.map(|names| Case { words, names }));
    }
    for option in line.options() {
        if let [keyword, Word::Argument { name, .. }] = &option[..] {
            let words = line.with(std::slice::from_ref(keyword));
            cases.push(Case {
                words,
                names: argument(name),
            });
        }
    }
    cases
}

/// Each argument with each value it cannot have.
fn wrong_values(line: &Line) -> Vec<Case> {
    let options = line.options().concat();
    let full = line.with(&options);
    let mut cases = Vec::new();
    for (index, word) in line.words().iter().chain(&options).enumerate() {
        let Word::Argument { name, kind, .. } = word else {
            continue;
        };
        for bad in bad_values(*kind) {
            let mut words = full.clone();
            words[index + 1] = bad;
            cases.push(Case {
                words,
                names: argument(name),
            });
        }
    }
    cases
}

/// Options that do not exist, almost exist, or come twice.
fn wrong_options(line: &Line) -> Vec<Case> {
    // Whatever follows a STOCK, SHARES or REST is a SKU, and what follows the key of an AUDIT the stream.
    let takes_any = line.command == "AUDIT" && line.words().len() == 1;
    if NAMES_SKUS.contains(&line.command) || takes_any {
        return Vec::new();
    }
    let mut cases = Vec::new();
    let mut unknown: Vec<String> = ["NOSUCH", "", "1", "--", "sale"].map(str::to_owned).into();
    for option in line.options() {
        let keyword = String::from_utf8_lossy(option[0].bytes()).into_owned();
        unknown.extend([
            keyword[..1].to_owned(),
            format!("{keyword}S"),
            format!("{keyword} "),
        ]);
        unknown.push(keyword[..keyword.len() - 1].to_owned());
    }
    for word in unknown {
        for value in [&[][..], &[b"1".to_vec()]] {
            let mut words = line.with(&[]);
            words.push(word.clone().into_bytes());
            words.extend_from_slice(value);
            let names = if line.is_fixed() {
                Named::WordCount
            } else {
                argument(&word)
            };
            cases.push(Case { words, names });
        }
    }
    // A keyword that the line must have is an option that comes first.
    for pair in line.words().windows(2) {
        if let [Word::Keyword(_), Word::Argument { kind, .. }] = pair
            && !matches!(kind, Kind::Count | Kind::Names)
        {
            cases.push(twice(line, &[], pair));
        }
    }
    for option in line.options() {
        // Next to each other, and with every other option between them.
        cases.push(twice(line, &option, &option));
        cases.push(twice(line, &line.options().concat(), &option));
    }
    cases
}

/// The line with this option once more, in small letters.
fn twice(line: &Line, before: &[Word], option: &[Word]) -> Case {
    let mut words = line.with(before);
    let keyword = String::from_utf8_lossy(option[0].bytes()).into_owned();
    words.push(keyword.to_lowercase().into_bytes());
    words.extend(option[1..].iter().map(|word| word.bytes().to_vec()));
    Case {
        words,
        names: argument(&keyword),
    }
}

/// One pair, or one unit with a name, more or fewer than the count says.
fn wrong_counts(line: &Line) -> Vec<Case> {
    let names = line.position(Kind::Names).map(|at| (at, 1));
    let pairs = line.position(Kind::Count).map(|at| (at, 2));
    let Some((at, size)) = names.or(pairs) else {
        return Vec::new();
    };
    let exact = line.with(&[]);
    let pairs = (exact.len() - at - 1) / size;
    let is_last = line.words().len() == at + size * pairs;
    // Behind the pairs of an IMPORT stand ID and AT, which would be taken for one.
    if !is_last || !line.options().is_empty() || line.command == "IMPORT" {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for more in [1, 2, 1_000_000, 9_007_199_254_740_990] {
        let mut words = exact.clone();
        words[at] = (pairs as u64 + more).to_string().into_bytes();
        cases.push(Case {
            words,
            names: argument("count"),
        });
    }
    // A pair beyond the count is a word that nothing announced.
    let mut words = exact.clone();
    words[at] = (pairs - 1).to_string().into_bytes();
    let left = String::from_utf8_lossy(&exact[exact.len() - size]).into_owned();
    cases.push(Case {
        words,
        names: argument(&left),
    });
    // A SKU without its number, or a unit too few.
    let mut words = exact;
    words.pop();
    cases.push(Case {
        words,
        names: argument("count"),
    });
    cases
}
