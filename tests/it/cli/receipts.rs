//! `sotto receipts`: a merchant holds what they were told against what their wallet received.

use super::{Running, directory, json, sotto, stderr, stdout};
use crate::support::{PATIENCE, Wallet};
use serde_json::{Value, json};
use sotto::merchant::ReceiptStatement;
use std::{path::Path, time::Instant};

/// What a call of the sandbox's paid route costs, in base units.
const PRICE: &str = "10000";

/// A sandbox, and what it said of itself.
struct Shop {
    running: Running,
    config: String,
    /// Of the wallet that it pays to.
    merchant_key: String,
}

impl Shop {
    fn open(here: &Path) -> Self {
        let free =
            ["--port", "0", "--merchant-port", "0", "--rpc-port", "0", "--covalidator-port", "0", "--slot-ms", "40"];
        let running = Running::start(here, &[&["dev", "--json"], &free[..]].concat());
        let told = |name: &str| running.1[name].as_str().unwrap_or_else(|| panic!("{name}: {}", running.1)).to_owned();
        let (config, merchant_key) = (told("config"), told("payerKey").replace("payer.json", "merchant.json"));
        Self { running, config, merchant_key }
    }

    fn told(&self, name: &str) -> &str {
        self.running.1[name].as_str().expect("a text")
    }

    /// Until the command works: what it asks for becomes final by itself.
    fn finally(&self, here: &Path, args: &[&str]) -> Value {
        let all = [&["--config", &self.config], args, &["--json"]].concat();
        let end = Instant::now() + PATIENCE;
        loop {
            let output = sotto(here, &all);
            if output.status.success() {
                return json(&output);
            }
            assert!(Instant::now() < end, "{args:?}: {}{}", stdout(&output), stderr(&output));
        }
    }

    fn refuses(&self, here: &Path, args: &[&str], why: &str) {
        let output = sotto(here, &[&["--config", &self.config], args].concat());
        let told = stderr(&output);
        assert!(output.status.code() == Some(1) && told.contains(why), "{args:?}: {told}");
    }

