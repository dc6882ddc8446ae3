//! The rules of the code base that no compiler checks: which module may import which, how long files and functions may
//! be, which names say nothing, and how comments are written.

mod facilitator;
mod lengths;
mod voice;

use crate::source_files::{self, Source};
use std::path::Path;

/// For each module: what of the crate it may name, and what of the outside it may not. `module::Name` allows that one
/// name only.
const LAYERS: [(&str, &[&str], &[&str]); 14] = [
    ("domain", &[], &["tokio", "sqlx", "rusqlite", "axum", "reqwest", "solana_rpc_client", "tracing", "async_trait"]),
    ("wire", &["domain"], &["tokio", "sqlx", "rusqlite", "axum", "reqwest", "solana_rpc_client"]),
    ("programs", &["domain"], &["tokio", "sqlx", "rusqlite", "axum", "reqwest", "solana_rpc_client"]),
    ("ledger", &["domain"], &["axum", "reqwest", "solana_rpc_client"]),
    ("covalidator", &["domain", "programs"], &["axum", "sqlx", "rusqlite", "solana_rpc_client"]),
    ("chain", &["domain", "programs", "ledger::Recorded"], &["axum", "sqlx", "rusqlite"]),
    (
        "facilitator",
        &["domain", "programs", "ledger", "chain", "covalidator"],
        &["axum", "sqlx", "rusqlite", "reqwest", "solana_rpc_client"],
    ),
    ("api", &["facilitator", "wire", "domain"], &["sqlx", "rusqlite", "solana_rpc_client"]),
    ("client", &["wire", "domain", "programs", "covalidator"], &["axum", "sqlx", "rusqlite", "clap"]),
    (
        "merchant",
        &["wire", "domain", "programs", "covalidator"],
        &["axum", "sqlx", "rusqlite", "solana_rpc_client", "clap"],
    ),
    ("localnet", &["domain", "programs"], &["sqlx", "rusqlite", "solana_rpc_client", "clap"]),
    ("config", &["domain"], &["axum", "sqlx", "rusqlite", "clap", "solana_rpc_client"]),
    ("telemetry", &["domain"], &["axum", "sqlx", "rusqlite", "clap", "solana_rpc_client"]),
    (
        "cli",
        &[
            "domain",
            "wire",
            "programs",
            "ledger",
            "covalidator",
            "chain",
            "facilitator",
            "api",
            "client",
            "merchant",
            "localnet",
            "config",
            "telemetry",
        ],
        &["sqlx", "rusqlite"],
    ),
];

/// Names that say nothing about what a thing is for.
const FORBIDDEN: [&str; 7] = ["util", "helper", "manager", "processor", "data", "info", "common"];

/// Words that `docs/GLOSSARY.md` has replaced by standard terms (its column *formerly*): each had several meanings here, or
/// none that a stranger could guess. Only names are read, not prose, words on the wire, columns or SQL.
const RETIRED: [&str; 13] = [
    "lane", "gate", "room", "seat", "errand", "tally", "tallies", "bulk", "grip", "mourn", "bury", "dawdle", "sighting",
];
const RETIRED_PHRASES: [&str; 2] = ["take_off", "line_up"];
/// The one public name that keeps a retired word: "paygate" is the field's own.
const KEPT: [(&str, &str); 1] = [("src/merchant/", "gate")];
/// Names that the trait of a dependency gives.
const OF_OTHERS: [(&str, &str); 1] = [("api/http/connections.rs", "Data")];

/// What introduces a name of our own.
const DEFINITIONS: [&str; 8] = ["fn ", "struct ", "enum ", "trait ", "mod ", "type ", "const ", "static "];

fn sources() -> Vec<Source> {
    let found = source_files::below("src");
    assert!(found.len() > 50, "only {} files found", found.len());
    found
}

/// Every path below `crate::` that a text names, groups unfolded: `crate::{a::B, c}` names `a::B` and `c`.
fn crate_paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let is_own = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        if is_own {
            unfold("", &text[at + "crate::".len()..], &mut found);
        }
    }
    found
}

