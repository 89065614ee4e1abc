//! Database servers on free ports of the loopback, in folders that vanish; each is ended by
//! its pid.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use crate::common::{Process, Redis, free_port, signal, wait_until};

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.starts_with(b"0\n")
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// A database server, or none for SQLite.
pub struct DatabaseServer {
    pub kind: &'static str,
    pub port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl DatabaseServer {
    /// Starts a server of a kind; `None` where it is not installed and need not be.
    pub fn start(kind: &'static str) -> Option<Self> {
        let program = match kind {
            "postgres" => postgres_program("postgres"),
            _ => PathBuf::from("mariadbd"),
        };
        if kind != "sqlite" && !is_there(program.to_str().expect("a path")) {
            assert!(
                std::env::var_os("FLASHSALE_DATABASES").is_none(),
                "{kind} is not installed"
            );
            eprintln!("SKIPPED: {kind} is not installed (make test-companion installs it)");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Self {
            kind,
            port: free_port(),
            folder,
            process: None,
        };
        match kind {
            "postgres" => server.make_postgres(),
            "mariadb" => server.make_mariadb(),
            _ => {}
        }
        server.run();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make_postgres(&self) {
        if is_root() {
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(self.folder.path())
                .status();
            assert!(owned.expect("chown").success());
        }
        let made = as_postgres(&postgres_program("initdb"))
            .args(["-A", "trust", "-U", "shop", "--no-sync", "-D"])
            .arg(self.data())
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb").success());
    }

    fn make_mariadb(&self) {
        let made = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .args(user_argument())
            .arg(format!("--datadir={}", self.data().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("mariadb-install-db").success());
    }

    /// Starts the program on the data that is there.
    pub fn run(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let port = self.port.to_string();
        let mut command = match self.kind {
            "postgres" => {
                let mut command = as_postgres(&postgres_program("postgres"));
                command
                    .args(["-p", &port, "-h", "127.0.0.1", "-k"])
                    .arg(self.folder.path());
                command.arg("-D").arg(self.data());
                command
            }
            "mariadb" => {
                let mut command = Command::new("mariadbd");
                command.args([
                    "--no-defaults",
                    "--bind-address=127.0.0.1",
                    &format!("--port={port}"),
                ]);
                command.args(user_argument());
                command.arg(format!("--datadir={}", self.data().display()));
                command.arg(format!(
                    "--socket={}",
                    self.folder.path().join("s").display()
                ));
                command
            }
            _ => return,
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            self.process = Some(Process(command.spawn().expect("the database")));
            loop {
                if Sql::open(&self.admin_url()).is_ok() {
                    return;
                }
                assert!(Instant::now() < deadline, "{} does not start", self.kind);
                std::thread::sleep(Duration::from_millis(50));
                let process = self.process.as_mut().expect("a process");
                // After a kill the last children of the old one may have to go first.
                if process.0.try_wait().expect("its state").is_some() {
                    break;
                }
            }
        }
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    fn admin_url(&self) -> String {
        match self.kind {
            "postgres" => format!("postgres://shop@127.0.0.1:{}/postgres", self.port),
            _ => format!("mysql://root@127.0.0.1:{}/mysql", self.port),
        }
    }

    /// Makes a new database, and returns its URL.
    pub fn database(&self, name: &str) -> String {
        if self.kind == "sqlite" {
            return format!("sqlite:{}", self.folder.path().join(name).display());
        }
        let admin = Sql::open(&self.admin_url()).expect("a connection");
        admin.run(&format!("CREATE DATABASE {name}"));
        let (start, _) = self
            .admin_url()
            .rsplit_once('/')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a URL");
        format!("{start}/{name}")
    }
}

fn user_argument() -> Option<&'static str> {
    is_root().then_some("--user=root")
}

/// PostgreSQL does not run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command.current_dir("/");
    command
}

/// Debian keeps the servers' programs out of the path.
fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let found = versions.filter_map(|version| Some(version.ok()?.path().join("bin").join(name)));
    found
        .filter(|path| path.exists())
        .max()
        .unwrap_or_else(|| name.into())
}

/// Runs a test's own SQL, and waits for it.
pub struct Sql {
    runtime: tokio::runtime::Runtime,
    url: String,
}

/// Runs `$body` with a new connection to whichever database the URL names.
macro_rules! with_connection {
    ($self:expr, $connection:ident => $body:expr) => {
        $self.runtime.block_on(async {
            use sqlx::Connection;
            if $self.url.starts_with("sqlite") {
                let mut $connection = sqlx::SqliteConnection::connect(&$self.url).await?;
                $body
            } else if $self.url.starts_with("postgres") {
                let mut $connection = sqlx::PgConnection::connect(&$self.url).await?;
                $body
            } else {
                let mut $connection = sqlx::MySqlConnection::connect(&$self.url).await?;
                $body
            }
        })
    };
}

impl Sql {
    /// Opens a database, and tries it.
    pub fn open(url: &str) -> Result<Self, sqlx::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let sql = Self {
            runtime: runtime.expect("a runtime"),
            url: url.into(),
        };
        sql.try_run("SELECT 1")?;
        Ok(sql)
    }

    pub fn try_run(&self, text: &str) -> Result<(), sqlx::Error> {
        with_connection!(self, connection => {
            use sqlx::Executor;
            connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()))).await?;
            Ok(())
        })
    }

    #[track_caller]
    pub fn run(&self, text: &str) {
        self.try_run(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    /// Returns a number; -1 while the database does not answer.
    pub fn try_number(&self, text: &str) -> Result<i64, sqlx::Error> {
        with_connection!(self, connection => {
            use sqlx::Row;
            let row = sqlx::query(sqlx::AssertSqlSafe(text.to_owned())).fetch_one(&mut connection).await?;
            row.try_get_unchecked(0)
        })
    }

    #[track_caller]
    pub fn number(&self, text: &str) -> i64 {
        self.try_number(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Returns the texts of one column.
    #[track_caller]
    pub fn texts(&self, text: &str) -> Vec<String> {
        let found: Result<Vec<String>, sqlx::Error> = with_connection!(self, connection => {
            use sqlx::Row;
            let rows = sqlx::query(sqlx::AssertSqlSafe(text.to_owned())).fetch_all(&mut connection).await?;
            rows.iter().map(|row| row.try_get_unchecked(0)).collect()
        });
        found.unwrap_or_else(|error| panic!("{text}: {error}"))
    }
}
