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
    /// Two readings count though a connection broke between.
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
    pub const ALL: [Self; 11] = [
        Self::TakeBeforeGive,
        Self::DecidedTotal,
        Self::NoConfirm,
        Self::ReconnectBeforeWait,
        Self::ConnectedReplicas,
        Self::OneReading,
        Self::AcrossFailover,
        Self::SaleIds,
        Self::FirstLossForgotten,
        Self::TakeWithoutTo,
        Self::NoFile,
    ];

    /// In so many worlds it has to be found.
    pub fn worlds(self) -> u64 {
        match self {
            Self::AcrossFailover => 4_000,
            _ => 600,
        }
    }
}
