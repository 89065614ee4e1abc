//! Which errors of a database pass by waiting, and which belong to a row.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

/// Reports whether an error says nothing about the rows: the database is away, busy, full,
/// read-only, or lacks a table or a right that somebody will give back. Such a batch is
/// tried again for ever; waiting strands no order, and a dead letter for each would.
pub fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => is_passing_code(error.as_ref()),
        // What a value would have to be for the driver to refuse it.
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => false,
        _ => true,
    }
}

/// Describes an error in one line without the driver's prefix.
pub fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} (code {code})", error.message()),
            None => error.message().to_owned(),
        },
        other => other.to_string(),
    }
    .replace('\n', " ")
}

fn is_passing_code(error: &dyn DatabaseError) -> bool {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return is_passing_in_postgres(error.code());
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return is_passing_in_mysql(error.number());
    }
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    is_passing_in_sqlite(code.unwrap_or(0), error.message())
}

/// By SQLSTATE, PostgreSQL's appendix A.
fn is_passing_in_postgres(code: &str) -> bool {
    matches!(
        code.get(..2),
        // Connection, authorization, transaction rolled back (serialization, deadlock),
        // resources (disk full, too many connections), operator, system, internal.
        Some("08" | "28" | "40" | "53" | "57" | "58" | "XX")
    ) || matches!(
        code,
        // Read-only; lock not available; object in use; a cached plan whose table changed.
        "25006" | "55P03" | "55006" | "0A000"
        // No such database, schema, table, column, function; no right.
        | "3D000" | "3F000" | "42P01" | "42703" | "42883" | "42501"
        // Inside a transaction that has failed already.
        | "25P02"
    )
}

/// By number, of MySQL and MariaDB alike.
fn is_passing_in_mysql(number: u16) -> bool {
    matches!(
        number,
        // Lock wait time-out, deadlock, a lock table that is full, record changed.
        1205 | 1213 | 1206 | 1020
        // Disk full, table full, cannot write, error from the engine.
        | 1021 | 1114 | 1026 | 1030
        // Too many connections, shutdown, killed, read-only, gone.
        | 1040 | 1203 | 1226 | 1053 | 1317 | 1927 | 1290 | 1836 | 1792 | 2006 | 2013
        // Network.
        | 1152 | 1158
            ..=1161
        // No right to the database, host, table, column.
        | 1044 | 1045 | 1130 | 1142 | 1143
        // No such database, table, column, procedure; the statement is to be prepared anew.
        | 1049 | 1146 | 1054 | 1305 | 1615
    )
}

/// By primary result code; "no such table" has no code of its own.
fn is_passing_in_sqlite(code: u32, message: &str) -> bool {
    // PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN,
    // PROTOCOL, SCHEMA, NOLFS, AUTH, NOTADB.
    matches!(code & 0xFF, 3 | 5..=11 | 13..=15 | 17 | 22 | 23 | 26)
        || message.starts_with("no such table")
        || message.starts_with("no such column")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_and_full_disks_pass_and_constraints_do_not() {
        for code in ["40001", "40P01", "53100", "57P01", "25006", "42P01"] {
            assert!(is_passing_in_postgres(code), "{code}");
        }
        for code in ["23505", "22003", "22021", "23502", "42601"] {
            assert!(!is_passing_in_postgres(code), "{code}");
        }
        for number in [1213, 1205, 1021, 1290, 1146] {
            assert!(is_passing_in_mysql(number), "{number}");
        }
        for number in [1062, 1048, 1406, 1264, 1153] {
            assert!(!is_passing_in_mysql(number), "{number}");
        }
        for code in [5, 261, 13, 8, 10] {
            assert!(is_passing_in_sqlite(code, ""), "{code}");
        }
        assert!(is_passing_in_sqlite(1, "no such table: jobs"));
        assert!(!is_passing_in_sqlite(19, "NOT NULL constraint failed"));
        assert!(!is_passing_in_sqlite(2067, "UNIQUE constraint failed"));
    }
}
