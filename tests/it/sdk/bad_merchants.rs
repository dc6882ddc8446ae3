//! Merchants and facilitators that answer a payer with something else than they should: forged receipts, endless bodies,
//! words for a terminal.

use super::{
    fetch::{challenge, payer_of, requirements, session, url},
    stand_in::{Answer, StandIn, json},
};
use crate::support::in_time;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    client::{Difference, Fate, Fetched, OpenSession, PayError},
    wire::header,
};
use std::{
    io::Read as _,
    net::Ipv4Addr,
    process::{Command, Output, Stdio},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// Sets a terminal's title, clears its screen, and begins a line of its own; in C1 and against the reading direction too.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\nerror: none\u{9b}1m\u{202e}";

/// The receipt of the payment that a session of these tests makes.
fn receipt() -> Value {
    let session = session(&[]);
    json!({
        "success": true, "transaction": bs58::encode([7; 64]).into_string(), "network": "solana:devnet",
        "payer": session.user.to_string(), "amount": "500",
        "extensions": {"session": {"id": session.id.to_string(), "spent": "500", "remaining": "1"}},
    })
}

fn answered(status: u16, receipt: &Value, body: &str) -> Answer {
    (status, vec![("payment-response", header::encode(receipt).unwrap())], body.to_owned())
}

async fn fetch(answers: Vec<Answer>) -> Fetched {
    let merchant = StandIn::answering(answers).await;
    payer_of(session(&[&merchant.url])).get(url(&merchant)).await.unwrap()
}

/// Guard: `receipt::compare`.
#[tokio::test]
async fn a18_a_receipt_of_another_payment_is_told_apart_from_this_ones() {
    let fetched = fetch(vec![challenge(), answered(200, &receipt(), "sunny")]).await;
    assert!(fetched.receipt.unwrap().success && fetched.misfit.is_none());
    let other = Pubkey::new_from_array([9; 32]).to_string();
    for (pointer, value, difference) in [
        ("/success", json!(false), Difference::Failure),
        ("/amount", json!("1"), Difference::Amount),
        ("/amount", json!("0500"), Difference::Amount),
        ("/network", json!("solana:mainnet"), Difference::Network),
        ("/payer", json!(other), Difference::Payer),
        ("/extensions/session/id", json!(other), Difference::Session),
        ("/transaction", json!("1111"), Difference::Transaction),
        ("/transaction", json!(other), Difference::Transaction),
        ("/transaction", json!(""), Difference::Transaction),
        ("/transaction", json!("0".repeat(10_000)), Difference::Transaction),
    ] {
        let mut bent = receipt();
        *bent.pointer_mut(pointer).unwrap() = value;
        let fetched = fetch(vec![challenge(), answered(200, &bent, "sunny")]).await;
        assert!(fetched.receipt.is_none(), "{bent}");
        assert_eq!(fetched.misfit.unwrap().differences, [difference], "{bent}");
        assert_eq!(fetched.payment.unwrap().amount.get(), 500, "it was sent all the same");
    }
    let both = json!({"success": true, "transaction": "1111", "network": "solana:devnet", "amount": "1"});
    let fetched = fetch(vec![challenge(), answered(200, &both, "sunny")]).await;
    assert_eq!(fetched.misfit.unwrap().differences, [Difference::Amount, Difference::Transaction]);
}

#[tokio::test]
async fn a_receipt_that_tells_less_fits_and_only_a_deferred_payment_has_no_transaction() {
    let mut brief = receipt();
    for member in ["payer", "amount", "extensions"] {
        brief.as_object_mut().unwrap().remove(member);
    }
    assert!(fetch(vec![challenge(), answered(200, &brief, "")]).await.misfit.is_none(), "the deployed service's");
    let mut offer = requirements();
    offer["extra"] = json!({"settlement": "deferred"});
    offer["maxAmountRequired"] = json!("500");
    let deferred = json(402, &json!({"x402Version": 1, "accepts": [offer]}));
    let mut held = receipt();
    held["transaction"] = json!("");
    let fetched = fetch(vec![deferred, answered(200, &held, "")]).await;
    assert!(fetched.misfit.is_none() && fetched.payment.unwrap().deferred);
}

/// What a facilitator says of a payment in this state.
fn view(state: &str) -> Value {
    json!({"payment": "p", "sessionId": session(&[]).id.to_string(), "state": state, "deferred": false,
        "transaction": "", "returns": 0, "acceptedAt": 1})
}

fn not_found() -> Answer {
    json(404, &json!({"error": "payment_not_found", "message": "No."}))
}

/// Guard: the question to the facilitator in `Payer::send_paid`.
#[tokio::test]
async fn a15_a_merchants_refusal_comes_with_what_the_facilitator_has() {
    let forged = json!({"success": false, "transaction": "", "network": "solana:devnet",
        "errorReason": "funding_unproven"});
    for refusal in [answered(402, &forged, ""), challenge()] {
        for (told, expected) in [
            (json(200, &view("captured")), "the facilitator has it as captured"),
            (json(200, &view("held")), "the facilitator has it as held"),
            (not_found(), "the facilitator has no such payment"),
            (json(404, &json!({"error": "session_not_found", "message": "No."})), "is not known"),
            ((500, vec![], "<html>".to_owned()), "is not known"),
            ((200, vec![], "x".repeat(100_000)), "is not known"),
        ] {
            let facilitator = StandIn::answering(vec![told]).await;
            let merchant = StandIn::answering(vec![challenge(), refusal.clone()]).await;
            let session = OpenSession { facilitator: facilitator.url.clone(), ..session(&[&merchant.url]) };
            let error = payer_of(session).get(url(&merchant)).await.expect_err("refused");
            assert!(error.to_string().contains(expected), "{error}");
            let (PayError::NotSettled { fate, .. } | PayError::Rejected { fate, .. }) = &error else {
                panic!("{error:?}")
            };
            assert_eq!(matches!(**fate, Fate::NoRecord), expected.contains("no such"), "{error:?}");
            let (asked, nonce) = (facilitator.asked(), &error.payment().unwrap().nonce);
            assert!(asked.len() == 1 && asked[0].path.ends_with(&format!("/payments/{nonce}")), "{asked:?}");
            assert!(asked[0].headers.contains_key("session-read-signature"), "the session key signs the question");
            assert_eq!(merchant.asked().len(), 2, "paid once");
        }
    }
}

/// A directory with a session in it.
struct Desk(tempfile::TempDir, OpenSession);

impl Desk {
    fn with(session: OpenSession) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("session.json"), session.to_json().unwrap().as_bytes()).unwrap();
        Self(directory, session)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sotto"));
        let asset = format!("asset.mint={}", self.1.asset);
        command.current_dir(self.0.path()).env_clear().args(["--set", &asset]).args(args);
        command.args(["--session", "session.json"]);
        command
    }

    async fn sotto(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn pays(&self, url: &str, args: &[&str]) -> Output {
        self.sotto(&[&["session", "pay", url, "--max-price", "0.001"], args].concat()).await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a18_the_command_line_does_not_call_a_payment_what_the_receipt_does_not_fit() {
    let mut forged = receipt();
    (forged["amount"], forged["transaction"]) = (json!("1"), json!("1111"));
    for format in [&[][..], &["--json"]] {
        let merchant = StandIn::answering(vec![challenge(), answered(200, &forged, "sunny")]).await;
        let desk = Desk::with(session(&[&merchant.url]));
        let output = desk.pays(url(&merchant).as_str(), format).await;
        assert_eq!(output.status.code(), Some(3), "nobody says what became of it: {output:?}");
        let told = text(&output.stderr);
        assert!(told.contains("does not fit it: another amount, no signature of a transaction"), "{told}");
        assert!(told.contains("sotto session payments ") && !told.contains("paid 0.0005"), "{told}");
        if format.is_empty() {
            assert_eq!(output.stdout, b"sunny", "what was served is handed out");
            assert!(told.contains("sent 0.0005, and the receipt does not fit"), "{told}");
        } else {
            let object: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(object["differences"], json!(["amount", "transaction"]), "{object:#}");
            assert_eq!((&object["body"], &object["receipt"]["amount"]), (&json!("sunny"), &json!("1")), "{object:#}");
        }
    }
}

/// FR-15. A merchant who serves without a receipt has proved nothing: what was paid is what the facilitator says.
#[tokio::test]
async fn without_a_receipt_the_facilitator_says_what_was_paid() {
    for (fate, state, paid, code) in [
        (not_found(), "unknown", json!(null), 3),
        (json(200, &view("pending")), "pending", json!(null), 3),
        (json(200, &view("captured")), "captured", json!("0.0005"), 0),
        (json(200, &view("released")), "released", json!(null), 0),
        ((500, vec![], "<html>".to_owned()), "unknown", json!(null), 3),
    ] {
        let facilitator = StandIn::answering(vec![fate]).await;
        let merchant = StandIn::answering(vec![challenge(), (200, vec![], "sunny".to_owned())]).await;
        let desk = Desk::with(OpenSession { facilitator: facilitator.url.clone(), ..session(&[&merchant.url]) });
        let output = desk.pays(url(&merchant).as_str(), &["--json"]).await;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&told["state"], &told["paid"], &told["sent"]),
            (&json!(state), &paid, &json!("0.0005")),
            "{told:#}"
        );
        assert_eq!(output.status.code(), Some(code), "{state}: {}", text(&output.stderr));
        assert!(told["nonce"].is_string() && told["body"] == "sunny", "{told:#}");
    }
}

