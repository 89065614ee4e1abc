//! Every table of the reference, compared with the server or the source.
//!
//! Settings, fields of INFO and topics of DOCTOR are compared in detail by the tests of each
//! (`settings`, `info`, `doctor`); status words by a unit test beside them, which knows
//! them all.

use std::collections::BTreeSet;

use super::markdown::{blocks, cells, code, links, read, root, table};
use super::support::Server;
use super::support::transcript::typed;

#[test]
fn the_syntax_lines_are_those_of_help() {
    let server = Server::any();
    let help = typed(server.port(), "FLASHSALE.HELP");
    let pages = ["commands", "filters"].map(|page| read(&format!("docs/reference/{page}.md")));
    let mut documented: Vec<&str> = pages
        .iter()
        .flat_map(|page| blocks(page, "text"))
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
fn every_command_has_a_section_and_stands_in_the_readme() {
    let page = read("docs/reference/commands.md");
    let readme = read("README.md");
    let linked: BTreeSet<&str> = links(&readme).into_iter().collect();
    let syntax = blocks(&page, "text");
    let names = syntax.iter().filter_map(|line| line.split(' ').next());
    let mut sections = 0;
    for name in names.filter(|name| name.starts_with("FLASHSALE.")) {
        assert!(
            page.contains(&format!("\n## {name}\n")),
            "no section: {name}"
        );
        let anchor = name.replace('.', "").to_lowercase();
        let section = format!("docs/reference/commands.md#{anchor}");
        let is_linked = linked.contains(section.as_str()) || name == "FLASHSALE.DOCTOR";
        assert!(is_linked, "README.md does not link to {section}");
        sections += 1;
    }
    assert!(sections >= 19, "{sections} sections");
}

#[test]
fn the_table_of_configuration_is_that_of_the_server() {
    let server = Server::any();
    let got = typed(server.port(), "CONFIG GET flashsale.*");
    let words: Vec<&str> = got.split('"').skip(1).step_by(2).collect();
    let mut configured: Vec<(&str, &str)> = words
        .chunks(2)
        .map(|pair| (pair[0].trim_start_matches("flashsale."), pair[1]))
        .collect();
    let page = read("docs/reference/configuration.md");
    let rows = table(&page, "| Name | Default |");
    let mut documented: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| (code(row[0]), code(row[1])))
        .collect();
    configured.sort_unstable();
    documented.sort_unstable();
    assert!(configured.len() >= 8);
    assert_eq!(documented, configured);
}

/// The words in quotes of a source file, from one mark to another.
#[track_caller]
fn quoted(source: &str, from: &str, to: &str) -> BTreeSet<String> {
    let source = read(source);
    let (_, rest) = source.split_once(from).expect("the list");
    let (list, _) = rest.split_once(to).expect("its end");
    let words = list.split('"').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

#[test]
fn every_error_code_is_described() {
    let codes = quoted("src/error.rs", "pub fn word(self)", "\n    }\n");
    let page = read("docs/reference/errors.md");
    let rows = table(&page, "| Code | When |");
    let documented: BTreeSet<String> = rows.iter().map(|row| code(row[0]).to_owned()).collect();
    assert!(codes.len() >= 6, "{codes:?}");
    assert_eq!(documented, codes);
}

#[test]
fn every_field_of_info_and_every_topic_of_doctor_is_described() {
    let server = Server::any();
    let info = typed(server.port(), "INFO flashsale");
    let fields: BTreeSet<&str> = info
        .lines()
        .filter_map(|line| line.trim().strip_prefix("flashsale_")?.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    let page = read("docs/reference/info.md");
    let rows = table(&page, "| Field ");
    let documented: BTreeSet<&str> = rows.iter().map(|row| code(row[0])).collect();
    assert!(fields.len() > 40, "{info}");
    assert_eq!(documented, fields);
    let page = read("docs/reference/doctor.md");
    let rows = table(&page, "| Topic ");
    assert!(
        rows.iter()
            .all(|row| !code(row[0]).is_empty() && !row[1].is_empty())
    );
}

/// The commands of a sale, each with its page: the comment on top of its file.
fn pages_of_commands() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for (folder, prefix) in [("src/command", "sale_"), ("src/command/sale", "")] {
        let Ok(entries) = std::fs::read_dir(root().join(folder)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let name = stem.and_then(|stem| stem.strip_prefix(prefix));
            if let Some(name) = name
                && source.starts_with("//! `FLASHSALE.")
            {
                let page = source.lines().map_while(|line| line.strip_prefix("//!"));
                let page = page.collect::<Vec<_>>().join("\n");
                pages.push((name.to_uppercase(), page));
            }
        }
    }
    assert!(pages.len() > 19, "{} pages", pages.len());
    pages
}

#[test]
fn every_answer_of_a_command_is_explained_for_that_command() {
    let page = read("docs/reference/answers.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<Vec<&str>> = rows.map(cells).filter(|row| row.len() == 5).collect();
    let mut explained = 0;
    let internal = ["APPLY", "LOAD"];
    let pages = pages_of_commands().into_iter();
    for (command, page) in pages.filter(|(name, _)| !internal.contains(&name.as_str())) {
        // From "Reply" to "Errors", where the words are code or begin a reply.
        let answers = page.split("\n - Reply:").nth(1).unwrap_or_default();
        let answers = answers.split("\n - Errors:").next().unwrap_or_default();
        let words: BTreeSet<&str> = answers.split(['`', '"', '[', ',']).collect();
        for word in words {
            let mut rows = rows.iter().filter(|row| code(row[0]) == word).peekable();
            if rows.peek().is_none() {
                continue;
            }
            let is_of = |of: &str| of.split([',', ';', ' ']).any(|one| one == command);
            assert!(
                rows.any(|row| is_of(row[1])),
                "no row of {word} is of {command}"
            );
            explained += 1;
        }
    }
    assert!(explained > 30, "{explained} words");
}

#[test]
fn every_event_of_a_sale_is_described() {
    let page = read("docs/reference/stream-and-events.md");
    let (_, section) = page.split_once("## Keyspace events").expect("the section");
    let documented: BTreeSet<&str> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|word| word.strip_prefix("flashsale."))
        .collect();
    // Those that the commands' own pages name; `keyspace_events` compares them with what
    // is sent.
    let mut sent = BTreeSet::new();
    for (_, page) in pages_of_commands() {
        let words = page.split("`flashsale.").skip(1);
        sent.extend(words.filter_map(|rest| Some(rest.split('`').next()?.to_owned())));
    }
    assert!(sent.len() > 8, "{sent:?}");
    for event in &sent {
        assert!(
            documented.contains(event.as_str()),
            "{event} is not described"
        );
    }
}
