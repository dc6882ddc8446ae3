//! `POST /mpp/session/voucher`: draws a voucher.

use super::failure::SessionRouteFailure;
use crate::{
    api::{App, http::body::Body},
    domain::mpp::{
        channel::draw::Draw,
        channel_id::{ChannelSecret, PublicId},
    },
    facilitator::VoucherRequest,
    wire::mpp::{session::VoucherBody, voucher::VoucherAnswer},
};
use axum::{Json, extract::State};

/// Gives the voucher that whoever knows the channel's secret asks for.
pub(in crate::api) async fn voucher(
    State(app): State<App>,
    body: Body,
) -> Result<Json<VoucherAnswer>, SessionRouteFailure> {
    let VoucherBody { channel, cumulative, meter, units, server_nonce } = VoucherBody::read(&super::bytes(body)?)?;
    let id = channel.as_ref().map_or(PublicId::from_bytes([0; 16]), ChannelSecret::public_id);
    let draw = Draw { channel: id, cumulative, meter, units, server_nonce };
    let given = app.facilitator.draw_voucher(VoucherRequest { channel, draw }).await;
    let given = given.map_err(SessionRouteFailure::of_use_case)?;
    Ok(Json(VoucherAnswer::new(&given.voucher, &given.signature, &given.signer, &given.issuer, &given.certificate)))
}
