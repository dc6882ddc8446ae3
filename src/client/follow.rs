//! What a payer does after paying: ask what became of a payment, listen to the session, close it.
//!
//! Every request is signed by the session key where there is one, so that nobody else learns amounts or ends the session.

use crate::{
    client::{
        facilitator::{FacilitatorError, FacilitatorHttp},
        pay::Payment,
        saved::OpenSession,
    },
    domain::{
        chance::{self, Chance},
        clock::Clock,
        reason::SessionReason,
        signed,
    },
    wire::{
        payments::{CloseAnswer, CloseBody, EventBody, PaymentView},
        session::SessionRefusalBody,
    },
};
use std::fmt;

/// Why the facilitator told nothing.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It gave no usable answer.
    #[error(transparent)]
    Facilitator(#[from] FacilitatorError),
    /// It said no.
    #[error("the facilitator refused: {} ({})", .0.message, .0.error)]
    Refused(SessionRefusalBody),
    /// Only the wallet could sign this.
    #[error("the session has no session key, so only its wallet can close it")]
    NoSessionKey,
    /// What came back is about something else.
    #[error("the facilitator answered for another session")]
    OtherSession,
}

/// What the facilitator has of a payment, whatever a merchant says of it.
#[derive(Debug)]
pub enum Fate {
    /// It has the payment; `state` tells whether it is held, pending, captured, released or lost. To make another one in
    /// its place is to pay twice, unless this one was released.
    Recorded(Box<PaymentView>),
    /// It has none with this nonce: nothing has moved. Who has the payment's header can still have it settled, once, until
    /// its authorisation expires.
    NoRecord,
    /// It did not tell.
    Untold(FollowError),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded(view) => write!(f, "the facilitator has it as {}", view.state),
            Self::NoRecord => f.write_str("the facilitator has no such payment"),
            Self::Untold(error) => write!(f, "whether the facilitator has it is not known ({error})"),
        }
    }
}

/// One thing that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct News {
    /// Where to go on after it; news of the balance has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `accepted`, `signed`, `captured`, `settled`, `taken_back`, `released`, `lost`, `state` or `funding`.
    pub event: String,
    /// What it is about.
    #[serde(flatten)]
    pub body: EventBody,
}

/// The longest event that is read, in bytes.
const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

/// What happens to a session, as it happens.
#[derive(Debug)]
pub struct Listener {
    response: reqwest::Response,
    unread: Vec<u8>,
}

/// What became of a payment, by its id or its nonce.
pub async fn payment(session: &OpenSession, name: &str, clock: &dyn Clock) -> Result<PaymentView, FollowError> {
    let http = FacilitatorHttp::new(&session.facilitator)?;
    let view = http.payment(session.id, name, session.sign_read(clock.now())).await?.map_err(FollowError::Refused)?;
    if view.session_id == session.id.to_string() { Ok(view) } else { Err(FollowError::OtherSession) }
}

/// What the facilitator has of a payment that was sent.
pub async fn fate(session: &OpenSession, sent: &Payment, clock: &dyn Clock) -> Fate {
    match payment(session, &sent.nonce, clock).await {
        Ok(view) => Fate::Recorded(Box::new(view)),
        Err(FollowError::Refused(refusal)) if refusal.error == SessionReason::PaymentNotFound.word() => Fate::NoRecord,
        Err(error) => Fate::Untold(error),
    }
}

/// Closes the session: it accepts nothing more, and what it holds is settled. Answered with the final totals, or with how
/// it stands when that takes long; asked again it tells again.
pub async fn close(session: &OpenSession, chance: &dyn Chance) -> Result<CloseAnswer, FollowError> {
    let authority = session.authority.as_ref().ok_or(FollowError::NoSessionKey)?;
    let nonce = hex::encode(chance::draw::<16>(chance));
    let message = signed::close_message(&authority.intent, session.id, &nonce);
    let body = CloseBody { nonce, signature: bs58::encode(authority.key.sign(message.as_bytes())).into_string() };
    let http = FacilitatorHttp::new(&session.facilitator)?;
    let answer = http.close(session.id, &body).await?.map_err(FollowError::Refused)?;
    if answer.session.session_id == session.id.to_string() { Ok(answer) } else { Err(FollowError::OtherSession) }
}

/// Listens to the session: after the event of this id, from the beginning with `0-0`, else from now on.
pub async fn listen(session: &OpenSession, after: Option<&str>, clock: &dyn Clock) -> Result<Listener, FollowError> {
    let http = FacilitatorHttp::new(&session.facilitator)?;
    let response =
        http.events(session.id, after, session.sign_read(clock.now())).await?.map_err(FollowError::Refused)?;
    Ok(Listener { response, unread: Vec::new() })
}

impl Listener {
    /// The next thing that happens; `None` when the session is closed or the facilitator leaves: come back with the id of
    /// the last one.
    pub async fn next(&mut self) -> Result<Option<News>, FacilitatorError> {
        loop {
            if let Some(end) = find(&self.unread, b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                match parse(&event)? {
                    Some(news) => return Ok(Some(news)),
                    // A heartbeat.
                    None => continue,
                }
            }
            if self.unread.len() > MAX_EVENT_BYTES {
                return Err(malformed(None));
            }
            match self.response.chunk().await.map_err(|error| FacilitatorError::Unreachable(error.without_url()))? {
                Some(bytes) => self.unread.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn malformed(source: Option<Box<dyn std::error::Error + Send + Sync>>) -> FacilitatorError {
    FacilitatorError::Malformed { status: 200, source }
}

/// An event of the facilitator's own form: each field on one line; `None` for a comment.
fn parse(event: &[u8]) -> Result<Option<News>, FacilitatorError> {
    let text = std::str::from_utf8(event).map_err(|error| malformed(Some(Box::new(error))))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned())
    };
    let (Some(event), Some(json)) = (field("event"), field("data")) else { return Ok(None) };
    let body = serde_json::from_str(&json).map_err(|error| malformed(Some(Box::new(error))))?;
    Ok(Some(News { id: field("id"), event, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_and_a_heartbeat_is_none() {
        let news = parse(b"event: captured\ndata: {\"transaction\":\"x\"}\nid: 3-17\n\n").unwrap().unwrap();
        assert_eq!((news.id.as_deref(), news.event.as_str()), (Some("3-17"), "captured"));
        assert_eq!(news.body.transaction.as_deref(), Some("x"));
        assert!(parse(b":\n\n").unwrap().is_none());
        assert!(parse(b"event: captured\ndata: {\n\n").is_err());
        assert!(parse(b"event: \xff\n\n").is_err());
    }
}
