//! Charges: each is signed once and asked for until its outcome is told, with a key or without.

use super::{
    Wallet,
    desk::{Asked, Desk, Told},
};
use crate::{dice::Dice, mpp_wallet};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;
use sotto::domain::{
    chance::{OsChance, draw},
    mpp::reason::ChargeReason,
};
use std::{sync::Arc, time::Duration};

/// Far longer than any trouble lasts.
const PATIENCE: Duration = Duration::from_mins(4);
/// What an honest charge may be refused for: it became too old while the facilitator was away, a node told an old balance, or a
/// fork changed what it stands on.
const HONEST_REFUSALS: [ChargeReason; 3] =
    [ChargeReason::BlockhashExpired, ChargeReason::SimulationFailed, ChargeReason::SettlementFailed];

/// What was told of a charge last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is paid: success, or that success was told before.
    Paid,
    /// It is not.
    Refused(String),
    Never,
}

pub(super) struct Charge {
    pub(super) payer: Pubkey,
    pub(super) seller: Pubkey,
    pub(super) amount: u64,
    /// SHA-256 of its message.
    pub(super) message: [u8; 32],
    body: Value,
    pub(super) answer: Answer,
    /// Success as it was told first.
    success: Option<String>,
    /// What its answers contradict each other in.
    pub(super) broken: Option<String>,
}

impl Charge {
    fn has_key(&self) -> bool {
        !self.body["idempotencyKey"].is_null()
    }

    /// Takes an answer: with a key success is told again byte for byte, without one it is told once.
    fn hears(&mut self, told: Told) {
        self.answer = match told {
            Told::Yes(answer, text) => {
                if answer["signature"].as_str().is_none_or(str::is_empty) {
                    self.broken = Some("success was told without a signature".to_owned());
                }
                match &self.success {
                    Some(_) if !self.has_key() => {
                        self.broken = Some("success was told twice without a key".to_owned());
                    }
                    Some(first) if *first != text => {
                        self.broken = Some(format!("success was told as {first} and as {text}"));
                    }
                    _ => self.success = Some(text),
                }
                Answer::Paid
            }
            Told::No(word) if word == ChargeReason::DuplicateSettlement.word() => Answer::Paid,
            Told::No(word) => Answer::Refused(word),
            Told::Nothing => Answer::Never,
        };
    }

    /// Asks until the outcome is told.
    async fn asks(&mut self, desk: &Desk) {
        let retry = |word: &str| ChargeReason::from_word(word).is_some_and(ChargeReason::retry);
        let asked = Asked { path: "/mpp/settle", body: &self.body, sign_in: None, retry, patience: PATIENCE };
        let told = desk.until_told(&asked).await;
        self.hears(told);
    }

    /// What an honest charge is never told.
    fn complaint(&self) -> Option<String> {
        let what = match &self.answer {
            Answer::Refused(word) if !HONEST_REFUSALS.iter().any(|known| known.word() == word) => word.as_str(),
            Answer::Never => "nothing",
            Answer::Paid | Answer::Refused(_) => return self.broken.clone(),
        };
        Some(format!("a charge of {} was told {what}", self.amount))
    }
}

pub(super) struct Charger {
    desk: Arc<Desk>,
    wallet: Wallet,
    dice: Dice,
}

impl Charger {
    pub(super) fn new(desk: Arc<Desk>, wallet: Wallet, dice: Dice) -> Self {
        Self { desk, wallet, dice }
    }

    pub(super) async fn work(mut self) {
        while !self.desk.enough() {
            let Some(mut charge) = self.signs().await else {
                self.desk.pause().await;
                continue;
            };
            charge.asks(&self.desk).await;
            if self.dice.chance(20) {
                charge.asks(&self.desk).await;
            }
            let mut kept = self.desk.kept();
            kept.broken.extend(charge.complaint());
            kept.charges.push(charge);
        }
    }

    /// A charge that was asked for by nobody yet.
    async fn signs(&mut self) -> Option<Charge> {
        let amount = 1 + self.dice.below(1_000);
        let seller = self.desk.seller(&mut self.dice)?;
        let (prepared, _) = self.desk.ask("/mpp/prepare", &json!({}), None).await?;
        let (message, wire) = mpp_wallet::charge(&self.wallet, &seller, amount, &prepared)?;
        let mut body = json!({
            "transaction": wire,
            "recipient": seller.to_string(),
            "amount": amount.to_string(),
            "network": prepared["network"],
        });
        if self.dice.chance(80) {
            body["idempotencyKey"] = json!(hex::encode(draw::<16>(&OsChance)));
        }
        Some(Charge {
            payer: self.wallet.pubkey(),
            seller,
            amount,
            message: Sha256::digest(message.serialize()).into(),
            body,
            answer: Answer::Never,
            success: None,
            broken: None,
        })
    }
}

/// Asks once more for every charge that was not told as paid, and for those with a key: the chain is quiet now.
pub(super) async fn ask_again(desk: &Desk) {
    let mut charges = std::mem::take(&mut desk.kept().charges);
    for charge in &mut charges {
        if charge.has_key() || charge.answer != Answer::Paid {
            charge.asks(desk).await;
            let complaint = charge.complaint();
            desk.kept().broken.extend(complaint);
        }
    }
    desk.kept().charges = charges;
}
