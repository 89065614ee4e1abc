//! SQLite, PostgreSQL and MySQL (with MariaDB) by one interface of plain text and values.

mod database;
mod errors;
mod migrate;
mod rows;
mod schema;

pub use database::{Database, Dialect, Kind, Value, dialect_of};
pub use errors::{describe, is_passing};
pub use migrate::{check_tables, migrate};
pub use rows::Key;
pub use schema::{DEAD, EVENTS, ORDERS, REFUNDS, RESERVATIONS, Table};
