//! Which pages of other origins may pay, and what their browsers are told.
//!
//! Never credentials and never the private network: a page pays with a header that it made itself, and nothing else of its
//! visitor comes along.

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

/// What a page's script may read of an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE, WWW-Authenticate, Payment-Receipt, Retry-After, Allow",
);
/// What a page's script may send besides what every page may.
const SENT: HeaderValue =
    HeaderValue::from_static("content-type, payment-signature, x-payment, authorization, x-mpp-voucher");
/// How long a browser may remember that it was allowed to ask, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// Which pages of other origins may pay for what a paywall sells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// All of them.
    #[default]
    Any,
    /// Those of these origins, as in `https://shop.example`.
    Origins(Vec<HeaderValue>),
    /// No page of another origin, as far as the paywall is asked: it sets no header and answers a preflight 405, so that none reaches
    /// a handler unpaid. For an application whose own CORS layer stands around the paywall.
    Off,
}

impl Cors {
    /// The answer to a browser that asks whether it may send such a request; none where no page may.
    pub(super) fn preflight<R: From<String>>(&self, asked: &HeaderMap, methods: &str) -> Option<Response<R>> {
        if *self == Self::Off {
            return None;
        }
        let mut response = Response::new(R::from(String::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        self.allow(headers, asked.get(ORIGIN));
        // Names of methods are all printable.
        headers.extend(HeaderValue::from_str(methods).ok().map(|methods| (ACCESS_CONTROL_ALLOW_METHODS, methods)));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
        headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
        Some(response)
    }

    /// Lets a page of `origin` read an answer. What the application has said already stands.
    pub(super) fn mark(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        if *self == Self::Off {
            return;
        }
        if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            self.allow(headers, origin);
        }
        headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    fn allow(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        match self {
            Self::Any => drop(headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))),
            Self::Origins(origins) => {
                headers.append(VARY, HeaderValue::from_static("origin"));
                if let Some(origin) = origin.filter(|origin| origins.contains(origin)) {
                    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
            Self::Off => {}
        }
    }
}

/// Whether a browser asks before it sends what it really wants to.
pub(super) fn is_preflight(method: &http::Method, headers: &HeaderMap) -> bool {
    *method == http::Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
