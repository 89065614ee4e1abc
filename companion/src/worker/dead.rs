//! Dead letters: entries that cannot be stored, kept in SQL for people to look at.
//!
//! They are in SQL and not in a stream because the database that refused them is up, people
//! look there, and a failover of Redis cannot lose them.

use super::entry::{self, Raw};
use super::hook::Hooks;
use crate::log;
use crate::sql::{DEAD, Database, Key, Kind, Value};

/// Why an entry is dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The order is there under another ref: money to give back, not a second parcel.
    PaidTwice,
    /// The row that is there has another user or other units.
    Conflict,
    /// The entry lacks a field, or a field holds what it must not.
    Unreadable,
    /// A hook takes text, and the field is no UTF-8.
    NotText,
    /// The entry was pending when the stream was trimmed.
    Trimmed,
    /// The database refused it, each time.
    Failed,
}

impl Reason {
    /// Returns the word of the column `reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::PaidTwice => "paid_twice",
            Self::Conflict => "conflict",
            Self::Unreadable => "unreadable",
            Self::NotText => "not_text",
            Self::Trimmed => "trimmed",
            Self::Failed => "failed",
        }
    }
}

/// One dead letter before it is a row.
pub struct Letter<'a> {
    pub raw: &'a Raw,
    pub reason: Reason,
    pub detail: String,
    /// Has its event a hook? Without it `dead retry` would store half of what was meant.
    has_hook: bool,
}

impl<'a> Letter<'a> {
    /// Makes a letter; `detail` is for people.
    pub fn of(raw: &'a Raw, reason: Reason, detail: String, hooks: &Hooks) -> Self {
        let event = raw
            .fields
            .as_ref()
            .and_then(|fields| entry::event_of(fields).ok());
        let has_hook = event.is_some_and(|event| hooks.of(event).is_some());
        // A NUL is in no text of PostgreSQL.
        let detail = detail.replace('\0', "\u{FFFD}");
        Self {
            raw,
            reason,
            detail,
            has_hook,
        }
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        self.raw
            .fields
            .as_ref()
            .and_then(|fields| entry::field(fields, name))
    }

    fn text(&self, name: &str) -> Value {
        let text = self.field(name).map(String::from_utf8_lossy);
        Value::Text(text.map(|text| text.replace('\0', "\u{FFFD}")))
    }

    fn bytes(&self, name: &str) -> Value {
        Value::Bytes(self.field(name).map(<[u8]>::to_vec))
    }

    /// Describes the letter in a log line.
    pub fn describe(&self) -> String {
        let show =
            |name| String::from_utf8_lossy(self.field(name).unwrap_or_default()).into_owned();
        format!(
            "{}: {} {:?} (entry {}): {}",
            self.reason.word(),
            show("event"),
            show("id"),
            self.raw.id,
            self.detail
        )
    }

    /// Returns what makes two letters one. An entry that cannot be read has nothing but its
    /// place in the stream.
    fn key(&self, stream: &[u8]) -> Vec<u8> {
        let parts = match self.reason {
            Reason::Unreadable | Reason::Trimmed => vec![stream, self.raw.id.as_bytes()],
            _ => ["sale_id", "event", "id", "ref", "seq"]
                .iter()
                .map(|name| self.field(name).unwrap_or_default())
                .collect(),
        };
        let mut key = self.reason.word().as_bytes().to_vec();
        for part in parts {
            key.push(0);
            key.extend_from_slice(part);
        }
        key
    }
}

/// Inserts a letter, and reports whether it is a new one.
///
/// # Errors
///
/// The database refuses it.
pub async fn insert(
    database: &mut Database,
    stream: &[u8],
    letter: &Letter<'_>,
    delivery: i64,
) -> Result<bool, sqlx::Error> {
    let fields = letter
        .raw
        .fields
        .as_ref()
        .map_or_else(|| "{}".into(), entry::to_json);
    let row = vec![
        Value::Bytes(Some(letter.key(stream))),
        letter.reason.word().into(),
        letter.detail.as_str().into(),
        stream.into(),
        letter.raw.id.as_str().into(),
        letter.text("sale_id"),
        letter.text("event"),
        letter.bytes("id"),
        letter.bytes("ref"),
        fields.as_str().into(),
        i64::from(letter.has_hook).into(),
        log::now_ms().into(),
    ];
    Ok(!database.insert(&DEAD, &[row], delivery).await?.is_empty())
}

/// One dead letter as a row.
pub struct Row {
    pub number: i64,
    pub reason: String,
    pub detail: String,
    pub stream: Vec<u8>,
    pub entry_id: String,
    pub event: String,
    pub id: Vec<u8>,
    pub reference: Vec<u8>,
    pub fields: String,
    pub has_hook: bool,
}

const SELECTED: &str = "SELECT number, reason, detail, stream, entry_id, event, id, ref, fields, hook FROM flashsale_dead";
const SELECTED_KINDS: [Kind; 10] = [
    Kind::Int,
    Kind::Text,
    Kind::Text,
    Kind::Bytes,
    Kind::Text,
    Kind::Text,
    Kind::Bytes,
    Kind::Bytes,
    Kind::Text,
    Kind::Int,
];

fn row_of(values: &Key) -> Row {
    Row {
        number: values[0].int(),
        reason: values[1].text().to_owned(),
        detail: values[2].text().to_owned(),
        stream: values[3].bytes().to_vec(),
        entry_id: values[4].text().to_owned(),
        event: values[5].text().to_owned(),
        id: values[6].bytes().to_vec(),
        reference: values[7].bytes().to_vec(),
        fields: values[8].text().to_owned(),
        has_hook: values[9].int() != 0,
    }
}

/// Returns all dead letters, the oldest first.
pub async fn all(database: &mut Database) -> Result<Vec<Row>, sqlx::Error> {
    let sql = format!("{SELECTED} ORDER BY number");
    let rows = database.query(&sql, &[], &SELECTED_KINDS).await?;
    Ok(rows.iter().map(row_of).collect())
}

/// Returns the dead letter of a number.
pub async fn by_number(database: &mut Database, number: i64) -> Result<Option<Row>, sqlx::Error> {
    let sql = format!("{SELECTED} WHERE number = {number}");
    let rows = database.query(&sql, &[], &SELECTED_KINDS).await?;
    Ok(rows.first().map(row_of))
}

/// Removes the dead letter of a number.
pub async fn remove(database: &mut Database, number: i64) -> Result<(), sqlx::Error> {
    let sql = format!("DELETE FROM flashsale_dead WHERE number = {number}");
    database.run(&sql).await
}

/// Counts the dead letters by reason.
pub async fn count(database: &mut Database) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let sql = "SELECT reason, COUNT(*) FROM flashsale_dead GROUP BY reason";
    let rows = database.query(sql, &[], &[Kind::Text, Kind::Int]).await?;
    Ok(rows
        .iter()
        .map(|row| (row[0].text().to_owned(), row[1].int()))
        .collect())
}
