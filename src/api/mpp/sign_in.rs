//! What requests of wallets bring with them: the header `SIGN-IN-WITH-X`, and where they come from.

use crate::{
    api::{App, mpp::onboard_failure::OnboardFailure},
    domain::addresses::caller_prefix,
    facilitator::{CallerPlace, Forwarded, SentSignIn},
    wire::mpp::siwx::{SIGN_IN_WITH_X, SignedIn},
};
use axum::http::{Extensions, HeaderMap, header};

/// The sign-in of a request.
pub(super) fn sign_in(headers: &HeaderMap) -> Result<SentSignIn, OnboardFailure> {
    // What is no text is there and cannot be read.
    let value = headers.get(SIGN_IN_WITH_X).map(|value| value.to_str().unwrap_or_default());
    let SignedIn { sign_in, signature } = SignedIn::decode(value)?;
    Ok(SentSignIn { sign_in, signature })
}

/// Where a request comes from. Whoever forwards it and is not trusted to say for whom makes all callers look alike.
pub(super) fn place(app: &App, extensions: &Extensions, headers: &HeaderMap) -> CallerPlace {
    let address = app.rates.caller(extensions, headers);
    let forwarded = if app.rates.is_forwarded_by_stranger(extensions, headers) {
        Forwarded::NotBelieved
    } else {
        Forwarded::Believed
    };
    let origin = headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned());
    CallerPlace { address, prefix: address.map(caller_prefix), origin, forwarded }
}
