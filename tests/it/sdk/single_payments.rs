//! A payer's client pays once without a session: with an honest facilitator, and with one that gives something else to sign.

use super::{
    command_line::{Desk, only_its_owner_reads},
    journey::{amount, client_at, key},
    stand_in::{StandIn, json as answer},
};
use crate::support::{SingleScene, Wallet, legacy, wire};
use axum::{Router, body::Body, extract::Request, http::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_message::{VersionedMessage, legacy::Message};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_system_interface::instruction as system;
use solana_transaction::versioned::VersionedTransaction;
use sotto::client::{SessionClient, SingleError, SingleOptions};
use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

fn pay<'a>(to: &'a str, facilitator: &'a str) -> [&'a str; 7] {
    ["pay", to, "0.25", "--facilitator", facilitator, "--trust-on-first-use", "--json"]
}

/// How many payments are kept beside the wallet.
fn kept(desk: &Desk) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(desk.path().join(".keys")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains(".single-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_pays_once_from_the_command_line() {
    let scene = SingleScene::probed().await;
    let desk = Desk::of(&scene.world, &scene.payer);
    let (to, facilitator) = (scene.merchant.key().to_string(), scene.world.running().url.clone());
    let paid = desk.json(&[&pay(&to, &facilitator)[..], &["--require-proof"]].concat()).await;
    assert_eq!((&paid["state"], &paid["amount"]), (&json!("paid"), &json!("0.25")), "{paid:#}");
    assert_eq!((&paid["funding"], &paid["recipient"]), (&json!("proven"), &json!(to)), "{paid:#}");
    assert!(kept(&desk).is_empty(), "what is known is forgotten");
    let plain = desk.sotto(&[&pay(&to, &facilitator)[..6], &["--no-funding-proof"]].concat()).await;
    let told = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(told.starts_with("paid 0.25 to ") && told.contains("transaction "), "{told}");

    let other = scene.world.stranger().key().to_string();
    let pinned = ["pay", &to, "0.25", "--facilitator", &facilitator, "--facilitator-address", &other];
    assert!(desk.failing(&pinned).await.contains("is pinned"));
    let account = scene.world.programs.token_account(&scene.merchant.key(), &scene.world.faucet.mint()).to_string();
    assert!(desk.failing(&pay(&account, &facilitator)).await.contains("is the token account of"));
    assert!(
        desk.failing(&pay(&scene.payer.key().to_string(), &facilitator)).await.contains("the recipient is the payer")
    );
    assert_eq!(scene.world.units(&scene.merchant), 500_000, "two payments");
    scene.closes().await;
}

/// FR-2, for a payment without a session.
#[tokio::test(flavor = "multi_thread")]
async fn a_single_payment_whose_outcome_is_not_known_can_be_sent_again_and_pays_once() {
    let scene = SingleScene::with(|settings| settings.answer_deadline = Duration::from_secs(2)).await;
    let desk = Desk::of(&scene.world, &scene.payer);
    let (to, facilitator) = (scene.merchant.key().to_string(), scene.world.running().url.clone());
    // Taken, and never executed: nobody can know.
    scene.world.net.faults().change(|plan| plan.frozen = true);
    let asked = desk.sotto(&[&pay(&to, &facilitator)[..], &["--patience", "1"]].concat()).await;
    let errors = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(asked.status.code(), Some(3), "{errors}");
    let told: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let nonce = told["nonce"].as_str().unwrap();
    assert_eq!(told["state"], "unknown", "{told:#}");
    assert!(errors.contains(&format!("--again {nonce}")), "{errors}");
    let [file] = kept(&desk).try_into().expect("one payment is kept");
    only_its_owner_reads(&file);
    let again = |args: &[&str]| [args, &["--again", nonce]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let more = again(&["pay", &to, "0.26", "--facilitator", &facilitator, "--trust-on-first-use"]);
    let more: Vec<_> = more.iter().map(String::as_str).collect();
    assert!(desk.failing(&more).await.contains("of another amount"), "what is sent again is what was signed");

    scene.world.net.faults().clear();
    let same = again(&pay(&to, &facilitator));
    let same: Vec<_> = same.iter().map(String::as_str).collect();
    let paid = desk.json(&same).await;
    assert_eq!((&paid["state"], &paid["nonce"]), (&json!("paid"), &json!(nonce)), "{paid:#}");
    assert!(paid["funding"].is_string(), "it proves whose payment it is, and hears the success: {paid:#}");
    assert!(kept(&desk).is_empty(), "what is known is forgotten");
    assert!(desk.failing(&same[..]).await.contains("no payment with the nonce"));
    assert_eq!(scene.world.units(&scene.merchant), 250_000, "once");
    scene.closes().await;
}

/// Whom a facilitator that lies knows.
#[derive(Clone, Copy)]
struct Known {
    payer: Pubkey,
    fee_payer: Pubkey,
    /// The token accounts of the merchant and of the liar.
    merchants: Pubkey,
    liars: Pubkey,
}

impl Known {
    fn of(scene: &SingleScene, payer: &Wallet) -> Self {
        let account = |owner| scene.world.programs.token_account(&owner, &scene.world.faucet.mint());
        Self {
            payer: payer.key(),
            fee_payer: scene.world.fee_payer(),
            merchants: account(scene.merchant.key()),
            liars: account(scene.world.stranger().key()),
        }
    }
}

/// What it makes of the transaction that an honest one issued.
type Bend = fn(Known, Message) -> VersionedTransaction;

fn unsigned(message: Message) -> VersionedTransaction {
    let signatures = vec![Signature::default(); usize::from(message.header.num_required_signatures)];
    VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) }
}

