//! Canonical JSON (RFC 8785) of what MPP signs: no white space, members sorted by UTF-16, the escapes of `JSON.stringify`.
//!
//! Numbers are whole and within what every reader keeps, which is all that MPP signs; any other is refused, because readers
//! differ in how they write it.

use serde_json::Value;

/// The largest whole number that every reader of JSON keeps.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The value holds a number that has no spelling which all readers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds a number that is not whole or too large")]
pub struct NotCanonical;

/// The canonical text of a value.
pub fn text(value: &Value) -> Result<String, NotCanonical> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs)).ok_or(NotCanonical)?;
            if size > MAX_NUMBER {
                return Err(NotCanonical);
            }
            out.push_str(&number.to_string());
        }
        Value::Array(items) => {
            write_all(out, ['[', ']'], items, write)?;
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            write_all(out, ['{', '}'], &members, |(name, member), out| {
                out.push_str(&quoted(name));
                out.push(':');
                write(member, out)
            })?;
        }
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn write_all<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: &[T],
    mut each: impl FnMut(&T, &mut String) -> Result<(), NotCanonical>,
) -> Result<(), NotCanonical> {
    out.push(open);
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        each(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn quoted(text: &str) -> String {
    // A text: serialising cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_sorted_and_texts_escaped_as_javascript_does() {
        let value = json!({ "b": [1, null, true, -2], "a": { "z": "é€", "\u{1f600}": 1, "\u{fb33}": 2 }, "\u{7f}": "\u{0}\u{8}\t\n\u{c}\r\"\\/\u{1f}\u{7f}\u{2028}" });
        let expected = "{\"a\":{\"z\":\"é€\",\"\u{1f600}\":1,\"\u{fb33}\":2},\"b\":[1,null,true,-2],\"\u{7f}\":\"\\u0000\\b\\t\\n\\f\\r\\\"\\\\/\\u001f\u{7f}\u{2028}\"}";
        assert_eq!(text(&value).as_deref(), Ok(expected));
        assert_eq!(text(&json!({})).as_deref(), Ok("{}"));
    }

    #[test]
    fn numbers_that_readers_write_differently_are_refused() {
        assert_eq!(text(&json!(MAX_NUMBER)), Ok(MAX_NUMBER.to_string()));
        for value in [json!(MAX_NUMBER + 1), json!(0.5), json!(1.0), json!(u64::MAX), json!(i64::MIN), json!([[1e300]])]
        {
            assert_eq!(text(&value), Err(NotCanonical), "{value}");
        }
    }
}
