//! The README, run.
//!
//! **Goal**: what the README shows is what happens, and what it says of commands and
//! configuration is what the module says of itself.
//!
//! **Method**: every `console` block is typed into the real `redis-cli`, line by line,
//! against one server, and the output compared (`support/transcript.rs`). Syntax lines
//! are held against `FLASHSALE.HELP`, the table of configuration against `CONFIG GET`.

#[allow(dead_code, unused_imports)]
#[path = "server/support/mod.rs"]
mod support;

use support::Server;
use support::transcript::{steps, typed, without_moments};

const README: &str = include_str!("../README.md");

/// The fenced blocks of one kind.
fn blocks(kind: &str) -> Vec<Vec<&'static str>> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{kind}") {
            blocks.push(lines.by_ref().take_while(|line| *line != "```").collect());
        }
    }
    blocks
}

#[test]
fn every_line_of_every_transcript_prints_what_the_readme_shows() {
    let server = Server::any();
    let steps = steps(README);
    assert!(steps.len() > 20, "the README has transcripts");
    for step in steps {
        let printed = typed(server.port(), step.typed);
        assert_eq!(
            without_moments(&printed),
            without_moments(&step.output.join("\n")),
            "the README shows another answer to: {}\nit is\n{printed}",
            step.typed
        );
    }
}

#[test]
fn the_syntax_lines_are_those_of_help() {
    let server = Server::any();
    let help = typed(server.port(), "FLASHSALE.HELP");
    let mut documented: Vec<&str> = blocks("text")
        .into_iter()
        .flatten()
        .filter(|line| line.starts_with("FLASHSALE."))
        .collect();
    let mut helped: Vec<String> = help
        .lines()
        .filter_map(|line| line.split_once("\"FLASHSALE."))
        .map(|(_, syntax)| format!("FLASHSALE.{}", syntax.trim_end_matches('"')))
        .collect();
    documented.sort_unstable();
    helped.sort_unstable();
    assert!(helped.len() >= 19, "{help}");
    assert_eq!(documented, helped);
}

#[test]
fn the_table_of_configuration_is_that_of_the_server() {
    let server = Server::any();
    let got = typed(server.port(), "CONFIG GET flashsale.*");
    let words: Vec<&str> = got.split('"').skip(1).step_by(2).collect();
    let mut configured: Vec<(String, String)> = words
        .chunks(2)
        .map(|pair| {
            (
                pair[0].trim_start_matches("flashsale.").to_owned(),
                pair[1].to_owned(),
            )
        })
        .collect();
    let mut documented: Vec<(String, String)> = README
        .split_once("### Configuration")
        .and_then(|(_, rest)| rest.split_once("\n### "))
        .map(|(section, _)| section)
        .into_iter()
        .flat_map(str::lines)
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            (cells[1].to_owned(), cells[2].to_owned())
        })
        .collect();
    configured.sort();
    documented.sort();
    assert!(!configured.is_empty());
    assert_eq!(documented, configured);
}

#[test]
fn the_tests_named_in_what_survives_what_are_there() {
    let (_, rest) = README
        .split_once("## What survives what")
        .expect("the section");
    let (section, _) = rest.split_once("\n## ").expect("its end");
    let mut named = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or("");
        // `[file](tests/file.rs): `name`, `name`; [file](...): ...`
        for part in cell.split("](").skip(1) {
            let (path, names) = part.split_once(')').expect("a link");
            let root = env!("CARGO_MANIFEST_DIR");
            let source = std::fs::read_to_string(format!("{root}/{path}"))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            for name in names.split('`').skip(1).step_by(2) {
                let is_there = source.contains(&format!("fn {name}()"));
                assert!(is_there, "{path} has no test {name}");
                named += 1;
            }
        }
    }
    assert!(named > 20, "the table names its tests");
}
