//! `docs/ERRORS.md` is written from the reasons themselves: `UPDATE=1` rewrites it, and without that a difference fails.

use sotto::{
    api::{pay_status, session_status},
    domain::reason::{PayReason, SessionReason},
};
use std::fmt::Write as _;

const HEAD: &str = "# Every word a client may match on

Written by `UPDATE=1 cargo test --test it errors_doc`; do not edit. A word is a contract and is never renamed. The
sentence beside it in an answer is for people and may change. *Repeat* says whether the same request may succeed later
without being changed; with 429 and 503 the `Retry-After` header says when. An outage answers
`internal_error` with 503, an overload `overloaded`. A body above the limit answers 413, another method 405 (`method_not_allowed` where a route
belongs to no table below), an unknown path 404 (`not_found`).
";

fn table(title: &str, members: &str, rows: impl Iterator<Item = (&'static str, u16, bool, &'static str)>) -> String {
    let mut text = format!("\n## {title}\n\n{members}\n\n| word | status | repeat | meaning |\n|---|---|---|---|\n");
    for (word, status, retry, meaning) in rows {
        let retry = if retry { "yes" } else { "no" };
        writeln!(text, "| `{word}` | {status} | {retry} | {meaning} |").expect("writing to a string");
    }
    text
}

fn document() -> String {
    let pay = PayReason::ALL.iter().map(|&r| (r.word(), pay_status(r).as_u16(), r.retry(), r.meaning()));
    let open = SessionReason::ALL.iter().map(|&r| (r.word(), session_status(r).as_u16(), r.retry(), r.meaning()));
    let paying =
        "`invalidReason` of `/verify`, `errorReason` of `/settle`. Business refusals answer 200: read the body.";
    let opening = "`error` of `/sessions` and of every route below it. A word that ends in `_` is completed with a member's name.";
    format!("{HEAD}{}{}", table("Paying", paying, pay), table("Opening and reading a session", opening, open))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch, not configuration")]
fn the_error_document_is_what_the_reasons_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ERRORS.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, document()).expect("docs/ is writable");
    }
    let written = std::fs::read_to_string(path).expect("docs/ERRORS.md is committed");
    assert_eq!(written, document(), "run UPDATE=1 cargo test --test it errors_doc");
}
