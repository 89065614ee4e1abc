//! The ways to a sale: one, or one for each part of a split sale.
//!
//! All that a user has is on one part, for ever. So each request goes there, and a part that does
//! not answer keeps nobody waiting but its own.

use std::sync::Arc;

use super::gate::Gate;
use super::metrics::Metrics;
use crate::link::{Address, LinkError};
use crate::split::rules::place::part_of_user;

/// Where one sale is, or one part.
pub struct PartPlace {
    pub key: String,
    pub orders: String,
}

/// The ways, by part.
#[derive(Clone)]
pub struct Gates(Arc<[Arc<Gate>]>);

impl Gates {
    /// Opens the connections to all parts.
    ///
    /// # Errors
    ///
    /// A primary cannot be reached.
    pub async fn open(
        address: &Address,
        places: &[PartPlace],
        metrics: &Metrics,
    ) -> Result<Self, LinkError> {
        let mut gates = Vec::with_capacity(places.len());
        for place in places {
            gates.push(Gate::open(address, &place.key, &place.orders, metrics).await?);
        }
        Ok(Self(gates.into()))
    }

    /// The way to the part of a user.
    pub fn of_user(&self, user: &[u8]) -> &Gate {
        &self.0[part_of_user(user, self.0.len())]
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Gate>> {
        self.0.iter()
    }
}
