//! What one part says of itself in one step: the answer of SHARES, as data.

/// A sale to GIVE and TAKE: a ULID that every CREATE draws.
pub type ShareId = u128;

/// One item of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    pub available: u64,
    pub reserved: u64,
    pub sold: u64,
    pub owed: u64,
    /// Units from CREATE and RESTOCK; below 0 where units that came from others were taken off.
    pub base: i64,
    /// Units refused for want of stock since the server started.
    pub asked: u64,
    /// Units that people wait for in line.
    pub waiting: u64,
    /// What it has given to each share id in all.
    pub given: Vec<(ShareId, u64)>,
    /// What it has taken from each share id in all.
    pub taken: Vec<(ShareId, u64)>,
}

impl Shelf {
    /// What is given to a share id.
    pub fn given_to(&self, share_id: ShareId) -> u64 {
        total_of(&self.given, share_id)
    }

    /// What is taken from a share id.
    pub fn taken_from(&self, share_id: ShareId) -> u64 {
        total_of(&self.taken, share_id)
    }

    /// Units taken in all.
    pub fn taken_in_all(&self) -> u64 {
        self.taken.iter().map(|(_, total)| total).sum()
    }
}

fn total_of(pairs: &[(ShareId, u64)], share_id: ShareId) -> u64 {
    let found = pairs.iter().find(|(known, _)| *known == share_id);
    found.map_or(0, |(_, total)| *total)
}
