//! The Rust files of the repository, as the tests about the code itself read them.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// One file.
pub(crate) struct Source {
    /// `src`, `tests` or `benches`.
    pub(crate) root: &'static str,
    /// Below the root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.root, self.path.display())
    }
}

impl Source {
    /// The module of the first level: `chain` for `chain/rpc.rs`, `telemetry` for `telemetry.rs`.
    pub(crate) fn module(&self) -> String {
        let first = self.path.components().next().expect("a file has a name");
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    }

    /// Whether the file holds the unit tests of its sibling.
    pub(crate) fn is_tests(&self) -> bool {
        let file = self.path.file_stem().unwrap_or_default().to_string_lossy();
        file == "tests"
            || file.ends_with("_tests")
            || self.path.parent().is_some_and(|parent| parent.ends_with("tests"))
    }

    /// Lines of code, numbered, without comments.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(number, line)| {
            let code = if line.trim_start().starts_with("//") { "" } else { line };
            (number + 1, code)
        })
    }

    /// The text without comments and without what `#[cfg(test)]` leaves out of the product: a test may build a chain
    /// of real parts.
    pub(crate) fn product(&self) -> String {
        let lines: Vec<&str> = self.code().map(|(_, line)| line).collect();
        let end = lines.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(lines.len());
        if self.is_tests() { String::new() } else { lines[..end].join("\n") }
    }
}

/// Every Rust file below a folder of the repository.
pub(crate) fn below(root: &'static str) -> Vec<Source> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut paths = Vec::new();
    collect(&directory, &mut paths);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file");
        Source { root, path: path.strip_prefix(&directory).expect("below the root").to_owned(), text }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.into_iter().map(read).collect()
}

/// Every file below a directory, whatever its kind.
pub(crate) fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// A text whose comments, strings and characters are blank, line by line: what is left are the tokens.
pub(crate) fn tokens_only(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_length(rest, kept.chars().next_back()).unwrap_or(0);
        if length == 0 {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            kept.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    kept
}

/// The length of the comment, string or character that begins here.
fn literal_length(text: &str, before: Option<char>) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if let Some(rest) = text.strip_prefix('"') {
        return Some(1 + quoted_length(rest, '"')?);
    }
    if let Some(rest) = text.strip_prefix('\'') {
        // A lifetime has no closing quote behind its first character.
        let is_character = rest.starts_with('\\') || rest.chars().nth(1) == Some('\'');
        return if is_character { Some(1 + quoted_length(rest, '\'')?) } else { None };
    }
    let is_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let rest = text.strip_prefix('r').filter(|_| !is_name)?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - inside.len() + inside.find(&end)? + end.len())
}

/// How many bytes there are up to the closing quote, with it.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

#[test]
fn strings_comments_and_characters_are_blank() {
    let text = "let a = \"{\\\"\"; // {\nlet b: &'a str = r#\"}\"#; let c = '{'; let d = '\\''; fn e() {}";
    let tokens = tokens_only(text);
    assert_eq!(tokens.len(), text.len());
    assert_eq!(tokens.matches(['{', '}']).count(), 2, "{tokens}");
    assert_eq!(tokens.matches("'a").count(), 1, "{tokens}");
    assert_eq!(tokens.lines().count(), 2);
}
