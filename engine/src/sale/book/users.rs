//! The users of a sale: what each has reserved and bought.
//!
//! Most users have a few units and a reservation or two, so a user is 28 bytes: small
//! numbers, whose sums follow from each other. Whoever has more, or was refunded units
//! that still count, is kept wide.
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

use std::collections::BTreeMap;

use crate::sale::book::user::{Account, Packed, Sums, WIDE};
use crate::sale::units::ItemIndex;
use crate::table::hash::Hasher;
use crate::table::index::{Index, Likely, Rows};
use crate::table::name::{Key, Names, Spelling};
use crate::table::slab::{NONE, Slab, SlotNumber};

/// The number of a user in its sale; [`NONE`] for nobody.
pub type UserSlot = SlotNumber;

/// A user's open reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// [`NONE`] without one.
    pub newest: SlotNumber,
    /// How many there are.
    pub open: u32,
}

/// What a new reservation finds at its user.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    pub user: UserSlot,
    /// The chain before it.
    pub before: Chain,
    /// Units that count against the user's limits, its own among them.
    pub counted: u64,
}

struct Tally {
    user: UserSlot,
    item: ItemIndex,
    counted: u64,
}

/// All users with a reservation in any state.
pub struct Users {
    users: Slab<Packed>,
    names: Names,
    wide: BTreeMap<UserSlot, Sums>,
    by_name: Index,
    tallies: Slab<Tally>,
    by_user_and_item: Index,
    /// The sale was made with ITEMLIMIT.
    tracks_items: bool,
    hasher: Hasher,
    /// How many users were taken out; never 0. See [`Key::is_found`].
    removals: u32,
}

/// The names of all users, as the index hashes them again.
struct UserNames<'a> {
    users: &'a Slab<Packed>,
    names: &'a Names,
    hasher: Hasher,
}

impl Rows for UserNames<'_> {
    fn hash(&self, slot: UserSlot) -> u64 {
        let user = &self.users[slot];
        self.hasher.hash(self.names.spelling(&user.name))
    }

    fn touch(&self, slot: UserSlot) {
        self.users.touch(slot);
    }
}

impl Users {
    pub fn new(hasher: Hasher, tracks_items: bool) -> Users {
        Users {
            users: Slab::new(),
            names: Names::new(),
            wide: BTreeMap::new(),
            by_name: Index::new(),
            tallies: Slab::new(),
            by_user_and_item: Index::new(),
            tracks_items,
            hasher,
            removals: 1,
        }
    }

    pub fn len(&self) -> usize {
        self.users.len()
    }

    pub fn tracks_items(&self) -> bool {
        self.tracks_items
    }

    // Compiled into each caller, as a call would copy the key.
    #[inline(always)]
    pub fn find(&self, name: Key<'_>) -> Option<UserSlot> {
        let likely = name.likely();
        if self.is_at(likely, &name) {
            return Some(likely);
        }
        if name.is_absent(self.by_name.insertions(name.hash())) {
            debug_assert_eq!(self.search(&name), None);
            return None;
        }
        self.search(&name)
    }

    /// Finds the user of this name, which [`NONE`] stands for if there is none, and the units
    /// that count against its limits; notes in the key where it was found.
    #[inline(always)]
    pub fn find_counted(&self, name: &mut Key<'_>) -> (UserSlot, u64) {
        let likely = name.likely();
        if let Some(user) = self.users.get(likely)
            && self.names.is(&user.name, name.spelling())
        {
            name.note_found(likely, self.removals);
            let counted = match user.named_by {
                WIDE => self.wide_sums(likely).counted,
                _ => user.unpack().counted,
            };
            return (likely, counted);
        }
        let slot = self.find(*name).unwrap_or(NONE);
        if slot != NONE {
            name.note_found(slot, self.removals);
        }
        (slot, self.sums(slot).counted)
    }

    /// Is the user of this name at this slot?
    #[inline(always)]
    fn is_at(&self, slot: UserSlot, name: &Key<'_>) -> bool {
        let user = self.users.get(slot);
        user.is_some_and(|user| self.names.is(&user.name, name.spelling()))
    }

    #[inline(never)]
    fn search(&self, name: &Key<'_>) -> Option<UserSlot> {
        debug_assert_eq!(name.hash(), self.hasher.hash(name.spelling()));
        self.by_name
            .find(name.hash(), |slot| self.is_at(slot, name))
    }

