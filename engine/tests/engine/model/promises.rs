//! What REPLACE promises, looked at from outside: without the model, and without what the
//! engine thinks of it.

use super::driver::Fault;
use crate::commands::lines::{id_of, replaced_of};
use crate::commands::requests::{Op, bytes};
use flashsale_engine::sale::{NameBuffer, Sale, State};

/// What can be seen of a reservation: its state, its making and its deadline.
type Seen = (State, Option<u64>, Option<u64>);

fn seen(sale: &Sale, id: &str) -> Option<Seen> {
    let view = sale.view(sale.find(sale.key(&bytes(id)))?)?;
    Some((view.state, view.reserved_at_ms, view.expires_at_ms))
}

fn owner(sale: &Sale, id: &str) -> Option<Vec<u8>> {
    let view = sale.view(sale.find(sale.key(&bytes(id)))?)?;
    let mut buffer = NameBuffer::default();
    view.user(&mut buffer).map(<[u8]>::to_vec)
}

/// A RESERVE with REPLACE, and what there was before it.
pub struct Promise<'o> {
    id: &'o str,
    old: &'o str,
    was: Option<Seen>,
    is_new: bool,
    /// The users it is about, with what counted against their limits.
    counted: Vec<(Vec<u8>, u64)>,
}

impl<'o> Promise<'o> {
    /// `None` for any other command.
    pub fn of(op: &'o Op, sale: &Sale) -> Option<Promise<'o>> {
        let (id, old) = (id_of(op)?, replaced_of(op)?);
        let Op::Reserve { user, .. } = op else {
            return None;
        };
        let users = owner(sale, old).into_iter().chain([bytes(user)]);
        Some(Promise {
            id,
            old,
            was: seen(sale, old),
            is_new: seen(sale, id).is_none(),
            counted: users
                .map(|user| (user.clone(), sale.user(&user).counted))
                .collect(),
        })
    }

    /// Is it kept?
    pub fn check(&self, sale: &Sale, answer: &str) -> Result<(), Fault> {
        let (old, new) = (seen(sale, self.old), seen(sale, self.id));
        let limit = sale.info(0).options.user_limit.unwrap_or(u64::MAX);
        for (user, before) in &self.counted {
            let counted = sale.user(user).counted;
            if counted > limit.max(*before) {
                return Err(format!("a user above USERLIMIT: {before}, then {counted}"));
            }
        }
        let is_kept = match self.was {
            Some((State::Reserved, made, due)) if self.is_new && answer.starts_with("RESERVED") => {
                let is_released = old.is_some_and(|old| old.0 == State::Released);
                is_released && new == Some((State::Reserved, made, due))
            }
            // Its deadline may have passed meanwhile.
            Some(was @ (State::Reserved, made, due)) => {
                let expired = Some((State::Expired, made, due));
                new.is_none() == self.is_new && (old == Some(was) || old == expired)
            }
            _ => !(self.is_new && new.is_some()),
        };
        if is_kept {
            return Ok(());
        }
        Err(format!(
            "REPLACE of {:?} answers {answer}, and there are {old:?} and {new:?}",
            self.was
        ))
    }
}
