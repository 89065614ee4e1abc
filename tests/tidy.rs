//! What no compiler checks.
//!
//! **Goal**: the plan of the house holds: who may name whom, how long a file and a
//! function may be, what a file begins with, where `unsafe` and panics may stand.
//!
//! **Method**: every Rust file of the project is read as text. Comments and literals
//! are blanked out first, so that a word in a sentence breaks no rule. Each rule
//! collects every place that breaks it and fails with the list.

#[path = "tidy/source.rs"]
mod source;

use std::path::Path;

use source::{Source, has};

/// The longest a file may be, without its tests.
const FILE_LINES_MAX: usize = 500;
/// The longest a function may be.
const FUNCTION_LINES_MAX: usize = 70;

/// What a name in a pure layer may begin with, beside its own modules.
const ROOTS_OF_THE_PURE: [&str; 9] = [
    "self",
    "super",
    "std",
    "prefetch_index",
    "siphasher",
    "smallvec",
    "ulid",
    "uuid",
    "xxhash_rust",
];

/// Every command of the module. A new one is added here, in its own file, and in the
/// tests of its replies.
const COMMANDS: [&str; 38] = [
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
    "HELP",
    "INFO",
    "LOAD",
    "PAUSE",
    "REFUND",
    "RELEASE",
    "RESERVE",
    "RESTOCK",
    "RESUME",
    "SCAN",
    "STOCK",
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
    let files = sources(&["src", "tests", "examples", "benches"]);
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
    for file in sources(&["src"]) {
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
    let crate_root = Source::read(root(), "src/lib.rs");
    assert!(
        crate_root.code.contains("#![deny(unsafe_code)]")
            || std::fs::read_to_string(root().join("Cargo.toml"))
                .is_ok_and(|manifest| manifest.contains("unsafe_code = \"deny\"")),
        "the crate denies unsafe_code"
    );
}

#[test]
fn the_pure_layers_know_nothing_of_the_rest() {
    for layer in ["src/sale", "src/bloom"] {
        let files = sources(&[layer]);
        let words = [
            "crate",
            "redis_module",
            "extern",
            "Instant",
            "SystemTime",
            "rand",
            "thread",
            "fs",
            "env",
            "println",
            "eprintln",
            "log",
            "dbg",
        ];
        assert_nowhere("no Redis, clock, randomness or log", &files, &words, &[]);
        // A Bloom filter's parameters are computed from a probability.
        assert_nowhere(
            "no floats",
            &files,
            &["f32", "f64"],
            &["src/bloom/params.rs"],
        );
        let lines = files.iter().flat_map(|file| file.code.lines());
        let modules: Vec<&str> = lines
            .filter_map(|line| {
                line.trim_start()
                    .trim_start_matches("pub ")
                    .strip_prefix("mod ")
            })
            .map(|rest| rest.trim_end_matches([';', '{', ' ']))
            .collect();
        let mut broken = Vec::new();
        for file in &files {
            for (number, line) in file.code_before_tests() {
                let import = line.trim_start().trim_start_matches("pub ");
                let Some(path) = import.strip_prefix("use ") else {
                    continue;
                };
                let first = path.split([':', ';', ' ']).next().unwrap_or_default();
                if !ROOTS_OF_THE_PURE.contains(&first) && !modules.contains(&first) {
                    broken.push(format!("{}:{number}: {first}", file.path));
                }
            }
        }
        assert_none("a pure layer uses std and its few crates", &broken);
    }
    assert!(sources(&["src/sale"]).len() > 20);
}

/// The fuzzers include the engine by path, and are built by `make fuzz` alone.
#[test]
fn the_fuzzers_name_the_crates_of_the_engine() {
    let manifest = |path| std::fs::read_to_string(root().join(path)).expect("a manifest");
    let (ours, theirs) = (manifest("Cargo.toml"), manifest("fuzz/Cargo.toml"));
    let files = sources(&["src/sale"]);
    let mut broken = Vec::new();
    for root in &ROOTS_OF_THE_PURE[3..] {
        let import = format!("use {root}::");
        if files.iter().any(|file| file.code.contains(&import)) {
            let start = format!("{} = ", root.replace('_', "-"));
            let line = ours.lines().find(|line| line.starts_with(&start));
            if !line.is_some_and(|line| theirs.lines().any(|other| other == line)) {
                broken.push(format!("fuzz/Cargo.toml: {start}"));
            }
        }
    }
    assert_none("the fuzzers build", &broken);
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
    let above_ffi = [
        "crate::command",
        "crate::datatype",
        "crate::bloom",
        "crate::bloom_replication",
        "crate::replication",
        "crate::orders",
        "crate::expiry",
        "crate::config",
        "crate::info",
        "crate::sale",
    ];
    assert_nowhere("ffi knows no other layer", &of("src/ffi"), &above_ffi, &[]);
    let above_types = [
        "crate::command",
        "crate::bloom_replication",
        "crate::replication",
        "crate::orders",
        "crate::expiry",
    ];
    assert_nowhere(
        "a type knows no command",
        &of("src/datatype"),
        &above_types,
        &[],
    );
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
        "src/replication.rs",
        "src/bloom_replication.rs",
        "src/datatype/live.rs",
        "src/datatype/bloom_live.rs",
        "src/datatype/bloom_type.rs",
        "src/sale/",
        "src/bloom/",
    ];
    assert_nowhere(
        "only replication applies",
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
    let pure = ["src/ffi/", "src/sale/", "src/bloom/"];
    assert_nowhere("no unwrap, expect or panic", &files, &words, &pure);
}

#[test]
fn tests_and_examples_never_name_the_crate() {
    let files = sources(&["tests", "examples", "benches"]);
    let words = ["flashsale::", "extern crate", "use flashsale"];
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
    let files = sources(&["tests"]);
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
        let name = match command.strip_prefix("BF") {
            Some(of_filter) => format!("/bloom_{}.rs", of_filter.to_lowercase()),
            None => format!("/sale_{}.rs", command.to_lowercase()),
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

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let lines: Vec<&str> = manifest.lines().collect();
    let mut section = "";
    let (mut broken, mut seen) = (Vec::new(), 0);
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && line.contains(" = ") && !line.starts_with('#')
        {
            seen += 1;
            if !lines[index - 1].starts_with("# ") {
                broken.push((*line).to_owned());
            }
        }
    }
    assert!(seen > 10, "{seen} dependencies");
    assert_none("a dependency has a comment above it", &broken);
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
