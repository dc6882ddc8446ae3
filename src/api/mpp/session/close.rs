//! `POST /mpp/session/close`: closes a channel.

use super::{failure::SessionRouteFailure, proofs};
use crate::{
    api::{App, http::body::Body},
    domain::mpp::channel::EndReason,
    facilitator::{CloseChannelRequest, ClosedChannel},
    wire::mpp::session::{CloseAnswer, CloseBody, CloseSettlement, ClosedBy},
};
use axum::{Json, extract::State, http::HeaderMap};

/// Closes the channel of a secret, or of a public id that its buyer has signed for.
pub(in crate::api) async fn close(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CloseAnswer>, SessionRouteFailure> {
    let CloseBody { channel, echo, proof } = CloseBody::read(&super::bytes(body)?)?;
    let request = match channel {
        ClosedBy::Secret(secret) => CloseChannelRequest::BySecret(secret.public_id()),
        ClosedBy::Public(id) => CloseChannelRequest::ByProof(id, proofs(&headers, proof.as_deref())),
        ClosedBy::Unknown => CloseChannelRequest::Unknown,
    };
    let closed = app.facilitator.close_channel(request).await.map_err(SessionRouteFailure::of_use_case)?;
    Ok(Json(answer(&closed, echo)))
}

fn answer(closed: &ClosedChannel, channel_id: String) -> CloseAnswer {
    let ClosedChannel { channel, parts, transaction, duration } = closed;
    CloseAnswer {
        success: true,
        ok: true,
        channel_id,
        close_tx_signature: transaction.map(|signature| signature.to_string()),
        settlement: CloseSettlement {
            seller: channel.terms.seller.to_string(),
            amount_settled: parts.amount_settled.to_string(),
            buyer_refund: parts.buyer_refund.to_string(),
            voucher_count: channel.sequence,
            session_duration_seconds: *duration,
        },
        reason: channel.reason.map_or("", EndReason::word).to_owned(),
        shortfall: parts.shortfall.to_string(),
    }
}
