//! The tables: what they are made of, once for making them and for filling them.

use super::database::{Dialect, Kind};

/// One table that the worker fills. The first `key` columns are its primary or unique key.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    pub key: usize,
}

use Kind::{Bytes, Int, Text};

pub static ORDERS: Table = Table {
    name: "flashsale_orders",
    columns: &[
        ("sale_id", Text),
        ("id", Bytes),
        ("ref", Bytes),
        ("user_id", Bytes),
        ("qty", Int),
        ("items", Text),
        ("payload", Text),
        ("at_ms", Int),
        ("entry_id", Text),
        ("sale", Bytes),
        ("group_name", Bytes),
        ("stream", Bytes),
        ("imported", Int),
    ],
    key: 2,
};

pub static REFUNDS: Table = Table {
    name: "flashsale_refunds",
    columns: &[
        ("sale_id", Text),
        ("id", Bytes),
        ("ref", Bytes),
        ("user_id", Bytes),
        ("qty", Int),
        ("items", Text),
        ("restocked", Int),
        ("restorelimit", Int),
        ("norestock", Int),
        ("at_ms", Int),
        ("entry_id", Text),
        ("sale", Bytes),
        ("stream", Bytes),
    ],
    key: 3,
};

pub static EVENTS: Table = Table {
    name: "flashsale_events",
    columns: &[
        ("sale_id", Text),
        ("event", Text),
        ("id", Bytes),
        ("seq", Int),
        ("user_id", Bytes),
        ("items", Text),
        ("fields", Text),
        ("at_ms", Int),
        ("stream", Bytes),
        ("entry_id", Text),
    ],
    key: 4,
};

pub static RESERVATIONS: Table = Table {
    name: "flashsale_reservations",
    columns: &[
        ("sale_id", Text),
        ("id", Bytes),
        ("user_id", Bytes),
        ("state", Text),
        ("items", Text),
        ("expires_at_ms", Int),
        ("seq", Int),
    ],
    key: 2,
};

/// `dead_key` is what makes a dead letter one: see `worker/dead.rs`.
pub static DEAD: Table = Table {
    name: "flashsale_dead",
    columns: &[
        ("dead_key", Bytes),
        ("reason", Text),
        ("detail", Text),
        ("stream", Bytes),
        ("entry_id", Text),
        ("sale_id", Text),
        ("event", Text),
        ("id", Bytes),
        ("ref", Bytes),
        ("fields", Text),
        ("hook", Int),
        ("at_ms", Int),
    ],
    key: 1,
};

/// What all versions of these tables have in common: the newest version, kept in the table
/// `flashsale_schema`.
pub const VERSION: i64 = 1;

/// `BYTES` and the like stand for a type of each database: see `in_dialect`.
const VERSION_1: &str = "
CREATE TABLE flashsale_orders (
  sale_id ULID NOT NULL, id BYTES NOT NULL, ref BYTES NOT NULL, user_id BYTES NOT NULL,
  qty BIGINT NOT NULL, items BIGTEXT NOT NULL, payload BIGTEXT, at_ms BIGINT NOT NULL,
  entry_id VARCHAR(41) NOT NULL, sale KEYNAME NOT NULL, group_name BYTES,
  stream KEYNAME NOT NULL, imported SMALLINT NOT NULL,
  PRIMARY KEY (sale_id, id))ENGINE;
CREATE TABLE flashsale_refunds (
  sale_id ULID NOT NULL, id BYTES NOT NULL, ref BYTES NOT NULL, user_id BYTES NOT NULL,
  qty BIGINT NOT NULL, items BIGTEXT NOT NULL, restocked SMALLINT NOT NULL,
  restorelimit SMALLINT, norestock SMALLINT, at_ms BIGINT NOT NULL,
  entry_id VARCHAR(41) NOT NULL, sale KEYNAME NOT NULL, stream KEYNAME NOT NULL,
  PRIMARY KEY (sale_id, id, ref))ENGINE;
