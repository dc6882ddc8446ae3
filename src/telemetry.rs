//! Logs: one subscriber for the process, on standard error so that standard output stays for results.
//!
//! What may be in a log line, and what never, is `docs/LOGGING.md`. Nothing here sends anything anywhere.

use crate::domain::printable::printable;
use std::io::{self, Write};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; without colours, whose bytes a value may hold as well.
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
    let layer = fmt::layer().with_writer(|| Lines(io::stderr()));
    match format {
        Format::Text => registry.with(layer.with_ansi(false)).try_init()?,
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

/// Writes each event as one line, whatever its values hold: texts of others begin no line and steer no terminal.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        // No colours: they begin with ESC, which a value may hold as well.
        self.0.write_all(format!("{}\n", printable(line)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_before_anything_is_set_up() {
        assert!(matches!(start(Format::Text, "info,sotto=loudest"), Err(TelemetryError::Filter(_))));
    }

    /// Guard: `Lines`.
    #[test]
    fn what_others_wrote_begins_no_line_of_a_log() {
        let sink = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sink);
        let writer = move || Lines(Kept(Arc::clone(&kept)));
        let subscriber = tracing_subscriber::registry().with(fmt::layer().with_ansi(false).with_writer(writer));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(error = %"\u{1b}[2J\r\nERROR all is lost\u{9b}", "the balance is not proved");
        });
        let text = String::from_utf8(sink.lock().expect("no panic").clone()).expect("UTF-8");
        assert!(text.trim_end().ends_with(r"[2J\u000d\u000aERROR all is lost\u009b"), "{text:?}");
        assert_eq!(text.chars().filter(|c| c.is_control()).collect::<String>(), "\n", "{text:?}");
    }

    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
