//! One process per ledger: an operating-system lock on a file beside the database, freed by the system when the
//! process ends however it ends.

use crate::ledger::OpenLedgerError;
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

/// The one name of a ledger's file, by which its lock and its log are found whatever name it was given: symbolic links lead
/// to it. Makes the file where there is none. Refuses one that has several names, because they all are as good.
///
/// Opens no file that is there: to close it would take the locks away that SQLite has on it in this process.
pub(super) fn one_name(path: &Path) -> Result<PathBuf, OpenLedgerError> {
    if !path.exists() {
        drop(private(path)?);
    }
    let path = path.canonicalize()?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(&path.metadata()?) > 1 {
        return Err(OpenLedgerError::SeveralNames { path });
    }
    Ok(path)
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
