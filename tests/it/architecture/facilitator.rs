//! The folders of the facilitator: which may know which, and how much state one struct may own.

use super::{crate_paths, source_files};
use std::collections::BTreeMap;

/// From top to bottom. A folder may name those that stand below it, itself, and nothing else: of two on one line neither
/// knows the other. The only ways up are the outcome that a drive returns and the answer to the caller.
const FACILITATOR_LAYERS: [&[&str]; 12] = [
    &["lifecycle", "mpp_requests", "reads", "supported"],
    &["sessions", "payments", "single_payments", "revocations", "decrypt_allowances", "mpp"],
    &["funding"],
    &["deferred"],
    &["dispatch"],
    &["settlement"],
    &["sponsor", "looks"],
    &["backing", "token_accounts", "signed_reads", "locks"],
    &["delegated"],
    &["core"],
    &["doubted_delegations", "events", "known_handles", "recipients", "tasks"],
    &["settings", "ports", "error"],
];

/// What a request brings with it: its form is known wherever it is carried.
const FORMS: [&str; 3] = ["ReadRequest", "Keys", "Ports"];

/// More fields than this and a struct is several.
const MOST_FIELDS: usize = 15;

fn layer(room: &str) -> Option<usize> {
    FACILITATOR_LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The room of each name that `facilitator/mod.rs` re-exports.
fn exported() -> BTreeMap<String, String> {
    let files = source_files::below("src/facilitator");
    let text = &files.iter().find(|source| source.path.as_os_str() == "mod.rs").expect("the root").text;
    let mut found = BTreeMap::new();
    for (at, _) in text.match_indices("\npub use ") {
        let tree = &text[at + "\npub use ".len()..];
        let tree = &tree[..tree.find(';').expect("a use ends")];
        for path in crate_paths(&format!("use crate::{tree};")) {
            let (room, name) = (path.split("::").next(), path.rsplit("::").next());
            found.insert(name.unwrap_or_default().to_owned(), room.unwrap_or_default().to_owned());
        }
    }
    assert!(found.contains_key("SessionError"), "{found:?}");
    found
}

/// What a file of `room` may not name, of what its text names.
fn upward(room: &str, text: &str, exported: &BTreeMap<String, String>) -> Vec<String> {
    let own = layer(room);
    let named = crate_paths(text).into_iter().filter_map(|path| path.strip_prefix("facilitator::").map(str::to_owned));
    named
        .filter(|path| {
            let first = path.split("::").next().unwrap_or_default();
            let target = exported.get(first).map_or(first, String::as_str);
            let is_root = own == Some(0) && first == "Facilitator";
            target != room && !is_root && !FORMS.contains(&first) && (layer(target).is_none() || layer(target) <= own)
        })
        .collect()
}

#[test]
fn folders_of_the_facilitator_know_only_what_is_below_them() {
    let exported = exported();
    let mut wrong = Vec::new();
    for source in source_files::below("src/facilitator") {
        let mut parts = source.path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let first = parts.next().unwrap_or_default();
        let room = first.trim_end_matches(".rs");
        if room == "mod" {
            continue;
        }
        assert!(layer(room).is_some(), "{source} stands in no layer");
        wrong.extend(upward(room, &source.product(), &exported).into_iter().map(|path| format!("{source}: {path}")));
    }
    assert!(wrong.is_empty(), "rooms that know what is above or beside them:\n{}", wrong.join("\n"));
}

#[test]
fn a_folder_that_knows_a_higher_one_is_told() {
    let exported = exported();
    let told = |room, text: &str| upward(room, text, &exported);
    assert_eq!(told("settlement", "use crate::facilitator::dispatch::Dispatch;"), ["dispatch::Dispatch"]);
    assert_eq!(told("sessions", "use crate::facilitator::payments::Payments;"), ["payments::Payments"]);
    assert_eq!(told("sponsor", "use crate::facilitator::Receipt;"), ["Receipt"], "also by its re-export");
    assert_eq!(told("locks", "use crate::facilitator::Facilitator;"), ["Facilitator"]);
    assert!(told("payments", "use crate::facilitator::{PayError, dispatch::Dispatch, core::Core};").is_empty());
}

/// Every settlement tells of its progress: whoever waits for one of a delegation or a channel hears of it and looks in no rounds.
#[test]
fn who_waits_for_a_settlement_of_the_protocol_waits_on_its_event() {
    let (mut wrong, mut found) = (Vec::new(), 0);
    for source in source_files::below("src/facilitator/mpp") {
        let waits = ["delegations", "channels"].iter().any(|folder| source.path.starts_with(folder));
        let text = source.product();
        let on_event = ["progress.of_any()", "settlements.await_outcome("].iter().any(|way| text.contains(way));
        found += usize::from(waits && on_event);
        if waits && (text.contains("sleep(") || text.contains("interval(")) {
            wrong.push(source.to_string());
        }
    }
    assert!(wrong.is_empty(), "they look again and again: {wrong:?}");
    assert!(found >= 3, "only {found} wait on the event");
}

#[test]
fn no_struct_of_the_facilitator_has_more_than_fifteen_fields() {
    let mut wrong = Vec::new();
    for source in source_files::below("src/facilitator") {
        let text = source.product();
        for (at, _) in text.match_indices("struct ") {
            let rest = &text[at + "struct ".len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            let (Some(open), end) = (rest.find('{'), rest.find([';', '(']).unwrap_or(usize::MAX)) else { continue };
            if open > end || !text[..at].trim_end_matches("pub(crate) ").trim_end_matches("pub ").ends_with('\n') {
                continue;
            }
            let body = &rest[open..open + rest[open..].find("\n}").unwrap_or(0)];
            let fields = body.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
            let fields = fields.filter(|line| line.contains(": ")).count();
            if fields > MOST_FIELDS {
                wrong.push(format!("{source}: {name} has {fields} fields"));
            }
        }
    }
    assert!(wrong.is_empty(), "structs that own too much:\n{}", wrong.join("\n"));
}
