//! What the gateway answers by itself: problems that no answer of the sale is about.

/// A problem of the gateway's own.
pub struct Own {
    /// The word of the answer.
    pub answer: &'static str,
    pub http: u16,
    pub means: &'static str,
    pub next: &'static str,
}

const fn own(answer: &'static str, http: u16, means: &'static str, next: &'static str) -> Own {
    Own {
        answer,
        http,
        means,
        next,
    }
}

const AGAIN: &str = "Send the same request again, after `Retry-After`";
const MEND: &str = "Mend the request";

pub const FULL: Own = own(
    "FULL",
    503,
    "Too many requests wait, and this one was not sent to the sale",
    AGAIN,
);
pub const LATE: Own = own(
    "LATE",
    503,
    "The sale has not answered in time. The request may have been carried out",
    AGAIN,
);
pub const SLOW: Own = own(
    "SLOW",
    408,
    "The request took too long to arrive",
    "Send the same request again",
);
pub const NOUSER: Own = own(
    "NOUSER",
    400,
    "The request does not say who asks: its cookie or the proxy's header is missing, wrong, or there twice",
    "Get the cookie from `/` or `/sale`; with a proxy, have it set the header",
);
pub const NOKEY: Own = own(
    "NOKEY",
    400,
    "The header `Idempotency-Key` is missing, or is not one string of 1 to 255 bytes",
    "Make an id, and send it with this request and each repetition",
);
pub const NOITEMS: Own = own("NOITEMS", 400, "No item is asked for", MEND);
pub const BADBODY: Own = own(
    "BADBODY",
    400,
    "The body is not the JSON that it should be",
    MEND,
);
pub const LONGBODY: Own = own("BADBODY", 413, "The body is too long", MEND);
pub const NOJSON: Own = own(
    "BADBODY",
    415,
    "The body does not say that it is JSON",
    MEND,
);
pub const BADID: Own = own(
    "BADID",
    400,
    "The id in the path is not 1 to 255 bytes of text",
    MEND,
);
pub const NOTHERE: Own = own("NOTHERE", 404, "There is nothing at this path", MEND);
pub const NOMETHOD: Own = own("NOMETHOD", 405, "This path does not take this method", MEND);
pub const NEW: Own = own(
    "UNKNOWN",
    409,
    "A refusal that this gateway does not know: the module is newer",
    "Take it for a refusal, and update the gateway",
);
pub const UNKNOWN: Own = own(
    "UNKNOWN",
    500,
    "The server has answered an error that is not about the request, such as NOPERM",
    "Look into the log of the gateway",
);

/// All of them.
pub const ALL: [&Own; 14] = [
    &FULL, &LATE, &SLOW, &NOUSER, &NOKEY, &NOITEMS, &BADBODY, &LONGBODY, &NOJSON, &BADID, &NOTHERE,
    &NOMETHOD, &NEW, &UNKNOWN,
];
