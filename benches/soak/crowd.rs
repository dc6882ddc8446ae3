//! Payers who pay whatever happens: every payment is repeated under its nonce until somebody says yes or no, and every
//! answer is kept.

use crate::{
    Outcome,
    dice::Dice,
    payment::{Answer, Counter, Payment, Terms},
    stage::{self, Server, Stage},
    sums::Purse,
};
use serde_json::json;
use solana_pubkey::Pubkey;
use sotto::{
    client::{LocalKey, OpenOptions, OpenSession, Prover, SessionClient, SessionKeyChoice},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock, session::SessionId},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{RwLock, watch},
    task::JoinHandle,
};

/// Base units that each payer has, and may spend.
pub const MEANS: u64 = 1_000_000_000;
/// Callers of each payer.
const CALLERS: u64 = 3;
/// Longer than the facilitator keeps anybody waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often one payment is repeated before its payer gives up; far longer than any trouble lasts.
const TRIES: u32 = 4_000;
/// How long one proof is tried.
const PROVING: Duration = Duration::from_secs(3);
/// Of a hundred payments of a payer who proves the balance, from so many the merchant demands it.
const DEMANDED: u64 = 30;
/// The longest that a payer who proves the balance goes on before proving it anew, in milliseconds: forks, and liars who make them
/// up, take proofs away.
const PROOF_LASTS: u64 = 4_000;

/// A payer, its open session, and whom it pays.
pub struct Payer {
    pub wallet: LocalKey,
    pub session: OpenSession,
    pub merchant: usize,
    /// How the balance is proved, by those who do.
    prover: Option<Prover>,
}

/// Everybody with a balance.
pub struct Town {
    pub payers: Vec<Payer>,
    pub merchants: Vec<LocalKey>,
}

impl Town {
    /// Opens a session for each of so many new payers, for every other one with a proof of the balance.
    pub async fn settle_in(stage: &Stage, server: &Server, payers: usize, merchants: usize) -> Outcome<Self> {
        let merchants: Vec<_> = (0..merchants.max(1)).map(|_| stage::wallet()).collect();
        for merchant in &merchants {
            stage.fund(&merchant.pubkey(), 0).await?;
        }
        let settings = stage.payer_settings(server.address)?;
        let client =
            || SessionClient::new(settings.clone(), stage.payer_rpc(), Arc::new(SystemClock), Arc::new(OsChance));
        let prover = Prover::new(stage.reader()?, PATIENCE);
        let clients = [(client()?, None), (client()?.proving(prover.clone()), Some(prover))];
        let mut town = Self { payers: Vec::new(), merchants };
        for (number, (client, prover)) in (0..payers).zip(clients.iter().cycle()) {
            let (wallet, merchant) = (stage::wallet(), number % town.merchants.len());
            stage.fund(&wallet.pubkey(), MEANS).await?;
            // The approve is simulated on a confirmed state, which has to know the gift.
            tokio::time::sleep(stage.slot * 3).await;
            let recipient = town.merchants.get(merchant).ok_or("no merchant")?.pubkey();
            let options = OpenOptions {
                session_key: SessionKeyChoice::None,
                ..OpenOptions::new(recipient, Amount::new(MEANS).ok_or("means")?, Duration::from_hours(24))
            };
            let session = client.open(&wallet, &options).await?;
            town.payers.push(Payer { wallet, session, merchant, prover: prover.clone() });
        }
        Ok(town)
    }

    /// What the payers had, for the sums.
    pub fn purses(&self) -> Vec<Purse> {
        let merchants = self.merchant_keys();
        let purse = |(number, payer): (usize, &Payer)| Purse {
            name: format!("payer {number}"),
            wallet: payer.wallet.pubkey(),
            stash: None,
            cap: Some(MEANS),
            merchant: merchants.get(payer.merchant).copied().unwrap_or_default(),
            means: MEANS,
        };
        self.payers.iter().enumerate().map(purse).collect()
    }

    pub fn merchant_keys(&self) -> Vec<Pubkey> {
        self.merchants.iter().map(LocalKey::pubkey).collect()
    }
}

/// The payments that were answered, as they are shared.
pub type Kept = Arc<Mutex<Vec<Payment>>>;

