//! Channels in a file, so that a restart does not serve for old vouchers again.
//!
//! Promises: when [`ChannelStore::swap`] returns, the line is on the disk; requests that come at once share one write. One process
//! has the file. Must be true: the file is on a disk of this machine. After a write that failed nothing is remembered any more
//! until the next start, because memory would be ahead of the disk.

use super::store::{ChannelStore, Channels, Remembered, StoreFault, Swapped};
use crate::domain::clock::UnixSeconds;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// The most lines that one write has.
const MOST_LINES: usize = 1_024;
/// The file is written anew when it has so many lines, and so many times more than there are channels.
const LEAST_LINES: usize = 4_096;
const LINES_PER_CHANNEL: usize = 4;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Another process has it.
    #[error("another process has the file of channels")]
    InUse,
    /// It cannot be read or written.
    #[error("the file of channels cannot be read or written")]
    File(#[from] io::Error),
    /// It is not what was written: what is left of it is not to be trusted.
    #[error("line {0} of the file of channels is damaged")]
    Damaged(usize),
}

/// A bounded number of channels in memory and in a file.
#[derive(Debug)]
pub struct FileStore {
    channels: Arc<Mutex<Channels>>,
    /// Taken when the store goes.
    lines: Option<Sender<Line>>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the file is in use.
    _lock: File,
}

/// A line to be written, and who waits for it.
#[derive(Debug)]
struct Line {
    text: String,
    written: oneshot::Sender<io::Result<()>>,
}

/// What a line says of a channel.
#[derive(Serialize, Deserialize)]
struct LineJson {
    channel: String,
    /// None where it is forgotten.
    remembered: Option<String>,
}

impl FileStore {
    /// Remembers at most `most` channels in the file at `path`, which is made where there is none. Beside it lies a file that says
    /// that it is in use.
    pub fn open(path: impl AsRef<Path>, most: usize) -> Result<Self, OpenFault> {
        let path = path.as_ref().to_owned();
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true)).open(beside(&path, "lock"))?;
        if lock.try_lock().is_err() {
            return Err(OpenFault::InUse);
        }
        let mut channels = Channels::new(most);
        read(&path, &mut channels)?;
        let channels = Arc::new(Mutex::new(channels));
        let writer = Writer::new(path, Arc::clone(&channels))?;
        let (lines, waiting) = mpsc::channel();
        let writer = thread::Builder::new().name("sotto-channels".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok(Self { channels, lines: Some(lines), writer: Some(writer), _lock: lock })
    }

    /// Changes what is remembered, and waits until that is written.
    async fn change(
        &self,
        channel: &str,
        change: impl FnOnce(&mut Channels) -> Result<Swapped, StoreFault>,
        remembered: Option<&Remembered>,
    ) -> Result<Swapped, StoreFault> {
        let text = line(channel, remembered);
        let (written, wait) = oneshot::channel();
        {
            // Handed over under the lock, so that lines of one channel are written in their order.
            let mut channels = lock(&self.channels);
            if change(&mut channels)? == Swapped::Changed {
                return Ok(Swapped::Changed);
            }
            let sent = self.lines.as_ref().is_some_and(|lines| lines.send(Line { text, written }).is_ok());
            if !sent {
                return Err(no_writer());
            }
        }
        wait.await.map_err(|_| no_writer())?.map_err(unavailable)?;
        Ok(Swapped::Done)
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        // Before the file is free for another process its writer has ended.
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl ChannelStore for FileStore {
    async fn get(&self, channel: &str) -> Result<Option<Remembered>, StoreFault> {
        Ok(lock(&self.channels).get(channel))
    }

    async fn swap(
        &self,
        channel: &str,
        before: Option<&Remembered>,
        after: &Remembered,
        now: UnixSeconds,
    ) -> Result<Swapped, StoreFault> {
        self.change(channel, |channels| channels.swap(channel, before, after, now), Some(after)).await
    }

    async fn remove(&self, channel: &str) -> Result<(), StoreFault> {
        let forget = |channels: &mut Channels| {
            channels.remove(channel);
            Ok(Swapped::Done)
        };
        self.change(channel, forget, None).await.map(drop)
    }
}

/// The only writer of the file, on a thread of its own.
struct Writer {
    path: PathBuf,
    channels: Arc<Mutex<Channels>>,
    file: File,
    lines: usize,
}

impl Writer {
    fn new(path: PathBuf, channels: Arc<Mutex<Channels>>) -> io::Result<Self> {
        let (file, lines) = write_anew(&path, &channels)?;
        Ok(Self { path, channels, file, lines })
    }

    /// Writes until nobody can ask for it any more, or a write has failed.
    fn run(mut self, waiting: &Receiver<Line>) {
        while let Ok(first) = waiting.recv() {
            let batch: Vec<Line> = std::iter::once(first).chain(waiting.try_iter().take(MOST_LINES - 1)).collect();
            let result = self.write(&batch);
            let failed = result.is_err();
            if let Err(error) = &result {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "channels cannot be written; restart once they can"
                );
            }
            for line in batch {
                // Who has gone away does not serve.
                let _ = line.written.send(result.as_ref().copied().map_err(|error| io::Error::from(error.kind())));
            }
            if failed {
                return;
            }
        }
    }

    fn write(&mut self, batch: &[Line]) -> io::Result<()> {
        let text: String = batch.iter().map(|line| line.text.as_str()).collect();
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.lines += batch.len();
        let channels = lock(&self.channels).len();
        if self.lines > LEAST_LINES && self.lines / LINES_PER_CHANNEL > channels {
            (self.file, self.lines) = write_anew(&self.path, &self.channels)?;
        }
        Ok(())
    }
}

