//! Hooks: your own SQL, run for each entry that is seen for the first time.

mod split;

use std::collections::HashMap;

use super::entry::{self, EVENTS, Entry};
use crate::failure::Failure;
use crate::sql::{Database, Dialect, Kind, Value, describe};

pub use split::Statement;

/// The event of `--on paid_twice`: no entry has it.
pub const PAID_TWICE: &str = "paid_twice";

/// The statements for each event.
#[derive(Default)]
pub struct Hooks {
    by_event: HashMap<String, Vec<Statement>>,
}

impl Hooks {
    /// Reads the file of each event.
    ///
    /// # Errors
    ///
    /// Usage: an event that no entry has, or that is given twice. Otherwise: a file that cannot
    /// be read, or that is no hook.
    pub fn read(files: &[(String, String)], dialect: Dialect) -> Result<Self, Failure> {
        let mut hooks = Self::default();
        for (event, path) in files {
            if !EVENTS.contains(&event.as_str()) && event != PAID_TWICE {
                let words = EVENTS.join(", ");
                return Err(Failure::Usage(format!(
                    "--on {event}: there is no such event; there are {words} and {PAID_TWICE}"
                )));
            }
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::CannotGoOn(format!("the hook {path} cannot be read: {error}"))
            })?;
            let statements = split::split(&text, dialect)
                .map_err(|error| Failure::CannotGoOn(format!("the hook {path}, {error}")))?;
            if hooks.by_event.insert(event.clone(), statements).is_some() {
                return Err(Failure::Usage(format!(
                    "two hooks for {event}: put both into one file"
                )));
            }
        }
        Ok(hooks)
    }

    /// Lets the database parse each statement, so that a wrong one is found before the sale.
    ///
    /// # Errors
    ///
    /// A statement does not prepare.
    pub async fn check(&self, database: &mut Database) -> Result<(), Failure> {
        for (event, statements) in &self.by_event {
            for statement in statements {
                let kinds: Vec<Kind> = statement.names.iter().map(|name| kind_of(name)).collect();
                database
                    .check(&statement.sql, &kinds)
                    .await
                    .map_err(|error| {
                        Failure::CannotGoOn(format!(
                            "the hook for {event}, line {}: the database does not accept it: {}",
                            statement.line,
                            describe(&error),
                        ))
                    })?;
            }
        }
        Ok(())
    }

    /// Returns the statements for an event, none if it has no hook.
    pub fn of(&self, event: &str) -> Option<&[Statement]> {
        self.by_event.get(event).map(Vec::as_slice)
    }

    /// Returns the first field that a hook of this entry needs as text, and that is none.
    pub fn field_that_is_no_text(&self, event: &str, entry: &Entry<'_>) -> Option<&str> {
        let names = self
            .of(event)?
            .iter()
            .flat_map(|statement| &statement.names);
        names
            .filter(|name| kind_of(name) == Kind::Text)
            .find(|name| {
                entry::field(entry.fields, name)
                    .is_some_and(|value| std::str::from_utf8(value).is_err())
            })
            .map(String::as_str)
    }

    /// Runs the hook of an event with the fields of an entry.
    ///
    /// # Errors
    ///
    /// The database refuses a statement.
    pub async fn run(
        &self,
        event: &str,
        entry: &Entry<'_>,
        database: &mut Database,
    ) -> Result<(), sqlx::Error> {
        for statement in self.of(event).unwrap_or_default() {
            let value = |name: &String| match kind_of(name) {
                Kind::Int => Value::Int(entry.number(name)),
                _ => Value::Text(entry.text(name).map(str::to_owned)),
            };
            let values: Vec<Value> = statement.names.iter().map(value).collect();
            database.execute(&statement.sql, &values, true).await?;
        }
        Ok(())
    }
}

/// The kind that a field is bound as.
fn kind_of(name: &str) -> Kind {
    match entry::field_is_number(name) {
        Some(true) => Kind::Int,
        _ => Kind::Text,
    }
}
