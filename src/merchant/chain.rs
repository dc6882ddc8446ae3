//! The part of Solana that a merchant needs to prove what they received: one account, its history, its transactions. Reads
//! only, over plain JSON-RPC, so that a resource server needs no Solana client.

use crate::domain::{json_rpc::MOST_ANSWER_BYTES, unreachable::why};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Url, redirect};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{fmt, time::Duration};

/// Why the chain was not read. Names no URL: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not an absolute `http` or `https` URL.
    #[error("the RPC's URL is not an http or https URL")]
    Url,
    /// No answer.
    #[error("the Solana RPC did not answer: {}", why(.0))]
    Unreachable(#[source] reqwest::Error),
    /// It answered with an error.
    #[error("the Solana RPC refused: {0}")]
    Refused(String),
    /// Not what the method answers.
    #[error("the Solana RPC's answer is malformed ({0})")]
    Malformed(&'static str),
}

/// An entry of an account's history that landed without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its signature.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// Whether it landed with an error.
    pub failed: bool,
}

/// What a node has of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Nothing, in all of its history.
    Unknown,
    /// It landed with an error: nothing moved.
    Failed,
    /// It is in a block that may still be taken back.
    Landed,
    /// It is in a block that stays.
    Final,
}

/// One instruction, called by the transaction or by another instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program.
    pub program: Pubkey,
    /// Its accounts.
    pub accounts: Vec<Pubkey>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What a transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// The signers.
    pub signers: Vec<Pubkey>,
    /// Every instruction in the order in which they ran within one instruction of the transaction: it first, then what
    /// it called.
    pub calls: Vec<Call>,
    /// When its block was made, Unix seconds; none where the node does not tell.
    pub block_time: Option<u64>,
    /// Its signatures, in the order of the signers.
    pub signatures: Vec<Signature>,
    /// Whether it landed with an error: nothing moved.
    pub failed: bool,
}

impl Deed {
    /// Whether a program was told to act on this account, which is the first of its instruction: of the token program everything
    /// that takes from an account is, and no deposit.
    pub fn acts_on(&self, program: &Pubkey, account: &Pubkey) -> bool {
        self.calls.iter().any(|call| call.program == *program && call.accounts.first() == Some(account))
    }
}

/// What a merchant asks of Solana, all at `confirmed`.
#[async_trait]
pub trait ReceiptChain: Send + Sync {
    /// An account's bytes and owner; `None` when there is none.
    async fn account(&self, key: &Pubkey) -> Result<Option<(Pubkey, Vec<u8>)>, ReadError>;

    /// A page of an account's history, newest first, at most 1,000 entries, before `before` and after `until`.
    async fn history(
        &self,
        key: &Pubkey,
        before: Option<&Signature>,
        until: Option<&Signature>,
    ) -> Result<Vec<Entry>, ReadError>;

    /// What a transaction did; `None` when the node does not have it.
    async fn deed(&self, signature: &Signature) -> Result<Option<Deed>, ReadError>;
}

/// A JSON-RPC node.
pub struct JsonRpc {
    http: reqwest::Client,
    url: Url,
}

impl fmt::Debug for JsonRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonRpc").finish_non_exhaustive()
    }
}

impl JsonRpc {
    /// The node at `url`; every request ends within `deadline`.
    pub fn new(url: &str, deadline: Duration) -> Result<Self, ReadError> {
        let url = Url::parse(url).map_err(|_| ReadError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ReadError::Url);
        }
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(deadline)
            .build()
            .map_err(|error| ReadError::Unreachable(error.without_url()))?;
        Ok(Self { http, url })
    }

    /// What the node has of a transaction.
    pub async fn landing(&self, signature: &Signature) -> Result<Landing, ReadError> {
        const METHOD: &str = "getSignatureStatuses";
        let config = json!({ "searchTransactionHistory": true });
        let answer = self.ask(METHOD, json!([[signature.to_string()], config])).await?;
        let told = answer.pointer("/value/0").ok_or(ReadError::Malformed(METHOD))?;
        Ok(match told.get("confirmationStatus").and_then(Value::as_str) {
            _ if told.is_null() => Landing::Unknown,
            _ if told.get("err").is_some_and(|error| !error.is_null()) => Landing::Failed,
            Some("finalized") => Landing::Final,
            Some(_) => Landing::Landed,
            None => return Err(ReadError::Malformed(METHOD)),
        })
    }

    async fn ask(&self, method: &'static str, params: Value) -> Result<Value, ReadError> {
        let unreachable = |error: reqwest::Error| ReadError::Unreachable(error.without_url());
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut response = self.http.post(self.url.clone()).json(&request).send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MOST_ANSWER_BYTES {
                return Err(ReadError::Malformed(method));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer: Value = serde_json::from_slice(&body).map_err(|_| ReadError::Malformed(method))?;
        if let Some(message) = answer.pointer("/error/message").and_then(Value::as_str) {
            return Err(ReadError::Refused(message.chars().take(200).collect()));
        }
        answer.get_mut("result").map(Value::take).ok_or(ReadError::Malformed(method))
    }
}

