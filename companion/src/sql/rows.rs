//! Rows in and out of a table of the worker: many at once, and which of them are new.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::database::{Database, Dialect, Kind, Value};
use super::schema::Table;

/// The values of a row's key columns.
pub type Key = Vec<Value>;

impl Database {
    /// Inserts rows of different keys, and returns the keys that were not there before. Rows
    /// whose key was there are left as they are.
    ///
    /// New rows are known by RETURNING, and in MySQL by a number that only this call writes:
    /// affected rows cannot tell, since they count found rows under CLIENT_FOUND_ROWS.
    ///
    /// # Errors
    ///
    /// The database refuses one of the rows; none is inserted then.
    pub async fn insert(
        &mut self,
        table: &Table,
        rows: &[Vec<Value>],
        delivery: i64,
    ) -> Result<HashSet<Key>, sqlx::Error> {
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        let keys = key_names(table);
        let found = match self.dialect() {
            Dialect::Postgres => {
                let sql = format!(
                    "INSERT INTO {} ({}) SELECT * FROM UNNEST({}) ON CONFLICT DO NOTHING RETURNING {keys}",
                    table.name,
                    names(table.columns),
                    arrays(table.columns, 0),
                );
                self.query_columns(
                    &sql,
                    table.columns,
                    rows,
                    &kinds(&table.columns[..table.key]),
                )
                .await?
            }
            Dialect::Sqlite => {
                let sql = format!(
                    "INSERT INTO {} ({}) VALUES {} ON CONFLICT DO NOTHING RETURNING {keys}",
                    table.name,
                    names(table.columns),
                    tuples(rows.len(), table.columns.len()),
                );
                let values = rows.concat();
                self.query_and_keep(
                    &sql,
                    &values,
                    &kinds(&table.columns[..table.key]),
                    is_full(rows.len()),
                )
                .await?
            }
            Dialect::Mysql => return self.insert_marked(table, rows, delivery).await,
        };
        Ok(found.into_iter().collect())
    }

    async fn insert_marked(
        &mut self,
        table: &Table,
        rows: &[Vec<Value>],
        delivery: i64,
    ) -> Result<HashSet<Key>, sqlx::Error> {
        // Never INSERT IGNORE, which swallows other errors as well.
        let first = table.columns[0].0;
        let sql = format!(
            "INSERT INTO {} ({}, delivery) VALUES {} ON DUPLICATE KEY UPDATE {first} = {first}",
            table.name,
            names(table.columns),
            tuples(rows.len(), table.columns.len() + 1),
        );
        let mut values = Vec::with_capacity(rows.len() * (table.columns.len() + 1));
        for row in rows {
            values.extend_from_slice(row);
            values.push(delivery.into());
        }
        self.execute(&sql, &values, is_full(rows.len())).await?;
        let keys: Vec<Key> = rows.iter().map(|row| row[..table.key].to_vec()).collect();
        let delivery_column = [("delivery", Kind::Int)];
        let found = self.find(table, &keys, &delivery_column).await?;
        let is_ours = |(key, row): (Key, Vec<Value>)| (row[0].int() == delivery).then_some(key);
        Ok(found.into_iter().filter_map(is_ours).collect())
    }

