//! A server of the test's own, or the one at `FLASHSALE_ADDRESS`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tempfile::TempDir;

use super::con::Con;
use super::older::older_module;
use super::wait::{is_soon, wait_for, wait_until};

/// Only one test at a time may use a server that others use too.
static GIVEN_SERVER: Mutex<()> = Mutex::new(());

/// What tests change on a given server, and must put back.
const SETTINGS: [&str; 5] = [
    "maxmemory",
    "notify-keyspace-events",
    "rdbcompression",
    "flashsale.max-reservations",
    "flashsale.sweep-max",
];

/// A replica of an address where nobody answers: it shows what was loaded, since only
/// primaries expire.
pub const REPLICA_OF_NOBODY: &str = "--replicaof 127.0.0.1 1";

/// As the first argument it gives a server a file of settings in its folder, empty until
/// CONFIG REWRITE writes it. From then on the server is started from it alone.
const SETTINGS_FILE: &str = "redis.conf";

/// Among the arguments it gives a server without the module, which may be loaded later.
pub const NO_MODULE: &str = "no-module";

/// How long one reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// A running server with the module loaded. Ends with the test, also a failing one.
pub struct Server {
    address: String,
    started: Option<Started>,
    given: Option<Given>,
    /// Events that do not fit were sent on purpose.
    may_diverge: bool,
}

/// What a server is started from.
#[derive(Clone)]
struct Build {
    program: PathBuf,
    module: PathBuf,
}

impl Build {
    /// What most tests run on.
    fn of_tests() -> Build {
        Build {
            program: program(),
            module: module_path(),
        }
    }
}

/// A server process of ours.
struct Started {
    build: Build,
    child: Child,
    folder: TempDir,
    port: u16,
    server_args: Vec<String>,
    module_args: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A server of somebody else's, and how it was set when we came.
struct Given {
    settings: Vec<(&'static str, String)>,
    _alone: MutexGuard<'static, ()>,
}

impl Server {
    /// Any server will do: an own one, or the given one, emptied.
    #[track_caller]
    pub fn any() -> Server {
        match std::env::var("FLASHSALE_ADDRESS") {
            Ok(address) => Server::given(address),
            Err(_) => Server::start(&Build::of_tests(), &[], &[], &[]),
        }
    }

    /// A server of the test's own; `None`, with a plain message, when servers must
    /// not be started. Arguments are split at spaces.
    #[track_caller]
    pub fn own(server_args: &[&str], module_args: &[&str]) -> Option<Server> {
        Server::own_under(&[], server_args, module_args)
    }

    /// The same, with variables in the server's environment.
    #[track_caller]
    pub fn own_under(
        environment: &[(&str, &str)],
        server_args: &[&str],
        module_args: &[&str],
    ) -> Option<Server> {
        let build = Build::of_tests();
        may_start_servers().then(|| Server::start(&build, environment, server_args, module_args))
    }

    /// A server of the test's own with the older build of the module; `None` also where
    /// there is none.
    #[track_caller]
    pub fn older(server_args: &[&str]) -> Option<Server> {
        let module = may_start_servers().then(older_module)??;
        let build = Build {
            module: module.to_owned(),
            ..Build::of_tests()
        };
        Some(Server::start(&build, &[], server_args, &[]))
    }

    /// A server of the test's own of this program, whatever the other tests run on.
    #[track_caller]
    pub fn own_of(program: &Path, server_args: &[&str]) -> Server {
        let build = Build {
            program: program.to_owned(),
            ..Build::of_tests()
        };
        Server::start(&build, &[], server_args, &[])
    }

    #[track_caller]
    fn start(
        build: &Build,
        environment: &[(&str, &str)],
        server_args: &[&str],
        module_args: &[&str],
    ) -> Server {
        // Another process may take the port between our look and the start.
        for _ in 0..10 {
            match Server::try_start(build, environment, server_args, module_args) {
                Ok(server) => return server,
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("the server did not start:\n{log}"),
            }
        }
        panic!("no free port");
    }

