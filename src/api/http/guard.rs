//! What every request passes before its handler: the rate of its address, a share of the places for that address, its
//! body, and then one of the places in which work is done.
//!
//! The order is the promise. A body is read under a deadline of its own and *before* a place to work in is taken, so
//! whoever dawdles over it keeps a place of his own address and nobody else's. Inside, an answer has a deadline too, and
//! whatever goes wrong is told in the surface's own format. A body that came in one piece
//! is passed on as that piece.

use crate::{
    api::http::{
        concurrency::{Callers, Place},
        rate_limit::Rates,
        surface::{Edge, Fault},
    },
    domain::addresses::caller_prefix,
};
use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use std::{future::poll_fn, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What one request may take up.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Allowed {
    /// The largest body, in bytes.
    pub(in crate::api) body: usize,
    /// How long all of it may take to come.
    pub(in crate::api) body_within: Duration,
    /// How long the answer may take from then on.
    pub(in crate::api) answer_within: Duration,
}

/// Who asks, and how much of everything he takes up.
#[derive(Clone)]
pub(in crate::api) struct Counting {
    pub(in crate::api) rates: Arc<Rates>,
    pub(in crate::api) callers: Arc<Callers>,
}

/// One route's guard.
pub(in crate::api) struct Guard {
    pub(in crate::api) edge: Edge,
    /// None where callers are not counted.
    pub(in crate::api) counting: Option<Counting>,
    /// Whether the route opens sessions.
    pub(in crate::api) opens: bool,
    /// Where work is done.
    pub(in crate::api) places: Arc<Semaphore>,
    pub(in crate::api) allowed: Allowed,
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
        Err(Refused(fault, retry_after)) => guard.edge.answer_in(fault, retry_after),
    }
}

impl Guard {
    async fn pass(&self, request: Request, next: Next) -> Result<Response, Refused> {
        let has_body = request.method() == Method::POST;
        let _of_caller = self.admit(&request, has_body)?;
        let mut timer = std::pin::pin!(tokio::time::sleep(self.allowed.body_within));
        let request = if has_body {
            let (head, body) = request.into_parts();
            let read = tokio::select! {
                biased;
                read = read(body, self.allowed.body) => read?,
                () = timer.as_mut() => return Err(Fault::Dawdled.into()),
            };
            Request::from_parts(head, Body::from(read))
        } else {
            request
        };
        let Ok(_place) = self.places.try_acquire() else { return Err(Fault::Overloaded.into()) };
        // A new one, because a timer counts for nothing until somebody waits: most answers come sooner.
        timer.set(tokio::time::sleep(self.allowed.answer_within));
        tokio::select! {
            biased;
            answer = next.run(request) => Ok(answer),
            () = timer => Err(Fault::TimedOut.into()),
        }
    }

    /// Counts the request against its address.
    fn admit(&self, request: &Request, has_body: bool) -> Result<Option<Place>, Refused> {
        let Some(Counting { rates, callers }) = &self.counting else { return Ok(None) };
        let Some(caller) = rates.caller(request.extensions(), request.headers()).map(caller_prefix) else {
            return Ok(None);
        };
        rates.take(caller, self.opens && has_body).map_err(|seconds| Refused(Fault::TooOften, Some(seconds)))?;
        callers.admit(caller).map_err(|_| Refused(Fault::TooOften, Some(1)))
    }
}

/// The whole body, of at most `most` bytes.
async fn read(mut body: Body, most: usize) -> Result<Bytes, Fault> {
    // What says that it is too large need not come.
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
