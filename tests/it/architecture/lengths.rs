//! How long a file and a function may be.

use super::defined_name;
use crate::source_files::{self, Source, tokens_only};
use std::path::Path;

/// Refused above this many lines; sibling `tests.rs` files are exempt.
const LONGEST_FILE: usize = 400;
/// Refused above this many lines, from the line that names the function to its closing brace.
const LONGEST_FUNCTION: usize = 60;

fn everything() -> impl Iterator<Item = Source> {
    ["src", "tests", "benches"].into_iter().flat_map(source_files::below)
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long = |source: &Source| source.text.lines().count() > LONGEST_FILE && !source.is_tests();
    let long: Vec<_> = everything().filter(long).map(|source| source.to_string()).collect();
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines:\n{}", long.join("\n"));
    let main = source_files::below("src").into_iter().find(|source| source.path == Path::new("main.rs"));
    assert!(main.expect("src/main.rs").text.lines().count() < 30);
}

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut long = Vec::new();
    for source in everything() {
        for (name, first, lines) in functions(&source.text) {
            if lines > LONGEST_FUNCTION {
                long.push(format!("{source}:{first}: {name} has {lines}"));
            }
        }
    }
    assert!(long.is_empty(), "longer than {LONGEST_FUNCTION} lines:\n{}", long.join("\n"));
}

/// Every function with a body: its name, its first line, and how many lines it has. A function in a function counts for
/// both.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let tokens = tokens_only(text);
    let (mut depth, mut named, mut open, mut found) = (0_usize, None, Vec::new(), Vec::new());
    for (number, line) in tokens.lines().enumerate() {
        let is_function = line.split_whitespace().any(|word| word == "fn");
        if let Some(name) = defined_name(line).filter(|_| is_function) {
            named = Some((name.to_owned(), number));
        }
        for token in line.chars() {
            match token {
                '{' => {
                    if let Some(function) = named.take() {
                        open.push((function, depth));
                    }
                    depth += 1;
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if let Some(((name, first), _)) = open.pop_if(|(_, outside)| *outside == depth) {
                        found.push((name, first + 1, number - first + 1));
                    }
                }
                _ => {}
            }
        }
        if line.trim_end().ends_with(';') {
            // A function of a trait, without a body.
            named = None;
        }
    }
    found
}

#[test]
fn the_reader_of_this_test_finds_functions() {
    let text = "trait A {\n    fn none(&self);\n    async fn one(&self) {\n        if x {\n        }\n    }\n}\n\
                pub(crate) const fn two<T>(\n    x: T,\n) -> T\nwhere\n    T: B,\n{\n    fn inner() {}\n}\n";
    let expected = [("one", 3, 4), ("inner", 14, 1), ("two", 8, 8)];
    assert_eq!(functions(text), expected.map(|(name, first, lines)| (name.to_owned(), first, lines)));
}
