//! A file of SQL into statements, and `:name` into what each database calls a parameter.
//!
//! It understands as much of SQL as it has to: what is quoted or commented has no `;` and no
//! `:name` in it, and `::` is a cast.

use crate::sql::Dialect;
use crate::worker::entry::field_is_number;

/// One statement as the database takes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    pub sql: String,
    /// The fields to bind, in the order of the parameters.
    pub names: Vec<String>,
    /// Where the statement begins in its file.
    pub line: usize,
}

/// What would end the transaction of the batch, or is none of a hook's business. In MySQL
/// most of these commit by themselves.
const REFUSED: [&str; 28] = [
    "ABORT",
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "COMMIT",
    "CREATE",
    "DETACH",
    "DROP",
    "END",
    "FLUSH",
    "GRANT",
    "LOCK",
    "OPTIMIZE",
    "PRAGMA",
    "PREPARE",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "START",
    "TRUNCATE",
    "UNLOCK",
    "VACUUM",
];

/// Splits the text of a hook.
///
/// # Errors
///
/// In words that begin with the line: a quote or comment without an end, a parameter that is
/// no field, a statement that a transaction does not survive, no statement at all.
pub fn split(text: &str, dialect: Dialect) -> Result<Vec<Statement>, String> {
    let mut splitter = Splitter {
        rest: text,
        line: 1,
        dialect,
        statements: Vec::new(),
        current: Statement::begin(),
    };
    while !splitter.rest.is_empty() {
        splitter.step()?;
    }
    splitter.end_statement()?;
    if splitter.statements.is_empty() {
        return Err("line 1: there is no statement in it".into());
    }
    Ok(splitter.statements)
}

impl Statement {
    fn begin() -> Self {
        Self {
            sql: String::new(),
            names: Vec::new(),
            line: 0,
        }
    }
}

struct Splitter<'a> {
    rest: &'a str,
    line: usize,
    dialect: Dialect,
    statements: Vec<Statement>,
    current: Statement,
}

