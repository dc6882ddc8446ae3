//! The routes of channels, which the protocol calls sessions, one file each.
//!
//! The published client reads the body of every answer and no status, so a refusal that is a matter of business has status 200;
//! what asks the caller to come back has its own status beside the same body.

pub(in crate::api) mod close;
pub(in crate::api) mod failure;
pub(in crate::api) mod open;
pub(in crate::api) mod show;
pub(in crate::api) mod voucher;

use crate::{
    api::http::{
        body::{self, Body},
        surface,
    },
    facilitator::SentSignIn,
    wire::mpp::siwx::{SIGN_IN_WITH_X, SignedIn},
};
use axum::{body::Bytes, http::HeaderMap};
use failure::SessionRouteFailure;

/// The bytes of a body of these routes.
fn bytes(body: Body) -> Result<Bytes, SessionRouteFailure> {
    body::read(body).map_err(surface::channel_failure)
}

/// What a wallet has signed that was sent along, in the header or in the body. What is none of that is nothing.
fn proofs(headers: &HeaderMap, body: Option<&str>) -> Vec<SentSignIn> {
    let header = headers.get(SIGN_IN_WITH_X).and_then(|value| value.to_str().ok());
    let decoded = header.into_iter().chain(body).filter_map(|text| SignedIn::decode(Some(text)).ok());
    decoded.map(|SignedIn { sign_in, signature }| SentSignIn { sign_in, signature }).collect()
}
