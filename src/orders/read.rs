//! Reading entries back, for AUDIT.
//!
//! Edge: pure; the values of the fields come in as bytes.

use super::names::WORDS;
use flashsale_engine::sale::OrderEntry;

/// What an entry of a sale is to AUDIT.
#[derive(Debug)]
pub(super) enum Seen<'e> {
    Order(OrderEntry<'e>),
    /// An entry of `EVENTS all`, or of a newer version. The sale knows only how many there were.
    Other,
}

/// Reads an entry by the values of its fields.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn read_entry<'e>(
    find: impl Fn(&[u8]) -> Option<&'e [u8]>,
) -> Result<Seen<'e>, &'static str> {
    let event = find(WORDS.event).ok_or("it has no event")?;
    if event != WORDS.order && event != WORDS.refund {
        return Ok(Seen::Other);
    }
    read_order(event == WORDS.refund, find).map(Seen::Order)
}

fn read_order<'e>(
    is_refund: bool,
    find: impl Fn(&[u8]) -> Option<&'e [u8]>,
) -> Result<OrderEntry<'e>, &'static str> {
    let number = |name: &[u8]| {
        let text = std::str::from_utf8(find(name)?).ok()?;
        text.parse::<u64>().ok()
    };
    let items = find(WORDS.items).and_then(read_items);
    let Items { lines, units } =
        items.ok_or("its items are not of the form [{\"sku\":\"a\",\"qty\":2}]")?;
    Ok(OrderEntry {
        is_refund,
        id: find(WORDS.id).ok_or("it has no id")?,
        user: find(WORDS.user).ok_or("it has no user")?,
        qty: number(WORDS.qty).ok_or("its qty is no number")?,
        items: lines,
        units,
        at_ms: number(WORDS.at_ms).ok_or("its at_ms is no number")?,
        // No REF is empty; before there were empty ones, such a field was left out.
        reference: find(WORDS.reference).filter(|reference| !reference.is_empty()),
    })
}

/// What `items` says.
#[derive(Default)]
struct Items {
    lines: Vec<(Vec<u8>, u64)>,
    /// Names of units, of one line after the other.
    units: Vec<Vec<u8>>,
}

/// Reads what `items_json` wrote.
fn read_items(json: &[u8]) -> Option<Items> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    let mut items = Items::default();
    for line in value.as_array()? {
        let sku = line.get("sku")?.as_str()?.as_bytes().to_vec();
        items.lines.push((sku, line.get("qty")?.as_u64()?));
        if let Some(units) = line.get("units") {
            for unit in units.as_array()? {
                items.units.push(unit.as_str()?.as_bytes().to_vec());
            }
        }
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [(&str, &str); 7] = [
        ("event", "order"),
        ("id", "r1"),
        ("user", "ann"),
        ("qty", "3"),
        ("items", r#"[{"sku":"a\"b","qty":2}, {"qty":1,"sku":"c"}]"#),
        ("at_ms", "1700000000000"),
        ("ref", "p"),
    ];

    /// Reads the entry with one field changed, or left out.
    fn read(name: &str, value: Option<&'static str>) -> Result<OrderEntry<'static>, &'static str> {
        let seen = read_entry(|wanted| {
            let (field, text) = FIELDS
                .iter()
                .find(|(field, _)| field.as_bytes() == wanted)?;
            let text = if *field == name { value? } else { *text };
            Some(text.as_bytes())
        });
        match seen? {
            Seen::Order(entry) => Ok(entry),
            Seen::Other => Err("another entry"),
        }
    }

    #[test]
    fn reads_what_an_entry_says() {
        let entry = read("", None).unwrap();
        assert_eq!(
            (entry.id, entry.user, entry.qty),
            (&b"r1"[..], &b"ann"[..], 3)
        );
        assert_eq!(entry.items, [(b"a\"b".to_vec(), 2), (b"c".to_vec(), 1)]);
        assert_eq!(
            (entry.at_ms, entry.reference),
            (1_700_000_000_000, Some(&b"p"[..]))
        );
        assert!(!entry.is_refund);
        assert!(read("event", Some("refund")).unwrap().is_refund);
        let json = r#"[{"sku":"s","qty":2,"units":["A \"1\"","A-2"]},{"sku":"c","qty":1,"units":["k"],"restocked":0}]"#;
        let entry = read("items", Some(json)).unwrap();
        assert_eq!(entry.items, [(b"s".to_vec(), 2), (b"c".to_vec(), 1)]);
        let names = [&b"A \"1\""[..], b"A-2", b"k"];
        assert_eq!(entry.units, names);
        for none in [Some(""), None] {
            assert_eq!(read("ref", none).unwrap().reference, None);
        }
    }

    #[test]
    fn passes_over_what_is_no_order_and_no_refund() {
        for other in ["reserved", "sold", "of a newer version", ""] {
            assert_eq!(read("event", Some(other)).unwrap_err(), "another entry");
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_entry() {
        for (name, value, part) in [
            ("event", None, "event"),
            ("id", None, "no id"),
            ("user", None, "no user"),
            ("qty", Some("-1"), "qty"),
            ("qty", None, "qty"),
            ("items", Some("a 2"), "items"),
            ("items", Some(r#"[{"sku":"a"}]"#), "items"),
            (
                "items",
                Some(r#"[{"sku":"a","qty":1,"units":"A-1"}]"#),
                "items",
            ),
            ("items", Some(r#"{"sku":"a","qty":1}"#), "items"),
            ("at_ms", Some("now"), "at_ms"),
        ] {
            let why = read(name, value).unwrap_err();
            assert!(why.contains(part), "{name}: {why}");
        }
    }
}
