//! What each target reads when nothing is bent: of the vectors, and of the tests' own scene.

mod answers;
mod transactions;
mod vectors;

use crate::inspect::{Scene, encode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sotto::{
    chain::keys::Signer as _,
    programs::inco_token::{AccountState, IncoAccount},
};

fn requirements() -> Value {
    json!({
        "scheme": "session", "network": "solana:devnet", "amount": "10000", "maxAmountRequired": "10000", "maxTimeoutSeconds": 60,
        "asset": "GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5", "payTo": "39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB",
        "extra": { "funding": "required", "settlement": "deferred", "idempotent": true },
    })
}

/// What a target reads when nothing is bent.
pub(super) fn of(target: &str) -> Vec<Vec<u8>> {
    let payload = json!({
        "x402Version": 2, "accepted": requirements(), "resource": { "url": "https://shop.example/weather" },
        "payload": {
            "sessionId": "96e2c5ee-ab8f-4b88-b437-55c6d368c3da", "amount": "10000", "nonce": "0123456789abcdef",
            "authorization": { "nonce": "0123456789abcdef", "expiresAt": 1_795_292_182 }, "signature": "1".repeat(64),
        },
        "extensions": { "payment-identifier": { "info": { "id": "0123456789abcdef", "required": true } } },
    });
    let intent = r#"{"asset":"GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5","cap":"1000000","expirationUnix":1795292182,"network":"solana:devnet","nonce":"0123456789abcdef0123456789abcdef","recipient":"39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB","spender":"J7KorQhdeZKLzQUDSerh6eukcNgXp5BYZXVUVUPXFeHp","user":"2uvZn5LyYsXmRK9ag3qCw6PUxzzkeCNWXtEkc2fgt7PY"}"#;
    let scene = Scene::new();
    let wire = encode(&scene.sign(scene.compile(&scene.instructions)));
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "transactions" => transactions::all(),
        "openings" => vec![
            json!({
                "user": scene.user.pubkey().to_string(), "asset": scene.mint.to_string(), "recipient": "39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB",
                "cap": "1000000", "expirationUnix": 1_795_292_182, "network": "solana:devnet",
                "approveTxBase64": STANDARD.encode(wire), "authMessage": STANDARD.encode(intent),
                "authSignature": STANDARD.encode([7; 64]),
            })
            .to_string()
            .into_bytes(),
        ],
        "payments" => {
            vec![json!({ "x402Version": 2, "paymentPayload": payload, "paymentRequirements": requirements() }).to_string().into()]
        }
        "single_payments" => single_payments(&scene, &wire),
        "headers" => vec![STANDARD.encode(payload.to_string()).into_bytes(), payload.to_string().into_bytes()],
        "challenges" => vec![
            json!({ "x402Version": 2, "accepts": [requirements()], "resource": {} }).to_string().into(),
            json!({ "x402Version": 1, "error": "pay", "accepts": [requirements()] }).to_string().into(),
        ],
        "intents" => texts(&[intent, &vectors::intent()]),
        "accounts" => [vec![account().encode()], vectors::accounts()].concat(),
        "ciphertexts" => [vec![scene.ciphertext.clone(), [&[4][..], &[9; 120]].concat()], vectors::ciphertexts()].concat(),
        "receipts" => vectors::receipts(),
        "covalidator_answers" => vectors::attestations(),
        "rpc_answers" => answers::all(),
        "amounts" => texts(&["0", "10000", "0.01", "18446744073709551615", "1.000000"]),
        "session_files" => texts(&[r#"{"form":1,"sessionId":"96e2c5ee-ab8f-4b88-b437-55c6d368c3da","facilitator":"http://127.0.0.1:9","user":"2uvZn5LyYsXmRK9ag3qCw6PUxzzkeCNWXtEkc2fgt7PY","spender":"J7KorQhdeZKLzQUDSerh6eukcNgXp5BYZXVUVUPXFeHp","asset":"GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5","recipient":"39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB","expirationUnix":1795292182,"networks":["solana:devnet"],"origins":[]}"#]),
        other => panic!("{other} has no seeds"),
    }
}

/// Bodies of the routes below `/pay`.
fn single_payments(scene: &Scene, wire: &[u8]) -> Vec<Vec<u8>> {
    let ciphertext = "04".repeat(120);
    let message = json!({
        "ciphertext": format!("{}...", &ciphertext[..32]), "amount": "0.01", "decimals": 6,
        "recipient": "39VTk4onZMMGmycPMsfu2JmJ9jBttG4yXWjYZYruR4GB", "network": "solana:devnet", "nonce": "n-1",
    });
    let payload = json!({
        "message": message.to_string(), "signature": STANDARD.encode([7; 64]), "ciphertext": ciphertext,
        "payer": scene.user.pubkey().to_string(), "mint": "GNWFDGfGxwwHcwAEaz6TJZn5RyzFSvaZyFpvRU2djcY5",
    });
    let of = |payload| json!({ "paymentPayload": { "payload": payload }, "paymentRequirements": requirements() });
    let bodies = [
        of(payload.clone()),
        of(json!({ "authorization": payload })),
        of(json!({ "transaction": STANDARD.encode(wire) })),
        json!({ "amount": "0.01", "decimals": 6 }),
    ];
    bodies.iter().map(|body| body.to_string().into_bytes()).collect()
}

fn account() -> IncoAccount {
    let scene = Scene::new();
    IncoAccount {
        mint: scene.mint,
        owner: scene.user.pubkey(),
        amount: 7,
        delegate: Some(scene.spender.pubkey()),
        state: AccountState::Initialised,
        is_native: None,
        delegated_amount: 9,
        close_authority: None,
    }
}
