//! Pages by themselves: how long the README is, what the index lists, where links lead.

use std::collections::BTreeSet;

use super::markdown::{anchors, cells, links, pages, read, resolve, root, table};

#[test]
fn the_readme_has_at_most_200_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 200, "{lines} lines");
}

#[test]
fn the_index_has_every_page() {
    let index = read("docs/README.md");
    let listed: BTreeSet<_> = links(&index)
        .into_iter()
        .map(|link| resolve("docs/README.md", link).0)
        .map(|path| path.canonicalize().unwrap_or(path))
        .collect();
    for page in pages() {
        if page.starts_with("docs/") && page != "docs/README.md" {
            let path = root().join(&page).canonicalize().expect("a page");
            assert!(
                listed.contains(&path),
                "docs/README.md has no link to {page}"
            );
        }
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut followed = 0;
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = resolve(&page, link);
            assert!(file.exists(), "{page} links to {link}, which is not there");
            if !anchor.is_empty() {
                let target = std::fs::read_to_string(&file).expect("a page");
                let has_anchor = anchors(&target).iter().any(|one| one == anchor);
                assert!(
                    has_anchor,
                    "{page} links to {link}, which has no such heading"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 200, "{followed} links");
}

#[test]
fn the_guide_shows_the_gateway_that_is_tested() {
    let guide = read("docs/guide.md");
    let example = read("examples/gateway/gateway.py");
    let (_, rest) = example.split_once("class Gateway:").expect("the class");
    let (class, _) = rest.split_once("\n\n\n").expect("its end");
    let block = format!("```python\nclass Gateway:{class}\n```\n");
    assert!(
        guide.contains(&block),
        "docs/guide.md does not show:\n{block}"
    );
}

#[test]
fn the_runbook_has_a_chapter_for_each_alert() {
    let page = read("docs/operating/runbook.md");
    let (_, chapter) = page.split_once("\n## Alerts\n").expect("the chapter");
    let headings = chapter.lines().filter(|line| line.starts_with("### "));
    let expected = [
        "### Owed",
        "### Sweep lag",
        "### Divergence",
        "### Diverged sales",
        "### Memory",
        "### Backlog",
        "### Entries that wait",
        "### Success rate",
        "### Evictions",
        "### Replica lag",
    ];
    assert_eq!(headings.collect::<Vec<_>>(), expected);
}

#[test]
fn every_alert_leads_to_the_runbook() {
    let rules = read("examples/monitoring/rules.yml");
    let anchors = anchors(&read("docs/operating/runbook.md"));
    let urls = rules.split("runbook_url: docs/operating/runbook.md#");
    let named: Vec<&str> = urls
        .skip(1)
        .filter_map(|rest| rest.lines().next())
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for anchor in named {
        assert!(anchors.iter().any(|one| one == anchor), "{anchor}");
    }
}

/// The text of every source file of a module `name`, in any folder of tests.
fn sources_of(name: &str) -> String {
    let mut text = String::new();
    let mut folders = vec![root().join("tests"), root().join("engine")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path
                .file_name()
                .is_some_and(|file| file == format!("{name}.rs").as_str())
                || path.ends_with(format!("{name}/main.rs"))
                || path.ends_with(format!("{name}/mod.rs"))
            {
                text += &std::fs::read_to_string(&path).expect("a source file");
            }
        }
    }
    text
}

#[test]
fn the_tests_named_in_guarantees_are_there() {
    let page = read("docs/guarantees.md");
    let mut named = 0;
    let rows = page.lines().filter(|line| line.starts_with("| "));
    for row in rows {
        let cell = cells(row).pop().unwrap_or_default();
        for test in cell.split('`').skip(1).step_by(2) {
            let (module, name) = test.split_once("::").expect("a module and a test");
            let is_there = sources_of(module).contains(&format!("fn {name}()"));
            assert!(is_there, "there is no test {test}");
            named += 1;
        }
    }
    assert!(named > 30, "{named} tests are named");
    let faults = table(&page, "| Fault |");
    assert!(faults.iter().all(|row| row.len() == 4), "{faults:?}");
}