/// Unfolds one use tree that begins at `rest`; gives what follows it.
fn unfold<'a>(prefix: &str, rest: &'a str, found: &mut Vec<String>) -> &'a str {
    let rest = rest.trim_start();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            inside = inside.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = inside.strip_prefix('}') {
                return after;
            }
            let before = inside.len();
            inside = unfold(prefix, inside, found);
            assert!(inside.len() < before, "cannot read the use tree at {inside:.40}");
        }
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*')).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    let after = after.trim_start();
    if let Some(deeper) = after.strip_prefix("::") {
        return unfold(&path, deeper, found);
    }
    found.push(path);
    match after.strip_prefix("as ") {
        Some(renamed) => renamed.trim_start().trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
        None => after,
    }
}

fn may_name(path: &str, own: &str, allowed: &[&str]) -> bool {
    let below = |module: &str| path == module || path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"));
    below(own) || allowed.iter().any(|module| below(module))
}

#[test]
fn every_module_is_in_the_layering_table() {
    let mut modules: Vec<_> = sources().iter().map(Source::module).filter(|m| m != "lib" && m != "main").collect();
    modules.sort();
    modules.dedup();
    let mut known: Vec<_> = LAYERS.iter().map(|(module, _, _)| (*module).to_owned()).collect();
    known.sort();
    assert_eq!(modules, known);
}

