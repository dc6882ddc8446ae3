//! Thieves among the callers: wallets that want to have what they did not pay for, to be paid for twice, or to cost the sponsor
//! something. What they try is in `tricks.rs`; here is what they have, and what they are told.

mod tricks;

use crate::{
    Outcome,
    crowd::{Crowd, Kept, Town},
    dice::Dice,
    payment::{Answer, Counter, Payment, Terms},
    stage::{self, Stage},
    sums::Purse,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    client::{
        BalanceReader, LocalKey, OpenOptions, OpenSession, PayerRpc as _, SessionClient, SessionKeyChoice, Settings,
        SolanaRpc,
    },
    domain::{amount::Amount, chance::OsChance, clock::SystemClock, session::SessionId},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

/// Base units that a thief has who has any, and each may spend.
const MEANS: u64 = 10_000_000;
/// How often a thief repeats a payment that is not answered; they have better things to do than to wait.
const TRIES: u32 = 150;
const PATIENCE: Duration = Duration::from_secs(10);
/// Looks for a transaction of theirs.
const LOOKS: u32 = 30;

/// How they try it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Trick {
    /// Pay from an empty account: transfers land and move nothing
    Penniless,
    /// Take the delegation back while payments are under way, and give it again
    Revoking,
    /// Prove a balance, move it away, pay with what was proved, bring it back
    Moving,
    /// Open sessions with an approve that has opened one
    Repeating,
    /// Repeat and bend payments of others, close their sessions, prove their balances
    Forging,
}

impl Trick {
    /// How many of them there are.
    const fn hands(self) -> usize {
        match self {
            Self::Penniless | Self::Revoking | Self::Moving => 2,
            Self::Repeating | Self::Forging => 1,
        }
    }

    const fn means(self) -> u64 {
        match self {
            Self::Penniless => 0,
            Self::Revoking | Self::Moving | Self::Repeating | Self::Forging => MEANS,
        }
    }
}

/// What came of it, by the number of the thief.
#[derive(Default)]
pub struct Haul {
    pub payments: Vec<(usize, Payment)>,
    /// Refusals of all that is no payment of their own, by word.
    pub refused: BTreeMap<String, u64>,
    /// How often a step of a trick was carried out, by its name.
    pub done: BTreeMap<&'static str, u64>,
    /// What should have been refused and was not.
    pub broken: Vec<String>,
}

/// All of them, at work.
pub struct Gang {
    pub purses: Vec<Purse>,
    enough: Arc<AtomicBool>,
    haul: Arc<Mutex<Haul>>,
    thieves: Vec<JoinHandle<()>>,
}

/// What each of them needs.
struct Gear {
    settings: Settings,
    rpc: Arc<SolanaRpc>,
    reader: BalanceReader,
    network: String,
    counter: Counter,
    slot: Duration,
    /// Payments of others.
    others: Kept,
    enough: Arc<AtomicBool>,
    haul: Arc<Mutex<Haul>>,
}

struct Thief {
    gear: Arc<Gear>,
    number: usize,
    wallet: LocalKey,
    stash: LocalKey,
    merchant: Pubkey,
    dice: Dice,
    count: u64,
}

