//! The proof that an attempt had no effect and never will (`spec/settlement.md` §2): it never landed, or it failed. As many
//! voices as it takes say so, and where it moves a balance, the balance bears witness ([`super::witness`]).
//!
//! Only this allows another attempt to be signed or what an attempt carries to be given back, so one endpoint's word is not
//! enough: a node that hides a transaction, has a hole in its history or tells an error of its own making would get a transfer
//! that landed paid again. The voices are counted as they are configured and not as they answer: one that rests, fails, is
//! silent, lags or cannot tell delays the proof, and never agrees. One that has the transaction without an error ends the
//! question, whatever the others say, and one that ever had it has to say itself that it has no effect.
//!
//! *Never landed* an endpoint says by answers of its own only, because a height of one node and a history of another prove
//! nothing together, and not before its own first height is a blockhash's life ago: who told until when the transaction's lives
//! may have lied, before others could say ([`Heights::dead_after`]). *Failed* it says when the transaction is final there, with an error; all who say so have to tell the same
//! one.
//!
//! Only one endpoint is not asked for its word: one whose genesis hash is not that of the cluster the operator named. It
//! knows nothing of our transactions. Where no cluster is named, two genesis hashes show that one of the endpoints is
//! wrong and not which, so neither is left out and nothing is proved until the operator removes one.

use crate::{
    chain::{
        ChainError,
        heights::Heights,
        node::{Node, Question},
        pool::Pool,
        signature_statuses::Seen,
        statuses,
        tellers::Tellers,
        voices::Voices,
        witness::{Case, Denial, Examiner, Testimony},
    },
    domain::settlement::{AbsenceProof, Attempt, HeldBecause, Moves, Observation},
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use std::collections::BTreeSet;
use tokio::time::{Instant, timeout_at};

#[cfg(test)]
mod tests;

/// What follows from what is said of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// It landed without an error, as at least one of them tells.
    Landed(Landing),
    /// It landed with an error, which is final.
    Failed {
        /// The lowest slot that was told.
        slot: u64,
        error: String,
    },
    /// It never landed and never will.
    Absent(AbsenceProof),
    /// Its last valid height is not final yet.
    TooEarly,
    /// That it has no effect is not proved, for this cause.
    Unproved(HeldBecause),
    /// Nor is it known whether it can be: the payer's history is long, and was not read to its end yet.
    Unfinished,
}

/// Who says that a transaction landed without an error, and who denies it.
#[derive(Clone, Debug)]
pub(super) struct Landing {
    /// What each of those tells who have it; at least one.
    pub(super) told: Vec<Seen>,
    /// The places of those who say that it never landed or failed, 0 for the first of the operator's list.
    pub(super) denied: Vec<usize>,
}

impl Landing {
    /// Names those who deny it to the operator: another has it.
    pub(super) fn contradict(&self, pool: &Pool, signature: &Signature) {
        for place in &self.denied {
            pool.note_contradiction(*place, signature);
        }
    }
}

/// What one endpoint says.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Found(Seen),
    /// It is not in a history that reaches back far enough, and can no longer land.
    Absent(AbsenceProof),
    /// It is not there, and its last valid height is not final here.
    TooEarly,
    /// Its history starts too late, or it hides nodes that are not equally far.
    CannotKnow {
        finalised_height: u64,
    },
}

/// What the endpoint at one place of the operator's list said.
#[derive(Debug)]
pub(super) struct EndpointAnswer {
    pub(super) place: usize,
    /// The slot that was final when it was asked, and what it says.
    pub(super) said: Result<(u64, Said), ChainError>,
}

impl EndpointAnswer {
    fn landing(&self) -> Option<&Seen> {
        match &self.said {
            Ok((_, Said::Found(seen))) if seen.has_landed() => Some(seen),
            _ => None,
        }
    }

    fn failure(&self) -> Option<&Seen> {
        match &self.said {
            Ok((_, Said::Found(seen))) if seen.has_failed_for_good() => Some(seen),
            _ => None,
        }
    }