/// Nothing in it steers a terminal, and no line of it is somebody else's.
fn is_tame(bytes: &[u8]) -> String {
    let shown = text(bytes);
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!shown.contains(steers), "{shown:?}");
    assert!(!shown.lines().any(|line| line.starts_with("error: none")), "{shown}");
    shown
}

/// Guard: `printable` in `cli::output`.
#[tokio::test]
async fn a17_words_of_merchants_do_not_reach_the_terminal_as_they_are() {
    let refusal = json!({"success": false, "transaction": "", "network": "solana:devnet", "errorReason": EVIL});
    let again = header::encode(&json!({"x402Version": 2, "error": EVIL, "accepts": [requirements()], "resource": {}}));
    let mut receipt = receipt();
    receipt["transaction"] = json!(EVIL);
    receipt["extensions"]["session"]["payment"] = json!(EVIL);
    for answer in [
        answered(402, &refusal, ""),
        (402, vec![("payment-required", again.unwrap())], String::new()),
        answered(200, &receipt, ""),
    ] {
        for format in [&[][..], &["--json"]] {
            let merchant = StandIn::answering(vec![challenge(), answer.clone()]).await;
            let desk = Desk::with(session(&[&merchant.url]));
            let output = desk.pays(url(&merchant).as_str(), format).await;
            // Nobody is there to say what became of it.
            assert_eq!(output.status.code(), Some(3));
            let (shown, told) = (is_tame(&output.stdout), is_tame(&output.stderr));
            let is_of_json = answer.0 == 200 && !format.is_empty();
            assert!(answer.0 == 200 || told.contains("\\u001b]0;owned\\u0007"), "{told}");
            assert!(!is_of_json || shown.contains("\\u001b]0;owned\\u0007"), "{shown}");
        }
    }
}