    /// Fetches what [`Users::find`] will look at first; see [`Index::touch`].
    #[inline]
    pub fn touch(&self, name: Key<'_>) {
        self.by_name.touch(name.hash());
    }

    /// Fetches the user that [`Users::find`] will look at, its bucket having been, and
    /// notes its slot in the key, or that there is none.
    #[inline]
    pub fn touch_likely(&self, name: &mut Key<'_>) {
        match self.by_name.likely(name.hash()) {
            Likely::At(user) => {
                self.users.touch(user);
                name.note_likely(user);
            }
            Likely::Absent { insertions } => name.note_absent(insertions),
        }
    }

    /// Fetches a user that is named by its slot.
    pub fn touch_slot(&self, user: UserSlot) {
        self.users.touch(user);
    }

    pub fn name(&self, user: UserSlot) -> Option<Spelling<'_>> {
        let user = self.users.get(user)?;
        Some(self.names.spelling(&user.name))
    }

    /// A user's sums; zeros for nobody.
    #[inline(always)]
    pub fn sums(&self, user: UserSlot) -> Sums {
        match self.users.get(user) {
            None => Sums::default(),
            Some(record) if record.named_by == WIDE => self.wide_sums(user),
            Some(record) => record.unpack(),
        }
    }

    fn wide_sums(&self, user: UserSlot) -> Sums {
        self.wide.get(&user).copied().unwrap_or_default()
    }

    fn change(&mut self, user: UserSlot, change: impl FnOnce(&mut Sums)) {
        let mut sums = self.sums(user);
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        change(&mut sums);
        let was_wide = record.named_by == WIDE;
        if record.pack(&sums) {
            if was_wide {
                self.wide.remove(&user);
            }
        } else {
            record.named_by = WIDE;
            self.wide.insert(user, sums);
        }
    }

    /// A user's chain of open reservations; an empty one for nobody.
    #[inline]
    pub fn chain(&self, user: UserSlot) -> Chain {
        match self.users.get(user) {
            None => Chain {
                newest: NONE,
                open: 0,
            },
            Some(record) => Chain {
                newest: record.newest,
                open: if record.named_by == WIDE {
                    self.sums(user).open
                } else {
                    record.open.into()
                },
            },
        }
    }

    /// Makes an open reservation its user's newest, and returns the chain before.
    #[inline(always)]
    pub fn push_newest(&mut self, user: UserSlot, newest: SlotNumber) -> Chain {
        let Some(record) = self.users.get_mut(user) else {
            return Chain {
                newest: NONE,
                open: 0,
            };
        };
        let before = Chain {
            newest: std::mem::replace(&mut record.newest, newest),
            open: record.open.into(),
        };
        if record.named_by < WIDE && record.open < u8::MAX {
            record.open += 1;
            return before;
        }
        let open = self.sums(user).open;
        self.change(user, |sums| sums.open = sums.open.saturating_add(1));
        Chain { open, ..before }
    }

    /// An open reservation leaves its user's chain, of which `newest` is the newest now.
    pub fn leave_chain(&mut self, user: UserSlot, newest: SlotNumber) {
        let Some(record) = self.users.get_mut(user) else {
            return;
        };
        record.newest = newest;
        if record.named_by < WIDE && record.open > 0 {
            record.open -= 1;
        } else {
            self.change(user, |sums| sums.open = sums.open.saturating_sub(1));
        }
    }

    /// Adds an open reservation of so many units to the user of this name: as
    /// [`Users::retain`], [`Users::account`] and [`Users::push_newest`] do, in one look at the
    /// user.
    #[inline(always)]
    pub fn reserve(&mut self, name: Key<'_>, units: u64, newest: SlotNumber) -> Joined {
        let (likely, removals) = (name.likely(), self.removals);
        match self.users.get_mut(likely) {
            Some(record)
                if record.named_by < WIDE - 1
                    && record.open < u8::MAX
                    && units <= u64::from(u16::MAX - record.reserved)
                    && (name.is_found(removals)
                        || self.names.is(&record.name, name.spelling())) =>
            {
                debug_assert!(self.names.is(&record.name, name.spelling()));
                let before = Chain {
                    newest: std::mem::replace(&mut record.newest, newest),
                    open: record.open.into(),
                };
                record.named_by += 1;
                record.open += 1;
                record.reserved += units as u16;
                Joined {
                    user: likely,
                    before,
                    counted: record.unpack().counted,
                }
            }
            _ => self.reserve_elsewhere(name, units, newest),
        }
    }

    /// The same where the user is not in the likely place, or its sums are not small.
    fn reserve_elsewhere(&mut self, name: Key<'_>, units: u64, newest: SlotNumber) -> Joined {
        let user = self.retain(name);
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        let by = Account {
            reserved: units,
            sold: 0,
            counted: units,
        };
        self.account(user, by);
        Joined {
            user,
            before: self.push_newest(user, newest),
            counted: self.sums(user).counted,
        }
    }

    /// One past the highest slot in use.
    pub fn slots_end(&self) -> usize {
        self.users.slots()
    }

    pub fn slots(&self) -> impl Iterator<Item = UserSlot> {
        self.users.iter().map(|(slot, _)| slot)
    }

    /// The user of this name, who is named by one more reservation from now on.
    #[inline(always)]
    pub fn retain(&mut self, name: Key<'_>) -> UserSlot {
        let likely = name.likely();
        match self.users.get_mut(likely) {
            // The one after it is WIDE.
            Some(record)
                if record.named_by < WIDE - 1 && self.names.is(&record.name, name.spelling()) =>
            {
                record.named_by += 1;
                likely
            }
            _ => self.retain_elsewhere(name),
        }
    }

    /// The same where the user is not, or not alone, in the likely place.
    fn retain_elsewhere(&mut self, name: Key<'_>) -> UserSlot {
        let slot = self.find(name).unwrap_or_else(|| self.add(name));
        self.change(slot, |sums| sums.named_by += 1);
        slot
    }

    fn add(&mut self, name: Key<'_>) -> UserSlot {
        let slot = self.users.insert(Packed {
            name: self.names.pack(name.spelling()),
            open: 0,
            reserved: 0,
            sold: 0,
            named_by: 0,
            newest: NONE,
        });
        let names = UserNames {
            users: &self.users,
            names: &self.names,
            hasher: self.hasher,
        };
        self.by_name.insert(name.hash(), slot, names);
        slot
    }

    /// A reservation that named this user is forgotten.
    pub fn release(&mut self, user: UserSlot) {
        self.change(user, |sums| {
            sums.named_by = sums.named_by.saturating_sub(1);
        });
        if self.sums(user).named_by > 0 {
            return;
        }
        let Some(name) = self.users.get(user).map(|record| record.name) else {
            return;
        };
        let hash = self.hasher.hash(self.names.spelling(&name));
        self.by_name.remove(hash, |slot| slot == user);
        self.users.remove(user);
        self.removals = self.removals.wrapping_add(1).max(1);
        self.names.remove(name);
        self.wide.remove(&user);
    }

    /// Changes a user's sums.
    #[inline]
    pub fn account(&mut self, user: UserSlot, by: Account) {
        let is_changed = match self.users.get_mut(user) {
            Some(record) => record.account(by),
            None => true,
        };
        if !is_changed {
            self.account_widely(user, by);
        }
    }

    /// The same where it takes more than small sums.
    fn account_widely(&mut self, user: UserSlot, by: Account) {
        self.change(user, |sums| {
            sums.reserved = sums.reserved.saturating_add_signed(by.reserved);
            sums.sold = sums.sold.saturating_add_signed(by.sold);
            sums.counted = sums.counted.saturating_add_signed(by.counted);
        });
    }

    /// Finds a tally by the hash of its user and item.
    fn find_tally(&self, hash: u64, user: UserSlot, item: ItemIndex) -> Option<SlotNumber> {
        self.by_user_and_item.find(hash, |slot| {
            let tally = &self.tallies[slot];
            tally.user == user && tally.item == item
        })
    }

    /// Units of one item counted against a user's ITEMLIMIT; none for nobody.
    pub fn counted_of(&self, user: UserSlot, item: ItemIndex) -> u64 {
        if user == NONE {
            return 0;
        }
        let hash = self.hasher.hash_pair(user, item);
        self.find_tally(hash, user, item)
            .map_or(0, |slot| self.tallies[slot].counted)
    }

    /// Changes what counts against a user's ITEMLIMIT.
    pub fn count(&mut self, user: UserSlot, item: ItemIndex, by: i64) {
        if !self.tracks_items {
            return;
        }
        let hash = self.hasher.hash_pair(user, item);
        if let Some(slot) = self.find_tally(hash, user, item) {
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
            + self.names.heap_bytes()
            // As a B-tree keeps them, at its usual filling.
            + self.wide.len() * 2 * size_of::<(UserSlot, Sums)>()
            + self.by_name.heap_bytes()
            + self.tallies.heap_bytes()
            + self.by_user_and_item.heap_bytes()
    }
}

