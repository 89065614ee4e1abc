//! What is asked of a sale, and what it answers.

pub mod answer;
pub mod request;
