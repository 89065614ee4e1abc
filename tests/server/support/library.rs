//! The C files of this folder, as libraries that a server loads.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `<name>.c`, and returns where the library is. It takes a while: call it once
/// for each name.
#[track_caller]
pub fn library(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = root
        .join("tests/server/support")
        .join(name)
        .with_extension("c");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.so"));
    // Renamed into place: another test program may be using the one that is there.
    let fresh = path.with_extension(std::process::id().to_string());
    // Rust links with the same compiler, so there is one.
    let status = Command::new("cc")
        .args([
            "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
        ])
        .args([&fresh, &source])
        .status();
    assert!(status.expect("cc runs").success(), "{name}.c compiles");
    std::fs::rename(&fresh, &path).expect("the compiled library");
    path
}
