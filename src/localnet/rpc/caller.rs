//! Who asks: a program on this machine, or a page in somebody's browser.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A program, or a page that this machine serves.
    Local,
    /// A page of another origin. Browsers name it in every such request, and no page can hide it.
    ForeignPage,
}

impl Caller {
    /// The sender of a request with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(header::ORIGIN) {
            Some(origin) if !is_loopback(origin) => Self::ForeignPage,
            _ => Self::Local,
        }
    }
}

/// Whether an origin's host is this machine. An opaque origin, `null`, is none.
fn is_loopback(origin: &HeaderValue) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = origin.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
