//! The runbook and the pages on migration, played.
//!
//! **Goal**: an operator who types what a page shows sees what the page shows, from its
//! first line to its last, and no page shows a line that was never run.
//!
//! **Method**: every `console` block is typed into the real `redis-cli` or a shell,
//! against real servers, replicas and Sentinels that comments in the page tell to start
//! or to be killed (`support/transcript.rs`). A block that is not run must stand under a
//! decision. The anchors that other files point to are there.

use std::path::Path;

use crate::support::transcript::play;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_runbook_prints_what_it_shows() {
    play("docs/runbook.md");
}

#[test]
fn the_migration_prints_what_it_shows() {
    play("docs/migration.md");
}

#[test]
fn the_page_for_users_of_redisbloom_prints_what_it_shows() {
    play("docs/from-redisbloom.md");
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let kept = heading.chars().filter(kept);
        kept.map(|letter| if letter == ' ' { '-' } else { letter })
            .collect()
    };
    headings.map(anchor).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_runbook_has_a_chapter_for_each_alert() {
    let page = read(&root().join("docs/runbook.md"));
    let (_, chapter) = page.split_once("\n## Alerts\n").expect("the chapter");
    let headings = chapter.lines().filter(|line| line.starts_with("### "));
    let expected = [
        "### Sweep lag",
        "### Divergence",
        "### Diverged sales",
        "### Memory",
        "### Backlog",
        "### Success rate",
        "### Evictions",
        "### Replica lag",
    ];
    assert_eq!(headings.collect::<Vec<_>>(), expected);
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut followed = 0;
    for page in [
        "README.md",
        "docs/runbook.md",
        "docs/upgrading.md",
        "docs/migration.md",
        "docs/from-redisbloom.md",
        "examples/monitoring/README.md",
    ] {
        let path = root().join(page);
        let text = read(&path);
        // `](target)`; code has none.
        for part in text.split("](").skip(1) {
            let (target, _) = part.split_once(')').expect("a link ends");
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.clone(),
                file => path.with_file_name(file),
            };
            assert!(file.exists(), "{page}: {target}");
            if !anchor.is_empty() {
                let anchors = anchors(&read(&file));
                assert!(anchors.iter().any(|one| one == anchor), "{page}: {target}");
            }
            followed += 1;
        }
    }
    assert!(followed > 60, "{followed} links");
    // An alert that wakes somebody leads to what to do.
    let rules = read(&root().join("examples/monitoring/rules.yml"));
    let anchors = anchors(&read(&root().join("docs/runbook.md")));
    let urls = rules.split("runbook_url: docs/runbook.md#").skip(1);
    let named: Vec<&str> = urls.filter_map(|rest| rest.lines().next()).collect();
    assert!(named.len() > 10, "{named:?}");
    for anchor in named {
        assert!(anchors.iter().any(|one| one == anchor), "{anchor}");
    }
}
