//! Rust files as text: what is code, what is comment, where a function ends.
//!
//! Edge: a reading good enough for the project's own formatted files. It knows
//! comments, strings and character literals, and counts braces; it is no parser.

use std::path::Path;

/// One Rust file of the project.
pub struct Source {
    /// Its path from the root of the project, with `/` between folders.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The same lines without comments and without what is inside literals.
    pub code: String,
}

/// A function: where it starts, and how many lines it takes.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Source {
    pub fn read(root: &Path, path: &str) -> Source {
        let text = std::fs::read_to_string(root.join(path)).expect("a file of the project");
        Source::new(path, &text)
    }

    pub fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code: code_of(text),
        }
    }

    /// How many lines come before the tests of the file.
    pub fn lines_before_tests(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let begins = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
        lines.windows(2).position(begins).unwrap_or(lines.len())
    }

    /// The lines of code before the tests, each with its number.
    pub fn code_before_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.code.lines().enumerate();
        numbered
            .map(|(index, line)| (index + 1, line))
            .take(self.lines_before_tests())
    }

    /// The comment the file opens with, its slashes taken off.
    pub fn opening(&self) -> String {
        let lines = self.text.lines();
        let comment = lines.map_while(|line| line.strip_prefix("//!"));
        comment.map(str::trim).collect::<Vec<_>>().join("\n")
    }

    /// Where this occurs in the code before the tests, as `path:line: what`.
    pub fn places(&self, what: &str) -> Vec<String> {
        let found = self.code_before_tests().filter(|(_, line)| has(line, what));
        found
            .map(|(number, _)| format!("{}:{number}: {what}", self.path))
            .collect()
    }

    /// Every function with a body, also those inside others.
    pub fn functions(&self) -> Vec<Function> {
        let bytes = self.code.as_bytes();
        let starts = self.code.match_indices("fn ").map(|(at, _)| at);
        let starts = starts.filter(|at| *at == 0 || !is_word(bytes[at - 1]));
        starts.filter_map(|at| self.function(at)).collect()
    }

    fn function(&self, start: usize) -> Option<Function> {
        let rest = &self.code[start..];
        let name: String = rest[3..]
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect();
        let mut depth = 0;
        for (offset, letter) in rest.char_indices() {
            match letter {
                // A declaration, or a type like `fn(u8) -> u8`.
                ';' | ',' | ')' | '=' if depth == 0 && name.is_empty() => return None,
                // Brackets too, for the `;` of an array type in the signature.
                '{' | '[' | '(' => depth += 1,
                ']' | ')' => depth -= 1,
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        let line = self.code[..start].matches('\n').count() + 1;
                        let lines = rest[..offset].matches('\n').count() + 1;
                        return Some(Function { name, line, lines });
                    }
                }
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }
}

/// Does the line have this, not as a part of a longer word?
pub fn has(line: &str, what: &str) -> bool {
    let (first, last) = (what.as_bytes()[0], what.as_bytes()[what.len() - 1]);
    line.match_indices(what).any(|(at, _)| {
        let bytes = line.as_bytes();
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + what.len()).copied();
        let goes_on_before = is_word(first) && before.is_some_and(is_word);
        let goes_on_after = is_word(last) && after.is_some_and(is_word);
        !goes_on_before && !goes_on_after
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The text with comments and the insides of literals turned to blanks.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let kept = at > 0 && is_word(bytes[at - 1]);
        let end = match literal_end(&bytes[at..], kept) {
            Some(length) => at + length,
            None => {
                out.push(char::from(bytes[at]));
                at += 1;
                continue;
            }
        };
        let blank = |byte: &u8| if *byte == b'\n' { '\n' } else { ' ' };
        out.extend(bytes[at..end].iter().map(blank));
        at = end;
    }
    out
}

/// How long the comment or literal is that begins here, if one does.
fn literal_end(bytes: &[u8], is_inside_word: bool) -> Option<usize> {
    let rest = |from: usize| bytes.get(from..).unwrap_or_default();
    let up_to = |from: usize, what: &[u8]| {
        let found = rest(from)
            .windows(what.len())
            .position(|window| window == what);
        found.map_or(bytes.len(), |position| from + position + what.len())
    };
    match bytes {
        [b'/', b'/', ..] => Some(up_to(2, b"\n") - 1),
        [b'/', b'*', ..] => Some(up_to(2, b"*/")),
        [b'"', ..] => Some(quoted_end(bytes)),
        [b'r', b'"' | b'#', ..] if !is_inside_word => raw_end(bytes),
        [b'b', b'r', b'"' | b'#', ..] if !is_inside_word => raw_end(rest(1)).map(|end| end + 1),
        // A character; a lifetime has no second quote this near.
        [b'\'', b'\\', ..] => Some(up_to(3, b"'")),
        [b'\'', _, b'\'', ..] => Some(3),
        [b'\'', first, ..] if *first >= 0x80 => Some(up_to(1, b"'")),
        _ => None,
    }
}

/// The end of `"..."`, escapes looked through.
fn quoted_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r"..."` or `r#"..."#`; none for a raw identifier.
fn raw_end(bytes: &[u8]) -> Option<usize> {
    let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let from = hashes + 2;
    let found = bytes[from..]
        .windows(close.len())
        .position(|window| window == close);
    Some(found.map_or(bytes.len(), |position| from + position + close.len()))
}