/// R-01, the payer's side: whatever else the transaction does, the wallet is not asked.
const BENT: [(&str, Bend); 6] = [
    ("a transfer of the wallet's SOL beside it", |known, mut message| {
        let taken = system::transfer(&known.payer, &known.fee_payer, 1);
        let program = u8::try_from(message.account_keys.len()).unwrap();
        message.account_keys.push(taken.program_id);
        message.header.num_readonly_unsigned_accounts += 1;
        let mut compiled = message.instructions[0].clone();
        (compiled.program_id_index, compiled.accounts, compiled.data) = (program, vec![1, 0], taken.data);
        message.instructions.push(compiled);
        unsigned(message)
    }),
    ("another account that is paid", |known, mut message| {
        let place = message.account_keys.iter().position(|key| *key == known.merchants).unwrap();
        message.account_keys[place] = known.liars;
        unsigned(message)
    }),
    ("another encrypted amount", |_, mut message| {
        let transfer = message.instructions.last_mut().unwrap();
        *transfer.data.last_mut().unwrap() ^= 1;
        let byte = transfer.data.len() / 2;
        transfer.data[byte] ^= 1;
        unsigned(message)
    }),
    ("a second transfer", |_, mut message| {
        let transfer = message.instructions.last().unwrap().clone();
        message.instructions.push(transfer);
        unsigned(message)
    }),
    ("a fee that the payer pays", |known, mut message| {
        let place = message.account_keys.iter().position(|key| *key == known.payer).unwrap();
        message.account_keys.swap(0, place);
        unsigned(message)
    }),
    ("a signature that is there", |_, message| {
        let mut signed = unsigned(message);
        signed.signatures[0] = Signature::from([1; 64]);
        signed
    }),
];

