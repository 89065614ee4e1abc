//! What no compiler checks.
//!
//! **Goal**: the plan of the house holds: who may name whom, how long a file and a
//! function may be, what a file begins with, where `unsafe` and panics may stand.
//!
//! **Method**: every Rust file of the project is read as text. Comments and literals
//! are blanked out first, so that a word in a sentence breaks no rule. Each rule
//! collects every place that breaks it and fails with the list.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/source.rs"]
mod source;

use std::path::Path;

use source::{Source, has};

/// The longest a file may be, without its tests.
const FILE_LINES_MAX: usize = 500;
/// The longest a function may be.
const FUNCTION_LINES_MAX: usize = 70;

/// Every command of the module. A new one is added here, in its own file, and in the
/// tests of its replies.
const COMMANDS: [&str; 50] = [
    "ALTER",
    "APPLY",
    "AUDIT",
    "BIND",
    "BUY",
    "CHECKOUT",
    "CLOSE",
    "CREATE",
    "DOCTOR",
    "EXTEND",
    "GET",
    "GIVE",
    "HELP",
    "IMPORT",
    "INFO",
    "LOAD",
    "MBUY",
    "MCHECKOUT",
    "MRELEASE",
    "MRESERVE",
    "PAUSE",
    "REFUND",
    "RELEASE",
    "RESERVE",
    "REST",
    "RESTOCK",
    "RESUME",
    "SCAN",
    "SHARES",
    "STOCK",
    "TAKE",
    "USER",
    "BFADD",
    "BFAPPLY",
    "BFCARD",
    "BFCLEAR",
    "BFDEBUG",
    "BFEXISTS",
    "BFINFO",
    "BFINSERT",
    "BFLOAD",
    "BFLOADCHUNK",
    "BFMADD",
    "BFMERGE",
    "BFMEXISTS",
    "BFRESERVE",
    "BFSCANDUMP",
    "RATEAPPLY",
    "RATELOAD",
    "THROTTLE",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under some folders, in the order of their names.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| find(folder, &mut paths));
    paths.sort();
    paths
        .iter()
        .map(|path| Source::read(root(), path))
        .collect()
}

fn find(folder: &str, paths: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("an entry of the folder");
        let path = format!("{folder}/{}", entry.file_name().display());
        if entry.path().is_dir() {
            find(&path, paths);
        } else if path.ends_with(".rs") {
            paths.push(path);
        }
    }
}

fn under(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

#[track_caller]
fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// Asserts that none of these words is in the code of `files`, but for `allowed`.
#[track_caller]
fn assert_nowhere(rule: &str, files: &[Source], words: &[&str], allowed: &[&str]) {
    let files = files.iter().filter(|file| !under(&file.path, allowed));
    let broken: Vec<String> = files
        .flat_map(|file| words.iter().flat_map(|word| file.places(word)))
        .collect();
    assert_none(rule, &broken);
}

#[test]
fn every_file_says_what_it_is() {
    let files = sources(&["src", "engine", "tests", "examples", "benches", "companion"]);
    let broken: Vec<String> = files
        .iter()
        .filter(|file| file.opening().trim().is_empty())
        .map(|file| file.path.clone())
        .collect();
    assert!(files.len() > 50, "{} files", files.len());
    assert_none(
        "a file opens with `//!`: what it is and where its edge is",
        &broken,
    );
}

/// The modules of the program that starts servers, and the file of each.
fn server_tests() -> Vec<(String, Source)> {
    let main = Source::read(root(), "tests/server/main.rs");
    let names = main.code.lines().filter_map(|line| {
        let name = line.strip_prefix("mod ")?.strip_suffix(';')?;
        (name != "support").then_some(name)
    });
    let file = |name: &str| {
        let own = format!("tests/server/{name}.rs");
        let is_file = root().join(&own).is_file();
        let path = if is_file {
            own
        } else {
            format!("tests/server/{name}/mod.rs")
        };
        (name.to_owned(), Source::read(root(), &path))
    };
    names.map(file).collect()
}

#[test]
fn every_test_program_and_module_opens_with_its_goal_and_method() {
    let mut files: Vec<Source> = sources(&["tests"])
        .into_iter()
        .filter(|file| file.path.matches('/').count() == 1 || file.path.ends_with("/main.rs"))
        .collect();
    files.extend(server_tests().into_iter().map(|(_, file)| file));
    assert!(files.len() > 50, "{} files", files.len());
    let says = |file: &&Source, word: &str| file.opening().contains(&format!("**{word}**"));
    let broken: Vec<String> = files
        .iter()
        .filter(|file| !(says(file, "Goal") && says(file, "Method")))
        .map(|file| file.path.clone())
        .collect();
    assert_none("a test opens with **Goal** and **Method**", &broken);
}

#[test]
fn the_table_of_server_tests_names_each_module_once() {
    let main = Source::read(root(), "tests/server/main.rs");
    let rows = main.opening();
    let rows = rows.lines().filter(|line| line.starts_with("| "));
    let mut listed: Vec<&str> = rows
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .collect();
    listed.sort_unstable();
    let modules: Vec<String> = server_tests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, modules);
}

