//! The module as it was before its formats grew: built from this repository's history,
//! once, and kept in the target folder.
//!
//! Edge: finds the library or makes it. Where the history, git or cargo is missing there
//! is none, and the tests that ask for it skip.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The last commit that wrote events of version 1 and snapshots of version 2.
const COMMIT: &str = "a36690bcc026709a35a2ce8a8b528b9379943048";

/// The older build of the module; `None`, with a plain message, where it cannot be built.
#[track_caller]
pub fn older_module() -> Option<&'static Path> {
    static MODULE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MODULE.get_or_init(find_or_build).as_deref()
}

fn find_or_build() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let folder = target
        .expect("the target folder")
        .join("older")
        .join(COMMIT);
    // Linked to its place in one step, when it is whole.
    let library = folder.join("target/debug/libflashsale.so");
    if !library.exists() {
        let source = folder.join("source");
        if !source.exists() && !unpack(&source) {
            eprintln!("skipped: there is no git with the commit {COMMIT} here");
            return None;
        }
        if !build(&source, &folder.join("target")) {
            eprintln!("skipped: there is no cargo here to build an older module");
            return None;
        }
    }
    Some(library)
}

/// Puts the files of the commit into a folder; false where they cannot be had.
fn unpack(source: &Path) -> bool {
    let parent = source.parent().expect("the folder of the commit");
    std::fs::create_dir_all(parent).expect("the folder of the commit");
    // Another test program may be at the same: the first to be ready is the one.
    let fresh = tempfile::tempdir_in(parent).expect("a folder for the files");
    let archive = fresh.path().join("archive.tar");
    let is_there = runs(
        Command::new("git")
            .args(["-C", env!("CARGO_MANIFEST_DIR"), "archive", "--output"])
            .args([archive.as_path(), Path::new(COMMIT)]),
    );
    let files = fresh.path().join("files");
    std::fs::create_dir(&files).expect("a folder for the files");
    if !is_there.unwrap_or(false) {
        return false;
    }
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(&files)
        .status();
    assert!(
        unpacked.is_ok_and(|status| status.success()),
        "tar unpacks the files"
    );
    // A workspace above, in whose target folder it lies, is not its own.
    let manifest = files.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).expect("its manifest");
    std::fs::write(&manifest, text + "\n[workspace]\n").expect("its manifest");
    let moved = std::fs::rename(&files, source);
    assert!(moved.is_ok() || source.exists(), "the files are in place");
    true
}

/// Builds the library in the dev profile, as the tests build today's; false without cargo.
fn build(source: &Path, target: &Path) -> bool {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = runs(
        Command::new(cargo)
            .args(["build", "--locked", "--lib", "--target-dir"])
            .arg(target)
            .current_dir(source)
            // Meant for today's module.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_BUILD_TARGET"),
    );
    assert_ne!(built, Some(false), "the older module is built");
    built.is_some()
}

/// Runs a program without its output, but for its errors; `None` when there is no such
/// program, else whether it succeeded.
fn runs(command: &mut Command) -> Option<bool> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.ok().map(|status| status.success())
}
