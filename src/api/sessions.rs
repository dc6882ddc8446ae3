//! `POST /sessions`, `GET /sessions/{id}`, `POST /sessions/{id}/allowances`.

use crate::{
    api::{App, error::OpenFailure, extract, extract::Body},
    domain::{
        reason::SessionReason,
        session::{CapCheck, Session, SessionId, SessionState},
        signed,
    },
    facilitator::{ApproveSource, Backing, OpenRequest, ReadRequest, ReadableBalance, Reader, VisibleSession},
    wire::{
        opening::{Approve, Opening},
        session::{RefreshAnswer, RefreshBody, RefreshFor, SessionView},
    },
};
use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};

/// When a signed read was signed, Unix seconds; `?at=` says the same.
pub const READ_AT: &str = "session-read-at";
/// The signature of a signed read, base58; `?signature=` says the same.
pub const READ_SIGNATURE: &str = "session-read-signature";

/// Opens a session; 201 with amounts, because the request carries the user's signature over the cap.
pub(super) async fn open(State(app): State<App>, body: Body) -> Response {
    match ask(&app, body).await {
        Ok((session, backing)) => (StatusCode::CREATED, Json(view(&session, true, backing))).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn ask(app: &App, body: Body) -> Result<(Session, Backing), OpenFailure> {
    let request = request(extract::opening(body)?);
    let session = app.facilitator.open_session(request).await.map_err(OpenFailure::of_use_case)?;
    tracing::Span::current().record("session", session.id.log_hash());
    tracing::info!("session opened");
    let backing = app.facilitator.backing(&session).await.map_err(OpenFailure::of_use_case)?;
    Ok((session, backing))
}

fn request(opening: Opening) -> OpenRequest {
    let Opening { user, asset, recipient, cap, expires_at, network, approve, intent, funding } = opening;
    let approve = match approve {
        Approve::Transaction(base64) => ApproveSource::Transaction(base64),
        Approve::Landed(signature) => ApproveSource::Landed(signature),
    };
    OpenRequest { user, asset, recipient, cap, expires_at, network, approve, intent, funding }
}

/// A signed read in the query, for links.
#[derive(serde::Deserialize)]
pub(super) struct ReadQuery {
    at: Option<String>,
    signature: Option<String>,
}

/// Shows a session; its amounts only to whom the facilitator lets know them.
pub(super) async fn show(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    match look(&app, id, query, &headers).await {
        Ok((session, amounts, backing)) => Json(view(&session, amounts, backing)).into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn look(
    app: &App,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<(Session, bool, Backing), OpenFailure> {
    let id = named_session(id)?;
    let read = read_request(query, headers)?;
    let VisibleSession { session, amounts_visible: amounts } =
        app.facilitator.session(id, read).await.map_err(OpenFailure::of_use_case)?;
    let backing = app.facilitator.backing(&session).await.map_err(OpenFailure::of_use_case)?;
    Ok((session, amounts, backing))
}

/// Makes a balance readable for its owner, who signs the request like a read.
pub(super) async fn refresh(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match make_readable(&app, id, query, &headers, body).await {
        Ok(readable) => Json(RefreshAnswer {
            account: readable.account.to_string(),
            transaction: readable.transaction.map(|signature| signature.to_string()).unwrap_or_default(),
        })
        .into_response(),
        Err(failure) => failure.answer(),
    }
}

async fn make_readable(
    app: &App,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
    body: Body,
) -> Result<ReadableBalance, OpenFailure> {
    let id = named_session(id)?;
    let read = read_request(query, headers)?;
    let body = extract::optional_json::<RefreshBody>(body)?.unwrap_or_default();
    let reader = match body.reader {
        RefreshFor::User => Reader::User,
        RefreshFor::Merchant => Reader::Merchant,
    };
    app.facilitator.make_readable(id, reader, read).await.map_err(OpenFailure::of_use_case)
}

/// The session that a path names.
pub(super) fn named_session(path: Result<Path<String>, PathRejection>) -> Result<SessionId, OpenFailure> {
    session_id(&path.map(|Path(text)| text).unwrap_or_default())
}

/// A session's id; what is not one is nobody's session: the same answer as for an unknown one.
pub(super) fn session_id(text: &str) -> Result<SessionId, OpenFailure> {
    let none = |_| OpenFailure::new(SessionReason::SessionNotFound, SessionReason::SessionNotFound.meaning());
    let id: SessionId = text.parse().map_err(none)?;
    tracing::Span::current().record("session", id.log_hash());
    Ok(id)
}

/// The signed read, from the headers or else from the query.
pub(super) fn read_request(
    query: Result<Query<ReadQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<Option<ReadRequest>, OpenFailure> {
    let malformed = |detail: &str| OpenFailure::new(SessionReason::BadRequest, detail);
    let Query(query) = query.map_err(|_| malformed("The query is not `at` and `signature`, each once."))?;
    let header = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let at = header(READ_AT).or(query.at);
    let signature = header(READ_SIGNATURE).or(query.signature);
    match (at, signature) {
        (None, None) => Ok(None),
        (Some(at), Some(signature)) => Ok(Some(ReadRequest {
            at: seconds(&at).ok_or_else(|| malformed("The read's time must be whole Unix seconds."))?,
            signature: signed::parse_signature(&signature)
                .ok_or_else(|| malformed("The read's signature must be 64 bytes in base58."))?,
        })),
        _ => Err(malformed("A signed read carries both its time and its signature.")),
    }
}

/// Plain digits: the text is signed, so it has one spelling.
fn seconds(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A session as its reader may see it: never the intent, never a signature of it.
pub(super) fn view(session: &Session, amounts: bool, backing: Backing) -> SessionView {
    let told = |amount: crate::domain::amount::Amount| amounts.then(|| amount.to_string());
    let rejected = match session.state {
        SessionState::Rejected(reason) => Some(reason.word().to_owned()),
        SessionState::Opening
        | SessionState::Open
        | SessionState::Expired
        | SessionState::Closing
        | SessionState::Closed
        | SessionState::Superseded
        | SessionState::Revoked => None,
    };
    SessionView {
        session_id: session.id.to_string(),
        user: session.intent.user.to_string(),
        spender: session.intent.spender.to_string(),
        asset: session.intent.asset.to_string(),
        recipient: session.intent.recipient.to_string(),
        cap: told(session.intent.cap),
        spent: told(session.spent()),
        captured: told(session.captured),
        held: told(session.held),
        remaining: told(session.remaining()),
        expiration_unix: session.intent.expires_at,
        network: session.intent.network.clone(),
        approve_tx_signature: session.approve.map(|signature| signature.to_string()),
        state: Some(session.state.word().to_owned()),
        rejected_reason: rejected,
        cap_verified: Some(session.cap_check == CapCheck::Verified),
        funding: Some(backing.funding.word().to_owned()),
        frozen: backing.frozen.then_some(true),
        session_key: session.intent.session_key.map(|key| key.to_string()),
    }
}
