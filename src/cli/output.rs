//! What people and programs read: tables and JSON on standard output, everything else on standard error.
//!
//! Promises that texts of others neither steer a terminal nor begin a line: everything passes [`printable`] here, and only
//! [`say_lines`] and [`note_lines`], which are for texts of ours alone, let line breaks through.

use super::error::CliError;
use crate::domain::printable::{printable, printable_but};
use comfy_table::Table;
use serde::Serialize;
use std::{
    error::Error,
    fmt::Display,
    io::{Write as _, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
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

/// What stays as it is in a text of several lines.
const LINE_BREAK: &[char] = &['\n'];

/// Writes one line of the result.
pub(super) fn say(line: impl Display) -> Result<(), CliError> {
    write_result(&printable(line))
}

/// Writes several lines of the result, none of which holds what others wrote.
pub(super) fn say_lines(lines: impl Display) -> Result<(), CliError> {
    write_result(&printable_but(lines, LINE_BREAK))
}

fn write_result(text: &impl Display) -> Result<(), CliError> {
    match writeln!(stdout().lock(), "{text}") {
        // The reader has seen enough: `sotto config show | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Writes the result as one JSON object. Line breaks within its texts are escaped by JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    say_lines(serde_json::to_string_pretty(value)?)
}

/// Writes the result as a table.
pub(super) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<(), CliError> {
    let rows = rows.into_iter().map(|row| row.map(|cell| printable(cell).to_string()));
    let mut table = Table::new();
    table.load_preset(PRESET).set_header(header).add_rows(rows);
    say_lines(table)
}

/// Tells people what happens while standard output is for programs.
#[cfg(feature = "client")]
pub(super) fn note(line: &impl Display) {
    write_aside(&printable(line));
}

/// Tells people several lines, none of which holds what others wrote.
#[cfg(all(feature = "client", feature = "merchant", feature = "localnet"))]
pub(super) fn note_lines(lines: &impl Display) {
    write_aside(&printable_but(lines, LINE_BREAK));
}

/// Whether warnings and failures go to the log, as its events, and nowhere else.
static IN_LOG: AtomicBool = AtomicBool::new(false);

/// Has warnings and failures told in the log from now on: it is one that programs read.
pub(super) fn tell_in_log() {
    IN_LOG.store(true, Ordering::Relaxed);
}

/// Whether warnings and failures are told in the log.
pub(super) fn is_in_log() -> bool {
    IN_LOG.load(Ordering::Relaxed)
}

fn report_in_log(error: &CliError) {
    if let CliError::Configuration(faults) = error {
        for fault in &faults.0 {
            tracing::error!(%fault, "the configuration is wrong");
        }
        return;
    }
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let cause = causes.join(": ");
    tracing::error!(%error, cause, "the service ends");
}

/// Tells something odd that stops nothing.
pub(super) fn warn(warning: &impl Display) {
    if is_in_log() {
        tracing::warn!(detail = %warning, "the configuration has something odd");
        return;
    }
    write_aside(&format_args!("warning: {}", printable(warning)));
}

/// Tells why a command failed, with every cause.
pub(super) fn report(error: &CliError) {
    if is_in_log() {
        return report_in_log(error);
    }
    // Faults are several lines each, of the operator's own configuration.
    let kept: &[char] = if matches!(error, CliError::Configuration(_)) { LINE_BREAK } else { &[] };
    write_aside(&format_args!("error: {}", printable_but(error, kept)));
    let mut cause = error.source();
    while let Some(inner) = cause {
        write_aside(&format_args!("  because: {}", printable(inner)));
        cause = inner.source();
    }
}

fn write_aside(text: &impl Display) {
    // Nobody can be told that nobody can be told.
    drop(writeln!(stderr().lock(), "{text}"));
}
