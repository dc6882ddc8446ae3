//! How comments and documents are written: people are "they" or a noun, and a comment says what a thing is without the
//! one before it.

use crate::source_files;
use std::{fs, path::Path};

/// Words for one person that say whether it is a man.
const PRONOUNS: [&str; 4] = ["he", "him", "his", "himself"];

/// Files for people that are no Rust; decisions (`docs/adr`) are never edited.
fn papers() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for folder in ["docs", "deploy"] {
        source_files::collect(&root.join(folder), &mut paths);
    }
    paths.retain(|path| !path.starts_with(root.join("docs/adr")));
    let named = |path: &Path| path.strip_prefix(root).expect("below the root").display().to_string();
    paths.iter().map(|path| (named(path), fs::read_to_string(path).expect("a text"))).collect()
}

fn sources() -> Vec<(String, String)> {
    let all = ["src", "tests", "benches"].into_iter().flat_map(source_files::below);
    all.map(|source| (source.to_string(), source.text)).collect()
}

#[test]
fn people_are_they_or_a_noun() {
    let mut wrong = Vec::new();
    for (file, text) in sources().into_iter().chain(papers()) {
        if file == "tests/it/architecture/voice.rs" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_ascii_alphabetic());
            if let Some(word) = words.find(|word| PRONOUNS.contains(&word.to_ascii_lowercase().as_str())) {
                wrong.push(format!("{file}:{}: {word}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_comment_begins_with_the_same() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let mut in_comment = None;
        for (number, line) in text.lines().enumerate() {
            let comment = comment(line);
            // The first line of a comment, and the first after an empty one.
            let begins =
                comment.is_some_and(|text| in_comment.is_none_or(str::is_empty) && text.starts_with("The same"));
            if begins {
                wrong.push(format!("{file}:{}", number + 1));
            }
            in_comment = comment;
        }
    }
    assert!(wrong.is_empty(), "say what differs instead, {} comments:\n{}", wrong.len(), wrong.join("\n"));
}

/// The text of a comment that stands on a line of its own.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

#[test]
fn the_reader_of_this_test_reads_comments() {
    assert_eq!(comment("    /// The same."), Some("The same."));
    assert_eq!(comment("//!"), Some(""));
    assert_eq!(comment("let x = 1; // The same."), None);
}
