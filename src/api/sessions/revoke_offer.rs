//! `POST /sessions/revoke-offer`: the unsigned revoke of our delegation, for a wallet to sign.

use crate::{
    api::{
        App,
        error::SessionFailure,
        http::body::{self, Body},
    },
    facilitator::{RevokeOfferRequest, UnsignedRevoke},
    wire::{payments::ClosingAll, revoke::RevokeOffer},
};
use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_pubkey::Pubkey;

/// Gives a wallet its revoke to sign; asked for and signed like a close of all sessions.
pub(in crate::api) async fn offer(State(app): State<App>, body: Body) -> Result<Json<RevokeOffer>, SessionFailure> {
    let ClosingAll { user, asset, at, signature } = body::closing_all(body)?;
    let offer = app.facilitator.offer_revoke(&RevokeOfferRequest { user, asset, at, signature }).await;
    let offer = offer.map_err(|error| SessionFailure::of_use_case(error).busy_is_a_conflict())?;
    Ok(Json(written(&offer)))
}

/// What is offered beside the answer to a close.
pub(super) async fn beside_close(app: &App, user: &Pubkey, asset: &Pubkey) -> Option<RevokeOffer> {
    app.facilitator.revoke_beside_close(user, asset).await.as_ref().map(written)
}

fn written(offer: &UnsignedRevoke) -> RevokeOffer {
    RevokeOffer { transaction: STANDARD.encode(&offer.wire) }
}
