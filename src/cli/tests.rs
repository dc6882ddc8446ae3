//! What pages and `--help` tell people to type is what the command line takes (R-33).

use super::Cli;
use clap::{Command, CommandFactory as _, Parser as _, error::ErrorKind};
use std::path::Path;

/// Pages with commands.
const PAGES: [&str; 9] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/API.md",
    "docs/ARCHITECTURE.md",
    "docs/BENCHMARKS.md",
    "docs/MPP.md",
    "docs/TRUST.md",
    "deploy/RUNBOOK.md",
    "deploy/sotto.default.toml",
];
/// How a command begins.
const PROGRAMS: [&str; 3] = ["sotto ", "cargo run --release -- ", "target/release/sotto "];
/// What stands for a value that the reader puts in.
const PLACEHOLDERS: [(&str, &str); 6] = [
    ("URL", "http://127.0.0.1:4021"),
    ("CHANNEL", "ch_00112233445566778899aabbccddeeff"),
    ("ID", "5a1f3a52-9b1e-4bb0-8f2e-0d3c1b7a9e11"),
    ("NONCE", "01a1ff8a1d607000a3f0161f904cdfb4"),
    ("KEY=VALUE", "server.port=8080"),
    ("SIGNATURE", "5FW39MK3hroCQnyJkHvLqTSHQ5h3UwujQ45LgQXkePEqMnkWnKP27RoZWJ6wMotputJo31fP7UC9nE2uFMuH9LWG"),
];
const ADDRESS: &str = "J7KorQhdeZKLzQUDSerh6eukcNgXp5BYZXVUVUPXFeHp";

/// A command as somebody is told to type it.
struct Shown {
    text: String,
    /// Of prose, where only the words that matter are named.
    is_in_prose: bool,
}

/// The commands of a text: its lines that begin with one, and what prose has in backticks.
fn commands(text: &str) -> Vec<Shown> {
    let (mut found, mut prose, mut is_fenced) = (Vec::new(), String::new(), false);
    let joined = text.split("\\\n").map(|piece| piece.trim_matches(' ')).collect::<Vec<_>>().join(" ");
    for line in joined.lines() {
        // Behind a prompt on a page; two spaces further in, in a help's examples.
        let typed = line.trim_start().strip_prefix("$ ").or_else(|| line.strip_prefix("  "));
        is_fenced ^= line.trim_start().starts_with("```");
        match typed.and_then(command) {
            Some(text) => found.push(Shown { text, is_in_prose: false }),
            None if is_fenced => {}
            None => {
                prose.push_str(line.trim_start_matches("```"));
                prose.push(' ');
            }
        }
    }
    let quoted = prose.split('`').skip(1).step_by(2).filter_map(command);
    found.extend(quoted.map(|text| Shown { text, is_in_prose: true }));
    found
}

/// The command at the beginning of a line, behind variables and in front of what is said about it; none with a part left out.
fn command(line: &str) -> Option<String> {
    let is_variable = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    let mut rest = line;
    while let Some((_, after)) = rest.split_once(' ').filter(|(first, _)| is_variable(first)) {
        rest = after;
    }
    let arguments = PROGRAMS.iter().find_map(|program| rest.strip_prefix(program))?;
    let end = ["  ", " #", " > ", " | ", " && ", "; "].iter().filter_map(|mark| arguments.find(mark)).min();
    let arguments = &arguments[..end.unwrap_or(arguments.len())];
    (!arguments.contains("...")).then(|| arguments.trim().to_owned())
}

/// What is typed, with something in the place of what the reader has to put in.
fn words(command: &str) -> impl Iterator<Item = String> {
    let filled = |word: &str| {
        let known = PLACEHOLDERS.iter().find(|(name, _)| *name == word);
        let is_placeholder = word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
        known.map_or_else(|| if is_placeholder { ADDRESS } else { word }, |(_, value)| *value).to_owned()
    };
    // What stands between quotation marks is one word.
    let parts = command.split(['"', '\'']).enumerate();
    let words =
        parts.flat_map(|(number, part)| if number % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
    std::iter::once("sotto".to_owned()).chain(words.map(filled))
}

/// Why a command is not taken.
fn fault(shown: &Shown) -> Option<String> {
    let error = Cli::try_parse_from(words(&shown.text)).err()?;
    let is_fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => shown.is_in_prose,
        _ => false,
    };
    (!is_fine).then(|| format!("sotto {}: {}", shown.text, error.to_string().lines().next().unwrap_or_default()))
}

/// The examples of a command's help and of all below it.
fn examples(command: &Command) -> Vec<Shown> {
    let texts = [command.get_after_help(), command.get_after_long_help()];
    let mut found: Vec<Shown> = texts
        .into_iter()
        .flatten()
        .flat_map(|text| commands(&text.to_string()))
        .filter(|shown| !shown.is_in_prose)
        .collect();
    found.extend(command.get_subcommands().flat_map(examples));
    found
}

#[test]
fn r33_every_command_that_a_page_shows_is_one_that_is_taken() {
    let mut wrong = Vec::new();
    let mut found = 0;
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{page}: {error}"));
        for shown in commands(&text) {
            found += 1;
            wrong.extend(fault(&shown).map(|fault| format!("{page}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found > 40, "only {found} commands are read");
}

#[test]
fn r33_every_example_of_help_is_a_command_that_is_taken() {
    let shown = examples(&Cli::command());
    let wrong: Vec<_> = shown.iter().filter_map(fault).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(shown.len() > 20, "only {} examples are read", shown.len());
}

#[test]
fn a_command_that_is_none_is_found() {
    let told = |text: &str| commands(text).iter().filter_map(fault).count();
    assert_eq!(told("$ sotto session pay http://a.example --max-price 0.01   # pays\nas `sotto session open` does"), 0);
    assert_eq!(told("$ sotto session open"), 1, "what is typed is whole");
    assert_eq!(told("`sotto session opens`"), 1);
    assert_eq!(told("$ A_KEY=1 sotto serve --prot 7"), 1);
    assert_eq!(told("$ sotto session pay \\\n  http://a.example --max-prise 1"), 1);
}
