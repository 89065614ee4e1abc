//! What the server is told about a command, as data.
//!
//! Edge: plain constants, nothing is looked up; `register.rs` turns them into the
//! server's structures, and the help texts are generated from them.

/// Everything COMMAND INFO and COMMAND DOCS tell about a command.
pub struct CommandSpec {
    pub name: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    pub since: &'static str,
    /// The server's flags, separated by spaces.
    pub flags: &'static str,
    /// Number of words, the name among them; `-n` means at least n.
    pub arity: i32,
    pub keys: &'static [KeySpec],
    pub arguments: &'static [Argument],
    /// Hints for clients and proxies, separated by spaces.
    pub tips: &'static str,
    /// Not for clients: left out of HELP.
    pub internal: bool,
}

/// Where keys stand in the line, and what happens to them.
pub struct KeySpec {
    /// Position of the first key.
    pub first: i32,
    /// Position of the last key, counted from the first; negative from the end.
    pub last: i32,
    /// `REDISMODULE_CMD_KEY_*`.
    pub flags: u64,
}

impl KeySpec {
    const RO: u64 = 1 << 0;
    const RW: u64 = 1 << 1;
    const ACCESS: u64 = 1 << 4;
    const UPDATE: u64 = 1 << 5;
    const INSERT: u64 = 1 << 6;

    const fn one(first: i32, flags: u64) -> KeySpec {
        KeySpec {
            first,
            last: 0,
            flags,
        }
    }

    /// The key is read.
    pub const fn read(first: i32) -> KeySpec {
        KeySpec::one(first, KeySpec::RO | KeySpec::ACCESS)
    }

    /// The key is changed, depending on what it holds and answering from it.
    pub const fn update(first: i32) -> KeySpec {
        KeySpec::one(first, KeySpec::RW | KeySpec::ACCESS | KeySpec::UPDATE)
    }

    /// Something is added to the key, and nothing told about what it holds.
    pub const fn insert(first: i32) -> KeySpec {
        KeySpec::one(first, KeySpec::RW | KeySpec::INSERT)
    }

    /// The key is named, and neither read nor changed: only its type is looked at.
    pub const fn name(first: i32) -> KeySpec {
        KeySpec::one(first, KeySpec::RO)
    }

    /// This key and all up to `last`, counted from the end.
    pub const fn through(self, last: i32) -> KeySpec {
        KeySpec { last, ..self }
    }
}

/// What an argument is.
#[derive(Clone, Copy)]
pub enum ArgumentKind {
    /// A key, of the key spec with this index.
    Key(i32),
    String,
    Integer,
    Double,
    UnixTime,
    /// The token alone.
    Flag,
    /// One of these.
    OneOf(&'static [Argument]),
    /// All of these, in this order.
    Block(&'static [Argument]),
}

/// One argument of a command.
#[derive(Clone, Copy)]
pub struct Argument {
    pub name: &'static str,
    pub kind: ArgumentKind,
    /// A keyword before the argument.
    pub token: Option<&'static str>,
    pub is_optional: bool,
    pub is_multiple: bool,
    /// The version it came with, where that is later than its command's.
    pub since: Option<&'static str>,
}

impl Argument {
    const fn new(name: &'static str, kind: ArgumentKind) -> Argument {
        Argument {
            name,
            kind,
            token: None,
            is_optional: false,
            is_multiple: false,
            since: None,
        }
    }

    pub const fn key(name: &'static str, spec: i32) -> Argument {
        Argument::new(name, ArgumentKind::Key(spec))
    }

    pub const fn string(name: &'static str) -> Argument {
        Argument::new(name, ArgumentKind::String)
    }

    pub const fn integer(name: &'static str) -> Argument {
        Argument::new(name, ArgumentKind::Integer)
    }

    pub const fn double(name: &'static str) -> Argument {
        Argument::new(name, ArgumentKind::Double)
    }

    pub const fn unix_time(name: &'static str) -> Argument {
        Argument::new(name, ArgumentKind::UnixTime)
    }

    /// A keyword alone; `name` is its name in the documentation.
    pub const fn flag(name: &'static str, token: &'static str) -> Argument {
        let mut argument = Argument::new(name, ArgumentKind::Flag);
        argument.token = Some(token);
        argument
    }

    pub const fn one_of(name: &'static str, choices: &'static [Argument]) -> Argument {
        Argument::new(name, ArgumentKind::OneOf(choices))
    }

    pub const fn block(name: &'static str, parts: &'static [Argument]) -> Argument {
        Argument::new(name, ArgumentKind::Block(parts))
    }

    /// Puts a keyword before it.
    pub const fn after(mut self, token: &'static str) -> Argument {
        self.token = Some(token);
        self
    }

    pub const fn optional(mut self) -> Argument {
        self.is_optional = true;
        self
    }

    pub const fn multiple(mut self) -> Argument {
        self.is_multiple = true;
        self
    }

    /// Came with this version, later than its command.
    pub const fn since(mut self, version: &'static str) -> Argument {
        self.since = Some(version);
        self
    }
}
