//! One user of a sale, as its table keeps it: small numbers, where they fit.
//!
//! Edge: the numbers of one record; whose they are, and what is kept of a user whose numbers
//! are large, is in `users.rs`.

use crate::table::name::PackedName;
use crate::table::slab::SlotNumber;

/// A change of a user's sums, in units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub reserved: i64,
    pub sold: i64,
    pub counted: i64,
}

/// One user's sums, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub reserved: u64,
    pub sold: u64,
    pub counted: u64,
    /// Open reservations.
    pub open: u32,
    /// Reservations in any state that name this user.
    pub(super) named_by: u32,
}

/// A user in its table.
pub struct Packed {
    pub(super) name: PackedName,
    pub(super) open: u8,
    pub(super) reserved: u16,
    pub(super) sold: u16,
    /// [`WIDE`] when the sums are kept elsewhere.
    pub(super) named_by: u16,
    /// The newest of its open reservations, the end of its chain.
    pub(super) newest: SlotNumber,
}

/// Stands for a number that is kept elsewhere.
pub(super) const WIDE: u16 = u16::MAX;

impl Packed {
    /// Keeps the sums here; false if they do not fit.
    pub fn pack(&mut self, sums: &Sums) -> bool {
        let small = (
            u8::try_from(sums.open),
            u16::try_from(sums.reserved),
            u16::try_from(sums.sold),
            u16::try_from(sums.named_by),
        );
        let (Ok(open), Ok(reserved), Ok(sold), Ok(named_by)) = small else {
            return false;
        };
        if named_by == WIDE || sums.counted != sums.reserved + sums.sold {
            return false;
        }
        self.open = open;
        self.reserved = reserved;
        self.sold = sold;
        self.named_by = named_by;
        true
    }

    /// Changes the sums where they are; false, and nothing changed, if they are kept
    /// elsewhere or have to be from now on.
    #[inline(always)]
    pub fn account(&mut self, by: Account) -> bool {
        let reserved = u16::try_from(i64::from(self.reserved).saturating_add(by.reserved));
        let sold = u16::try_from(i64::from(self.sold).saturating_add(by.sold));
        let follows = by.counted == by.reserved.saturating_add(by.sold);
        let (Ok(reserved), Ok(sold)) = (reserved, sold) else {
            return false;
        };
        let is_small = follows && self.named_by != WIDE;
        if is_small {
            (self.reserved, self.sold) = (reserved, sold);
        }
        is_small
    }

    /// Returns the sums that are kept here.
    #[inline(always)]
    pub fn unpack(&self) -> Sums {
        let (reserved, sold) = (u64::from(self.reserved), u64::from(self.sold));
        Sums {
            reserved,
            sold,
            counted: reserved + sold,
            open: u32::from(self.open),
            named_by: u32::from(self.named_by),
        }
    }
}