    fn absence(&self) -> Option<AbsenceProof> {
        match &self.said {
            Ok((_, Said::Absent(proof))) => Some(*proof),
            _ => None,
        }
    }

    /// Takes its word that the transaction is absent as too early, unless it told a finalised height past this one; always, where
    /// there is none.
    fn past(mut self, dead_after: Option<u64>) -> Self {
        let is_early = |proof: AbsenceProof| dead_after.is_none_or(|height| proof.finalised_height <= height);
        if self.absence().is_some_and(is_early)
            && let Ok((_, said)) = &mut self.said
        {
            *said = Said::TooEarly;
        }
        self
    }

    fn denies(&self) -> bool {
        self.failure().is_some() || self.absence().is_some()
    }
}

impl Verdict {
    /// What it amounts to where nobody has it without an error: the proof that it had no effect, as it is acted upon, or why there
    /// is none. Nothing where it may still become final.
    pub(super) fn no_effect(&self) -> Option<Observation> {
        match self {
            Self::Absent(proof) => Some(Observation::Absent(*proof)),
            Self::Failed { slot, error } => {
                Some(Observation::Failed { slot: *slot, finalised: true, error: error.clone() })
            }
            Self::Unproved(because) => Some(Observation::Unproved(*because)),
            Self::Landed(_) | Self::TooEarly | Self::Unfinished => None,
        }
    }
}

/// The parts of the chain that a proof needs.
#[derive(Clone, Copy)]
pub(super) struct Proving<'a> {
    pub(super) pool: &'a Pool,
    pub(super) tellers: &'a Tellers,
    pub(super) examiner: &'a Examiner,
    pub(super) heights: &'a Heights,
}

impl Proving<'_> {
    /// Asks every endpoint, together, and then the payer's balance where that is needed. An error only when none answered.
    pub(super) async fn ask_everybody(self, attempt: &Attempt) -> Result<Verdict, ChainError> {
        let answers = self.in_time(some_answer(answers(self.pool, attempt).await)?);
        let needed = self.pool.absence_voices();
        let verdict = verdict(&answers, self.pool.voices(), needed, &self.seen_by(attempt));
        let lone = needed < 2;
        let denial = match (&verdict, attempt.moves) {
            (Verdict::Absent(_), Moves::Balance(_)) => Denial::Absent,
            // What several tell alike is believed; an error that one makes up would have a transfer paid again.
            (Verdict::Failed { .. }, Moves::Balance(_)) if lone => Denial::Failed,
            _ => return Ok(verdict),
        };
        Ok(match self.testimony((attempt, denial), &answers).await {
            Ok(Testimony::Unmoved | Testimony::Explained | Testimony::DelegationExplained) => verdict,
            Ok(Testimony::MovedAndListed) if !lone => verdict,
            Ok(Testimony::Unfinished) => Verdict::Unfinished,
            Ok(Testimony::MovedAndListed | Testimony::Moved) => Verdict::Unproved(HeldBecause::Moved),
            Err(error) => {
                tracing::info!(%error, "a payer's account cannot be examined now");
                Verdict::Unproved(HeldBecause::Silence)
            }
        })
    }

    /// What they say, as far as it is not too early for it. Where one voice is configured it says when blockhashes die, too; and
    /// where somebody has the transaction nothing is proved anyway, so that whoever denies it is named at once.
    fn in_time(self, answers: Vec<EndpointAnswer>) -> Vec<EndpointAnswer> {
        if !self.pool.has_several_voices() || answers.iter().any(|answer| answer.landing().is_some()) {
            return answers;
        }
        let dead_after = |answer: &EndpointAnswer| self.heights.dead_after(self.pool.voices().of(answer.place));
        let past = |answer: EndpointAnswer| {
            let height = dead_after(&answer);
            answer.past(height)
        };
        answers.into_iter().map(past).collect()
    }

    async fn testimony(
        self,
        (attempt, denial): (&Attempt, Denial),
        answers: &[EndpointAnswer],
    ) -> Result<Testimony, ChainError> {
        let Some(witness) = attempt.moves.witness() else { return Ok(Testimony::Moved) };
        let deniers = answers.iter().filter(|answer| answer.denies()).filter_map(|answer| {
            let (slot, _) = answer.said.as_ref().ok()?;
            // What failed in a slot says nothing of the balance before that slot is final.
            let slot = answer.failure().map_or(*slot, |seen| seen.slot.max(*slot));
            Some((&**self.pool.configured().get(answer.place)?, slot))
        });
        let (deniers, are_several) = (deniers.collect(), self.pool.has_several_voices());
        self.examiner.examine(self.pool, &Case { attempt, witness, denial, deniers, are_several }).await
    }

    /// The names of all voices that told of its landing, to this process or to one before it.
    fn seen_by(self, attempt: &Attempt) -> BTreeSet<String> {
        let told = self.tellers.all_of(&attempt.signature).into_iter();
        let told = told.map(|voice| self.pool.voices().name(voice).to_owned());
        attempt.seen_by.iter().cloned().chain(told).collect()
    }
}

