//! One connection to one of three databases.

use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor, MySql, Postgres, Row, Sqlite, Statement};

/// Which SQL a database speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Sqlite,
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Int,
    Text,
    Bytes,
}

/// A value of a column, or its NULL. A NULL has a type as well: PostgreSQL asks for it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// Returns the text of a text column, empty for NULL and other kinds.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(Some(text)) => text,
            _ => "",
        }
    }

    /// Returns the bytes of a bytes column, empty for NULL and other kinds.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(Some(bytes)) => bytes,
            _ => b"",
        }
    }

    /// Returns the number of an integer column, 0 for NULL and other kinds.
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(Some(number)) => *number,
            _ => 0,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

/// One connection. It does not reconnect: whoever holds it begins its transaction anew.
pub enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

/// Reads the first columns of a row.
pub fn values_of<R: Row>(row: &R, kinds: &[Kind]) -> Result<Vec<Value>, sqlx::Error>
where
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<i64>: sqlx::Decode<'r, R::Database>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database>,
    for<'r> Option<Vec<u8>>: sqlx::Decode<'r, R::Database>,
{
    let value = |(at, kind): (usize, &Kind)| {
        Ok(match kind {
            Kind::Int => Value::Int(row.try_get_unchecked(at)?),
            Kind::Text => Value::Text(row.try_get_unchecked(at)?),
            Kind::Bytes => Value::Bytes(row.try_get_unchecked(at)?),
        })
    };
    kinds.iter().enumerate().map(value).collect()
}

/// Runs an expression for whichever connection it is; `$db` names its type in sqlx.
macro_rules! each {
    ($self:expr, $connection:ident, $db:ident => $body:expr) => {
        match $self {
            Database::Sqlite($connection) => {
                type $db = Sqlite;
                $body
            }
            Database::Postgres($connection) => {
                type $db = Postgres;
                $body
            }
            Database::Mysql($connection) => {
                type $db = MySql;
                $body
            }
        }
    };
}

/// Makes a query and binds the values in their order.
macro_rules! bound {
    ($db:ident, $sql:expr, $values:expr, $keep:expr) => {{
        let mut query = sqlx::query::<$db>(AssertSqlSafe($sql.to_owned())).persistent($keep);
        for value in $values {
            query = match value {
                Value::Int(number) => query.bind(*number),
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Bytes(bytes) => query.bind(bytes.as_deref()),
            };
        }
        query
    }};
}

/// Returns the dialect that a URL names.
///
/// # Errors
///
/// None of the three.
pub fn dialect_of(url: &str) -> Result<Dialect, String> {
    match url.split_once(':').map_or(url, |(scheme, _)| scheme) {
        "sqlite" => Ok(Dialect::Sqlite),
        "postgres" | "postgresql" => Ok(Dialect::Postgres),
        "mysql" | "mariadb" => Ok(Dialect::Mysql),
        // Not the URL itself: it may hold a password.
        _ => Err("the SQL URL begins with none of sqlite:, postgres:// and mysql://".into()),
    }
}

impl Database {
    /// Connects, and sets what a promise needs: each COMMIT is on disk before it returns.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, or does not accept the user.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        let dialect = dialect_of(url).map_err(|text| sqlx::Error::Configuration(text.into()))?;
        let mut database = match dialect {
            Dialect::Sqlite => {
                let options = SqliteConnectOptions::from_str(url)?
                    .create_if_missing(true)
                    .busy_timeout(std::time::Duration::from_secs(5));
                Self::Sqlite(SqliteConnection::connect_with(&options).await?)
            }
            Dialect::Postgres => {
                let options = PgConnectOptions::from_str(url)?.application_name("flashsale worker");
                Self::Postgres(PgConnection::connect_with(&options).await?)
            }
            Dialect::Mysql => {
                let url = url.replacen("mariadb:", "mysql:", 1);
                let options = MySqlConnectOptions::from_str(&url)?;
                Self::Mysql(MySqlConnection::connect_with(&options).await?)
            }
        };
        database.prepare_session().await?;
        Ok(database)
    }

    async fn prepare_session(&mut self) -> Result<(), sqlx::Error> {
        match self.dialect() {
            // In WAL mode NORMAL would lose a COMMIT with the power.
            Dialect::Sqlite => self.run("PRAGMA synchronous = FULL").await,
            Dialect::Postgres => {
                let rows = self
                    .query("SHOW synchronous_commit", &[], &[Kind::Text])
                    .await?;
                if rows.first().is_some_and(|row| row[0].text() == "off") {
                    self.run("SET synchronous_commit = on").await?;
                }
                Ok(())
            }
            // With REPEATABLE READ a row that another worker committed meanwhile is missing
            // from the snapshot, and cannot be compared.
            Dialect::Mysql => {
                self.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                    .await
            }
        }
    }

    /// Returns the dialect of this connection.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Runs SQL text without values, also several statements.
    pub async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        each!(self, connection, Db => {
            let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
            connection.execute(query).await?;
            let _: Option<Db> = None;
            Ok(())
        })
    }

    /// Runs one statement; with `keep` the connection keeps it prepared.
    pub async fn execute(
        &mut self,
        sql: &str,
        values: &[Value],
        keep: bool,
    ) -> Result<(), sqlx::Error> {
        each!(self, connection, Db => {
            bound!(Db, sql, values, keep).execute(connection).await?;
            Ok(())
        })
    }

    /// Runs one statement and returns its rows; `kinds` says what the columns hold.
    pub async fn query(
        &mut self,
        sql: &str,
        values: &[Value],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, sqlx::Error> {
        self.query_and_keep(sql, values, kinds, false).await
    }

    /// Does the same; with `keep` the connection keeps the statement prepared.
    pub async fn query_and_keep(
        &mut self,
        sql: &str,
        values: &[Value],
        kinds: &[Kind],
        keep: bool,
    ) -> Result<Vec<Vec<Value>>, sqlx::Error> {
        each!(self, connection, Db => {
            let rows = bound!(Db, sql, values, keep).fetch_all(connection).await?;
            rows.iter().map(|row| values_of(row, kinds)).collect()
        })
    }

    /// Lets the database parse a statement with values of these kinds, without running it.
    ///
    /// # Errors
    ///
    /// The statement is wrong, or names what is not there.
    pub async fn check(&mut self, sql: &str, kinds: &[Kind]) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => {
                use sqlx::SqlSafeStr;
                connection.prepare(sql.into_sql_str()).await?.sql();
            }
            Self::Mysql(connection) => {
                use sqlx::SqlSafeStr;
                connection.prepare(sql.into_sql_str()).await?.sql();
            }
            Self::Postgres(connection) => {
                use sqlx::{SqlSafeStr, TypeInfo, postgres::PgTypeInfo};
                let types: Vec<PgTypeInfo> = kinds
                    .iter()
                    .map(|kind| {
                        PgTypeInfo::with_name(match kind {
                            Kind::Int => "INT8",
                            Kind::Text => "TEXT",
                            Kind::Bytes => "BYTEA",
                        })
                    })
                    .collect();
                debug_assert!(types.iter().all(|one| !one.is_null()));
                connection
                    .prepare_with(sql.into_sql_str(), &types)
                    .await?
                    .sql();
            }
        }
        Ok(())
    }

    /// Begins a transaction.
    pub async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.run(match self.dialect() {
            // At once and not at the first write, which could not wait for its lock.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Dialect::Mysql => "START TRANSACTION",
        })
        .await
    }

    /// Ends the connection in an orderly way.
    pub async fn close(self) {
        // It is dropped in any case.
        let _ = match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
            Self::Mysql(connection) => connection.close().await,
        };
    }
}
