//! Secrets: references to where they are kept, and values that no `Debug`, log line or table can show.

use super::{environment::Environment, text_file::strip_mark};
use crate::domain::key_pair::{KeyPair, KeyPairError};
use std::{
    fmt,
    io::Read as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A key file holds 64 numbers; anything much longer is the wrong file.
const LARGEST_SECRET_BYTES: u64 = 4096;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// `file:path`.
    File(PathBuf),
    /// `env:NAME`.
    Environment(String),
}

/// Why a secret cannot be used. Never quotes it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Not `file:` and not `env:`; it may be the secret itself.
    #[error("it must be file:PATH or env:NAME; a secret itself is accepted in FACILITATOR_KEYPAIR only")]
    NotAReference,
    /// The file is not there.
    #[error("there is no file {}", tried.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(" or "))]
    NoFile {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is too large for a key.
    #[error("{} is larger than {LARGEST_SECRET_BYTES} bytes, so it is not a key file", .0.display())]
    TooLarge(PathBuf),
    /// The variable is not set, or empty.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The variable is not set, because the line that would set it cannot be read.
    #[error("the environment variable {name} is not set: {line}")]
    BadLine {
        /// The variable.
        name: String,
        /// Which line of which file, and what is wrong with it.
        line: String,
    },
    /// What it holds is not a key pair.
    #[error(transparent)]
    KeyPair(#[from] KeyPairError),
}

impl SecretReference {
    /// Reads `file:PATH` or `env:NAME`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            _ => Err(SecretError::NotAReference),
        }
    }

    /// The file it names, if it names one that exists: seen from the working directory, then from its parent, where
    /// the deployed service looks as well.
    pub fn existing_file(&self, environment: &Environment) -> Result<Option<PathBuf>, SecretError> {
        let Self::File(path) = self else { return Ok(None) };
        let mut tried = vec![environment.resolve(path)];
        if path.is_relative() {
            tried.push(environment.resolve("..").join(path));
        }
        match tried.iter().find(|candidate| candidate.is_file()) {
            Some(found) => Ok(Some(found.clone())),
            None => Err(SecretError::NoFile { tried }),
        }
    }

    /// The file it names, where other users of this machine may read it.
    pub fn file_readable_by_others(&self, environment: &Environment) -> Result<Option<PathBuf>, SecretError> {
        Ok(self.existing_file(environment)?.filter(|path| is_readable_by_others(path)))
    }

    /// Fetches the secret and reads it as a key pair.
    pub fn read_key_pair(&self, environment: &Environment) -> Result<KeyPair, SecretError> {
        Ok(KeyPair::parse(self.read(environment)?.expose())?)
    }

    /// Fetches the secret.
    pub fn read(&self, environment: &Environment) -> Result<SecretText, SecretError> {
        if let Self::Environment(name) = self {
            let unset = || match environment.bad_line(name) {
                Some(line) => SecretError::BadLine { name: name.clone(), line: line.to_owned() },
                None => SecretError::NoVariable(name.clone()),
            };
            let value = environment.get(name).ok_or_else(unset)?;
            return Ok(SecretText::new(value.to_owned()));
        }
        let Some(path) = self.existing_file(environment)? else { return Err(SecretError::NotAReference) };
        let mut text = Zeroizing::new(String::new());
        let read = std::fs::File::open(&path).and_then(|f| f.take(LARGEST_SECRET_BYTES + 1).read_to_string(&mut text));
        match read {
            Err(source) => Err(SecretError::Unreadable { path, source }),
            Ok(bytes) if bytes as u64 > LARGEST_SECRET_BYTES => Err(SecretError::TooLarge(path)),
            Ok(_) => {
                strip_mark(&mut text);
                Ok(SecretText(text))
            }
        }
    }
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
        }
    }
}

/// A secret text; wiped when dropped.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes charge of `text`.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

/// A URL whose path or query may be an API key: `Debug` and `Display` show scheme and host only.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(reqwest::Url);

impl Endpoint {
    /// Reads an absolute URL with a host and one of `schemes`.
    pub fn parse(text: &str, schemes: &[&str]) -> Option<Self> {
        let url = reqwest::Url::parse(text.trim()).ok()?;
        (schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty())).then_some(Self(url))
    }

    /// The whole URL.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The host name or address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The websocket of the same node, by the convention every Solana client follows: the scheme's `ws` twin, on the
    /// next port when the URL names one.
    pub fn websocket(&self) -> Option<Self> {
        let mut url = self.0.clone();
        url.set_scheme(if url.scheme() == "https" { "wss" } else { "ws" }).ok()?;
        if let Some(port) = url.port() {
            url.set_port(Some(port.checked_add(1)?)).ok()?;
        }
        Some(Self(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.host())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        let bare = self.0.path().len() <= 1 && self.0.query().is_none();
        f.write_str(if bare { "" } else { "/..." })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
#[path = "secret/tests.rs"]
mod tests;
