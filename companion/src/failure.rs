//! How the program ends when it cannot do what it was asked to do.

/// Ends the program with an exit code of its own and one line on stderr.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// The world is not as it has to be: exit code 3.
    CannotGoOn(String),
}
