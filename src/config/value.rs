//! A value and where it came from.

use std::{fmt, path::PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The compiled-in defaults.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, or a line of a `.env` file.
    Environment {
        /// The variable.
        variable: String,
        /// The `.env` file, if it came from one.
        file: Option<PathBuf>,
    },
    /// A flag of the command line.
    Flag(String),
    /// Something found on disk, or derived from another key.
    Found(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("defaults"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment { variable, file: None } => write!(f, "environment {variable}"),
            Self::Environment { variable, file: Some(path) } => write!(f, "{variable} in {}", path.display()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Found(what) => f.write_str(what),
        }
    }
}

/// A value of a key's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Switch(bool),
    List(Vec<String>),
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}
