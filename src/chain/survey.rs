//! Looks at many transactions at once, and says which of them are final.
//!
//! A landing is final by the word of another voice than the one that told it, where several are configured: a node that makes
//! up a landing would else make up its finality, too. So those told by one voice are asked about elsewhere, together. Whoever
//! is the first to say it of a landing whose teller is not known (it was told to a process before this one) is its teller.

use crate::{
    chain::{
        ChainError,
        counts::Reason,
        no_effect::{Landing, Proving, Verdict},
        node::Question,
        pool::Pool,
        refresher::Blockhashes,
        signature_statuses::{Level, Seen},
        statuses::{Statuses, checked, history_question, observation, question},
        tellers::Tellers,
        voices::Whom,
        witness::Examiner,
    },
    domain::settlement::{Attempt, Observation},
};
use solana_rpc_client_api::request::MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS;
use solana_signature::Signature;
use solana_transaction_status_client_types::TransactionStatus;
use std::collections::{BTreeMap, HashMap};
use tokio::time::Instant;

/// Looks at transactions that are expected to have landed; see [`crate::chain::Chain::look_up`].
pub(super) struct Survey<'a> {
    pub(super) pool: &'a Pool,
    pub(super) blockhashes: &'a Blockhashes,
    pub(super) tellers: &'a Tellers,
    pub(super) examiner: &'a Examiner,
}

/// What was said of each transaction by whoever counts; nothing of those that are not known there.
type Words = HashMap<Signature, Seen>;

