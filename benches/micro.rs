//! Micro benchmarks of what a request costs in computation alone: `cargo bench --bench micro`.

#![expect(missing_docs, reason = "criterion_group! makes a public function without documentation")]

#[path = "micro/ledger.rs"]
mod ledger;
#[path = "micro/vouchers.rs"]
mod vouchers;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use criterion::{Criterion, criterion_group, criterion_main};
use ed25519_dalek::{Signer as _, SigningKey};
use solana_hash::Hash;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::{
        fees::ComputeBudget,
        inspect::ApproveTemplate,
        keys::{LocalSigner, Signer as _},
        transaction::{self, Authorization, ConfidentialTransfer, SettleInstruction, SettlementParts},
    },
    domain::{amount::Amount, chance::SeededChance, intent::Intent, network::Network, signed},
    programs::{
        Programs,
        attestation::{attestation_digest, verify_attestation},
        ciphertext::{DecryptionKey, EncryptionKey, decrypt, encrypt},
        inco_token::{Allowance, Transfer},
    },
    wire::{header, payment},
};
use std::hint::black_box;

/// Everybody in the benchmarks, from seeds of one repeated byte.
struct Cast {
    user: SigningKey,
    spender: LocalSigner,
    mint: Pubkey,
    merchant: Pubkey,
    programs: Programs,
    chance: SeededChance,
    encryption: EncryptionKey,
    decryption: DecryptionKey,
}

impl Cast {
    fn new() -> Self {
        let decryption = DecryptionKey::from_bytes(&[0x11; 32]).expect("a valid scalar");
        Self {
            user: SigningKey::from_bytes(&[1; 32]),
            spender: LocalSigner::from_seed(&[2; 32]),
            mint: Pubkey::new_from_array([3; 32]),
            merchant: Pubkey::new_from_array([4; 32]),
            programs: Programs::default(),
            chance: SeededChance::new(1),
            encryption: decryption.public(),
            decryption,
        }
    }

    fn user_key(&self) -> Pubkey {
        Pubkey::new_from_array(self.user.verifying_key().to_bytes())
    }

    fn intent(&self) -> Vec<u8> {
        let intent = Intent {
            approved: None,
            asset: self.mint,
            cap: Amount::new(1_000_000).unwrap_or_default(),
            expires_at: 1_893_456_000,
            network: "solana:devnet".to_owned(),
            nonce: "000102030405060708090a0b0c0d0e0f".to_owned(),
            recipient: self.merchant,
            spender: self.spender.pubkey(),
            user: self.user_key(),
            session_key: None,
        };
        intent.to_bytes()
    }

    fn allowance(&self, handle: u128, holder: Pubkey) -> Allowance {
        Allowance { account: self.programs.decrypt_allowance(handle, &holder), holder }
    }

    fn transfer(&self) -> Transfer {
        Transfer {
            source: self.programs.token_account(&self.user_key(), &self.mint),
            destination: self.programs.token_account(&self.merchant, &self.mint),
            authority: self.spender.pubkey(),
            ciphertext: encrypt(&self.encryption, 10_000, &self.chance),
            allowances: Some([self.allowance(1, self.user_key()), self.allowance(2, self.merchant)]),
        }
    }

    /// An approve transaction in base64 as the published client sends it.
    fn approve(&self) -> String {
        let (user, spender) = (self.user_key(), self.spender.pubkey());
        let source = self.programs.token_account(&user, &self.mint);
        let ciphertext = encrypt(&self.encryption, 1_000_000, &self.chance);
        let allowance = Some(self.allowance(7, spender));
        let instructions = [
            solana_system_interface::instruction::transfer(&spender, &user, 2_000_000),
            self.programs.create_idempotent(&spender, &user, &self.mint),
            self.programs.approve_checked(&source, &self.mint, &spender, &user, &ciphertext, 6, allowance),
        ];
        let message = legacy::Message::new_with_blockhash(&instructions, Some(&spender), &Hash::default());
        let signature = Signature::from(self.user.sign(&message.serialize()).to_bytes());
        let signatures = vec![Signature::default(), signature];
        let transaction = VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) };
        BASE64_STANDARD.encode(wincode::serialize(&transaction).expect("a transaction serialises"))
    }
}

