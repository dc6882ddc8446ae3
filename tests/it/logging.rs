//! `docs/LOGGING.md` is held to the code: which modules log, the names of fields, and the messages that it quotes.

use crate::source_files::{self, Source};
use std::collections::BTreeSet;

/// Modules that return what they find and log nothing.
const SILENT: [&str; 5] = ["domain", "wire", "programs", "ledger", "config"];

/// What writes a line or begins a span.
const MACROS: [&str; 6] = ["trace!(", "debug!(", "info!(", "warn!(", "error!(", "info_span!("];

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/LOGGING.md")).expect("docs/LOGGING.md")
}

/// The part of the document under one heading.
fn section(heading: &str) -> String {
    let document = document();
    let (_, rest) = document.split_once(&format!("\n## {heading}\n")).expect("the section is there");
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// Everything in backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The arguments of every call of a `tracing` macro.
fn calls(text: &str) -> Vec<Vec<&str>> {
    let starts = text.match_indices("tracing::").filter_map(|(at, prefix)| {
        let rest = &text[at + prefix.len()..];
        MACROS.iter().find_map(|name| rest.strip_prefix(name))
    });
    starts.map(arguments).collect()
}

/// The comma-separated arguments up to the closing parenthesis.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut in_string, mut escaped, mut begun) = (0_usize, false, false, 0);
    let mut found = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b')' if depth == 0 => {
                found.push(text[begun..at].trim());
                break;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(text[begun..at].trim());
                begun = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|argument| !argument.is_empty());
    found
}

/// The name of the field that an argument sets, if it sets one.
fn field(argument: &str) -> Option<&str> {
    if argument.starts_with('"') || argument.starts_with("parent:") {
        return None;
    }
    let name = argument.split_once(" = ").map_or(argument, |(name, _)| name);
    Some(name.trim_start_matches(['%', '?']).trim())
}

fn product() -> Vec<(Source, String)> {
    source_files::below("src").into_iter().map(|source| (source.product(), source)).map(|(text, s)| (s, text)).collect()
}

#[test]
fn rules_and_storage_do_not_log() {
    let logs =
        |(source, text): &(Source, String)| SILENT.contains(&source.module().as_str()) && text.contains("tracing::");
    let wrong: Vec<_> = product().into_iter().filter(logs).map(|(source, _)| source.path).collect();
    assert!(wrong.is_empty(), "these modules return what they find and do not log: {wrong:?}");
    let place = section("Where");
    let silent = place.lines().find(|line| line.contains("nothing: they return")).expect("the row of the silent");
    assert_eq!(quoted(silent), SILENT.into_iter().collect());
}

#[test]
fn every_field_has_a_name_that_the_document_lists() {
    let how = section("How");
    let table: String = how.lines().filter(|line| line.starts_with('|')).collect();
    let known = quoted(&table);
    let mut used = BTreeSet::new();
    let texts = product();
    for (source, text) in &texts {
        for name in calls(text).into_iter().flatten().filter_map(field) {
            assert!(known.contains(name), "{}: the field `{name}` is not in docs/LOGGING.md", source.path.display());
            used.insert(name);
        }
    }
    let unused: Vec<_> = known.difference(&used).collect();
    assert!(unused.is_empty(), "docs/LOGGING.md lists fields that no line has: {unused:?}");
}

/// CR-6. The sentence of the chain's error says what was asked; which endpoint gave no answer, and why, is its cause.
#[test]
fn every_warning_about_the_chain_tells_the_cause_at_each_endpoint() {
    let mut found = 0;
    for (source, text) in product().iter().filter(|(source, _)| source.module() == "chain") {
        for (at, call) in text.match_indices("tracing::warn!(") {
            let fields: Vec<_> = arguments(&text[at + call.len()..]).into_iter().filter_map(field).collect();
            if fields.contains(&"error") {
                assert!(fields.contains(&"cause"), "{}: {fields:?}", source.path.display());
                found += 1;
            }
        }
    }
    assert!(found > 3, "only {found} of them are read");
}

#[test]
fn every_example_is_a_line_that_is_logged_at_its_level() {
    let when = section("When");
    let texts = product();
    for row in when.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let level = cells.next().unwrap_or_default().trim_matches('`').to_owned();
        for example in quoted(cells.nth(1).unwrap_or_default()) {
            let call = format!("\"{example}\"");
            let is_logged = texts.iter().any(|(_, text)| {
                text.match_indices(&call).any(|(at, _)| {
                    text[..at]
                        .rfind("tracing::")
                        .is_some_and(|macro_at| text[macro_at..].starts_with(&format!("tracing::{level}!(")))
                })
            });
            assert!(is_logged, "nothing logs {example:?} at {level}");
        }
    }
}

/// Modules whose lines an operator of the service reads.
const OPERATED: [&str; 5] = ["api", "chain", "covalidator", "facilitator", "cli"];

/// A message up to its first mark behind at least three words: what `deploy/RUNBOOK.md` quotes of it.
fn beginning(message: &str) -> &str {
    let mut starts = message.match_indices([';', ':', ',', '.']).map(|(at, _)| &message[..at]);
    starts.find(|start| start.split_whitespace().count() >= 3).unwrap_or(message)
}

/// Whoever is woken by a line finds in the runbook what it means and what to do.
#[test]
fn every_warning_and_error_of_the_service_stands_in_the_runbook() {
    let runbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/RUNBOOK.md")).expect("a text");
    let (mut missing, mut found) = (BTreeSet::new(), 0);
    for (source, text) in product().iter().filter(|(source, _)| OPERATED.contains(&source.module().as_str())) {
        for call in ["tracing::warn!(", "tracing::error!("] {
            for (at, _) in text.match_indices(call) {
                let arguments = arguments(&text[at + call.len()..]);
                let message = arguments.iter().find_map(|argument| argument.strip_prefix('"')).expect("a message");
                let start = beginning(message.trim_end_matches('"'));
                found += 1;
                if !runbook.contains(start) {
                    missing.insert(format!("{source}: {start}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "lines that deploy/RUNBOOK.md does not explain: {missing:#?}");
    assert!(found > 50, "only {found} lines are read");
}

/// What a supervisor is told by `GET /ready` has a row of its own there.
#[test]
fn every_check_of_ready_stands_in_the_runbook() {
    let runbook = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/RUNBOOK.md")).expect("a text");
    let named = |file: &str, before: &'static str| {
        let text = product().into_iter().find(|(source, _)| source.to_string() == file).expect("a file").1;
        let names = text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned());
        names.collect::<BTreeSet<_>>()
    };
    let mut checks = named("src/facilitator/lifecycle/readiness.rs", "name: \"");
    checks.extend(named("src/api/starting.rs", "failing(\""));
    let missing: Vec<_> = checks.iter().filter(|name| !runbook.contains(&format!("\n| `{name}` |"))).collect();
    assert!(missing.is_empty() && checks.len() >= 8, "{missing:?} of {checks:?}");
}

#[test]
fn the_reader_of_this_test_finds_arguments() {
    let text =
        "x; tracing::warn!(parent: &span, %error, reason = f(a, \"b)\"), session, \"a \\\"message\\\", told\"); y";
    let fields: Vec<_> = calls(text).concat().into_iter().filter_map(field).collect();
    assert_eq!(fields, ["error", "reason", "session"]);
    assert_eq!(beginning("a key is low; send it SOL"), "a key is low");
    assert_eq!(beginning("payment: shed, the ledger"), "payment: shed, the ledger");
}