#[test]
fn files_and_functions_are_short() {
    let mut broken = Vec::new();
    for file in sources(&["src", "engine/src", "companion/src"]) {
        let lines = file.lines_before_tests();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: {lines} lines before its tests", file.path));
        }
        for function in file.functions() {
            if function.lines > FUNCTION_LINES_MAX {
                let (path, line) = (&file.path, function.line);
                broken.push(format!(
                    "{path}:{line}: {} has {} lines",
                    function.name, function.lines
                ));
            }
        }
    }
    assert_none(
        &format!("a file has at most {FILE_LINES_MAX} lines, a function {FUNCTION_LINES_MAX}"),
        &broken,
    );
}

#[test]
fn unsafe_code_is_in_ffi_alone_and_each_gives_its_reason() {
    let files = sources(&["src"]);
    assert_nowhere(
        "`unsafe` is under src/ffi only",
        &files,
        &["unsafe"],
        &["src/ffi/"],
    );
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| under(&file.path, &["src/ffi/"])) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, code) in file
            .code_before_tests()
            .filter(|(_, code)| has(code, "unsafe"))
        {
            let above = lines[..number - 1]
                .iter()
                .rev()
                .map(|line| line.trim_start());
            let is_said = if has(code, "fn") {
                let comment =
                    above.take_while(|line| line.starts_with("//") || line.starts_with("#["));
                comment.into_iter().any(|line| line == "/// # Safety")
            } else {
                // The statement may have begun a few lines before.
                let statement = above.take_while(|line| !line.ends_with([';', '}']));
                statement
                    .into_iter()
                    .any(|line| line.starts_with("// SAFETY:"))
            };
            if !is_said {
                broken.push(format!(
                    "{}:{number}: {}",
                    file.path,
                    lines[number - 1].trim()
                ));
            }
        }
    }
    assert_none(
        "`unsafe` has a `// SAFETY:` line, an unsafe function `# Safety`",
        &broken,
    );
    let manifest = |path| std::fs::read_to_string(root().join(path)).expect("a manifest");
    assert!(
        manifest("Cargo.toml").contains("unsafe_code = \"deny\""),
        "the workspace denies unsafe_code"
    );
    for path in ["Cargo.toml", "engine/Cargo.toml", "engine/fuzz/Cargo.toml"] {
        let takes_it = manifest(path).contains("[lints]\nworkspace = true");
        assert!(takes_it, "{path} takes the lints of the workspace");
    }
    let engine = Source::read(root(), "engine/src/lib.rs");
    assert!(
        engine.code.contains("#![forbid(unsafe_code)]"),
        "the engine forbids unsafe_code"
    );
}

/// Cargo keeps Redis and its crates out of the engine; the standard library has a clock,
/// threads and files, too.
#[test]
fn the_engine_asks_nobody() {
    let files = sources(&["engine/src"]);
    assert!(files.len() > 40, "{} files", files.len());
    let words = [
        "Instant",
        "SystemTime",
        "thread",
        "fs",
        "env",
        "net",
        "println",
        "eprintln",
        "dbg",
    ];
    assert_nowhere("no clock, thread, file or log", &files, &words, &[]);
    // A Bloom filter's parameters are computed from a probability.
    let allowed = ["engine/src/bloom/params.rs"];
    assert_nowhere("no floats", &files, &["f32", "f64"], &allowed);
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for folder in ["engine/src", "src", "companion/src"] {
        let files = sources(&[folder]);
        let circles = imports::circles(folder, &files);
        assert_none("no circle of files", &circles);
    }
}

