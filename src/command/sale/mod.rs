//! The commands of a sale: one file each, and the file is its manual page.

pub mod alter;
pub mod apply;
pub mod audit;
pub mod bind;
pub mod buy;
pub mod checkout;
pub mod close;
pub mod create;
pub mod doctor;
pub mod extend;
pub mod get;
pub mod help;
pub mod info;
pub mod load;
pub mod pause;
pub mod refund;
pub mod release;
pub mod reserve;
pub mod restock;
pub mod resume;
pub mod scan;
pub mod stock;
pub mod user;