impl Gang {
    /// Sets thieves of these kinds to work, beside the crowd and with its merchants.
    pub async fn gather(stage: &Stage, town: &Town, crowd: &Crowd, tricks: &[Trick], dice: &mut Dice) -> Outcome<Self> {
        let (enough, haul) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Haul>>::default());
        let gear = Arc::new(Gear {
            settings: stage.payer_settings(*crowd.counter.at.borrow())?,
            rpc: stage.payer_rpc(),
            reader: stage.reader()?,
            network: stage.rpc.clone(),
            counter: crowd.counter.clone(),
            slot: stage.slot,
            others: crowd.kept.clone(),
            enough: enough.clone(),
            haul: haul.clone(),
        });
        let mut gang = Self { purses: Vec::new(), enough, haul, thieves: Vec::new() };
        let all = tricks.iter().flat_map(|trick| (0..trick.hands()).map(move |hand| (*trick, hand)));
        for (number, (trick, hand)) in all.enumerate() {
            let (wallet, stash) = (stage::wallet(), stage::wallet());
            stage.fund(&wallet.pubkey(), trick.means()).await?;
            stage.fund(&stash.pubkey(), 0).await?;
            let merchant = town.merchants.get(hand % town.merchants.len()).ok_or("no merchant")?.pubkey();
            gang.purses.push(Purse {
                name: format!("thief {number} ({trick:?})"),
                wallet: wallet.pubkey(),
                stash: Some(stash.pubkey()),
                merchant,
                means: trick.means(),
            });
            let thief = Thief { gear: gear.clone(), number, wallet, stash, merchant, dice: dice.child(), count: 0 };
            gang.thieves.push(tokio::spawn(thief.work(trick)));
        }
        Ok(gang)
    }

    /// Waits until each has finished what they are at; gives what they were told.
    pub async fn disperse(&mut self) -> Haul {
        self.enough.store(true, Ordering::Relaxed);
        for thief in self.thieves.drain(..) {
            drop(thief.await);
        }
        std::mem::take(&mut *self.haul.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Gear {
    fn haul(&self) -> MutexGuard<'_, Haul> {
        self.haul.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    async fn pause(&self) {
        tokio::time::sleep(self.slot).await;
    }

    /// Asks the network, as anybody can.
    async fn ask(&self, method: &str, params: Value) -> Outcome<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.counter.http.post(&self.network).json(&body).send().await?.json().await?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}").into()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// Sends what a wallet signs and pays for, past the facilitator, and waits until it has landed.
    async fn lands(&self, wallet: &LocalKey, instruction: Instruction) -> Outcome<()> {
        let blockhash = self.rpc.latest_blockhash().await?;
        let message = legacy::Message::new_with_blockhash(&[instruction], Some(&wallet.pubkey()), &blockhash);
        let signature = Signature::from(wallet.sign(&message.serialize()));
        let transaction =
            VersionedTransaction { signatures: vec![signature], message: VersionedMessage::Legacy(message) };
        let wire = BASE64_STANDARD.encode(wincode::serialize(&transaction).map_err(|_| "it cannot be written")?);
        self.ask("sendTransaction", json!([wire, { "encoding": "base64", "skipPreflight": true }])).await?;
        for _ in 0..LOOKS {
            self.pause().await;
            let told = self.ask("getSignatureStatuses", json!([[signature.to_string()]])).await?;
            if !told["value"][0].is_null() {
                return Ok(());
            }
        }
        Err("it did not land".into())
    }

    /// Opens a session as any client does.
    async fn open(&self, wallet: &LocalKey, recipient: Pubkey) -> Outcome<OpenSession> {
        let facilitator = format!("http://{}", *self.counter.at.borrow());
        let settings = Settings { facilitator, ..self.settings.clone() };
        let client = SessionClient::new(settings, self.rpc.clone(), Arc::new(SystemClock), Arc::new(OsChance))?;
        let options = OpenOptions {
            session_key: SessionKeyChoice::None,
            patience: PATIENCE,
            ..OpenOptions::new(recipient, Amount::new(MEANS).ok_or("means")?, Duration::from_hours(24))
        };
        Ok(client.open(wallet, &options).await?)
    }

    /// Notes what somebody was told who should have been told no.
    fn expect_no(&self, what: &str, told: Option<(u16, Value)>) {
        let Some((status, answer)) = told else { return };
        let mut haul = self.haul();
        let is_no = answer.get("errorReason").is_some() || !(200..300).contains(&status);
        if answer["success"] == true || !is_no {
            haul.broken.push(format!("{what} was accepted: {status} {answer}"));
            return;
        }
        let word = answer["errorReason"].as_str().or(answer["error"].as_str()).unwrap_or("no word");
        *haul.refused.entry(word.to_owned()).or_default() += 1;
    }
}

impl Thief {
    /// Makes payments of these terms at once; gives whether the session still takes any.
    async fn pays(&mut self, session: SessionId, terms: &[Terms]) -> bool {
        let mut payments: Vec<_> = terms.iter().map(|terms| self.payment(session, *terms)).collect();
        let counter = &self.gear.counter;
        let asked: Vec<_> = payments.iter_mut().map(|payment| counter.pay(payment, TRIES)).collect();
        join_all(asked).await;
        // Whatever ended it: `session_busy` is no answer for good.
        let ended = |payment: &Payment| matches!(&payment.answer, Answer::No(word) if word.starts_with("session_"));
        let lives = !payments.iter().any(ended);
        self.gear.haul().payments.extend(payments.into_iter().map(|payment| (self.number, payment)));
        lives
    }

    fn payment(&mut self, session: SessionId, terms: Terms) -> Payment {
        self.count += 1;
        let nonce = format!("thief-{}-{:06}", self.number, self.count);
        Payment::new(session, self.merchant, nonce, 1 + self.dice.below(1_000), terms)
    }

    fn did(&self, step: &'static str) {
        *self.gear.haul().done.entry(step).or_default() += 1;
    }
}
