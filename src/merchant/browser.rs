//! What a person's browser is shown that opens a paid route: a page in place of the JSON that programs read (R2).
//!
//! A page is for a navigation alone (`GET` of a document, `Sec-Fetch-Mode: navigate`, `Accept` with `text/html`): scripts and programs
//! get what they always got, and the header with the offers is there in either case.

use crate::merchant::quote::Asked;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY},
};
use std::{fmt, sync::Arc};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// On what it depends whether a page is shown. The cookie is the one by which a page pays.
const DEPENDS_ON: HeaderValue = HeaderValue::from_static("accept, sec-fetch-mode, cookie");
/// The policy of a page that states none: it is shown in no other page.
const FRAMED_BY_NOBODY: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'");

/// A document that asks a person for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The whole document.
    pub html: String,
    /// Its `Content-Security-Policy`; without one it is only kept out of frames.
    pub policy: Option<HeaderValue>,
}

/// Makes pages.
#[derive(Clone)]
pub(super) struct Pages(Arc<dyn Fn(&Asked) -> Page + Send + Sync>);

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    pub(super) fn new(page: impl Fn(&Asked) -> Page + Send + Sync + 'static) -> Self {
        Self(Arc::new(page))
    }

    /// The page for what is asked, with its headers, in place of `body`.
    pub(super) fn show(&self, asked: &Asked, headers: &mut HeaderMap) -> String {
        let Page { html, policy } = (self.0)(asked);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, policy.unwrap_or(FRAMED_BY_NOBODY));
        html
    }
}

/// Says that an answer of a paid route depends on who asks: a cache that shows the page to programs would break them.
pub(super) fn mark(headers: &mut HeaderMap) {
    headers.append(VARY, DEPENDS_ON);
}

/// Whether a person's browser opens a document.
pub(super) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode == "navigate")
        && headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(accepts_html)
}

/// Whether one of the media ranges is HTML, and wanted at all.
fn accepts_html(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/html"));
        is_html && !parts.any(is_unwanted)
    })
}

/// Whether a parameter says that a media range is not wanted: a weight of zero.
fn is_unwanted(parameter: &str) -> bool {
    let weight = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    weight.is_some_and(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_who_opens_a_document() {
        let headers = |accept: &'static str, mode: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            headers.insert(SEC_FETCH_MODE, HeaderValue::from_static(mode));
            headers
        };
        for accept in
            ["text/html,application/xhtml+xml,*/*;q=0.8", "application/json, TEXT/HTML;q=0.1", "text/html; q=1"]
        {
            assert!(is_navigation(&Method::GET, &headers(accept, "navigate")), "{accept}");
            assert!(!is_navigation(&Method::POST, &headers(accept, "navigate")), "{accept}");
            assert!(!is_navigation(&Method::GET, &headers(accept, "cors")), "{accept}");
        }
        for accept in ["*/*", "application/json", "text/html;q=0", "text/html;q=0.0, */*", "text/htmlx", "text/*"] {
            assert!(!is_navigation(&Method::GET, &headers(accept, "navigate")), "{accept}");
        }
        assert!(!is_navigation(&Method::GET, &HeaderMap::new()));
    }
}