/// Guard: `printable` in `cli::output`, for lines, tables, causes of errors and JSON.
#[tokio::test]
async fn a17_words_of_facilitators_do_not_reach_the_terminal_as_they_are() {
    let refusal = json(404, &json!({"error": EVIL, "message": EVIL}));
    let evil = json(
        200,
        &json!({"reason": EVIL, "payment": EVIL, "sessionId": session(&[]).id.to_string(),
        "state": EVIL, "deferred": false, "transaction": EVIL, "returns": 0, "acceptedAt": 1}),
    );
    let news = format!("event: {}\ndata: {}\n\n", "accepted\u{1b}[2J", json!({ "reason": EVIL, "state": EVIL }));
    for (answer, args, where_it_is) in [
        (refusal.clone(), &["session", "show"][..], "stderr"),
        (refusal, &["session", "payments", "n"], "stderr"),
        (evil.clone(), &["session", "payments", "n"], "stdout"),
        (evil, &["session", "payments", "n", "--json"], "stdout"),
        ((200, vec![], news.clone()), &["session", "events"], "stdout"),
        ((200, vec![], news), &["session", "events", "--json"], "stdout"),
    ] {
        let facilitator = StandIn::answering(vec![answer]).await;
        let desk = Desk::with(OpenSession { facilitator: facilitator.url.clone(), ..session(&[]) });
        let output = desk.sotto(args).await;
        let (shown, told) = (is_tame(&output.stdout), is_tame(&output.stderr));
        let there = if where_it_is == "stdout" { shown } else { told };
        assert!(there.contains("\\u001b]0;owned\\u0007"), "{args:?}: {there}");
    }
}

