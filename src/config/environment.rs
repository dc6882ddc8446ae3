//! The process's surroundings as a value: variables (the process's own and those of `.env` files) and the directory
//! that relative paths start from. The only module that asks the operating system for them.

use super::{
    deployed,
    dotenv::{self, BadLine, Dotenv},
    fault::{Fault, Warning},
    layers::is_own_variable,
    text_file::read_text,
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
    /// What is wrong with the lines of `.env` files that seem to set these.
    bad_lines: BTreeMap<String, String>,
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
        Self { variables, directory: directory.to_owned(), ..Self::default() }
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
            match read_text(&path) {
                Ok(text) => {
                    let Dotenv { pairs, bad } = dotenv::parse(&text);
                    for pair in pairs {
                        self.add_from_file(pair, &path, strength, warnings);
                    }
                    for line in bad {
                        self.add_bad_line(line, &path, faults);
                    }
                }
                Err(error) => faults.push(Fault {
                    key: path.display().to_string(),
                    origin: None,
                    problem: format!("cannot be read: {error}"),
                    remedy: "write it as UTF-8 text, one NAME=value a line".to_owned(),
                }),
            }
        }
    }

    /// A line that sets nothing. One about somebody else's variable is theirs; one about a variable that a key of the
    /// configuration may refer to is remembered.
    fn add_bad_line(&mut self, BadLine { line, name, problem }: BadLine, path: &Path, faults: &mut Vec<Fault>) {
        if is_own_variable(&name) || deployed::is_variable(&name) {
            faults.push(Fault {
                key: name,
                origin: None,
                problem: format!("line {line} of {} {problem}", path.display()),
                remedy: "write NAME=value, with quotes around a value that holds # or quotes".to_owned(),
            });
        } else if !name.is_empty() {
            self.bad_lines.insert(name, format!("line {line} of {} {problem}", path.display()));
        }
    }

    /// Why a variable that is not set is not set, where a file has a line about it.
    pub(super) fn bad_line(&self, name: &str) -> Option<&str> {
        self.bad_lines.get(name).map(String::as_str)
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
