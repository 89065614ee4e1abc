//! How values become bytes: the primitives under events, snapshots and filters.
//!
//! The byte format, held by golden files in `tests/`:
//!
//! | Value | Bytes |
//! |---|---|
//! | `u64` | below 251 one byte; else 251, 252 or 253 and two, four or eight bytes, little endian |
//! | `i64` | zigzag, then as `u64` |
//! | `u128` | sixteen bytes, big endian |
//! | flag, tag | one byte |
//! | bytes | their number as `u64`, then the bytes |
//! | name | one byte of length (1 to 254, 0 for 255) and its bytes; a canonical ULID is 255 and 16 bytes, big endian |
//! | optional value | 0, or 1 and the value |
//! | list | its length as `u64`, then its elements |
//! | full number | four or eight bytes, little endian; only filters have it |
//! | options | their number as `u64`; of each its tag, one byte, the length of its value as `u64`, the value |
//!
//! A format grows by options. They follow an event or an element of a snapshot whose own
//! tag has [`WITH_OPTIONS`] added, so an event without options is not a byte longer. The tag
//! of an option is never reused. Each option stands at most once, in ascending order of the
//! tags. A reader that meets an unknown tag reports that the data is of a newer version, and
//! never skips the option: a copy that left out what it does not understand would be a
//! different sale.
//!
//! Edge: knows no event and no sale. A decoder trusts nothing: it compares lengths with the
//! bytes present before it allocates anything, and it accepts one spelling of each value: a
//! number in more bytes than it needs is damage.

mod error;
mod reader;
mod writer;

pub use error::CodecError;
pub use reader::{NameReader, Reader};
pub use writer::{Collector, Sink, Writer};

/// The first byte of a number that takes two, four or eight more.
const TWO_BYTES: u8 = 251;
const FOUR_BYTES: u8 = 252;
const EIGHT_BYTES: u8 = 253;
/// Is added to the tag of an event or element that options follow.
pub const WITH_OPTIONS: u8 = 128;
/// Marks a packed ULID where a name's length would stand.
const ULID_MARK: u8 = 255;
/// Stands for the length 255, because the byte 255 is [`ULID_MARK`].
const LENGTH_255: u8 = 0;