    /// Starts a server that is expected to give up, and returns its log.
    #[track_caller]
    pub fn start_in_vain(server_args: &[&str], module_args: &[&str]) -> String {
        match Server::try_start(&Build::of_tests(), &[], server_args, module_args) {
            Ok(_) => panic!("the server started"),
            Err(log) => log,
        }
    }

    /// A server that answers, or the log of one that ended.
    fn try_start(
        build: &Build,
        environment: &[(&str, &str)],
        server_args: &[&str],
        module_args: &[&str],
    ) -> Result<Server, String> {
        let split = |args: &[&str]| -> Vec<String> {
            let words = args.iter().flat_map(|arg| arg.split(' '));
            words.map(str::to_owned).collect()
        };
        let folder = tempfile::Builder::new().prefix("flashsale-test-").tempdir();
        let folder = folder.expect("a folder for the server");
        let port = free_port();
        let (server_args, module_args) = (split(server_args), split(module_args));
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(own).collect();
        let started = Started {
            build: build.clone(),
            child: launch(
                build,
                folder.path(),
                port,
                &server_args,
                &module_args,
                &environment,
            ),
            folder,
            port,
            server_args,
            module_args,
            environment,
        };
        let mut server = Server {
            address: format!("127.0.0.1:{port}"),
            started: Some(started),
            given: None,
            may_diverge: false,
        };
        if server.is_up_soon() {
            Ok(server)
        } else {
            Err(server.log())
        }
    }

    fn given(address: String) -> Server {
        let alone = GIVEN_SERVER.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = Server {
            address,
            started: None,
            given: None,
            may_diverge: false,
        };
        let mut con = server.conn();
        let setting = |name: &&'static str| {
            let found = con.map(&format!("CONFIG GET {name}"));
            found
                .first()
                .map(|(_, value)| (*name, value.trim_matches('"').to_owned()))
        };
        let settings = SETTINGS.iter().filter_map(setting).collect();
        con.text("FLUSHALL SYNC");
        server.given = Some(Given {
            settings,
            _alone: alone,
        });
        server
    }

    /// Waits until the server answers; false when its process ended instead. Ours is known
    /// by its folder: a server of another test run may have been quicker to take the port.
    #[track_caller]
    fn is_up_soon(&mut self) -> bool {
        let address = self.address.clone();
        let started = self.started.as_mut().expect("a server of ours");
        let folder = started.folder.path().canonicalize().expect("its folder");
        let folder = folder.to_string_lossy().into_owned();
        wait_for("the server answers PING", || {
            if started
                .child
                .try_wait()
                .expect("the state of the server")
                .is_some()
            {
                return Some(false);
            }
            let mut con = connect(&address, false)?;
            // While it loads its data the server answers LOADING, or ends over them.
            let mut told = |line| con.try_show(line);
            let is_up = told("PING")? == "+PONG";
            let told = told("CONFIG GET dir")?;
            // One whose CONFIG was renamed away tells no folder.
            (is_up && (told.contains(&folder) || told.contains("(error)"))).then_some(true)
        })
    }

    /// A new RESP2 connection.
    #[track_caller]
    pub fn conn(&self) -> Con {
        connect(&self.address, false).expect("a connection")
    }

    /// A new RESP3 connection.
    #[track_caller]
    pub fn conn3(&self) -> Con {
        connect(&self.address, true).expect("a RESP3 connection")
    }

    /// A RESP2 connection to another database.
    #[track_caller]
    pub fn conn_db(&self, db: u32) -> Con {
        let mut con = self.conn();
        con.says(&format!("SELECT {db}"), "OK");
        con
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        let port = self.address.rsplit(':').next();
        port.and_then(|port| port.parse().ok()).expect("a port")
    }

