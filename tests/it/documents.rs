//! The documents are held to the code: routes to their table, and every file that a page names to the tree.

use crate::source_files;
use axum::{Router, routing::get};
use solana_pubkey::Pubkey;
use sotto::merchant::{FacilitatorClient, Gate, Offer, Paywall, Price};
use std::{collections::BTreeSet, error::Error, fs, path::Path};

/// Pages whose paths in backticks must exist.
const PAGES: [&str; 9] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/API.md",
    "docs/ATTACKS.md",
    "docs/ARCHITECTURE.md",
    "docs/GLOSSARY.md",
    "docs/LOGGING.md",
    "docs/MPP.md",
    "docs/TRUST.md",
];
/// Folders that a path in backticks begins with.
const FOLDERS: [&str; 7] = ["src/", "tests/", "benches/", "docs/", "deploy/", "migrations/", ".ci/"];

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything in backticks, where no fence of code begins.
fn quoted(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// One row of the table of routes.
struct Row {
    method: String,
    path: String,
    handler: String,
    use_cases: Vec<String>,
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let page = read("docs/API.md");
    let is_row = |line: &&str| line.starts_with("| `GET /") || line.starts_with("| `POST /");
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(quoted);
        let mut one =
            || cells.next().and_then(|cell| cell.first().map(ToString::to_string)).expect("a cell in backticks");
        let (route, handler) = (one(), one());
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let mut all = || cells.next().expect("a cell").into_iter().map(ToOwned::to_owned).collect();
        Row { method: method.to_owned(), path: path.to_owned(), handler, use_cases: all(), tests: all() }
    };
    page.lines().filter(is_row).map(row).collect()
}

#[test]
fn every_route_is_in_the_table_and_no_other() {
    let table: Vec<_> = rows().into_iter().map(|row| (row.method, row.path)).collect();
    let served = sotto::api::served().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(table, served.collect::<Vec<_>>(), "in the order of `routes()`");
}

#[test]
fn every_row_of_the_table_leads_to_code_and_tests() {
    let (src, tests) = (source_files::below("src"), source_files::below("tests"));
    for row in rows() {
        let handler = src.iter().find(|source| source.to_string() == row.handler);
        let handler = handler.unwrap_or_else(|| panic!("{} does not exist", row.handler));
        assert!(
            handler.text.contains(&format!("`{} {}`", row.method, row.path)),
            "{} says what it serves",
            row.handler
        );
        assert!(!row.use_cases.is_empty(), "{} names no use case", row.path);
        for use_case in &row.use_cases {
            let forms = [format!("pub async fn {use_case}("), format!("pub fn {use_case}(")];
            let defines = |source: &source_files::Source| {
                source.module() == "facilitator" && forms.iter().any(|form| source.text.contains(form))
            };
            assert!(use_case == "none" || src.iter().any(defines), "no use case {use_case} of {}", row.path);
        }
        assert!(row.tests.len() >= 2, "{} has fewer than two tests in the table", row.path);
        for test in &row.tests {
            let (module, name) = test.rsplit_once("::").expect("a test has a module");
            let place = format!("tests/it/{}", module.replace("::", "/"));
            let call = format!("fn {name}(");
            let is_there = |source: &source_files::Source| {
                let file = source.to_string();
                file == format!("{place}.rs") && source.text.contains(&call)
            };
            assert!(tests.iter().any(is_there), "no test {test}");
        }
    }
}

/// The rules that `docs/ATTACKS.md` has a row for.
const RULES: [&str; 13] =
    ["R-09", "R-10", "R-11", "R-12", "R-13", "R-17", "R-23", "R-24", "R-25", "R-26", "R-27", "R-33", "R-34"];

#[test]
fn every_row_of_the_attacks_leads_to_guards_and_tests() {
    let page = read("docs/ATTACKS.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| R-"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), RULES);
    for row in rows {
        let guards = quoted(row[2]);
        assert!(!guards.is_empty() && guards.len().is_multiple_of(2), "{}: a file and a name for each guard", row[0]);
        for guard in guards.chunks(2) {
            let text = read(guard[0]);
            let is_there = if Path::new(guard[0]).extension().is_some_and(|kind| kind == "rs") {
                [format!("fn {}(", guard[1]), format!("fn {}<", guard[1])].iter().any(|form| text.contains(form))
            } else {
                text.contains(guard[1])
            };
            assert!(is_there, "{}: no {} in {}", row[0], guard[1], guard[0]);
        }
        for test in quoted(row[3]) {
            let (module, name) = test.rsplit_once("::").expect("a test has a module");
            let path = module.replace("::", "/");
            let path = if path.starts_with("src/") { format!("{path}.rs") } else { format!("tests/it/{path}.rs") };
            assert!(read(&path).contains(&format!("fn {name}(")), "{}: no test {test}", row[0]);
        }
    }
}

#[test]
fn every_file_that_a_page_names_exists() {
    let mut missing = BTreeSet::new();
    for page in PAGES {
        let text = read(page);
        for name in quoted(&text) {
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains([' ', '<', '*']);
            if is_path && !root().join(name).exists() {
                missing.insert(format!("{page}: {name}"));
            }
        }
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap_or_default();
            let file = link.split('#').next().unwrap_or_default();
            let folder = root().join(page).parent().expect("a page is in a folder").to_owned();
            if !link.starts_with("http") && !file.is_empty() && !folder.join(file).exists() {
                missing.insert(format!("{page}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

async fn weather() -> &'static str {
    "sunny"
}

/// The merchant of the README, line for line.
#[rustfmt::skip]
fn shop_of_the_readme(mint: Pubkey, pay_to: Pubkey) -> Result<Router, Box<dyn Error>> {
    let offer = Offer::new("solana:devnet", mint, pay_to, Price::decimal("0.01", 6)?).facilitator("https://facilitator.example.com");
    let gate = Gate::new("GET /weather", offer)?;                                 // what is sold; nothing else is charged
    let paywall = Paywall::new(FacilitatorClient::new("https://facilitator.example.com")?, gate);
    let app = Router::new().route("/weather", get(weather)).layer(paywall);
    Ok(app)
}

#[test]
fn the_merchant_of_the_readme_is_what_is_compiled() {
    let readme = read("README.md");
    let own = include_str!("documents.rs");
    let lines: Vec<_> = readme.lines().skip_while(|line| !line.starts_with("let offer")).collect();
    let shop: Vec<_> = lines.into_iter().take_while(|line| *line != "```").collect();
    assert_eq!(shop.len(), 4, "{shop:#?}");
    for line in shop {
        assert!(own.contains(&format!("\n    {line}\n")), "not what is compiled: {line}");
    }
    let _: fn(Pubkey, Pubkey) -> Result<Router, Box<dyn Error>> = shop_of_the_readme;
}
