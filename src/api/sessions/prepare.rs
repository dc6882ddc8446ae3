//! `POST /sessions/prepare`: tells what an approve needs of the chain.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
    },
    facilitator::{PrepareRequest, PreparedApprove},
    wire::prepare::{PrepareAnswer, Preparing, StandingApprove},
};
use axum::{Json, extract::State};

/// Tells what an approve needs of the chain; unsigned, so nothing that the chain does not tell everybody.
pub(in crate::api) async fn prepare(State(app): State<App>, body: Body) -> Result<Json<PrepareAnswer>, SessionFailure> {
    let Preparing { user, asset, ciphertext } = body::preparing(body)?;
    let prepared = app.facilitator.prepare_approve(&PrepareRequest { user, asset, ciphertext }).await;
    let PreparedApprove { blockhash, handle, grant, standing } = prepared.map_err(SessionFailure::of_use_case)?;
    Ok(Json(PrepareAnswer {
        recent_blockhash: blockhash.hash.to_string(),
        last_valid_block_height: blockhash.last_valid_block_height,
        handle: handle.to_string(),
        grant_lamports: grant,
        standing: standing.map(|signature| StandingApprove { approve_tx_signature: signature.to_string() }),
    }))
}
