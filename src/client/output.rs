//! Standard output of the client commands.

use std::io::{self, IsTerminal, Write};

use super::failure::Failure;
use super::table::Look;

/// Writes all of it; a reader that is gone ends the command.
///
/// # Errors
/// Standard output takes no more.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| cannot_write(&e))
}

/// Says what went wrong, and lets the command go on. Nobody can be told that
/// standard error is full or gone.
pub fn complain(failure: &Failure) {
    if !failure.is_silent() {
        let _ = writeln!(io::stderr(), "quarterdeck: {failure}");
    }
}

/// Text for a person, as it is, on standard error.
pub fn note(text: &str) {
    let _ = write!(io::stderr(), "{text}");
}

/// The failure for a standard output that takes no more.
pub fn cannot_write(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::silent();
    }
    Failure::new(format!("cannot write to standard output: {error}"))
}

/// Lines, each with its end.
///
/// # Errors
/// As [`print`].
pub fn print_lines<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        text.extend([line.as_ref(), "\n"]);
    }
    print(text.as_bytes())
}

/// An answer of the API, as it came.
///
/// # Errors
/// As [`print`].
pub fn print_json(answer: &[u8]) -> Result<(), Failure> {
    print(answer)?;
    print(b"\n")
}

/// How tables look here: as wide as the terminal and in colours, or whole and
/// without for a program that reads them.
#[must_use]
pub fn look() -> Look {
    let out = io::stdout();
    if !out.is_terminal() {
        return Look { width: None, colours: false };
    }
    let columns = rustix::termios::tcgetwinsize(&out).map_or(0, |size| size.ws_col);
    let unwanted = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    Look { width: (columns > 0).then(|| columns.into()), colours: !unwanted("NO_COLOR") && !is_dumb }
}
