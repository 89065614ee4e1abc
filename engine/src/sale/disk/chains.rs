//! The order of each user's open reservations, while a snapshot is loaded.
//!
//! A snapshot has the open reservations by deadline, and beside each its position among its
//! user's, who need not have made them in that order. Mostly the two orders agree, and
//! nothing is left to do.
//!
//! Edge: trusts nothing; positions that are no order are an error.

use crate::sale::book::reservation::Slot;
use crate::sale::book::users::UserSlot;
use crate::sale::state::Sale;
use crate::table::name::{Key, Name};
use crate::table::slab::NONE;
use crate::wire::{CodecError, NameReader};

/// What an element says of the position of an open reservation among its user's.
pub(crate) enum Position<'a> {
    /// Version 1: how many reservations were made from this one on.
    Age(u32),
    /// The one before it; `None` for the oldest.
    After(Option<Key<'a>>),
}

pub(crate) fn take_position<'a>(
    from: &mut NameReader<'a>,
    version: u8,
) -> Result<Position<'a>, CodecError> {
    if version == 1 {
        return from.small().map(Position::Age);
    }
    from.option(NameReader::name).map(Position::After)
}

/// What was read so far.
#[derive(Default)]
pub(crate) struct Chains {
    /// Version 1: most first.
    ages: Vec<(u32, Slot)>,
    /// A reservation, and the one before it.
    after: Vec<(Slot, Slot)>,
    /// The one before it was not there yet.
    waiting: Vec<(Slot, Name)>,
    /// Reservations that are said to be their user's oldest.
    oldest: usize,
    is_out_of_order: bool,
}

impl Chains {
    /// Notes the position of a reservation that will be kept next, by this user.
    pub fn note(&mut self, sale: &Sale, slot: Slot, user: UserSlot, position: &Position<'_>) {
        match *position {
            Position::Age(age) => {
                let age = u32::MAX - age;
                self.is_out_of_order |= self.ages.last().is_some_and(|&(last, _)| last > age);
                self.ages.push((age, slot));
            }
            Position::After(None) => {
                self.oldest += 1;
                self.is_out_of_order |= sale.users.chain(user).newest != NONE;
            }
            Position::After(Some(id)) => match sale.reservations.find(id) {
                Some(before) => {
                    self.is_out_of_order |= sale.users.chain(user).newest != before;
                    self.after.push((slot, before));
                }
                None => {
                    self.is_out_of_order = true;
                    self.waiting.push((slot, Name::new(id.spelling())));
                }
            },
        }
    }

    /// Puts every user's chain in the order that was read. O(open reservations).
    ///
    /// # Errors
    ///
    /// What was read is not an order of each user's open reservations.
    pub fn finish(mut self, sale: &mut Sale) -> Result<(), CodecError> {
        if !self.is_out_of_order {
            return Ok(());
        }
        if !self.ages.is_empty() {
            self.ages.sort_unstable();
            let slots = self.ages.iter().map(|&(_, slot)| slot);
            sale.reservations.chain_anew(slots, &mut sale.users);
            return Ok(());
        }
        let order = self
            .order(sale)
            .ok_or(CodecError::Invalid("the order of reservations"))?;
        sale.reservations
            .chain_anew(order.into_iter(), &mut sale.users);
        Ok(())
    }

    /// All reservations of users with several, each behind the one before it.
    fn order(mut self, sale: &Sale) -> Option<Vec<Slot>> {
        for (slot, id) in std::mem::take(&mut self.waiting) {
            self.after.push((slot, sale.find(sale.key(id.bytes()))?));
        }
        let slots = sale.reservations.slots();
        let (mut next, mut has_before) = (vec![NONE; slots], vec![false; slots]);
        for &(slot, before) in &self.after {
            let is_of_one_user =
                sale.reservations.user_of_open(slot) == sale.reservations.user_of_open(before);
            let next = next.get_mut(before as usize)?;
            if !is_of_one_user || *next != NONE {
                return None;
            }
            *next = slot;
            *has_before.get_mut(slot as usize)? = true;
        }
        let users = sale.users.slots();
        let with_open = users
            .filter(|&user| sale.users.chain(user).newest != NONE)
            .count();
        if self.oldest != with_open {
            return None;
        }
        let mut order = Vec::with_capacity(2 * self.after.len());
        let mut links = 0;
        for &(_, before) in &self.after {
            if has_before.get(before as usize) == Some(&true) {
                continue;
            }
            let mut at = before;
            while let Some(&behind) = next.get(at as usize) {
                order.push(at);
                links += usize::from(behind != NONE);
                at = behind;
            }
        }
        // What was not come by goes round.
        (links == self.after.len()).then_some(order)
    }
}