impl Splitter<'_> {
    /// Takes one token.
    fn step(&mut self) -> Result<(), String> {
        if self.comment()? || self.quote()? || self.dollar_quote()? {
            return Ok(());
        }
        if self.rest.starts_with("::") {
            self.take(2);
            return Ok(());
        }
        match self.rest.as_bytes()[0] {
            b';' => {
                self.skip(1);
                self.end_statement()
            }
            b':' if self.rest[1..].starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) => {
                self.parameter()
            }
            b'?' if self.dialect != Dialect::Postgres => {
                Err(format!("line {}: write :name, not ?", self.line))
            }
            _ if self.is_number_parameter() => {
                Err(format!("line {}: write :name, not $1", self.line))
            }
            byte if byte == b'_' || byte.is_ascii_alphabetic() => {
                // A whole word: the E of E'...' and the $ of a$b belong to it.
                let end = self
                    .rest
                    .find(|c: char| !(c == '_' || c == '$' || c.is_alphanumeric()));
                let end = end.unwrap_or(self.rest.len());
                let has_escapes =
                    matches!(&self.rest[..end], "e" | "E") && self.rest[end..].starts_with('\'');
                self.take(end);
                if has_escapes {
                    self.quoted('\'', true)
                } else {
                    Ok(())
                }
            }
            _ => {
                let first = self.rest.chars().next().map_or(1, char::len_utf8);
                self.take(first);
                Ok(())
            }
        }
    }

    fn is_number_parameter(&self) -> bool {
        self.dialect == Dialect::Postgres
            && self.rest.starts_with('$')
            && self.rest[1..].starts_with(|c: char| c.is_ascii_digit())
    }

    /// Leaves a comment out: it may hold a `;` or a quote.
    fn comment(&mut self) -> Result<bool, String> {
        let is_line = self.rest.starts_with("--")
            || (self.dialect == Dialect::Mysql && self.rest.starts_with('#'));
        if is_line {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.skip(end);
            return Ok(true);
        }
        if !self.rest.starts_with("/*") {
            return Ok(false);
        }
        let begin = self.line;
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") && (depth == 0 || self.dialect == Dialect::Postgres) {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
            } else if let Some(first) = self.rest.chars().next() {
                self.skip(first.len_utf8());
            } else {
                return Err(format!("line {begin}: a comment without an end"));
            }
            if depth == 0 {
                // Two words must not become one.
                self.current.sql.push(' ');
                return Ok(true);
            }
        }
    }

    fn quote(&mut self) -> Result<bool, String> {
        match self.rest.as_bytes()[0] {
            b'\'' => self.quoted('\'', self.dialect == Dialect::Mysql)?,
            b'"' => self.quoted('"', self.dialect == Dialect::Mysql)?,
            b'`' if self.dialect != Dialect::Postgres => self.quoted('`', false)?,
            b'[' if self.dialect == Dialect::Sqlite => self.quoted(']', false)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes what is quoted, to its end. A doubled quote stands for itself.
    fn quoted(&mut self, end: char, has_escapes: bool) -> Result<(), String> {
        let begin = self.line;
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            if has_escapes && character == '\\' {
                characters.next();
            } else if character == end
                && characters
                    .next_if(|(_, next)| *next == end && end != ']')
                    .is_none()
            {
                self.take(at + 1);
                return Ok(());
            }
        }
        Err(format!("line {begin}: a quote without an end"))
    }

    /// Takes `$$ ... $$` and `$tag$ ... $tag$` of PostgreSQL.
    fn dollar_quote(&mut self) -> Result<bool, String> {
        if self.dialect != Dialect::Postgres || !self.rest.starts_with('$') {
            return Ok(false);
        }
        let Some(tag_end) = self.rest[1..].find('$') else {
            return Ok(false);
        };
        let tag = &self.rest[..tag_end + 2];
        let name = &tag[1..=tag_end];
        let is_tag = name.chars().all(|c| c == '_' || c.is_alphanumeric())
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_tag {
            return Ok(false);
        }
        match self.rest[tag.len()..].find(tag) {
            Some(end) => self.take(end + 2 * tag.len()),
            None => return Err(format!("line {}: {tag} without an end", self.line)),
        }
        Ok(true)
    }

    fn parameter(&mut self) -> Result<(), String> {
        let name = &self.rest[1..];
        let end = name.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric()));
        let name = name[..end.unwrap_or(name.len())].to_owned();
        if field_is_number(&name).is_none() {
            return Err(format!("line {}: no entry has a field {name}", self.line));
        }
        self.begin_statement();
        self.skip(1 + name.len());
        let names = &mut self.current.names;
        if self.dialect == Dialect::Postgres {
            let at = names
                .iter()
                .position(|one| *one == name)
                .unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
            self.current.sql.push_str(&format!("${}", at + 1));
        } else {
            names.push(name);
            self.current.sql.push('?');
        }
        Ok(())
    }

    fn begin_statement(&mut self) {
        if self.current.line == 0 {
            self.current.line = self.line;
        }
    }

    /// Moves so many bytes of the text into the statement.
    fn take(&mut self, bytes: usize) {
        let taken = &self.rest[..bytes];
        if !taken.trim().is_empty() {
            self.begin_statement();
        }
        self.current.sql.push_str(&self.rest[..bytes]);
        self.skip(bytes);
    }

    fn skip(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count();
        self.rest = &self.rest[bytes..];
    }

    fn end_statement(&mut self) -> Result<(), String> {
        let mut statement = std::mem::replace(&mut self.current, Statement::begin());
        statement.sql = statement.sql.trim().to_owned();
        if statement.sql.is_empty() {
            return Ok(());
        }
        let word = statement
            .sql
            .split(|c: char| !c.is_ascii_alphabetic())
            .next();
        let word = word.unwrap_or_default().to_ascii_uppercase();
        if REFUSED.contains(&word.as_str()) {
            return Err(format!(
                "line {}: {word} has no place in a hook, which runs inside the transaction of its batch",
                statement.line
            ));
        }
        self.statements.push(statement);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Mysql, Postgres, Sqlite};
    use super::*;

    fn sql(text: &str, dialect: Dialect) -> Vec<(String, Vec<String>)> {
        let statements = split(text, dialect).unwrap_or_else(|error| panic!("{text}: {error}"));
        statements
            .into_iter()
            .map(|one| (one.sql, one.names))
            .collect()
    }

    fn one(text: &str, dialect: Dialect) -> String {
        let mut statements = sql(text, dialect);
        assert_eq!(statements.len(), 1, "{text}");
        statements.remove(0).0
    }

    #[test]
    fn splits_at_semicolons_outside_of_quotes_and_comments() {
        let text = "INSERT INTO a VALUES (';'); -- one; two\n/* ; */ UPDATE b SET c = \"d;\" ;;\n";
        for dialect in [Sqlite, Postgres, Mysql] {
            let statements = split(text, dialect).expect("two statements");
            assert_eq!(statements.len(), 2);
            assert_eq!(statements[0].sql, "INSERT INTO a VALUES (';')");
            assert_eq!(statements[1].sql, "UPDATE b SET c = \"d;\"");
            assert_eq!((statements[0].line, statements[1].line), (1, 2));
        }
    }

    #[test]
    fn binds_each_name_as_the_database_wants_it() {
        let text = "INSERT INTO jobs VALUES (:id, :user, :id, :expires_at_ms + 60000)";
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|one| (*one).to_owned())
                .collect::<Vec<_>>()
        };
        let (postgres, bound) = sql(text, Postgres).remove(0);
        assert_eq!(postgres, "INSERT INTO jobs VALUES ($1, $2, $1, $3 + 60000)");
        assert_eq!(bound, names(&["id", "user", "expires_at_ms"]));
        for dialect in [Sqlite, Mysql] {
            let (other, bound) = sql(text, dialect).remove(0);
            assert_eq!(other, "INSERT INTO jobs VALUES (?, ?, ?, ? + 60000)");
            assert_eq!(bound, names(&["id", "user", "id", "expires_at_ms"]));
        }
    }

    #[test]
    fn casts_slices_and_assignments_are_no_parameters() {
        assert_eq!(
            one("SELECT :id::uuid, '{1}'::int[]", Postgres),
            "SELECT $1::uuid, '{1}'::int[]"
        );
        assert_eq!(
            one("SELECT a[1:2], b[:qty]", Postgres),
            "SELECT a[1:2], b[$1]"
        );
        assert_eq!(one("SELECT @a := 1", Mysql), "SELECT @a := 1");
    }

    #[test]
    fn names_in_quotes_are_left_alone() {
        assert_eq!(
            one("SELECT ':id', \":id\" -- :nothing", Sqlite),
            "SELECT ':id', \":id\""
        );
        assert_eq!(
            one("SELECT [:id;], `:id;`", Sqlite),
            "SELECT [:id;], `:id;`"
        );
        assert_eq!(one("SELECT 'it''s :id;'", Postgres), "SELECT 'it''s :id;'");
        assert_eq!(one(r"SELECT 'a\':id;'", Mysql), r"SELECT 'a\':id;'");
        assert_eq!(one(r"SELECT 'a\', :id", Postgres), r"SELECT 'a\', $1");
        assert_eq!(one(r"SELECT E'a\':id;'", Postgres), r"SELECT E'a\':id;'");
        assert_eq!(one("SELECT 1 # :id; it's", Mysql), "SELECT 1");
    }

    #[test]
    fn dollar_quotes_and_nested_comments_are_of_postgres() {
        assert_eq!(
            one("SELECT $$ :id; ' $$, :id", Postgres),
            "SELECT $$ :id; ' $$, $1"
        );
        assert_eq!(one("SELECT $a$ $$ ; $a$", Postgres), "SELECT $a$ $$ ; $a$");
        assert_eq!(one("SELECT /* /* ; */ ; */ 1", Postgres), "SELECT   1");
        assert_eq!(one("SELECT/**/1", Sqlite), "SELECT 1");
    }

    #[test]
    fn says_what_is_wrong_and_in_which_line() {
        let wrong = |text: &str, dialect| split(text, dialect).expect_err("an error");
        assert_eq!(
            wrong("SELECT\n :usr", Sqlite),
            "line 2: no entry has a field usr"
        );
        assert_eq!(
            wrong("SELECT 'abc\n\n", Sqlite),
            "line 1: a quote without an end"
        );
        assert_eq!(
            wrong("SELECT /* a", Mysql),
            "line 1: a comment without an end"
        );
        assert_eq!(
            wrong("SELECT $x$ a", Postgres),
            "line 1: $x$ without an end"
        );
        assert_eq!(wrong("SELECT ?", Sqlite), "line 1: write :name, not ?");
        assert_eq!(wrong("SELECT $1", Postgres), "line 1: write :name, not $1");
        assert_eq!(
            wrong(" -- nothing\n;", Sqlite),
            "line 1: there is no statement in it"
        );
        let ended = wrong("SELECT 1;\n\ncommit;", Postgres);
        assert!(
            ended.starts_with("line 3: COMMIT has no place in a hook"),
            "{ended}"
        );
    }

    #[test]
    fn text_of_any_script_is_kept() {
        assert_eq!(
            one("SELECT 'größe', größe, 'тест:id'", Postgres),
            "SELECT 'größe', größe, 'тест:id'"
        );
    }
}
