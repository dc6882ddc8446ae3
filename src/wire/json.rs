//! JSON as hostile callers send it, read once into a value: bounded depth, every member once.
//!
//! Promises that what comes out has one meaning for every reader (no duplicate members, no second reading of a
//! number's type) and that reading costs no more stack than [`MAX_DEPTH`] levels. Messages name members, never values,
//! so they are safe to send back.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// How deep objects and arrays may nest; x402 bodies need six levels.
pub const MAX_DEPTH: usize = 32;

/// The bytes are not JSON that we read: syntax, encoding, nesting, or a member given twice.
#[derive(Debug, thiserror::Error)]
#[error("not readable JSON: {0}")]
pub struct JsonError(#[from] serde_json::Error);

/// A member has the wrong JSON type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` must be {expected}")]
pub struct WrongType {
    /// Where, as in `paymentPayload.payload.amount`.
    pub path: String,
    /// What it has to be, with its article.
    pub expected: &'static str,
}

/// Reads one JSON value and nothing after it.
pub fn read(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut source)?;
    source.end()?;
    Ok(value)
}

/// One value at a depth.
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth < MAX_DEPTH { Ok(self.depth + 1) } else { Err(E::custom("it nests deeper than 32 levels")) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict { depth })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let member = members.next_value_seed(Strict { depth })?;
            if object.insert(name, member).is_some() {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

/// An object that knows where it stands, so that refusals can say which member is wrong.
///
/// `null` reads as absent everywhere: clients in JavaScript send it for what they do not know.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The outermost object of a body.
    pub fn root(value: &'a Value) -> Result<Self, WrongType> {
        Self::outermost(value, "the body")
    }

    /// The outermost object of what is called `name` where it is none, as in `the payment`.
    pub fn outermost(value: &'a Value, name: &str) -> Result<Self, WrongType> {
        match value {
            Value::Object(members) => Ok(Self { path: String::new(), members }),
            _ => Err(WrongType { path: name.to_owned(), expected: "an object" }),
        }
    }

    /// The object that stands at `path`, as in `accepts[0]`.
    pub fn at(value: &'a Value, path: String) -> Result<Self, WrongType> {
        match value {
            Value::Object(members) => Ok(Self { path, members }),
            _ => Err(WrongType { path, expected: "an object" }),
        }
    }

    /// All members.
    pub fn members(&self) -> &'a Map<String, Value> {
        self.members
    }

    /// Where a member stands, as in `paymentRequirements.payTo`.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A member; absent and `null` are the same.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A string member.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, WrongType> {
        self.typed(name, "a string", Value::as_str)
    }

    /// An object member.
    pub fn object(&self, name: &str) -> Result<Option<Self>, WrongType> {
        let members = self.typed(name, "an object", Value::as_object)?;
        Ok(members.map(|members| Self { path: self.path_of(name), members }))
    }

    /// A whole, non-negative number member.
    pub fn integer(&self, name: &str) -> Result<Option<u64>, WrongType> {
        self.typed(name, "a whole number", Value::as_u64)
    }

    /// A true-or-false member.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, WrongType> {
        self.typed(name, "true or false", Value::as_bool)
    }

    fn typed<T>(
        &self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| WrongType { path: self.path_of(name), expected }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_stops_at_the_bound() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(read(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(read("{\"a\":".repeat(60_000).as_bytes()).is_err());
    }

    #[test]
    fn one_value_with_each_member_once_and_nothing_after_it() {
        assert!(read(br#"{"a":1,"b":{"a":null}}"#).is_ok());
        for bytes in [&br#"{"a":1,"a":1}"#[..], b"{} {}", b"", b"{", b"\xff", b"{\"a\":\"\xff\"}", b"NaN", b"01"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn numbers_keep_their_kind() {
        let value = read(br#"{"a":1,"b":1.0,"c":-1,"d":"1"}"#).expect("valid");
        let object = Object::root(&value).expect("an object");
        assert_eq!(object.integer("a"), Ok(Some(1)));
        for name in ["b", "c", "d"] {
            assert!(object.integer(name).is_err(), "{name}");
        }
        assert!(object.text("a").is_err());
    }
}
