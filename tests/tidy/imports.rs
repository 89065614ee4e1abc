//! Which file uses which, and whether any use each other in a circle.
//!
//! Edge: reads `use` lines and paths that begin with `crate` or `super`, of code before
//! the tests. A folder's `mod.rs` that only passes names on is looked through: who uses
//! such a name uses the file it is from.

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
                for path in leaves(&tree) {
                    if let (true, Some(name), Some(from)) =
                        (is_passed_on, path.last(), modules.absolute(module, &path))
                    {
                        let own = module.iter().chain([name]).cloned().collect();
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
        let own = trees.iter().filter(|(is_passed_on, _)| !is_passed_on);
        let named = own.flat_map(|(_, tree)| leaves(tree));
        let inline = inline_paths(code);
        named
            .chain(inline)
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

/// The trees of `use` lines, and whether the names are passed on.
fn use_trees(code: &str) -> Vec<(bool, String)> {
    code.split(';')
        .filter_map(|statement| {
            let at = statement.rfind("use ")?;
            let before = statement[..at].lines().last().unwrap_or_default().trim();
            let is_use = before.is_empty() || before.starts_with("pub");
            is_use.then(|| {
                let tree = statement[at + 4..]
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ");
                (before.starts_with("pub"), tree)
            })
        })
        .collect()
}

/// The paths of a tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<Path> {
    let Some((head, body)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let names = path.split("::").map(|name| name.trim().to_owned());
        return vec![
            names
                .filter(|name| name != "*" && name != "self" || path == "self")
                .collect(),
        ];
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

/// Paths in the code itself that begin with `crate` or `super`.
fn inline_paths(code: &str) -> Vec<Path> {
    let starts = ["crate::", "super::"]
        .iter()
        .flat_map(|start| code.match_indices(start));
    let paths = starts.map(|(at, _)| {
        let end = code[at..]
            .find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
        let path = &code[at..end.map_or(code.len(), |end| at + end)];
        let names = path.split("::").filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    });
    paths.collect()
}
