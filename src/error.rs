//! Errors as a client sees them: a code, then a text that names the argument.
//!
//! Edge: an error is a request that makes no sense. "No" is an answer, and lives in
//! `sale/answer.rs`.

use std::borrow::Cow;
use std::fmt;

/// How many bytes of a client's own text an error repeats.
const ECHO_BYTES_MAX: usize = 40;

/// The first word of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Err,
    WrongType,
    NoSale,
    NoSku,
    BusyKey,
    Oom,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Code; 6] = [
        Code::Err,
        Code::WrongType,
        Code::NoSale,
        Code::NoSku,
        Code::BusyKey,
        Code::Oom,
    ];

    /// The word itself: public interface.
    pub fn word(self) -> &'static str {
        match self {
            Code::Err => "ERR",
            Code::WrongType => "WRONGTYPE",
            Code::NoSale => "NOSALE",
            Code::NoSku => "NOSKU",
            Code::BusyKey => "BUSYKEY",
            Code::Oom => "OOM",
        }
    }
}

/// An error reply, not yet written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    text: Cow<'static, str>,
}

impl Error {
    /// `ERR`, for what is wrong with the line itself.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Error {
        Error::with(Code::Err, text)
    }

    pub fn with(code: Code, text: impl Into<Cow<'static, str>>) -> Error {
        Error {
            code,
            text: text.into(),
        }
    }

    /// The key is not there.
    pub fn no_sale() -> Error {
        Error::with(Code::NoSale, "key: no such sale")
    }

    /// The key named by `argument` holds something else than `wanted`.
    pub fn wrong_type(argument: &str, wanted: &str) -> Error {
        Error::with(
            Code::WrongType,
            format!("{argument}: holds a value other than {wanted}"),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.word(), self.text)
    }
}

/// A client's bytes for an error text: escaped, and cut short.
pub fn echo(bytes: &[u8]) -> String {
    match bytes.get(..ECHO_BYTES_MAX) {
        Some(start) if bytes.len() > ECHO_BYTES_MAX => format!("{}...", start.escape_ascii()),
        _ => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_its_code() {
        assert_eq!(Error::new("qty: missing").to_string(), "ERR qty: missing");
        assert_eq!(Error::no_sale().to_string(), "NOSALE key: no such sale");
    }

    #[test]
    fn repeats_a_clients_bytes_escaped_and_cut() {
        assert_eq!(echo(b"a\r\nb\0"), "a\\r\\nb\\x00");
        assert_eq!(echo(&[b'x'; 41]), format!("{}...", "x".repeat(40)));
        assert_eq!(echo(&[b'x'; 40]), "x".repeat(40));
    }
}
