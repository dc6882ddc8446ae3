//! Decrypt allowances: bought for accounts at rest, in between for those that never are, and on request; and what
//! becomes of a payment when a stranger moves an account first.

mod at_rest;
mod on_request;
mod spoilt;

use crate::{
    openapi::check_answer,
    support::{Options, Wallet, World},
};
use serde_json::{Value, json};
use solana_message::{VersionedMessage, legacy};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    domain::{amount::Amount, settlement::Purpose, signed},
    facilitator::{AllowancePolicy, AllowanceSettings},
    ledger::Totals,
    programs::{ciphertext::encrypt, inco_token::Transfer},
};
use std::time::Duration;

const PURSE: u64 = 1_000_000;
const PRICE: u64 = 1_000;
/// Rent of two decrypt allowances, in lamports.
const TWO: u64 = 2 * 960_480;
const HOUR: Duration = Duration::from_hours(1);

/// A world with one payer, one merchant and one open session between them.
struct Shop {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: String,
    opened: Totals,
}

fn idle(allowances: AllowanceSettings) -> Options {
    Options::settings(move |settings| {
        settings.transfers.decrypt_allowance = AllowancePolicy::Idle;
        settings.allowances = allowances;
    })
}

/// Nothing is bought unless a test says so.
fn never_at_rest() -> AllowanceSettings {
    AllowanceSettings {
        min_moved: Amount::ZERO,
        idle_after: HOUR,
        min_interval: HOUR,
        max_age: HOUR,
        request_interval: HOUR,
    }
}

/// Asks by a session for its "user" or "merchant", signed by `signer`.
pub(crate) async fn asks(world: &World, session: &str, who: &str, signer: &Wallet) -> (u16, Value) {
    let at = world.now();
    let message = signed::read_message(session, at);
    let signature = bs58::encode(signer.sign(message.as_bytes())).into_string();
    let path = format!("/sessions/{session}/allowances?at={at}&signature={signature}");
    let (status, answer) = world.post(&path, &json!({ "for": who })).await;
    check_answer("/sessions/{id}/allowances", "POST", status, &answer);
    (status, answer)
}

async fn in_flight(world: &World, purpose: Purpose) -> usize {
    let unfinished = world.ledger().unfinished().await.unwrap();
    unfinished.iter().filter(|work| work.settlement.purpose == purpose && work.attempt.is_some()).count()
}

impl Shop {
    async fn open(options: Options) -> Self {
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 100_000).await;
        let opened = world.ledger().totals(None).await.unwrap();
        Self { world, payer, merchant, session, opened }
    }

    async fn pays(&self) {
        let body = self.world.payment(&self.session, &self.merchant.key(), PRICE, None);
        let (status, answer) = self.world.post("/settle", &body).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer:#}");
    }

    /// Pays, and waits until nothing of it is under way: the answer is told while the transfer's task still ends.
    async fn pays_and_comes_to_rest(&self) {
        self.pays().await;
        self.is_booked().await;
    }

    /// Fees and rent spent since the session was opened, in lamports.
    async fn spent(&self) -> (u64, u64) {
        let now = self.world.ledger().totals(None).await.unwrap();
        (now.fees - self.opened.fees, now.rent - self.opened.rent)
    }

    fn is_readable(&self, wallet: &Wallet) -> bool {
        let handle = self.world.token_account(&wallet.key()).unwrap().amount;
        let allowance = self.world.programs.decrypt_allowance(handle, &wallet.key());
        self.world.net.network().account(&allowance).is_some()
    }

    async fn becomes_readable(&self, wallet: &Wallet) {
        self.world.until("the balance becomes readable", async || self.is_readable(wallet)).await;
        self.world.confirmed().await;
    }

    /// Waits until everything that is on chain is in the books, and final.
    async fn is_booked(&self) {
        self.world.quiet().await;
    }

    /// A transfer of zero to the merchant by somebody we know nothing of lands right before the next transaction that
    /// moves the account: after it was simulated.
    async fn is_ambushed(&self) {
        let world = &self.world;
        let (stranger, network) = (world.wallet(5).await, world.net.network());
        network.airdrop(&stranger.key(), 1_000_000_000).unwrap();
        world.confirmed().await;
        let (mint, key) = (world.faucet.mint(), network.stand_ins().encryption_key());
        let destination = world.programs.token_account(&self.merchant.key(), &mint);
        let transfer = world.programs.transfer(&Transfer {
            source: world.programs.token_account(&stranger.key(), &mint),
            destination,
            authority: stranger.key(),
            ciphertext: encrypt(&key, 0, &*world.chance),
            allowances: None,
        });
        let blockhash = network.latest_blockhash();
        let message = legacy::Message::new_with_blockhash(&[transfer], Some(&stranger.key()), &blockhash);
        let signatures = vec![Signature::from(stranger.sign(&message.serialize()))];
        network.ambush(destination, VersionedTransaction { signatures, message: VersionedMessage::Legacy(message) });
    }

    async fn asks(&self, who: &str, signer: &Wallet) -> (u16, Value) {
        asks(&self.world, &self.session, who, signer).await
    }

    /// What moved on chain is what was captured.
    async fn closes(self, calls: u64) {
        let captured = self.world.ledger().totals(None).await.unwrap().captured.get();
        assert_eq!(captured, calls * PRICE);
        assert_eq!((self.world.units(&self.merchant), self.world.units(&self.payer)), (captured, PURSE - captured));
        self.world.finish().await;
    }
}
