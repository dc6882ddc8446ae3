//! The layers of a configuration, laid over each other key by key, each value remembering where it came from.
//!
//! From the weakest to the strongest: compiled-in defaults, file, environment (`.env` included), flags. Faults of form
//! (unknown keys, wrong kinds, unreadable files) are collected, never returned early: a section's own faults join them.

use super::{
    deployed::{self, Shape},
    environment::Environment,
    fault::{Fault, Warning},
    network::LOCALNET,
    schema::{self, Key, Kind},
    text_file::read_text,
    value::{Entry, Origin, Value},
};
use crate::domain::network::Network;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

/// The compiled-in defaults: the sample file and the truth are one text, so they cannot drift.
pub const DEFAULTS: &str = include_str!("../../deploy/sotto.default.toml");

/// The file that is read when none is named.
const FILE: &str = "./sotto.toml";

/// Sections that were called otherwise: the former name and the present one.
const FORMER_SECTIONS: [(&str, &str); 1] = [("lanes", "dispatch")];

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The flag's name, the key's path, the text.
    pub values: Vec<(String, String, String)>,
}

/// All layers together.
#[derive(Clone)]
pub struct Layers {
    entries: BTreeMap<String, Entry>,
    /// Keys that were set, but not to anything usable: their faults are already told.
    spoilt: BTreeSet<String>,
    pub(super) environment: Environment,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Warning>,
}

/// As `config show` tells it, without what may be secret.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows()).finish()
    }
}

/// How the text of a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListText {
    /// As items, separated by commas.
    Separated,
    /// As one item, commas and all.
    OneItem,
}

