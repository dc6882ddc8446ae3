//! Why a command did not do what it was asked for.

use super::keygen::KeygenError;
use crate::config::Faults;

/// Why a command failed; its exit code is 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] Faults),
    /// The configuration is wrong, and the result has already told how.
    #[error("the configuration is not valid")]
    NotValid,
    /// No key was made.
    #[error(transparent)]
    Keygen(#[from] KeygenError),
    /// The result could not be written.
    #[error("the result cannot be written")]
    Output(#[from] std::io::Error),
    /// The result could not be put into JSON.
    #[error("the result cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}