    /// Returns the named columns of the rows with these keys.
    pub async fn find(
        &mut self,
        table: &Table,
        keys: &[Key],
        columns: &[(&'static str, Kind)],
    ) -> Result<HashMap<Key, Vec<Value>>, sqlx::Error> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let key_columns = &table.columns[..table.key];
        let wanted: Vec<_> = key_columns.iter().chain(columns).copied().collect();
        let kinds = kinds(&wanted);
        let qualified = wanted.iter().map(|(name, _)| format!("t.{name}"));
        let selected = qualified.collect::<Vec<_>>().join(", ");
        let joined = key_columns
            .iter()
            .map(|(name, _)| format!("t.{name} = k.{name}"));
        let joined = joined.collect::<Vec<_>>().join(" AND ");
        let (name, key_names) = (table.name, key_names(table));
        let rows = match self.dialect() {
            Dialect::Postgres => {
                let arrays = arrays(key_columns, 0);
                let sql = format!(
                    "SELECT {selected} FROM UNNEST({arrays}) AS k({key_names}) JOIN {name} t ON {joined}"
                );
                self.query_columns(&sql, key_columns, keys, &kinds).await?
            }
            Dialect::Sqlite => {
                let tuples = tuples(keys.len(), table.key);
                // CROSS JOIN fixes the order: one look into the index for each key.
                let sql = format!(
                    "WITH k({key_names}) AS (VALUES {tuples}) SELECT {selected} FROM k CROSS JOIN {name} t ON {joined}"
                );
                self.query(&sql, &keys.concat(), &kinds).await?
            }
            Dialect::Mysql => {
                let tuples = tuples(keys.len(), table.key);
                let sql =
                    format!("SELECT {selected} FROM {name} t WHERE ({key_names}) IN ({tuples})");
                self.query(&sql, &keys.concat(), &kinds).await?
            }
        };
        let split = |mut row: Vec<Value>| {
            let rest = row.split_off(table.key);
            (row, rest)
        };
        Ok(rows.into_iter().map(split).collect())
    }

    /// Inserts rows of different keys, and updates those that are there with an older `seq`,
    /// which is the last column.
    pub async fn upsert_newest(
        &mut self,
        table: &Table,
        rows: &[Vec<Value>],
        delivery: i64,
    ) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let (name, columns) = (table.name, names(table.columns));
        let changing = table.columns[table.key..].iter().map(|(name, _)| *name);
        if self.dialect() == Dialect::Mysql {
            // The assignments are carried out from left to right, so `seq` is the last.
            let set =
                changing.map(|one| format!("{one} = IF(seq < VALUES(seq), VALUES({one}), {one})"));
            let set = set.collect::<Vec<_>>().join(", ");
            let tuples = tuples(rows.len(), table.columns.len() + 1);
            let sql = format!(
                "INSERT INTO {name} ({columns}, delivery) VALUES {tuples} ON DUPLICATE KEY UPDATE {set}"
            );
            let mut values = Vec::new();
            for row in rows {
                values.extend_from_slice(row);
                values.push(delivery.into());
            }
            return self.execute(&sql, &values, false).await;
        }
        let set = changing.map(|one| format!("{one} = excluded.{one}"));
        let tail = format!(
            "ON CONFLICT ({}) DO UPDATE SET {} WHERE {name}.seq < excluded.seq",
            key_names(table),
            set.collect::<Vec<_>>().join(", "),
        );
        if self.dialect() == Dialect::Postgres {
            let arrays = arrays(table.columns, 0);
            let sql =
                format!("INSERT INTO {name} ({columns}) SELECT * FROM UNNEST({arrays}) {tail}");
            self.query_columns(&sql, table.columns, rows, &[]).await?;
            return Ok(());
        }
        let tuples = tuples(rows.len(), table.columns.len());
        let sql = format!("INSERT INTO {name} ({columns}) VALUES {tuples} {tail}");
        self.execute(&sql, &rows.concat(), false).await
    }

    /// Runs a statement of PostgreSQL that takes one array for each column.
    async fn query_columns(
        &mut self,
        sql: &str,
        columns: &[(&'static str, Kind)],
        rows: &[Vec<Value>],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, sqlx::Error> {
        let Self::Postgres(connection) = self else {
            return Ok(Vec::new());
        };
        let mut query = sqlx::query::<sqlx::Postgres>(sqlx::AssertSqlSafe(sql.to_owned()));
        for (at, (_, kind)) in columns.iter().enumerate() {
            let column = rows.iter().map(|row| &row[at]);
            query = match kind {
                Kind::Int => query.bind(
                    column
                        .map(|value| match value {
                            Value::Int(number) => *number,
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
                Kind::Text => query.bind(
                    column
                        .map(|value| match value {
                            Value::Text(text) => text.as_deref(),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
                Kind::Bytes => query.bind(
                    column
                        .map(|value| match value {
                            Value::Bytes(bytes) => bytes.as_deref(),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ),
            };
        }
        let found = query.fetch_all(connection).await?;
        found
            .iter()
            .map(|row| super::database::values_of(row, kinds))
            .collect()
    }
}

/// Reports whether a statement for so many rows is worth keeping. Full batches have a round
/// number of rows, and thousands of parameters to parse; a statement kept for every number
/// would take memory.
fn is_full(rows: usize) -> bool {
    rows.is_multiple_of(100)
}

fn kinds(columns: &[(&'static str, Kind)]) -> Vec<Kind> {
    columns.iter().map(|(_, kind)| *kind).collect()
}

fn names(columns: &[(&'static str, Kind)]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn key_names(table: &Table) -> String {
    names(&table.columns[..table.key])
}

/// Writes `$1::text[], $2::bytea[], ...`, beginning behind the first `before` values.
fn arrays(columns: &[(&'static str, Kind)], before: usize) -> String {
    let mut text = String::new();
    for (at, (_, kind)) in columns.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let kind = match kind {
            Kind::Int => "bigint",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
        };
        let _ = write!(text, "{comma}${}::{kind}[]", before + at + 1);
    }
    text
}

/// Writes `(?, ?), (?, ?)` for so many rows of so many columns.
fn tuples(rows: usize, columns: usize) -> String {
    let one = format!("({})", vec!["?"; columns].join(", "));
    vec![one; rows].join(", ")
}
