//! The transactions of the vectors, re-keyed and sent to the route, each with its word (`spec/mpp.md` §3, §19).

use super::{cases, golden, key, known, mint, pubkey, text};
use crate::support::{MppScene, ROOT, Wallet, wire};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_message::VersionedMessage;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::domain::mpp::root::Root;
use std::collections::HashMap;

/// What stands for the keys of the vectors here.
struct Keys {
    here: HashMap<Pubkey, Pubkey>,
    wallets: Vec<Wallet>,
    blockhash: Hash,
}

impl Keys {
    async fn of(scene: &MppScene) -> Self {
        let accounts = golden("/constants");
        let cash = scene.world.net.cash();
        let rent = Root::new(ROOT).rent_authority(scene.world.network.canonical()).public();
        let here = HashMap::from([
            (known("fee_payer"), scene.world.fee_payer()),
            (known("buyer"), scene.buyer.key()),
            (known("seller"), scene.seller.key()),
            (known("rent_authority"), rent),
            // The one delegate that exists here: of confidential sessions.
            (known("delegate"), scene.world.spender()),
            (mint(), cash.mint()),
            (pubkey(text(accounts, "buyer_token_account")), cash.account_of(&scene.buyer.key())),
            (pubkey(text(accounts, "seller_token_account")), cash.account_of(&scene.seller.key())),
        ]);
        let stranger = Wallet::from_seed(key("stranger").to_bytes());
        let blockhash = scene.prepared().await["recentBlockhash"].as_str().unwrap().parse().unwrap();
        Self { here, wallets: vec![scene.buyer.clone(), stranger], blockhash }
    }

    fn here(&self, key: Pubkey) -> Pubkey {
        self.here.get(&key).copied().unwrap_or(key)
    }

    /// The transaction with the keys and the blockhash of this world, signed anew by whoever signed it.
    fn rekeyed(&self, mut transaction: VersionedTransaction) -> VersionedTransaction {
        let (keys, blockhash) = match &mut transaction.message {
            VersionedMessage::Legacy(message) => (&mut message.account_keys, &mut message.recent_blockhash),
            VersionedMessage::V0(message) => (&mut message.account_keys, &mut message.recent_blockhash),
            VersionedMessage::V1(_) => unreachable!("no vector has it"),
        };
        for key in keys.iter_mut() {
            *key = self.here(*key);
        }
        *blockhash = self.blockhash;
        let bytes = transaction.message.serialize();
        let keys = transaction.message.static_account_keys().to_vec();
        for (slot, key) in transaction.signatures.iter_mut().zip(&keys) {
            let signer = self.wallets.iter().find(|wallet| wallet.key() == *key);
            *slot = signer.map_or_else(Signature::default, |signer| Signature::from(signer.sign(&bytes)));
        }
        transaction
    }
}

/// The text that is sent for a case.
fn transaction(case: &Value, keys: &Keys) -> String {
    let whole = golden("/charge/settle_request/transaction").as_str().unwrap();
    let given = text(case, "wire_base64");
    let is_whole = case["raw"].is_null();
    let decoded = BASE64_STANDARD.decode(if is_whole { given } else { whole }).unwrap();
    let mut rekeyed = keys.rekeyed(wincode::deserialize(&decoded).unwrap());
    let damaged = |bytes: Vec<u8>| BASE64_STANDARD.encode(bytes);
    // What re-keying destroys is made as its name says.
    match text(case, "name") {
        "buyer has not signed" => rekeyed.signatures[1] = Signature::default(),
        "buyer's signature damaged" => {
            let mut bytes: [u8; 64] = rekeyed.signatures[1].into();
            bytes[5] ^= 1;
            rekeyed.signatures[1] = Signature::from(bytes);
        }
        "the fee payer's slot is already signed" => rekeyed.signatures[0] = Signature::from([7; 64]),
        "trailing bytes" => return damaged([wire(&rekeyed), vec![0, 0]].concat()),
        "one byte short" => return damaged(wire(&rekeyed).split_last().unwrap().1.to_vec()),
        "line feed after the base64" => return format!("{}\n", damaged(wire(&rekeyed))),
        "not base64" | "order: the amount comes before the bytes" => return given.to_owned(),
        name => assert!(is_whole, "{name} says what it is"),
    }
    damaged(wire(&rekeyed))
}

#[tokio::test]
async fn each_transaction_of_the_vectors_has_its_word_over_http() {
    let scene = MppScene::start().await;
    let (mut moved, cases) = (0, cases("/policy_cases/cases"));
    assert_eq!(cases.len(), 69);
    for case in cases {
        let (name, expected) = (text(case, "name"), text(case, "expect"));
        // Anew for each, so that none dies while the others are judged.
        let keys = Keys::of(&scene).await;
        let body = json!({
            "transaction": transaction(case, &keys),
            "recipient": keys.here(pubkey(text(case, "recipient"))).to_string(),
            "amount": case["amount"],
            "asset": keys.here(pubkey(text(case, "asset"))).to_string(),
        });
        let answer = scene.settles(&body).await;
        let word = answer["errorCode"].as_str().unwrap_or("accept");
        // What the policy takes reaches the chain: some of it names accounts and programs that are not there.
        let is_taken = word == "accept" || word == "simulation_failed";
        assert_eq!(if is_taken { "accept" } else { word }, expected, "{name}: {answer:#}");
        if word == "accept" {
            moved += 10_000;
        } else {
            assert!(answer.get("signature").is_none(), "{name} leaves no trace: {answer:#}");
        }
    }
    assert!(moved >= 80_000, "{moved}");
    scene.closes(moved).await;
}
