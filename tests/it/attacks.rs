//! Attacks over real HTTP against a whole world: one test or more for each defect of `spec/security.md` §2 that touches
//! these routes, named after it, and what else a thief would try. Each fails when the guard it names is removed.
//!
//! Tests of the same names that need no world stand beside what they test: in `inspect/attacks`,
//! in `wire`, R-09 and R-12 in `src/merchant/gate/tests.rs`, R-12 in `src/client/pay/tests.rs`,
//! R-29 in `config`, R-34 in `src/client/terms/tests.rs`.

mod bad_bodies;
mod bad_transactions;
mod busy_accounts;
mod credit;
mod crowds;
mod denied_failures;
mod farms;
mod funding;
mod grants;
mod heights;
mod liars;
mod openings;
mod payments;
mod prepares;
mod promises;
mod proofs;
mod quotas;
mod receipts;
mod recipients;
mod replays;
mod revocations;
mod session_keys;
mod shared_budgets;
mod sharing;
mod short_openings;
mod signed_receipts;
mod single_in_flight;
mod single_payments;
mod single_repeats;
mod single_transactions;
mod spending;
mod standing;
mod streams;
mod surfaces;
mod survival;
mod thieves;
mod wallet_sessions;
mod wallets;
mod watching;
mod witness;

use crate::support::{Opening, Options, PATIENCE, Wallet, World, hastily};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{domain::amount::Amount, ledger::Totals};

/// What the payer of a shop starts with.
const PURSE: u64 = 50_000_000;

/// A world with one payer, one merchant and one open session between them.
struct Shop {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: String,
}

impl Shop {
    async fn open(options: Options, cap: u64) -> Self {
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), cap).await;
        Self { world, payer, merchant, session }
    }

    fn payment(&self, amount: u64, nonce: Option<&str>) -> Value {
        self.world.payment(&self.session, &self.merchant.key(), amount, nonce)
    }

    /// A payment by a caller who waits for a few seconds only.
    fn hasty_payment(&self, amount: u64, nonce: Option<&str>) -> Value {
        hastily(self.payment(amount, nonce))
    }

    async fn settle(&self, amount: u64, nonce: Option<&str>) -> (u16, Value) {
        self.world.post("/settle", &self.payment(amount, nonce)).await
    }

    async fn pays(&self, amount: u64, nonce: Option<&str>) -> Value {
        let (status, answer) = self.settle(amount, nonce).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
        answer
    }

    async fn is_refused(&self, amount: u64, nonce: Option<&str>, reason: &str) {
        is_refused_everywhere(&self.world, &self.payment(amount, nonce), reason).await;
    }

    /// Ends the scenario: what moved on chain is what the ledger captured, and the payer lost just that.
    async fn closes(self) {
        self.moved_what_it_captured().await;
        self.world.finish().await;
    }

    async fn moved_what_it_captured(&self) {
        self.world.quiet().await;
        let captured = self.world.ledger().totals(None).await.unwrap().captured.get();
        assert_eq!(self.world.units(&self.merchant), captured, "the merchant has what was captured");
        assert_eq!(PURSE - self.world.units(&self.payer), captured, "the payer lost what was captured");
    }
}

/// Everything an attack must leave as it was.
#[derive(Debug, PartialEq)]
struct Trace {
    fee_payer: u64,
    spender: u64,
    totals: Totals,
    sessions: u64,
}

impl Trace {
    async fn of(world: &World) -> Self {
        let nobody = Pubkey::default();
        let sessions = world.ledger().opened_since(&nobody, &nobody, 0, 0).await.unwrap().by_all.count;
        Self {
            fee_payer: world.net.network().balance(&world.fee_payer()),
            spender: world.net.network().balance(&world.spender()),
            totals: world.ledger().totals(None).await.unwrap(),
            sessions,
        }
    }
}

/// `/verify` and `/settle` both say no with this reason, in their own words (R-06: settle trusts no earlier verify).
async fn is_refused_everywhere(world: &World, body: &Value, reason: &str) {
    let (_, verified) = world.post("/verify", body).await;
    assert_eq!((&verified["isValid"], &verified["invalidReason"]), (&json!(false), &json!(reason)), "{verified:#}");
    let (_, settled) = world.post("/settle", body).await;
    assert_eq!((&settled["success"], &settled["errorReason"]), (&json!(false), &json!(reason)), "{settled:#}");
}

/// An opening is refused with this word.
async fn is_not_opened(world: &World, body: &Value, status: u16, error: &str) -> Value {
    let (seen, answer) = world.post("/sessions", body).await;
    assert_eq!((seen, answer["error"].as_str()), (status, Some(error)), "{answer:#}");
    answer
}

/// Sets the same member on both sides, so that only what it means can be wrong.
fn on_both_sides(body: &mut Value, member: &str, value: &Value) {
    for side in ["/paymentRequirements", "/paymentPayload/accepted"] {
        body.pointer_mut(side).unwrap()[member] = value.clone();
    }
}

