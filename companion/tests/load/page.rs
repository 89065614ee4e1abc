//! docs/companion.md and the help, compared with what the program does.

use crate::common::Redis;
use crate::{Load, PATIENT, SHORT, run};

const PAGE: &str = include_str!("../../../docs/companion.md");

/// The names of the checks that a run makes, from its table.
fn checks(text: &str) -> Vec<String> {
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("  ok    "));
    rows.map(|row| row.split("  ").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_page_lists_every_check_and_no_other() {
    let redis = Redis::with_module();
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("shop.db").display());
    let worker = ["--worker-sql", &sqlite];
    let how = [&SHORT[..], &PATIENT, &worker, &["--wait"]];
    let (code, text) = Load::start(&redis.url(), &how).end();
    assert_eq!(code, 0, "{text}");
    let (_, table) = PAGE
        .split_once("| Check | Compares |\n|---|---|\n")
        .expect("a table");
    let rows = table.lines().take_while(|line| line.starts_with("| "));
    // This run kills nothing.
    let rows = rows.filter(|row| !row.contains(" | with `--kill-at`: "));
    let mut listed: Vec<&str> = rows
        .filter_map(|row| row.split(" | ").next()?.get(2..))
        .collect();
    let mut made = checks(&text);
    listed.sort_unstable();
    made.sort_unstable();
    assert_eq!(listed, made);
}

#[test]
fn the_page_names_options_that_there_are() {
    let (code, help) = run(&["load", "--help"]);
    assert_eq!(code, 0);
    let (_, section) = PAGE.split_once("## flashsale load").expect("a section");
    let (section, top) = section.split_once("## flashsale top").expect("the next");
    let (top, _) = top.split_once("\n## ").expect("the next");
    let (code, help_of_top) = run(&["top", "--help"]);
    assert_eq!(code, 0);
    for (section, help) in [(section, help), (top, help_of_top)] {
        let options = section.split("--").skip(1).map(|text| {
            let end = text.find(|letter: char| {
                !(letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
            });
            &text[..end.unwrap_or(text.len())]
        });
        for option in options.filter(|option| !option.starts_with('-') && !option.is_empty()) {
            let is_there = help
                .split_whitespace()
                .any(|word| word.strip_prefix("--") == Some(option));
            assert!(is_there, "--{option}");
        }
    }
}
