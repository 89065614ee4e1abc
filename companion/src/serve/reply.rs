//! Answers over HTTP: JSON for what is done, `application/problem+json` (RFC 9457) for what
//! is not.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use redis::{RedisError, Value};
use serde_json::{Map, Value as Json, json};

use super::lookup::{fault_of, row_of, word_of};
use super::meaning::{After, Row, Type, Word};
use super::own::{self, Own};
use crate::link::{explain, string};
use crate::log;

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// An answer that is not sent yet.
pub struct Reply {
    pub status: u16,
    /// The status word, or the code of an error.
    pub answer: String,
    pub members: Map<String, Json>,
    /// Seconds of `Retry-After`.
    after: Option<u64>,
}

impl Reply {
    /// Makes a problem of the gateway's own, with a sentence for people.
    pub fn own(own: &Own, detail: impl Into<String>) -> Self {
        Self::problem(own.http, own.answer, detail)
    }

    /// Makes a problem, with a sentence for people.
    pub fn problem(status: u16, answer: &str, detail: impl Into<String>) -> Self {
        let mut members = Map::new();
        members.insert("detail".into(), Json::String(detail.into()));
        Self {
            status,
            answer: answer.into(),
            members,
            after: (status == 503).then_some(1),
        }
    }

    /// Makes an answer of the gateway's own.
    pub fn done(answer: &str, members: Map<String, Json>) -> Self {
        Self {
            status: 200,
            answer: answer.into(),
            members,
            after: None,
        }
    }

    /// Translates what `command` was answered, by the table of `answers.json`.
    pub fn of(command: &str, reply: Result<Value, RedisError>) -> Self {
        match reply {
            Ok(Value::Array(elements)) => of_elements(command, &elements),
            Ok(Value::ServerError(error)) => of_error(&error.into()),
            Ok(_) => Self::own(&own::UNKNOWN, "Something went wrong."),
            Err(error) => of_error(&error),
        }
    }

