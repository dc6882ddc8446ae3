//! JSON-RPC over HTTP, as a validator speaks it: errors are answers with status 200, ids come back as they were given.

mod accounts;
mod admin;
mod caller;
mod chain;
mod error;
mod history;
mod params;
mod transactions;

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

pub(super) use accounts::Shape;
pub(super) use admin::Desk;
pub(super) use error::RpcError;
pub(super) use params::{Params, json as to_json, level, pubkey, signature};

use self::caller::Caller;
use super::network::Network;

/// What the RPC serves: the network, and the desk that its admin methods turn to.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) network: Network,
    pub(super) desk: Arc<Desk>,
}

/// Serves `POST /`: one request or a batch.
pub(super) async fn serve(State(front): State<Front>, headers: HeaderMap, body: Bytes) -> Response {
    let json_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !json_type.is_some_and(|value| value.starts_with("application/json")) {
        let words = "Supplied content type is not allowed. Content-Type: application/json is required";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, words).into_response();
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return answered(&response(Value::Null, Err(RpcError::parse())));
    };
    if let Some(refusal) = refuse(&front.network, &request) {
        return refusal;
    }
    let caller = Caller::of(&headers);
    let answer = match request {
        Value::Array(batch) if batch.is_empty() => Some(response(Value::Null, Err(RpcError::invalid_request()))),
        Value::Array(batch) => {
            let mut answers = Vec::with_capacity(batch.len());
            for request in batch {
                answers.extend(answer(&front, caller, request).await);
            }
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        request => answer(&front, caller, request).await,
    };
    answer.map_or_else(|| StatusCode::OK.into_response(), |answer| answered(&answer))
}

fn answered(answer: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], answer.to_string()).into_response()
}

/// Counts what was asked and plays the rate limiter.
fn refuse(network: &Network, request: &Value) -> Option<Response> {
    let requests = request.as_array().map_or(std::slice::from_ref(request), Vec::as_slice);
    let methods = || {
        let named = requests.iter().filter_map(|request| request.get("method")?.as_str());
        named.filter(|method| !method.starts_with(admin::PREFIX))
    };
    methods().for_each(|method| network.count_request(method));
    methods().next()?;
    let refused = network.faults().refuses(methods())?;
    let mut refusal = (StatusCode::TOO_MANY_REQUESTS, "Too many requests").into_response();
    if let Some(seconds) = refused.retry_after {
        refusal.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Some(refusal)
}

/// The answer to one request; none to a notification.
async fn answer(front: &Front, caller: Caller, request: Value) -> Option<Value> {
    let Request { id, method, params } = match Request::read(request) {
        Ok(request) => request,
        Err(id) => return Some(response(id, Err(RpcError::invalid_request()))),
    };
    let result = Params::new(params).and_then(|params| call(front, caller, &method, params));
    if admin::is_gift(&method) && result.is_ok() {
        front.desk.until_confirmed(&front.network).await;
    }
    if !method.starts_with(admin::PREFIX)
        && let Some(latency) = front.network.faults().latency(&method)
    {
        tokio::time::sleep(latency).await;
    }
    Some(response(id?, result))
}

/// One request, read.
pub(super) struct Request {
    /// Absent in a notification.
    pub(super) id: Option<Value>,
    pub(super) method: String,
    pub(super) params: Option<Value>,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// The id to answer with when it is none.
    pub(super) fn read(request: Value) -> Result<Self, Value> {
        let Value::Object(mut members) = request else { return Err(Value::Null) };
        let id = members.remove("id");
        match members.remove("method") {
            Some(Value::String(method)) => Ok(Self { id, method, params: members.remove("params") }),
            _ => Err(id.unwrap_or(Value::Null)),
        }
    }
}

/// A response object.
pub(super) fn response(id: Value, result: Result<Value, RpcError>) -> Value {
    let mut members = Map::new();
    members.insert("jsonrpc".to_owned(), json!("2.0"));
    match result {
        Ok(result) => members.insert("result".to_owned(), result),
        Err(error) => members.insert("error".to_owned(), error.to_json()),
    };
    members.insert("id".to_owned(), id);
    Value::Object(members)
}

fn call(front: &Front, caller: Caller, method: &str, params: Params) -> Result<Value, RpcError> {
    let network = &front.network;
    match method {
        "getHealth" => chain::health(network),
        "getVersion" => Ok(chain::version()),
        "getGenesisHash" => Ok(json!(network.genesis_hash().to_string())),
        "getSlot" => chain::slot(network, params),
        "getBlockHeight" => chain::block_height(network, params),
        "getFirstAvailableBlock" | "minimumLedgerSlot" => Ok(chain::first_block(network)),
        "getEpochInfo" => chain::epoch(network, params),
        "getLatestBlockhash" => chain::latest_blockhash(network, params),
        "isBlockhashValid" => chain::is_blockhash_valid(network, params),
        "getFeeForMessage" => chain::fee_for_message(network, params),
        "getRecentPrioritizationFees" => chain::prioritization_fees(network, params),
        "getMinimumBalanceForRentExemption" => chain::rent(network, params),
        "getBalance" => accounts::balance(network, params),
        "getAccountInfo" => accounts::account(network, params),
        "getMultipleAccounts" => accounts::accounts(network, params),
        "getProgramAccounts" => accounts::program_accounts(network, params),
        "getTokenAccountBalance" => accounts::token_account_balance(network, params),
        "requestAirdrop" => transactions::airdrop(network, params),
        "simulateTransaction" => transactions::simulate(network, params),
        "sendTransaction" => transactions::send(network, params),
        "getSignatureStatuses" => history::signature_statuses(network, params),
        "getTransaction" => history::transaction(network, params),
        "getSignaturesForAddress" => history::signatures_for_address(network, params),
        // What a page of another origin asks of a validator harms nobody; it steers nothing and is given nothing.
        _ if caller == Caller::ForeignPage && method.starts_with(admin::PREFIX) => {
            Err(RpcError::unanswerable("the local network is not steered by pages of other origins"))
        }
        _ => admin::call(front, method, params),
    }
}
