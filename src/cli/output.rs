//! What people and programs read: tables and JSON on standard output, everything else on standard error.

use super::error::CliError;
use comfy_table::Table;
use serde::Serialize;
use std::{
    error::Error,
    fmt::Display,
    io::{Write as _, stderr, stdout},
};

/// A table with one line under its header and nothing else, so that its columns can also be cut out by other tools.
const PRESET: &str = "     ══            ";

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One object for programs.
    Json,
}

impl Format {
    /// What `--json` asks for.
    pub(super) const fn of_switch(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Writes one line (or block) of the result.
pub(super) fn say(text: impl Display) -> Result<(), CliError> {
    match writeln!(stdout().lock(), "{text}") {
        // The reader has seen enough: `sotto config show | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Writes the result as one JSON object.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    say(serde_json::to_string_pretty(value)?)
}

/// Writes the result as a table.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<(), CliError> {
    let mut table = Table::new();
    table.load_preset(PRESET).set_header(header).add_rows(rows);
    say(table)
}

/// Tells people what happens while standard output is for programs.
#[cfg(feature = "client")]
pub(super) fn note(text: &impl Display) {
    // Nobody can be told that nobody can be told.
    drop(writeln!(stderr().lock(), "{text}"));
}

/// Tells something odd that stops nothing.
pub(super) fn warn(warning: &impl Display) {
    // Nobody can be told that nobody can be told.
    drop(writeln!(stderr().lock(), "warning: {warning}"));
}

/// Tells why a command failed, with every cause.
pub(super) fn report(error: &dyn Error) {
    let mut stderr = stderr().lock();
    drop(writeln!(stderr, "error: {error}"));
    let mut cause = error.source();
    while let Some(inner) = cause {
        drop(writeln!(stderr, "  because: {inner}"));
        cause = inner.source();
    }
}
