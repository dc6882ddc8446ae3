//! `[telemetry]`: how logs are written (`docs/LOGGING.md` tells what is in them).

use super::{reader::Reader, schema::Key};

const LOG_FORMAT: Key = Key::text("telemetry", "log_format");
const LOG_FILTER: Key = Key::text("telemetry", "log_filter");

pub(super) const KEYS: &[Key] = &[LOG_FORMAT, LOG_FILTER];

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// How logs are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// The form of a line.
    pub log_format: LogFormat,
    /// Which lines: the directives of `tracing_subscriber::EnvFilter`.
    pub log_filter: String,
}

impl TelemetryConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let log_format = reader.word(&LOG_FORMAT, &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        let remedy =
            "write a level (error, warn, info, debug, trace) or directives such as \"info,sotto::chain=debug\"";
        let log_filter = reader.parsed(&LOG_FILTER, remedy, |text| {
            let parsed = tracing_subscriber::EnvFilter::try_new(text);
            parsed.map(|_| text.to_owned()).map_err(|_| format!("{text:?} is not a log filter"))
        });
        Some(Self { log_format: log_format?, log_filter: log_filter? })
    }
}
