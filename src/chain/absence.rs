//! The proof that an attempt never landed and never will (`spec/settlement.md` §2).
//!
//! Everything is asked of one endpoint: a height of one node and a history of another prove nothing together.

use crate::{
    chain::{
        ChainError,
        node::{Node, Question},
        pool::Pool,
        sightings::Seen,
        statuses,
    },
    domain::settlement::{AbsenceProof, Attempt},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::request::RpcRequest;

/// What a look into the history told.
pub(super) enum History {
    /// It landed after all.
    Found(Seen),
    /// It never landed and never will.
    Absent(AbsenceProof),
    /// Its last valid height is not final yet.
    TooEarly,
    /// The endpoint cannot prove anything: its history starts too late, or the node that answered is behind.
    Unprovable,
}

/// Asks one endpoint after the other until one can tell. An error only when none answered.
pub(super) async fn search(pool: &Pool, attempt: &Attempt) -> Result<History, ChainError> {
    let mut told = None;
    for node in pool.order() {
        match (Search { pool, node: &node }).history(attempt).await {
            // Time will tell, and tells it to all of them at once.
            Ok(decided @ (History::Found(_) | History::Absent(_) | History::TooEarly)) => return Ok(decided),
            Ok(undecided @ History::Unprovable) => told = Some(Ok(undecided)),
            Err(error) => told = told.or(Some(Err(error))),
        }
    }
    told.unwrap_or(Ok(History::Unprovable))
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
