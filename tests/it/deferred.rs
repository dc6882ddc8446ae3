//! Deferred payments over real HTTP and a real chain: answered when held, settled by a trigger, never lost in silence.

mod ending;
mod listening;
mod promises;
mod triggers;

use crate::support::{Options, PATIENCE, Wallet, World};
use serde_json::{Value, json};
use sotto::{
    domain::{
        amount::Amount,
        funding::FundingDemand,
        hold::{ContentHash, Exposure, HoldId, NewHold},
        settlement::State,
    },
    facilitator::{DeferredPolicy, Settings},
    ledger::{Totals, Work},
    programs::inco_token::{AccountState, IncoAccount},
};
use std::time::Duration;

/// What the payer starts with.
pub const PURSE: u64 = 50_000_000;
pub const PRICE: u64 = 700;

/// A world with one payer, one merchant and one open session between them.
pub struct Tab {
    pub world: World,
    pub payer: Wallet,
    pub merchant: Wallet,
    pub session: String,
}

/// No trigger comes by itself unless a test changes that.
pub fn patient(change: impl Fn(&mut DeferredPolicy) + Send + Sync + 'static) -> Options {
    patient_with(move |settings| change(&mut settings.deferred))
}

fn patient_with(change: impl Fn(&mut Settings) + Send + Sync + 'static) -> Options {
    Options::settings(move |settings| {
        settings.deferred = DeferredPolicy {
            amount: Amount::MAX,
            count: u64::MAX,
            age_seconds: 100_000,
            leave_within: PATIENCE,
            // Promises on accounts in trouble are what some of these tests are about.
            look_after: Duration::ZERO,
            ..DeferredPolicy::default()
        };
        change(settings);
    })
}

impl Tab {
    pub async fn open(options: Options) -> Self {
        let world = World::with(options).await;
        let (payer, merchant) = (world.wallet(PURSE).await, world.wallet(0).await);
        let session = world.open(&payer, &merchant.key(), 10_000_000).await;
        Self { world, payer, merchant, session }
    }

    /// The body of a payment that the merchant is content to have held.
    fn payment(&self, amount: u64, nonce: Option<&str>) -> Value {
        let mut body = self.world.payment(&self.session, &self.merchant.key(), amount, nonce);
        body["paymentRequirements"]["extra"] = json!({ "settlement": "deferred" });
        body
    }

    pub async fn settle(&self, amount: u64, nonce: &str) -> Value {
        let (status, answer) = self.world.post("/settle", &self.payment(amount, Some(nonce))).await;
        assert_eq!(status, 200, "{answer:#}");
        answer
    }

    /// A promise that was made then, as the ledger alone knows it.
    fn promise(&self, then: u64) -> NewHold {
        NewHold {
            id: HoldId::from_random_bytes([7; 16]),
            session: self.session.parse().unwrap(),
            nonce: Some("nobody-counts-this".to_owned()),
            content: ContentHash([7; 32]),
            amount: Amount::new(PRICE).unwrap(),
            unverified_exposure: Amount::MAX,
            deferred: Some(Exposure::shared(Amount::MAX, Amount::MAX)),
            funding: FundingDemand { required: false, max_age: 60, cap_binds: false },
            answer: None,
            now: then,
        }
    }

    /// Pays and is answered that the payment is held.
    pub async fn holds(&self, amount: u64, nonce: &str) -> Value {
        let answer = self.settle(amount, nonce).await;
        assert_eq!((&answer["success"], &answer["transaction"]), (&json!(true), &json!("")), "{answer:#}");
        assert_eq!(answer["extensions"]["session"]["settlement"], "held", "{answer:#}");
        answer
    }

    /// Freezes the payer's token account (or thaws it), as its mint's authority could at any moment.
    async fn freezes(&self, frozen: bool) {
        let state = if frozen { AccountState::Frozen } else { AccountState::Initialised };
        self.bends(|account| account.state = state).await;
    }

    /// Takes the delegation back, as the payer can at any moment.
    async fn revokes(&self) {
        self.bends(|account| account.delegate = None).await;
    }

    async fn bends(&self, bend: impl FnOnce(&mut IncoAccount)) {
        let mint = self.world.faucet.mint();
        let address = self.world.programs.token_account(&self.payer.key(), &mint);
        let network = self.world.net.network();
        let mut account = network.account(&address).unwrap();
        let mut token = IncoAccount::decode(&account.data).unwrap();
        bend(&mut token);
        account.data = token.encode();
        network.put_account(address, account);
        self.world.confirmed().await;
    }

    async fn totals(&self) -> Totals {
        self.world.ledger().totals(None).await.unwrap()
    }

    /// Waits until nothing is held, or until what is `held` is left.
    async fn settles_down_to(&self, held: u64) -> Totals {
        let mut totals = self.totals().await;
        let is_settled = async || {
            totals = self.totals().await;
            totals.held.get() == held
        };
        self.world.until("it is settled", is_settled).await;
        totals
    }

    /// Waits until a transfer is on its way.
    async fn flies(&self) {
        let on_its_way = |work: &Work| work.settlement.state == State::InFlight;
        let flies = async || self.world.ledger().unfinished().await.unwrap().iter().any(on_its_way);
        self.world.until("a transfer takes off", flies).await;
    }

    /// Waits until a settlement has come to nothing and given a promise back.
    async fn comes_back(&self) {
        let promised = async || self.world.ledger().promised(None).await.unwrap();
        let came_back = async || promised().await.iter().any(|promised| promised.resting > 0);
        self.world.until("a settlement fails", came_back).await;
    }

    /// Nothing is on its way and nothing has been for a while.
    pub async fn rests(&self, held: u64) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let totals = self.totals().await;
        assert_eq!((totals.held.get(), totals.transfers), (held, 0), "no trigger has come");
    }

    /// Ends the scenario: what moved on chain is what the ledger captured.
    pub async fn closes(self) {
        self.closes_holding(0).await;
    }

    /// Like [`Self::closes`], where `held` was promised and nothing settles it.
    async fn closes_holding(self, held: u64) {
        let captured = self.totals().await.captured.get();
        assert_eq!(self.world.balance(&self.merchant).await, captured);
        assert_eq!(self.world.balance(&self.payer).await, PURSE - captured);
        self.world.finish_holding(held).await;
    }
}
