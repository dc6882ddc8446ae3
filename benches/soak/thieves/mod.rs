//! Thieves among the callers: wallets that want to have what they did not pay for, to be paid for twice, or to cost the sponsor
//! something. What they try is in `tricks.rs`, and in `limits.rs` what they
//! try to use up; here is what they have, and what they are told.

mod limits;
mod tricks;

use crate::{
    Outcome,
    crowd::{Crowd, Kept, Town},
    dice::Dice,
    liar::Debits,
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
        BalanceReader, LocalKey, OpenOptions, OpenSession, PayerRpc as _, Prover, SessionClient, SessionKeyChoice,
        Settings, SolanaRpc,
    },
    domain::{amount::Amount, chance::OsChance, clock::SystemClock, session::SessionId},
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// Base units that most thieves have who have any, and each may spend.
const MEANS: u64 = 10_000_000;
/// Base units that a thief proves who moves them away: three times what one look is good for (`funding.look_exposure`).
pub const PROVED: u64 = 60_000_000;
/// What such a thief may spend: no cap is in the way.
const BOUNDLESS: u64 = 1_000_000_000_000;
/// Grants in an hour for wallets that prove nothing (`limits.unproven_grants_per_hour`).
pub const GRANTS: u64 = 10;
/// What a thief pays, in base units.
const PRICES: Range<u64> = 1..1_001;
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
    /// Have accounts of fresh recipients created, and close them for the rent
    Farming,
    /// Open sessions of fresh wallets that ask for a grant
    Begging,
    /// Fill the places for requests that wait, from an empty account
    Crowding,
    /// Listen to sessions until nobody else finds a place
    Listening,
    /// Be promised payments of one base unit
    Dusting,
}

impl Trick {
    /// How many of them there are.
    const fn hands(self) -> usize {
        match self {
            Self::Penniless | Self::Revoking | Self::Moving | Self::Farming => 2,
            Self::Repeating | Self::Forging | Self::Begging | Self::Crowding | Self::Listening | Self::Dusting => 1,
        }
    }

    const fn means(self) -> u64 {
        match self {
            Self::Penniless | Self::Begging | Self::Crowding | Self::Listening => 0,
            Self::Moving => PROVED,
            Self::Revoking | Self::Repeating | Self::Forging | Self::Farming | Self::Dusting => MEANS,
        }
    }

    /// The cap of their sessions, in base units.
    const fn cap(self) -> u64 {
        if matches!(self, Self::Moving) { BOUNDLESS } else { MEANS }
    }

    /// Whom the purse pays: a farmer none of the town's merchants.
    const fn pays(self, merchant: Pubkey, stash: Pubkey) -> Pubkey {
        if matches!(self, Self::Farming) { stash } else { merchant }
    }
}

/// What came of it, by the number of the thief.
#[derive(Default)]
pub struct Haul {
    pub payments: Vec<(usize, Payment)>,
    /// Every wallet that they opened sessions with.
    pub wallets: Vec<Pubkey>,
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
    /// Of them, those who farm recipients' accounts.
    pub farmers: u64,
    enough: Arc<AtomicBool>,
    haul: Arc<Mutex<Haul>>,
    thieves: Vec<JoinHandle<()>>,
}

/// What each of them needs.
struct Gear {
    settings: Settings,
    rpc: Arc<SolanaRpc>,
    reader: BalanceReader,
    prover: Prover,
    /// What the lying endpoint leaves out of histories.
    debits: Debits,
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
    cap: u64,
    prices: Range<u64>,
    dice: Dice,
    count: u64,
    /// How often a balance was proved, and when it was last.
    proofs: u32,
    proved: Option<Instant>,
}

