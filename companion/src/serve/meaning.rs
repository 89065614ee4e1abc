//! The shape of `answers.rs`, which is generated.

/// A status word: its details in the order of the reply, and its meanings.
pub struct Word {
    pub text: &'static str,
    pub details: &'static [Detail],
    pub rows: &'static [Row],
}

/// One element behind the status word.
pub struct Detail {
    pub name: &'static str,
    pub is: Type,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    Texts,
}

/// What a word means when one of the commands `of` answers it.
pub struct Row {
    pub of: &'static [&'static str],
    pub when: When,
    pub http: u16,
    pub after: After,
    pub buyer: &'static str,
    pub means: &'static str,
    pub next: &'static str,
}

/// The condition that tells rows of one word and command apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// `grace_left_ms` is above 0.
    GraceLeft,
    NoGraceLeft,
    /// The id waits for the draw: `ahead` is -1.
    Undrawn,
    /// The answer says where the id stands in line.
    Placed,
    /// The answer has no `ahead`.
    NotPlaced,
    /// `by` is `sale`: PACE.
    BySale,
    /// `by` is anything else: a limit of one buyer.
    ByBuyer,
    /// `retry_in_ms` is -1.
    Final,
    /// `retry_in_ms` says when to ask again.
    NotNow,
}

/// What `Retry-After` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    No,
    Seconds(u64),
    /// The milliseconds of this detail.
    Detail(&'static str),
}

/// An error of the module or the server.
pub struct Fault {
    pub code: &'static str,
    pub http: u16,
    /// The same request can succeed a moment later.
    pub again: bool,
    pub buyer: &'static str,
    pub next: &'static str,
}
