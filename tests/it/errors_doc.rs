//! `docs/ERRORS.md` and `docs/errors.json` are written from the reasons themselves: `UPDATE=1` rewrites them, and without that a
//! difference fails.

use serde::Serialize;
use sotto::{
    api::{pay_status, session_status},
    domain::{
        mpp::{
            channel::reason::ChannelReason,
            reason::{ChargeReason, OnboardReason, SiwxReason},
        },
        reason::{PayReason, SessionReason},
    },
    merchant::{PaywallReason, mpp::SellerReason},
    wire::mpp::{charge::settle_status, onboard, session, siwx},
};
use std::fmt::Write as _;

const HEAD: &str = "# Every word a client may match on

Written by `UPDATE=1 cargo test --test it errors_doc`; do not edit. A word is a contract and is never renamed. The
sentence beside it in an answer is for people and may change. *Repeat* says whether the same request may succeed later
without being changed; with 429 and 503 the `Retry-After` header says when. An outage answers
`internal_error` with 503, an overload `overloaded`. A body above the limit answers 413, another method 405 (`method_not_allowed` where a route
belongs to no table below), an unknown path 404 (`not_found`).
";

/// A word with everything that is told of it.
#[derive(Serialize)]
struct Row {
    word: &'static str,
    status: u16,
    repeat: bool,
    meaning: &'static str,
    remedy: &'static str,
}

fn paying_rows() -> Vec<Row> {
    let row = |&r: &PayReason| Row {
        word: r.word(),
        status: pay_status(r).as_u16(),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    PayReason::ALL.iter().map(row).collect()
}

fn session_rows() -> Vec<Row> {
    let row = |&r: &SessionReason| Row {
        word: r.word(),
        status: session_status(r).as_u16(),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    SessionReason::ALL.iter().map(row).collect()
}

fn paywall_rows() -> Vec<Row> {
    let row = |&r: &PaywallReason| Row {
        word: r.word(),
        status: r.status().as_u16(),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    PaywallReason::ALL.iter().map(row).collect()
}

fn seller_rows() -> Vec<Row> {
    let row = |&r: &SellerReason| Row {
        word: r.word(),
        status: r.status(),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    SellerReason::ALL.iter().map(row).collect()
}

fn charge_rows() -> Vec<Row> {
    let row = |&r: &ChargeReason| Row {
        word: r.word(),
        status: settle_status(r),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    ChargeReason::ALL.iter().map(row).collect()
}

fn sign_in_rows() -> Vec<Row> {
    let row = |&r: &SiwxReason| Row {
        word: r.word(),
        status: siwx::status(r),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    SiwxReason::ALL.iter().map(row).collect()
}

fn table(title: &str, members: &str, rows: &[Row]) -> String {
    let head = "| word | status | repeat | meaning | remedy |\n|---|---|---|---|---|\n";
    let mut text = format!("\n## {title}\n\n{members}\n\n{head}");
    for Row { word, status, repeat, meaning, remedy } in rows {
        let repeat = if *repeat { "yes" } else { "no" };
        writeln!(text, "| `{word}` | {status} | {repeat} | {meaning} | {remedy} |").expect("writing to a string");
    }
    text
}

fn onboarding_rows() -> Vec<Row> {
    let row = |&r: &OnboardReason| Row {
        word: r.word(),
        status: onboard::status(r),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    OnboardReason::ALL.iter().map(row).collect()
}

fn channel_rows() -> Vec<Row> {
    let row = |&r: &ChannelReason| Row {
        word: r.word(),
        status: session::status(r),
        repeat: r.retry(),
        meaning: r.meaning(),
        remedy: r.remedy(),
    };
    ChannelReason::ALL.iter().map(row).collect()
}

/// What programs read of it.
#[derive(Serialize)]
struct Words {
    /// `invalidReason` and `errorReason`.
    payments: Vec<Row>,
    /// `error` of `/sessions` and of every route below it.
    sessions: Vec<Row>,
    /// `error` of a merchant's paywall.
    paywalls: Vec<Row>,
    /// The `detail` of a seller's problem, and `error` where a voucher was sent.
    sellers: Vec<Row>,
    /// `errorCode` and `error` of `/mpp/settle` and `/mpp/prepare`.
    charges: Vec<Row>,
    /// `error` where a wallet has to sign in.
    sign_ins: Vec<Row>,
    /// `error` of the routes below `/api/sessions`.
    onboardings: Vec<Row>,
    /// `errorCode` and `error` of the routes below `/mpp/session`.
    channels: Vec<Row>,
}

fn json() -> String {
    let words = Words {
        payments: paying_rows(),
        sessions: session_rows(),
        paywalls: paywall_rows(),
        sellers: seller_rows(),
        charges: charge_rows(),
        sign_ins: sign_in_rows(),
        onboardings: onboarding_rows(),
        channels: channel_rows(),
    };
    format!("{}\n", serde_json::to_string_pretty(&words).expect("JSON"))
}

fn document() -> String {
    let (pay, open) = (&paying_rows(), &session_rows());
    let paying = "`invalidReason` of `/verify`, `errorReason` of `/settle`, and the same of `/pay/verify` and `/pay/settle`; `error` of `/pay/getAmount`. \
         Business refusals answer 200 on the first two: read the body.";
    let opening = "`error` of `/sessions` and of every route below it. A word that ends in `_` is completed with a member's name.";
    let paywall =
        "`error` of what the middleware answers in the place of a handler, beside the 402 that asks for a payment.";
    let selling = "Of a seller with the middleware of the Machine Payments Protocol. Of a charge the word stands in the problem's `detail`, \
         as those of `/mpp/settle` do; of a voucher in `error`, some with a colon and more behind it.";
    let charging = "`errorCode` and `error` of `/mpp/settle`, where all refusals but those of the request itself answer 200: read the body. \
         `/mpp/prepare`, `/mpp/stats` and `/mpp/keys` answer caps by 429, outages by 503 and our faults by 500.";
    let signing_in = "`error` of the routes of the Machine Payments Protocol on which a wallet signs in with `SIGN-IN-WITH-X`, \
         in the order in which it is checked.";
    let onboarding = "`error` of `/api/sessions/onboard`, its `confirm` and `status`, and `/api/sessions/leave`, beside those of the \
         sign-in and the caps of charges.";
    let channels = "`errorCode` and `error` of `/mpp/session/open`, `voucher` and `close`, where refusals of business answer 200: read \
         the body. `GET /mpp/session/{publicId}` answers 404 where there is no such channel.";
    let tables = [
        table("Paying", paying, pay),
        table("Opening and reading a session", opening, open),
        table("A merchant's paywall", paywall, &paywall_rows()),
        table("A seller's layers of the Machine Payments Protocol", selling, &seller_rows()),
        table("Charges of the Machine Payments Protocol", charging, &charge_rows()),
        table("Signing in to the Machine Payments Protocol", signing_in, &sign_in_rows()),
        table("Delegating to the Machine Payments Protocol", onboarding, &onboarding_rows()),
        table("Channels of the Machine Payments Protocol", channels, &channel_rows()),
    ];
    format!("{HEAD}{}", tables.concat())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch, not configuration")]
fn the_error_documents_are_what_the_reasons_say() {
    for (name, text) in [("ERRORS.md", document()), ("errors.json", json())] {
        let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).expect("docs/ is writable");
        }
        let written = std::fs::read_to_string(&path).expect("it is committed");
        assert_eq!(written, text, "{name}: run UPDATE=1 cargo test --test it errors_doc");
    }
}
