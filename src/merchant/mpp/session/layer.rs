//! Vouchers as a tower layer: `.layer(SessionWall::new(gate, "GET /stream/{part}")?)`.
//!
//! Like [`crate::merchant::Paywall`] it may stand around a route, a router or an application, and only what it names is sold. A voucher is
//! remembered before the handler runs, and no handler of what is sold sees it.

use super::gate::{Paid, SessionFault, SessionGate};
use crate::{
    merchant::{
        answers::{json, keep_private, not_sold, paywalls_differ, unavailable},
        cors::Cors,
        route::{PaidRoute, RequestKind, RouteError},
        service::paywall_service,
    },
    wire::mpp::voucher::X_MPP_VOUCHER,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ORIGIN, RETRY_AFTER},
};
use std::sync::Arc;
use tower::Service;

const VOUCHER: HeaderName = HeaderName::from_static(X_MPP_VOUCHER);
/// How long to wait where nothing can be remembered, in seconds.
const RETRY_AFTER_FAULT: HeaderValue = HeaderValue::from_static("5");

/// What stands before routes that are sold by vouchers.
#[derive(Clone, Debug)]
pub struct SessionWall(Arc<Terms>);

#[derive(Clone, Debug)]
struct Terms {
    gate: SessionGate,
    routes: Vec<PaidRoute>,
    units: Option<u64>,
    cors: Cors,
}

impl SessionWall {
    /// Sells what `route` says, as in `GET /stream/{part}`, each request for as many units as its buyer says, at least one.
    pub fn new(gate: SessionGate, route: &str) -> Result<Self, RouteError> {
        let routes = vec![route.parse()?];
        Ok(Self(Arc::new(Terms { gate, routes, units: None, cors: Cors::default() })))
    }

    /// Sells another route, too.
    pub fn also_sells(self, route: &str) -> Result<Self, RouteError> {
        let mut terms = Arc::unwrap_or_clone(self.0);
        terms.routes.push(route.parse()?);
        Ok(Self(Arc::new(terms)))
    }

    /// Sells each request for so many units, whatever its buyer says.
    #[must_use]
    pub fn units(self, units: u64) -> Self {
        Self(Arc::new(Terms { units: Some(units), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Chooses whose pages may pay; without it, those of all origins.
    #[must_use]
    pub fn cors(self, cors: Cors) -> Self {
        Self(Arc::new(Terms { cors, ..Arc::unwrap_or_clone(self.0) }))
    }
}

paywall_service! {
    /// A service behind a [`SessionWall`].
    SessionPaid, SessionWall, Terms
}

impl Terms {
    async fn answer<S, B, R>(&self, mut inner: S, mut request: Request<B>) -> Result<Response<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
        R: From<String>,
    {
        let origin = request.headers().get(ORIGIN).cloned();
        let path = request.uri().path();
        let kinds = self.routes.iter().map(|route| route.kind(request.method(), path));
        let mut response = match kinds.min().unwrap_or(RequestKind::Elsewhere) {
            RequestKind::Elsewhere => return inner.call(request).await,
            kind @ (RequestKind::OtherSpelling | RequestKind::OtherMethod) => {
                return Ok(not_sold(kind, &self.methods(path), &self.cors, &request));
            }
            RequestKind::Head => self.ask(),
            // A layer around this one took the voucher, which was not for this.
            RequestKind::Sold if request.extensions().get::<Paid>().is_some() => paywalls_differ(),
            RequestKind::Sold => match take_voucher(request.headers_mut()) {
                Voucher::Absent => self.ask(),
                Voucher::Ambiguous => refuse("malformed_voucher"),
                Voucher::Text(text) => match self.verify(&text).await {
                    Ok(paid) => {
                        request.extensions_mut().insert(paid);
                        let mut response = inner.call(request).await?;
                        keep_private(response.headers_mut(), X_MPP_VOUCHER);
                        response
                    }
                    Err(fault) => told(&fault),
                },
            },
        };
        self.cors.mark(response.headers_mut(), origin.as_ref());
        Ok(response)
    }

    async fn verify(&self, text: &str) -> Result<Paid, SessionFault> {
        match self.units {
            Some(units) => self.gate.verify_for(text, units).await,
            None => self.gate.verify(text).await,
        }
    }

    /// 402 with what a channel is opened by.
    fn ask<R: From<String>>(&self) -> Response<R> {
        // Texts: serialising cannot fail.
        json(StatusCode::PAYMENT_REQUIRED, serde_json::to_string(&self.gate.challenge()).unwrap_or_default())
    }

    fn methods(&self, path: &str) -> String {
        let of_path = self.routes.iter().filter(|route| route.is_path(path));
        of_path.map(PaidRoute::methods).collect::<Vec<_>>().join(", ")
    }
}

/// What a request has of a voucher.
enum Voucher {
    Absent,
    /// More than one, or one that is no text.
    Ambiguous,
    Text(String),
}

/// Takes the voucher out of a request, so that no handler sees it.
fn take_voucher(headers: &mut HeaderMap) -> Voucher {
    let mut values = headers.get_all(VOUCHER).iter();
    let voucher = match (values.next(), values.next()) {
        (None, _) => Voucher::Absent,
        (Some(value), None) => value.to_str().map_or(Voucher::Ambiguous, |text| Voucher::Text(text.to_owned())),
        (Some(_), Some(_)) => Voucher::Ambiguous,
    };
    headers.remove(VOUCHER);
    voucher
}

/// Says why nothing is served for a voucher.
fn told<R: From<String>>(fault: &SessionFault) -> Response<R> {
    if let SessionFault::Facilitator(fault) = fault {
        return unavailable(fault);
    }
    let mut response = refuse(&fault.to_string());
    if let SessionFault::Store(error) = fault {
        tracing::error!(error = error as &dyn std::error::Error, "a voucher is not served for");
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_FAULT);
    }
    response
}

fn refuse<R: From<String>>(word: &str) -> Response<R> {
    json(StatusCode::PAYMENT_REQUIRED, serde_json::json!({ "error": word }).to_string())
}
