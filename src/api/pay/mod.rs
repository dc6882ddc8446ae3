//! The routes below `/pay`, one file each: single payments, outside any session.

pub(super) mod get_amount;
pub(super) mod settle;
pub(super) mod verify;

use crate::{
    api::{App, error::PayFailure},
    domain::reason::PayReason,
    wire::{pay::Served, payment::Refused},
};
use axum::http::StatusCode;

/// What bodies are held against.
fn served(app: &App) -> Served<'_> {
    Served { network: &app.network, asset: app.asset, decimals: app.decimals }
}

/// A body that is no request of these routes.
fn of_body(app: &App, refused: &Refused) -> PayFailure {
    PayFailure::of_body(refused, app.network.alias()).refused_with(StatusCode::BAD_REQUEST)
}

/// A request whose query holds a member twice.
fn of_query(app: &App) -> PayFailure {
    PayFailure::new(PayReason::BadRequest, "Each member of the query may stand once.", app.network.alias())
}
