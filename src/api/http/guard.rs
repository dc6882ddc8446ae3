//! What every request passes before its handler: the rate limit of its address, the concurrency limit of its address, the
//! reading of its body, and then the concurrency limit of all work.
//!
//! The order is the promise. A body is read under a deadline of its own and *before* a permit to work is taken, so a
//! caller who sends it slowly keeps a permit of their own address and nobody else's. Inside, an answer has a deadline
//! too, and whatever goes wrong is told in the surface's own format. A body that came in one piece is passed on as that
//! piece.

use crate::{
    api::http::{
        concurrency::{CallerConcurrency, ConcurrencyPermit},
        rate_limit::{Counted, RateLimits},
        surface::{Fault, RouteSurface},
    },
    domain::addresses::caller_prefix,
};
use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    http::{HeaderMap, Method, header::CONTENT_ENCODING},
    middleware::Next,
    response::Response,
};
use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// The size and the times that bound one request.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct RequestLimits {
    /// The largest body, in bytes.
    pub(in crate::api) body: usize,
    /// How long all of it may take to come.
    pub(in crate::api) body_within: Duration,
    /// How long the answer may take from then on.
    pub(in crate::api) answer_within: Duration,
}

/// The limits per caller: requests in a time, and requests at the same time.
#[derive(Clone)]
pub(in crate::api) struct CallerLimits {
    pub(in crate::api) rates: Arc<RateLimits>,
    pub(in crate::api) concurrency: Arc<CallerConcurrency>,
}

/// The limits of one route.
pub(in crate::api) struct Guard {
    pub(in crate::api) surface: RouteSurface,
    /// None where callers are not counted.
    pub(in crate::api) callers: Option<CallerLimits>,
    /// Which rate limit a `POST` of the route counts against.
    pub(in crate::api) counted_as: Counted,
    /// How many requests are worked on at once, over all callers.
    pub(in crate::api) work: Arc<Semaphore>,
    pub(in crate::api) limits: RequestLimits,
}

/// Why a request has no answer of its handler, and when to come back, in seconds.
struct Refused(Fault, Option<u64>);

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self(fault, None)
    }
}

/// Lets a request pass to its handler, or answers it here.
pub(in crate::api) async fn guarded(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.pass(request, next).await {
        Ok(response) => response,
        Err(Refused(fault, retry_after)) => guard.surface.refuse_until(fault, retry_after),
    }
}

impl Guard {
    async fn pass(&self, request: Request, next: Next) -> Result<Response, Refused> {
        let has_body = request.method() == Method::POST;
        let _callers_permit = self.admit(&request, if has_body { self.counted_as } else { Counted::Request })?;
        let mut timer = std::pin::pin!(tokio::time::sleep(self.limits.body_within));
        let request = if has_body {
            let (head, body) = request.into_parts();
            if is_encoded(&head.headers) {
                return Err(Fault::Encoded.into());
            }
            let read = tokio::select! {
                biased;
                read = read(body, self.limits.body) => read?,
                () = timer.as_mut() => return Err(Fault::BodyTimedOut.into()),
            };
            Request::from_parts(head, Body::from(read))
        } else {
            request
        };
        let Ok(_work_permit) = self.work.try_acquire() else { return Err(Fault::Overloaded.into()) };
        // A new one, because a timer costs nothing until it is waited for, and most answers come sooner.
        timer.set(tokio::time::sleep(self.limits.answer_within));
        tokio::select! {
            biased;
            answer = next.run(request) => Ok(answer),
            () = timer => Err(Fault::TimedOut.into()),
        }
    }

    /// Counts the request against its address.
    fn admit(&self, request: &Request, counted_as: Counted) -> Result<Option<ConcurrencyPermit>, Refused> {
        let Some(CallerLimits { rates, concurrency }) = &self.callers else { return Ok(None) };
        let Some(caller) = rates.caller(request.extensions(), request.headers()).map(caller_prefix) else {
            return Ok(None);
        };
        rates.take(caller, counted_as).map_err(|seconds| Refused(Fault::TooOften, Some(seconds)))?;
        concurrency.admit(caller).map_err(|_| Refused(Fault::TooOften, Some(1)))
    }
}

/// Whether a body is not as it stands: it would be read as JSON that is none, and its length says nothing of what it holds.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The whole body, of at most `most` bytes.
async fn read(mut body: Body, most: usize) -> Result<Bytes, Fault> {
    // A body whose announced length is too large is not read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |told| told > most) {
        return Err(Fault::TooLarge);
    }
    let (mut first, mut rest) = (Bytes::new(), Vec::new());
    while !body.is_end_stream() {
        let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await else { break };
        // Trailers are nothing to us.
        let Ok(piece) = frame.map_err(|_| Fault::BrokenOff)?.into_data() else { continue };
        if piece.len() > most - first.len() - rest.len() {
            return Err(Fault::TooLarge);
        }
        if first.is_empty() {
            first = piece;
        } else {
            rest.extend_from_slice(&piece);
        }
    }
    Ok(if rest.is_empty() { first } else { [first.as_ref(), &rest].concat().into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;

    fn pieces(pieces: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(
            pieces.iter().map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes()))),
        ))
    }

    #[tokio::test]
    async fn a_body_is_put_together_and_bounded_to_the_byte() {
        assert_eq!(read(Body::empty(), 0).await, Ok(Bytes::new()));
        assert_eq!(read(Body::from("whole"), 5).await, Ok(Bytes::from("whole")));
        assert_eq!(read(Body::from("whole"), 4).await, Err(Fault::TooLarge));
        assert_eq!(read(pieces(&["in ", "", "three ", "pieces"]), 15).await, Ok(Bytes::from("in three pieces")));
        assert_eq!(read(pieces(&["in ", "", "three ", "pieces"]), 14).await, Err(Fault::TooLarge));
    }
}
