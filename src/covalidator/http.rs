//! The Covalidator over HTTP (`spec/inco.md` §7).
//!
//! Promises that nobody sees a plaintext that the pinned key has not vouched for, that no call outlives its patience,
//! that no answer fills the memory, and that neither the endpoint's URL nor a plaintext is in an error. It asks again
//! only where asking again can help: the service lags the chain, is overloaded, or did not answer. An answer that does
//! not verify is never asked for twice.

use crate::{
    covalidator::{AttestedValue, Covalidator, CovalidatorError, RequestSigner},
    domain::signed,
    programs::{
        attestation::{request_message, verify_attestation},
        ciphertext::canonical_decimal,
    },
};
use async_trait::async_trait;
use reqwest::{StatusCode, Url, header, redirect};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use std::{fmt, time::Duration};
use tokio::time::Instant;

/// The longest answer that is read, in bytes; a real one has some 200.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The pause before the second request; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause that is not asked for by the service.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not an absolute `http` or `https` URL.
    #[error("the Covalidator's endpoint is not an http or https URL")]
    Endpoint,
    /// TLS is not available.
    #[error("the Covalidator's HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// A client of one decrypt endpoint that believes one attestation key.
#[derive(Clone)]
pub struct HttpCovalidator {
    http: reqwest::Client,
    endpoint: Url,
    attestation_key: Pubkey,
    request_timeout: Duration,
}

impl HttpCovalidator {
    /// A client of the decrypt endpoint at the URL `endpoint`, which believes `attestation_key` only.
    ///
    /// `request_timeout` bounds one request, connection and body included; the patience of a call bounds all of its
    /// requests together.
    pub fn new(endpoint: &str, attestation_key: Pubkey, request_timeout: Duration) -> Result<Self, SetupError> {
        let endpoint = Url::parse(endpoint).map_err(|_| SetupError::Endpoint)?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(SetupError::Endpoint);
        }
        let http = reqwest::Client::builder()
            // A signed request goes where the operator said and nowhere else.
            .redirect(redirect::Policy::none())
            .timeout(request_timeout)
            .user_agent(concat!("sotto/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError::Client(error.without_url()))?;
        Ok(Self { http, endpoint, attestation_key, request_timeout })
    }

    async fn ask(&self, request: &DecryptRequest, timeout: Duration) -> Result<Reply, reqwest::Error> {
        let mut response = self.http.post(self.endpoint.clone()).timeout(timeout).json(request).send().await?;
        let status = response.status();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Some(Vec::new());
        while let Some(chunk) = response.chunk().await? {
            let Some(read) = body.as_mut().filter(|read| read.len() + chunk.len() <= MAX_ANSWER_BYTES) else {
                body = None;
                break;
            };
            read.extend_from_slice(&chunk);
        }
        Ok(Reply { status, retry_after: retry_after.map(Duration::from_secs), body })
    }

    /// One request, and what it means.
    async fn attempt(&self, handle: u128, address: Pubkey, request: &DecryptRequest, timeout: Duration) -> Outcome {
        match self.ask(request, timeout).await {
            Ok(reply) => reply.judge(&self.attestation_key, handle, address),
            Err(error) => {
                let error = CovalidatorError::Unavailable(Some(Box::new(error.without_url())));
                Outcome::Again { error, pause: None }
            }
        }
    }
}

impl fmt::Debug for HttpCovalidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The endpoint's URL may hold a key.
        f.debug_struct("HttpCovalidator").field("attestation_key", &self.attestation_key).finish_non_exhaustive()
    }
}

#[async_trait]
impl Covalidator for HttpCovalidator {
    fn attests(&self, handle: u128, plaintext: u128, signature: &[u8; 64]) -> bool {
        verify_attestation(&self.attestation_key, handle, plaintext, signature)
    }

