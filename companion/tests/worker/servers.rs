//! Servers on free ports of the loopback, in folders that vanish; each is ended by its pid.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Waits for a condition, and says what was waited for if it never comes.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    // Longer in a long run, where a database works off 100,000 entries.
    let entries = std::env::var("FLASHSALE_LOOP_ENTRIES").ok();
    let entries: u64 = entries.and_then(|text| text.parse().ok()).unwrap_or(0);
    let patience = Duration::from_secs(120 + entries / 100);
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns a port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.starts_with(b"0\n")
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    status.expect("kill");
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// One process, killed when it goes out of scope.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis that keeps what it was told through a kill.
pub struct Redis {
    pub port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl Redis {
    /// Starts a server; `arguments` are further ones of its own.
    pub fn start(arguments: &[&str]) -> Self {
        let mut redis = Self {
            port: free_port(),
            folder: tempfile::tempdir().expect("a folder"),
            process: None,
        };
        redis.run(arguments);
        redis
    }

    /// Starts a server with the module.
    pub fn with_module() -> Self {
        let module = module_path();
        Self::start(&["--loadmodule", module.to_str().expect("a path")])
    }

    /// Starts the program on the data that is there.
    pub fn run(&mut self, arguments: &[&str]) {
        let program = std::env::var("FLASHSALE_SERVER").unwrap_or_else(|_| "redis-server".into());
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        let child = Command::new(program)
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--appendonly",
                "yes",
            ])
            .args(["--save", "", "--repl-diskless-sync-delay", "0", "--dir"])
            .arg(self.folder.path())
            .args(arguments)
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server");
        self.process = Some(Process(child));
        wait_until("Redis answers", || {
            self.try_ask(&redis::cmd("PING")).is_ok()
        });
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a process").0.id()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(2))
    }

    pub fn try_ask(&self, command: &redis::Cmd) -> redis::RedisResult<redis::Value> {
        command.query(&mut self.connection()?)
    }

    /// Sends a command given as one line.
    #[track_caller]
    pub fn ask<T: redis::FromRedisValue>(&self, line: &str) -> T {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        words.for_each(|word| {
            command.arg(word);
        });
        let mut connection = self.connection().expect("a connection");
        command
            .query(&mut connection)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

/// Returns the module: `FLASHSALE_MODULE`, or what this repository has built last.
pub fn module_path() -> PathBuf {
    if let Ok(path) = std::env::var("FLASHSALE_MODULE") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let built = ["release", "debug"].map(|profile| root.join(profile).join("libflashsale.so"));
    let newest = built.iter().filter(|path| path.exists());
    let newest = newest.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    let newest = newest.expect("no module is built: run make build, or set FLASHSALE_MODULE");
    newest.canonicalize().expect("a path")
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
