//! One JSON-RPC endpoint behind a deadline and a size limit.
//!
//! The RPC client's own HTTP sender sleeps through "too many requests" for up to two minutes a time, reads answers of
//! any length, and shows the URL (which often holds a key) in its errors. This one answers at once, reads at most so
//! many bytes, and its errors hold no URL.

use crate::{chain::ChainError, domain::unreachable::why};
use async_trait::async_trait;
use reqwest::{StatusCode, header};
use serde_json::Value;
use solana_rpc_client::rpc_sender::{RpcSender, RpcTransportStats};
use solana_rpc_client::{nonblocking::rpc_client::RpcClient, rpc_client::RpcClientConfig};
use solana_rpc_client_api::{
    client_error::{AnyhowError, Error as ClientError, ErrorKind},
    custom_error as codes,
    request::{RpcError, RpcRequest, RpcResponseErrorData},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(2);
/// How much of an endpoint's error text is kept.
const LONGEST_MESSAGE: usize = 200;
/// JSON-RPC's own codes for a request that no repetition will make good.
const INVALID_REQUEST: i64 = -32_600;
const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;
/// What providers answer for "too many requests".
const TOO_MANY_REQUESTS: [i64; 2] = [429, -32_429];

/// Why an endpoint gave no answer that could be read. Holds no URL.
#[derive(Debug, thiserror::Error)]
pub enum EndpointFault {
    /// No connection, a broken one, or the deadline passed.
    #[error("{}", why(.0))]
    Transport(#[source] reqwest::Error),
    /// An HTTP status other than success.
    #[error("HTTP status {status}")]
    Status {
        /// The status.
        status: StatusCode,
        /// When the endpoint asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// The answer is longer than is read.
    #[error("the answer is longer than {most} bytes")]
    TooLong {
        /// The limit.
        most: usize,
    },
    /// Not a JSON-RPC answer to this request.
    #[error("the answer is not JSON-RPC")]
    NotJsonRpc,
    /// No answer within the time that this endpoint was given.
    #[error("the answer did not come in time")]
    TooSlow,
}

/// A JSON-RPC error that does not tell whether the request had an effect.
#[derive(Debug, thiserror::Error)]
#[error("JSON-RPC error {code}: {message}")]
pub struct RpcFault {
    /// The code.
    pub code: i64,
    /// The endpoint's words, clipped.
    pub message: String,
}

/// A client of the endpoint at `url`.
///
/// Every request ends within `timeout`; of an answer at most `most` bytes are read.
pub fn connect(url: String, timeout: Duration, most: usize) -> Result<RpcClient, ChainError> {
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| unavailable("setting up the HTTP client", EndpointFault::Transport(error.without_url())))?;
    let sender = BoundedSender { client, url, most, requests: AtomicU64::new(0) };
    Ok(RpcClient::new_sender(sender, RpcClientConfig::default()))
}

struct BoundedSender {
    client: reqwest::Client,
    url: String,
    most: usize,
    requests: AtomicU64,
}

impl BoundedSender {
    async fn exchange(&self, body: String) -> Result<Value, EndpointFault> {
        let transport = |error: reqwest::Error| EndpointFault::Transport(error.without_url());
        let request = self.client.post(&self.url).header(header::CONTENT_TYPE, "application/json").body(body);
        let mut response = request.send().await.map_err(transport)?;
        let status = response.status();
        if !status.is_success() {
            return Err(EndpointFault::Status { status, retry_after: retry_after(response.headers()) });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if bytes.len().saturating_add(chunk.len()) > self.most {
                return Err(EndpointFault::TooLong { most: self.most });
            }
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).map_err(|_| EndpointFault::NotJsonRpc)
    }
}

#[async_trait]
impl RpcSender for BoundedSender {
    async fn send(&self, request: RpcRequest, params: Value) -> Result<Value, ClientError> {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut answer = self.exchange(request.build_request_json(id, params).to_string()).await.map_err(carry)?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let code = error.get("code").and_then(Value::as_i64).ok_or_else(|| carry(EndpointFault::NotJsonRpc))?;
            let message = message.chars().take(LONGEST_MESSAGE).collect();
            return Err(RpcError::RpcResponseError { code, message, data: RpcResponseErrorData::Empty }.into());
        }
        // An answer to somebody else's request, from a confused proxy, must not be taken for ours.
        if answer.get("id").and_then(Value::as_u64) != Some(id) {
            return Err(carry(EndpointFault::NotJsonRpc));
        }
        answer.get_mut("result").map(Value::take).ok_or_else(|| carry(EndpointFault::NotJsonRpc))
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        // Asked for by log lines of the RPC client: the real one may hold a key.
        String::from("(redacted)")
    }
}

/// Wraps our fault in the RPC client's error type, in the variant for errors of others.
fn carry(fault: EndpointFault) -> ClientError {
    ErrorKind::Middleware(AnyhowError::new(fault)).into()
}

fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

fn unavailable(what: &'static str, fault: EndpointFault) -> ChainError {
    let retry_after = match &fault {
        EndpointFault::Status { retry_after, .. } => *retry_after,
        EndpointFault::Transport(_)
        | EndpointFault::TooLong { .. }
        | EndpointFault::NotJsonRpc
        | EndpointFault::TooSlow => None,
    };
    ChainError::Unavailable { what, source: Some(Box::new(fault)), retry_after }
}

/// What an error of the RPC client tells: a known no, an impossible answer, or nothing.
pub fn chain_error(what: &'static str, error: ClientError) -> ChainError {
    match *error.kind {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => by_code(what, code, message),
        ErrorKind::Middleware(fault) => match fault.downcast::<EndpointFault>() {
            Ok(fault) => unavailable(what, fault),
            Err(_) => ChainError::Unavailable { what, source: None, retry_after: None },
        },
        ErrorKind::SerdeJson(error) => ChainError::Inconsistent(format!("{what}: {error}")),
        ErrorKind::RpcError(error) => ChainError::Inconsistent(format!("{what}: {error}")),
        ErrorKind::Io(error) => ChainError::Unavailable { what, source: Some(Box::new(error)), retry_after: None },
        ErrorKind::Reqwest(error) => unavailable(what, EndpointFault::Transport(error.without_url())),
        ErrorKind::SigningError(_) | ErrorKind::TransactionError(_) | ErrorKind::Custom(_) => {
            ChainError::Unavailable { what, source: None, retry_after: None }
        }
    }
}

fn by_code(what: &'static str, code: i64, message: String) -> ChainError {
    match code {
        INVALID_REQUEST
        | METHOD_NOT_FOUND
        | INVALID_PARAMS
        | codes::JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE
        | codes::JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_VERIFICATION_FAILURE
        | codes::JSON_RPC_SERVER_ERROR_TRANSACTION_PRECOMPILE_VERIFICATION_FAILURE
        | codes::JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_LEN_MISMATCH
        | codes::JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION => ChainError::Refused(message),
        _ => ChainError::Unavailable { what, source: Some(Box::new(RpcFault { code, message })), retry_after: None },
    }
}

/// The failure of an endpoint that has not reached the slot that was asked for.
pub(super) fn behind(what: &'static str) -> ChainError {
    let code = codes::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED;
    let message = "no endpoint has reached the slot that was seen before".to_owned();
    ChainError::Unavailable { what, source: Some(Box::new(RpcFault { code, message })), retry_after: None }
}

/// Whether an endpoint says that it is behind: it will not be for long, and it was not wrong.
pub(super) fn is_behind(error: &ChainError) -> bool {
    matches!(
        source::<RpcFault>(error).map(|fault| fault.code),
        Some(codes::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED | codes::JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY)
    )
}

/// Whether an endpoint was asked too much. Some answer so with HTTP status 200 and a code of their own.
pub(super) fn is_too_many_requests(error: &ChainError) -> bool {
    match source::<EndpointFault>(error) {
        Some(EndpointFault::Status { status, .. }) => *status == StatusCode::TOO_MANY_REQUESTS,
        _ => source::<RpcFault>(error).is_some_and(|fault| TOO_MANY_REQUESTS.contains(&fault.code)),
    }
}

fn source<E: std::error::Error + 'static>(error: &ChainError) -> Option<&E> {
    match error {
        ChainError::Unavailable { source: Some(source), .. } => source.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(code: i64) -> ChainError {
        let error = RpcError::RpcResponseError { code, message: "no".into(), data: RpcResponseErrorData::Empty };
        chain_error("asking", error.into())
    }

    #[test]
    fn only_a_known_no_is_a_refusal() {
        for code in [-32_002, -32_003, -32_600, -32_601, -32_602] {
            assert!(matches!(rpc(code), ChainError::Refused(_)), "{code}");
        }
        for code in [-32_603, -32_004, -32_005, -32_011, -32_014, -32_016, -32_429, 429, 0] {
            assert!(matches!(rpc(code), ChainError::Unavailable { .. }), "{code}");
        }
    }

    #[test]
    fn an_endpoint_that_is_behind_or_asked_too_much_is_told_from_one_that_fails() {
        for code in [-32_016, -32_005] {
            assert!(is_behind(&rpc(code)) && !is_too_many_requests(&rpc(code)), "{code}");
        }
        for code in [429, -32_429] {
            assert!(is_too_many_requests(&rpc(code)) && !is_behind(&rpc(code)), "{code}");
        }
        assert!(!is_behind(&rpc(-32_603)) && !is_too_many_requests(&rpc(-32_603)));
        assert!(is_behind(&behind("asking")));
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_bounded() {
        let mut headers = header::HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        for (text, expected) in [("3", Some(3)), ("86400", Some(120)), ("-1", None), ("tomorrow", None)] {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn r27_no_error_shows_the_url() {
        let client = connect("http://127.0.0.1:1/?api-key=secret".into(), Duration::from_secs(1), 1_000).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(client.get_genesis_hash()).unwrap_err();
        let error = chain_error("asking", error);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}
