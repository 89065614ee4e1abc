//! Replies of sale commands: a status word, then details.
//!
//! Edge: shapes only. Which word is right is for the caller to say.

use std::error::Error;

use redis::Value;

/// What can go wrong in an example, with a text for the person who runs it.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// `[word, detail, detail, ...]`; a bare `OK` has no details, an error has its code
/// as the word and its text as the only detail.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub word: String,
    pub details: Vec<Value>,
}

impl Reply {
    /// Takes a reply apart. Anything that is not a status is kept under the word `?`,
    /// so that the caller reports it instead of stopping.
    pub fn new(value: Value) -> Reply {
        match value {
            Value::Okay => Reply {
                word: "OK".into(),
                details: Vec::new(),
            },
            Value::Array(mut parts) if parts.first().is_some_and(is_text) => {
                let word = text_of(&parts.remove(0));
                Reply {
                    word,
                    details: parts,
                }
            }
            Value::ServerError(error) => {
                let text = error.details().unwrap_or_default().as_bytes().to_vec();
                Reply {
                    word: error.code().to_owned(),
                    details: vec![Value::BulkString(text)],
                }
            }
            other => Reply {
                word: "?".into(),
                details: vec![other],
            },
        }
    }

    /// The detail at `position` as a number, if it is one.
    pub fn number(&self, position: usize) -> Option<i64> {
        self.details.get(position).and_then(number_of)
    }

    /// The detail at `position` as text; empty if there is none.
    pub fn text(&self, position: usize) -> String {
        self.details.get(position).map(text_of).unwrap_or_default()
    }

    /// The whole reply on one line, for a person.
    pub fn line(&self) -> String {
        let details: Vec<String> = self.details.iter().map(text_of).collect();
        format!("{} {}", self.word, details.join(" "))
            .trim_end()
            .to_owned()
    }
}

/// A number of a reply.
pub fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// A value of a reply as text; arrays in brackets, null as `null`.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Nil => "null".into(),
        Value::Array(parts) => {
            let parts: Vec<String> = parts.iter().map(text_of).collect();
            format!("[{}]", parts.join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// The value of `name` in a map reply, flat as in RESP2.
pub fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Array(parts) = map else {
        return None;
    };
    parts
        .chunks_exact(2)
        .find(|pair| text_of(&pair[0]) == name)
        .map(|pair| &pair[1])
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::BulkString(_) | Value::SimpleString(_))
}