CREATE TABLE flashsale_events (
  sale_id ULID NOT NULL, event WORD NOT NULL, id BYTES NOT NULL, seq BIGINT NOT NULL,
  user_id BYTES, items BIGTEXT, fields BIGTEXT NOT NULL, at_ms BIGINT NOT NULL,
  stream KEYNAME NOT NULL, entry_id VARCHAR(41) NOT NULL,
  PRIMARY KEY (sale_id, event, id, seq))ENGINE;
CREATE TABLE flashsale_reservations (
  sale_id ULID NOT NULL, id BYTES NOT NULL, user_id BYTES NOT NULL, state WORD NOT NULL,
  items BIGTEXT NOT NULL, expires_at_ms BIGINT NOT NULL, seq BIGINT NOT NULL,
  PRIMARY KEY (sale_id, id))ENGINE;
CREATE TABLE flashsale_dead (
  number NUMBERED, dead_key DEADKEY NOT NULL, reason WORD NOT NULL, detail BIGTEXT NOT NULL,
  stream KEYNAME NOT NULL, entry_id VARCHAR(41) NOT NULL, sale_id BIGTEXT, event BIGTEXT,
  id LONGBYTES, ref LONGBYTES, fields HUGETEXT NOT NULL, hook SMALLINT NOT NULL,
  at_ms BIGINT NOT NULL, UNIQUE (dead_key))ENGINE;
CREATE VIEW flashsale_orders_text AS SELECT sale_id, AS_TEXT(id) AS id, AS_TEXT(ref) AS ref,
  AS_TEXT(user_id) AS user_id, qty, items, payload, at_ms, entry_id, AS_TEXT(sale) AS sale,
  AS_TEXT(group_name) AS group_name, AS_TEXT(stream) AS stream, imported
  FROM flashsale_orders;
CREATE VIEW flashsale_refunds_text AS SELECT sale_id, AS_TEXT(id) AS id, AS_TEXT(ref) AS ref,
  AS_TEXT(user_id) AS user_id, qty, items, restocked, restorelimit, norestock, at_ms,
  entry_id, AS_TEXT(sale) AS sale, AS_TEXT(stream) AS stream FROM flashsale_refunds;
CREATE VIEW flashsale_events_text AS SELECT sale_id, event, AS_TEXT(id) AS id, seq,
  AS_TEXT(user_id) AS user_id, items, fields, at_ms, AS_TEXT(stream) AS stream, entry_id
  FROM flashsale_events;
CREATE VIEW flashsale_reservations_text AS SELECT sale_id, AS_TEXT(id) AS id,
  AS_TEXT(user_id) AS user_id, state, items, expires_at_ms, seq FROM flashsale_reservations;
CREATE VIEW flashsale_dead_text AS SELECT number, reason, detail, AS_TEXT(stream) AS stream,
  entry_id, sale_id, event, AS_TEXT(id) AS id, AS_TEXT(ref) AS ref, fields, at_ms
  FROM flashsale_dead";