    fn sotto(&self, here: &Path, args: &[&str]) -> Value {
        let output = sotto(here, &[&["--config", &self.config], args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}{}", stdout(&output), stderr(&output));
        json(&output)
    }
}

#[test]
fn a_merchant_proves_what_they_were_told_and_finds_what_they_were_not_paid() {
    let (_outer, here) = directory();
    let shop = Shop::open(&here);
    let (route, spender) = (shop.told("paidRoute"), shop.told("spender"));
    let origin = route.trim_end_matches("/weather");
    let open = ["session", "open", "--facilitator", shop.told("facilitator"), "--facilitator-address", spender];
    let terms = ["--key", shop.told("payerKey"), "--recipient", shop.told("recipient"), "--cap", "1"];
    shop.sotto(&here, &[&open[..], &terms[..], &["--origin", origin, "--out", "session.json"]].concat());
    let receipts: Vec<String> = (0..2)
        .map(|_| {
            let pay = ["session", "pay", route, "--session", "session.json", "--max-price", "0.01"];
            let paid = shop.sotto(&here, &pay);
            json!({ "transaction": paid["receipt"]["transaction"], "amount": PRICE }).to_string()
        })
        .collect();
    std::fs::write(here.join("told.jsonl"), receipts.join("\n")).expect("a file");
    let refresh = ["balance", "--refresh", "--key", &shop.merchant_key, "--session", "session.json"];
    assert_eq!(shop.sotto(&here, &refresh)["balances"][0]["amount"], "0.02");

    let ask = ["receipts", "--key", &shop.merchant_key, "--facilitator-address", spender];
    let proof = shop.sotto(&here, &[&ask[..], &["--told", "told.jsonl"]].concat());
    assert_eq!((&proof["holds"], &proof["absent"]), (&true.into(), &json!([])), "{proof:#}");
    let told: u64 = settlements(&proof).filter_map(|settled| settled["told"].as_str()?.parse::<u64>().ok()).sum();
    assert_eq!(told, 20_000, "{proof:#}");
    assert!(settlements(&proof).any(|settled| settled["told"].is_null()), "nobody is told of the refresh: {proof:#}");

    // Told of more than came: one amount is exaggerated. That a refresh stands beside it hides nothing.
    let exaggerated = receipts.join("\n").replacen(PRICE, "10001", 1);
    std::fs::write(here.join("told.jsonl"), exaggerated).expect("a file");
    let all = [&["--config", &shop.config], &ask[..], &["--told", "told.jsonl", "--json"]].concat();
    let short = sotto(&here, &all);
    assert_eq!(short.status.code(), Some(1), "{}", stdout(&short));
    let proof = json(&short);
    let missing: Vec<_> =
        proof["spans"].as_array().expect("a list").iter().map(|span| span["missing"].clone()).collect();
    assert!(proof["holds"] == false && missing.contains(&json!("1")), "{proof:#}");

    // A line that is no receipt is named.
    std::fs::write(here.join("told.jsonl"), "{}\n").expect("a file");
    let odd = sotto(&here, &all);
    assert!(odd.status.code() == Some(1) && stderr(&odd).contains("line 1"), "{}", stderr(&odd));
    assert_eq!(shop.running.stop(), Some(0));
}

/// `sotto dev` signs receipts, and anybody who is shown one can tell whose it is and that its transaction stands.
#[test]
fn a_signed_receipt_is_verified_by_its_signature_and_by_the_chain() {
    let (_outer, here) = directory();
    let shop = Shop::open(&here);
    let (route, facilitator) = (shop.told("paidRoute"), shop.told("facilitator"));
    let open = ["session", "open", "--facilitator", facilitator, "--facilitator-address", shop.told("spender")];
    let terms = ["--key", shop.told("payerKey"), "--recipient", shop.told("recipient"), "--cap", "1"];
    let origin = route.trim_end_matches("/weather");
    shop.sotto(&here, &[&open[..], &terms[..], &["--origin", origin, "--out", "session.json"]].concat());
    let paid = shop.sotto(&here, &["session", "pay", route, "--session", "session.json", "--max-price", "0.01"]);
    std::fs::write(here.join("paid.json"), paid.to_string()).expect("a file");

    let verify = ["receipts", "verify", "paid.json", "--facilitator", facilitator, "--resource", route];
    let as_expected = [&verify[..], &["--payer", shop.told("payer")]].concat();
    let verified = shop.finally(&here, &as_expected);
    let receipt = &paid["receipt"];
    assert_eq!((&verified["state"], &verified["transaction"]), (&json!("final"), &receipt["transaction"]));
    assert_eq!((&verified["payer"], &verified["resourceUrl"]), (&json!(shop.told("payer")), &json!(route)));

    // The receipt alone, under the key that was pinned, with nobody asked.
    let signed = receipt.pointer("/extensions/offer-receipt/info/receipt/signature").and_then(Value::as_str);
    std::fs::write(here.join("receipt.jws"), signed.expect("a receipt")).expect("a file");
    let pinned = ["receipts", "verify", "receipt.jws", "--receipt-key", shop.told("receiptKey"), "--offline"];
    assert_eq!(shop.sotto(&here, &pinned)["issuedAt"], verified["issuedAt"]);

    let refused = |args: &[&str], why: &str| shop.refuses(&here, args, why);
    refused(
        &["receipts", "verify", "receipt.jws", "--receipt-key", shop.told("spender"), "--offline"],
        "none of the keys",
    );
    refused(&[&verify[..3], &["--facilitator", facilitator, "--resource", "http://other/"]].concat(), "another URL");
    refused(&[&verify[..5], &["--payer", shop.told("recipient")]].concat(), "another payer");
    refused(&["receipts", "verify", "paid.json", "--facilitator", "http://shop.example"], "unprotected");
    let mut lie = paid.clone();
    lie["receipt"]["payer"] = json!(shop.told("recipient"));
    std::fs::write(here.join("lie.json"), lie.to_string()).expect("a file");
    refused(&["receipts", "verify", "lie.json", "--facilitator", facilitator], "another payer");
    compares_with_the_chain(&shop, &here, &verified);
    let wrong = sotto(&here, &["receipts", "verify", "receipt.jws"]);
    assert_eq!(wrong.status.code(), Some(2), "a key has to come from somewhere else: {}", stderr(&wrong));
    assert_eq!(shop.running.stop(), Some(0));
}

/// Whoever has a key that is believed can write receipts of this transaction, and none of another payer or of before it was.
fn compares_with_the_chain(shop: &Shop, here: &Path, verified: &Value) {
    let thief = Wallet::from_seed([9; 32]);
    let text = |name: &str| verified[name].as_str().expect("a text");
    let honest = ReceiptStatement {
        network: text("network").to_owned(),
        resource_url: "https://shop.example/other".to_owned(),
        payer: text("payer").parse().expect("a key"),
        issued_at: verified["issuedAt"].as_u64().expect("a time"),
        transaction: text("transaction").parse().expect("a signature"),
    };
    let forged = |statement: &ReceiptStatement| {
        let signed = statement.sign(&thief.key(), |message| thief.sign(message));
        std::fs::write(here.join("forged.jws"), signed).expect("a file");
    };
    let key = thief.key().to_string();
    let verify = ["receipts", "verify", "forged.jws", "--receipt-key", key.as_str()];
    let recipient = shop.told("recipient").parse().expect("a key");
    forged(&ReceiptStatement { payer: recipient, ..honest.clone() });
    shop.refuses(here, &verify, "takes nothing from the account");
    forged(&ReceiptStatement { issued_at: honest.issued_at - 3_600, ..honest.clone() });
    shop.refuses(here, &verify, "it is back-dated");
    forged(&honest);
    assert_eq!(shop.sotto(here, &verify)["state"], "final");
}

fn settlements(proof: &Value) -> impl Iterator<Item = &Value> {
    proof["spans"].as_array().expect("a list").iter().flat_map(|span| span["settlements"].as_array().expect("a list"))
}
