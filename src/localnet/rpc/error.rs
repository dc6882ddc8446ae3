//! JSON-RPC errors with the codes and words of a validator.

use serde_json::{Value, json};
use solana_rpc_client_api::{
    custom_error::{
        JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED, JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY,
        JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
        JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_VERIFICATION_FAILURE,
        JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION,
    },
    response::RpcSimulateTransactionResult,
};

/// What a request is refused with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} ({code})")]
pub(in crate::localnet) struct RpcError {
    code: i64,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    fn plain(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(super) fn parse() -> Self {
        Self::plain(-32700, "Parse error")
    }

    pub(in crate::localnet) fn invalid_request() -> Self {
        Self::plain(-32600, "Invalid request")
    }

    /// Well-formed, but not to be answered in the form asked for.
    pub(super) fn unanswerable(message: impl Into<String>) -> Self {
        Self::plain(-32600, message)
    }

    pub(in crate::localnet) fn unknown_method() -> Self {
        Self::plain(-32601, "Method not found")
    }

    pub(in crate::localnet) fn params(message: impl Into<String>) -> Self {
        Self::plain(-32602, message)
    }

    pub(in crate::localnet) fn internal() -> Self {
        Self::plain(-32603, "Internal error")
    }

    pub(super) fn preflight(message: String, simulated: &RpcSimulateTransactionResult) -> Self {
        let code = JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE;
        Self { data: serde_json::to_value(simulated).ok(), ..Self::plain(code, message) }
    }

    pub(super) fn bad_signature() -> Self {
        Self::plain(
            JSON_RPC_SERVER_ERROR_TRANSACTION_SIGNATURE_VERIFICATION_FAILURE,
            "Transaction signature verification failure",
        )
    }

    pub(super) fn unhealthy() -> Self {
        let data = Some(json!({ "numSlotsBehind": null }));
        Self { data, ..Self::plain(JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY, "Node is unhealthy") }
    }

    pub(super) fn unsupported_version(version: u8) -> Self {
        Self::plain(
            JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION,
            format!(
                "Transaction version ({version}) is not supported by the requesting client. Please try the request \
                 again with the following configuration parameter: \"maxSupportedTransactionVersion\": {version}"
            ),
        )
    }

    pub(super) fn min_context_slot(slot: u64) -> Self {
        let code = JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED;
        let message = "Minimum context slot has not been reached";
        Self { data: Some(json!({ "contextSlot": slot })), ..Self::plain(code, message) }
    }

    /// The `error` member. `data` is left out when there is none: a null makes published clients throw.
    pub(in crate::localnet) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(data), Some(members)) = (&self.data, error.as_object_mut()) {
            members.insert("data".to_owned(), data.clone());
        }
        error
    }
}
