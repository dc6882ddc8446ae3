//! Opening and paying by hand, in the published client's bytes, so that tests can bend every one of them.

use super::{PATIENCE, Wallet, World};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::Chain as _,
    domain::{amount::Amount, chance::draw, intent::Intent},
    programs::{
        ciphertext::encrypt,
        inco_token::{Allowance, IncoAccount},
    },
};

/// The grant that the published client always asks for, in lamports.
const GRANT: u64 = 2_000_000;
/// A wallet that has as much needs no grant: rent for a decrypt allowance, and what keeps the wallet exempt from it.
const ENOUGH: u64 = 1_851_360;

/// How long a caller waits who is hasty, in seconds.
pub const HASTE: u64 = 3;

/// An opening in the making.
pub struct Opening {
    pub payer: Wallet,
    pub intent: Intent,
    /// What is really approved; the cap, for honest payers.
    pub approved: u64,
    pub settle_message: bool,
    pub grant: u64,
}

impl World {
    /// An honest opening, to be bent.
    pub fn opening(&self, payer: &Wallet, recipient: &Pubkey, cap: u64) -> Opening {
        Opening {
            payer: payer.clone(),
            intent: Intent {
                approved: None,
                asset: self.faucet.mint(),
                cap: Amount::new(cap).unwrap(),
                expires_at: self.now() + 3_600,
                network: "solana:devnet".to_owned(),
                nonce: hex::encode(draw::<16>(&*self.chance)),
                recipient: *recipient,
                spender: self.spender(),
                user: payer.key(),
                session_key: None,
            },
            approved: cap,
            settle_message: false,
            // A grant of more than is lacking is refused, so a payer who has SOL asks for none.
            grant: if self.net.network().balance(&payer.key()) < ENOUGH { GRANT } else { 0 },
        }
    }

    /// The template's instructions, with the decrypt allowance learnt by simulation as the published client does.
    pub async fn approve_instructions(&self, opening: &Opening) -> Vec<Instruction> {
        let (user, mint, fee_payer) = (opening.payer.key(), self.faucet.mint(), self.fee_payer());
        let source = self.programs.token_account(&user, &mint);
        let key = self.net.network().stand_ins().encryption_key();
        let ciphertext = encrypt(&key, opening.approved.into(), &*self.chance);
        let build = |allowance: Option<Allowance>| {
            let mut instructions = Vec::new();
            if opening.grant > 0 {
                instructions.push(solana_system_interface::instruction::transfer(&fee_payer, &user, opening.grant));
            }
            instructions.push(self.programs.create_idempotent(&fee_payer, &user, &mint));
            let (spender, decimals) = (self.spender(), 6);
            instructions.push(self.programs.approve_checked(
                &source,
                &mint,
                &spender,
                &user,
                &ciphertext,
                decimals,
                allowance,
            ));
            instructions
        };
        let dry = self.sign_as_user(&opening.payer, &build(None)).await;
        let simulation = self.running().chain.simulate(&dry, &[source]).await.unwrap();
        assert_eq!(simulation.error, None, "the approve simulates: {:?}", simulation.logs);
        let after = IncoAccount::decode(&simulation.accounts[0].as_ref().unwrap().data).unwrap();
        let account = self.programs.decrypt_allowance(after.delegated_amount, &self.spender());
        build(Some(Allowance { account, holder: self.spender() }))
    }