    /// Adds a member to the body.
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.members.insert(name.into(), value);
        self
    }

    /// Builds the response.
    pub fn send(self) -> Response<Body> {
        let is_problem = self.status >= 400;
        let mut body = Map::new();
        if is_problem {
            body.insert(
                "type".into(),
                format!("/problems/{}", type_of(&self)).into(),
            );
            body.insert("status".into(), self.status.into());
        }
        body.insert("answer".into(), self.answer.into());
        body.extend(self.members);
        let location = (self.status == 201).then(|| location(&body)).flatten();
        let kind = if is_problem { PROBLEM } else { JSON };
        let mut response = Response::new(Body::from(Json::Object(body).to_string()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        // A refusal of one moment must not be the answer of the next.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(location) = location {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

/// Returns the word whose description a problem leads to. A word that nothing describes, be it
/// of a newer module or of the server, is described as unknown.
fn type_of(reply: &Reply) -> &str {
    match describe(&reply.answer) {
        Some(_) => &reply.answer,
        None => own::UNKNOWN.answer,
    }
}

/// Where the reservation is, unless its id would have to be encoded.
fn location(body: &Map<String, Json>) -> Option<HeaderValue> {
    let id = body.get("id")?.as_str()?;
    let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-._~".contains(&letter);
    let location = format!("/reservations/{id}");
    let value = HeaderValue::try_from(location).ok()?;
    id.bytes().all(is_plain).then_some(value)
}

fn of_elements(command: &str, elements: &[Value]) -> Reply {
    let text = elements.first().map(string).unwrap_or_default();
    let Some(word) = word_of(text.as_bytes()) else {
        // A word of a newer module is a refusal until somebody knows better.
        return unheard_of(&text);
    };
    let members = details(word, &elements[1..]);
    let integer = |name: &str| members.get(name).and_then(Json::as_i64);
    let Some(row) = row_of(word, command, integer("grace_left_ms").unwrap_or(0)) else {
        return unheard_of(&text);
    };
    let after = match row.after {
        After::No => None,
        After::Seconds(seconds) => Some(seconds),
        After::Detail(name) => integer(name).map(seconds_of),
    };
    let mut reply = Reply {
        status: row.http,
        answer: text,
        members,
        after,
    };
    if row.http >= 400 {
        let detail = sentence(row, &reply.members);
        reply.members.insert("detail".into(), detail.into());
    }
    reply
}

fn unheard_of(word: &str) -> Reply {
    let detail = "The sale has answered something new.";
    Reply::problem(own::NEW.http, word, detail)
}

fn details(word: &Word, elements: &[Value]) -> Map<String, Json> {
    let mut members = Map::new();
    for (detail, element) in word.details.iter().zip(elements) {
        let value = match (detail.is, element) {
            (Type::Integer, Value::Int(number)) => (*number).into(),
            (Type::Texts, Value::Array(texts)) => texts.iter().map(string).collect(),
            (_, element) => string(element).into(),
        };
        members.insert(detail.name.into(), value);
    }
    members
}

fn of_error(error: &RedisError) -> Reply {
    let code = error.code().unwrap_or(own::UNKNOWN.answer);
    let Some(fault) = fault_of(code) else {
        warn_of(error);
        return Reply::problem(own::UNKNOWN.http, code, "Something went wrong.");
    };
    let mut reply = Reply::problem(fault.http, code, fault.buyer);
    reply.after = fault.again.then_some(1);
    if fault.http >= 500 {
        warn_of(error);
    } else {
        // Such as "ERR quantity must be ...": for whoever writes the shop.
        reply = reply.with("error", explain(error).into());
    }
    reply
}

/// Logs an error that is nobody's request, once a second at most: in a rush every request meets
/// it.
fn warn_of(error: &RedisError) {
    static LOGGED_MS: AtomicI64 = AtomicI64::new(0);
    let (now_ms, before_ms) = (log::now_ms(), LOGGED_MS.load(Ordering::Relaxed));
    let is_due = now_ms - before_ms >= 1_000;
    let swap =
        || LOGGED_MS.compare_exchange(before_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
    if is_due && swap().is_ok() {
        log::warn(format!("the server answers: {}", explain(error)));
    }
}

/// Rounds up to whole seconds, at least 1.
fn seconds_of(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).div_ceil(1_000).max(1)
}

/// Fills details into the sentence for the buyer.
fn sentence(row: &Row, members: &Map<String, Json>) -> String {
    let mut text = row.buyer.to_owned();
    for (name, value) in members {
        let shown = match value {
            Json::Number(ms) if name.ends_with("_in_ms") => {
                duration(seconds_of(ms.as_i64().unwrap_or(0)))
            }
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        text = text.replace(&format!("{{{name}}}"), &shown);
    }
    text
}

/// Words a duration by its largest unit, rounded up.
fn duration(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds.div_ceil(60), "minute"),
        7_200..172_800 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// Describes the type of a problem: what its URI leads to.
pub fn describe(answer: &str) -> Option<Json> {
    let entry = |of: Json, status: u16, means: &str, next: &str| json!({"of": of, "status": status, "means": means, "next": next});
    if let Some(word) = word_of(answer.as_bytes()) {
        let rows = word
            .rows
            .iter()
            .map(|row| entry(json!(row.of), row.http, row.means, row.next));
        return Some(json!({"answer": answer, "meanings": rows.collect::<Vec<_>>()}));
    }
    if let Some(fault) = fault_of(answer) {
        let meaning = entry(json!(["error"]), fault.http, fault.buyer, fault.next);
        return Some(json!({"answer": answer, "meanings": [meaning]}));
    }
    let ours = own::ALL.iter().filter(|own| own.answer == answer);
    let meaning = |own: &&Own| entry(json!(["gateway"]), own.http, own.means, own.next);
    let meanings: Vec<Json> = ours.map(meaning).collect();
    (!meanings.is_empty()).then(|| json!({"answer": answer, "meanings": meanings}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn names_the_details_of_a_refusal() {
        let elements = vec![text("NOTSTARTED"), Value::Int(61_001)];
        let reply = Reply::of("RESERVE", Ok(Value::Array(elements)));
        assert_eq!((reply.status, reply.after), (409, Some(62)));
        assert_eq!(reply.members["starts_in_ms"], 61_001);
        assert_eq!(reply.members["detail"], "The sale starts in 62 seconds.");
    }

    #[test]
    fn takes_an_unknown_word_for_a_refusal() {
        let elements = vec![text("TOMORROW"), Value::Int(1)];
        let reply = Reply::of("RESERVE", Ok(Value::Array(elements)));
        assert_eq!((reply.status, reply.answer.as_str()), (409, "TOMORROW"));
    }

    #[test]
    fn words_durations_by_their_largest_unit() {
        let shown = [1, 119, 121, 7_200, 200_000].map(duration);
        assert_eq!(
            shown,
            ["1 second", "119 seconds", "3 minutes", "2 hours", "3 days"]
        );
    }
}
