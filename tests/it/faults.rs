//! Every chain fault of `spec/settlement.md` §7 by name: the real facilitator on the real local network, which
//! misbehaves. However it ends, the books are what the balances are: nothing lost, nothing twice, nothing held for ever.

mod confirmations;
mod endpoints;
mod forks;
mod in_flight;
mod sends;
mod strangers;

use crate::support::{Options, Wallet, World, hastily};
use serde_json::Value;
use sotto::{domain::amount::Amount, facilitator::AllowancePolicy};

/// What the payer starts with.
const PURSE: u64 = 1_000_000;
const PRICE: u64 = 700;

/// Transfers are prepared without a simulation, as they are wherever decrypt allowances are not bought with each.
fn without_allowances() -> Options {
    Options::settings(|settings| settings.transfers.decrypt_allowance = AllowancePolicy::Never)
}

/// A payer with a session at a merchant, and what strangers added to their balances.
struct Scene {
    world: World,
    payer: Wallet,
    merchant: Wallet,
    session: String,
}

impl Scene {
    async fn set(options: Options) -> Self {
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 100_000).await;
        Self { world, payer, merchant, session }
    }

    fn payment(&self, nonce: &str) -> Value {
        self.world.payment(&self.session, &self.merchant.key(), PRICE, Some(nonce))
    }

    async fn settle(&self, nonce: &str) -> Value {
        self.world.post("/settle", &self.payment(nonce)).await.1
    }

    /// A payment by a caller who waits for a few seconds only.
    async fn settle_hastily(&self, nonce: &str) -> Value {
        self.world.post("/settle", &hastily(self.payment(nonce))).await.1
    }

    /// Pays, and is told so.
    async fn pays(&self, nonce: &str) -> Value {
        let answer = self.settle(nonce).await;
        assert_eq!(answer["success"], true, "{answer:#}");
        answer
    }

    /// Pays, and from the moment it lands no slot begins by itself: nothing becomes final, and no blockhash dies.
    async fn pays_and_stands_still(&self, nonce: &str) -> Value {
        self.world.lands_and_stands_still(&self.merchant, self.pays(nonce)).await
    }

    /// Lets this many slots pass.
    async fn slots(&self, count: u64) {
        let end = self.world.net.network().slot() + count;
        self.until("slots pass", async || self.world.net.network().slot() >= end).await;
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, is: impl AsyncFnMut() -> bool) {
        self.world.until(what, is).await;
    }

    async fn quiet(&self) {
        self.world.quiet().await;
    }

    /// Attempts of the capture that is not finished.
    async fn attempts(&self) -> u32 {
        let unfinished = self.world.ledger().unfinished().await.unwrap();
        unfinished.iter().map(|work| work.settlement.attempts).max().unwrap_or(0)
    }

    /// Ends the scene: so many payments are captured, and the balances say the same. `added` is what others gave the
    /// payer and the merchant.
    async fn closes_with(self, payments: u64, added: [i64; 2]) {
        self.quiet().await;
        let totals = self.world.ledger().totals(None).await.unwrap();
        assert_eq!(totals.captured.get(), payments * PRICE, "captured");
        assert_eq!(totals.held, Amount::ZERO, "nothing is held for ever");
        let moved = i64::try_from(payments * PRICE).unwrap();
        let [payer, merchant] = [&self.payer, &self.merchant].map(|wallet| self.world.units(wallet).cast_signed());
        assert_eq!(payer, PURSE.cast_signed() - moved + added[0], "the payer lost just that");
        assert_eq!(merchant, moved + added[1], "the merchant got just that");
        self.world.finish().await;
    }

    async fn closes(self, payments: u64) {
        self.closes_with(payments, [0, 0]).await;
    }
}
