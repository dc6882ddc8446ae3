//! `sotto settlement`: what an operator sees of settlements that are held, and says of them.

use super::{Running, directory, json, rpc_call, service::network, sotto, stderr, stdout};
use crate::ledger::build::{NOW, attempt, held, opened, payment, planned};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_signature::Signature;
use solana_signer::Signer as _;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::settlement::{Attempt, HeldBecause, SettlementId},
    ledger::{Ledger as _, LedgerOptions, OperatorLedger as _, SqliteLedger, Upkeep as _},
};
use std::path::Path;

/// The ledger of `here`, open for as long as the value lives.
async fn ledger(here: &Path) -> SqliteLedger {
    SqliteLedger::open(&here.join("sotto.db"), &LedgerOptions::default()).await.expect("the ledger opens")
}

/// A payment whose transfer is held; its blockhash is dead.
async fn is_held(ledger: &SqliteLedger, number: u32, signature: Option<Signature>) -> (SettlementId, Signature) {
    let session = opened(ledger, number).await;
    held(ledger, &payment(session.id, number, 10)).await;
    let settlement = planned(ledger, session.id, number).await;
    let made = attempt(&settlement, number);
    let signature = signature.unwrap_or(made.signature);
    let made = Attempt { signature, last_valid_block_height: 1, signed_at_slot: 1, ..made };
    let signed = ledger.record_signed(&settlement, made, NOW).await.expect("records").recorded().expect("in budget");
    ledger.note_held(&signed.0, HeldBecause::Moved, NOW).await.expect("notes");
    (settlement.id, signature)
}

/// A transaction that is on the chain.
fn landed(network: &Running) -> Signature {
    let url = network.1["network.rpc_urls"].as_str().expect("a URL");
    let to = solana_pubkey::Pubkey::new_from_array([7; 32]).to_string();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "requestAirdrop", "params": [to, 5_000_000] });
    rpc_call(url, &request.to_string())["result"].as_str().expect("a signature").parse().expect("base58")
}

/// A transaction that is on the chain, and failed.
fn failed(network: &Running) -> Signature {
    let url = network.1["network.rpc_urls"].as_str().expect("a URL");
    let asks = |method: &str, params: serde_json::Value| {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        rpc_call(url, &request.to_string())["result"].clone()
    };
    let payer = Keypair::new_from_array([8; 32]);
    asks("requestAirdrop", json!([payer.pubkey().to_string(), 5_000_000]));
    let blockhash = asks("getLatestBlockhash", json!([]))["value"]["blockhash"].as_str().expect("one").parse();
    let data = [&[2, 0, 0, 0][..], &u64::MAX.to_le_bytes()].concat();
    let accounts = vec![AccountMeta::new(payer.pubkey(), true), AccountMeta::new([7; 32].into(), false)];
    let transfer = Instruction { program_id: solana_sdk_ids::system_program::ID, accounts, data };
    let message = Message::new_with_blockhash(&[transfer], Some(&payer.pubkey()), &blockhash.expect("base58"));
    let signed = VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[&payer]).expect("signs");
    let wire = STANDARD.encode(wincode::serialize(&signed).expect("encodes"));
    let sent = asks("sendTransaction", json!([wire, { "encoding": "base64", "skipPreflight": true }]));
    sent.as_str().expect("a signature").parse().expect("base58")
}

/// Repeats a command until it says something else than that a transaction is not final or its time not over yet.
fn when_final(here: &Path, args: &[&str]) -> std::process::Output {
    loop {
        let told = sotto(here, args);
        let waits = ["can no longer land", "does not call it final yet"];
        if !waits.iter().any(|words| stderr(&told).contains(words)) {
            return told;
        }
    }
}