/// Writes the file with one line for each channel, in the place of what there was. Lines that wait may be older than that; reading
/// takes the later voucher of two.
fn write_anew(path: &Path, channels: &Mutex<Channels>) -> io::Result<(File, usize)> {
    let (text, lines) = {
        let channels = lock(channels);
        (
            channels.iter().map(|(channel, remembered)| line(channel, Some(remembered))).collect::<String>(),
            channels.len(),
        )
    };
    let fresh = beside(path, "new");
    let mut file = private(OpenOptions::new().create(true).truncate(true).write(true)).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    // Without its folder a renamed file may be the old one after a power cut.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok((file, lines))
}

fn read(path: &Path, channels: &mut Channels) -> Result<(), OpenFault> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // A last line without its end was never answered for, and may break off inside a character.
    let is_end = |byte: &u8| *byte == b'\n';
    for (number, text) in bytes.split_inclusive(is_end).filter_map(|line| line.strip_suffix(b"\n")).enumerate() {
        let damaged = || OpenFault::Damaged(number + 1);
        let line: LineJson = serde_json::from_slice(text).map_err(|_| damaged())?;
        match line.remembered {
            Some(text) => channels.restore(line.channel, Remembered::from_text(&text).ok_or_else(damaged)?),
            None => channels.remove(&line.channel),
        }
    }
    Ok(())
}

fn line(channel: &str, remembered: Option<&Remembered>) -> String {
    let json = LineJson { channel: channel.to_owned(), remembered: remembered.map(Remembered::to_text) };
    // Texts: serialising cannot fail.
    format!("{}\n", serde_json::to_string(&json).unwrap_or_default())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Opens for this user alone: who can write the file can have old vouchers served for.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn lock(channels: &Mutex<Channels>) -> MutexGuard<'_, Channels> {
    // Each change is one insertion or removal, so nothing is half done after a panic.
    channels.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_writer() -> StoreFault {
    unavailable(io::Error::other("its writer has ended"))
}

fn unavailable(error: io::Error) -> StoreFault {
    StoreFault::Unavailable(Box::new(error))
}
