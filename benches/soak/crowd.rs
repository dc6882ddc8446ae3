//! Payers who pay whatever happens: every payment is repeated under its nonce until somebody says yes or no, and every
//! answer is kept.

use crate::{
    Outcome,
    dice::Dice,
    stage::{self, Server, Stage},
};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    client::{LocalKey, OpenOptions, SessionClient, SessionKeyChoice},
    domain::{amount::Amount, chance::OsChance, clock::SystemClock, reason::PayReason, session::SessionId},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};

/// Base units that each payer has, and may spend.
pub const MEANS: u64 = 1_000_000_000;
/// Callers of each payer.
const CALLERS: u64 = 3;
/// Longer than the facilitator keeps anybody waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of one payment.
const PAUSE: Duration = Duration::from_millis(30);
/// How long one payment is repeated before its payer gives up; far longer than any trouble lasts.
const TRIES: u32 = 4_000;

/// A payer, its open session, and whom it pays.
pub struct Payer {
    pub wallet: LocalKey,
    pub session: SessionId,
    pub merchant: usize,
}

/// Everybody with a balance.
pub struct Town {
    pub payers: Vec<Payer>,
    pub merchants: Vec<LocalKey>,
}

impl Town {
    /// Opens a session for each of so many new payers.
    pub async fn settle_in(stage: &Stage, server: &Server, payers: usize, merchants: usize) -> Outcome<Self> {
        let merchants: Vec<_> = (0..merchants.max(1)).map(|_| stage::wallet()).collect();
        for merchant in &merchants {
            stage.fund(&merchant.pubkey(), 0).await?;
        }
        let settings = stage.payer_settings(server)?;
        let client = SessionClient::new(settings, stage.payer_rpc(), Arc::new(SystemClock), Arc::new(OsChance))?;
        let mut town = Self { payers: Vec::new(), merchants };
        for number in 0..payers {
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
            town.payers.push(Payer { wallet, session: session.id, merchant });
        }
        Ok(town)
    }
}

/// What a payer was told in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is paid, or will be: success was said, now or to a request whose answer was lost.
    Yes,
    /// It is not paid and never will be.
    No(String),
    /// The payer gave up.
    Never,
}

/// A payment and its answers.
#[derive(Clone, Debug)]
pub struct Payment {
    pub payer: usize,
    pub nonce: String,
    pub amount: u64,
    /// How often success was said.
    pub successes: u32,
    pub answer: Answer,
}

/// The callers at work.
pub struct Crowd {
    address: watch::Sender<SocketAddr>,
    enough: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    kept: Arc<Mutex<Vec<Payment>>>,
    callers: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Sets every payer's callers to work.
    pub fn gather(stage: &Stage, town: &Town, address: SocketAddr, dice: &mut Dice) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let (address, at) = watch::channel(address);
        let (enough, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut callers = Vec::new();
        for (number, payer) in town.payers.iter().enumerate() {
            for caller in 0..CALLERS {
                let merchant = town.merchants.get(payer.merchant).ok_or("no merchant")?.pubkey();
                let mut caller = Caller {
                    payer: number,
                    name: format!("{number}-{caller}"),
                    session: payer.session,
                    merchant,
                    asset: stage.mint()?,
                    http: http.clone(),
                    at: at.clone(),
                    answers: answers.clone(),
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
        Ok(Self { address, enough, answers, kept, callers })
    }

    /// Where the facilitator is now.
    pub fn moved_to(&self, address: SocketAddr) {
        self.address.send_replace(address);
    }

    /// Answers so far.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Waits until every caller has finished the payment it is at; gives all of them.
    pub async fn go_home(self) -> Vec<Payment> {
        self.enough.store(true, Ordering::Relaxed);
        for caller in self.callers {
            drop(caller.await);
        }
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Caller {
    payer: usize,
    name: String,
    session: SessionId,
    merchant: Pubkey,
    asset: Pubkey,
    http: reqwest::Client,
    at: watch::Receiver<SocketAddr>,
    answers: Arc<AtomicU64>,
    dice: Dice,
}

impl Caller {
    /// Makes one payment, and often asks again although it is answered.
    async fn pay(&mut self, count: u64) -> Payment {
        let nonce = format!("{}-{count}", self.name);
        let (amount, deferred) = (1 + self.dice.below(1_000), self.dice.chance(40));
        let body = self.body(&nonce, amount, deferred);
        let mut payment = Payment { payer: self.payer, nonce, amount, successes: 0, answer: Answer::Never };
        for _ in 0..TRIES {
            if let Some(answer) = self.ask(&body, &mut payment.successes).await {
                payment.answer = answer;
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if self.dice.chance(20) {
            self.ask(&body, &mut payment.successes).await;
        }
        payment
    }

    /// One request; none when its answer says nothing for good.
    async fn ask(&self, body: &Value, successes: &mut u32) -> Option<Answer> {
        let url = format!("http://{}/settle", *self.at.borrow());
        let answer: Value = self.http.post(url).json(body).send().await.ok()?.json().await.ok()?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        if answer["success"] == true {
            *successes += 1;
            return Some(Answer::Yes);
        }
        match answer["errorReason"].as_str()? {
            "duplicate_settlement" => Some(Answer::Yes),
            // What `docs/ERRORS.md` calls worth a repeat.
            other if PayReason::from_word(other).is_some_and(PayReason::retry) => None,
            other => Some(Answer::No(other.to_owned())),
        }
    }

    fn body(&self, nonce: &str, amount: u64, deferred: bool) -> Value {
        let extra = if deferred { json!({ "settlement": "deferred" }) } else { json!({}) };
        let requirements = json!({
            "scheme": "session",
            "network": "solana:devnet",
            "amount": amount.to_string(),
            "asset": self.asset.to_string(),
            "payTo": self.merchant.to_string(),
            "maxTimeoutSeconds": 60,
            "extra": extra,
        });
        json!({
            "x402Version": 2,
            "paymentPayload": {
                "x402Version": 2,
                "accepted": requirements,
                "payload": {
                    "sessionId": self.session.to_string(), "amount": amount.to_string(), "nonce": nonce,
                },
                "resource": { "url": "https://api.example/weather" },
            },
            "paymentRequirements": requirements,
        })
    }
}
