//! `GET /sessions`: lists a wallet's sessions.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{Amounts, SignedHeaders, approval_view, view},
    },
    domain::reason::SessionReason,
    facilitator::{ListRequest, SessionPage},
    wire::{
        opening::{RefusedOpening, public_key},
        session::{ListedApproval, ListedSession, SessionList, SessionView},
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
    let SessionPage { sessions, approvals, standing, next } = page.map_err(SessionFailure::of_use_case)?;
    let backings = app.facilitator.backings(&sessions).await.map_err(SessionFailure::of_use_case)?;
    let listed = sessions.iter().zip(backings).zip(approvals).map(|((session, backing), approval)| {
        let shown = view(session, Amounts::Shown, backing);
        ListedSession {
            session: SessionView { approval: approval.as_ref().map(approval_view), ..shown },
            intent_hash: session.signed.hash().hex(),
        }
    });
    let approvals = standing.iter().map(|approval| ListedApproval {
        approval: approval_view(approval),
        asset: approval.asset.to_string(),
        sessions: approval.live,
    });
    Ok(Json(SessionList { sessions: listed.collect(), approvals: approvals.collect(), next }))
}

fn keys(user: Option<&str>, asset: Option<&str>) -> Result<(Pubkey, Option<Pubkey>), RefusedOpening> {
    let user = user.ok_or_else(|| RefusedOpening::missing("user"))?;
    let user = public_key(user, "user", SessionReason::InvalidUser)?;
    let asset = asset.map(|text| public_key(text, "asset", SessionReason::AssetNotAllowed)).transpose()?;
    Ok((user, asset))
}
