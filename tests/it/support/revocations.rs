//! Revokes that we pay for, by hand, so that tests can bend every byte of them.

use super::{Options, Wallet, World, signed_by, wire};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_transaction::versioned::VersionedTransaction;

/// What the payer starts with, in base units.
const PURSE: u64 = 5_000_000;

/// A payer who has SOL for nothing, whose sessions are over, and who still delegates to the facilitator.
pub struct RevokeScene {
    pub world: World,
    pub payer: Wallet,
    pub merchant: Wallet,
    pub session: String,
}

impl RevokeScene {
    /// The session is closed.
    pub async fn over() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let scene = Self::open(options).await;
        scene.closes_all().await;
        scene
    }

    /// The session is still open.
    pub async fn open(options: Options) -> Self {
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 100_000).await;
        Self { world, payer, merchant, session }
    }

    /// The wallet closes all its sessions; gives the answer.
    pub async fn closes_all(&self) -> Value {
        let body = self.world.close_all_body(&self.payer, &self.payer, &self.world.spender(), self.world.now());
        let (status, answer) = self.world.post("/sessions/close", &body).await;
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    /// Asks for the revoke.
    pub async fn asks(&self) -> (u16, Value) {
        let body = self.world.close_all_body(&self.payer, &self.payer, &self.world.spender(), self.world.now());
        self.world.post("/sessions/revoke-offer", &body).await
    }

    /// The revoke that is offered, signed by the payer.
    pub async fn signed(&self) -> VersionedTransaction {
        let (status, answer) = self.asks().await;
        assert_eq!(status, 200, "{answer:#}");
        self.signs(&answer)
    }

    /// What stands in an offer, signed by the payer.
    pub fn signs(&self, offer: &Value) -> VersionedTransaction {
        let bytes = BASE64_STANDARD.decode(offer["transaction"].as_str().unwrap()).unwrap();
        signed_by(&self.payer, wincode::deserialize(&bytes).unwrap())
    }

    /// The payer's own revoke, as an instruction.
    pub fn revoke(&self) -> Instruction {
        self.world.programs.revoke(&self.world.account_of(&self.payer.key()), &self.payer.key())
    }

    /// A transaction that the payer built and signed without being offered one.
    pub async fn built(&self, instructions: &[Instruction]) -> VersionedTransaction {
        self.world.sign_as_user(&self.payer, instructions).await
    }

    /// Sends a revoke, by the wallet and not by a session.
    pub async fn sends(&self, transaction: &VersionedTransaction) -> (u16, Value) {
        self.world.post("/sessions/revoke", &revoke_body(transaction)).await
    }

    /// A revoke is refused with this word.
    pub async fn is_refused(&self, transaction: &VersionedTransaction, status: u16, error: &str) -> Value {
        let (seen, answer) = self.sends(transaction).await;
        assert_eq!((seen, answer["error"].as_str()), (status, Some(error)), "{answer:#}");
        answer
    }

    /// Whether the facilitator may still spend from the payer's account.
    pub fn is_delegated(&self) -> bool {
        self.world.token_account(&self.payer.key()).unwrap().delegate == Some(self.world.spender())
    }
}

/// The body of a revoke.
pub fn revoke_body(transaction: &VersionedTransaction) -> Value {
    json!({ "transaction": BASE64_STANDARD.encode(wire(transaction)) })
}
