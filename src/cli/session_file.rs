//! The place of a session's file, taken before the session is opened.
//!
//! Promises: no session is opened whose key cannot be kept, because the signed opening stands there, on disk, before it is
//! sent; the file appears under its name only when it is whole; nobody but its owner can ever read it; what may hold a key is never
//! removed; and what a killed process left in its place is taken over, an opening that it had sent is gone on with, while the place
//! of one that lives is neither: it holds a lock, which the system takes back when it dies.

use super::{
    keygen::{Existing, beside, create_private_directory, create_private_file},
    output::note,
    payer::PayerError,
};
use crate::{
    client::{OpenSession, Opening},
    config::read_text,
    domain::clock::{Clock as _, SystemClock},
};
use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What is told of a place that somebody else holds.
const TAKEN: &str = "another process is opening a session into the same file";

/// A place that is taken. What was neither written nor sent is removed when this is dropped.
pub(super) struct SessionFile {
    path: PathBuf,
    /// Until it has the file's own name.
    draft: Option<PathBuf>,
    file: File,
}

impl SessionFile {
    /// Takes the place of a file, and gives the opening that was sent into it by a process that did not end it; with
    /// [`Existing::Replace`] that one is set aside.
    pub(super) fn reserve(path: &Path, existing: Existing) -> Result<(Self, Option<Opening>), PayerError> {
        if path.exists() && existing == Existing::Keep {
            return Err(PayerError::Exists(path.to_owned()));
        }
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            let failed = |source| PayerError::File { path: path.to_owned(), what: "written", source };
            create_private_directory(directory).map_err(failed)?;
        }
        let draft = beside(path, ".new");
        let (file, opening) = match create_private_file(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match take_over(&draft)? {
                Some(_) if existing == Existing::Replace => {
                    set_aside(&draft)?;
                    (create_private_file(&draft), None)
                }
                Some((file, opening)) => (Ok(file), Some(opening)),
                None => (create_private_file(&draft), None),
            },
            created => (created, None),
        };
        let file = file.map_err(|source| PayerError::File { path: draft.clone(), what: "created", source })?;
        if opening.is_none() {
            lock(&file, &draft)?;
        }
        Ok((Self { path: path.to_owned(), draft: Some(draft), file }, opening))
    }

    /// Keeps a signed opening before it is sent.
    pub(super) fn keep(&mut self, opening: &Opening) -> Result<(), PayerError> {
        let text = opening.to_json().map_err(|source| PayerError::Saved { path: self.path.clone(), source })?;
        self.put(text.as_bytes()).map_err(|source| PayerError::File {
            path: self.path.clone(),
            what: "written",
            source,
        })
    }

    /// Leaves the opening that is kept where it is: it was sent, and nobody knows what became of it.
    pub(super) fn leave(mut self) {
        self.draft = None;
    }

    /// Writes the session; its opening, which has its key too, goes after that.
    pub(super) fn write(mut self, session: &OpenSession) -> Result<(), PayerError> {
        let path = self.path.clone();
        let text = session.to_json().map_err(|source| PayerError::Saved { path: path.clone(), source })?;
        self.place(text.as_bytes()).map_err(|source| {
            // What could not be placed stays: the session is open, and this is the only place that has its key.
            self.draft = None;
            PayerError::File { path, what: "written", source }
        })
    }

    fn place(&mut self, text: &[u8]) -> io::Result<()> {
        let mut beside = self.path.as_os_str().to_owned();
        beside.push(".open");
        let beside = PathBuf::from(beside);
        if write_whole(&beside, text).is_ok() {
            return fs::rename(&beside, &self.path).inspect_err(|_| drop(fs::remove_file(&beside)));
        }
        // On a disk that is full by now there is room in the place of the opening.
        drop(fs::remove_file(&beside));
        self.put(text)?;
        self.draft.take().map_or(Ok(()), |draft| fs::rename(draft, &self.path))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()
    }
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        // After the rename the name is free for others, and what stands there is theirs.
        if let Some(draft) = &self.draft {
            drop(fs::remove_file(draft));
        }
    }
}

/// Locks a draft that was just made, for as long as the file is open.
fn lock(file: &File, draft: &Path) -> Result<(), PayerError> {
    match file.try_lock() {
        // Where there are no locks nothing is taken over either: see `take_over`.
        Ok(()) | Err(TryLockError::Error(_)) => {}
        Err(TryLockError::WouldBlock) => return Err(in_the_way(draft, TAKEN)),
    }
    let failed = |source| PayerError::File { path: draft.to_owned(), what: "created", source };
    let ours = file.metadata().map_err(failed)?;
    // Somebody may have thought the new file abandoned before it was locked.
    if is_named(&ours, draft) { Ok(()) } else { Err(in_the_way(draft, TAKEN)) }
}

/// Writes a file that nobody had.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Who has the draft's lock is alone here: what stands there is of a process that died before it could rename it.
    drop(fs::remove_file(path));
    let mut file = create_private_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a draft another name, under which nobody looks for it.
fn set_aside(draft: &Path) -> Result<(), PayerError> {
    let mut aside = draft.as_os_str().to_owned();
    aside.push(format!(".{}", SystemClock.now()));
    let aside = PathBuf::from(aside);
    note(&format_args!("an opening that was sent and not ended is set aside in {}", aside.display()));
    fs::rename(draft, &aside).map_err(|source| PayerError::File { path: draft.to_owned(), what: "set aside", source })
}

/// Takes over the draft of a process that is dead: gives it with the opening that it holds, or removes one that holds nothing.
/// Anything else may hold a session's key, and stays.
fn take_over(draft: &Path) -> Result<Option<(File, Opening)>, PayerError> {
    let failed = |source| PayerError::File { path: draft.to_owned(), what: "taken over", source };
    if !fs::symlink_metadata(draft).map_err(failed)?.is_file() {
        return Err(in_the_way(draft, "it is no file; remove it"));
    }
    let file = OpenOptions::new().read(true).write(true).open(draft).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_the_way(draft, TAKEN)),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let found = file.metadata().map_err(failed)?;
    if !is_named(&found, draft) {
        return Err(in_the_way(draft, TAKEN));
    }
    if found.len() == 0 {
        // The name alone goes: a new file is made, so that neither the mode nor the owner of what was there counts.
        fs::remove_file(draft).map_err(failed)?;
        return Ok(None);
    }
    if !is_private(&found) {
        return Err(in_the_way(draft, "others can read it, so no key in it is safe; remove it"));
    }
    let text = read_text(draft).map(Zeroizing::new).map_err(failed)?;
    if let Ok(opening) = Opening::from_json(&text) {
        return Ok(Some((file, opening)));
    }
    let is_session = OpenSession::from_json(&text).is_ok();
    Err(in_the_way(
        draft,
        if is_session {
            "it holds a session that is open; give it the name that it was to have"
        } else {
            "it cannot be read, and may hold the key of a session that is open; move it away"
        },
    ))
}

#[cfg(unix)]
fn is_private(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // The six bits of group and others.
    file.permissions().mode().trailing_zeros() >= 6
}

#[cfg(not(unix))]
const fn is_private(_file: &Metadata) -> bool {
    true
}

fn in_the_way(path: &Path, why: &'static str) -> PayerError {
    PayerError::InTheWay { path: path.to_owned(), why }
}

/// Whether the name still means this file, and means it itself.
#[cfg(unix)]
fn is_named(file: &Metadata, name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(name).is_ok_and(|named| (named.dev(), named.ino()) == (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn is_named(_file: &Metadata, name: &Path) -> bool {
    fs::symlink_metadata(name).is_ok_and(|named| named.is_file())
}
