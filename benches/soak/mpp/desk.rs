//! What every buyer needs: the facilitator wherever it is, the network, and where answers are kept.

use super::{Kept, Wallet};
use crate::{Outcome, dice::Dice, mpp_wallet, payment::Counter, stage::Stage};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::{VersionedMessage, legacy};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use sotto::{
    programs::{delegation::session_account::SessionAccount, spl_token::TokenProgram},
    wire::mpp::siwx::SIGN_IN_WITH_X,
};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Between two tries of one request.
const PAUSE: Duration = Duration::from_millis(40);
/// Looks for a transaction of a wallet's own.
const LOOKS: u32 = 30;

pub(super) struct Desk {
    pub(super) counter: Counter,
    pub(super) mint: Pubkey,
    pub(super) sellers: Vec<Pubkey>,
    pub(super) chain_id: String,
    network: String,
    slot: Duration,
    enough: AtomicBool,
    kept: Mutex<Kept>,
}

/// What a request came to.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// Success, with the answer as it was sent.
    Yes(Value, String),
    /// A refusal for good, by its word.
    No(String),
    /// Nothing for good in all that time.
    Nothing,
}

/// What a plain token account has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cash {
    pub(super) lamports: u64,
    pub(super) units: u64,
}

/// A request that is repeated until it is answered for good.
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    pub(super) body: &'a Value,
    pub(super) sign_in: Option<&'a str>,
    /// Whether this word is worth a repeat.
    pub(super) retry: fn(&str) -> bool,
    pub(super) patience: Duration,
}

impl Desk {
    pub(super) fn new(stage: &Stage, counter: Counter, mint: Pubkey, sellers: Vec<Pubkey>) -> Outcome<Self> {
        Ok(Self {
            counter,
            mint,
            sellers,
            chain_id: stage.network()?.canonical().to_owned(),
            network: stage.rpc.clone(),
            slot: stage.slot,
            enough: AtomicBool::new(false),
            kept: Mutex::default(),
        })
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of the sellers.
    pub(super) fn seller(&self, dice: &mut Dice) -> Option<Pubkey> {
        let drawn = dice.below(self.sellers.len() as u64);
        self.sellers.get(usize::try_from(drawn).ok()?).copied()
    }

    pub(super) fn stop(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    pub(super) fn enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    pub(super) async fn pause(&self) {
        tokio::time::sleep(PAUSE).await;
    }

    /// Notes what must not be.
    pub(super) fn broken(&self, what: String) {
        self.kept().broken.push(what);
    }

    pub(super) fn did(&self, what: &'static str) {
        *self.kept().totals.done.entry(what).or_default() += 1;
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, what: &'static str, word: &str) {
        *self.kept().totals.refused.entry(format!("{what} {word}")).or_default() += 1;
    }

    /// One request; none without an answer.
    pub(super) async fn ask(&self, path: &str, body: &Value, sign_in: Option<&str>) -> Option<(Value, String)> {
        let mut request = self.counter.http.post(self.counter.url(path)).json(body);
        if let Some(sign_in) = sign_in {
            request = request.header(SIGN_IN_WITH_X, sign_in);
        }
        let text = request.send().await.ok()?.text().await.ok()?;
        self.counter.answers.fetch_add(1, Ordering::Relaxed);
        Some((serde_json::from_str(&text).ok()?, text))
    }

    /// Repeats a request until it is answered for good.
    pub(super) async fn until_told(&self, asked: &Asked<'_>) -> Told {
        let began = Instant::now();
        while began.elapsed() < asked.patience {
            if let Some((answer, text)) = self.ask(asked.path, asked.body, asked.sign_in).await {
                if answer["success"] == true {
                    return Told::Yes(answer, text);
                }
                match answer["error"].as_str() {
                    // Of a life that is only beginning.
                    Some("starting") | None => {}
                    Some(word) if (asked.retry)(word) => {}
                    Some(word) => return Told::No(word.to_owned()),
                }
            }
            self.pause().await;
        }
        Told::Nothing
    }

    /// Asks the network; its own methods answer whatever the weather is.
    pub(super) async fn chain(&self, method: &str, params: Value) -> Outcome<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self.counter.http.post(&self.network).json(&body).send().await?.json().await?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}").into()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// What plain token accounts have, in one state; nothing where there is none.
    pub(super) async fn cash(&self, accounts: &[Pubkey]) -> Outcome<Vec<Cash>> {
        let accounts: Vec<_> = accounts.iter().map(ToString::to_string).collect();
        let told = self.chain("localnet_tokenAccounts", json!([accounts])).await?;
        let each = told.as_array().ok_or("no accounts")?.iter();
        let cash = |told: &Value| Cash {
            lamports: told["lamports"].as_u64().unwrap_or(0),
            units: told["units"].as_u64().unwrap_or(0),
        };
        Ok(each.map(cash).collect())
    }

    /// What wallets have in both of their accounts together.
    pub(super) async fn purses(&self, wallets: &[Pubkey]) -> Outcome<Vec<u64>> {
        let accounts: Vec<_> = wallets.iter().flat_map(|wallet| self.accounts(*wallet)).collect();
        let cash = self.cash(&accounts).await?;
        Ok(cash.chunks(2).map(|both| both.iter().map(|cash| cash.units).sum()).collect())
    }

    /// The account that a wallet's channels are settled from.
    pub(super) fn session_account(&self, buyer: Pubkey) -> SessionAccount {
        SessionAccount { program: TokenProgram::Token, mint: self.mint, decimals: mpp_wallet::DECIMALS, buyer }
    }

    /// A wallet's own account and its session account.
    pub(super) fn accounts(&self, wallet: Pubkey) -> [Pubkey; 2] {
        [mpp_wallet::cash_account(&wallet, &self.mint), self.session_account(wallet).address()]
    }

    /// Sends what a wallet signs and pays for, past the facilitator, and waits until it has landed.
    pub(super) async fn lands(&self, wallet: &Wallet, instruction: Instruction) -> Outcome<()> {
        let told = self.chain("getLatestBlockhash", json!([{ "commitment": "confirmed" }])).await?;
        let blockhash: Hash = told["value"]["blockhash"].as_str().ok_or("no blockhash")?.parse()?;
        let message = legacy::Message::new_with_blockhash(&[instruction], Some(&wallet.pubkey()), &blockhash);
        let signature = Signature::from(wallet.sign(&message.serialize()));
        let transaction =
            VersionedTransaction { signatures: vec![signature], message: VersionedMessage::Legacy(message) };
        let wire = BASE64_STANDARD.encode(wincode::serialize(&transaction).map_err(|_| "it cannot be written")?);
        self.chain("sendTransaction", json!([wire, { "encoding": "base64", "skipPreflight": true }])).await?;
        for _ in 0..LOOKS {
            tokio::time::sleep(self.slot).await;
            let told = self.chain("getSignatureStatuses", json!([[signature.to_string()]])).await?;
            if !told["value"][0].is_null() {
                return Ok(());
            }
        }
        Err("it did not land".into())
    }
}
