//! Challenges as others write them: a list of schemes with their parameters, in one header or several.

use super::Challenge;
use crate::wire::mpp::{MAX_HEADER_LENGTH, SCHEME};
use std::collections::HashMap;

/// The challenges of the scheme `Payment` in a `WWW-Authenticate`; others and what cannot be read are left out.
///
/// Quotes inside a quoted text are read both escaped and as they are: a quote ends its text only before a comma or the end.
pub fn read_all(header: &str) -> Vec<Challenge> {
    if header.len() > MAX_HEADER_LENGTH {
        return Vec::new();
    }
    let mut found: Vec<HashMap<String, String>> = Vec::new();
    let mut is_ours = false;
    let mut rest = header;
    while let Some(item) = next_item(&mut rest) {
        if let Some(scheme) = item.scheme {
            is_ours = scheme.eq_ignore_ascii_case(SCHEME);
            if is_ours {
                found.push(HashMap::new());
            }
        }
        if let (true, Some(parameters), Some((name, value))) = (is_ours, found.last_mut(), item.parameter) {
            // Of a name given twice the first counts, so that nothing behind a challenge changes it.
            parameters.entry(name).or_insert(value);
        }
    }
    found.into_iter().filter_map(challenge).collect()
}

fn challenge(mut parameters: HashMap<String, String>) -> Option<Challenge> {
    let mut take = |name: &str| parameters.remove(name);
    Some(Challenge {
        id: take("id")?,
        realm: take("realm")?,
        method: take("method")?,
        intent: take("intent")?,
        request: take("request")?,
        description: take("description"),
        digest: take("digest"),
        expires: take("expires"),
        opaque: take("opaque"),
    })
}

/// What stands between two commas: the beginning of a scheme, a parameter, or both.
struct Item<'a> {
    scheme: Option<&'a str>,
    parameter: Option<(String, String)>,
}

/// Takes the next item off `rest`.
fn next_item<'a>(rest: &mut &'a str) -> Option<Item<'a>> {
    let whole: &'a str = rest;
    let text = whole.trim_start_matches([' ', '\t', ',']);
    if text.is_empty() {
        *rest = text;
        return None;
    }
    let (first, after) = token(text);
    // A scheme is a token that no equals sign follows.
    if after.trim_start().starts_with('=') && !first.is_empty() {
        return Some(parameter(None, text, rest));
    }
    let after = after.trim_start_matches([' ', '\t']);
    let (name, behind) = token(after);
    if !name.is_empty() && behind.trim_start().starts_with('=') && !first.is_empty() {
        return Some(parameter(Some(first), after, rest));
    }
    // A scheme alone, one with something else than parameters, or no scheme at all.
    *rest = after.find(',').and_then(|at| after.get(at..)).unwrap_or_default();
    Some(Item { scheme: Some(first), parameter: None })
}

/// Reads `name=value` at the beginning of `text` and leaves what is behind it in `rest`.
fn parameter<'a>(scheme: Option<&'a str>, text: &'a str, rest: &mut &'a str) -> Item<'a> {
    let (name, after) = token(text);
    let after = after.trim_start();
    let after = after.strip_prefix('=').unwrap_or(after).trim_start();
    let (value, behind) = if let Some(inside) = after.strip_prefix('"') {
        quoted(inside)
    } else {
        let (value, behind) = after.split_at(after.find(',').unwrap_or(after.len()));
        (value.trim_end().to_owned(), behind)
    };
    *rest = behind;
    Item { scheme, parameter: Some((name.to_ascii_lowercase(), value)) }
}

/// The characters of a token, and what is behind it.
fn token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c: char| !is_token(c)).unwrap_or(text.len()))
}

/// A quoted text whose first quote is gone, and what is behind its last.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        let behind = text.get(at + c.len_utf8()..).unwrap_or_default();
        if escaped {
            value.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' && ends_here(behind) {
            return (value, behind);
        } else {
            value.push(c);
        }
    }
    (value, "")
}

/// Whether nothing but a comma or the end follows.
fn ends_here(behind: &str) -> bool {
    let behind = behind.trim_start_matches([' ', '\t']);
    behind.is_empty() || behind.starts_with(',')
}