impl Gang {
    /// Sets thieves of these kinds to work, beside the crowd and with its merchants.
    pub async fn gather(
        stage: &Stage,
        (town, crowd): (&Town, &Crowd),
        debits: Debits,
        tricks: &[Trick],
        dice: &mut Dice,
    ) -> Outcome<Self> {
        let (enough, haul) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Haul>>::default());
        let gear = Arc::new(Gear {
            settings: stage.payer_settings(*crowd.counter.at.borrow())?,
            rpc: stage.payer_rpc(),
            reader: stage.reader()?,
            prover: Prover::new(stage.reader()?, PATIENCE),
            debits,
            network: stage.rpc.clone(),
            counter: crowd.counter.clone(),
            slot: stage.slot,
            others: crowd.kept.clone(),
            enough: enough.clone(),
            haul: haul.clone(),
        });
        let farmers = tricks.iter().filter(|trick| **trick == Trick::Farming).map(|trick| trick.hands() as u64).sum();
        let mut gang = Self { purses: Vec::new(), farmers, enough, haul, thieves: Vec::new() };
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
                merchant: trick.pays(merchant, stash.pubkey()),
                means: trick.means(),
                cap: None,
            });
            gear.haul().wallets.push(wallet.pubkey());
            let (gear, dice, cap) = (gear.clone(), dice.child(), trick.cap());
            let (prices, count, proofs, proved) = (PRICES, 0, 0, None);
            let thief = Thief { gear, number, wallet, stash, merchant, cap, prices, dice, count, proofs, proved };
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

    /// What a wallet signs and pays for.
    async fn signed(&self, wallet: &LocalKey, instruction: Instruction) -> Outcome<VersionedTransaction> {
        let blockhash = self.rpc.latest_blockhash().await?;
        let message = legacy::Message::new_with_blockhash(&[instruction], Some(&wallet.pubkey()), &blockhash);
        let signature = Signature::from(wallet.sign(&message.serialize()));
        Ok(VersionedTransaction { signatures: vec![signature], message: VersionedMessage::Legacy(message) })
    }

    /// Sends what a wallet signs and pays for, past the facilitator, and waits until it has landed.
    async fn lands(&self, wallet: &LocalKey, instruction: Instruction) -> Outcome<()> {
        self.sent(&self.signed(wallet, instruction).await?).await
    }

    async fn sent(&self, transaction: &VersionedTransaction) -> Outcome<()> {
        let signature = transaction.signatures.first().ok_or("no signature")?.to_string();
        let wire = BASE64_STANDARD.encode(wincode::serialize(transaction).map_err(|_| "it cannot be written")?);
        self.ask("sendTransaction", json!([wire, { "encoding": "base64", "skipPreflight": true }])).await?;
        for _ in 0..LOOKS {
            self.pause().await;
            let told = self.ask("getSignatureStatuses", json!([[signature]])).await?;
            if !told["value"][0].is_null() {
                return Ok(());
            }
        }
        Err("it did not land".into())
    }

    /// What any client asks for when it opens a session.
    fn options(recipient: Pubkey, cap: u64) -> Outcome<OpenOptions> {
        Ok(OpenOptions {
            session_key: SessionKeyChoice::None,
            patience: PATIENCE,
            ..OpenOptions::new(recipient, Amount::new(cap).ok_or("cap")?, Duration::from_hours(24))
        })
    }

    /// Opens a session as any client does, with a proof of the balance where one is to be sent.
    async fn open(&self, wallet: &LocalKey, options: &OpenOptions, prover: Option<Prover>) -> Outcome<OpenSession> {
        let facilitator = format!("http://{}", *self.counter.at.borrow());
        let settings = Settings { facilitator, ..self.settings.clone() };
        let mut client = SessionClient::new(settings, self.rpc.clone(), Arc::new(SystemClock), Arc::new(OsChance))?;
        if let Some(prover) = prover {
            client = client.proving(prover);
        }
        Ok(client.open(wallet, options).await?)
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
        let price = self.prices.start + self.dice.below(self.prices.end - self.prices.start);
        let payment = Payment::new(session, self.merchant, nonce, price, terms);
        Payment { since: self.proved.unwrap_or(payment.since), proof: self.proofs, ..payment }
    }

    fn did(&self, step: &'static str) {
        *self.gear.haul().done.entry(step).or_default() += 1;
    }
}
