//! `GET /mpp/session/{id}`: how a channel stands, by its public id.

use super::{failure::SessionRouteFailure, open::millis};
use crate::{
    api::App,
    domain::mpp::{
        channel::{EndReason, reason::ChannelReason},
        timestamp,
    },
    facilitator::ShownChannel,
    wire::mpp::session::ChannelAnswer,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Tells what stands on chain of a channel, and its state. The secret's form is no name here.
pub(in crate::api) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<ChannelAnswer>, SessionRouteFailure> {
    let not_found = |failure: SessionRouteFailure| failure.with_status(StatusCode::NOT_FOUND);
    let no_such = || {
        not_found(SessionRouteFailure::new(ChannelReason::SessionNotFound, ChannelReason::SessionNotFound.meaning()))
    };
    let id = id.parse().map_err(|_| no_such())?;
    match app.facilitator.channel(id).await.map_err(SessionRouteFailure::of_use_case)? {
        Some(shown) => Ok(Json(answer(&shown))),
        None => Err(no_such()),
    }
}

fn answer(shown: &ShownChannel) -> ChannelAnswer {
    let channel = &shown.record.channel;
    let terms = &channel.terms;
    ChannelAnswer {
        channel_id: terms.id.to_string(),
        state: shown.standing.word().to_owned(),
        reason: channel.reason.map(EndReason::word).map(str::to_owned),
        session_pubkey: terms.signer.to_string(),
        buyer: terms.buyer.to_string(),
        seller: terms.seller.to_string(),
        deposit_atomic: terms.deposit.to_string(),
        chain_id: shown.chain_id.clone(),
        channel_program: terms.program.to_string(),
        open_tx_signature: shown.record.anchor.1.map(|signature| signature.to_string()),
        close_tx_signature: shown.record.last_settled.map(|signature| signature.to_string()),
        opened_at: timestamp::write(millis(terms.opened_at)),
        expires_at: timestamp::write(millis(terms.expires_at)),
        settled: channel.money.settled.to_string(),
        issuer: shown.issuer.to_string(),
        certificate: STANDARD.encode(terms.certificate),
    }
}
