//! The facilitator as a payer sees it: `/supported`, `/sessions` and the routes below it.
//!
//! Every call has a deadline, no answer fills the memory, and redirects are not followed: what a payer signs goes
//! where they said and nowhere else.

use crate::{
    client::body::{BodyError, BoundedBody},
    domain::{clock::UnixSeconds, session::SessionId, unreachable::why},
    wire::{
        facilitator::SupportedAnswer,
        funding::FundingBody,
        json,
        pay::PayRefusalBody,
        payments::{CloseAllAnswer, CloseAllBody, CloseAnswer, CloseBody, PaymentView},
        prepare::{PrepareAnswer, PrepareBody},
        revoke::{RevokeAnswer, RevokeBody, RevokeOffer},
        session::{
            OpenSessionBody, RefreshAnswer, RefreshBody, RefreshFor, SessionList, SessionRefusalBody, SessionView,
        },
    },
};
use reqwest::{RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::de::DeserializeOwned;
use solana_pubkey::Pubkey;
use std::time::Duration;

/// The longest answer that is read, in bytes; a page of fifty sessions is half as long.
const MAX_ANSWER_BYTES: u64 = 128 * 1024;
/// The longest answer to a close of all sessions, in bytes: of some ten thousand.
const MAX_CLOSES_BYTES: u64 = 8 * 1024 * 1024;
/// One call, connection and body included; the facilitator itself answers within 30 seconds.
const DEADLINE: Duration = Duration::from_secs(45);
/// A close waits until what is held is settled, at most as long as the facilitator's longest answer.
const CLOSE_DEADLINE: Duration = Duration::from_secs(310);
/// A stream has no end of its own.
const STREAM_DEADLINE: Duration = Duration::from_hours(24 * 365);
/// A signed read's time and signature, as the facilitator's API names them.
const READ_AT: &str = "session-read-at";
const READ_SIGNATURE: &str = "session-read-signature";
/// Where a stream goes on.
const LAST_EVENT_ID: &str = "last-event-id";

/// Why a facilitator gave no usable answer. Names no URL: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum FacilitatorError {
    /// Not an absolute `http` or `https` URL.
    #[error("the facilitator's URL is not an http or https URL")]
    Url,
    /// No answer: refused connection, broken connection, deadline, no TLS.
    #[error("the facilitator did not answer: {}", why(.0))]
    Unreachable(#[source] reqwest::Error),
    /// Not the documented JSON, or more of it than we read.
    #[error("the facilitator's answer is malformed (HTTP {status})")]
    Malformed {
        /// The HTTP status it came with.
        status: u16,
        /// What is wrong with it.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// When a read was signed, and its signature.
pub(super) type Signed = (UnixSeconds, [u8; 64]);

/// An answer, or a facilitator's no.
pub(super) type Told<T> = Result<Result<T, SessionRefusalBody>, FacilitatorError>;

/// What came back for a session.
#[derive(Debug)]
pub(super) enum SessionAnswer {
    /// The session.
    Session(Box<SessionView>),
    /// A refusal, and what its status says about coming back.
    Refused(Refused),
}

/// What came back for a balance.
#[derive(Debug)]
pub(super) enum RefreshReply {
    /// It is readable.
    Readable(RefreshAnswer),
    /// A refusal, and what its status says about coming back.
    Refused(Refused),
}

/// What came back for an approve in the making.
#[derive(Debug)]
pub(super) enum PrepareReply {
    /// What it needs of the chain.
    Told(PrepareAnswer),
    /// The facilitator has no such route.
    NotServed,
    /// A refusal, and what its status says about coming back.
    Refused(Refused),
}

/// A facilitator's no.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) body: SessionRefusalBody,
    /// 429, 502, 503 or 504: the same request may succeed later.
    pub(super) may_pass: bool,
    /// How long the facilitator wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// A no of a route below `/pay`.
#[derive(Debug)]
pub(super) struct PayRefused {
    pub(super) body: PayRefusalBody,
    /// 408, 429 or 5xx: the same request may succeed later.
    pub(super) may_pass: bool,
    /// How long the facilitator wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct FacilitatorHttp {
    http: reqwest::Client,
    base: Url,
}

impl FacilitatorHttp {
    pub(super) fn new(url: &str) -> Result<Self, FacilitatorError> {
        let (http, base) = connect(url, DEADLINE)?;
        Ok(Self { http, base })
    }

    pub(super) async fn supported(&self) -> Result<SupportedAnswer, FacilitatorError> {
        read(&send(self.http.get(self.at("/supported"))).await?)
    }

    pub(super) async fn open(&self, path: &str, body: &OpenSessionBody) -> Result<SessionAnswer, FacilitatorError> {
        session_answer(&send(self.http.post(self.at(path)).json(body)).await?)
    }

    /// Asks what an approve needs of the chain, below the path where sessions are opened.
    pub(super) async fn prepare(&self, sessions: &str, body: &PrepareBody) -> Result<PrepareReply, FacilitatorError> {
        let answer = send(self.http.post(self.at(&format!("{sessions}/prepare"))).json(body)).await?;
        match answer.status {
            status if status.is_success() => read(&answer).map(PrepareReply::Told),
            // Where sessions are shown by their id, `prepare` is none, and the path has another method.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(PrepareReply::NotServed),
            _ => refused(&answer).map(PrepareReply::Refused),
        }
    }

    /// Shows a session; amounts only to a signed request, where the facilitator wants one.
    pub(super) async fn session(
        &self,
        id: SessionId,
        signed: Option<(UnixSeconds, [u8; 64])>,
    ) -> Result<SessionAnswer, FacilitatorError> {
        let request = self.http.get(self.at(&format!("/sessions/{id}")));
        session_answer(&send(signed_by(request, signed)).await?)
    }

    /// What became of a payment, by its id or nonce.
    pub(super) async fn payment(&self, id: SessionId, name: &str, signed: Option<Signed>) -> Told<PaymentView> {
        let mut url = self.at(&format!("/sessions/{id}/payments"));
        // A nonce may hold anything printable; as a segment of its own it is escaped.
        url.path_segments_mut().map_err(|()| FacilitatorError::Url)?.push(name);
        told(&send(signed_by(self.http.get(url), signed)).await?)
    }

    /// Closes a session.
    pub(super) async fn close(&self, id: SessionId, body: &CloseBody) -> Told<CloseAnswer> {
        let request = self.http.post(self.at(&format!("/sessions/{id}/close"))).json(body);
        told(&send(request.timeout(CLOSE_DEADLINE)).await?)
    }

    /// A page of a wallet's sessions.
    pub(super) async fn list(
        &self,
        user: &Pubkey,
        asset: &Pubkey,
        after: Option<&str>,
        signed: Signed,
    ) -> Told<SessionList> {
        let mut url = self.at("/sessions");
        url.query_pairs_mut().append_pair("user", &user.to_string()).append_pair("asset", &asset.to_string());
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", after);
        }
        told(&send(signed_by(self.http.get(url), Some(signed))).await?)
    }

    /// Closes all sessions of a wallet and asset.
    pub(super) async fn close_all(&self, body: &CloseAllBody) -> Told<CloseAllAnswer> {
        let request = self.http.post(self.at("/sessions/close")).json(body).timeout(CLOSE_DEADLINE);
        told(&collect(request.send().await.map_err(unreachable)?, MAX_CLOSES_BYTES).await?)
    }

    /// The unsigned revoke of a wallet's delegation; asked for like a close of all sessions.
    pub(super) async fn revoke_offer(&self, body: &CloseAllBody) -> Told<RevokeOffer> {
        told(&send(self.http.post(self.at("/sessions/revoke-offer")).json(body)).await?)
    }

    /// Has a signed revoke carried out.
    pub(super) async fn revoke(&self, body: &RevokeBody) -> Result<Result<RevokeAnswer, Refused>, FacilitatorError> {
        let answer = send(self.http.post(self.at("/sessions/revoke")).json(body)).await?;
        if answer.status.is_success() { read(&answer).map(Ok) } else { refused(&answer).map(Err) }
    }

    /// The stream of what happens to a session.
    pub(super) async fn events(&self, id: SessionId, after: Option<&str>, signed: Option<Signed>) -> Told<Response> {
        let mut request = signed_by(self.http.get(self.at(&format!("/sessions/{id}/events"))), signed);
        if let Some(after) = after {
            request = request.header(LAST_EVENT_ID, after);
        }
        let response = request.timeout(STREAM_DEADLINE).send().await.map_err(unreachable)?;
        if response.status().is_success() {
            Ok(Ok(response))
        } else {
            Ok(Err(read(&collect(response, MAX_ANSWER_BYTES).await?)?))
        }
    }

    /// Asks for a balance to be made readable; signed like a read.
    pub(super) async fn refresh(
        &self,
        id: SessionId,
        reader: RefreshFor,
        (at, signature): (UnixSeconds, [u8; 64]),
    ) -> Result<RefreshReply, FacilitatorError> {
        let request = self
            .http
            .post(self.at(&format!("/sessions/{id}/allowances")))
            .header(READ_AT, at)
            .header(READ_SIGNATURE, bs58::encode(signature).into_string())
            .json(&RefreshBody { reader });
        let answer = send(request).await?;
        if answer.status.is_success() {
            return read(&answer).map(RefreshReply::Readable);
        }
        refused(&answer).map(RefreshReply::Refused)
    }

    pub(super) async fn prove_funding(
        &self,
        id: SessionId,
        body: &FundingBody,
    ) -> Result<SessionAnswer, FacilitatorError> {
        session_answer(&send(self.http.post(self.at(&format!("/sessions/{id}/funding"))).json(body)).await?)
    }

    /// Asks one of the routes below `/pay`.
    pub(super) async fn pay<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Result<T, PayRefused>, FacilitatorError> {
        let answer = send(self.http.post(self.at(path)).json(body)).await?;
        if answer.status.is_success() {
            return read(&answer).map(Ok);
        }
        let may_pass = may_pass(answer.status);
        let body = match read(&answer) {
            Ok(body) => body,
            Err(_) if may_pass => {
                let SessionRefusalBody { error, message, .. } = not_ready(answer.status);
                PayRefusalBody { reason: error, message, transaction: String::new() }
            }
            Err(error) => return Err(error),
        };
        Ok(Err(PayRefused { body, may_pass, retry_after: answer.retry_after }))
    }

    /// A path below the base, whether or not the base ends with a slash.
    fn at(&self, path: &str) -> Url {
        below(&self.base, path)
    }
}

/// What reaches the facilitator at `url`, each call within `deadline`. Redirects are not followed: what a payer signs goes where they
/// said and nowhere else.
pub(super) fn connect(url: &str, deadline: Duration) -> Result<(reqwest::Client, Url), FacilitatorError> {
    let base = Url::parse(url).map_err(|_| FacilitatorError::Url)?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(FacilitatorError::Url);
    }
    let http = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(deadline)
        .user_agent(concat!("sotto/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(unreachable)?;
    Ok((http, base))
}

/// A path below a base, whether or not the base ends with a slash.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

fn unreachable(error: reqwest::Error) -> FacilitatorError {
    FacilitatorError::Unreachable(error.without_url())
}

fn signed_by(request: RequestBuilder, signed: Option<Signed>) -> RequestBuilder {
    match signed {
        Some((at, signature)) => {
            request.header(READ_AT, at).header(READ_SIGNATURE, bs58::encode(signature).into_string())
        }
        None => request,
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, FacilitatorError> {
    collect(request.send().await.map_err(unreachable)?, MAX_ANSWER_BYTES).await
}

/// Reads an answer of at most `most` bytes.
async fn collect(response: Response, most: u64) -> Result<Answer, FacilitatorError> {
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = BoundedBody::of(response, most).bytes().await.map_err(|error| match error {
        BodyError::TooLong(_) => FacilitatorError::Malformed { status: status.as_u16(), source: Some(Box::new(error)) },
        BodyError::Broken(error) => FacilitatorError::Unreachable(error),
    })?;
    Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), body })
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, FacilitatorError> {
    let malformed = |source| FacilitatorError::Malformed { status: answer.status.as_u16(), source: Some(source) };
    let value = json::read(&answer.body).map_err(|error| malformed(Box::new(error)))?;
    serde_json::from_value(value).map_err(|error| malformed(Box::new(error)))
}

fn told<T: DeserializeOwned>(answer: &Answer) -> Told<T> {
    if answer.status.is_success() { read(answer).map(Ok) } else { read(answer).map(Err) }
}

fn session_answer(answer: &Answer) -> Result<SessionAnswer, FacilitatorError> {
    if answer.status.is_success() {
        return read(answer).map(Box::new).map(SessionAnswer::Session);
    }
    refused(answer).map(SessionAnswer::Refused)
}

fn refused(answer: &Answer) -> Result<Refused, FacilitatorError> {
    let may_pass = may_pass(answer.status);
    let body = match read(answer) {
        Ok(body) => body,
        Err(_) if may_pass => not_ready(answer.status),
        Err(error) => return Err(error),
    };
    Ok(Refused { body, may_pass, retry_after: answer.retry_after })
}

/// 500 is no word about what was sent: it may be under way.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// A proxy between us answers in its own words while the facilitator restarts.
fn not_ready(status: StatusCode) -> SessionRefusalBody {
    SessionRefusalBody {
        error: format!("http_{}", status.as_u16()),
        message: "The facilitator is not ready to answer.".to_owned(),
        session_id: None,
    }
}
