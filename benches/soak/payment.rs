//! A payment, how it is asked for, and what is told of it.

use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::domain::{reason::PayReason, session::SessionId};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Between two tries of one payment.
const PAUSE: Duration = Duration::from_millis(30);
/// The word of a transfer that landed without the money that was to be proved: what it carried stays captured.
const UNFUNDED: &str = "funding_unproven";

/// What a merchant asks for beside the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Settled before the answer.
    PerCall,
    /// Promised, and settled with others.
    Deferred,
    /// Settled before the answer, from a proved balance only.
    Proven,
    /// Promised from a proved balance only.
    DeferredProven,
}

impl Terms {
    pub const fn demands_proof(self) -> bool {
        matches!(self, Self::Proven | Self::DeferredProven)
    }

    pub const fn is_deferred(self) -> bool {
        matches!(self, Self::Deferred | Self::DeferredProven)
    }

    fn extra(self) -> Value {
        match self {
            Self::PerCall => json!({}),
            Self::Deferred => json!({ "settlement": "deferred" }),
            Self::Proven => json!({ "funding": "required" }),
            Self::DeferredProven => json!({ "settlement": "deferred", "funding": "required" }),
        }
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
    pub session: SessionId,
    pub merchant: Pubkey,
    pub nonce: String,
    pub amount: u64,
    pub terms: Terms,
    /// How often success was said.
    pub successes: u32,
    /// Whether one of them said that a transfer carried it and a proof of the balance covers it. A promise is told with what
    /// covers it now, and says nothing of the day on which it is settled.
    pub proven: bool,
    pub answer: Answer,
    /// Since when a lie about the payer's account can have been believed for it: when it was asked for, or when the proof was
    /// made that it is paid from.
    pub since: Instant,
    /// When success was said last.
    pub told: Instant,
    /// The number of that proof among its thief's; 0 where there is none.
    pub proof: u32,
}

impl Payment {
    pub fn new(session: SessionId, merchant: Pubkey, nonce: String, amount: u64, terms: Terms) -> Self {
        let (since, answer) = (Instant::now(), Answer::Never);
        let (successes, proven, told, proof) = (0, false, since, 0);
        Self { session, merchant, nonce, amount, terms, successes, proven, answer, since, told, proof }
    }

    /// The request of `/settle`.
    pub fn body(&self, asset: &Pubkey) -> Value {
        let requirements = json!({
            "scheme": "session",
            "network": "solana:devnet",
            "amount": self.amount.to_string(),
            "asset": asset.to_string(),
            "payTo": self.merchant.to_string(),
            "maxTimeoutSeconds": 60,
            "extra": self.terms.extra(),
        });
        json!({
            "x402Version": 2,
            "paymentPayload": {
                "x402Version": 2,
                "accepted": requirements,
                "payload": {
                    "sessionId": self.session.to_string(), "amount": self.amount.to_string(), "nonce": self.nonce,
                },
                "resource": { "url": "https://api.example/weather" },
            },
            "paymentRequirements": requirements,
        })
    }

    /// What of its answers the ledger contradicts.
    pub fn contradiction(&self, captured: bool) -> Option<String> {
        let Self { nonce, amount, successes, answer, .. } = self;
        if *successes > 1 {
            return Some(format!("{nonce}: success was said {successes} times"));
        }
        match answer {
            Answer::Yes if !captured => Some(format!("{nonce}: {amount} was promised and never captured")),
            Answer::No(reason) if captured && reason != UNFUNDED => {
                Some(format!("{nonce}: refused ({reason}), and {amount} was captured"))
            }
            Answer::Never => Some(format!("{nonce}: nobody ever gave an answer")),
            Answer::Yes | Answer::No(_) => None,
        }
    }
}

/// Where payments are made, whichever life the facilitator is in.
#[derive(Clone)]
pub struct Counter {
    pub http: reqwest::Client,
    pub at: watch::Receiver<SocketAddr>,
    pub asset: Pubkey,
    pub answers: Arc<AtomicU64>,
}

impl Counter {
    /// Sends it under its nonce until it is answered for good, at most so many times.
    pub async fn pay(&self, payment: &mut Payment, tries: u32) {
        for _ in 0..tries {
            if let Some(answer) = self.ask(payment).await {
                payment.answer = answer;
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One request; none when its answer says nothing for good.
    pub async fn ask(&self, payment: &mut Payment) -> Option<Answer> {
        let (_, answer) = self.post("/settle", &payment.body(&self.asset)).await?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        if answer["success"] == true {
            payment.successes += 1;
            payment.told = Instant::now();
            let told = &answer["extensions"]["session"];
            payment.proven |= told["funding"] == "proven" && told["settlement"] == "captured";
            return Some(Answer::Yes);
        }
        match answer["errorReason"].as_str()? {
            "duplicate_settlement" => Some(Answer::Yes),
            // What `docs/ERRORS.md` calls worth a repeat.
            other if PayReason::from_word(other).is_some_and(PayReason::retry) => None,
            other => Some(Answer::No(other.to_owned())),
        }
    }

    /// One request of any kind; none without an answer.
    pub async fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let answer = self.http.post(self.url(path)).json(body).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// A question.
    pub async fn get(&self, path: &str) -> Option<Value> {
        self.http.get(self.url(path)).send().await.ok()?.json().await.ok()
    }

    /// The address of a route.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", *self.at.borrow())
    }
}
