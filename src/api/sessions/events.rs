//! `GET /sessions/{id}/events`: what happens to a session, as server-sent events.
//!
//! Promises: every event of the log arrives in its order and with an id, whatever was missed meanwhile, because the log is
//! read and the bus only says when. A client that comes back with `Last-Event-ID` goes on where it was. The stream ends
//! when the session is closed, when its client goes, when somebody who holds fewer streams needs the place, or when we leave.

use crate::{
    api::{
        App,
        error::SessionFailure,
        sessions::{SessionPath, SignedRead},
    },
    domain::{
        addresses::caller_prefix,
        history::{Happened, Progress},
        hold::HoldId,
        reason::SessionReason,
        session::{SessionId, SessionState},
    },
    facilitator::{Facilitator, Listening, SessionEvent},
    wire::payments::EventBody,
};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{Extensions, HeaderMap, HeaderValue},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

/// Where a client that comes back says how far it was; `?after=` says the same.
pub(in crate::api) const LAST_EVENT_ID: &str = "last-event-id";
/// How often a quiet stream is kept alive, and the log looked at in case that news was lost.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How much of the log is read at once.
const BATCH: usize = 256;

/// Where to begin, in the query, for links.
#[derive(serde::Deserialize)]
pub(in crate::api) struct AfterQuery {
    after: Option<String>,
}

/// Listens to a session.
pub(in crate::api) async fn listen(
    State(app): State<App>,
    SessionPath(session): SessionPath,
    SignedRead(read): SignedRead,
    after: Result<Query<AfterQuery>, QueryRejection>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<Response, SessionFailure> {
    let address = app.rates.caller(&extensions, &headers).map(caller_prefix);
    let malformed = |_| SessionFailure::new(SessionReason::BadRequest, "The query cannot be read.");
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or_default().to_owned());
    let after = header.or(after.map_err(malformed)?.0.after);
    let begun = app.facilitator.listen(session, read, after.as_deref(), address).await;
    let begun = begun.map_err(SessionFailure::of_use_case)?;
    let facilitator = Arc::clone(&app.facilitator);
    let listener = Listener { facilitator, session, begun, ready: VecDeque::new(), over: false };
    let mut response = Sse::new(listener.stream()).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // A proxy that buffers tells nothing until its buffer is full; nginx asks for this.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// One stream.
struct Listener {
    facilitator: Arc<Facilitator>,
    session: SessionId,
    begun: Listening,
    ready: VecDeque<Event>,
    over: bool,
}

impl Listener {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut listener| async move { listener.next().await.map(|event| (Ok(event), listener)) })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.read_log().await?;
            if self.ready.is_empty() && !self.over {
                if self.begun.ended {
                    return None;
                }
                self.wait().await?;
            }
        }
    }

    /// Takes over what the log has; `None` when it cannot be read, so that the client comes back later.
    async fn read_log(&mut self) -> Option<()> {
        let history = self.facilitator.history(self.session, self.begun.after, BATCH).await;
        let history = history.inspect_err(|error| tracing::warn!(%error, "a listener is sent away")).ok()?;
        self.begun.after = history.upto;
        for (position, happened) in history.events {
            // Nothing comes after these two; a repeated look at a session that ended earlier ends at its first rest.
            self.over |= matches!(happened, Happened::State(SessionState::Closed | SessionState::Rejected(_)));
            let (name, body) = named_body(happened);
            let id = self.facilitator.event_id(self.session, position);
            self.ready.extend(event(name, &body).map(|event| event.id(id)));
        }
        Some(())
    }

    /// Waits for news; `None` when we leave.
    async fn wait(&mut self) -> Option<()> {
        match tokio::time::timeout(HEARTBEAT, self.begun.news.next()).await {
            Ok(Some(SessionEvent::Funding(funding))) => {
                let body = EventBody { funding: Some(funding.word().to_owned()), ..EventBody::default() };
                self.ready.extend(event("funding", &body));
                Some(())
            }
            Ok(Some(SessionEvent::Recorded)) | Err(_) => Some(()),
            Ok(None) => None,
        }
    }
}

/// Texts and whole numbers: serialising cannot fail.
fn event(name: &'static str, body: &EventBody) -> Option<Event> {
    Event::default().event(name).json_data(body).ok()
}

fn ids(payments: &[HoldId]) -> Vec<String> {
    payments.iter().map(ToString::to_string).collect()
}

/// The event's name and body.
fn named_body(happened: Happened) -> (&'static str, EventBody) {
    let nothing = EventBody::default();
    match happened {
        Happened::Accepted { payment, amount, deferred, at } => (
            "accepted",
            EventBody {
                payment: Some(payment.to_string()),
                amount: Some(amount.to_string()),
                deferred: Some(deferred),
                at: Some(at),
                ..nothing
            },
        ),
        Happened::Settlement { id, progress, transaction, payments, kept, at } => {
            let (name, reason) = match progress {
                Progress::Signed => ("signed", None),
                Progress::Landed => ("captured", None),
                Progress::Final => ("settled", None),
                Progress::TakenBack => ("taken_back", None),
                Progress::Failed(reason) => ("released", Some(reason.word().to_owned())),
            };
            let kept = if kept.is_empty() { None } else { Some(ids(&kept)) };
            let body = EventBody {
                settlement: Some(id.to_string()),
                transaction: transaction.map(|signature| signature.to_string()),
                payments: Some(ids(&payments)),
                kept,
                reason,
                at: Some(at),
                ..nothing
            };
            (name, body)
        }
        Happened::Ended { payment, lost, reason, transaction } => (
            if lost { "lost" } else { "released" },
            EventBody {
                payments: Some(ids(&[payment])),
                reason: Some(reason.word().to_owned()),
                transaction: transaction.map(|signature| signature.to_string()),
                ..nothing
            },
        ),
        Happened::State(state) => ("state", EventBody { state: Some(state.word().to_owned()), ..nothing }),
    }
}
