//! Which file uses which, and whether any use each other in a circle.
//!
//! Edge: reads `use` lines, and paths in the code before the tests that begin with `crate`,
//! `super` or an imported name: `a::f()` after `use crate::a` uses the file that `f` is in.
//! A folder's `mod.rs` that only passes names on is looked through: who uses such a name
//! uses the file that the name comes from. Nor is a path that begins with a child module a
//! use: the table of all commands names each of them, and HELP reads the table.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// A module, by the names on the way to it.
type Path = Vec<String>;

/// The modules of a crate.
struct Modules {
    code: BTreeMap<Path, String>,
    /// What a module passes on, by its own name for it.
    passed_on: BTreeMap<Path, Path>,
}

/// The circles among the files below a crate's `src`, each in words.
pub fn circles(folder: &str, files: &[Source]) -> Vec<String> {
    let modules = Modules::new(folder, files);
    let uses: BTreeMap<&Path, BTreeSet<&Path>> = modules
        .code
        .keys()
        .map(|module| (module, modules.used_by(module)))
        .collect();
    let reach = |from: &Path| -> BTreeSet<&Path> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Path> = uses.get(from).into_iter().flatten().copied().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(uses.get(module).into_iter().flatten());
            }
        }
        seen
    };
    let is_in_one = |module: &&&Path| reach(module).contains(*module);
    let found = uses.keys().filter(is_in_one);
    found
        .map(|module| format!("{folder}/{}", module.join("/")))
        .collect()
}

impl Modules {
    fn new(folder: &str, files: &[Source]) -> Modules {
        let code: BTreeMap<Path, String> = files
            .iter()
            .map(|file| {
                let lines = file.code_before_tests().map(|(_, line)| line);
                let code = lines.collect::<Vec<_>>().join("\n");
                (module_of(folder, &file.path), code)
            })
            .collect();
        let mut modules = Modules {
            code,
            passed_on: BTreeMap::new(),
        };
        for (module, code) in &modules.code {
            for (is_passed_on, tree) in use_trees(code) {
                for Import { name, path } in leaves(&tree) {
                    if let (true, Some(from)) = (is_passed_on, modules.absolute(module, &path)) {
                        let own = module.iter().chain([&name]).cloned().collect();
                        modules.passed_on.insert(own, from);
                    }
                }
            }
        }
        modules
    }

    /// The path from the root of the crate; none for another crate's.
    fn absolute(&self, module: &Path, path: &[String]) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let joined = |module: &[String], rest: &[String]| [module, rest].concat();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(joined(module, rest)),
            "super" => {
                let mut above = module.split_last()?.1;
                let mut rest = rest;
                while let Some(("super", more)) = rest.split_first().map(|(f, r)| (f.as_str(), r)) {
                    (above, rest) = (above.split_last()?.1, more);
                }
                Some(joined(above, rest))
            }
            child => {
                let own = joined(module, &[child.to_owned()]);
                self.code.contains_key(&own).then(|| joined(module, path))
            }
        }
    }

    /// The file that a path leads to, through whatever passes it on.
    fn file_of(&self, path: &Path) -> Option<&Path> {
        let mut path = path.clone();
        // Longer than any way there is.
        for _ in 0..10 {
            let known = (0..=path.len())
                .rev()
                .find(|&len| self.code.contains_key(&path[..len]))?;
            let named = (known + 1..=path.len()).find_map(|len| {
                let from = self.passed_on.get(&path[..len])?;
                Some([from.as_slice(), &path[len..]].concat())
            });
            match named {
                Some(from) if from != path => path = from,
                _ => {
                    return self
                        .code
                        .get_key_value(&path[..known])
                        .map(|(file, _)| file);
                }
            }
        }
        None
    }

    /// The files that this one uses, but for itself.
    fn used_by(&self, module: &Path) -> BTreeSet<&Path> {
        let code = &self.code[module];
        let trees = use_trees(code);
        // What a module passes on of its children, it does not use.
        let is_above = |tree: &str| tree.starts_with("crate") || tree.starts_with("super");
        let own = trees
            .iter()
            .filter(|(is_passed_on, tree)| !is_passed_on || is_above(tree));
        let imports: Vec<Import> = own.flat_map(|(_, tree)| leaves(tree)).collect();
        let inline = inline_paths(code).into_iter().map(|path| {
            let import = imports.iter().find(|import| import.name == path[0]);
            match import {
                Some(import) => Some([&import.path, &path[1..]].concat()),
                None => matches!(path[0].as_str(), "crate" | "super").then_some(path),
            }
        });
        let named = imports.iter().map(|import| import.path.clone());
        named
            .chain(inline.flatten())
            .filter_map(|path| self.absolute(module, &path))
            .filter_map(|path| self.file_of(&path))
            .filter(|used| *used != module)
            .collect()
    }
}

