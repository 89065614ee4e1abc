//! Errors as a client sees them: a code, then a text that names the argument.
//!
//! Edge: an error is a request that makes no sense. "No" is an answer, and lives in
//! `sale/answer.rs`.

use std::borrow::Cow;
use std::fmt;

/// How many letters of a client's own text an error repeats, escapes counted as they are
/// written: an error stays one short line whatever was sent.
const ECHO_LETTERS_MAX: usize = 40;

/// The first word of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Err,
    WrongType,
    NoSale,
    NoSku,
    BusyKey,
    Oom,
    Broken,
}

impl Code {
    /// Every code, in the order of the contract.
    pub const ALL: [Code; 7] = [
        Code::Err,
        Code::WrongType,
        Code::NoSale,
        Code::NoSku,
        Code::BusyKey,
        Code::Oom,
        Code::Broken,
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
            Code::Broken => "BROKEN",
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

    /// The sale broke an invariant, and takes no change.
    #[cold]
    pub fn broken(reason: &str) -> Error {
        let text = format!("key: the sale takes no change, see FLASHSALE.DOCTOR: {reason}");
        Error::with(Code::Broken, text)
    }

    /// What is wrong, without the code.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// There is no key of this name.
    pub fn no_sale(name: &[u8]) -> Error {
        let name = echo(name);
        Error::with(Code::NoSale, format!("key: no such sale: '{name}'"))
    }

    /// The key `name`, given as `argument`, holds something else than `wanted`.
    pub fn wrong_type(argument: &str, name: &[u8], wanted: &str) -> Error {
        let name = echo(name);
        Error::with(
            Code::WrongType,
            format!("{argument}: '{name}' holds a value other than {wanted}"),
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
    let mut echoed = String::new();
    for byte in bytes {
        let letters = byte.escape_ascii();
        if echoed.len().saturating_add(letters.len()) > ECHO_LETTERS_MAX {
            echoed.push_str("...");
            break;
        }
        echoed.extend(letters.map(char::from));
    }
    echoed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_its_code() {
        assert_eq!(Error::new("qty: missing").to_string(), "ERR qty: missing");
        assert_eq!(
            Error::no_sale(b"s").to_string(),
            "NOSALE key: no such sale: 's'"
        );
    }

    #[test]
    fn repeats_a_clients_bytes_escaped_and_cut() {
        assert_eq!(echo(b"a\r\nb\0"), "a\\r\\nb\\x00");
        assert_eq!(echo(&[b'x'; 41]), format!("{}...", "x".repeat(40)));
        assert_eq!(echo(&[b'x'; 40]), "x".repeat(40));
        assert_eq!(echo(&[0xff; 11]), format!("{}...", "\\xff".repeat(10)));
    }
}
