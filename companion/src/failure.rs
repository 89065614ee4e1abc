//! How the program ends when it cannot do what it was asked to do.

/// Ends the program with an exit code of its own and one line on stderr.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// The world is not as it has to be: exit code 3.
    CannotGoOn(String),
}

impl Failure {
    /// Says what cannot go on, and why.
    pub fn cannot(what: &str, error: impl std::fmt::Display) -> Self {
        Self::CannotGoOn(format!("{what}: {error}"))
    }
}
