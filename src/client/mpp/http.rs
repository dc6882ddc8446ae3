//! A facilitator as a buyer's channels see it: every answer is bounded JSON, and a refusal is a word and a sentence.

use crate::{
    client::{
        body::{BodyError, BoundedBody},
        facilitator::{self, FacilitatorError},
    },
    domain::{
        printable::{brief, printable},
        signed::parse_signature,
    },
    wire::{json, mpp::siwx::SIGN_IN_WITH_X},
};
use reqwest::{RequestBuilder, Url, header, header::HeaderValue};
use serde_json::Value;
use std::time::Duration;

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// One call, connection and body included; the facilitator itself answers within 25 seconds.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most of a facilitator's sentence that is told, in characters.
const MAX_SENTENCE: usize = 300;
/// Refusals that another try may not meet, whatever their status.
const PASSING: [&str; 4] = ["close_pending", "internal_error", "onboard_pending", "unavailable"];

/// A facilitator's no, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word}: {detail}")]
pub struct MppRefusal {
    /// The stable word.
    pub word: String,
    /// A sentence for people.
    pub detail: String,
    /// Whether the same request may succeed later.
    pub may_pass: bool,
    /// How long the facilitator wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// How an answer tells success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    /// By its member `success`, whatever the status.
    ByMember,
    /// By its status.
    ByStatus,
}

/// One facilitator over HTTP.
#[derive(Clone, Debug)]
pub(super) struct MppHttp {
    http: reqwest::Client,
    base: Url,
}

impl MppHttp {
    pub(super) fn new(url: &str) -> Result<Self, FacilitatorError> {
        let (http, base) = facilitator::connect(url, DEADLINE)?;
        if base.host_str().is_none() {
            return Err(FacilitatorError::Url);
        }
        Ok(Self { http, base })
    }

    /// The host that sign-ins are for, without a port.
    pub(super) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The base, without a slash at its end.
    pub(super) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A POST of `body`, with a sign-in where there is one.
    pub(super) fn post(&self, path: &str, body: &Value, sign_in: Option<&str>) -> RequestBuilder {
        signed_in(self.http.post(self.at(path)).json(body), sign_in)
    }

    /// A GET of `path` with one parameter.
    pub(super) fn get(&self, path: &str, (name, value): (&str, &str), sign_in: &str) -> RequestBuilder {
        let mut url = self.at(path);
        url.query_pairs_mut().append_pair(name, value);
        signed_in(self.http.get(url), Some(sign_in))
    }

    /// Sends a request; gives the JSON of a success, or the refusal.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        tells: Tells,
    ) -> Result<Result<Value, MppRefusal>, FacilitatorError> {
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let malformed = |source| FacilitatorError::Malformed { status: status.as_u16(), source };
        let body = BoundedBody::of(response, MAX_ANSWER_BYTES).bytes().await.map_err(|error| match error {
            BodyError::TooLong(_) => malformed(Some(Box::new(error))),
            BodyError::Broken(error) => FacilitatorError::Unreachable(error),
        })?;
        let may_pass = matches!(status.as_u16(), 408 | 429 | 500 | 502..=504);
        let retry_after = retry_after.map(Duration::from_secs);
        let json = match json::read(&body) {
            Ok(json) => json,
            // A proxy between us answers in its own words while the facilitator restarts.
            Err(_) if may_pass => {
                let detail = "the facilitator is not ready to answer".to_owned();
                return Ok(Err(MppRefusal {
                    word: format!("http_{}", status.as_u16()),
                    detail,
                    may_pass,
                    retry_after,
                }));
            }
            Err(error) => return Err(malformed(Some(Box::new(error)))),
        };
        let is_success = match tells {
            Tells::ByMember => json.get("success").and_then(Value::as_bool) == Some(true),
            Tells::ByStatus => status.is_success(),
        };
        if is_success {
            return Ok(Ok(json));
        }
        let refusal = refusal(&json).ok_or_else(|| malformed(None))?;
        let may_pass = may_pass || PASSING.contains(&refusal.0.as_str());
        Ok(Err(MppRefusal { word: refusal.0, detail: refusal.1, may_pass, retry_after }))
    }

    fn at(&self, path: &str) -> Url {
        facilitator::below(&self.base, path)
    }
}

/// An answer that is a success and not of its documented form.
pub(super) fn foreign(error: serde_json::Error) -> FacilitatorError {
    FacilitatorError::Malformed { status: 200, source: Some(Box::new(error)) }
}

/// A transaction by the facilitator's word: its whole signature, or the beginning of whatever else it says.
pub(super) fn transaction(text: &str) -> String {
    if parse_signature(text).is_some() { text.to_owned() } else { brief(text) }
}

fn unreachable(error: reqwest::Error) -> FacilitatorError {
    FacilitatorError::Unreachable(error.without_url())
}

fn signed_in(request: RequestBuilder, sign_in: Option<&str>) -> RequestBuilder {
    let Some(sign_in) = sign_in else { return request };
    // Base64: it is a header's value.
    match HeaderValue::try_from(sign_in) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(SIGN_IN_WITH_X, value)
        }
        Err(_) => request,
    }
}

/// Word and sentence of a refusal; both spellings of either are read.
fn refusal(json: &Value) -> Option<(String, String)> {
    let member = |names: [&str; 2]| names.into_iter().find_map(|name| json.get(name)?.as_str());
    let word = brief(member(["error", "errorCode"])?);
    let detail = member(["detail", "details"]).unwrap_or("no reason given");
    Some((word, printable(detail.chars().take(MAX_SENTENCE).collect::<String>()).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_told_whole_and_other_texts_in_brief() {
        let signature = bs58::encode([0xff; 64]).into_string();
        assert_eq!(transaction(&signature), signature);
        assert!(signature.len() > 64);
        assert_eq!(transaction(&"x".repeat(88)), "x".repeat(64));
        assert_eq!(transaction("a\u{1b}[2J"), "a\\u001b[2J");
    }
}
