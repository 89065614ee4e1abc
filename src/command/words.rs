//! The status words, and the pieces that replies are made of.
//!
//! Edge: for `reply.rs` and `reply_named.rs`, which know what an answer consists of. The words are
//! public interface.

use std::io::Write;

use crate::ffi::Reply;
use flashsale_engine::sale::{EntryId, Terms};

/// Makes the words and the list of them in one go, so that none is missing in it.
macro_rules! words {
    ($($word:ident: $text:literal),* $(,)?) => {
        /// The status word that an answer begins with.
        #[derive(Clone, Copy)]
        pub enum Word { $($word),* }

        impl Word {
            /// Every word; `clients/answers.json` describes each.
            #[cfg(test)]
            pub(super) const ALL: &'static [Word] = &[$(Word::$word),*];

            pub(super) fn text(self) -> &'static str {
                match self { $(Word::$word => $text),* }
            }
        }
    };
}

words! {
    Reserved: "RESERVED",
    Sold: "SOLD",
    AlreadySold: "ALREADYSOLD",
    Refunded: "REFUNDED",
    Released: "RELEASED",
    Expired: "EXPIRED",
    Restocked: "RESTOCKED",
    Mismatch: "MISMATCH",
    NoReservation: "NORESERVATION",
    Ended: "ENDED",
    NotStarted: "NOTSTARTED",
    Paused: "PAUSED",
    OrderLimit: "ORDERLIMIT",
    UserLimit: "USERLIMIT",
    ItemLimit: "ITEMLIMIT",
    SaleLimit: "SALELIMIT",
    SoldOut: "SOLDOUT",
    AllReserved: "ALLRESERVED",
    NotFree: "NOTFREE",
    NotSold: "NOTSOLD",
    TooFew: "TOOFEW",
    Given: "GIVEN",
    Taken: "TAKEN",
    Waiting: "WAITING",
    Placed: "PLACED",
    LineFull: "LINEFULL",
    Throttled: "THROTTLED",
    NoPass: "NOPASS",
}

/// `["RESERVED", id, expires_at_ms, remaining, user_remaining]`, and what else follows.
#[inline(always)]
pub(super) fn reserved_of(reply: Reply<'_>, id: &[u8], terms: &Terms, len: usize) {
    status(reply, Word::Reserved, len);
    reply.bytes(id);
    reply.integer(terms.expires_at_ms);
    reply.integer(terms.remaining);
    user_remaining(reply, terms.user_remaining);
}

/// What USERLIMIT leaves a user, -1 without one.
pub fn user_remaining(reply: Reply<'_>, remaining: Option<u64>) {
    integer_or_minus_1(reply, remaining);
}

/// A stream ID, `ms-seq`.
pub fn entry_id(reply: Reply<'_>, EntryId { ms, seq }: EntryId) {
    let (mut ms_digits, mut seq_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let parts = [ms_digits.format(ms), "-", seq_digits.format(seq)];
    // Two numbers of 20 digits and a dash.
    let mut text = [0; 41];
    let mut rest = &mut text[..];
    for part in parts {
        // There is room for all of it.
        let _ = rest.write_all(part.as_bytes());
    }
    let left = rest.len();
    reply.bytes(&text[..text.len() - left]);
}

/// The status word of an array of `len` elements.
pub fn status(reply: Reply<'_>, word: Word, len: usize) {
    reply.array(len);
    reply.bytes(word.text().as_bytes());
}

/// A number, or -1 for none.
pub fn integer_or_minus_1(reply: Reply<'_>, value: Option<u64>) {
    match value {
        Some(value) => reply.integer(value),
        None => reply.signed(-1),
    }
}
