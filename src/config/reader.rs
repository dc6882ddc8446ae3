//! Reads typed values out of the layers and collects every fault on the way, so that one run tells all of them.

use super::{
    deployed,
    environment::Environment,
    fault::{Fault, Faults, Warning},
    layers::Layers,
    schema::Key,
    value::{Origin, Value},
};
use std::ops::RangeInclusive;

/// A reader of the layers. Every getter gives `None` after it has noted why.
#[derive(Debug)]
pub struct Reader<'a> {
    layers: &'a Layers,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, faults: layers.faults.clone(), warnings: layers.warnings.clone() }
    }

    /// The outcome: the value with the warnings, or every fault.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Warning>), Faults> {
        if let (true, Some(value)) = (self.faults.is_empty(), value) {
            return Ok((value, self.warnings));
        }
        let order = |fault: &Fault| super::schema::all().position(|key| key.path() == fault.key);
        self.faults.sort_by_key(order);
        self.faults.dedup();
        Err(Faults(self.faults))
    }

    pub(super) fn environment(&self) -> &'a Environment {
        &self.layers.environment
    }

    pub(super) fn origin(&self, key: &Key) -> Option<Origin> {
        self.layers.entry(key).map(|entry| entry.origin.clone())
    }

    /// Notes a fault of `key`.
    pub(super) fn fault(&mut self, key: &Key, problem: impl Into<String>, remedy: impl Into<String>) {
        let origin = self.origin(key);
        self.faults.push(Fault { key: key.path(), origin, problem: problem.into(), remedy: remedy.into() });
    }

    /// Notes a warning about `key`.
    pub(super) fn warn(&mut self, key: &Key, text: impl Into<String>) {
        self.warnings.push(Warning { key: key.path(), text: text.into() });
    }

    fn value(&mut self, key: &Key) -> Option<&'a Value> {
        let found = self.layers.entry(key).map(|entry| &entry.value);
        if found.is_none() && !self.layers.is_spoilt(key) {
            let variables: Vec<_> = deployed::variables_of(&key.path()).map(str::to_owned).collect();
            let variables = [vec![key.variable()], variables].concat().join(" or ");
            let remedy = format!("set {} in sotto.toml, or the variable {variables}", key.path());
            self.fault(key, "not set, and this network has no default for it", remedy);
        }
        found
    }

    /// A text that must be set.
    pub(super) fn text(&mut self, key: &Key) -> Option<&'a str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text that need not be set.
    pub(super) fn optional_text(&self, key: &Key) -> Option<&'a str> {
        match self.layers.entry(key).map(|entry| &entry.value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list of texts that must be set.
    pub(super) fn list(&mut self, key: &Key) -> Option<&'a [String]> {
        match self.value(key)? {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// A list of texts that need not be set.
    pub(super) fn optional_list(&self, key: &Key) -> Option<&'a [String]> {
        match self.layers.entry(key).map(|entry| &entry.value) {
            Some(Value::List(items)) => Some(items),
            _ => None,
        }
    }

    /// A switch that must be set.
    pub(super) fn switch(&mut self, key: &Key) -> Option<bool> {
        match self.value(key)? {
            Value::Switch(on) => Some(*on),
            _ => None,
        }
    }

    /// A whole number within `range`.
    pub(super) fn whole<T>(&mut self, key: &Key, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display,
    {
        let Value::Integer(number) = *self.value(key)? else { return None };
        match T::try_from(number) {
            Ok(fitting) if range.contains(&fitting) => Some(fitting),
            _ => {
                let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
                self.fault(key, format!("{number} is out of range"), remedy);
                None
            }
        }
    }

    /// A text that `parse` accepts; its words for a refusal and `remedy` are told otherwise.
    pub(super) fn parsed<T>(
        &mut self,
        key: &Key,
        remedy: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text(key)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fault(key, problem, remedy);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &Key, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let list: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        self.fault(key, format!("{text:?} is not one of its words"), format!("write {}", list.join(" or ")));
        None
    }

    /// A base58 public key.
    pub(super) fn address(&mut self, key: &Key) -> Option<solana_pubkey::Pubkey> {
        self.parsed(key, "write the base58 text of a public key (32 bytes)", |text| {
            crate::domain::signed::parse_key(text).ok_or_else(|| format!("{text:?} is not a public key"))
        })
    }
}