impl Layers {
    /// Lays everything over the defaults.
    pub fn gather(environment: Environment, flags: &Flags) -> Self {
        let mut layers = Self {
            entries: BTreeMap::new(),
            spoilt: BTreeSet::new(),
            environment,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        layers.environment.read_dotenv(&mut layers.faults, &mut layers.warnings);
        layers.add_toml(DEFAULTS, &Origin::Default);
        layers.add_file(flags);
        layers.add_deployed_variables();
        layers.add_own_variables();
        for (flag, path, text) in &flags.values {
            layers.add_text(path, text, Origin::Flag(flag.clone()), ListText::Separated);
        }
        layers.forget_defaults_of_other_networks();
        layers.find_deployed_ledger();
        layers
    }

    /// The entry of a key.
    pub(super) fn entry(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(&key.path())
    }

    /// Whether a fault of this key is already told.
    pub(super) fn is_spoilt(&self, key: &Key) -> bool {
        self.spoilt.contains(&key.path())
    }

    fn add_file(&mut self, flags: &Flags) {
        let named = flags.file.as_deref().map(|path| (self.environment.resolve(path), "--config"));
        let named = named
            .or_else(|| self.environment.get("SOTTO_CONFIG").map(|p| (self.environment.resolve(p), "SOTTO_CONFIG")));
        let usual = self.environment.resolve(FILE);
        let (path, by) = match named {
            Some(named) => named,
            None if usual.is_file() => (usual, FILE),
            None => return,
        };
        match read_text(&path) {
            Ok(text) => self.add_toml(&text, &Origin::File(path)),
            Err(error) => self.faults.push(Fault {
                key: path.display().to_string(),
                origin: None,
                problem: format!("the configuration file cannot be read: {error}"),
                remedy: format!("correct {by}, or leave it out to run on defaults and environment"),
            }),
        }
    }

    fn add_toml(&mut self, text: &str, origin: &Origin) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => return self.faults.push(broken_toml(text, origin, &error)),
        };
        let mut sections: Vec<_> = table.into_iter().collect();
        // Where both names of a section stand, the present one overrides.
        sections.sort_by_key(|(section, _)| !is_former(section));
        for (section, content) in sections {
            let toml::Value::Table(content) = content else {
                self.add_unknown(&section, origin.clone());
                continue;
            };
            let section = self.present_section(&section, origin);
            for (name, value) in content {
                self.add_toml_value(&format!("{section}.{name}"), value, origin.clone());
            }
        }
    }

    /// The present name of a section; a former one is read with a warning.
    fn present_section<'a>(&mut self, written: &'a str, origin: &Origin) -> &'a str {
        let Some((_, present)) = FORMER_SECTIONS.iter().find(|(former, _)| *former == written) else { return written };
        let text = format!("{origin}: the section [{written}] is called [{present}] now; rename it");
        self.warnings.push(Warning { key: written.to_owned(), text });
        present
    }

    fn add_toml_value(&mut self, path: &str, value: toml::Value, origin: Origin) {
        let Some(key) = schema::find(path) else { return self.add_unknown(path, origin) };
        let value = match (key.kind, value) {
            (Kind::Text, toml::Value::String(text)) => Value::Text(text),
            (Kind::Integer, toml::Value::Integer(number)) => Value::Integer(number),
            (Kind::Switch, toml::Value::Boolean(on)) => Value::Switch(on),
            (Kind::List, toml::Value::String(text)) => Value::List(vec![text]),
            (Kind::List, toml::Value::Array(items)) if items.iter().all(toml::Value::is_str) => {
                Value::List(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
            }
            (_, other) => return self.add_wrong_kind(key, origin, &format!("it is {}", other.type_str())),
        };
        self.set(key, value, origin);
    }

    /// The variables of the deployed service, weakest first, so that the table's first wins.
    fn add_deployed_variables(&mut self) {
        for (name, path, shape) in deployed::VARIABLES.iter().rev() {
            let Some(variable) = self.environment.find(name).cloned() else { continue };
            if is_of_orchestrator(&variable.value) {
                continue;
            }
            let text = match shape {
                Shape::Same => variable.value,
                Shape::Inline => format!("env:{name}"),
                Shape::Path => format!("file:{}", variable.value.trim()),
            };
            // One URL, which may contain commas.
            let origin = Origin::Environment { variable: (*name).to_owned(), file: variable.file };
            self.add_text(path, &text, origin, ListText::OneItem);
        }
        let paymaster = self.environment.names().filter(|name| deployed::is_paymaster_variable(name));
        let warnings = paymaster.map(|name| Warning {
            key: name.to_owned(),
            text: "ignored: there is no paymaster; the fee payer signs and pays itself. Remove the variable".to_owned(),
        });
        self.warnings.extend(warnings.collect::<Vec<_>>());
    }

    /// `SOTTO_<SECTION>__<KEY>`.
    fn add_own_variables(&mut self) {
        let path_of = |name: &str| name["SOTTO_".len()..].to_ascii_lowercase().replacen("__", ".", 1);
        // No name with two underscores is made by one.
        let is_injected =
            |name: &str| !name.contains("__") && self.environment.get(name).is_some_and(is_of_orchestrator);
        let names = self.environment.names().filter(|name| is_own_variable(name) && !is_injected(name));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_by_key(|name| !path_of(name).split('.').next().is_some_and(is_former));
        for name in names {
            let path = path_of(&name);
            let Some(variable) = self.environment.find(&name).cloned() else { continue };
            let origin = Origin::Environment { variable: name.clone(), file: variable.file };
            let path = match path.split_once('.') {
                Some((section, key)) => format!("{}.{key}", self.present_section(section, &origin)),
                None => path,
            };
            let older = deployed::variables_of(&path).find(|older| self.environment.get(older).is_some());
            if let Some(older) = older {
                self.warnings.push(Warning { key: older.to_owned(), text: format!("ignored: {name} is set too") });
            }
            self.add_text(&path, &variable.value, origin, ListText::Separated);
        }
        let unreadable = self.environment.unreadable().filter(|n| is_own_variable(n) || deployed::is_variable(n));
        self.faults.extend(unreadable.map(|name| Fault {
            key: name.to_owned(),
            origin: None,
            problem: "the variable is not UTF-8".to_owned(),
            remedy: "write it in UTF-8 or unset it".to_owned(),
        }));
    }

    /// Adds a value that arrives as text.
    fn add_text(&mut self, path: &str, text: &str, origin: Origin, list: ListText) {
        let Some(key) = schema::find(path) else { return self.add_unknown(path, origin) };
        let text = text.trim();
        let value = match key.kind {
            Kind::Text => Some(Value::Text(text.to_owned())),
            Kind::Integer => text.parse().ok().map(Value::Integer),
            Kind::Switch => text.parse().ok().map(Value::Switch),
            Kind::List if list == ListText::OneItem => Some(Value::List(vec![text.to_owned()])),
            Kind::List if text.starts_with('[') => serde_json::from_str(text).ok().map(Value::List),
            Kind::List => Some(Value::List(text.split(',').map(|item| item.trim().to_owned()).collect())),
        };
        match value {
            Some(value) => self.set(key, value, origin),
            None if key.kind == Kind::List => {
                self.add_wrong_kind(key, origin, "it is a list that is no JSON list of texts");
            }
            None => self.add_wrong_kind(key, origin, &format!("it is {text:?}")),
        }
    }

    fn set(&mut self, key: &Key, value: Value, origin: Origin) {
        self.entries.insert(key.path(), Entry { value, origin });
    }

    fn add_wrong_kind(&mut self, key: &Key, origin: Origin, found: &str) {
        self.spoilt.insert(key.path());
        self.faults.push(Fault {
            key: key.path(),
            origin: Some(origin),
            problem: format!("expected {}, but {found}", key.kind.expected()),
            remedy: format!("write {}", key.kind.expected()),
        });
    }

    fn add_unknown(&mut self, path: &str, origin: Origin) {
        let remedy = match schema::nearest(path) {
            Some(key) => format!("did you mean {}? `sotto config show` lists every key", key.path()),
            None => "remove it; `sotto config show` lists every key".to_owned(),
        };
        let problem = "there is no such key".to_owned();
        self.faults.push(Fault { key: path.to_owned(), origin: Some(origin), problem, remedy });
    }

    /// Addresses and endpoints of the default network say nothing about another one.
    fn forget_defaults_of_other_networks(&mut self) {
        let name = match self.entries.get("network.name") {
            Some(Entry { value: Value::Text(name), .. }) => name.clone(),
            _ => return,
        };
        // A name that is none at all is one fault, and says nothing about addresses.
        let is_known = Network::public(&name).is_some() || name == LOCALNET;
        if Network::devnet().is(&name) || !is_known {
            return;
        }
        for key in schema::all().filter(|key| key.of_network) {
            if self.entry(key).is_some_and(|entry| entry.origin == Origin::Default) {
                self.entries.remove(&key.path());
            }
        }
    }

    /// A deployed service without `DB_PATH` has its ledger beside it: nothing else says that its sessions live on.
    fn find_deployed_ledger(&mut self) {
        let Some(entry) = self.entries.get_mut("ledger.path") else { return };
        let Value::Text(path) = &entry.value else { return };
        let own = self.environment.resolve(Path::new(path));
        if entry.origin == Origin::Default && !own.exists() && self.environment.resolve(deployed::LEDGER).is_file() {
            entry.value = Value::Text(deployed::LEDGER.to_owned());
            entry.origin = Origin::Found("found: the deployed service's ledger");
        }
    }
}

fn is_former(section: &str) -> bool {
    FORMER_SECTIONS.iter().any(|(former, _)| *former == section)
}

/// Whether a variable is meant for this program: `SOTTO_<SECTION>__<KEY>`, or a misspelling of that. An orchestrator
/// injects others that begin like it for a service of this name (`SOTTO_SERVICE_HOST`, `SOTTO_PORT_4021_TCP`).
pub(super) fn is_own_variable(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("SOTTO_") else { return false };
    rest.contains("__") || schema::find(&rest.to_ascii_lowercase().replacen('_', ".", 1)).is_some()
}

/// Whether a value is where an orchestrator says that some service listens, and none of ours.
fn is_of_orchestrator(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.trim().starts_with(scheme))
}

/// Tells where the text stops being TOML without quoting it: the line may hold a key.
fn broken_toml(text: &str, origin: &Origin, error: &toml::de::Error) -> Fault {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    Fault {
        key: format!("line {line}"),
        origin: Some(origin.clone()),
        problem: format!("not TOML: {}", error.message()),
        remedy: "write `key = value` lines under [section] headings, each key once".to_owned(),
    }
}
