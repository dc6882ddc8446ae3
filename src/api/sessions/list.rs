//! `GET /sessions`: lists a wallet's sessions.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{Amounts, SignedHeaders, view},
    },
    domain::reason::SessionReason,
    facilitator::{ListRequest, SessionPage},
    wire::{
        opening::{RefusedOpening, public_key},
        session::{ListedSession, SessionList},
    },
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use solana_pubkey::Pubkey;

/// The query, each member once.
#[derive(serde::Deserialize)]
pub(in crate::api) struct ListQuery {
    user: Option<String>,
    asset: Option<String>,
    after: Option<String>,
}

/// Lists a wallet's sessions to that wallet, with their amounts.
pub(in crate::api) async fn list(
    State(app): State<App>,
    query: Result<Query<ListQuery>, QueryRejection>,
    SignedHeaders(read): SignedHeaders,
) -> Result<Json<SessionList>, SessionFailure> {
    let twice = |_| SessionFailure::new(SessionReason::BadRequest, "Each member of the query may stand once.");
    let Query(ListQuery { user, asset, after }) = query.map_err(twice)?;
    let (user, asset) = keys(user.as_deref(), asset.as_deref()).map_err(SessionFailure::of_body)?;
    let page = app.facilitator.list_sessions(&ListRequest { user, asset, after, read }).await;
    let SessionPage { sessions, next } = page.map_err(SessionFailure::of_use_case)?;
    let backings = app.facilitator.backings(&sessions).await.map_err(SessionFailure::of_use_case)?;
    let listed = sessions.iter().zip(backings).map(|(session, backing)| ListedSession {
        session: view(session, Amounts::Shown, backing),
        intent_hash: session.signed.hash().hex(),
    });
    Ok(Json(SessionList { sessions: listed.collect(), next }))
}

fn keys(user: Option<&str>, asset: Option<&str>) -> Result<(Pubkey, Option<Pubkey>), RefusedOpening> {
    let user = user.ok_or_else(|| RefusedOpening::missing("user"))?;
    let user = public_key(user, "user", SessionReason::InvalidUser)?;
    let asset = asset.map(|text| public_key(text, "asset", SessionReason::AssetNotAllowed)).transpose()?;
    Ok((user, asset))
}
