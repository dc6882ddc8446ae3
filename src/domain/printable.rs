//! What others wrote, as a terminal may be shown it.
//!
//! Promises that a text steers no terminal and begins no line of its own: characters that could (C0, DEL, C1, line
//! separators, marks that turn the direction of a line around) become `\u001b` and the like. JSON spells them the same way,
//! so a JSON text stays the same value.

use std::fmt::{self, Display, Write as _};

/// A text whose control characters are escaped.
pub struct Printable<T> {
    text: T,
    kept: &'static [char],
}

/// A text on one line: its line breaks and tabs are escaped too.
pub const fn printable<T>(text: T) -> Printable<T> {
    Printable { text, kept: &[] }
}

/// A text in which these control characters stay what they are.
pub const fn printable_but<T>(text: T, kept: &'static [char]) -> Printable<T> {
    Printable { text, kept }
}

/// The most characters of what others wrote that a sentence repeats.
const MOST_IN_A_SENTENCE: usize = 64;

/// The beginning of a text on one line, short enough for a sentence.
pub fn brief(text: &str) -> String {
    let clipped: String = text.chars().take(MOST_IN_A_SENTENCE).collect();
    printable(clipped).to_string()
}

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, kept: self.kept }, "{}", self.text)
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    kept: &'static [char],
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| steers(*c) && !self.kept.contains(c)) {
            let (before, after) = rest.split_at(at);
            self.out.write_str(before)?;
            write!(self.out, "\\u{:04x}", u32::from(found))?;
            rest = after.get(found.len_utf8()..).unwrap_or_default();
        }
        self.out.write_str(rest)
    }
}

/// Whether a terminal acts on the character instead of showing it. All of them have four hexadecimal digits.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_steers_a_terminal_is_spelled_out_and_the_rest_stays() {
        let title = "\u{1b}]0;owned\u{7}\u{1b}[2J";
        assert_eq!(printable(title).to_string(), r"\u001b]0;owned\u0007\u001b[2J");
        assert_eq!(printable("a\r\nb\tc\u{7f}\u{9b}1m").to_string(), r"a\u000d\u000ab\u0009c\u007f\u009b1m");
        assert_eq!(printable("\u{202e}cba\u{2066}\u{2028}").to_string(), r"\u202ecba\u2066\u2028");
        for plain in ["", "sunny", "\u{fc}\u{df}\u{2192}\u{1f327}\u{fe0f}", r"C:\u001b"] {
            assert_eq!(printable(plain).to_string(), plain);
        }
        assert_eq!(printable_but("a\nb\u{1b}", &['\n']).to_string(), "a\nb\\u001b");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a\u{9b}": "\u{0}\n\u{1b}\u{7f}\u{85}\u{202e}\u{2028}\"\\" });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("json")] {
            let shown = printable_but(&text, &['\n']).to_string();
            assert!(!shown.chars().any(|c| steers(c) && c != '\n'), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("json"), value);
        }
    }
}
