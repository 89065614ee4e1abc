//! Entries of the order stream: what they are made of, and which are one and the same.

pub use crate::link::{Fields, Raw};
use crate::sql::{Key, Value};

/// Every word of `event` that this version knows.
pub const EVENTS: [&str; 15] = [
    "order",
    "refund",
    "reserved",
    "granted",
    "extended",
    "released",
    "expired",
    "allreserved",
    "soldout",
    "backinstock",
    "restocked",
    "altered",
    "paused",
    "resumed",
    "closed",
];

/// Reports that entries were dropped before they reached the stream.
pub const LOST: &str = "lost";

/// The fields that hold a number; `..._ms` does too.
const NUMBERS: [&str; 9] = [
    "qty",
    "seq",
    "restocked",
    "restorelimit",
    "norestock",
    "imported",
    "available",
    "reserved",
    "sold",
];

/// The fields that hold text.
const TEXTS: [&str; 12] = [
    "event",
    "sale",
    "sale_id",
    "id",
    "user",
    "items",
    "ref",
    "payload",
    "group",
    "sku",
    "options",
    "replaced_by",
];

/// The fields that hold a moment.
const MOMENTS: [&str; 2] = ["at_ms", "expires_at_ms"];

/// Reports whether a field of this name holds a number, text, or is in no entry at all.
pub fn field_is_number(name: &str) -> Option<bool> {
    if NUMBERS.contains(&name) || MOMENTS.contains(&name) {
        Some(true)
    } else if TEXTS.contains(&name) {
        Some(false)
    } else {
        None
    }
}

/// Returns the value of a field, or of the first one if there are several of its name.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    let found = fields.iter().find(|(one, _)| one == name.as_bytes());
    found.map(|(_, value)| value.as_slice())
}

/// One entry, read and checked.
#[derive(Debug)]
pub struct Entry<'a> {
    pub event: &'a str,
    pub sale_id: &'a str,
    pub id: &'a [u8],
    pub user: &'a [u8],
    pub reference: &'a [u8],
    pub seq: Option<i64>,
    pub qty: i64,
    pub items: &'a str,
    pub at_ms: i64,
    pub fields: &'a Fields,
}

/// Returns the event of an entry: a word.
///
/// # Errors
///
/// There is none, in words.
pub fn event_of(fields: &Fields) -> Result<&str, String> {
    let event = field(fields, "event").ok_or("it has no field event")?;
    match std::str::from_utf8(event) {
        Ok(event) if !event.is_empty() && event.len() <= 20 => Ok(event),
        _ => Err("its event is no word".into()),
    }
}

impl<'a> Entry<'a> {
    /// Reads an entry.
    ///
    /// # Errors
    ///
    /// A field is missing or does not hold what it has to, in words.
    pub fn parse(fields: &'a Fields) -> Result<Self, String> {
        let event = event_of(fields)?;
        let is_order = event == "order";
        let has_buyer = is_order || event == "refund";
        let entry = Self {
            event,
            sale_id: sale_id(fields)?,
            id: name(fields, "id", has_buyer)?,
            user: name(fields, "user", has_buyer)?,
            // An entry of an older module has none; '' is no NULL, which would equal nothing.
            reference: name(fields, "ref", false)?,
            seq: optional_number(fields, "seq")?,
            qty: optional_number(fields, "qty")?.unwrap_or(0),
            items: text(fields, "items")?.unwrap_or(""),
            at_ms: number(fields, "at_ms")?,
            fields,
        };
        if has_buyer {
            number(fields, "qty")?;
            text(fields, "items")?.ok_or("it has no field items")?;
        }
        if is_order {
            text(fields, "payload")?;
        } else if event == "refund" {
            number(fields, "restocked")?;
        } else {
            number(fields, "seq")?;
        }
        if field(fields, "sale").is_some_and(|sale| sale.len() > 1_024) {
            return Err("its sale is longer than 1,024 bytes".into());
        }
        Ok(entry)
    }

    /// Returns a text field that `parse` has checked.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        field(self.fields, name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns a number field, `None` where it is missing or none.
    pub fn number(&self, name: &str) -> Option<i64> {
        optional_number(self.fields, name).ok().flatten()
    }

    /// Returns the key that this entry shares with every copy of it. Never the stream ID:
    /// after a failover one ID can be two entries.
    pub fn key(&self) -> Key {
        let mut key: Key = vec![self.sale_id.into()];
        match self.event {
            "order" => key.push(self.id.into()),
            "refund" => key.extend([self.id.into(), self.reference.into()]),
            event => key.extend([
                event.into(),
                self.id.into(),
                Value::from(self.seq.unwrap_or(0)),
            ]),
        }
        key
    }
}

