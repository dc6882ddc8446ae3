//! `GET /sessions`: lists a wallet's sessions.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{Amounts, SignedHeaders, view},
    },
    domain::{reason::SessionReason, signed::parse_key},
    facilitator::{ListRequest, SessionPage},
    wire::session::{ListedSession, SessionList},
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
    let user = user.ok_or_else(|| SessionFailure::missing("user"))?;
    let user = key(&user, SessionReason::InvalidUser, "`user`")?;
    let asset = asset.map(|text| key(&text, SessionReason::AssetNotAllowed, "`asset`")).transpose()?;
    let page = app.facilitator.list_sessions(&ListRequest { user, asset, after, read }).await;
    let SessionPage { sessions, next } = page.map_err(SessionFailure::of_use_case)?;
    let mut listed = Vec::with_capacity(sessions.len());
    for session in sessions {
        let backing = app.facilitator.backing(&session).await.map_err(SessionFailure::of_use_case)?;
        let intent_hash = session.signed.hash().hex();
        listed.push(ListedSession { session: view(&session, Amounts::Shown, backing), intent_hash });
    }
    Ok(Json(SessionList { sessions: listed, next }))
}

fn key(text: &str, reason: SessionReason, member: &str) -> Result<Pubkey, SessionFailure> {
    let detail = || format!("{member} must be a base58 public key of 32 bytes.");
    parse_key(text).ok_or_else(|| SessionFailure::new(reason, detail()))
}
