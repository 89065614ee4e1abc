//! Requests as data: what the model and the simulation ask of a sale, and how a run is
//! repeated and cut down.

pub mod batch;
pub mod copies;
pub mod lines;
pub mod passes;
pub mod play;
pub mod requests;
pub mod seeded;