    /// Compiles with the facilitator as fee payer and signs as the user, leaving the fee payer's slot empty.
    pub async fn sign_as_user(&self, user: &Wallet, instructions: &[Instruction]) -> VersionedTransaction {
        let blockhash = self.running().chain.latest_blockhash().await.unwrap().hash;
        let message = legacy::Message::new_with_blockhash(instructions, Some(&self.fee_payer()), &blockhash);
        let required = usize::from(message.header.num_required_signatures);
        let position = message.account_keys.iter().position(|key| *key == user.key()).unwrap();
        let mut signatures = vec![Signature::default(); required];
        if position < required {
            signatures[position] = Signature::from(user.sign(&message.serialize()));
        }
        VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) }
    }

    /// The body of `POST /sessions`.
    pub async fn opening_body(&self, opening: &Opening) -> Value {
        let instructions = self.approve_instructions(opening).await;
        let approve = self.sign_as_user(&opening.payer, &instructions).await;
        self.opening_body_with(opening, &approve)
    }

    /// Like [`Self::opening_body`], around another transaction.
    #[expect(clippy::unused_self, reason = "beside its siblings")]
    pub fn opening_body_with(&self, opening: &Opening, approve: &VersionedTransaction) -> Value {
        let intent = &opening.intent;
        let message = intent.to_bytes();
        let mut body = json!({
            "user": intent.user.to_string(),
            "asset": intent.asset.to_string(),
            "recipient": intent.recipient.to_string(),
            "cap": intent.cap.to_string(),
            "expirationUnix": intent.expires_at,
            "network": intent.network,
            "approveTxBase64": BASE64_STANDARD.encode(wire(approve)),
            "approveTxSignature": "",
            "authMessage": BASE64_STANDARD.encode(&message),
            "authSignature": BASE64_STANDARD.encode(opening.payer.sign(&message)),
        });
        if opening.settle_message {
            let text = sotto::domain::intent::IntentHash::of(&message).settle_message();
            body["settleMessage"] = json!(text);
            body["settleSignature"] = json!(BASE64_STANDARD.encode(opening.payer.sign(text.as_bytes())));
        }
        body
    }

    /// Like [`Self::opening_body`], around an approve that is said to be on chain.
    pub fn opening_body_landed(&self, opening: &Opening, approve: &Signature) -> Value {
        let mut body = self.opening_body_with(opening, &VersionedTransaction::default());
        body.as_object_mut().unwrap().remove("approveTxBase64");
        body["approveTxSignature"] = json!(approve.to_string());
        body
    }

    /// Opens honestly and gives the session's id.
    pub async fn open(&self, payer: &Wallet, recipient: &Pubkey, cap: u64) -> String {
        let opening = self.opening(payer, recipient, cap);
        let (status, body) = self.post("/sessions", &self.opening_body(&opening).await).await;
        assert_eq!(status, 201, "{body:#}");
        body["sessionId"].as_str().unwrap().to_owned()
    }

    /// The body of `/verify` and `/settle`, in the published client's form.
    pub fn payment(&self, session: &str, recipient: &Pubkey, amount: u64, nonce: Option<&str>) -> Value {
        let requirements = json!({
            "scheme": "session",
            "network": "solana:devnet",
            "amount": amount.to_string(),
            "asset": self.faucet.mint().to_string(),
            "payTo": recipient.to_string(),
            "maxTimeoutSeconds": PATIENCE.as_secs(),
            "extra": {},
        });
        let mut payload = json!({ "sessionId": session, "amount": amount.to_string() });
        if let Some(nonce) = nonce {
            payload["nonce"] = json!(nonce);
        }
        json!({
            "x402Version": 2,
            "paymentPayload": {
                "x402Version": 2,
                "accepted": requirements,
                "payload": payload,
                "resource": { "url": "https://api.example/weather" },
            },
            "paymentRequirements": requirements,
        })
    }
}

/// A payment by a caller who waits for a few seconds only: long enough for a transaction to be signed and sent on a
/// busy machine, so that what the caller is told names it.
pub fn hastily(mut payment: Value) -> Value {
    for side in ["/paymentRequirements", "/paymentPayload/accepted"] {
        payment.pointer_mut(side).unwrap()["maxTimeoutSeconds"] = json!(HASTE);
    }
    payment
}

/// A transaction in its wire encoding.
pub fn wire(transaction: &VersionedTransaction) -> Vec<u8> {
    wincode::serialize(transaction).unwrap()
}
