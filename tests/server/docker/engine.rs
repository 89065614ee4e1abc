//! Containers and compose projects of the test's own, which end with it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

/// The image under test.
pub fn image() -> String {
    std::env::var("FLASHSALE_IMAGE").unwrap_or_else(|_| "flashsale".to_owned())
}

/// Is there an engine? If not, says so in one line.
pub fn is_there() -> bool {
    let answers = docker(&["info"]).status.success();
    if !answers {
        eprintln!("skipped: no Docker engine answers `docker info`");
    }
    answers
}

pub fn docker(args: &[&str]) -> Output {
    let output = Command::new("docker").args(args).output();
    // No program is as good as an engine that does not answer.
    output.unwrap_or_else(|_| Command::new("false").output().expect("a program"))
}

/// What a docker command prints, which has to succeed.
#[track_caller]
pub fn told(args: &[&str]) -> String {
    let output = docker(args);
    let text = both(&output);
    assert!(output.status.success(), "docker {}: {text}", args.join(" "));
    text.trim().to_owned()
}

/// Standard output and error, in this order.
pub fn both(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// One container.
pub struct Container(pub String);

impl Container {
    /// `docker run -d`, with the server's port published on a free port of this machine.
    #[track_caller]
    pub fn run(options: &[&str], server_args: &[&str]) -> Container {
        let image = image();
        let mut args = vec!["run", "-d", "-p", "127.0.0.1::6379"];
        args.extend(options);
        args.push(&image);
        args.extend(server_args);
        Container(told(&args))
    }

    /// Where the server's port is on this machine.
    #[track_caller]
    pub fn address(&self) -> String {
        told(&["port", &self.0, "6379/tcp"])
    }

    /// What `docker ps` says of its health.
    #[track_caller]
    pub fn health(&self) -> String {
        let format = "{{.State.Health.Status}}";
        told(&["inspect", "--format", format, &self.0])
    }

    /// The health check, asked now: is it well, and what does it say?
    pub fn check(&self) -> (bool, String) {
        let output = docker(&["exec", &self.0, "flashsale-health"]);
        (output.status.success(), both(&output))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", both(&docker(&["logs", "--tail", "30", &self.0])));
        }
        docker(&["rm", "-f", "-v", &self.0]);
    }
}

/// A named volume. To be made before the containers that have it, so that it goes last.
pub struct Volume(pub String);

impl Drop for Volume {
    fn drop(&mut self) {
        docker(&["volume", "rm", "-f", &self.0]);
    }
}

/// The services of one of the files in `examples/compose`.
pub struct Compose {
    program: &'static [&'static str],
    file: String,
    project: String,
    environment: Vec<(String, String)>,
}

impl Compose {
    /// Starts them; `None`, with one line, where that cannot be done. `ports` are the
    /// variables of the file that publish one.
    #[track_caller]
    pub fn up(name: &str, ports: &[&str]) -> Option<Compose> {
        if !is_there() {
            return None;
        }
        let programs: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        let answers = |program: &&&[&str]| {
            let mut command = Command::new(program[0]);
            let output = command.args(&program[1..]).arg("version").output();
            output.is_ok_and(|output| output.status.success())
        };
        let Some(program) = programs.iter().find(answers) else {
            eprintln!("skipped: neither `docker compose` nor `docker-compose` is installed");
            return None;
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let number = std::process::id();
        // All are asked for before any is given back, so that none is given twice.
        let free: Vec<TcpListener> = ports
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let port = |free: &TcpListener| free.local_addr().expect("its address").port();
        let mut environment: Vec<(String, String)> = ports
            .iter()
            .zip(&free)
            .map(|(name, free)| ((*name).to_owned(), port(free).to_string()))
            .collect();
        drop(free);
        environment.push(("IMAGE".to_owned(), image()));
        environment.push(("SUBNET".to_owned(), format!("172.29.{}", 80 + number % 170)));
        let compose = Compose {
            program,
            file: format!("{}/examples/compose/{name}.yml", root.display()),
            project: format!("flashsale-test-{name}-{number}"),
            environment,
        };
        compose.does(&["up", "-d", "--no-build"]);
        Some(compose)
    }

    /// The address that a variable of the file published.
    pub fn address(&self, port: &str) -> String {
        let found = self.environment.iter().find(|(name, _)| name == port);
        format!("127.0.0.1:{}", found.expect("a port").1)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(self.program[0]);
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        command.args(&self.program[1..]).envs(variables);
        command.args(["-p", &self.project, "-f", &self.file]);
        command.args(args).output().expect("compose runs")
    }

    /// Runs a command of compose, which has to succeed.
    #[track_caller]
    pub fn does(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = both(&output);
        assert!(output.status.success(), "{}: {text}", args.join(" "));
        text
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", both(&self.run(&["ps"])));
            eprintln!("{}", both(&self.run(&["logs", "--tail", "20"])));
        }
        self.run(&["down", "-v", "--remove-orphans", "-t", "1"]);
    }
}
