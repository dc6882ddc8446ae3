//! What thieves do, over and over: each function is one round, and may fail where the chain or a kill is in the way.

use super::{Gear, MEANS, Thief, Trick};
use crate::{
    Outcome,
    payment::{Answer, Payment, Terms},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use sotto::{
    client::{Balance, LocalKey, OpenSession},
    covalidator::AttestedValue,
    domain::{
        amount::Amount,
        chance::{OsChance, draw},
        clock::{Clock as _, SystemClock},
        funding::FundingProof,
        intent::Intent,
    },
    programs::{ciphertext::encrypt, inco_token::Transfer},
    wire::{
        funding::{FundingBody, FundingProofBody},
        session::OpenSessionBody,
    },
};
use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(5);

impl Thief {
    /// Rounds until it is enough.
    pub(super) async fn work(mut self, trick: Trick) {
        let mut session = None;
        while !self.gear.enough() {
            // What fails is tried again: the chain is in a mood, or the facilitator is dead.
            drop(self.round(trick, &mut session).await);
            self.gear.pause().await;
        }
    }

    async fn round(&mut self, trick: Trick, session: &mut Option<OpenSession>) -> Outcome<()> {
        match trick {
            Trick::Forging => return self.forges().await,
            Trick::Farming => return self.farms().await,
            Trick::Begging => return self.begs().await,
            _ => {}
        }
        if session.is_none() {
            let options = Gear::options(self.merchant, self.cap)?;
            *session = Some(self.gear.open(&self.wallet, &options, None).await?);
            self.did("opened");
        }
        let Some(open) = session.clone() else { return Ok(()) };
        let lives = match trick {
            Trick::Penniless => {
                self.pays(open.id, &[Terms::PerCall, Terms::Deferred, Terms::PerCall, Terms::Proven]).await
            }
            Trick::Revoking => self.revokes(&open).await?,
            Trick::Moving => self.moves(&open).await?,
            Trick::Repeating => self.repeats(&open).await?,
            Trick::Crowding => self.crowds(&open).await,
            Trick::Listening => self.listens(&open).await?,
            Trick::Dusting => self.dusts(&open).await,
            Trick::Forging | Trick::Farming | Trick::Begging => true,
        };
        if !lives {
            *session = None;
        }
        Ok(())
    }

    /// The delegation is gone while payments are under way; then it is given again, past the facilitator.
    async fn revokes(&mut self, open: &OpenSession) -> Outcome<bool> {
        self.pays(open.id, &[Terms::PerCall, Terms::Deferred]).await;
        let gear = self.gear.clone();
        let programs = gear.settings.programs;
        let source = programs.token_account(&self.wallet.pubkey(), &gear.settings.asset);
        let wallet = self.wallet.clone();
        let revoking = gear.lands(&wallet, programs.revoke(&source, &wallet.pubkey()));
        let (revoked, _) =
            tokio::join!(revoking, self.pays(open.id, &[Terms::PerCall, Terms::PerCall, Terms::Deferred]));
        if revoked.is_ok() {
            self.did("revoked");
        }
        let lives = self.pays(open.id, &[Terms::PerCall, Terms::Deferred]).await;
        let again = programs.approve(&source, &open.spender, &wallet.pubkey(), &self.gear.encrypted(MEANS), None);
        self.gear.lands(&wallet, again).await?;
        Ok(lives)
    }

    /// Proves all there is, pays a little of it, moves it away and pays with it, more than one look is good for; the next round
    /// brings it back. Where an endpoint lies it is to leave that out of the history.
    async fn moves(&mut self, open: &OpenSession) -> Outcome<bool> {
        let (gear, wallet, stash) = (self.gear.clone(), self.wallet.clone(), self.stash.clone());
        if let Some(stashed) = gear.holding(&stash).await? {
            gear.moves(&stash, &wallet.pubkey(), u64::try_from(stashed.plaintext)?).await?;
        }
        let AttestedValue { handle, plaintext, signature } = gear.holding(&wallet).await?.ok_or("nothing to prove")?;
        let body = FundingBody { funding_proof: (&FundingProof { handle, plaintext, signature }).into() };
        let path = format!("/sessions/{}/funding", open.id);
        let (_, told) = gear.counter.post(&path, &serde_json::to_value(body)?).await.ok_or("no answer")?;
        if told["funding"] != "proven" {
            return Ok(told["error"] != "session_not_open");
        }
        (self.proofs, self.proved) = (self.proofs + 1, Some(Instant::now()));
        self.prices = super::PRICES;
        let lives = self.pays(open.id, &[Terms::Proven]).await;
        let away = gear.signed(&wallet, gear.transfer(&wallet, &stash.pubkey(), u64::try_from(plaintext)?)).await?;
        let name = away.signatures.first().ok_or("no signature")?.to_string();
        gear.debits.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        gear.sent(&away).await?;
        self.did("moved a proved balance away");
        self.prices = 1_000_000..4_000_000;
        let terms = [[Terms::Proven; 9].as_slice(), &[Terms::PerCall, Terms::Deferred, Terms::DeferredProven]].concat();
        Ok(self.pays(open.id, &terms).await && lives)
    }

    /// Opens more sessions with the approve that opened this one.
    async fn repeats(&mut self, open: &OpenSession) -> Outcome<bool> {
        let lives = self.pays(open.id, &[Terms::PerCall]).await;
        let view = self.gear.counter.get(&format!("/sessions/{}", open.id)).await.ok_or("no answer")?;
        let approve = view["approveTxSignature"].as_str().ok_or("no approve")?.to_owned();
        let mut recipients = vec![self.merchant, self.stash.pubkey(), Pubkey::new_from_array(draw(&OsChance))];
        recipients.rotate_left(usize::from(self.dice.chance(50)));
        for recipient in recipients {
            let body = self.opening(open, recipient, approve.clone())?;
            let told = self.gear.counter.post("/sessions", &body).await;
            self.did("repeated an approve");
            self.gear.expect_no("an approve that has opened a session", told);
        }
        Ok(lives)
    }

    /// One attempt on somebody else's session, of which a payment was seen.
    async fn forges(&mut self) -> Outcome<()> {
        let seen = {
            let others = self.gear.others.lock().unwrap_or_else(PoisonError::into_inner);
            let paid: Vec<_> = others.iter().rev().take(200).filter(|payment| payment.answer == Answer::Yes).collect();
            let drawn = usize::try_from(self.dice.below(paid.len().max(1) as u64))?;
            (*paid.get(drawn).ok_or("nothing is paid yet")?).clone()
        };
        let gear = self.gear.clone();
        let of_session = |path: &str| format!("/sessions/{}/{path}", seen.session);
        let forged = bs58::encode([7_u8; 64]).into_string();
        let (what, told) = match self.dice.below(6) {
            0 => ("a payment that was told before", gear.settle(&seen).await),
            1 => ("another amount", gear.settle(&Payment { amount: seen.amount + 1, ..seen.clone() }).await),
            2 => {
                let nonce = self.payment(seen.session, seen.terms).nonce;
                let bent = Payment { merchant: self.stash.pubkey(), nonce, ..seen.clone() };
                ("another recipient", gear.settle(&bent).await)
            }
            3 => {
                let nonce = self.payment(seen.session, seen.terms).nonce;
                ("more than the cap", gear.settle(&Payment { amount: u64::MAX / 4, nonce, ..seen.clone() }).await)
            }
            4 => {
                let body = json!({ "nonce": "0123456789abcdef", "signature": forged });
                ("a close that is not signed", gear.counter.post(&of_session("close"), &body).await)
            }
            _ => {
                let proof = FundingProofBody { handle: "7".into(), plaintext: "7".into(), signature: forged };
                let body = serde_json::to_value(FundingBody { funding_proof: proof })?;
                ("a forged proof", gear.counter.post(&of_session("funding"), &body).await)
            }
        };
        self.did("forged or replayed");
        gear.expect_no(what, told);
        Ok(())
    }

    /// An opening over an approve that is on chain, under an intent of its own.
    fn opening(&self, like: &OpenSession, recipient: Pubkey, approve: String) -> Outcome<Value> {
        let intent = Intent {
            approved: None,
            asset: like.asset,
            cap: Amount::new(MEANS).ok_or("means")?,
            expires_at: SystemClock.now() + 3_600,
            network: like.networks.first().ok_or("no network")?.clone(),
            nonce: hex::encode(draw::<16>(&OsChance)),
            recipient,
            spender: like.spender,
            user: self.wallet.pubkey(),
            session_key: None,
        };
        let bytes = intent.to_bytes();
        Ok(serde_json::to_value(OpenSessionBody {
            user: intent.user.to_string(),
            asset: intent.asset.to_string(),
            recipient: intent.recipient.to_string(),
            cap: intent.cap.to_string(),
            expiration_unix: intent.expires_at,
            network: intent.network.clone(),
            approve_tx_base64: None,
            approve_tx_signature: Some(approve),
            auth_message: BASE64_STANDARD.encode(&bytes),
            auth_signature: Some(BASE64_STANDARD.encode(self.wallet.sign(&bytes))),
            settle_message: None,
            settle_signature: None,
            funding_proof: None,
        })?)
    }
}

impl Gear {
    fn encrypted(&self, units: u64) -> Vec<u8> {
        encrypt(&self.settings.encryption_key, units.into(), &OsChance)
    }

    async fn settle(&self, payment: &Payment) -> Option<(u16, Value)> {
        self.counter.post("/settle", &payment.body(&self.settings.asset)).await
    }

    /// What a wallet has, attested; none where that is nothing. A gift of zero lets it decrypt whatever it was left with.
    pub(super) async fn holding(&self, wallet: &LocalKey) -> Outcome<Option<AttestedValue>> {
        self.ask("localnet_fund", json!([wallet.pubkey().to_string(), 0])).await?;
        // Balances are read as of a confirmed slot.
        tokio::time::sleep(self.slot * 4).await;
        match self.reader.read(wallet, &self.settings.asset, PATIENCE).await? {
            Balance::Value(holding) => Ok(Some(holding.attested).filter(|attested| attested.plaintext > 0)),
            _ => Ok(None),
        }
    }

    /// A transfer by the owner.
    async fn moves(&self, from: &LocalKey, to: &Pubkey, units: u64) -> Outcome<()> {
        self.lands(from, self.transfer(from, to, units)).await
    }

    fn transfer(&self, from: &LocalKey, to: &Pubkey, units: u64) -> Instruction {
        let (programs, mint) = (self.settings.programs, &self.settings.asset);
        let transfer = Transfer {
            source: programs.token_account(&from.pubkey(), mint),
            destination: programs.token_account(to, mint),
            authority: from.pubkey(),
            ciphertext: self.encrypted(units),
            allowances: None,
        };
        programs.transfer(&transfer)
    }
}
