//! The commands of rate limits: one file each, and the file is its manual page.

pub mod apply;
pub mod load;
pub mod throttle;