#[test]
fn arrows_never_turn_round() {
    let files = sources(&["src"]);
    let of = |folder: &str| -> Vec<Source> {
        let inside = files.iter().filter(|file| under(&file.path, &[folder]));
        inside
            .map(|file| Source::new(&file.path, &file.text))
            .collect()
    };
    let above = |rooms: &[&str]| -> Vec<String> {
        rooms.iter().map(|room| format!("crate::{room}")).collect()
    };
    let rules = [
        (
            "src/ffi",
            above(&[
                "change", "command", "config", "datatype", "doctor", "hints", "hooks", "info",
                "orders", "timer",
            ]),
        ),
        (
            "src/hints",
            above(&[
                "change", "command", "datatype", "doctor", "hooks", "orders", "timer",
            ]),
        ),
        (
            "src/datatype",
            above(&["change", "command", "doctor", "hooks", "orders", "timer"]),
        ),
        (
            "src/orders",
            above(&["change", "command", "hooks", "timer"]),
        ),
        ("src/change", above(&["command", "doctor", "hooks"])),
        ("src/timer", above(&["command", "doctor", "hooks"])),
    ];
    for (room, above) in rules {
        let words: Vec<&str> = above.iter().map(String::as_str).collect();
        let files = of(room);
        assert!(!files.is_empty(), "{room}");
        assert_nowhere(
            &format!("{room} knows what is below it"),
            &files,
            &words,
            &[],
        );
    }
    let of_the_engine = ["sale", "bloom", "rate"].map(|room| format!("crate::{room}"));
    let of_the_engine: Vec<&str> = of_the_engine.iter().map(String::as_str).collect();
    for room in ["table", "wire"] {
        let files = sources(&[&format!("engine/src/{room}")]);
        assert_nowhere(
            &format!("{room} knows no sale"),
            &files,
            &of_the_engine,
            &[],
        );
    }
    for (room, above) in [
        (
            "book",
            &["state", "ask", "event", "views", "audit", "plan", "disk"][..],
        ),
        ("ask", &["plan", "disk", "audit"]),
        ("event", &["plan", "disk", "audit"]),
        ("audit", &["plan", "disk"]),
    ] {
        let words: Vec<String> = above
            .iter()
            .map(|room| format!("crate::sale::{room}"))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let files = sources(&[&format!("engine/src/sale/{room}")]);
        assert_nowhere(
            &format!("{room} knows what is below it"),
            &files,
            &words,
            &[],
        );
    }
    assert_nowhere(
        "lib.rs alone knows the commands",
        &files,
        &["crate::command"],
        &["src/lib.rs", "src/command/"],
    );
    assert_nowhere(
        "the server's API is called in ffi alone",
        &files,
        &["redis_module"],
        &["src/ffi/"],
    );
}

#[test]
fn a_change_is_applied_where_it_is_replicated() {
    let allowed = [
        "src/change/",
        "src/datatype/live.rs",
        "src/datatype/bloom_live.rs",
        "src/datatype/bloom_type.rs",
        "src/datatype/limit_live.rs",
    ];
    assert_nowhere(
        "only what replicates applies",
        &sources(&["src"]),
        &[".apply(", ".merge(", ".take_bits("],
        &allowed,
    );
}

#[test]
fn what_a_client_sends_cannot_panic() {
    let files = sources(&["src"]);
    let words = [
        ".unwrap()",
        ".expect(",
        "panic!",
        "todo!",
        "unimplemented!",
        "unreachable!",
    ];
    assert_nowhere("no unwrap, expect or panic", &files, &words, &["src/ffi/"]);
}

#[test]
fn tests_and_examples_never_name_the_crate() {
    let files = sources(&["tests", "examples", "benches"]);
    let words = ["flashsale::", "extern crate", "use flashsale;"];
    let broken: Vec<String> = files
        .iter()
        .flat_map(|file| words.iter().map(move |word| (file, word)))
        .filter(|(file, word)| file.code.lines().any(|line| has(line, word)))
        .map(|(file, word)| format!("{}: {word}", file.path))
        .collect();
    assert_none(
        "it would link the allocator of a server that is not there",
        &broken,
    );
}

#[test]
fn tests_wait_for_conditions() {
    let files = sources(&["tests", "engine/tests"]);
    assert_nowhere(
        "nothing sleeps but tests/server/support/wait.rs",
        &files,
        &["sleep"],
        &["tests/server/support/wait.rs"],
    );
}