fn module_of(folder: &str, path: &str) -> Path {
    let inside = path.trim_start_matches(folder).trim_start_matches('/');
    let mut names: Path = inside
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    names.pop_if(|last| last == "mod" || last == "lib");
    names
}

/// Where a statement turns out to be a `use`: behind whatever else stands before it.
fn use_at(statement: &str) -> Option<usize> {
    let at = statement.rfind("use ")?;
    let before = statement[..at].lines().last().unwrap_or_default().trim();
    (before.is_empty() || before.starts_with("pub")).then_some(at)
}

/// The trees of `use` lines, and whether the names are passed on.
fn use_trees(code: &str) -> Vec<(bool, String)> {
    code.split(';')
        .filter_map(|statement| {
            let at = use_at(statement)?;
            let before = statement[..at].lines().last().unwrap_or_default();
            let tree = statement[at + 4..].split_whitespace().collect::<Vec<_>>();
            Some((before.trim().starts_with("pub"), tree.join(" ")))
        })
        .collect()
}

/// A path that is imported, and the name it has where it is.
struct Import {
    name: String,
    path: Path,
}

impl Import {
    /// Reads `a::b`, `a::self`, `a::*` or `a::b as c`.
    fn new(leaf: &str) -> Import {
        let (path, alias) = leaf
            .split_once(" as ")
            .map_or((leaf, None), |(path, alias)| (path, Some(alias)));
        let names = path.split("::").map(|name| name.trim().to_owned());
        let path: Path = names
            .enumerate()
            .filter(|(at, name)| name != "*" && (name != "self" || *at == 0))
            .map(|(_, name)| name)
            .collect();
        let name = alias.map_or_else(|| path.last().cloned(), |alias| Some(alias.to_owned()));
        Import {
            name: name.unwrap_or_default(),
            path,
        }
    }
}

/// The imports of a tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<Import> {
    let Some((head, body)) = tree.split_once('{') else {
        return vec![Import::new(tree)];
    };
    let body = body.trim_end().trim_end_matches('}');
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in body.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[start..]);
    let parts = parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .flat_map(|part| leaves(&format!("{}{part}", head.trim())))
        .collect()
}

/// The paths of at least two names, but for those in `use` lines.
fn inline_paths(code: &str) -> Vec<Path> {
    let is_of_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let statements = code.split(';').map(|statement| {
        let at = use_at(statement);
        at.map_or(statement, |at| &statement[..at])
    });
    let paths = statements
        .flat_map(|statement| statement.split(|letter: char| !is_of_path(letter)))
        .filter(|path| path.contains("::") && !path.starts_with(':'));
    paths
        .map(|path| {
            let names = path.split("::").filter(|name| !name.is_empty());
            names
                .map(|name| name.trim_matches(':').to_owned())
                .collect()
        })
        .collect()
}

#[test]
fn follows_a_path_through_an_imported_module() {
    let folder = [
        ("src/a/mod.rs", "mod inside;\npub use inside::f;\n"),
        ("src/a/inside.rs", "use crate::c;\npub fn f() { c::g() }\n"),
        ("src/b.rs", "pub fn h() {}\n"),
    ];
    let circle = ["src/a/inside", "src/c"];
    for (last, expected) in [
        (
            "use crate::a::{self};\npub fn g() { a::f() }\n",
            &circle[..],
        ),
        (
            "use crate::a as other;\npub fn g() { other::f() }\n",
            &circle,
        ),
        ("use crate::b;\npub fn g() { b::h() }\n", &[]),
    ] {
        let last = [("src/c.rs", last)];
        let files = folder.iter().chain(&last);
        let files: Vec<Source> = files.map(|(path, text)| Source::new(path, text)).collect();
        assert_eq!(circles("src", &files), expected, "{last:?}");
    }
}
