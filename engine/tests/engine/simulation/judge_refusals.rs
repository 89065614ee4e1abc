//! Is a refusal of new units true, and could what is overdue not have lifted it?

use super::judge::Case;
use super::ledger::must;
use super::record::{Fate, Record, units_in_all};
use crate::commands::play::Fault;
use crate::commands::requests::{Ask, bytes};
use flashsale_engine::sale::{Answer, ThrottledBy};

impl Case<'_> {
    pub fn full(&self) -> Result<(), Fault> {
        let books = self.books;
        let is_full = books.known() >= self.bounds.reservations_max;
        let late = books.late.values().next().and_then(|id| books.record(id));
        let all_in_grace = late.is_none_or(|late| books.is_in_grace(late, self.now_ms));
        must(
            is_full && books.ended.is_empty() && all_in_grace,
            "there is room",
        )
    }

    /// Is one of these open past its deadline?
    pub fn is_overdue(&self, which: impl Fn(&Record) -> bool) -> bool {
        let overdue = self.books.open.range(..=(self.now_ms, u64::MAX));
        let mut records = overdue.filter_map(|(_, id)| self.books.record(id));
        records.any(which)
    }

    /// A refusal of new units has to be true; those of one to be replaced count as free.
    pub fn refused(
        &self,
        refusal: &Answer,
        user: &[u8],
        ask: &Ask,
        replaced: Option<&Record>,
    ) -> Result<(), Fault> {
        let (books, now_ms) = (self.books, self.now_ms);
        let options = &books.options;
        let Some(units) = books.units(ask) else {
            return self.unknown(refusal, ask);
        };
        let all = units_in_all(&units);
        let freed = replaced.map_or(0, |record| units_in_all(&record.units));
        let freed_of = |item: u32| {
            let units = replaced.map_or(&[][..], |record| &record.units);
            let line = units.iter().find(|line| line.0 == item as usize);
            line.map_or(0, |line| line.1)
        };
        let is_own = replaced.is_some_and(|record| record.user.as_deref() == Some(user));
        let own = |freed: u64| if is_own { freed } else { 0 };
        let qty_of = |item: u32| units.iter().find(|u| u.0 == item as usize).map(|u| u.1);
        let overdue = self.is_overdue(|_| true);
        let may_lift = match *refusal {
            Answer::UserLimit { .. } => self.is_overdue(|record| record.belongs_to(Some(user))),
            Answer::ItemLimit { item, .. } => self.is_overdue(|record| {
                let has_it = record.units.iter().any(|line| line.0 == item as usize);
                has_it && record.belongs_to(Some(user))
            }),
            Answer::AllReserved { item, .. } => overdue && item.is_some(),
            Answer::NotFree { unit, .. } => {
                let holder = books.holder(unit);
                holder.is_some_and(|record| {
                    record.fate == Fate::Open && record.expires_at_ms <= now_ms
                })
            }
            _ => false,
        };
        must(!may_lift, "what is overdue refuses nobody for long")?;
        let is_true = match *refusal {
            Answer::Ended { at_ms } => books.ended_at(now_ms) == Some(at_ms),
            Answer::NotStarted { starts_in_ms } => {
                starts_in_ms > 0 && options.start_at_ms == Some(now_ms + starts_in_ms)
            }
            Answer::Paused { at_ms } => books.refuses_since() == Some(at_ms),
            Answer::OrderLimit { limit } => options.order_limit == Some(limit) && all > limit,
            Answer::UserLimit { remaining } => {
                let limit = options.user_limit.unwrap_or(u64::MAX);
                let counted = books.counted(user) - own(freed);
                remaining == limit.saturating_sub(counted) && all > remaining
            }
            Answer::ItemLimit { remaining, item } => {
                let limit = options.item_limit.unwrap_or(u64::MAX);
                let counted = books.counted_of(user, item as usize) - own(freed_of(item));
                let is_so = remaining == limit.saturating_sub(counted);
                is_so && qty_of(item) > Some(remaining)
            }
            Answer::SaleLimit { remaining } => {
                let limit = options.sale_limit.unwrap_or(u64::MAX);
                remaining == limit.saturating_sub(books.sold()) && all > remaining
            }
            Answer::SoldOut { available, item } => {
                let stock = &books.items[item as usize];
                let most = stock.available().map(|left| left + stock.reachable());
                let left = stock.available().map(|left| left + freed_of(item));
                left == Some(available) && qty_of(item) > most
            }
            Answer::AllReserved {
                retry_in_ms: 1,
                item: None,
            } if overdue => self.swept || self.has_backlog,
            Answer::AllReserved { retry_in_ms, item } => {
                let next = books.open.keys().next().map_or(now_ms, |due| due.0);
                let limit = options.sale_limit.unwrap_or(u64::MAX);
                let stands = match item {
                    Some(item) => {
                        let left = books.items[item as usize].available();
                        qty_of(item) > left.map(|left| left + freed_of(item))
                    }
                    None => books.sold() + books.reserved() - freed + all > limit,
                };
                retry_in_ms == next.saturating_sub(now_ms).max(1) && stands
            }
            Answer::Throttled { retry_in_ms, by } => {
                let is_user = by == ThrottledBy::User;
                is_user && options.user_rate.is_some() && retry_in_ms > 0
            }
            Answer::Full => return self.full(),
            Answer::NotFree { retry_in_ms, unit } => {
                let name = books.seats.names(&[unit]);
                let is_asked = ask.names().iter().any(|asked| name.contains(&bytes(asked)));
                is_asked && self.is_not_free(retry_in_ms, unit, replaced)
            }
            _ => false,
        };
        must(is_true, "a refusal is true")
    }
}