/// What each endpoint says that serves the right cluster. Once one has the transaction, the others are waited for a part
/// of the time only.
pub(super) async fn answers(pool: &Pool, attempt: &Attempt) -> Vec<EndpointAnswer> {
    let ask = |node| async move { (node, Search { pool, node }.history(attempt).await) };
    let mut asked: FuturesUnordered<_> = pool.configured().iter().map(|node| ask(&**node)).collect();
    let (mut answers, mut until): (Vec<EndpointAnswer>, Option<Instant>) = (Vec::new(), None);
    loop {
        let next = match until {
            Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
            None => asked.next().await,
        };
        let Some((node, said)) = next else { break };
        if said.is_err() && pool.serves_another_cluster(node) {
            continue;
        }
        let answer = EndpointAnswer { place: node.place, said };
        if answer.landing().is_some() {
            until = until.or_else(|| Some(Instant::now() + pool.timeout() / 4));
        }
        answers.push(answer);
    }
    answers.sort_unstable_by_key(|answer| answer.place);
    answers
}

/// What follows from what the endpoints said, of which `needed` voices have to say that it has no effect, and each of
/// `seen_by` that has ever told of its landing. Pure.
fn verdict(answers: &[EndpointAnswer], voices: &Voices, needed: usize, seen_by: &BTreeSet<String>) -> Verdict {
    let told: Vec<Seen> = answers.iter().filter_map(EndpointAnswer::landing).cloned().collect();
    if !told.is_empty() {
        let denied = answers.iter().filter(|answer| answer.denies()).map(|answer| answer.place).collect();
        return Verdict::Landed(Landing { told, denied });
    }
    let is_there = |answer: &EndpointAnswer| matches!(answer.said, Ok((_, Said::Found(_)))) && !answer.denies();
    if answers.iter().any(is_there) {
        // Somebody has it, and it is not final there.
        return Verdict::Unproved(HeldBecause::Silence);
    }
    let deniers: Vec<&EndpointAnswer> = answers.iter().filter(|answer| answer.denies()).collect();
    let agreeing: BTreeSet<usize> = deniers.iter().map(|answer| voices.of(answer.place)).collect();
    if agreeing.len() < needed.max(1) {
        return not_enough(answers);
    }
    if seen_by.iter().any(|name| agreeing.iter().all(|voice| !voices.is_called(*voice, name))) {
        return Verdict::Unproved(HeldBecause::Seen);
    }
    let absences: Option<Vec<AbsenceProof>> = deniers.iter().map(|answer| answer.absence()).collect();
    if let Some(proof) = absences.and_then(|proofs| proofs.into_iter().reduce(weaker)) {
        return Verdict::Absent(proof);
    }
    match same_failure(&deniers) {
        Some((slot, error)) => Verdict::Failed { slot, error },
        None => Verdict::Unproved(HeldBecause::Contradiction),
    }
}

