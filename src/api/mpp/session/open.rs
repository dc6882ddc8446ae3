//! `POST /mpp/session/open`: opens a channel.

use super::{failure::SessionRouteFailure, proofs};
use crate::{
    api::{App, http::body::Body, mpp::sign_in::place},
    domain::{clock::UnixMillis, mpp::timestamp},
    facilitator::{OpenChannelRequest, OpenedChannel},
    wire::mpp::session::{OpenAnswer, OpenBody},
};
use axum::{
    Json,
    extract::State,
    http::{Extensions, HeaderMap},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Opens a channel for the wallet that is named, where something shows that it wants one.
pub(in crate::api) async fn open(
    State(app): State<App>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<OpenAnswer>, SessionRouteFailure> {
    let asked = OpenBody::read(&super::bytes(body)?)?;
    let request = OpenChannelRequest {
        buyer: asked.buyer,
        account: asked.account,
        seller: asked.seller,
        deposit: asked.deposit,
        idle_timeout: asked.idle_timeout,
        network: asked.network,
        from: place(&app, &extensions, &headers),
        proofs: proofs(&headers, asked.proof.as_deref()),
    };
    let opened = app.facilitator.open_channel(request).await.map_err(SessionRouteFailure::of_use_case)?;
    Ok(Json(answer(&opened)))
}

fn answer(opened: &OpenedChannel) -> OpenAnswer {
    let terms = &opened.record.channel.terms;
    OpenAnswer {
        success: true,
        ok: true,
        channel_id: opened.secret.expose().to_string(),
        session_pubkey: terms.signer.to_string(),
        deposit_atomic: terms.deposit.to_string(),
        network: opened.network.clone(),
        channel_program: terms.program.to_string(),
        state: opened.standing.word().to_owned(),
        expires_at: timestamp::write(millis(terms.expires_at)),
        open_tx_signature: opened.record.anchor.1.map(|signature| signature.to_string()).unwrap_or_default(),
        issuer: opened.issuer.to_string(),
        certificate: STANDARD.encode(terms.certificate),
    }
}

/// Seconds as the wire writes times.
pub(super) const fn millis(seconds: u64) -> UnixMillis {
    seconds.saturating_mul(1_000)
}
