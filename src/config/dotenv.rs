//! `.env` files, read as the deployed service's Node reads them: a value is what stands there, and nothing is put in for a `$`.
//!
//! No library: those for Rust substitute `$NAME` in values, by which a ledger's path or a key loses its end without a word
//! (ADR 0039). Where readers of such files differ about a line, it is not guessed at: the line is told, never its value.

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dotenv {
    /// Names and values, in their order.
    pub(super) pairs: Vec<(String, String)>,
    /// Lines that set nothing.
    pub(super) bad: Vec<BadLine>,
}

/// A line that cannot be read, or that others read otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    /// Its number, from 1.
    pub(super) line: usize,
    /// The variable that it seems to be about.
    pub(super) name: String,
    /// What is wrong with it.
    pub(super) problem: &'static str,
}

/// A line without its end, and its number.
type Line<'a> = (usize, &'a str);

/// Reads the text of a file.
pub(super) fn parse(text: &str) -> Dotenv {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = (1..).zip(text.lines());
    let mut found = Dotenv::default();
    while let Some((line, text)) = lines.next() {
        let text = text.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
        let rest = exported.map_or(text, str::trim_start);
        let (name, after) = rest.split_at(rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()));
        match value(after, &mut lines) {
            Ok(value) if !name.is_empty() => found.pairs.push((name.to_owned(), value)),
            Ok(_) => {}
            Err(problem) => found.bad.push(BadLine { line, name: name.to_owned(), problem }),
        }
    }
    found
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// What stands after a name: `=` or `: `, and a value that may go on over the next lines where it is quoted. Only a value that is
/// read takes lines with it.
fn value<'a, I: Iterator<Item = Line<'a>> + Clone>(after: &'a str, lines: &mut I) -> Result<String, &'static str> {
    let text = match (after.trim_start().strip_prefix('='), after.strip_prefix(": ")) {
        (Some(text), _) | (None, Some(text)) => text.trim(),
        (None, None) => return Err("is not NAME=value"),
    };
    match text.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => quoted(&text[1..], quote, lines),
        _ => plain(text),
    }
}

fn plain(text: &str) -> Result<String, &'static str> {
    let Some((value, _)) = text.split_once('#') else { return Ok(text.to_owned()) };
    if value.is_empty() || value.ends_with(char::is_whitespace) {
        Ok(value.trim_end().to_owned())
    } else {
        Err("has a # that some read as the beginning of a comment: put quotes around the value")
    }
}

fn quoted<'a, I: Iterator<Item = Line<'a>> + Clone>(
    first: &'a str,
    quote: char,
    lines: &mut I,
) -> Result<String, &'static str> {
    let mut ahead = lines.clone();
    let mut inside = String::new();
    let mut text = first;
    let (before, rest) = loop {
        if let Some(ends) = text.split_once(quote) {
            break ends;
        }
        inside.push_str(text);
        inside.push('\n');
        // A password that begins with a quote must not swallow the rest of the file.
        text = ahead.next().ok_or("has no closing quote")?.1;
    };
    inside.push_str(before);
    let rest = rest.trim();
    if before.ends_with('\\') {
        return Err("has an escaped quote: put other quotes around the value");
    }
    if !rest.is_empty() && !rest.starts_with('#') {
        return Err("goes on after its closing quote");
    }
    *lines = ahead;
    Ok(if quote == '"' { inside.replace("\\n", "\n").replace("\\r", "\r") } else { inside })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Result<(String, String), (usize, String)> {
        let Dotenv { mut pairs, mut bad } = parse(text);
        match (pairs.pop(), bad.pop()) {
            (Some(pair), None) if pairs.is_empty() => Ok(pair),
            (None, Some(bad)) => Err((bad.line, bad.name)),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_value_is_what_stands_there() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b", "b"),
            ("  A=b  ", "b"),
            ("export A=b", "b"),
            ("export\tA=b", "b"),
            ("A: b", "b"),
            ("A=", ""),
            ("A=/data/a$prod.db", "/data/a$prod.db"),
            ("A=\"/data/${x}a.db\"", "/data/${x}a.db"),
            ("A=My paid API", "My paid API"),
            ("A=[1, 2, 3]", "[1, 2, 3]"),
            ("A=b # a comment", "b"),
            ("A=# a comment", ""),
            ("A='b # no comment'", "b # no comment"),
            ("A='b' # a comment", "b"),
            ("A=`it's \"quoted\"`", "it's \"quoted\""),
            ("A=\"two\\nlines\"", "two\nlines"),
            ("A='two\\nlines'", "two\\nlines"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A=a\\b", "a\\b"),
            ("A=b\r\n", "b"),
            ("A=it's", "it's"),
            ("A=b=c", "b=c"),
        ] {
            assert_eq!(only(text), Ok(("A".to_owned(), value.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn what_is_read_in_two_ways_is_told_by_line_and_name() {
        for (text, line) in [
            ("A b", 1),
            ("# one\n\nA hunter2", 3),
            ("A=b#c", 1),
            ("A='b", 1),
            ("A=\"b\\\"c\"", 1),
            ("A='b'c", 1),
            ("A:b", 1),
        ] {
            assert_eq!(only(text), Err((line, "A".to_owned())), "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_takes_no_other_with_it() {
        let found = parse("A=1\nnot a line\nB=2\n=3\n");
        assert_eq!(found.pairs, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
        assert_eq!(found.bad, [BadLine { line: 2, name: "not".to_owned(), problem: "is not NAME=value" }]);
        // A quote that is never closed, or closed by one of another value.
        for text in ["P='x9f\nA=1\nB=2", "P='x9f\nA=1\nQ='a b' c\nB=2"] {
            let found = parse(text);
            let read: Vec<_> = found.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(read, [("A", "1"), ("B", "2")], "{text:?}");
            assert_eq!((found.bad[0].line, found.bad[0].name.as_str()), (1, "P"), "{text:?}");
        }
    }
}
