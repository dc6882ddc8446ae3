//! Single payments by hand, in the published client's bytes, so that tests can bend every one of them.

use super::{Options, Wallet, World, wire};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_message::VersionedMessage;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    chain::transaction::SettleInstruction,
    domain::{amount::Amount, single_payment::short_message},
    facilitator::{InstructionChoice, Settings},
};

/// What every payer starts with, in base units.
const PURSE: u64 = 5_000_000;

/// A world that serves single payments, with somebody who pays and somebody who is paid.
pub struct SingleScene {
    pub world: World,
    pub payer: Wallet,
    pub merchant: Wallet,
}

impl SingleScene {
    /// By plain transfers, for which nothing has to be probed.
    pub async fn plain() -> Self {
        Self::with(|_| ()).await
    }

    /// By plain transfers, with other settings.
    pub async fn with(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Self {
        let options = Options::settings(move |settings| {
            settings.transfers.settle_instruction = InstructionChoice::Fixed(SettleInstruction::Transfer);
            settings.payments.max_per_call = Amount::new(2 * PURSE).unwrap();
            change(settings);
        });
        Self::of(World::with(options).await).await
    }

    /// By the instruction that carries the payer's signature, once the probe has seen that it may be used.
    pub async fn probed() -> Self {
        let scene = Self::of(World::start().await).await;
        let facilitator = &scene.world.running().facilitator;
        facilitator.apply_probe(facilitator.probe().await.unwrap().verdict());
        scene
    }

    pub async fn of(world: World) -> Self {
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        Self { world, payer, merchant }
    }

    /// An encrypted amount of ours, in hex.
    pub async fn encrypted(&self, tokens: &str) -> String {
        let (status, answer) = self.world.post("/pay/getAmount", &json!({ "amount": tokens, "decimals": 6 })).await;
        assert_eq!(status, 200, "{answer:#}");
        answer["ciphertext"].as_str().unwrap().to_owned()
    }

    /// The message for this amount, as the published client writes it.
    pub fn message(&self, ciphertext: &str, tokens: &str, nonce: &str) -> Value {
        json!({
            "ciphertext": format!("{}...", &ciphertext[..32]),
            "amount": tokens,
            "decimals": 6,
            "recipient": self.merchant.key().to_string(),
            "network": "solana:devnet",
            "nonce": nonce,
        })
    }

    /// A payload that is signed by the payer.
    pub fn payload(&self, message: &Value, ciphertext: &str) -> Value {
        self.signed_payload(&self.payer, message, ciphertext)
    }

    /// A payload for a new ciphertext of this amount, signed by another payer.
    pub async fn payload_by(&self, payer: &Wallet, tokens: &str, nonce: &str) -> Value {
        let ciphertext = self.encrypted(tokens).await;
        self.signed_payload(payer, &self.message(&ciphertext, tokens, nonce), &ciphertext)
    }

    /// A payload with the short message in place of the long one.
    pub fn short(&self, payload: &Value) -> Value {
        let mut payload = payload.clone();
        let details = payload["message"].as_str().unwrap().to_owned();
        let message = short_message(details.as_bytes());
        payload["signature"] = json!(BASE64_STANDARD.encode(self.payer.sign(message.as_bytes())));
        payload["details"] = json!(details);
        payload["message"] = json!(message);
        payload
    }

    pub fn signed_payload(&self, payer: &Wallet, message: &Value, ciphertext: &str) -> Value {
        let text = message.to_string();
        json!({
            "signature": BASE64_STANDARD.encode(payer.sign(text.as_bytes())),
            "message": text,
            "payer": payer.key().to_string(),
            "ciphertext": ciphertext,
            "mint": self.world.faucet.mint().to_string(),
            "paymentReceiver": self.merchant.key().to_string(),
            "sourceHandle": "1",
            "destHandle": "2",
        })
    }

    /// A payload for a new ciphertext of this amount.
    pub async fn payload_of(&self, tokens: &str, nonce: &str) -> Value {
        let ciphertext = self.encrypted(tokens).await;
        self.payload(&self.message(&ciphertext, tokens, nonce), &ciphertext)
    }

    /// The first step; gives the transaction that was issued.
    pub async fn issued(&self, payload: &Value) -> VersionedTransaction {
        let (status, answer) = self.world.post("/pay/settle", &authorized(payload)).await;
        assert_eq!((status, &answer["requiresPayerSignature"]), (200, &json!(true)), "{answer:#}");
        let bytes = BASE64_STANDARD.decode(answer["unsignedTransaction"].as_str().unwrap()).unwrap();
        wincode::deserialize(&bytes).unwrap()
    }

    /// The second step.
    pub async fn settles(&self, transaction: &VersionedTransaction) -> (u16, Value) {
        self.world.post("/pay/settle", &transacted(transaction)).await
    }

    /// Both steps; gives the answer to the second.
    pub async fn pays(&self, payload: &Value) -> Value {
        let issued = self.issued(payload).await;
        let (status, answer) = self.settles(&signed_by(&self.payer, issued)).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
        answer
    }

    /// `/pay/verify` and the first step of `/pay/settle` both say no with this reason.
    pub async fn is_refused(&self, payload: &Value, reason: &str) {
        self.are_refused(&verified(payload), &authorized(payload), reason).await;
    }

    pub async fn are_refused(&self, verify: &Value, settle: &Value, reason: &str) {
        let (status, answer) = self.world.post("/pay/verify", verify).await;
        assert_eq!((status, answer["invalidReason"].as_str()), (400, Some(reason)), "{answer:#}");
        let (status, answer) = self.world.post("/pay/settle", settle).await;
        assert_eq!((status, answer["errorReason"].as_str()), (400, Some(reason)), "{answer:#}");
        assert_eq!((&answer["success"], &answer["transaction"]), (&json!(false), &json!("")), "{answer:#}");
    }

    /// Ends the scenario: what moved on chain is what the ledger has as paid.
    pub async fn closes(self) {
        self.world.quiet().await;
        let paid = self.world.ledger().totals(None).await.unwrap().single.get();
        assert_eq!(self.world.units(&self.merchant), paid, "the merchant has what was paid");
        assert_eq!(self.world.units(&self.payer), PURSE - paid, "the payer lost what was paid");
        self.world.finish().await;
    }
}

/// The body of `/pay/verify`.
pub fn verified(payload: &Value) -> Value {
    json!({ "paymentPayload": { "payload": payload }, "paymentRequirements": { "network": "solana:devnet" } })
}

/// The body of the first step.
pub fn authorized(payload: &Value) -> Value {
    verified(&json!({ "authorization": payload }))
}

/// The body of the second step.
pub fn transacted(transaction: &VersionedTransaction) -> Value {
    verified(&json!({ "transaction": BASE64_STANDARD.encode(wire(transaction)) }))
}

/// A transaction with this wallet's signature in its place.
pub fn signed_by(wallet: &Wallet, mut transaction: VersionedTransaction) -> VersionedTransaction {
    let place = transaction.message.static_account_keys().iter().position(|key| *key == wallet.key()).unwrap();
    transaction.signatures[place] = Signature::from(wallet.sign(&transaction.message.serialize()));
    transaction
}

/// A legacy message, to be bent.
pub fn legacy(transaction: &VersionedTransaction) -> solana_message::legacy::Message {
    let VersionedMessage::Legacy(message) = &transaction.message else { unreachable!() };
    message.clone()
}
