//! Why bytes cannot be read.

use std::fmt;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// They end too early; more may be to come.
    Truncated,
    /// They may be right, but a newer version wrote them; the text says what is unknown.
    Newer(&'static str),
    /// They never were right; the text says where.
    Invalid(&'static str),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::Truncated => f.write_str("the data ends too early"),
            CodecError::Newer(what) => write!(f, "the data is of a newer version: {what}"),
            CodecError::Invalid(what) => write!(f, "the data is damaged: {what}"),
        }
    }
}
