//! Logs: one subscriber for the process, on standard error so that standard output stays for results.
//!
//! What may be in a log line, and what never, is `docs/LOGGING.md`. Nothing here sends anything anywhere.

use std::io::IsTerminal as _;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line, with the fields of its spans.
    Json,
}

/// Why logs were not set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter's directives cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process already has a subscriber.
    #[error("logs are already set up")]
    Already(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's subscriber; `filter` holds the directives of [`EnvFilter`], such as `info,sotto::chain=debug`.
pub fn start(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let registry = tracing_subscriber::registry().with(EnvFilter::try_new(filter)?);
    let layer = fmt::layer().with_writer(std::io::stderr);
    match format {
        Format::Text => registry.with(layer.with_ansi(std::io::stderr().is_terminal())).try_init()?,
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_before_anything_is_set_up() {
        assert!(matches!(start(Format::Text, "info,sotto=loudest"), Err(TelemetryError::Filter(_))));
    }
}