/// A session's public view.
async fn view(world: &World, session: &str) -> Value {
    let (status, view) = world.get(&format!("/sessions/{session}")).await;
    assert_eq!(status, 200, "{view:#}");
    view
}

/// Sends a request whose connection the test can cut: it has a client, and so a connection, of its own.
fn sends(world: &World, path: &str, body: &Value) -> tokio::task::JoinHandle<reqwest::Result<reqwest::Response>> {
    let client = reqwest::Client::builder().timeout(2 * PATIENCE).build().unwrap();
    tokio::spawn(client.post(format!("{}{path}", world.running().url)).json(body).send())
}

/// Waits until a session is in this state.
async fn becomes(world: &World, session: &str, state: &str) {
    world.until(state, async || view(world, session).await["state"] == state).await;
}

/// Lands a transaction that `wallet` signs and pays for, past the facilitator.
fn lands_by_itself(world: &World, wallet: &Wallet, instructions: &[Instruction]) -> Signature {
    world.net.network().send(signed_by(world, wallet, instructions)).unwrap()
}

/// A transaction that `wallet` signs and pays for.
fn signed_by(world: &World, wallet: &Wallet, instructions: &[Instruction]) -> VersionedTransaction {
    let hash = world.net.network().latest_blockhash();
    let message = legacy::Message::new_with_blockhash(instructions, Some(&wallet.key()), &hash);
    let signature = Signature::from(wallet.sign(&message.serialize()));
    VersionedTransaction { signatures: vec![signature], message: VersionedMessage::Legacy(message) }
}

/// Makes the wallet one whose proven payments have landed on three days, long ago: a test has no such days.
fn has_paid_for_days(world: &World, wallet: &Pubkey) {
    let ledger = rusqlite::Connection::open(world.directory().join("sotto.db")).unwrap();
    for day in 1..=3 {
        let row = rusqlite::params![wallet.to_bytes(), day];
        ledger.execute("INSERT INTO proven_days (user, day) VALUES (?1, ?2)", row).unwrap();
    }
}

/// Lands an approve of so many units that the payer pays for, with the right to decrypt it.
async fn approves(world: &World, payer: &Wallet, units: u64) -> Signature {
    let opening = Opening { grant: 0, ..world.opening(payer, &world.spender(), units) };
    let approve = world.approve_instructions(&opening).await.pop().unwrap();
    let approve = lands_by_itself(world, payer, &[approve]);
    world.confirmed().await;
    approve
}

/// A body that opens a session over an approve on chain, under a nonce of its own.
fn over(world: &World, payer: &Wallet, recipient: &Pubkey, cap: u64, approve: &Signature) -> Value {
    world.opening_body_landed(&world.opening(payer, recipient, cap), approve)
}

/// Like [`over`], of a cap out of a total that the intent names.
fn on_total(world: &World, payer: &Wallet, recipient: &Pubkey, (cap, total): (u64, u64), approve: &Signature) -> Value {
    let mut opening = world.opening(payer, recipient, cap);
    opening.intent.approved = Amount::new(total);
    world.opening_body_landed(&opening, approve)
}

/// Gives a wallet SOL of its own.
async fn with_sol(world: &World, wallet: &Wallet) {
    world.net.network().airdrop(&wallet.key(), 1_000_000_000).unwrap();
    world.confirmed().await;
}

/// A JSON-RPC call to the chain, as anybody can make it.
async fn rpc(world: &World, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = world.http.post(world.net.rpc_url()).json(&request).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["error"].is_null(), "{answer:#}");
    answer["result"].clone()
}

/// Everything that landed without an error and touched this address, newest first: signature and transaction.
async fn landed(world: &World, address: &Pubkey) -> Vec<(String, VersionedTransaction)> {
    let at = json!({ "commitment": "confirmed" });
    let history = rpc(world, "getSignaturesForAddress", json!([address.to_string(), at])).await;
    let mut found = Vec::new();
    for entry in history.as_array().unwrap().iter().filter(|entry| entry["err"].is_null()) {
        let signature = entry["signature"].as_str().unwrap().to_owned();
        let config = json!({ "commitment": "confirmed", "encoding": "base64", "maxSupportedTransactionVersion": 0 });
        let transaction = rpc(world, "getTransaction", json!([signature, config])).await;
        let bytes = BASE64_STANDARD.decode(transaction["transaction"][0].as_str().unwrap()).unwrap();
        found.push((signature, wincode::deserialize(&bytes).unwrap()));
    }
    found
}

/// The transfers among what landed at a wallet's token account.
async fn transfers(world: &World, wallet: &Wallet) -> Vec<(String, VersionedTransaction)> {
    let account = world.programs.token_account(&wallet.key(), &world.faucet.mint());
    let transfer = sotto::programs::discriminator("transfer_with_authorization");
    let mut found = landed(world, &account).await;
    found.retain(|(_, transaction)| {
        transaction.message.instructions().iter().any(|instruction| instruction.data.starts_with(&transfer))
    });
    found
}