#[test]
fn modules_import_only_what_their_layer_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((own, allowed, banned)) = LAYERS.iter().find(|(module, _, _)| *module == source.module()) else {
            continue;
        };
        let product = source.product();
        for path in crate_paths(&product) {
            if !may_name(&path, own, allowed) {
                wrong.push(format!("{}: crate::{path}", source.path.display()));
            }
        }
        for name in *banned {
            let uses = [format!("use {name}::"), format!(" {name}::"), format!("({name}::"), format!("<{name}::")];
            if uses.iter().any(|form| product.contains(form.as_str())) {
                wrong.push(format!("{}: {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that the layering refuses:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_sqlite_engine_names_its_libraries() {
    let engine = Path::new("ledger").join("sqlite");
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with(&engine)) {
        let lines = source.code().filter(|(_, line)| line.contains("rusqlite") || line.contains("sqlx"));
        wrong.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", source.path.display())));
    }
    assert!(wrong.is_empty(), "SQLite outside ledger/sqlite:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_builds_the_world() {
    for source in sources().iter().filter(|source| !["cli", "main", "lib"].contains(&source.module().as_str())) {
        let names = crate_paths(&source.product());
        let own = source.module();
        let foreign = names.iter().filter_map(|path| path.split("::").next()).any(|module| {
            // `client` begins with the same letters and is somebody else.
            module == "cli" || (module == "config" && own != "config")
        });
        assert!(!foreign, "{} knows the command line or the configuration", source.path.display());
    }
}

fn is_of_others(source: &Source, name: &str) -> bool {
    OF_OTHERS.iter().any(|(file, given)| source.path == Path::new(file) && *given == name)
}

#[test]
fn names_say_what_things_are_for() {
    let mut wrong = Vec::new();
    for source in sources() {
        let file = source.path.file_stem().expect("a name").to_string_lossy().into_owned();
        if says_nothing(&file) {
            wrong.push(source.path.display().to_string());
        }
        let names = source.code().filter_map(|(number, line)| Some((number, defined_name(line)?)));
        for (number, name) in names.filter(|(_, name)| says_nothing(name) && !is_of_others(&source, name)) {
            wrong.push(format!("{}:{number}: {name}", source.path.display()));
        }
        // "handle" is a noun here, Inco's; as a function's verb it says nothing.
        for name in source.product().lines().filter(|line| line.contains("fn ")).filter_map(defined_name) {
            if name.starts_with("handle_") {
                wrong.push(format!("{}: {name}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "names that say nothing:\n{}", wrong.join("\n"));
}

/// The name that a line defines, if it defines one.
fn defined_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for modifier in ["pub(crate) ", "pub(super) ", "pub ", "const fn ", "async fn ", "unsafe fn "] {
        rest = rest
            .strip_prefix(modifier)
            .map_or(rest, |after| if modifier.ends_with("fn ") { &rest[modifier.len() - 3..] } else { after });
    }
    let after = DEFINITIONS.iter().find_map(|keyword| rest.strip_prefix(keyword))?;
    let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
    Some(&after[..end])
}

/// A name in lower case, its words separated by underscores.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 8);
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
        before = c;
    }
    snake
}

/// The word of a list that a name consists of, or has as one word of several, in the singular or in the plural.
fn word_among<'a>(name: &str, words: &[&'a str]) -> Option<&'a str> {
    let snake = snake(name);
    let is = |part: &str, word: &str| part == word || part.strip_suffix('s').is_some_and(|singular| singular == word);
    words.iter().copied().find(|word| snake.split('_').any(|part| is(part, word)))
}

/// Whether a name is a forbidden one, alone or as one word of several.
fn says_nothing(name: &str) -> bool {
    word_among(name, &FORBIDDEN).is_some()
}

/// The retired word in a name of this file.
fn retired(file: &str, name: &str) -> Option<&'static str> {
    let snake = snake(name);
    let phrase = RETIRED_PHRASES.into_iter().find(|phrase| snake.contains(phrase));
    let word = phrase.or_else(|| word_among(name, &RETIRED))?;
    let is_kept = KEPT.iter().any(|(folder, kept)| file.starts_with(folder) && *kept == word);
    (!is_kept).then_some(word)
}

#[test]
fn names_use_the_words_of_the_glossary() {
    let mut wrong = Vec::new();
    for source in source_files::below("src").into_iter().chain(source_files::below("tests")) {
        let file = source.to_string();
        let parts = source.path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let parts: Vec<String> = parts.map(|part| part.trim_end_matches(".rs").to_owned()).collect();
        let defined = source.code().filter_map(|(number, line)| Some((number, defined_name(line)?)));
        let names = parts.iter().map(|part| (0, part.as_str())).chain(defined);
        for (number, name) in names {
            if let Some(word) = retired(&file, name) {
                wrong.push(format!("{file}:{number}: {name} (\"{word}\")"));
            }
        }
    }
    assert!(wrong.is_empty(), "names with words that docs/GLOSSARY.md retired:\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_this_test_reads_what_the_compiler_reads() {
    let text = "use crate::{a::{B, c::*}, d as e, self};\nlet x = crate::f::g(my_crate::h, $crate::i);";
    assert_eq!(crate_paths(text), ["a::B", "a::c::*", "d", "self", "f::g"]);
    assert!(may_name("ledger::Recorded", "chain", &["ledger::Recorded"]));
    assert!(!may_name("ledger::RecordedRow", "chain", &["ledger::Recorded"]));
    assert!(!may_name("ledger", "chain", &["ledger::Recorded"]));
    assert_eq!(defined_name("    pub(super) async fn pay_now<T>(x: T)"), Some("pay_now"));
    assert_eq!(defined_name("pub const fn word(self)"), Some("word"));
    assert_eq!(defined_name("let x = 1;"), None);
    for (name, vague) in [("SessionManager", true), ("utils", true), ("load_handle", false), ("informed", false)] {
        assert_eq!(says_nothing(name), vague, "{name}");
    }
    for (file, name, word) in [
        ("src/api/mod.rs", "SessionLanes", Some("lane")),
        ("src/api/mod.rs", "Gate", Some("gate")),
        ("src/merchant/gate.rs", "Gate", None),
        ("src/merchant/gate.rs", "seats", Some("seat")),
        ("tests/it/x.rs", "nothing_takes_off_and_take_off_is_no_word", Some("take_off")),
        ("src/api/mod.rs", "aggregate_planes", None),
        ("src/api/mod.rs", "TALLY", Some("tally")),
    ] {
        assert_eq!(retired(file, name), word, "{file} {name}");
    }
}
