//! **Goal**: a server that lacks a function the module needs is told so in one line, and
//! refuses the module; it does not crash.
//!
//! **Method**: a copy of the server's program in which the function has another name, so
//! that the module asks for it in vain. Where the program is a script, or names its
//! functions elsewhere, there is nothing to rename, and the test says so.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{is_soon, module_path};

/// The server's program with one function renamed; `None` when the name is not in it.
fn without(function: &str) -> Option<Vec<u8>> {
    let program = std::env::var("FLASHSALE_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(&program));
    let found = places.find(|place| place.is_file())?;
    let mut bytes = std::fs::read(found).ok()?;
    // As the program spells it: the whole name, with its end.
    let name = format!("RedisModule_{function}\0").into_bytes();
    let parts = bytes.windows(name.len()).enumerate();
    // More than once in a program that was not stripped.
    let places: Vec<usize> = parts
        .filter_map(|(at, part)| (part == name).then_some(at))
        .collect();
    places.first()?;
    for at in places {
        bytes[at + "RedisModule_".len()] = b'X';
    }
    Some(bytes)
}

#[test]
fn a_server_without_a_function_is_told_so_and_does_not_crash() {
    // The allocator's is needed before anything can be told.
    for function in ["TryAlloc", "StreamAdd", "RegisterNumericConfig"] {
        let Some(program) = without(function) else {
            eprintln!("skipped: this server's program has no name {function} to take away");
            return;
        };
        let folder = tempfile::tempdir().expect("a folder");
        // The server takes a part for itself by its name: redis-server, not another.
        let place = folder.path().join("redis-server");
        std::fs::write(&place, program).expect("the program");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&place, mode).expect("to be run");
        let mut child = Command::new(&place)
            .current_dir(folder.path())
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .arg("--loadmodule")
            .arg(module_path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server runs");
        if !is_soon(|| !matches!(child.try_wait(), Ok(None))) {
            child.kill().expect("it ends");
        }
        let ended = child.wait_with_output().expect("it has ended");
        let told = String::from_utf8_lossy(&ended.stderr);
        let wanted = format!("this server has no RedisModule_{function}");
        assert!(told.contains(&wanted), "{function}: {told}");
        assert_eq!(ended.status.code(), Some(1), "{function}: {told}");
    }
}
