//! One process per ledger: an operating-system lock on a file beside the database, freed by the system when the
//! process ends however it ends.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The lock, as long as it lives.
#[derive(Debug)]
pub(super) struct LedgerLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl LedgerLock {
    /// Takes the lock of the ledger at `path`; `None` when another process (or another ledger of this one) has it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = private(&beside(path, ".lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The file that stands beside a ledger under its name and `suffix`.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(ledger.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens or creates a file that only its owner can read: caps and payments stand in it. `SQLite` gives its side files
/// the same rights.
pub(super) fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
