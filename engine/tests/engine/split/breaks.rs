//! Rules that are broken on purpose, one at a time.

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// TAKE is sent before GIVE is.
    TakeBeforeGive,
    /// TAKE has the total that was decided, not the one that GIVE answered.
    DecidedTotal,
    /// GIVE does not write what was given before.
    NoConfirm,
    /// A connection that broke after GIVE is made anew, and WAIT sent on that one.
    ReconnectBeforeWait,
    /// As many replicas as are connected are enough.
    ConnectedReplicas,
    /// One reading is enough to say "sold out everywhere".
    OneReading,
    /// Two readings count though a connection broke between: `stories.rs`, as it takes two
    /// failovers at two moments.
    AcrossFailover,
    /// A part that is made anew has the share id of the one before.
    SaleIds,
    /// A second lost part is counted without what went to and from the first.
    FirstLossForgotten,
    /// A TAKE does not say which part it is for, and one for the lost part comes late.
    TakeWithoutTo,
    /// WAITAOF is not asked, though files are flushed once a second.
    NoFile,
}

impl Break {
    /// Those that random worlds find.
    pub const RANDOM: [Self; 10] = [
        Self::TakeBeforeGive,
        Self::DecidedTotal,
        Self::NoConfirm,
        Self::ReconnectBeforeWait,
        Self::ConnectedReplicas,
        Self::OneReading,
        Self::SaleIds,
        Self::FirstLossForgotten,
        Self::TakeWithoutTo,
        Self::NoFile,
    ];

    /// In so many worlds it has to be found.
    pub const WORLDS: u64 = 6_000;
}