    async fn decrypt(
        &self,
        handle: u128,
        signer: &dyn RequestSigner,
        patience: Duration,
    ) -> Result<AttestedValue, CovalidatorError> {
        let address = signer.address();
        let message = request_message(handle);
        let signature = bs58::encode(signer.sign(message.as_bytes())).into_string();
        let request = DecryptRequest { handle: message, address: address.to_string(), signature };

        let started = Instant::now();
        let mut backoff = FIRST_PAUSE;
        loop {
            let left = patience.saturating_sub(started.elapsed());
            let outcome = self.attempt(handle, address, &request, self.request_timeout.min(left)).await;
            let (error, pause) = match outcome {
                Outcome::Value(value) => return Ok(value),
                Outcome::Final(error) => return Err(error),
                Outcome::Again { error, pause } => (error, pause.unwrap_or_default().max(backoff)),
            };
            if started.elapsed().saturating_add(pause) >= patience {
                return Err(error);
            }
            tracing::debug!(%error, ?pause, "asking the Covalidator again");
            tokio::time::sleep(pause).await;
            backoff = backoff.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

#[derive(Serialize)]
struct DecryptRequest {
    handle: String,
    address: String,
    signature: String,
}

/// The answer's members. All are optional because a refusal has other ones.
#[derive(Default, Deserialize)]
struct Answer {
    plaintext: Option<String>,
    signature: Option<String>,
    handle_value: Option<HandleValue>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HandleValue {
    Text(String),
    Number(u64),
}

enum Outcome {
    Value(AttestedValue),
    Final(CovalidatorError),
    Again {
        error: CovalidatorError,
        /// How long the service wants to be left alone.
        pause: Option<Duration>,
    },
}

struct Reply {
    status: StatusCode,
    retry_after: Option<Duration>,
    /// None when it is longer than [`MAX_ANSWER_BYTES`].
    body: Option<Vec<u8>>,
}

/// An HTTP status without a value, as the cause of [`CovalidatorError::Unavailable`].
#[derive(Debug, thiserror::Error)]
#[error("the Covalidator answered HTTP {0}")]
struct UnexpectedStatus(StatusCode);

impl Reply {
    fn judge(self, attestation_key: &Pubkey, handle: u128, address: Pubkey) -> Outcome {
        let untrustworthy = |why| Outcome::Final(CovalidatorError::Untrustworthy(why));
        match self.body.as_deref().and_then(Refusal::read) {
            Some(Refusal::NotAllowed) => return Outcome::Final(CovalidatorError::NotAllowed { address }),
            Some(Refusal::CiphertextNotFound) => {
                return Outcome::Again { error: CovalidatorError::Behind, pause: self.retry_after };
            }
            None => {}
        }
        if !self.status.is_success() {
            let error = CovalidatorError::Unavailable(Some(Box::new(UnexpectedStatus(self.status))));
            let passing = self.status.is_server_error()
                || matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            return if passing { Outcome::Again { error, pause: self.retry_after } } else { Outcome::Final(error) };
        }
        let Some(body) = self.body else { return untrustworthy("it is too long") };
        match attested(&body, attestation_key, handle) {
            Ok(value) => Outcome::Value(value),
            Err(why) => untrustworthy(why),
        }
    }
}

/// The refusals that the service is known for. It tells them in words only, under a status that is not published, so
/// the words are looked for wherever no value is.
enum Refusal {
    NotAllowed,
    CiphertextNotFound,
}

impl Refusal {
    fn read(body: &[u8]) -> Option<Self> {
        if serde_json::from_slice::<Answer>(body).is_ok_and(|answer| answer.plaintext.is_some()) {
            return None;
        }
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        if text.contains("not allowed to decrypt") {
            Some(Self::NotAllowed)
        } else if text.contains("ciphertext not found") {
            Some(Self::CiphertextNotFound)
        } else {
            None
        }
    }
}

/// The value that the body of an answer attests for `handle` under `attestation_key`; otherwise what is wrong with it.
pub fn attested(body: &[u8], attestation_key: &Pubkey, handle: u128) -> Result<AttestedValue, &'static str> {
    let answer = serde_json::from_slice(body).map_err(|_| "it is not the expected JSON")?;
    verified(&answer, attestation_key, handle)
}

/// The value of an answer about which everything holds; otherwise what does not.
fn verified(answer: &Answer, attestation_key: &Pubkey, handle: u128) -> Result<AttestedValue, &'static str> {
    let same_handle = match &answer.handle_value {
        None => true,
        Some(HandleValue::Text(text)) => *text == request_message(handle),
        Some(HandleValue::Number(number)) => u128::from(*number) == handle,
    };
    if !same_handle {
        return Err("it is about another handle");
    }
    let plaintext = answer.plaintext.as_deref().ok_or("it has no plaintext")?;
    if plaintext.is_empty() {
        return Err("its plaintext is empty");
    }
    let plaintext = canonical_decimal(plaintext.as_bytes()).ok_or("its plaintext is not a number")?;
    let signature = answer.signature.as_deref().and_then(signed::parse_signature).ok_or("it has no signature")?;
    if !verify_attestation(attestation_key, handle, plaintext, &signature) {
        return Err("its signature is not the attestation key's");
    }
    Ok(AttestedValue { handle, plaintext, signature })
}
