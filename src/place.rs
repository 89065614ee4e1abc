//! Where a value is. The lists of the module keep places, because the value itself may be
//! moved or freed at any time.

use std::sync::Arc;

/// A database and the name of a key in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub database: i32,
    /// Shared, as the timer's index keeps each place twice.
    pub key: Arc<[u8]>,
}

impl Place {
    pub fn new(database: i32, key: &[u8]) -> Place {
        Place {
            database,
            key: key.into(),
        }
    }

    /// Returns where a value is that was here before two databases exchanged their numbers.
    pub fn swapped(self, one: i32, other: i32) -> Place {
        let database = match self.database {
            database if database == one => other,
            database if database == other => one,
            database => database,
        };
        Place { database, ..self }
    }
}
