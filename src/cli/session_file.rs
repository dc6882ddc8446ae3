//! The place of a session's file, taken before the session is opened.
//!
//! Promises: no session is opened whose key cannot be kept, because the signed opening stands there, on disk, before it is
//! sent; the file appears under its name only when it is whole; nobody but its owner can ever read it; and what a killed
//! process left in its place is taken over, an opening that it had sent is gone on with, while the place of one that lives is
//! neither: it holds a lock, which the system takes back when it dies.

use super::{
    keygen::{Existing, beside, create_private_directory, create_private_file},
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
    time::{Duration, UNIX_EPOCH},
};

/// How old a half-written draft is, in seconds, before nobody is thought to go on with it.
const ABANDONED_SECONDS: u64 = 60;
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
    /// Takes the place of a file, and gives the opening that was sent into it by a process that did not end it.
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

    /// Writes the session, which takes the place of its opening: in the same file, so that a disk that is full by now has room
    /// for it.
    pub(super) fn write(mut self, session: &OpenSession) -> Result<(), PayerError> {
        let path = self.path.clone();
        let text = session.to_json().map_err(|source| PayerError::Saved { path: path.clone(), source })?;
        let placed = self.put(text.as_bytes());
        let draft = self.draft.take();
        // What could not be placed stays as it is: the session is open, and this is the only place that has its key.
        let placed = placed.and_then(|()| draft.as_ref().map_or(Ok(()), |draft| fs::rename(draft, &self.path)));
        placed.map_err(|source| PayerError::File { path, what: "written", source })
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

/// Takes over the draft of a process that is dead: gives it with the opening that it holds, or removes one that holds none. Then
/// the name alone goes: a new file is made, so that neither the mode nor the owner of what was there counts, and no link is
/// followed.
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
    if let Some(opening) = read_text(draft).ok().and_then(|text| Opening::from_json(&text).ok()) {
        return Ok(Some((file, opening)));
    }
    if found.len() > 0 && age(&found) < Duration::from_secs(ABANDONED_SECONDS) {
        return Err(in_the_way(draft, "a process ended a moment ago while it wrote it; try again in a minute"));
    }
    fs::remove_file(draft).map_err(failed)?;
    Ok(None)
}

fn in_the_way(path: &Path, why: &'static str) -> PayerError {
    PayerError::InTheWay { path: path.to_owned(), why }
}

/// How long ago the file was written; none at all where that is not known.
fn age(file: &Metadata) -> Duration {
    let written = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    written.map_or(Duration::ZERO, |at| Duration::from_secs(SystemClock.now()).saturating_sub(at))
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
