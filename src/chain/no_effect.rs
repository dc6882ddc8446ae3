//! The proof that an attempt had no effect and never will (`spec/settlement.md` §2): it never landed, or it failed. Every
//! configured endpoint says so.
//!
//! Only this allows another attempt to be signed or what an attempt carries to be given back, so one endpoint's word is not
//! enough: a node that hides a transaction, has a hole in its history or tells an error of its own making would get a transfer
//! that landed paid again. The endpoints are counted as they are configured and not as they answer: one that rests, fails, is
//! silent, lags or cannot tell delays the proof, and never agrees. One that has the transaction without an error ends the
//! question, whatever the others say.
//!
//! *Never landed* an endpoint says by answers of its own only, because a height of one node and a history of another prove
//! nothing together. *Failed* it says when the transaction is final there, with an error; all have to tell the same one.
//!
//! Only one endpoint is not asked for its word: one whose genesis hash is not that of the cluster the operator named. It
//! knows nothing of our transactions. Where no cluster is named, two genesis hashes show that one of the endpoints is
//! wrong and not which, so neither is left out and nothing is proved until the operator removes one.

use crate::{
    chain::{
        ChainError,
        node::{Node, Question},
        pool::Pool,
        signature_statuses::Seen,
        statuses,
    },
    domain::settlement::{AbsenceProof, Attempt, Observation},
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use tokio::time::{Instant, timeout_at};

#[cfg(test)]
mod tests;

/// What follows from what all endpoints say of a transaction.
#[derive(Debug)]
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
    /// Nothing is proved: a history starts too late, a node is behind, an endpoint did not answer, or two contradict each
    /// other without either having it.
    Unprovable,
}

/// Who says that a transaction landed without an error, and who denies it.
#[derive(Debug)]
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
            pool.is_contradicted(*place, signature);
        }
    }
}

/// What one endpoint says.
#[derive(Debug)]
enum Said {
    Found(Seen),
    /// It is not in a history that reaches back far enough, and can no longer land.
    Absent(AbsenceProof),
    /// It is not there, and its last valid height is not final here.
    TooEarly,
    /// Its history starts too late, or it hides nodes that are not equally far.
    CannotKnow,
}

/// What the endpoint at one place of the operator's list said.
#[derive(Debug)]
struct EndpointAnswer {
    place: usize,
    said: Result<Said, ChainError>,
}

impl EndpointAnswer {
    fn landing(&self) -> Option<&Seen> {
        match &self.said {
            Ok(Said::Found(seen)) if seen.has_landed() => Some(seen),
            _ => None,
        }
    }

    fn failure(&self) -> Option<&Seen> {
        match &self.said {
            Ok(Said::Found(seen)) if seen.has_failed_for_good() => Some(seen),
            _ => None,
        }
    }

    fn denies(&self) -> bool {
        self.failure().is_some() || matches!(self.said, Ok(Said::Absent(_)))
    }
}

impl Verdict {
    /// The proof that it had no effect, as it is acted upon; none where it landed or nothing is proved.
    pub(super) fn no_effect(&self) -> Option<Observation> {
        match self {
            Self::Absent(proof) => Some(Observation::Absent(*proof)),
            Self::Failed { slot, error } => {
                Some(Observation::Failed { slot: *slot, finalised: true, error: error.clone() })
            }
            Self::Landed(_) | Self::TooEarly | Self::Unprovable => None,
        }
    }
}

/// Asks every endpoint, together. An error only when none answered.
pub(super) async fn ask_every_endpoint(pool: &Pool, attempt: &Attempt) -> Result<Verdict, ChainError> {
    verdict(answers(pool, attempt).await)
}

/// What each endpoint says that serves the right cluster. Once one has the transaction, the others are waited for a part
/// of the time only.
async fn answers(pool: &Pool, attempt: &Attempt) -> Vec<EndpointAnswer> {
    let ask = |node| async move { (node, Search { pool, node }.history(attempt).await) };
    let mut asked: FuturesUnordered<_> = pool.configured().iter().map(|node| ask(&**node)).collect();
    let (mut answers, mut until): (Vec<EndpointAnswer>, Option<Instant>) = (Vec::new(), None);
    loop {
        let next = match until {
            Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
            None => asked.next().await,
        };
        let Some((node, said)) = next else { return answers };
        if said.is_err() && pool.serves_another_cluster(node) {
            continue;
        }
        let answer = EndpointAnswer { place: node.place, said };
        if answer.landing().is_some() {
            until = until.or_else(|| Some(Instant::now() + pool.timeout() / 4));
        }
        answers.push(answer);
    }
}

/// What follows from what the endpoints said. Pure.
fn verdict(mut answers: Vec<EndpointAnswer>) -> Result<Verdict, ChainError> {
    answers.sort_unstable_by_key(|answer| answer.place);
    let told: Vec<Seen> = answers.iter().filter_map(EndpointAnswer::landing).cloned().collect();
    if !told.is_empty() {
        let denied = answers.iter().filter(|answer| answer.denies()).map(|answer| answer.place).collect();
        return Ok(Verdict::Landed(Landing { told, denied }));
    }
    if let Some((slot, error)) = same_failure(&answers) {
        return Ok(Verdict::Failed { slot, error });
    }
    let mut proof: Option<AbsenceProof> = None;
    let mut failed: Option<ChainError> = None;
    let (mut early, mut unproved) = (false, false);
    for answer in answers {
        match answer.said {
            Ok(Said::Absent(one)) => proof = Some(weaker(proof, one)),
            Ok(Said::TooEarly) => early = true,
            Ok(Said::Found(_) | Said::CannotKnow) => unproved = true,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match (proof, failed) {
        _ if unproved => Ok(Verdict::Unprovable),
        _ if early => Ok(Verdict::TooEarly),
        (Some(proof), None) => Ok(Verdict::Absent(proof)),
        (None, Some(error)) => Err(error),
        (Some(_), Some(_)) | (None, None) => Ok(Verdict::Unprovable),
    }
}

/// The error that every one of them tells as final, and the lowest slot told with it.
fn same_failure(answers: &[EndpointAnswer]) -> Option<(u64, String)> {
    let failures = answers.iter().map(EndpointAnswer::failure).collect::<Option<Vec<_>>>()?;
    let error = failures.first()?.error.clone()?;
    let same = failures.iter().all(|seen| seen.error.as_ref() == Some(&error));
    failures.iter().map(|seen| seen.slot).min().filter(|_| same).map(|slot| (slot, error))
}

/// Joins two proofs into what both prove: the lower finalised height, the higher first block.
fn weaker(before: Option<AbsenceProof>, one: AbsenceProof) -> AbsenceProof {
    before.map_or(one, |before| AbsenceProof {
        finalised_height: before.finalised_height.min(one.finalised_height),
        first_available_block: before.first_available_block.max(one.first_available_block),
    })
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
    async fn history(&self, attempt: &Attempt) -> Result<Said, ChainError> {
        let finalised = json!([CommitmentConfig::finalized()]);
        let finalised: Height =
            self.ask("asking for the finalised height", RpcRequest::GetEpochInfo, finalised).await?;
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
            return Ok(Said::CannotKnow);
        }
        let first: u64 =
            self.ask("asking for the first available block", RpcRequest::GetFirstAvailableBlock, json!([])).await?;
        if first > attempt.signed_at_slot {
            return Ok(Said::CannotKnow);
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