/// A merchant who writes to the one connection that comes.
async fn writing(listener: TcpListener, head: &str) -> TcpStream {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 8_192];
    assert!(connection.read(&mut request).await.unwrap() > 0);
    connection.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
    connection
}

/// Guard: `BoundedBody`.
#[tokio::test]
async fn a16_an_endless_body_ends_at_the_limit() {
    for format in [&[][..], &["--json"]] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let merchant = tokio::spawn(async move {
            let mut connection = writing(listener, "transfer-encoding: chunked").await;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            while connection.write_all(chunk.as_bytes()).await.is_ok() {}
        });
        let desk = Desk::with(session(&[]));
        let output = desk.pays(&url, &[&["--max-body", "1000000"], format].concat()).await;
        in_time("the merchant has nobody to write to", merchant).await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("longer than 1000000 bytes"), "{}", text(&output.stderr));
        assert!((1..=1_000_000).contains(&output.stdout.len()), "{}", output.stdout.len());
    }
}

/// Guard: the default of `--max-body`, and that an announced length is refused at once.
#[tokio::test]
async fn a16_the_limit_is_16_mebibytes_and_what_was_paid_is_told_beside_the_refusal() {
    let long = "x".repeat(16 * 1024 * 1024 + 1);
    for (body, code) in [(&long[1..], 0), (&long[..], 1)] {
        let merchant = StandIn::answering(vec![challenge(), answered(200, &receipt(), body)]).await;
        let output = Desk::with(session(&[&merchant.url])).pays(url(&merchant).as_str(), &[]).await;
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_eq!(output.stdout.len(), if code == 0 { body.len() } else { 0 });
        assert!(text(&output.stderr).contains("paid 0.0005, transaction "), "{}", text(&output.stderr));
    }
}

/// Guard: `pass_on`. The merchant goes on only after what was sent first has been read.
#[tokio::test]
async fn a16_a_body_is_passed_on_byte_for_byte_as_it_arrives() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let desk = Desk::with(session(&[]));
    let mut command = desk.command(&["session", "pay", &url, "--max-price", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (read, is_read) = oneshot::channel();
    let reader = tokio::task::spawn_blocking(move || {
        let mut body = vec![0; 5];
        stdout.read_exact(&mut body).unwrap();
        read.send(()).unwrap();
        stdout.read_to_end(&mut body).unwrap();
        (body, child.wait().unwrap())
    });
    let mut connection = writing(listener, "content-length: 10").await;
    connection.write_all(b"\x00\x1b[2J").await.unwrap();
    in_time("the first bytes are passed on", is_read).await.unwrap();
    connection.write_all(b"\xff\xfe\r\ny").await.unwrap();
    let (body, status) = in_time("the rest is passed on", reader).await.unwrap();
    assert_eq!(body, b"\x00\x1b[2J\xff\xfe\r\ny", "to a pipe as it is");
    assert!(status.success());
}