/// Shows bytes as text. `convert_from` alone refuses bytes that are no UTF-8, and one such id
/// would make the view unusable.
const POSTGRES_AS_TEXT: &str = "
CREATE OR REPLACE FUNCTION flashsale_text(bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN OTHERS THEN RETURN encode(bytes, 'escape'); END $$;";

/// Returns the statements that make version 1.
pub fn version_1(dialect: Dialect) -> Vec<String> {
    let mut statements: Vec<String> = VERSION_1
        .split(';')
        .map(|one| in_dialect(one, dialect))
        .collect();
    if dialect == Dialect::Postgres {
        statements.insert(0, POSTGRES_AS_TEXT.to_owned());
    }
    statements
}

/// What the words in capitals of [`VERSION_1`] are in a dialect.
type Words = [(&'static str, &'static str); 11];

const SQLITE_WORDS: Words = [
    ("ULID", "CHAR(26)"),
    ("DEADKEY", "BLOB"),
    ("LONGBYTES", "BLOB"),
    (" BYTES", " BLOB"),
    ("KEYNAME", "BLOB"),
    ("HUGETEXT", "TEXT"),
    ("BIGTEXT", "TEXT"),
    ("WORD", "VARCHAR(20)"),
    ("NUMBERED", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    (")ENGINE", ")"),
    ("AS_TEXT(", "CAST_("),
];

const POSTGRES_WORDS: Words = [
    // CHAR would be cast to TEXT in each comparison with one, past the index.
    ("ULID", "VARCHAR(26)"),
    ("DEADKEY", "BYTEA"),
    ("LONGBYTES", "BYTEA"),
    (" BYTES", " BYTEA"),
    ("KEYNAME", "BYTEA"),
    ("HUGETEXT", "TEXT"),
    ("BIGTEXT", "TEXT"),
    ("WORD", "VARCHAR(20)"),
    (
        "NUMBERED",
        "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    ),
    (")ENGINE", ")"),
    ("AS_TEXT(", "flashsale_text("),
];

const MYSQL_WORDS: Words = [
    ("ULID", "CHAR(26) CHARACTER SET ascii COLLATE ascii_bin"),
    ("DEADKEY", "VARBINARY(1000)"),
    ("LONGBYTES", "MEDIUMBLOB"),
    // Bytes: by the default collation ANN-1 equals ann-1, and one order would vanish.
    (" BYTES", " VARBINARY(255)"),
    ("KEYNAME", "VARBINARY(1024)"),
    (
        "HUGETEXT",
        "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    // TEXT ends one byte below a full PAYLOAD.
    (
        "BIGTEXT",
        "MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    ("WORD", "VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin"),
    ("NUMBERED", "BIGINT AUTO_INCREMENT PRIMARY KEY"),
    // `delivery` marks the rows that one transaction has written: see rows.rs.
    (")ENGINE", ", delivery BIGINT NOT NULL) ENGINE=InnoDB"),
    ("AS_TEXT(", "CONVERT_("),
];

fn in_dialect(sql: &str, dialect: Dialect) -> String {
    let words = match dialect {
        Dialect::Sqlite => SQLITE_WORDS,
        Dialect::Postgres => POSTGRES_WORDS,
        Dialect::Mysql => MYSQL_WORDS,
    };
    let mut sql = sql.trim().to_owned();
    if dialect == Dialect::Mysql {
        // Its DDL is in no transaction: after a kill half of it may be there already.
        sql = sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS");
        sql = sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW");
    }
    for (word, meaning) in words {
        sql = sql.replace(word, meaning);
    }
    sql = wrap_calls(&sql, "CAST_(", "CAST(", " AS TEXT)");
    wrap_calls(
        &sql,
        "CONVERT_(",
        "CONVERT(",
        " USING utf8mb4) COLLATE utf8mb4_bin",
    )
}

/// Writes `begin NAME end` where the text has `call NAME)`.
fn wrap_calls(sql: &str, call: &str, begin: &str, end: &str) -> String {
    let mut pieces = sql.split(call);
    let mut wrapped = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(')').unwrap_or((piece, ""));
        wrapped.push_str(&format!("{begin}{name}{end}{rest}"));
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_placeholder_is_left_in_any_dialect() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql] {
            for sql in version_1(dialect) {
                for word in [
                    "ULID", " BYTES", "KEYNAME", "BIGTEXT", "WORD", "ENGINE;", "AS_TEXT", "CAST_",
                    "CONVERT_", "NUMBERED", "DEADKEY",
                ] {
                    assert!(!sql.contains(word), "{word} in {sql}");
                }
            }
        }
    }

    #[test]
    fn every_column_that_is_filled_is_made() {
        let all = version_1(Dialect::Mysql).join(";");
        for table in [&ORDERS, &REFUNDS, &EVENTS, &RESERVATIONS, &DEAD] {
            let (_, made) = all
                .split_once(&format!("CREATE TABLE IF NOT EXISTS {} (", table.name))
                .expect("made");
            let (made, _) = made.split_once("ENGINE=").expect("its end");
            for (column, _) in table.columns {
                assert!(
                    made.contains(&format!("{column} ")),
                    "{}.{column}",
                    table.name
                );
            }
        }
    }
}