/// Fewer voices than it takes say that it has no effect.
fn not_enough(answers: &[EndpointAnswer]) -> Verdict {
    if answers.iter().any(|answer| matches!(answer.said, Ok((_, Said::TooEarly)))) {
        return Verdict::TooEarly;
    }
    Verdict::Unproved(HeldBecause::Silence)
}

/// The answers, unless all that came are errors: then the first of these.
fn some_answer(mut answers: Vec<EndpointAnswer>) -> Result<Vec<EndpointAnswer>, ChainError> {
    if answers.is_empty() || answers.iter().any(|answer| answer.said.is_ok()) {
        return Ok(answers);
    }
    match answers.swap_remove(0).said {
        Err(error) => Err(error),
        Ok(_) => Ok(Vec::new()),
    }
}

/// The error that every one of them tells as final, and the lowest slot told with it.
fn same_failure(deniers: &[&EndpointAnswer]) -> Option<(u64, String)> {
    let failures = deniers.iter().map(|answer| answer.failure()).collect::<Option<Vec<_>>>()?;
    let error = failures.first()?.error.clone()?;
    let same = failures.iter().all(|seen| seen.error.as_ref() == Some(&error));
    failures.iter().map(|seen| seen.slot).min().filter(|_| same).map(|slot| (slot, error))
}

/// Joins two proofs into what both prove: the lower finalised height, the higher first block.
fn weaker(one: AbsenceProof, other: AbsenceProof) -> AbsenceProof {
    AbsenceProof {
        finalised_height: one.finalised_height.min(other.finalised_height),
        first_available_block: one.first_available_block.max(other.first_available_block),
    }
}

/// What `getEpochInfo` tells that matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Height {
    absolute_slot: u64,
    block_height: u64,
}

struct Search<'a> {
    pool: &'a Pool,
    node: &'a Node,
}

impl Search<'_> {
    /// The order matters: the height first, then the look-up.
    async fn history(&self, attempt: &Attempt) -> Result<(u64, Said), ChainError> {
        let finalised = json!([CommitmentConfig::finalized()]);
        let finalised: Height =
            self.ask("asking for the finalised height", RpcRequest::GetEpochInfo, finalised).await?;
        let said = self.said(attempt, &finalised).await?;
        Ok((finalised.absolute_slot, said))
    }

    async fn said(&self, attempt: &Attempt, finalised: &Height) -> Result<Said, ChainError> {
        let signatures = [attempt.signature];
        let question = statuses::history_question(&signatures);
        let looked_up = self.pool.ask_node(self.node, &question, self.pool.timeout()).await?;
        let looked_up = statuses::checked(looked_up, &signatures)?;
        if let Some(status) = looked_up.value.first().and_then(Option::as_ref) {
            return Ok(Said::Found(Seen::told(self.node.place, status)));
        }
        if finalised.block_height <= attempt.last_valid_block_height {
            return Ok(Said::TooEarly);
        }
        // One address may hide several nodes: one that has not even reached the slot of the finalised height cannot
        // be the one that reported it.
        if looked_up.context.slot < finalised.absolute_slot {
            return Ok(Said::CannotKnow { finalised_height: finalised.block_height });
        }
        let first: u64 =
            self.ask("asking for the first available block", RpcRequest::GetFirstAvailableBlock, json!([])).await?;
        if first > attempt.signed_at_slot {
            return Ok(Said::CannotKnow { finalised_height: finalised.block_height });
        }
        let proof = AbsenceProof { finalised_height: finalised.block_height, first_available_block: first };
        Ok(Said::Absent(proof))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RpcRequest,
        params: Value,
    ) -> Result<T, ChainError> {
        self.pool.ask_node(self.node, &Question::new(what, request, params), self.pool.timeout()).await
    }
}
