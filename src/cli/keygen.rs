//! `sotto keygen`: a new key pair in a file that only its owner can read.

use super::{
    error::CliError,
    output::{json, say_lines},
};
use crate::domain::{
    chance::{Chance, OsChance},
    key_pair::KeyPair,
};
use clap::Args;
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Make a key pair and write it to a file that only you can read
///
/// The file is a JSON array of 64 numbers, as `solana-keygen` writes it. The public key is printed, the secret never.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sotto keygen                        the spender, where `sotto serve` looks for it\n  \
                        sotto keygen .keys/fee-payer.json   another key"
)]
pub(super) struct Keygen {
    /// The file to write
    #[arg(default_value = ".keys/facilitator.json")]
    path: PathBuf,
    /// Replace the file if it is there; the old key is lost, and with it whatever it owns
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeygenError {
    /// The file is there.
    #[error("{} is there already; choose another file, or add --force to lose the key in it", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The pair cannot be put into JSON.
    #[error("the key pair cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Keygen {
    pub(super) fn run(self) -> Result<(), CliError> {
        let pair = new_pair(&OsChance);
        write_pair(&pair, &self.path, Existing::of_switch(self.force))?;
        let (key, path) = (pair.public().to_string(), self.path.display().to_string());
        if self.json {
            return json(&json!({ "publicKey": key, "path": path }));
        }
        say_lines(format_args!("public key  {key}\nwritten to  {path}"))
    }
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and nothing is written.
    Keep,
    /// It is replaced.
    Replace,
}

impl Existing {
    /// What `--force` asks for.
    pub(super) const fn of_switch(force: bool) -> Self {
        if force { Self::Replace } else { Self::Keep }
    }
}

/// A new pair.
pub(super) fn new_pair(chance: &dyn Chance) -> KeyPair {
    let mut secret = Zeroizing::new([0; 32]);
    chance.fill(&mut *secret);
    KeyPair::from_secret(&secret)
}

/// Writes the pair. The file is never readable by others and never half written, not even for a moment: it is filled
/// under another name first, and linking (unlike renaming) refuses to replace what somebody put there meanwhile.
pub(super) fn write_pair(pair: &KeyPair, path: &Path, existing: Existing) -> Result<(), KeygenError> {
    let failed = |source| KeygenError::Write { path: path.to_owned(), source };
    let text = Zeroizing::new(serde_json::to_string(&pair.expose()[..])?);
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        create_private_directory(directory).map_err(failed)?;
    }
    let draft = beside(path, &format!(".{}.new", pair.public()));
    let written = create_private_file(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let placed = written.and_then(|()| match existing {
        Existing::Replace => fs::rename(&draft, path),
        Existing::Keep => fs::hard_link(&draft, path),
    });
    // After a rename it is gone already.
    drop(fs::remove_file(&draft));
    match placed {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(KeygenError::Exists(path.to_owned())),
        other => other.map_err(failed),
    }
}

/// The file that stands beside another under its name and `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(unix)]
pub(super) fn create_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(unix)]
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
pub(super) fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(not(unix))]
pub(super) fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}
