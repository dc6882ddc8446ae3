//! The one list of keys: what may be set, of which kind, and how it may be shown.
//!
//! Every section file declares its own keys; this module only joins them. A key that is not here is refused wherever
//! it is written, so a misspelt limit can never silently mean "no limit".

use super::{
    asset, budgets, covalidator, deferred, dispatch, funding, keys, ledger, limits, mpp, network, programs, revokes,
    server, settlement, telemetry,
};

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Switch,
    /// A list of texts; one text alone is a list of one, and an environment variable separates them by commas.
    List,
}

impl Kind {
    /// What a person has to write.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Integer => "a whole number",
            Self::Switch => "true or false",
            Self::List => "a list of texts",
        }
    }
}

/// How a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// A URL: its path and query may be an API key, so only scheme and host are shown.
    Endpoint,
    /// A reference to a secret: shown only when it is a reference.
    Reference,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The section, such as `server`.
    pub section: &'static str,
    /// The name in it, such as `port`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// How it may be shown.
    pub shown: Shown,
    /// Whether its compiled-in default is true of the default network only.
    pub of_network: bool,
}

impl Key {
    /// A text key.
    pub(super) const fn text(section: &'static str, name: &'static str) -> Self {
        Self { section, name, kind: Kind::Text, shown: Shown::Plain, of_network: false }
    }

    /// A whole number.
    pub(super) const fn integer(section: &'static str, name: &'static str) -> Self {
        Self { kind: Kind::Integer, ..Self::text(section, name) }
    }

    /// A switch.
    pub(super) const fn switch(section: &'static str, name: &'static str) -> Self {
        Self { kind: Kind::Switch, ..Self::text(section, name) }
    }

    /// A list of texts.
    pub(super) const fn list(section: &'static str, name: &'static str) -> Self {
        Self { kind: Kind::List, ..Self::text(section, name) }
    }

    /// Makes the key one that holds URLs.
    pub(super) const fn endpoint(self) -> Self {
        Self { shown: Shown::Endpoint, ..self }
    }

    /// Makes the key one that holds a reference to a secret.
    pub(super) const fn reference(self) -> Self {
        Self { shown: Shown::Reference, ..self }
    }

    /// Makes the key one whose default belongs to the default network.
    pub(super) const fn of_network(self) -> Self {
        Self { of_network: true, ..self }
    }

    /// `section.name`, as it is written everywhere.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that sets it: `SOTTO_<SECTION>__<NAME>`.
    pub fn variable(&self) -> String {
        format!("SOTTO_{}__{}", self.section, self.name).to_ascii_uppercase()
    }
}

/// The sections in the order they are read, documented and shown.
const SECTIONS: [&[Key]; 16] = [
    network::KEYS,
    programs::KEYS,
    asset::KEYS,
    keys::KEYS,
    covalidator::KEYS,
    limits::KEYS,
    revokes::KEYS,
    budgets::KEYS,
    settlement::KEYS,
    deferred::KEYS,
    dispatch::KEYS,
    funding::KEYS,
    mpp::KEYS,
    ledger::KEYS,
    server::KEYS,
    telemetry::KEYS,
];

/// Every key there is.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.into_iter().flatten()
}

/// What a key was called before: the old spelling still sets it.
const FORMER: [(&str, &str); 1] = [("network.ws_url", "network.ws_urls")];

/// The key called `path`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let path = FORMER.iter().find(|(former, _)| *former == path).map_or(path, |(_, now)| *now);
    all().find(|key| key.path() == path)
}

/// The key that somebody who wrote `path` may have meant.
pub(super) fn nearest(path: &str) -> Option<&'static Key> {
    let name = path.rsplit('.').next().unwrap_or(path);
    all()
        .find(|key| key.name == name)
        .or_else(|| all().filter(|key| distance(&key.path(), path) <= 3).min_by_key(|key| distance(&key.path(), path)))
}

/// How many letters have to change to turn one text into the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_the_one_that_was_meant() {
        assert_eq!(nearest("server.prot").map(Key::path).as_deref(), Some("server.port"));
        assert_eq!(nearest("limits.cap_check").map(Key::path).as_deref(), Some("settlement.cap_check"));
        assert_eq!(nearest("weather.tomorrow"), None);
    }

    #[test]
    fn every_key_has_its_own_variable() {
        let variables: std::collections::BTreeSet<_> = all().map(Key::variable).collect();
        assert_eq!(variables.len(), all().count());
    }
}