    /// The process of a server of ours.
    pub fn pid(&self) -> u32 {
        self.started.as_ref().expect("a server of ours").child.id()
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        let Some(started) = &self.started else {
            return String::new();
        };
        // It quotes what a command brought, whatever bytes that has.
        let bytes = std::fs::read(started.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The folder of the server's files.
    pub fn folder(&self) -> &Path {
        self.started
            .as_ref()
            .expect("a server of ours")
            .folder
            .path()
    }

    /// Says that events which do not fit are sent to this server on purpose: else its
    /// test fails when one was counted.
    pub fn may_diverge(&mut self) {
        self.may_diverge = true;
    }

    /// Has the server's process ended by itself, with this exit code?
    pub fn has_ended(&mut self) -> Option<Option<i32>> {
        let started = self.started.as_mut().expect("a server of ours");
        let status = started.child.try_wait().expect("the state of the server");
        status.map(|status| status.code())
    }

    /// Ends the server process at once, as a power cut would.
    pub fn kill9(&mut self) {
        let started = self.started.as_mut().expect("a server of ours");
        started.child.kill().expect("the server ends");
        started.child.wait().expect("the server ended");
    }

    /// Sends the server's process a signal: `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let started = self.started.as_ref().expect("a server of ours");
        let pid = started.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "kill -s {name}"
        );
    }

    /// Ends the server's process: at once, or in good order where FLASHSALE_ORDERLY_END
    /// is set, because leaks are looked for at the exit.
    fn end(&mut self) {
        let Some(started) = &mut self.started else {
            return;
        };
        if std::env::var_os("FLASHSALE_ORDERLY_END").is_some()
            && let Some(mut con) = connect(&self.address, false)
        {
            con.try_send("SHUTDOWN NOSAVE NOW FORCE");
            is_soon(|| !matches!(started.child.try_wait(), Ok(None)));
        }
        let _ = started.child.kill();
        let _ = started.child.wait();
    }

    /// Asks the server to save what it is told to save and to end.
    pub fn shut_down(&mut self) {
        self.conn().send("SHUTDOWN");
        self.started
            .as_mut()
            .expect("a server of ours")
            .child
            .wait()
            .expect("it ends");
    }

    /// Gives the server this build of the module from its next start on.
    pub fn set_module(&mut self, module: &Path) {
        self.started
            .as_mut()
            .expect("a server of ours")
            .build
            .module = module.to_owned();
    }

    /// Removes the data files of the ended server.
    #[track_caller]
    pub fn remove_data(&mut self) {
        let folder = self.folder();
        for path in [folder.join("dump.rdb"), folder.join("appendonlydir")] {
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            assert!(removed.is_ok() || !path.exists(), "{}", path.display());
        }
    }

    /// Starts the ended server again, with the same arguments and some more.
    #[track_caller]
    pub fn start_again(&mut self, more_server_args: &[&str]) {
        assert!(
            self.may_start_again(more_server_args),
            "the server did not start again:\n{}",
            self.log()
        );
    }

    /// The same; false when it gives up instead.
    #[track_caller]
    pub fn may_start_again(&mut self, more_server_args: &[&str]) -> bool {
        self.launch_again(more_server_args);
        self.is_up_soon()
    }

    /// Starts the process of the ended server, and waits for nothing.
    pub fn launch_again(&mut self, more_server_args: &[&str]) {
        let started = self.started.as_mut().expect("a server of ours");
        let mut args = started.server_args.clone();
        args.extend(
            more_server_args
                .iter()
                .flat_map(|arg| arg.split(' '))
                .map(str::to_owned),
        );
        started.child = launch(
            &started.build,
            started.folder.path(),
            started.port,
            &args,
            &started.module_args,
            &started.environment,
        );
    }

    /// Ends the server in good order and starts it again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.shut_down();
        self.start_again(&[]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever a test is about: no replayed event may have failed to fit.
        if !std::thread::panicking()
            && !self.may_diverge
            && let Some(mut con) = connect(&self.address, false)
            && !matches!(con.run("INFO flashsale"), Value::ServerError(_))
        {
            con.has_not_diverged();
        }
        self.end();
        if std::thread::panicking() && self.started.is_some() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- log of the server ---\n{}", tail.join("\n"));
        }
        if let (Some(given), Some(mut con)) = (&self.given, connect(&self.address, false)) {
            for (name, value) in &given.settings {
                con.run_words(&[b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()]);
            }
        }
    }
}

