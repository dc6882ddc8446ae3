//! Every effective value with its origin, for people and programs; what may be secret is not in it.

use super::{
    layers::Layers,
    schema::{self, Key, Shown},
    secret::{Endpoint, SecretReference},
    value::Value,
};

/// One line of `config show`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// `section.name`.
    pub key: String,
    /// The effective value as text, redacted; none when it is not set.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Option<String>,
}

impl Layers {
    /// Every key, set or not, in the order of the default file.
    pub fn rows(&self) -> Vec<Row> {
        schema::all().map(|key| self.row(key)).collect()
    }

    fn row(&self, key: &Key) -> Row {
        let Some(entry) = self.entry(key) else { return self.derived_row(key) };
        Row { key: key.path(), value: Some(text(key, &entry.value)), origin: Some(entry.origin.to_string()) }
    }

    /// A key that follows another one where it is not set.
    fn derived_row(&self, key: &Key) -> Row {
        let derived = match key.path().as_str() {
            "network.ws_urls" => self.derived("network.rpc_urls", |text| {
                Some(Endpoint::parse(text, &["http", "https"])?.websocket()?.to_string())
            }),
            "keys.fee_payer" => self.derived("keys.spender", |text| Some(shown(Shown::Reference, text))),
            _ => None,
        };
        let (value, origin) = derived.unzip();
        Row { key: key.path(), value, origin }
    }

    fn derived(&self, from: &str, derive: impl FnOnce(&str) -> Option<String>) -> Option<(String, String)> {
        let text = match &self.entry(schema::find(from)?)?.value {
            Value::Text(text) => text,
            Value::List(items) => items.first()?,
            Value::Integer(_) | Value::Switch(_) => return None,
        };
        Some((derive(text)?, format!("derived from {from}")))
    }
}

fn text(key: &Key, value: &Value) -> String {
    match value {
        Value::Text(text) => shown(key.shown, text),
        Value::Integer(number) => number.to_string(),
        Value::Switch(on) => on.to_string(),
        Value::List(items) => items.iter().map(|item| shown(key.shown, item)).collect::<Vec<_>>().join(", "),
    }
}

fn shown(shown: Shown, text: &str) -> String {
    let redacted = || "(redacted)".to_owned();
    match shown {
        Shown::Plain => text.to_owned(),
        Shown::Endpoint => {
            Endpoint::parse(text, &["http", "https", "ws", "wss"]).map_or_else(redacted, |url| url.to_string())
        }
        // Whatever is not a reference may be the secret itself.
        Shown::Reference => SecretReference::parse(text).map_or_else(|_| redacted(), |reference| reference.to_string()),
    }
}
