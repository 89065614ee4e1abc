//! The users of a sale: what each has reserved and bought.
//!
//! # Invariants
//!
//! 1. A user is kept exactly as long as a reservation names it.
//! 2. `reserved` is the sum over the user's open reservations, `sold` the same net of
//!    refunds over its orders, `counted` reserved + bought less what RESTORELIMIT gave
//!    back.
//! 3. A tally exists for a user and item exactly while its count is not zero, and
//!    only in sales made with ITEMLIMIT.
//!
//! Edge: sums and links; the reservations themselves are in `reservations.rs`.

use super::hash::Hasher;
use super::index::Index;
use super::name::{Key, Name};
use super::slab::{NONE, Slab, SlotNumber};
use super::units::ItemIndex;

/// The number of a user in its sale; [`NONE`] for nobody.
pub type UserSlot = SlotNumber;

/// One user's sums, in units, and its open reservations as a chain, oldest first.
pub struct User {
    name: Name,
    pub reserved: u64,
    pub sold: u64,
    pub counted: u64,
    /// Open reservations.
    pub open: u32,
    pub oldest: SlotNumber,
    pub newest: SlotNumber,
    /// Reservations in any state that name this user.
    named_by: u32,
}

impl User {
    pub fn name(&self) -> &Name {
        &self.name
    }
}

/// A change of a user's sums, in units.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    pub reserved: i64,
    pub sold: i64,
    pub counted: i64,
}

struct Tally {
    user: UserSlot,
    item: ItemIndex,
    counted: u64,
}

/// All users with a reservation in any state.
pub struct Users {
    users: Slab<User>,
    by_name: Index,
    tallies: Slab<Tally>,
    by_user_and_item: Index,
    /// The sale was made with ITEMLIMIT.
    tracks_items: bool,
    hasher: Hasher,
    name_bytes: usize,
}

impl Users {
    pub fn new(hasher: Hasher, tracks_items: bool) -> Users {
        Users {
            users: Slab::new(),
            by_name: Index::new(),
            tallies: Slab::new(),
            by_user_and_item: Index::new(),
            tracks_items,
            hasher,
            name_bytes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.users.len()
    }

    pub fn tracks_items(&self) -> bool {
        self.tracks_items
    }

    pub fn find(&self, name: &[u8]) -> Option<UserSlot> {
        self.find_key(Key::of(name))
    }

    pub fn find_key(&self, key: Key<'_>) -> Option<UserSlot> {
        let hash = self.hasher.hash(key.hashed_bytes());
        self.by_name
            .find(hash, |slot| self.users[slot].name.key() == key)
    }

    pub fn get(&self, user: UserSlot) -> Option<&User> {
        self.users.get(user)
    }

    pub fn get_mut(&mut self, user: UserSlot) -> Option<&mut User> {
        self.users.get_mut(user)
    }

    pub fn iter(&self) -> impl Iterator<Item = (UserSlot, &User)> {
        self.users.iter()
    }

    /// The user of this name, who is named by one more reservation from now on.
    pub fn retain(&mut self, key: Key<'_>) -> UserSlot {
        let slot = self.find_key(key).unwrap_or_else(|| self.add(key));
        self.users[slot].named_by += 1;
        slot
    }

    fn add(&mut self, key: Key<'_>) -> UserSlot {
        let name = Name::new(key);
        self.name_bytes += name.heap_bytes();
        let slot = self.users.insert(User {
            name,
            reserved: 0,
            sold: 0,
            counted: 0,
            open: 0,
            oldest: NONE,
            newest: NONE,
            named_by: 0,
        });
        let (users, hasher) = (&self.users, &self.hasher);
        self.by_name
            .insert(hasher.hash(key.hashed_bytes()), slot, |slot| {
                hasher.hash(users[slot].name.key().hashed_bytes())
            });
        slot
    }

    /// A reservation that named this user is forgotten.
    pub fn release(&mut self, user: UserSlot) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        record.named_by = record.named_by.saturating_sub(1);
        if record.named_by > 0 {
            return;
        }
        let hash = self.hasher.hash(record.name.key().hashed_bytes());
        self.name_bytes -= record.name.heap_bytes();
        self.by_name.remove(hash, |slot| slot == user);
        self.users.remove(user);
    }

    /// Changes a user's sums.
    pub fn account(&mut self, user: UserSlot, by: Account) {
        let Some(user) = self.users.get_mut(user) else {
            return;
        };
        user.reserved = user.reserved.saturating_add_signed(by.reserved);
        user.sold = user.sold.saturating_add_signed(by.sold);
        user.counted = user.counted.saturating_add_signed(by.counted);
    }

    fn find_tally(&self, user: UserSlot, item: ItemIndex) -> Option<SlotNumber> {
        self.by_user_and_item
            .find(self.hasher.hash_pair(user, item), |slot| {
                let tally = &self.tallies[slot];
                tally.user == user && tally.item == item
            })
    }

    /// Units of one item counted against a user's ITEMLIMIT.
    pub fn counted_of(&self, user: UserSlot, item: ItemIndex) -> u64 {
        self.find_tally(user, item)
            .map_or(0, |slot| self.tallies[slot].counted)
    }

    /// Changes what counts against a user's ITEMLIMIT.
    pub fn count(&mut self, user: UserSlot, item: ItemIndex, by: i64) {
        if !self.tracks_items {
            return;
        }
        let hash = self.hasher.hash_pair(user, item);
        if let Some(slot) = self.find_tally(user, item) {
            let tally = &mut self.tallies[slot];
            tally.counted = tally.counted.saturating_add_signed(by);
            if tally.counted == 0 {
                self.by_user_and_item.remove(hash, |other| other == slot);
                self.tallies.remove(slot);
            }
        } else if by > 0 {
            let slot = self.tallies.insert(Tally {
                user,
                item,
                counted: by.unsigned_abs(),
            });
            let (tallies, hasher) = (&self.tallies, &self.hasher);
            self.by_user_and_item.insert(hash, slot, |slot| {
                hasher.hash_pair(tallies[slot].user, tallies[slot].item)
            });
        }
    }

    /// All tallies: user, item, units counted.
    pub fn tallies(&self) -> impl Iterator<Item = (UserSlot, ItemIndex, u64)> {
        self.tallies
            .iter()
            .map(|(_, tally)| (tally.user, tally.item, tally.counted))
    }

    /// Heap bytes, names included.
    pub fn heap_bytes(&self) -> usize {
        self.users.heap_bytes()
            + self.by_name.heap_bytes()
            + self.tallies.heap_bytes()
            + self.by_user_and_item.heap_bytes()
            + self.name_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_lives_as_long_as_a_reservation_names_it() {
        let mut users = Users::new(Hasher::new(1), true);
        let ann = users.retain(Key::of(b"ann"));
        assert_eq!(users.retain(Key::of(b"ann")), ann);
        users.count(ann, 3, 2);
        users.count(ann, 3, -1);
        assert_eq!(users.counted_of(ann, 3), 1);
        users.count(ann, 3, -1);
        assert_eq!(users.tallies().count(), 0);
        users.release(ann);
        assert_eq!(users.find(b"ann"), Some(ann));
        users.release(ann);
        assert_eq!((users.find(b"ann"), users.len()), (None, 0));
    }
}
