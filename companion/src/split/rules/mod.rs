//! The rules of a split sale: which part a user is on, how stock is dealt, and what a driver
//! does in a round. No connection, clock or randomness: the simulation in the engine's tests
//! runs exactly this code.
//!
//! # Invariants
//!
//! 1. A TAKE carries a total that GIVE answered, on a connection whose WAIT said afterwards
//!    that all replicas of the giver have it.
//! 2. An item is said to be sold out everywhere only after two equal readings of all parts, on
//!    connections that did not break between.
//! 3. Nothing here is needed to finish a transfer but what the parts themselves say: a driver
//!    may die anywhere.
//!
//! | File | |
//! |---|---|
//! | `place` | the part of a user, hash tags, how stock is dealt |
//! | `reading` | what one part says of itself |
//! | `pairs` | who has given what to whom: under way, and taken above given |
//! | `demand` | who was refused, who can spare: amounts |
//! | `rest` | two equal readings |
//! | `lost` | what is left for a part that is made anew |
//! | `round` | a driver: what to read, and what a round decides |
//! | `transfer` | GIVE, WAIT, TAKE: what is sent only after what |

pub mod demand;
pub mod lost;
pub mod pairs;
pub mod place;
pub mod reading;
pub mod rest;
pub mod round;
pub mod transfer;