/// The callers at work.
pub struct Crowd {
    address: watch::Sender<SocketAddr>,
    enough: Arc<AtomicBool>,
    pub counter: Counter,
    pub kept: Kept,
    callers: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Sets every payer's callers to work.
    pub fn gather(stage: &Stage, town: &Town, address: SocketAddr, dice: &mut Dice) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let (address, at) = watch::channel(address);
        let counter = Counter { http, at, asset: stage.mint()?, answers: Arc::default() };
        let (enough, kept) = (Arc::new(AtomicBool::new(false)), Kept::default());
        let mut callers = Vec::new();
        for (number, payer) in town.payers.iter().enumerate() {
            let quiet = Arc::<RwLock<()>>::default();
            callers.extend(payer.prover.clone().map(|prover| {
                let proving = Proving {
                    wallet: payer.wallet.clone(),
                    session: payer.session.clone(),
                    prover,
                    network: stage.rpc.clone(),
                    slot: stage.slot,
                    quiet: quiet.clone(),
                    counter: counter.clone(),
                    dice: dice.child(),
                };
                tokio::spawn(proving.work(enough.clone()))
            }));
            for caller in 0..CALLERS {
                let mut caller = Caller {
                    name: format!("{number}-{caller}"),
                    session: payer.session.id,
                    proves: payer.prover.is_some(),
                    quiet: quiet.clone(),
                    merchant: town.merchants.get(payer.merchant).ok_or("no merchant")?.pubkey(),
                    counter: counter.clone(),
                    dice: dice.child(),
                };
                let (enough, kept) = (enough.clone(), kept.clone());
                callers.push(tokio::spawn(async move {
                    for count in 0_u64.. {
                        if enough.load(Ordering::Relaxed) {
                            return;
                        }
                        let payment = caller.pay(count).await;
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push(payment);
                    }
                }));
            }
        }
        Ok(Self { address, enough, counter, kept, callers })
    }

    /// Where the facilitator is now.
    pub fn moved_to(&self, address: SocketAddr) {
        self.address.send_replace(address);
    }

    /// Answers so far.
    pub fn answers(&self) -> u64 {
        self.counter.answers.load(Ordering::Relaxed)
    }

    /// Base units that were told as paid so far, to each of these merchants.
    pub fn told(&self, merchants: &[Pubkey]) -> Vec<u64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = |merchant: &Pubkey| {
            let mine = kept.iter().filter(|payment| payment.merchant == *merchant && payment.answer == Answer::Yes);
            mine.map(|payment| payment.amount).sum()
        };
        merchants.iter().map(paid).collect()
    }

    /// Waits until every caller has finished the payment it is at; gives all of them.
    pub async fn go_home(&mut self) -> Vec<Payment> {
        self.enough.store(true, Ordering::Relaxed);
        for caller in self.callers.drain(..) {
            drop(caller.await);
        }
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Proves a balance now and then, while its owner's callers make no payment: a proof is of what does not move.
struct Proving {
    wallet: LocalKey,
    session: OpenSession,
    prover: Prover,
    network: String,
    slot: Duration,
    quiet: Arc<RwLock<()>>,
    counter: Counter,
    dice: Dice,
}

impl Proving {
    async fn work(mut self, enough: Arc<AtomicBool>) {
        while !enough.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(self.dice.below(PROOF_LASTS))).await;
            let _quiet = self.quiet.write().await;
            // A gift of zero lets the wallet decrypt what it has.
            let gift = json!({ "jsonrpc": "2.0", "id": 1, "method": "localnet_fund", "params": [self.wallet.pubkey().to_string(), 0] });
            drop(self.counter.http.post(&self.network).json(&gift).send().await);
            tokio::time::sleep(self.slot * 4).await;
            self.session.facilitator = format!("http://{}", *self.counter.at.borrow());
            // A killed facilitator, a bad mood, a promise that was settled in between: then the next one.
            drop(tokio::time::timeout(PROVING, self.prover.prove(&self.session, &self.wallet)).await);
        }
    }
}

struct Caller {
    name: String,
    session: SessionId,
    /// Whether the payer proves the balance now and then, so that a merchant may demand it.
    proves: bool,
    quiet: Arc<RwLock<()>>,
    merchant: Pubkey,
    counter: Counter,
    dice: Dice,
}

impl Caller {
    /// Makes one payment, and often asks again although it is answered.
    async fn pay(&mut self, count: u64) -> Payment {
        let quiet = self.quiet.clone();
        let _paying = quiet.read().await;
        let (amount, deferred) = (1 + self.dice.below(1_000), self.dice.chance(40));
        let terms = match (deferred, self.dice.chance(DEMANDED) && self.proves) {
            (false, false) => Terms::PerCall,
            (true, false) => Terms::Deferred,
            (false, true) => Terms::Proven,
            (true, true) => Terms::DeferredProven,
        };
        let nonce = format!("{}-{count}", self.name);
        let mut payment = Payment::new(self.session, self.merchant, nonce, amount, terms);
        self.counter.pay(&mut payment, TRIES).await;
        if self.dice.chance(20) {
            self.counter.ask(&mut payment).await;
        }
        payment
    }
}