fn sale_id(fields: &Fields) -> Result<&str, String> {
    let id = field(fields, "sale_id").ok_or("it has no field sale_id")?;
    match std::str::from_utf8(id) {
        Ok(id) if id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(id),
        _ => Err("its sale_id is no ULID".into()),
    }
}

fn name<'a>(fields: &'a Fields, name: &str, is_needed: bool) -> Result<&'a [u8], String> {
    match field(fields, name) {
        Some(value) if value.len() > 255 => Err(format!("its {name} is longer than 255 bytes")),
        Some(value) => Ok(value),
        None if is_needed => Err(format!("it has no field {name}")),
        None => Ok(b""),
    }
}

fn text<'a>(fields: &'a Fields, name: &str) -> Result<Option<&'a str>, String> {
    field(fields, name)
        .map(|value| std::str::from_utf8(value).map_err(|_| format!("its {name} is no UTF-8")))
        .transpose()
}

fn optional_number(fields: &Fields, name: &str) -> Result<Option<i64>, String> {
    let Some(value) = field(fields, name) else {
        return Ok(None);
    };
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| format!("its {name} is no number"))
}

fn number(fields: &Fields, name: &str) -> Result<i64, String> {
    optional_number(fields, name)?.ok_or_else(|| format!("it has no field {name}"))
}

/// Writes fields as a JSON object, in their order. A value that is no UTF-8 is written as
/// `{"hex": "..."}`.
pub fn to_json(fields: &Fields) -> String {
    let mut object = serde_json::Map::new();
    for (name, value) in fields {
        let value = match std::str::from_utf8(value) {
            Ok(text) => serde_json::Value::from(text),
            Err(_) => serde_json::json!({ "hex": hex(value) }),
        };
        let name = String::from_utf8_lossy(name).into_owned();
        object.entry(name).or_insert(value);
    }
    serde_json::Value::Object(object).to_string()
}

/// Reads what `to_json` has written.
pub fn from_json(text: &str) -> Option<Fields> {
    let serde_json::Value::Object(object) = serde_json::from_str(text).ok()? else {
        return None;
    };
    let field = |(name, value): (String, serde_json::Value)| {
        let value = match value {
            serde_json::Value::String(text) => text.into_bytes(),
            other => from_hex(other.get("hex")?.as_str()?)?,
        };
        Some((name.into_bytes(), value))
    };
    object.into_iter().map(field).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned =
            |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        pairs.iter().map(owned).collect()
    }

    const ORDER: [(&str, &str); 9] = [
        ("event", "order"),
        ("sale", "tea"),
        ("sale_id", "01M7X72MMFKE90FX41YJQAEQZJ"),
        ("id", "ann-1"),
        ("user", "ann"),
        ("qty", "2"),
        ("items", "[]"),
        ("at_ms", "1795203093164"),
        ("ref", "charge-77"),
    ];

    #[test]
    fn reads_an_order_and_says_which_field_is_wrong() {
        let order = fields(&ORDER);
        assert_eq!(Entry::parse(&order).expect("an order").qty, 2);
        for (name, value, says) in [
            ("sale_id", "short", "its sale_id is no ULID"),
            ("qty", "two", "its qty is no number"),
            ("at_ms", "", "its at_ms is no number"),
        ] {
            let mut broken = order.clone();
            let at = broken
                .iter()
                .position(|(one, _)| one == name.as_bytes())
                .expect("a field");
            broken[at].1 = value.as_bytes().to_vec();
            assert_eq!(
                Entry::parse(&broken).map(|entry| entry.qty),
                Err(says.into())
            );
            broken.remove(at);
            assert_eq!(
                Entry::parse(&broken).map(|entry| entry.qty),
                Err(format!("it has no field {name}"))
            );
        }
    }

    #[test]
    fn an_order_without_a_ref_has_an_empty_one() {
        let order = fields(&ORDER[..8]);
        assert_eq!(Entry::parse(&order).expect("an order").reference, b"");
    }

    #[test]
    fn an_event_needs_its_seq() {
        let mut event = fields(&ORDER);
        event[0].1 = b"expired".to_vec();
        assert_eq!(
            Entry::parse(&event).map(|_| ()),
            Err("it has no field seq".into())
        );
    }

    #[test]
    fn json_keeps_each_byte_and_the_order() {
        let mut entry = fields(&ORDER);
        entry.push((b"odd".to_vec(), vec![0xFF, 0, b'"']));
        entry.push((b"nul".to_vec(), b"a\0b".to_vec()));
        assert_eq!(from_json(&to_json(&entry)), Some(entry));
    }

    #[test]
    fn every_field_has_a_kind() {
        assert_eq!(field_is_number("expires_at_ms"), Some(true));
        assert_eq!(field_is_number("replaced_by"), Some(false));
        assert_eq!(field_is_number("usr"), None);
    }
}
