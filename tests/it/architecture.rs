//! The house's rules that no compiler checks: who may import whom, how long a file may be, which names say nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Refused above this many lines; sibling `tests.rs` files are exempt.
const LONGEST_FILE: usize = 400;

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

/// What introduces a name of our own.
const DEFINITIONS: [&str; 8] = ["fn ", "struct ", "enum ", "trait ", "mod ", "type ", "const ", "static "];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The module of the first level: `chain` for `chain/rpc.rs`, `telemetry` for `telemetry.rs`.
    fn module(&self) -> String {
        let first = self.path.components().next().expect("a file has a name");
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    }

    fn is_tests(&self) -> bool {
        let file = self.path.file_stem().unwrap_or_default().to_string_lossy();
        file == "tests"
            || file.ends_with("_tests")
            || self.path.parent().is_some_and(|parent| parent.ends_with("tests"))
    }

    /// Lines of code, numbered, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(number, line)| {
            let code = if line.trim_start().starts_with("//") { "" } else { line };
            (number + 1, code)
        })
    }

    /// The text without comments and without what `#[cfg(test)]` leaves out of the product: a test may build a chain
    /// of real parts.
    fn product(&self) -> String {
        let lines: Vec<&str> = self.code().map(|(_, line)| line).collect();
        let end = lines.iter().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(lines.len());
        if self.is_tests() { String::new() } else { lines[..end].join("\n") }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 50, "only {} files found", found.len());
    found
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            found.push(Source { path: path.strip_prefix(root).expect("below src").to_owned(), text });
        }
    }
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
    assert!(wrong.is_empty(), "imports that the layering of the house refuses:\n{}", wrong.join("\n"));
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

#[test]
fn no_file_is_longer_than_400_lines() {
    let long = |source: &Source| source.text.lines().count() > LONGEST_FILE && !source.is_tests();
    let long: Vec<_> = sources().into_iter().filter(long).map(|source| source.path).collect();
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines: {long:?}");
    let main = sources().into_iter().find(|source| source.path == Path::new("main.rs")).expect("src/main.rs");
    assert!(main.text.lines().count() < 30);
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
        for (number, name) in names.filter(|(_, name)| says_nothing(name)) {
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

/// Whether a name is a forbidden one, alone or as one word of several.
fn says_nothing(name: &str) -> bool {
    let snake: String = name
        .char_indices()
        .flat_map(|(at, c)| (at > 0 && c.is_uppercase()).then_some('_').into_iter().chain(c.to_lowercase()))
        .collect();
    snake.split('_').any(|word| FORBIDDEN.iter().any(|vague| word.strip_suffix('s').unwrap_or(word) == *vague))
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
}
