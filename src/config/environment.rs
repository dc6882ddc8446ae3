//! The process's surroundings as a value: variables (the process's own and those of `.env` files) and the directory
//! that relative paths start from. The only module that asks the operating system for them.

use super::{
    deployed,
    fault::{Fault, Warning},
};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// A variable and the file it was read from, if any.
#[derive(Clone)]
pub(super) struct Variable {
    /// Its value; may be a secret.
    pub(super) value: String,
    /// The `.env` file that set it; none for the process's own.
    pub(super) file: Option<PathBuf>,
}

/// Variables and working directory.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
    unreadable: Vec<String>,
    directory: PathBuf,
}

/// Names only: a variable may hold a key.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// What a `.env` file does with the deployed service's variables that the process has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    /// The process's own value stays.
    FillsGaps,
    /// The file's value replaces it.
    Wins,
}

impl Environment {
    /// The environment of this process, without `.env` files.
    #[expect(clippy::disallowed_methods, reason = "config is where the environment is read")]
    pub fn of_process() -> Self {
        // An unknown working directory leaves relative paths relative, which is what the system does with them anyway.
        let mut environment = Self { directory: std::env::current_dir().unwrap_or_default(), ..Self::default() };
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => _ = environment.variables.insert(name, Variable { value, file: None }),
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }

    /// An environment of exactly these variables, in `directory`.
    pub fn of<'a>(directory: &Path, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Variable { value: value.to_owned(), file: None }))
            .collect();
        Self { variables, unreadable: Vec::new(), directory: directory.to_owned() }
    }

    /// The value of a variable; an empty one counts as not set, as in the deployed service.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|variable| variable.value.as_str())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name).filter(|variable| !variable.value.trim().is_empty())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str).chain(self.unreadable.iter().map(String::as_str))
    }

    /// Variables that are not UTF-8 and so have no usable value.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }

    /// `path` seen from the working directory.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        // Through its components, which leaves the dots of `./` out.
        self.directory.join(path).components().collect()
    }

    /// Adds the `.env` files, in the deployed service's order: `../.env` fills gaps; `./.env` fills gaps too, and for
    /// the variables of the deployed service it wins over the process's own, as it always did there.
    pub(super) fn read_dotenv(&mut self, faults: &mut Vec<Fault>, warnings: &mut Vec<Warning>) {
        for (path, strength) in [(self.resolve("../.env"), Strength::FillsGaps), (self.resolve(".env"), Strength::Wins)]
        {
            if !path.is_file() {
                continue;
            }
            match dotenvy::from_path_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(pairs) => pairs.into_iter().for_each(|pair| self.add_from_file(pair, &path, strength, warnings)),
                // The error of a line quotes the line, which may hold a key: only its kind is told.
                Err(error) => faults.push(Fault {
                    key: path.display().to_string(),
                    origin: None,
                    problem: match error {
                        dotenvy::Error::Io(error) => format!("cannot be read: {error}"),
                        _ => "has a line that is not NAME=value".to_owned(),
                    },
                    remedy: "write one NAME=value a line, with quotes around values that hold spaces".to_owned(),
                }),
            }
        }
    }

    fn add_from_file(
        &mut self,
        (name, value): (String, String),
        path: &Path,
        strength: Strength,
        warnings: &mut Vec<Warning>,
    ) {
        let before = self.find(&name).filter(|variable| variable.file.is_none());
        let overrides = strength == Strength::Wins && deployed::is_variable(&name) && !value.trim().is_empty();
        if overrides && before.is_some_and(|variable| variable.value != value) {
            let text = format!("{} overrides the process's own value, as the deployed service did", path.display());
            warnings.push(Warning { key: name.clone(), text });
        }
        if overrides || self.find(&name).is_none() {
            self.variables.insert(name, Variable { value, file: Some(path.to_owned()) });
        }
    }
}