#[async_trait]
impl ReceiptChain for JsonRpc {
    async fn account(&self, key: &Pubkey) -> Result<Option<(Pubkey, Vec<u8>)>, ReadError> {
        let config = json!({ "encoding": "base64", "commitment": "confirmed" });
        let answer = self.ask("getAccountInfo", json!([key.to_string(), config])).await?;
        let told = answer.get("value").filter(|value| !value.is_null());
        told.map(|told| account(told).ok_or(ReadError::Malformed("getAccountInfo"))).transpose()
    }

    async fn history(
        &self,
        key: &Pubkey,
        before: Option<&Signature>,
        until: Option<&Signature>,
    ) -> Result<Vec<Entry>, ReadError> {
        let mut config = json!({ "limit": 1000, "commitment": "confirmed" });
        for (name, signature) in [("before", before), ("until", until)] {
            if let Some(signature) = signature {
                config[name] = json!(signature.to_string());
            }
        }
        let answer = self.ask("getSignaturesForAddress", json!([key.to_string(), config])).await?;
        let entries = answer.as_array().ok_or(ReadError::Malformed("getSignaturesForAddress"))?;
        entries.iter().map(|told| entry(told).ok_or(ReadError::Malformed("getSignaturesForAddress"))).collect()
    }

    async fn deed(&self, signature: &Signature) -> Result<Option<Deed>, ReadError> {
        let config = json!({ "encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0 });
        let answer = self.ask("getTransaction", json!([signature.to_string(), config])).await?;
        if answer.is_null() {
            return Ok(None);
        }
        deed(&answer).map(Some).ok_or(ReadError::Malformed("getTransaction"))
    }
}

fn account(told: &Value) -> Option<(Pubkey, Vec<u8>)> {
    let owner = told.get("owner")?.as_str()?.parse().ok()?;
    let bytes = STANDARD.decode(told.pointer("/data/0")?.as_str()?).ok()?;
    Some((owner, bytes))
}

fn entry(told: &Value) -> Option<Entry> {
    Some(Entry {
        signature: told.get("signature")?.as_str()?.parse().ok()?,
        slot: told.get("slot")?.as_u64()?,
        failed: told.get("err").is_some_and(|error| !error.is_null()),
    })
}

fn deed(told: &Value) -> Option<Deed> {
    let message = told.pointer("/transaction/message")?;
    let mut keys = strings(message.get("accountKeys")?)?;
    let signers = usize::try_from(message.pointer("/header/numRequiredSignatures")?.as_u64()?).ok()?;
    let signers = keys.get(..signers)?.to_vec();
    for side in ["/meta/loadedAddresses/writable", "/meta/loadedAddresses/readonly"] {
        if let Some(loaded) = told.pointer(side) {
            keys.extend(strings(loaded)?);
        }
    }
    // Where nobody recorded what it called that may have been anything; what failed has changed nothing.
    let meta = told.get("meta")?;
    let inner = match meta.get("innerInstructions").and_then(Value::as_array) {
        None if meta.get("err").is_none_or(Value::is_null) => return None,
        inner => inner,
    };
    let mut calls = Vec::new();
    for (index, instruction) in message.get("instructions")?.as_array()?.iter().enumerate() {
        calls.push(call(instruction, &keys)?);
        let called = inner.into_iter().flatten().filter(|of| of["index"].as_u64() == u64::try_from(index).ok());
        for instruction in called.filter_map(|of| of["instructions"].as_array()).flatten() {
            calls.push(call(instruction, &keys)?);
        }
    }
    let signatures = told.pointer("/transaction/signatures")?.as_array()?;
    Some(Deed {
        signers,
        calls,
        block_time: told.get("blockTime").and_then(Value::as_u64),
        signatures: signatures.iter().map(|text| text.as_str()?.parse().ok()).collect::<Option<_>>()?,
        failed: told.pointer("/meta/err").is_some_and(|error| !error.is_null()),
    })
}

fn strings(list: &Value) -> Option<Vec<Pubkey>> {
    list.as_array()?.iter().map(|text| text.as_str()?.parse().ok()).collect()
}

fn call(told: &Value, keys: &[Pubkey]) -> Option<Call> {
    let key = |index: &Value| keys.get(usize::try_from(index.as_u64()?).ok()?).copied();
    Some(Call {
        program: key(told.get("programIdIndex")?)?,
        accounts: told.get("accounts")?.as_array()?.iter().map(key).collect::<Option<_>>()?,
        bytes: bs58::decode(told.get("data")?.as_str()?).into_vec().ok()?,
    })
}
