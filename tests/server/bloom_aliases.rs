//! **Goal**: `bf-aliases yes` gives the commands of filters the names that clients of
//! RedisBloom use; names that another module has stay its own, and are no reason not to
//! load.
//!
//! **Method**: servers with the aliases, alone and beside a module of the test's own
//! (`support/namesake.c`) which has the names it is told.

use std::path::Path;
use std::sync::OnceLock;

use crate::support::{Con, Server, library, render};

/// RedisBloom's commands that filters have.
const THEIRS: [&str; 11] = [
    "bf.add",
    "bf.card",
    "bf.debug",
    "bf.exists",
    "bf.info",
    "bf.insert",
    "bf.loadchunk",
    "bf.madd",
    "bf.mexists",
    "bf.reserve",
    "bf.scandump",
];

/// The module that is not ours.
fn namesake() -> &'static Path {
    static LIBRARY: OnceLock<std::path::PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| library("namesake"))
}

/// A server with the aliases, and before them another module that has these names.
fn server_beside(names: &[&str]) -> Option<Server> {
    let namesake = namesake().display();
    let theirs = format!("--loadmodule {namesake} {}", names.join(" "));
    Server::own(&[&theirs], &["bf-aliases yes"])
}

/// The commands of one module under `BF.*`, in the order of their names.
fn names_of(con: &mut Con, module: &str) -> Vec<String> {
    let all = render(&con.run(&format!("COMMAND LIST FILTERBY MODULE {module}")));
    let names = all.split(' ').filter(|name| name.starts_with("bf."));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

/// Filters work by the names that are always theirs.
#[track_caller]
fn assert_filters_work(con: &mut Con) {
    con.says("FLASHSALE.BFRESERVE f 0.01 10", "OK");
    con.says("FLASHSALE.BFMADD f a b a", "1 1 0");
    con.says("FLASHSALE.BFMERGE g f", "OK");
    con.says("FLASHSALE.BFMEXISTS g a b c", "1 1 0");
}

#[test]
fn aliases_are_there_when_asked_for_and_no_others() {
    let Some(plain) = Server::own(&[], &[]) else {
        return;
    };
    plain.conn().fails("BF.ADD f a", "ERR", "unknown command");
    let Some(server) = Server::own(&[], &["bf-aliases yes"]) else {
        return;
    };
    let mut con = server.conn();
    let reply = con.run("COMMAND LIST FILTERBY PATTERN bf.*");
    let mut names: Vec<String> = render(&reply).split(' ').map(str::to_owned).collect();
    names.sort();
    assert_eq!(
        names.join(" "),
        "bf.add bf.card bf.clear bf.debug bf.exists bf.info bf.insert bf.loadchunk bf.madd \
         bf.merge bf.mexists bf.reserve bf.scandump"
    );
    con.says("BF.ADD f a", "1");
    con.says("FLASHSALE.BFEXISTS f a", "1");
    con.says("COMMAND GETKEYS BF.MERGE d a b", "d a b");
    // The same rights as by the other name.
    con.says(
        "ACL SETUSER reader on nopass %R~f -@all +bf.exists +bf.add",
        "OK",
    );
    con.says("ACL DRYRUN reader bf.exists f a", "OK");
    assert!(
        con.show("ACL DRYRUN reader bf.add f a")
            .contains("no permissions")
    );
    let categories = con.show("ACL CAT");
    if categories.contains("flashsale") {
        assert!(categories.contains("bloom"), "{categories}");
        con.says("ACL SETUSER reader on nopass ~f -@all +@bloom", "OK");
        con.says("ACL DRYRUN reader bf.add f a", "OK");
    }
}

#[test]
fn names_that_another_module_has_stay_its_own() {
    let Some(server) = server_beside(&THEIRS) else {
        return;
    };
    let mut con = server.conn();
    assert_eq!(names_of(&mut con, "namesake"), THEIRS);
    // Not even those it lacks: they would not work on its filters.
    assert!(names_of(&mut con, "flashsale").is_empty());
    for name in THEIRS {
        con.says(&format!("{name} f a"), "+theirs");
    }
    con.fails("BF.MERGE f a", "ERR", "unknown command");
    assert_filters_work(&mut con);
    let told = "bf-aliases: the command BF.RESERVE cannot be registered; the filters are at \
                FLASHSALE.BF* alone";
    assert!(server.log().contains(told), "{}", server.log());
}

#[test]
fn names_are_told_that_were_given_before_one_that_was_taken() {
    let Some(server) = server_beside(&["bf.insert", "bf.card"]) else {
        return;
    };
    let mut con = server.conn();
    con.says("BF.INSERT f ITEMS a", "+theirs");
    con.says("BF.CARD f", "+theirs");
    assert_eq!(
        names_of(&mut con, "flashsale"),
        ["bf.add", "bf.madd", "bf.reserve"]
    );
    con.says("BF.RESERVE other 0.01 10", "OK");
    con.says("BF.ADD other a", "1");
    assert_filters_work(&mut con);
    let told = "bf-aliases: the command BF.INSERT cannot be registered; of BF.*, only \
                BF.RESERVE, BF.ADD, BF.MADD are filters of this module, and all are at \
                FLASHSALE.BF*";
    assert!(server.log().contains(told), "{}", server.log());
}

#[test]
fn a_module_that_comes_later_does_not_get_the_names() {
    let arguments = ["--enable-module-command yes"];
    let Some(server) = Server::own(&arguments, &["bf-aliases yes"]) else {
        return;
    };
    let mut con = server.conn();
    con.says("BF.ADD f a", "1");
    let load = format!("MODULE LOAD {}", namesake().display());
    con.fails(&format!("{load} bf.study bf.add"), "ERR", "loading");
    con.says("BF.ADD f a", "0");
    con.fails("BF.STUDY f", "ERR", "unknown command");
    // Names that are free, it gets.
    con.says(&format!("{load} bf.study"), "OK");
    con.says("BF.STUDY f", "+theirs");
}
