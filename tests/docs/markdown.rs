//! Markdown as far as the tests read it: pages, sections, tables, anchors, links.
//!
//! Edge: knows no page by name.

use std::path::{Path, PathBuf};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project, by its path from the root.
#[track_caller]
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Paths, from the root, of every Markdown file of the project.
pub fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or_default();
            if path.is_dir() {
                let is_ours = !name.starts_with('.') || name == ".github";
                if is_ours && !["target", "node_modules", "data"].contains(&name) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                let path = path.strip_prefix(root()).expect("below the root");
                pages.push(path.to_str().expect("a path in UTF-8").to_owned());
            }
        }
    }
    pages.sort();
    pages
}

/// The lines outside of fenced blocks.
pub fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The lines of the fenced blocks of one kind.
pub fn blocks<'p>(page: &'p str, kind: &str) -> Vec<&'p str> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(kind) {
            found.extend(lines.by_ref().take_while(|line| *line != "```"));
        }
    }
    found
}

/// The cells of each row of the first table whose head begins with `head`.
#[track_caller]
pub fn table<'p>(page: &'p str, head: &str) -> Vec<Vec<&'p str>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(head));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let table: Vec<Vec<&str>> = rows.map(cells).collect();
    assert!(!table.is_empty(), "a table that begins with {head}");
    table
}

/// The cells of a row of a table.
pub fn cells(row: &str) -> Vec<&str> {
    let row = row.trim().trim_matches('|');
    row.split('|').map(str::trim).collect()
}

/// What stands in code at the beginning of a cell.
pub fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_default()
}

/// The anchors of a page's headings, as GitHub makes them.
pub fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for heading in prose(page).filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
        let anchor: String = heading.chars().filter(kept).collect();
        let anchor = anchor.replace(' ', "-");
        // The second of a name gets a number.
        let same = anchors.iter().filter(|one| **one == anchor).count();
        let number = if same > 0 {
            format!("-{same}")
        } else {
            String::new()
        };
        anchors.push(anchor + &number);
    }
    anchors
}

/// The targets of a page's links and pictures.
pub fn links(page: &str) -> Vec<&str> {
    let parts = prose(page).flat_map(|line| line.split("](").skip(1));
    parts.filter_map(|part| part.split(')').next()).collect()
}

/// The file that a link on a page leads to, from the root, and the anchor in it.
pub fn resolve<'l>(page: &str, link: &'l str) -> (PathBuf, &'l str) {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let page = root().join(page);
    let file = match file {
        "" => page,
        file => page.with_file_name(file),
    };
    (file, anchor)
}