fn intents(c: &mut Criterion) {
    let cast = Cast::new();
    let bytes = cast.intent();
    let (user, signature) = (cast.user_key(), cast.user.sign(&bytes).to_bytes());
    c.bench_function("intent: verify signature and parse", |b| {
        b.iter(|| {
            let signed = signed::verify(&user, black_box(&bytes), &signature);
            (signed, Intent::parse(black_box(&bytes)))
        });
    });
}

fn headers(c: &mut Criterion) {
    let payload = serde_json::json!({
        "x402Version": 2,
        "accepted": {
            "scheme": "session", "network": "solana:devnet", "amount": "10000",
            "asset": Cast::new().mint.to_string(), "payTo": Cast::new().merchant.to_string(),
            "maxTimeoutSeconds": 60, "extra": {},
        },
        "payload": { "sessionId": "6f2c1c1e-3f53-4e0a-9a1f-0f0e0d0c0b0a", "amount": "10000", "nonce": "n-000000001" },
        "resource": { "url": "https://api.example/weather" },
    });
    let text = header::encode(&payload).expect("the payload fits a header");
    c.bench_function("header: decode PAYMENT-SIGNATURE", |b| {
        b.iter(|| header::decode::<serde_json::Value>(black_box(&text)));
    });
    let body = serde_json::json!({ "paymentPayload": payload, "paymentRequirements": payload["accepted"] }).to_string();
    let served = Network::devnet();
    assert!(payment::payment(body.as_bytes(), &served).is_ok(), "the benchmark decodes what is accepted");
    c.bench_function("payment: decode a /settle body", |b| {
        b.iter(|| payment::payment(black_box(body.as_bytes()), &served));
    });
}

fn inspections(c: &mut Criterion) {
    let cast = Cast::new();
    let text = cast.approve();
    let spender = cast.spender.pubkey();
    let ours = [spender];
    let template = ApproveTemplate {
        programs: cast.programs,
        fee_payer: spender,
        our_keys: &ours,
        spender,
        user: cast.user_key(),
        mint: cast.mint,
        decimals: 6,
        max_grant: 2_000_000,
        may_create: true,
        compute: ComputeBudget { units: 400_000, price: 0 },
    };
    assert!(template.inspect(&text).is_ok(), "the benchmark inspects what is accepted");
    c.bench_function("approve: inspect", |b| b.iter(|| template.inspect(black_box(&text))));
}

fn settlements(c: &mut Criterion) {
    let cast = Cast::new();
    let message = cast.intent();
    let signature = cast.user.sign(&message).to_bytes();
    let transfer = cast.transfer();
    let transfer = ConfidentialTransfer {
        programs: &cast.programs,
        instruction: SettleInstruction::TransferWithAuthorization,
        authorization: Authorization { owner: cast.user_key(), message: &message, signature: &signature },
        transfer: &transfer,
    };
    let parts = SettlementParts {
        fee_payer: cast.spender.pubkey(),
        transfer: transaction::Transfer::Confidential(transfer),
        compute: ComputeBudget { units: 200_000, price: 0 },
    };
    c.bench_function("settlement: build and sign", |b| {
        b.iter(|| black_box(&parts).build(Hash::default()).and_then(|unsigned| unsigned.sign(&[&cast.spender])));
    });
}

fn ciphertexts(c: &mut Criterion) {
    let cast = Cast::new();
    c.bench_function("ECIES: encrypt", |b| b.iter(|| encrypt(&cast.encryption, black_box(1_000_000), &cast.chance)));
    let ciphertext = encrypt(&cast.encryption, 1_000_000, &cast.chance);
    c.bench_function("ECIES: decrypt", |b| b.iter(|| decrypt(&cast.decryption, black_box(&ciphertext))));
}

fn attestations(c: &mut Criterion) {
    let covalidator = SigningKey::from_bytes(&[5; 32]);
    let key = Pubkey::new_from_array(covalidator.verifying_key().to_bytes());
    let signature = covalidator.sign(&attestation_digest(255, 500_000)).to_bytes();
    c.bench_function("attestation: check", |b| {
        b.iter(|| verify_attestation(&key, black_box(255), black_box(500_000), &signature));
    });
}

criterion_group!(
    micro,
    intents,
    headers,
    vouchers::headers,
    inspections,
    settlements,
    ciphertexts,
    attestations,
    ledger::verbs
);
criterion_main!(micro);