/// A facilitator that passes everything on and bends what it gives to be signed; counts the transactions it is sent.
async fn bending(scene: &SingleScene, payer: &Wallet, bend: Bend) -> (String, Arc<AtomicU64>) {
    let (sent, base) = (Arc::new(AtomicU64::new(0)), scene.world.running().url.clone());
    let (count, known, http) = (Arc::clone(&sent), Known::of(scene, payer), scene.world.http.clone());
    let router = Router::new().fallback(move |request: Request| {
        let (count, http, base) = (Arc::clone(&count), http.clone(), base.clone());
        async move {
            let (parts, body) = request.into_parts();
            let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            if String::from_utf8_lossy(&bytes).contains("\"transaction\"") {
                count.fetch_add(1, Ordering::SeqCst);
            }
            let request = http.request(parts.method, format!("{base}{}", parts.uri.path())).body(bytes);
            let answer = request.header("content-type", "application/json").send().await.unwrap();
            let (status, mut answer) = (answer.status(), answer.json::<Value>().await.unwrap());
            if let Some(text) = answer["unsignedTransaction"].as_str() {
                let issued: VersionedTransaction =
                    wincode::deserialize(&BASE64_STANDARD.decode(text).unwrap()).unwrap();
                let bent = bend(known, legacy(&issued));
                answer["unsignedTransaction"] = json!(BASE64_STANDARD.encode(wire(&bent)));
            }
            Response::builder().status(status).body(Body::from(answer.to_string())).unwrap()
        }
    });
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_a_wallet_signs_no_transaction_but_the_transfer_that_it_asked_for() {
    for scene in [SingleScene::plain().await, SingleScene::probed().await] {
        let options = SingleOptions::new(scene.merchant.key(), amount(250_000));
        for (what, bend) in BENT {
            let payer = scene.world.wallet(1_000_000).await;
            let (url, sent) = bending(&scene, &payer, bend).await;
            let error = client_at(&scene.world, &url).pay_single(&key(&payer), &options).await.expect_err(what);
            assert!(matches!(error, SingleError::Foreign(_)), "{what}: {error:?}");
            assert_eq!(sent.load(Ordering::SeqCst), 0, "{what}: nothing was signed");
        }
        let (url, sent) = bending(&scene, &scene.payer, |_, message| unsigned(message)).await;
        client_at(&scene.world, &url)
            .pay_single(&key(&scene.payer), &options)
            .await
            .expect("an honest one is paid through");
        assert_eq!(sent.load(Ordering::SeqCst), 1);
        assert_eq!(scene.world.units(&scene.merchant), 250_000);
        scene.closes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_amount_of_another_length_and_an_answer_that_is_none_are_refused() {
    let scene = SingleScene::probed().await;
    let (http, base) = (scene.world.http.clone(), scene.world.running().url.clone());
    let supported: Value = http.get(format!("{base}/supported")).send().await.unwrap().json().await.unwrap();
    let longer = json!({ "ciphertext": scene.encrypted("25").await, "amount": "0.25", "decimals": 6 });
    let options = SingleOptions::new(scene.merchant.key(), amount(250_000));
    let wallet = key(&scene.payer);
    let scripted = |answers| StandIn::forwarding(answers, base.clone(), http.clone());
    let client = |stand_in: &StandIn| -> SessionClient { client_at(&scene.world, &stand_in.url) };

    let stand_in = scripted(vec![answer(200, &supported), answer(200, &longer)]).await;
    let error = client(&stand_in).pay_single(&wallet, &options).await.expect_err("100 times as much");
    assert!(matches!(error, SingleError::Foreign(_)), "{error:?}");

    // The second step is answered for another payer, and then by a proxy: not known, and repeated until the honest answer comes.
    let mut payment = client_at(&scene.world, &base).prepare_single(&wallet, &options).await.unwrap();
    let lie = Signature::from([1; 64]).to_string();
    let of_another = json!({ "success": true, "transaction": lie, "network": "solana:devnet",
        "payer": scene.merchant.key().to_string() });
    let stand_in = scripted(vec![answer(200, &of_another), answer(502, &json!("no gateway"))]).await;
    let stranger = client(&stand_in).finish_single(&payment, options.patience).await.expect_err("sent to nobody else");
    assert!(matches!(stranger, SingleError::Options(_)) && stand_in.asked().is_empty(), "{stranger:?}");
    payment.facilitator.clone_from(&stand_in.url);
    let paid = client(&stand_in).finish_single(&payment, options.patience).await.unwrap();
    assert_ne!(paid.transaction.to_string(), lie);
    assert_eq!(stand_in.asked().len(), 3);
    let again = client(&stand_in).finish_single(&payment, options.patience).await.unwrap();
    assert_eq!((again.transaction, again.funding), (paid.transaction, None), "its success was told before");
    scene.closes().await;
}
