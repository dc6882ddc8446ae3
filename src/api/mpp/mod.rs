//! The routes of the Machine Payments Protocol, one file each (`spec/mpp.md`).

pub(in crate::api) mod confirm;
pub(in crate::api) mod failure;
pub(in crate::api) mod keys;
pub(in crate::api) mod leave;
pub(in crate::api) mod onboard;
mod onboard_failure;
pub(in crate::api) mod prepare;
pub(in crate::api) mod session;
pub(in crate::api) mod settle;
mod sign_in;
pub(in crate::api) mod stats;
pub(in crate::api) mod status;

use crate::{
    api::http::{
        body::{self, Body},
        surface,
    },
    domain::mpp::reason::ChargeReason,
};
use axum::{body::Bytes, response::Response};
use failure::MppFailure;

/// The bytes of a body of these routes.
fn bytes(body: Body) -> Result<Bytes, MppFailure> {
    body::read(body).map_err(surface::mpp_failure)
}

/// What every route of the protocol answers where it is not served.
pub(super) async fn disabled() -> Response {
    MppFailure::new(ChargeReason::MppDisabled, ChargeReason::MppDisabled.meaning()).answer()
}
