//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-08), which is the
//! reservation's id.

use axum::http::{HeaderMap, HeaderValue};
use sfv::{Item, Parser};

use super::own;
use super::reply::Reply;

/// The longest user and id that the module takes, in bytes.
pub const NAME_MOST: usize = 255;

/// Returns the key of a request: a quoted string as the draft wants it, or a bare word, as
/// many clients send it.
///
/// # Errors
///
/// There is none, it is neither, or it is longer than an id can be. A longer one must not get
/// into a batch: it would be carried beside the entries of others, only to be refused.
pub fn key_of(headers: &HeaderMap) -> Result<String, Reply> {
    let mut values = headers.get_all("idempotency-key").iter();
    let wrong = |detail: &str| Reply::own(&own::NOKEY, detail);
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Err(wrong(
            "The header Idempotency-Key is missing: make an id before the request, and send it again with the same one.",
        )),
        (Some(Ok(value)), None) => match read(value.trim()) {
            Some(key) if key.len() > NAME_MOST => {
                Err(wrong("The header Idempotency-Key has more than 255 bytes."))
            }
            Some(key) => Ok(key),
            None => Err(wrong("The header Idempotency-Key is no string: \"...\".")),
        },
        _ => Err(wrong("The header Idempotency-Key has to be one string.")),
    }
}

fn read(value: &str) -> Option<String> {
    if value.starts_with('"') {
        let item = Parser::new(value).parse::<Item>().ok()?;
        let key = item.bare_item.as_string()?.as_str();
        return (item.params.is_empty() && !key.is_empty()).then(|| key.to_owned());
    }
    let is_word = value.bytes().all(|byte| byte.is_ascii_graphic());
    let is_bare = is_word && !value.is_empty() && !value.contains(['"', '\\', ';', ',']);
    is_bare.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn reads_a_string_as_the_draft_writes_it_and_a_bare_word() {
        for (value, key) in [
            ("\"8e03978e-40d5-43dd\"", Some("8e03978e-40d5-43dd")),
            ("8e03978e-40d5-43dd", Some("8e03978e-40d5-43dd")),
            (r#""a\"b\\""#, Some(r#"a"b\"#)),
            ("", None),
            ("\"\"", None),
            ("\"a", None),
            ("\"a\";b=1", None),
            ("a, b", None),
            (r#""\a""#, None),
        ] {
            assert_eq!(read(value).as_deref(), key, "{value}");
        }
    }
}
