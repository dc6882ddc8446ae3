//! The proof that an attempt never landed and never will (`spec/settlement.md` §2): every configured endpoint says so.
//!
//! An endpoint says *absent* by answers of its own only, because a height of one node and a history of another prove
//! nothing together. One endpoint's word is not enough: a node that hides a transaction, or has a hole in its history,
//! would get a transfer that landed signed a second time. So the endpoints are counted as they are configured and not as
//! they answer: one that rests, fails, is silent or cannot tell delays the proof, and never agrees. One that has the
//! transaction ends the question, whatever the others say.
//!
//! Only one endpoint is not asked for its word: one whose genesis hash is not that of the cluster the operator named. It
//! knows nothing of our transactions. Where no cluster is named, two genesis hashes show that one of the endpoints is
//! wrong and not which, so neither is left out and nothing is absent until the operator removes one.

use crate::{
    chain::{
        ChainError,
        node::{Node, Question},
        pool::Pool,
        signature_statuses::{Level, Seen},
        statuses,
    },
    domain::settlement::{AbsenceProof, Attempt},
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;
use tokio::time::{Instant, timeout_at};

#[cfg(test)]
mod tests;

/// What a look into the history told.
#[derive(Debug)]
pub(super) enum History {
    /// It landed after all.
    Found(Seen),
    /// It never landed and never will.
    Absent(AbsenceProof),
    /// Its last valid height is not final yet.
    TooEarly,
    /// Nothing is proved: a history starts too late, a node is behind, or an endpoint did not answer.
    Unprovable,
}

/// What the endpoint at one place of the operator's list said.
#[derive(Debug)]
struct EndpointAnswer {
    place: usize,
    said: Result<History, ChainError>,
}

/// Asks every endpoint, together. An error only when none answered.
pub(super) async fn search(pool: &Pool, attempt: &Attempt) -> Result<History, ChainError> {
    let told = ask_endpoints(pool, attempt).await;
    if told.iter().any(EndpointAnswer::has_it) {
        for denied in told.iter().filter(|testimony| matches!(testimony.said, Ok(History::Absent(_)))) {
            pool.is_contradicted(denied.place, &attempt.signature);
        }
    }
    verdict(told)
}

/// What each endpoint says that serves the right cluster. Once one has the transaction, the others are waited for a part
/// of the time only.
async fn ask_endpoints(pool: &Pool, attempt: &Attempt) -> Vec<EndpointAnswer> {
    let ask = |node| async move { (node, Search { pool, node }.history(attempt).await) };
    let mut asked: FuturesUnordered<_> = pool.configured().iter().map(|node| ask(&**node)).collect();
    let (mut told, mut until): (Vec<EndpointAnswer>, Option<Instant>) = (Vec::new(), None);
    loop {
        let next = match until {
            Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
            None => asked.next().await,
        };
        let Some((node, said)) = next else { return told };
        if said.is_err() && pool.serves_another_cluster(node) {
            continue;
        }
        let testimony = EndpointAnswer { place: node.place, said };
        if testimony.has_it() {
            until = until.or_else(|| Some(Instant::now() + pool.timeout() / 4));
        }
        told.push(testimony);
    }
}

impl EndpointAnswer {
    fn has_it(&self) -> bool {
        matches!(&self.said, Ok(History::Found(seen)) if seen.level >= Level::Confirmed)
    }
}

/// What follows from what the endpoints said. Pure.
fn verdict(told: Vec<EndpointAnswer>) -> Result<History, ChainError> {
    let mut found: Option<Seen> = None;
    let mut proof: Option<AbsenceProof> = None;
    let mut failed: Option<ChainError> = None;
    let (mut early, mut unproved) = (false, false);
    for testimony in told {
        match testimony.said {
            Ok(History::Found(seen)) => found = Some(more_certain(found, seen)),
            Ok(History::Absent(one)) => proof = Some(weaker(proof, one)),
            Ok(History::TooEarly) => early = true,
            Ok(History::Unprovable) => unproved = true,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match (found, proof, failed) {
        (Some(seen), _, _) => Ok(History::Found(seen)),
        (None, Some(proof), None) if !early && !unproved => Ok(History::Absent(proof)),
        _ if early => Ok(History::TooEarly),
        (None, None, Some(error)) if !unproved => Err(error),
        _ => Ok(History::Unprovable),
    }
}

/// Of two statuses the one to act upon: identical bytes have one outcome, so two that differ mean that an endpoint is
/// wrong, and an error would give money back or have it sent again.
fn more_certain(before: Option<Seen>, seen: Seen) -> Seen {
    let weight = |seen: &Seen| (seen.error.is_none(), seen.level);
    before.filter(|before| weight(before) >= weight(&seen)).unwrap_or(seen)
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
    async fn history(&self, attempt: &Attempt) -> Result<History, ChainError> {
        let finalised = json!([CommitmentConfig::finalized()]);
        let finalised: Height =
            self.ask("asking for the finalised height", RpcRequest::GetEpochInfo, finalised).await?;
        if finalised.block_height <= attempt.last_valid_block_height {
            return Ok(History::TooEarly);
        }
        let signatures = [attempt.signature];
        let question = statuses::history_question(&signatures);
        let looked_up = self.pool.ask_node(self.node, &question, self.pool.timeout()).await?;
        let looked_up = statuses::checked(looked_up, &signatures)?;
        if let Some(status) = looked_up.value.first().and_then(Option::as_ref) {
            return Ok(History::Found(status.into()));
        }
        // One address may hide several nodes: one that has not even reached the slot of the finalised height cannot
        // be the one that reported it.
        if looked_up.context.slot < finalised.absolute_slot {
            return Ok(History::Unprovable);
        }
        let first: u64 =
            self.ask("asking for the first available block", RpcRequest::GetFirstAvailableBlock, json!([])).await?;
        if first > attempt.signed_at_slot {
            return Ok(History::Unprovable);
        }
        let proof = AbsenceProof { finalised_height: finalised.block_height, first_available_block: first };
        Ok(History::Absent(proof))
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
