//! How the process says that it could not.

use std::process::ExitCode;

/// A sentence for the operator and an exit code.
#[derive(Debug)]
pub(crate) struct Problem {
    /// One line.
    pub line: String,
    /// 64 for a bad configuration or command line (`EX_USAGE` of sysexits.h), 1 otherwise.
    pub code: u8,
}

impl Problem {
    /// It was understood and did not work.
    pub(crate) fn failed(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 1 }
    }

    /// It was not understood.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self { line: line.into(), code: 64 }
    }
}

impl<E: std::error::Error> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::failed(error.to_string())
    }
}

/// Prints the line and answers the code.
#[expect(clippy::print_stderr, reason = "the command line's own voice")]
pub(crate) fn fail(problem: &Problem) -> ExitCode {
    eprintln!("afluente: {}", problem.line.replace('\n', " "));
    ExitCode::from(problem.code)
}

/// Prints a line of the answer.
pub(crate) fn say(line: impl std::fmt::Display) {
    use std::io::Write as _;
    // A reader that has seen enough (`| head`) is no failure of ours.
    let _ = writeln!(std::io::stdout(), "{line}");
}