/// Makes `replica` a copy of `primary` and waits until it is one.
#[track_caller]
pub fn replicate(primary: &Server, replica: &Server) {
    let port = primary.port();
    replica
        .conn()
        .says(&format!("REPLICAOF 127.0.0.1 {port}"), "OK");
    wait_for_replica(primary, replica);
}

/// Waits until `replica` has received and applied everything `primary` has done.
#[track_caller]
pub fn wait_for_replica(primary: &Server, replica: &Server) {
    let (mut ahead, mut behind) = (primary.conn(), replica.conn());
    wait_until("the replica's link is up", || {
        behind.info("replication", "master_link_status") == "up"
    });
    wait_until("the replica has caught up", || {
        let offset = ahead.info("replication", "master_repl_offset");
        offset == behind.info("replication", "slave_repl_offset")
    });
}

/// A connection to a server, if there is one.
pub fn connect(address: &str, resp3: bool) -> Option<Con> {
    let protocol = if resp3 { "?protocol=resp3" } else { "" };
    let client = redis::Client::open(format!("redis://{address}/{protocol}")).expect("an address");
    let inner = client.get_connection_with_timeout(REPLY_TIMEOUT).ok()?;
    inner.set_read_timeout(Some(REPLY_TIMEOUT)).ok()?;
    Some(Con { inner })
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// The module: named by the environment, or beside the test binary.
pub fn module_path() -> PathBuf {
    if let Ok(path) = std::env::var("FLASHSALE_MODULE") {
        return PathBuf::from(path);
    }
    let binary = std::env::current_exe().expect("the path of this test");
    let path = binary.with_file_name("libflashsale.so");
    assert!(
        path.exists(),
        "no module at {}: run `cargo build` or set FLASHSALE_MODULE",
        path.display()
    );
    path
}

fn launch(
    build: &Build,
    folder: &Path,
    port: u16,
    server_args: &[String],
    module_args: &[String],
    environment: &[(String, String)],
) -> Child {
    let mut command = command_in(&build.program, folder, environment);
    let has_file = server_args.first().is_some_and(|arg| arg == SETTINGS_FILE);
    if has_file {
        let path = folder.join(SETTINGS_FILE);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        command.arg(&path);
        // All that follows is in there once it was written, and the module once only.
        if !written.is_empty() {
            return spawn(&mut command);
        }
        std::fs::write(&path, "").expect("a file for CONFIG REWRITE");
    }
    let server_args = &server_args[usize::from(has_file)..];
    command.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--logfile",
        "log",
    ]);
    command.args([
        "--dir",
        &folder.display().to_string(),
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    command.args([
        "--enable-debug-command",
        "yes",
        "--repl-diskless-sync-delay",
        "0",
    ]);
    let has_module = !server_args.iter().any(|arg| arg == NO_MODULE);
    let is_the_servers = |arg: &&String| !arg.is_empty() && *arg != NO_MODULE;
    command.args(server_args.iter().filter(is_the_servers));
    if server_args.iter().any(|arg| arg == "--cluster-enabled") {
        // Else the bus would be at port + 10000, which may not exist.
        command.args(["--cluster-port", &free_port().to_string()]);
    }
    if has_module {
        command.arg("--loadmodule").arg(&build.module);
        command.args(module_args.iter().filter(|arg| !arg.is_empty()));
    }
    spawn(&mut command)
}

/// May a test start servers of its own? If not, says so.
pub fn may_start_servers() -> bool {
    let may = std::env::var("FLASHSALE_ADDRESS").is_err();
    if !may {
        eprintln!("skipped: this test starts servers of its own, FLASHSALE_ADDRESS is set");
    }
    may
}

/// The server program of most tests.
pub fn program() -> PathBuf {
    let named = std::env::var_os("FLASHSALE_SERVER");
    named.map_or_else(|| "redis-server".into(), PathBuf::from)
}

/// The server program, quiet, in a folder.
fn command_in(program: &Path, folder: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn spawn(command: &mut Command) -> Child {
    let started = command.spawn();
    started.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
