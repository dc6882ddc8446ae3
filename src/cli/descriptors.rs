//! File descriptors: how many connections the operating system lets the process hold.

use super::error::CliError;
use crate::api::ServerSettings;

/// Descriptors for everything that is no connection of a caller: ledger, RPC endpoints, websockets, listeners, and the places
/// of probes.
const KEPT: usize = 128;

/// Raises the limit of descriptors as far as the process may, and lowers the most connections to what is possible then: where
/// descriptors run out nobody is accepted any more, probes neither. Tells both; refuses where nothing is left for callers.
pub(super) fn fit(mut settings: ServerSettings) -> Result<ServerSettings, CliError> {
    let Some(limit) = raised_limit() else { return Ok(settings) };
    let possible = limit.saturating_sub(KEPT);
    if possible == 0 {
        return Err(CliError::Descriptors { limit, least: KEPT + 1 });
    }
    let configured = settings.connections;
    settings.connections = Some(configured.map_or(possible, |most| most.min(possible)));
    if configured.is_none_or(|most| most > possible) {
        tracing::warn!(
            configured = configured.unwrap_or_default(),
            possible,
            descriptors = limit,
            "fewer connections are possible than limits.connections says; raise the limit of file descriptors"
        );
    }
    Ok(settings)
}

/// How many descriptors the process may have after it has asked for all that it is let have; none for no limit.
#[cfg(unix)]
fn raised_limit() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let given = getrlimit(Resource::Nofile);
    // Some systems name a hard limit that they do not grant: then what there was has to do.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: given.maximum, maximum: given.maximum });
    getrlimit(Resource::Nofile).current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Nobody tells, so nothing is lowered.
#[cfg(not(unix))]
const fn raised_limit() -> Option<usize> {
    None
}