#[test]
fn every_command_has_a_file_that_is_its_manual_page() {
    let files = sources(&["src/command"]);
    let mut broken = Vec::new();
    for command in COMMANDS {
        let own = |prefix| command.strip_prefix(prefix).map(str::to_lowercase);
        let name = match (own("BF"), own("RATE")) {
            (Some(of_filter), _) => format!("/bloom/{of_filter}.rs"),
            (_, Some(of_limit)) => format!("/rate/{of_limit}.rs"),
            _ if command == "THROTTLE" => "/rate/throttle.rs".to_owned(),
            _ => format!("/sale/{}.rs", command.to_lowercase()),
        };
        let own: Vec<&Source> = files
            .iter()
            .filter(|file| file.path.ends_with(&name))
            .collect();
        let [file] = own[..] else {
            broken.push(format!("{command}: {} files", own.len()));
            continue;
        };
        let page = file.opening();
        let title = format!("`FLASHSALE.{command}");
        let follows = page
            .strip_prefix(&title)
            .and_then(|rest| rest.chars().next());
        if !follows.is_some_and(|letter| letter == '`' || letter == ' ') {
            broken.push(format!("{}: does not begin with //! {title}", file.path));
        }
        for part in ["- Complexity: ", "- Reply: ", "- Errors: "] {
            if !page.lines().any(|line| line.starts_with(part)) {
                broken.push(format!("{}: no line {part:?}", file.path));
            }
        }
        let registers = format!("name: \"FLASHSALE.{command}\"");
        let registering = files.iter().filter(|other| other.text.contains(&registers));
        let registering: Vec<&str> = registering.map(|file| file.path.as_str()).collect();
        if registering != [&file.path] {
            broken.push(format!("{command}: registered in {registering:?}"));
        }
    }
    for file in &files {
        let page = file.opening();
        let Some((command, _)) = page
            .strip_prefix("`FLASHSALE.")
            .and_then(|rest| rest.split_once(['`', ' ']))
        else {
            continue;
        };
        if !COMMANDS.contains(&command) {
            broken.push(format!(
                "{}: {command} is not in the list of this test",
                file.path
            ));
        }
    }
    assert_none("one file a command, which begins with its page", &broken);
}

/// The dependencies of a manifest below one heading, by name, and those without a comment
/// above them.
fn dependencies(path: &str, heading: &str) -> (Vec<String>, Vec<String>) {
    let manifest = std::fs::read_to_string(root().join(path)).expect("a manifest");
    let lines: Vec<&str> = manifest.lines().collect();
    let (mut section, mut names, mut broken) = ("", Vec::new(), Vec::new());
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains(heading)
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once(" = ")
        {
            names.push(name.to_owned());
            if !lines[index - 1].starts_with("# ") {
                broken.push(format!("{path}: {line}"));
            }
        }
    }
    (names, broken)
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let (mut seen, mut broken) = (0, Vec::new());
    for path in [
        "Cargo.toml",
        "engine/Cargo.toml",
        "engine/fuzz/Cargo.toml",
        "companion/Cargo.toml",
    ] {
        let (names, without) = dependencies(path, "dependencies");
        seen += names.len();
        broken.extend(without);
    }
    assert!(seen > 20, "{seen} dependencies");
    assert_none("a dependency has a comment above it", &broken);
}

/// A clock, a generator of random numbers or a server would come in by a crate.
#[test]
fn the_engine_has_a_few_crates_and_no_others() {
    let (mut names, _) = dependencies("engine/Cargo.toml", "[dependencies]");
    names.sort();
    let few = [
        "hmac",
        "prefetch-index",
        "sha2",
        "siphasher",
        "smallvec",
        "ulid",
        "uuid",
        "xxhash-rust",
    ];
    assert_eq!(names, few);
}

#[test]
fn this_file_reads_rust_well_enough() {
    let text = "fn one<'a>(x: &'a [u8; 2]) -> char {\n    // { \" '\n    let s = \"{ // \\\" \";\n    \
                '{'\n}\nfn two();\n/* } */ fn three() { r#\"}\"# }\nlet f: fn(u8) = g;\n#[cfg(test)]\nmod t {\n";
    let source = Source::new("x.rs", text);
    let found: Vec<(String, usize, usize)> = source
        .functions()
        .into_iter()
        .map(|function| (function.name, function.line, function.lines))
        .collect();
    assert_eq!(
        found,
        [("one".to_owned(), 1, 5), ("three".to_owned(), 7, 1)]
    );
    assert_eq!(source.lines_before_tests(), 8);
    assert!(!source.code.contains("//"));
    assert!(has("use crate::x", "crate") && !has("use crates::x", "crate"));
    assert!(has("a.unwrap()", ".unwrap()") && has("a::f64", "f64") && !has("of64", "f64"));
}