#[cfg(test)]
impl Users {
    /// Damages a chain: gives it another end, and another length.
    pub fn set_newest(&mut self, user: UserSlot, newest: SlotNumber, open: i32) {
        self.users[user].newest = newest;
        self.change(user, |sums| {
            sums.open = sums.open.saturating_add_signed(open)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::hash::HASHER;

    #[test]
    fn a_user_lives_as_long_as_a_reservation_names_it() {
        let mut users = Users::new(HASHER, true);
        let ann = users.retain(HASHER.key(b"ann"));
        assert_eq!(users.retain(HASHER.key(b"ann")), ann);
        users.count(ann, 3, 2);
        users.count(ann, 3, -1);
        assert_eq!(users.counted_of(ann, 3), 1);
        users.count(ann, 3, -1);
        assert_eq!(users.tallies().count(), 0);
        users.release(ann);
        assert_eq!(users.find(HASHER.key(b"ann")), Some(ann));
        users.release(ann);
        assert_eq!((users.find(HASHER.key(b"ann")), users.len()), (None, 0));
    }

    #[test]
    fn what_a_key_notes_of_its_place_is_only_a_hint() {
        let mut users = Users::new(HASHER, false);
        let [ann, bob] = [&b"ann"[..], b"bob"].map(|name| users.retain(HASHER.key(name)));
        let mut key = HASHER.key(b"ann");
        for slot in [bob, ann, 7, NONE] {
            key.note_likely(slot);
            assert_eq!(users.find(key), Some(ann));
        }
        let mut absent = HASHER.key(b"cid");
        users.touch_likely(&mut absent);
        assert_eq!(users.find(absent), None);
        let cid = users.retain(absent);
        assert_eq!(users.find(absent), Some(cid));
    }

    #[test]
    fn a_user_that_was_found_is_compared_again_when_another_may_have_its_slot() {
        let mut users = Users::new(HASHER, false);
        let ann = users.retain(HASHER.key(b"ann"));
        let mut key = HASHER.key(b"ann");
        assert_eq!(users.find_counted(&mut key), (ann, 0));
        users.release(ann);
        let bob = users.retain(HASHER.key(b"bob"));
        assert_eq!(bob, ann);
        let joined = users.reserve(key, 3, 0);
        assert_eq!(users.name(joined.user), Some(Spelling::of(b"ann")));
        assert_eq!((joined.counted, users.sums(bob).counted), (3, 0));
    }

    #[test]
    fn a_user_is_28_bytes() {
        assert_eq!(size_of::<Packed>(), 28);
        assert_eq!(size_of::<Option<Packed>>(), 28);
    }

    #[test]
    fn sums_of_any_size_are_kept_and_small_ones_in_place() {
        let mut users = Users::new(HASHER, false);
        let ann = users.retain(HASHER.key(b"ann"));
        let large = 1 << 52;
        for (reserved, sold, counted, is_wide) in [
            (1, 0, 1, false),
            (0xffff, 0, 0xffff, false),
            (0x1_0000, 0, 0x1_0000, true),
            (2, 0xffff, 0x1_0001, false),
            (2, 3, 6, true),
            (large, large, 2 * large, true),
            (0, 0, 0, false),
        ] {
            let before = users.sums(ann);
            users.account(
                ann,
                Account {
                    reserved: reserved as i64 - before.reserved as i64,
                    sold: sold as i64 - before.sold as i64,
                    counted: counted as i64 - before.counted as i64,
                },
            );
            let sums = users.sums(ann);
            assert_eq!(
                (sums.reserved, sums.sold, sums.counted),
                (reserved, sold, counted)
            );
            assert_eq!(users.wide.len(), usize::from(is_wide));
        }
        for _ in 1..70_000 {
            users.retain(HASHER.key(b"ann"));
        }
        for open in 1..300 {
            users.push_newest(ann, open);
            let newest = open;
            assert_eq!(users.chain(ann), Chain { newest, open });
        }
        assert_eq!(users.wide.len(), 1);
        for _ in 1..70_000 {
            users.release(ann);
        }
        assert_eq!(users.len(), 1);
        users.release(ann);
        assert_eq!((users.len(), users.wide.len()), (0, 0));
    }
}
