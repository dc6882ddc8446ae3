//! `[ledger]`: where money is remembered.

use super::{reader::Reader, schema::Key};
use crate::domain::clock::DAY;
use std::path::PathBuf;

const PATH: Key = Key::text("ledger", "path");
const ARCHIVE_AFTER_DAYS: Key = Key::integer("ledger", "archive_after_days");

pub(super) const KEYS: &[Key] = &[PATH, ARCHIVE_AFTER_DAYS];

/// Directories that a restart or a redeploy empties.
const EPHEMERAL: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];

/// The ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerConfig {
    /// The `SQLite` file, absolute. A deployed service's file is recognised and its live sessions are imported.
    pub path: PathBuf,
    /// How many seconds after a session's last payment its payments move to the archive, once it has ended; none for never.
    pub archive_after: Option<u64>,
}

impl LedgerConfig {
    /// Reads the section.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let days = reader.whole(&ARCHIVE_AFTER_DAYS, 0..=36_500_u64);
        let text = reader.text(&PATH)?;
        let remedy = "write the path of a file on a disk that survives restarts and redeploys";
        if text.is_empty() || text.contains(":memory:") || text.contains('\0') {
            reader.fault(&PATH, format!("{text:?} is not a file: sessions would not survive a restart"), remedy);
            return None;
        }
        let path = reader.environment().resolve(text);
        if path.is_dir() {
            reader.fault(&PATH, format!("{} is a directory", path.display()), remedy);
            return None;
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            let problem = format!("there is no directory {}", directory.display());
            reader.fault(&PATH, problem, "create it, or choose a file in a directory that exists");
            return None;
        }
        if EPHEMERAL.iter().any(|directory| path.starts_with(directory)) {
            let text = format!("{} may be emptied while spend approvals live on; {remedy}", path.display());
            reader.warn(&PATH, text);
        }
        Some(Self { path, archive_after: Some(days? * DAY).filter(|seconds| *seconds > 0) })
    }
}