#[test]
fn an_operator_lists_shows_and_resolves_what_is_held() {
    let (_outer, here) = directory();
    let network = network(&here);
    assert!(stderr(&sotto(&here, &["settlement", "list"])).contains("ledger"), "there is none, and none is made");
    // The network is asked by a client that blocks, which it may not within a runtime.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let open = runtime.block_on(ledger(&here));
    assert_eq!(stdout(&sotto(&here, &["settlement", "list"])), "no settlement is held\n");
    let (absent, _) = runtime.block_on(is_held(&open, 1, None));
    let (found, unknown) = runtime.block_on(is_held(&open, 2, None));
    let on_chain = landed(&network);
    let (shown, _) = runtime.block_on(is_held(&open, 3, Some(on_chain)));
    let [absent, found, shown] = [absent, found, shown].map(|id| id.to_string());

    // Beside whoever has the ledger open.
    let listed = json(&sotto(&here, &["settlement", "list", "--json"]));
    assert_eq!(listed["held"].as_array().map(Vec::len), Some(3), "{listed:#}");
    assert_eq!(
        (&listed["held"][0]["settlement"], &listed["held"][0]["held"]["because"]),
        (&json!(absent), &json!("moved"))
    );
    let table = stdout(&sotto(&here, &["settlement", "list"]));
    assert!(table.contains(&absent) && table.contains("in_flight"), "{table}");
    let told = stdout(&sotto(&here, &["settlement", "show", &found]));
    assert!(told.contains(&unknown.to_string()) && told.contains("open or landed"), "{told}");
    let says_absent = ["settlement", "resolve", &absent, "--absent", "--i-looked-at", "explorer.example, slot 9"];
    assert!(stderr(&sotto(&here, &says_absent)).contains("in use by another process"));
    drop(open);

    for wrong in [&says_absent[..4], &says_absent[..3], &["settlement", "show", "no-id"]] {
        assert_eq!(sotto(&here, wrong).status.code(), Some(2), "{wrong:?}");
    }
    let refused = |args: &[&str], words: &str| {
        let told = when_final(&here, &[&["settlement", "resolve"], args].concat());
        assert_eq!(told.status.code(), Some(1), "{args:?}: {}", stdout(&told));
        assert!(stderr(&told).contains(words), "{args:?}: {}", stderr(&told));
    };
    let (unknown, on_chain) = (unknown.to_string(), on_chain.to_string());
    refused(&[&found, "--landed", &on_chain], "is no attempt of it");
    refused(&[&found, "--landed", &unknown], "in which slot");
    refused(&[&shown, "--absent", "--i-looked-at", "nowhere"], "shows");
    refused(&["0d7a6cc6-9c1d-4b1b-8f57-000000000000", "--absent", "--i-looked-at", "x"], "no such settlement");

    let told = when_final(&here, &says_absent);
    assert!(told.status.success() && stdout(&told).contains("reserved"), "{}{}", stdout(&told), stderr(&told));
    let told = sotto(&here, &["settlement", "resolve", &found, "--landed", &unknown, "--slot", "9", "--json"]);
    assert_eq!(json(&told)["state"], "settled", "{}", stderr(&told));
    let told = when_final(&here, &["settlement", "resolve", &shown, "--landed", &on_chain]);
    assert_eq!(stdout(&told), "it is settled now\n", "an endpoint tells its slot: {}", stderr(&told));
    refused(&[&found, "--landed", &unknown, "--slot", "9"], "has ended");
    let record = json(&sotto(&here, &["settlement", "show", &absent, "--json"]));
    assert_eq!(record["words"][0]["words"], "explorer.example, slot 9", "{record:#}");
    assert_eq!(stdout(&sotto(&here, &["settlement", "list"])), "no settlement is held\n");
    let audited = runtime.block_on(async { ledger(&here).await.audit().await });
    audited.expect("the ledger is consistent afterwards");
}

/// Guard: `end` and `Verdict::Failed`. An error that is final is the end of a transaction, though its blockhash may be alive.
#[test]
fn an_operator_ends_what_failed_for_good_and_its_fee_is_spent() {
    let (_outer, here) = directory();
    let network = network(&here);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let open = runtime.block_on(ledger(&here));
    let (failing, _) = runtime.block_on(is_held(&open, 1, Some(failed(&network))));
    drop(open);
    let failing = failing.to_string();
    let says_failed = ["settlement", "resolve", &failing, "--absent", "--i-looked-at", "the endpoint that has it"];
    let told = when_final(&here, &says_failed);
    assert_eq!(stdout(&told), "it is reserved now\n", "an error that is final is the end of it: {}", stderr(&told));
    let record = json(&sotto(&here, &["settlement", "show", &failing, "--json"]));
    let last = record["events"].as_array().and_then(|events| events.last()).expect("events");
    assert!(last["event"] == "failed" && last["slot"].is_u64(), "its fee is spent: {record:#}");
}