impl Survey<'_> {
    pub(super) async fn look_up(&self, attempts: &[&Attempt]) -> Result<Vec<Observation>, ChainError> {
        let mut seen = Vec::with_capacity(attempts.len());
        for chunk in attempts.chunks(MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS) {
            seen.extend(self.look_up_chunk(chunk).await?);
        }
        Ok(seen)
    }

    async fn look_up_chunk(&self, attempts: &[&Attempt]) -> Result<Vec<Observation>, ChainError> {
        let several = self.pool.has_several_voices();
        let is_untold = |one: &&Attempt| !several || self.tellers.of(&one.signature).is_none();
        let untold: Vec<&Attempt> = attempts.iter().copied().filter(is_untold).collect();
        let mut words = self.ask(Whom::Anybody, &untold).await?;
        if several {
            for (signature, seen) in words.iter().filter(|(_, seen)| seen.has_landed()) {
                self.tellers.told(signature, self.pool.voices().of(seen.by));
            }
            for (teller, theirs) in self.by_teller(attempts) {
                for attempt in &theirs {
                    words.remove(&attempt.signature);
                }
                let told = self.ask_another(teller, &theirs).await?;
                for (signature, seen) in told.iter().filter(|(_, seen)| seen.has_landed()) {
                    self.tellers.confirmed(signature, self.pool.voices().of(seen.by));
                }
                words.extend(told);
            }
        }
        let mut seen = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            seen.push(self.judge(attempt, words.remove(&attempt.signature)).await);
        }
        Ok(seen)
    }

    /// Whether another voice than the teller has it, too; true where nobody else is configured.
    pub(super) async fn is_seen_by_another(&self, attempt: &Attempt) -> Result<bool, ChainError> {
        if !self.pool.has_several_voices() {
            return Ok(true);
        }
        let Some(teller) = self.tellers.of(&attempt.signature) else { return Ok(false) };
        let told = self.ask(Whom::AnotherThan(teller), &[attempt]).await?;
        let Some(seen) = told.get(&attempt.signature).filter(|seen| seen.has_landed()) else { return Ok(false) };
        self.tellers.confirmed(&attempt.signature, self.pool.voices().of(seen.by));
        Ok(true)
    }

    fn by_teller<'a>(&self, attempts: &[&'a Attempt]) -> BTreeMap<usize, Vec<&'a Attempt>> {
        let mut told: BTreeMap<usize, Vec<&Attempt>> = BTreeMap::new();
        for attempt in attempts {
            if let Some(teller) = self.tellers.of(&attempt.signature) {
                told.entry(teller).or_default().push(attempt);
            }
        }
        told
    }

    /// What another voice than the teller says; where none answers, what anybody says, which makes nothing final.
    async fn ask_another(&self, teller: usize, attempts: &[&Attempt]) -> Result<Words, ChainError> {
        match self.ask(Whom::AnotherThan(teller), attempts).await {
            Ok(words) => Ok(words),
            Err(error) => {
                if self.tellers.are_alone(Instant::now()) {
                    let cause = self.pool.trouble();
                    tracing::warn!(%error, cause, "what has landed does not become final: no second RPC provider answers");
                }
                self.ask(Whom::Anybody, attempts).await
            }
        }
    }

    /// What one endpoint says of each of them, among those who are meant. Nodes forget statuses after some minutes, and at a
    /// restart: of what is not known the history is asked, once for all of those.
    async fn ask(&self, whom: Whom, attempts: &[&Attempt]) -> Result<Words, ChainError> {
        let signatures: Vec<Signature> = attempts.iter().map(|attempt| attempt.signature).collect();
        let mut words = self.statuses(whom, question(&signatures), &signatures).await?;
        let forgotten: Vec<Signature> = signatures.into_iter().filter(|one| !words.contains_key(one)).collect();
        words.extend(self.statuses(whom, history_question(&forgotten), &forgotten).await?);
        Ok(words)
    }

    async fn statuses(&self, whom: Whom, question: Question, signatures: &[Signature]) -> Result<Words, ChainError> {
        if signatures.is_empty() {
            return Ok(Words::new());
        }
        let question = Question { reason: Reason::Finality, ..question };
        // A node that has not reached what was seen before knows nothing of it.
        let minimum_slot = self.pool.minimum_slot();
        let good = |answer: &Statuses| answer.context.slot >= minimum_slot;
        let (by, answer) = self.pool.ask_whom(&question, whom, good).await?;
        let statuses = checked(answer, signatures)?.value;
        let told = |(signature, status): (&Signature, &Option<TransactionStatus>)| {
            Some((*signature, Seen::told(by, status.as_ref()?)))
        };
        Ok(signatures.iter().zip(&statuses).filter_map(told).collect())
    }

    /// What follows from the word that was given.
    async fn judge(&self, attempt: &Attempt, word: Option<Seen>) -> Observation {
        match word {
            // Whatever a node executed only lately may be confirmed again soon: neither there nor gone.
            Some(seen) if seen.level == Level::Processed => Observation::Unknown,
            // An error takes as many voices as absence, and one that could be final by now and is not may be a lie.
            Some(seen) if seen.error.is_some() => {
                if seen.has_failed_for_good() || self.is_alive(attempt).await == Some(false) {
                    self.ask_all(attempt).await
                } else {
                    observation(&seen)
                }
            }
            Some(seen) => Observation::Landed { slot: seen.slot, finalised: self.makes_final(attempt, &seen) },
            None => match self.is_alive(attempt).await {
                Some(true) => Observation::Pending,
                Some(false) => self.ask_all(attempt).await,
                None => Observation::Unknown,
            },
        }
    }

    /// Whether its blockhash is alive, as far as heights are known.
    async fn is_alive(&self, attempt: &Attempt) -> Option<bool> {
        let height = self.blockhashes.height().await.ok()?;
        Some(height <= attempt.last_valid_block_height)
    }

    /// Whether this word of a landing makes it final.
    fn makes_final(&self, attempt: &Attempt, seen: &Seen) -> bool {
        let is_another = |teller| teller != self.pool.voices().of(seen.by);
        seen.level == Level::Finalized
            && (!self.pool.has_several_voices() || self.tellers.of(&attempt.signature).is_some_and(is_another))
    }

    /// What every endpoint says of a transaction that one with a view as new as ours does not know, or tells an error of.
    async fn ask_all(&self, attempt: &Attempt) -> Observation {
        let Self { pool, tellers, examiner, blockhashes } = *self;
        match (Proving { pool, tellers, examiner, heights: blockhashes.heights() }).ask_everybody(attempt).await {
            Ok(Verdict::Landed(landing)) => self.landed(attempt, &landing),
            Ok(verdict) => verdict.no_effect().unwrap_or(Observation::Unknown),
            Err(error) => {
                tracing::warn!(%error, cause = self.pool.trouble(), "the history of a transaction cannot be read");
                Observation::Unknown
            }
        }
    }

    /// Some have it: final when another voice than the teller says so, else a dispute where somebody denies it.
    fn landed(&self, attempt: &Attempt, landing: &Landing) -> Observation {
        let Some(first) = landing.told.first() else { return Observation::Unknown };
        let signature = &attempt.signature;
        if self.tellers.of(signature).is_none() {
            self.tellers.told(signature, self.pool.voices().of(first.by));
        }
        let made_final = landing.told.iter().find(|seen| self.makes_final(attempt, seen));
        if made_final.is_none() && !landing.denied.is_empty() {
            return Observation::Disputed {
                slot: first.slot,
                landed: landing.told.iter().map(|seen| seen.by + 1).collect(),
                denied: landing.denied.iter().map(|place| place + 1).collect(),
            };
        }
        landing.contradict(self.pool, signature);
        let seen = made_final.unwrap_or(first);
        Observation::Landed { slot: seen.slot, finalised: made_final.is_some() }
    }
}
