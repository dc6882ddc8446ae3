//! The file of a buyer's state.
//!
//! Promises: nobody but its owner can ever read it, it is never half written, and two processes never write it in turns, each
//! without what the other drew: whoever opens it holds a lock, which the system takes back when they die.

use super::state::{BuyerState, StateError};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Why a state's file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// It cannot be read or made.
    #[error("{} cannot be opened", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("another process draws from the channels in {}", .0.display())]
    InUse(PathBuf),
    /// Its secrets may be known.
    #[error("{} can be read by others, so no secret in it is safe; close its channels, or make it private (chmod 600)", .0.display())]
    NotPrivate(PathBuf),
    /// It holds something else.
    #[error("{} holds no state of channels", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: StateError,
    },
}

/// An opened and locked state file.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Locked for as long as this lives; a file of its own, because the state is replaced as a whole.
    _lock: File,
}

impl StateFile {
    /// Opens the file at `path` and gives what it holds, if it is there.
    pub fn open(path: &Path) -> Result<(Self, Option<BuyerState>), StateFileError> {
        let failed = |source| StateFileError::Io { path: path.to_owned(), source };
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            create_private_directory(directory).map_err(failed)?;
        }
        let lock = private().write(true).create(true).truncate(false).open(beside(path, ".lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateFileError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let state = match File::open(path) {
            Ok(file) => Some(read(path, &file)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Ok((Self { path: path.to_owned(), _lock: lock }, state))
    }

    /// Writes the state whole, under another name first. On disk when this returns.
    pub fn save(&self, state: &BuyerState) -> io::Result<()> {
        let text = state.to_json().map_err(io::Error::other)?;
        let draft = beside(&self.path, ".new");
        // Whoever has the lock is alone here: what stands there is of a process that died before it could rename it.
        drop(fs::remove_file(&draft));
        let mut file = private().write(true).create_new(true).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        sync_directory(&self.path)
    }
}

fn read(path: &Path, file: &File) -> Result<BuyerState, StateFileError> {
    let failed = |source| StateFileError::Io { path: path.to_owned(), source };
    if !is_private(&file.metadata().map_err(failed)?) {
        return Err(StateFileError::NotPrivate(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    BuyerState::from_json(&text).map_err(|source| StateFileError::State { path: path.to_owned(), source })
}

/// The file that stands beside another under its name and `suffix`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(unix)]
fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn is_private(file: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // The six bits of group and others.
    file.permissions().mode().trailing_zeros() >= 6
}

#[cfg(not(unix))]
const fn is_private(_file: &fs::Metadata) -> bool {
    true
}

/// A rename is on disk only when its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
const fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use solana_pubkey::Pubkey;
    use std::os::unix::fs::PermissionsExt as _;

    fn state() -> BuyerState {
        let key = |byte| Pubkey::new_from_array([byte; 32]);
        BuyerState::new("http://127.0.0.1:4021", key(1), "solana:x", key(2))
    }

    #[test]
    fn only_its_owner_reads_it_and_one_process_at_a_time_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/mpp.json");
        let (file, found) = StateFile::open(&path).unwrap();
        assert!(found.is_none());
        file.save(&state()).unwrap();
        assert!(matches!(StateFile::open(&path), Err(StateFileError::InUse(_))));
        drop(file);
        let (file, found) = StateFile::open(&path).unwrap();
        assert_eq!(found, Some(state()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // A draft of a process that died is replaced.
        fs::write(beside(&path, ".new"), "half").unwrap();
        file.save(&state()).unwrap();
        drop(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(StateFile::open(&path), Err(StateFileError::NotPrivate(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{}").unwrap();
        assert!(matches!(StateFile::open(&path), Err(StateFileError::State { .. })));
    }
}
