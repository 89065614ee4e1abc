//! **Goal**: `examples/install/flashsale.conf`, added to a server's settings, loads the
//! module and sets what `redis.conf` sets; and a server whose settings were rewritten
//! starts again.
//!
//! **Method**: the two files are compared line by line. A server without the module writes
//! its settings to a file; the example is added, with the place of the module under test,
//! and the server started, changed, told to rewrite the file, and started again.

use crate::support::{NO_MODULE, Server, module_path};

const INSTALLED: &str = include_str!("../../examples/install/flashsale.conf");
const OWN: &str = include_str!("../../redis.conf");
/// Where the README puts the module.
const PLACE: &str = "/usr/local/lib/flashsale/libflashsale.so";

/// The lines that set something, but for places.
fn settings(file: &str) -> Vec<&str> {
    file.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter(|line| !line.starts_with("dir ") && !line.starts_with("loadmodule "))
        .collect()
}

#[test]
fn sets_what_this_projects_own_file_sets() {
    assert_eq!(settings(INSTALLED), settings(OWN));
    assert!(INSTALLED.contains(&format!("\nloadmodule {PLACE}\n")));
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!(
        "install -D target/release/libflashsale.so {PLACE}"
    )));
}

#[test]
fn a_server_starts_with_it_and_again_after_its_settings_were_rewritten() {
    let Some(mut server) = Server::own(&["redis.conf", NO_MODULE], &[]) else {
        return;
    };
    server.conn().says("CONFIG REWRITE", "OK");
    server.shut_down();
    let file = server.folder().join("redis.conf");
    let written = std::fs::read_to_string(&file).expect("the settings");
    let module = module_path().display().to_string();
    let added = format!("{written}\n{}", INSTALLED.replace(PLACE, &module));
    std::fs::write(&file, added).expect("the settings");
    server.start_again(&[]);
    let mut con = server.conn();
    con.says("FLASHSALE.CREATE sale orders STOCK 5", "OK");
    con.says("CONFIG GET appendonly", "appendonly yes");
    con.says("CONFIG SET flashsale.sweep-max 77", "OK");
    con.says("CONFIG REWRITE", "OK");
    server.restart();
    let mut con = server.conn();
    con.says(
        "CONFIG GET flashsale.sweep-max",
        "flashsale.sweep-max \"77\"",
    );
    con.says("FLASHSALE.STOCK sale", "[default 5 0 0 0]");
}
