//! COMMAND DOCS of one command, read into a tree and written down as a syntax line.
//!
//! Edge: knows the server's format and no command.

use redis::Value;

use crate::support::{Con, text_of};

/// What COMMAND DOCS tells.
pub struct Docs {
    pub summary: String,
    pub complexity: String,
    pub since: String,
    pub group: String,
    pub module: String,
    pub arguments: Vec<Argument>,
}

/// An argument as the server describes it.
pub struct Argument {
    pub name: String,
    pub kind: String,
    pub token: Option<String>,
    pub key_spec: Option<i64>,
    pub flags: Vec<String>,
    /// The version it came with, where that is not its command's.
    pub since: Option<String>,
    pub arguments: Vec<Argument>,
}

/// A map of the server, in RESP2 or RESP3.
pub fn pairs(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Array(flat) => flat
            .chunks(2)
            .map(|pair| (text_of(&pair[0]), &pair[1]))
            .collect(),
        Value::Map(map) => map
            .iter()
            .map(|(name, value)| (text_of(name), value))
            .collect(),
        other => panic!("not a map: {other:?}"),
    }
}

/// An array or a set of words.
pub fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(elements) | Value::Set(elements) => elements.iter().map(text_of).collect(),
        other => panic!("not an array: {other:?}"),
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        other => panic!("not an array: {other:?}"),
    }
}

impl Docs {
    #[track_caller]
    pub fn of(con: &mut Con, command: &str) -> Docs {
        let reply = con.run(&format!("COMMAND DOCS {command}"));
        let commands = pairs(&reply);
        let (name, docs) = commands.first().expect("the server knows the command");
        assert_eq!(name, command);
        let docs = pairs(docs);
        let find = |wanted: &str| {
            docs.iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| *value)
        };
        let text = |wanted: &str| find(wanted).map(text_of).unwrap_or_default();
        let arguments = find("arguments").map(elements).unwrap_or_default();
        Docs {
            summary: text("summary"),
            complexity: text("complexity"),
            since: text("since"),
            group: text("group"),
            module: text("module"),
            arguments: arguments.iter().map(Argument::of).collect(),
        }
    }
}

impl Argument {
    fn of(value: &Value) -> Argument {
        let fields = pairs(value);
        let find = |wanted: &str| {
            fields
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| *value)
        };
        let arguments = find("arguments").map(elements).unwrap_or_default();
        Argument {
            name: find("name").map(text_of).unwrap_or_default(),
            kind: find("type").map(text_of).unwrap_or_default(),
            token: find("token").map(text_of),
            key_spec: find("key_spec_index").and_then(|index| text_of(index).parse().ok()),
            flags: find("flags").map(words).unwrap_or_default(),
            since: find("since").map(text_of),
            arguments: arguments.iter().map(Argument::of).collect(),
        }
    }

    /// The argument and all inside it.
    pub fn all(&self) -> Vec<&Argument> {
        let mut all = vec![self];
        all.extend(self.arguments.iter().flat_map(Argument::all));
        all
    }

    /// The argument as it stands in a syntax line: `[a]` may be left out, `{a | b}` is
    /// a choice, `a [a ...]` may come again.
    pub fn syntax(&self) -> String {
        let has = |flag: &str| self.flags.iter().any(|known| known == flag);
        assert!(!has("multiple_token"), "{}: a token each time", self.name);
        let inside = |between: &str| {
            self.arguments
                .iter()
                .map(Argument::syntax)
                .collect::<Vec<_>>()
                .join(between)
        };
        let bare = match self.kind.as_str() {
            "oneof" => inside(" | "),
            "block" => inside(" "),
            "pure-token" => String::new(),
            _ => self.name.clone(),
        };
        // The braces of a choice do not go around its keyword.
        let has_keyword = self.token.is_some();
        let bare = match self.kind.as_str() {
            "oneof" if has_keyword => format!("{{{bare}}}"),
            _ => bare,
        };
        let token = self.token.iter().cloned();
        let text = token
            .chain((!bare.is_empty()).then_some(bare))
            .collect::<Vec<_>>()
            .join(" ");
        let is_choice = self.kind == "oneof" && !has_keyword;
        match (has("optional"), has("multiple")) {
            (true, true) => format!("[{text} ...]"),
            (true, false) => format!("[{text}]"),
            (false, true) if is_choice => format!("{{{text}}} [...]"),
            (false, true) => format!("{text} [{text} ...]"),
            (false, false) if is_choice => format!("{{{text}}}"),
            (false, false) => text,
        }
    }
}
