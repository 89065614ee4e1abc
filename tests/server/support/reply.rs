//! Replies as text, and patterns to compare them with.
//!
//! A reply is written as words, an array inside another in brackets:
//! `RESERVED r1 1700000000000 9 -1`. What RESP distinguishes stays distinguishable:
//! an integer is bare (`9`), a string that looks like one is quoted (`"9"`), null is
//! `(nil)`, a RESP3 map is in braces, an error is `(error)` and its quoted text.
//!
//! In a pattern a word may also be
//! - `*` any one word; `...` anything from here on
//! - `@`, `@+500`, `@-500` the moment of the call, or so many milliseconds from it
//! - `<=500` an integer from 1 to 500
//! - `(ulid)` 26 characters of Crockford's base 32; `(entry)` a stream ID

use redis::Value;

/// A reply in words; the outermost array has no brackets.
pub fn render(value: &Value) -> String {
    tokens(value)
        .join(" ")
        .replace("[ ", "[")
        .replace(" ]", "]")
}

/// The words of a reply.
pub fn tokens(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    match value {
        Value::Array(elements) if elements.is_empty() => out.push("(empty)".to_owned()),
        Value::Array(elements) => elements.iter().for_each(|each| push(each, &mut out)),
        other => push(other, &mut out),
    }
    out
}

fn push(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Nil => out.push("(nil)".to_owned()),
        Value::Int(number) => out.push(number.to_string()),
        Value::BulkString(bytes) => out.push(word(bytes)),
        Value::Okay => out.push("OK".to_owned()),
        Value::SimpleString(text) => out.push(format!("+{text}")),
        Value::Array(elements) => {
            out.push("[".to_owned());
            elements.iter().for_each(|each| push(each, out));
            out.push("]".to_owned());
        }
        Value::Map(pairs) => {
            out.push("{".to_owned());
            for (name, value) in pairs {
                push(name, out);
                push(value, out);
            }
            out.push("}".to_owned());
        }
        Value::ServerError(error) => {
            out.push("(error)".to_owned());
            let text = error.details().unwrap_or_default();
            out.push(format!("{:?}", format!("{} {text}", error.code())));
        }
        other => out.push(format!("{other:?}")),
    }
}

/// A string as a word: bare when that cannot be taken for anything else.
fn word(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let number = text.strip_prefix('-').unwrap_or(&text);
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = text.bytes().all(|byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'[' | b']' | b'{' | b'}')
    });
    let is_reserved = text == "OK" || text.starts_with(['(', '@', '*', '<', '+']) || text == "...";
    if is_number || !is_plain || is_reserved {
        let escaped: String = bytes
            .iter()
            .flat_map(|byte| byte.escape_ascii())
            .map(char::from)
            .collect();
        format!("\"{escaped}\"")
    } else {
        text.into_owned()
    }
}

/// The words of a pattern: brackets stand alone, quoted words keep their quotes.
pub fn pattern_tokens(pattern: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for character in pattern.chars() {
        if quoted {
            open.push(character);
            quoted = escaped || character != '"';
            escaped = character == '\\' && !escaped;
            continue;
        }
        match character {
            '"' => {
                quoted = true;
                open.push(character);
            }
            ' ' | '\n' | '[' | ']' | '{' | '}' => {
                if !open.is_empty() {
                    out.push(std::mem::take(&mut open));
                }
                if !character.is_whitespace() {
                    out.push(character.to_string());
                }
            }
            _ => open.push(character),
        }
    }
    if !open.is_empty() {
        out.push(open);
    }
    out
}

/// Does the reply fit the pattern, for a call made between these two moments?
pub fn fits(reply: &[String], pattern: &[String], moments: (u64, u64)) -> bool {
    for (index, expected) in pattern.iter().enumerate() {
        if expected == "..." {
            return true;
        }
        match reply.get(index) {
            Some(word) if word_fits(word, expected, moments) => {}
            _ => return false,
        }
    }
    reply.len() == pattern.len()
}

fn word_fits(word: &str, expected: &str, (earliest, latest): (u64, u64)) -> bool {
    if let Some(distance) = expected.strip_prefix('@') {
        let distance: i64 = if distance.is_empty() {
            0
        } else {
            distance.parse().expect("pattern")
        };
        let Ok(at) = word.parse::<u64>() else {
            return false;
        };
        return at >= earliest.saturating_add_signed(distance)
            && at <= latest.saturating_add_signed(distance);
    }
    if let Some(most) = expected.strip_prefix("<=") {
        let most: u64 = most.parse().expect("pattern");
        return word
            .parse::<u64>()
            .is_ok_and(|number| number >= 1 && number <= most);
    }
    match expected {
        "*" => !matches!(word, "[" | "]" | "{" | "}"),
        "(ulid)" => is_ulid(word),
        "(entry)" => is_entry_id(word),
        _ => word == expected,
    }
}

fn is_ulid(word: &str) -> bool {
    let word = word.trim_matches('"');
    word.len() == 26
        && word
            .bytes()
            .all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&byte))
}

fn is_entry_id(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.len() == 2 && parts.iter().all(|part| part.parse::<u64>().is_ok())
}

/// A string or integer reply as plain text; null is the empty text.
///
/// # Panics
///
/// On any other reply.
#[track_caller]
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Okay => "OK".to_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::VerbatimString { text, .. } => text.clone(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("not a plain reply: {}", render(other)),
    }
}
