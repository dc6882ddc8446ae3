//! The bodies of `/pay/getAmount`, `/pay/verify` and `/pay/settle` (`spec/session.md` §5), in the published client's members.
//!
//! Code that gets a [`SinglePayment`] knows: the message has exactly its six members, and every one of them says what the
//! request, the requirements and the encrypted amount say, wherever those say it. Whether the payer signed it is the
//! facilitator's to verify.

mod message;
mod requirements;

pub use message::PayMessage;

use crate::{
    domain::{
        amount::Amount,
        hold::ContentHash,
        network::Network,
        reason::PayReason,
        signed::parse_key,
        single_payment::{SingleCompletion, SinglePayment},
    },
    wire::{
        ciphertext, funding,
        json::{self, Object},
        payment::{Refused, spelled_network},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use message::{Signed, decimals_of, tokens};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use solana_pubkey::Pubkey;

/// What the facilitator serves, for everything else to be held against.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The network.
    pub network: &'a Network,
    /// The mint.
    pub asset: Pubkey,
    /// Its decimals.
    pub decimals: u8,
}

/// A request to encrypt an amount.
#[derive(Clone, Debug, PartialEq)]
pub struct AmountRequest {
    /// In base units, positive.
    pub amount: Amount,
    /// The amount as it was written, to be echoed.
    pub written: Value,
}

/// The answer of `/pay/getAmount`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AmountAnswer {
    /// The encrypted amount, lower-case hex.
    pub ciphertext: String,
    /// The amount in whole tokens, as it was asked for.
    pub amount: Value,
    /// The asset's decimals.
    pub decimals: u8,
}

/// The first answer of `/pay/settle`: what the payer is to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsignedAnswer {
    /// Nothing has moved yet.
    pub success: bool,
    /// The network as the request spelled it.
    pub network: String,
    /// Always true.
    pub requires_payer_signature: bool,
    /// The legacy transaction, base64.
    pub unsigned_transaction: String,
}

/// Why a route below `/pay` refuses, in the members of any of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PayRefusalBody {
    /// A word of [`PayReason`].
    #[serde(rename = "errorReason", alias = "error")]
    pub reason: String,
    /// The reason in a sentence for people.
    #[serde(rename = "errorMessage", alias = "message", default)]
    pub message: String,
    /// The transaction that it concerns, base58; empty when there is none.
    #[serde(default)]
    pub transaction: String,
}

/// A well-formed body of `/pay/settle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settling {
    /// The first step: a signed message.
    Authorization(Box<SinglePayment>),
    /// The second step: a signed transaction, and what the request requires of it.
    Transaction {
        /// What is asked for.
        completion: Box<SingleCompletion>,
        /// The network as the caller spelled it.
        network: String,
    },
}

/// Reads a request to encrypt an amount: the members `amount` (whole tokens) and `decimals` of the body or, where there is no
/// body, of the query.
pub fn amount(body: &[u8], query: &[(String, String)], served: Served<'_>) -> Result<AmountRequest, Refused> {
    let json = if body.is_empty() {
        let texts = query.iter().map(|(name, text)| (name.clone(), Value::from(text.clone())));
        Value::Object(texts.collect::<Map<_, _>>())
    } else {
        read(body)?
    };
    let body = Object::root(&json)?;
    if let Some(decimals) = body.get("decimals") {
        decimals_of(decimals, served.decimals)?;
    }
    let written = body.get("amount").ok_or_else(|| {
        Refused::because(PayReason::InvalidAmount, "`amount` is required, in whole tokens as in \"0.29\".")
    })?;
    Ok(AmountRequest { amount: tokens(written, served.decimals)?, written: written.clone() })
}

/// Reads the body of `/pay/verify`.
pub fn verify(body: &[u8], served: Served<'_>) -> Result<SinglePayment, Refused> {
    let json = read(body)?;
    let decode = || {
        let (payload, required) = sides(&json)?;
        single(&payload, &required, served)
    };
    decode().map_err(|refused| Refused { network: spelled_network(&json), ..refused })
}

/// Reads the body of `/pay/settle`: `payload.authorization`, or `payload.transaction`, beside which the first may stand again.
pub fn settle(body: &[u8], served: Served<'_>) -> Result<Settling, Refused> {
    let json = read(body)?;
    let decode = || {
        let (payload, required) = sides(&json)?;
        let network = network(&required, served)?;
        let authorization = payload.object("authorization")?;
        let authorization = authorization.map(|stated| single(&stated, &required, served)).transpose()?.map(Box::new);
        if let Some(transaction) = payload.text("transaction")? {
            let (transaction, required) = (transaction.to_owned(), requirements::read(&required, served)?);
            let completion = SingleCompletion { transaction, authorization, required };
            return Ok(Settling::Transaction { completion: Box::new(completion), network });
        }
        authorization.map(Settling::Authorization).ok_or_else(|| {
            Refused::because(PayReason::BadRequest, "`payload` holds neither `authorization` nor `transaction`.")
        })
    };
    decode().map_err(|refused| Refused { network: spelled_network(&json), ..refused })
}

fn read(body: &[u8]) -> Result<Value, Refused> {
    json::read(body).map_err(|error| Refused::because(PayReason::BadRequest, error.to_string()))
}

/// `paymentPayload.payload` and `paymentRequirements`.
fn sides(json: &Value) -> Result<(Object<'_>, Object<'_>), Refused> {
    let body = Object::root(json)?;
    let missing = |path: String| Refused::because(PayReason::BadRequest, format!("`{path}` is required."));
    let payment = body.object("paymentPayload")?.ok_or_else(|| missing(body.path_of("paymentPayload")))?;
    let payload = payment.object("payload")?.ok_or_else(|| missing(payment.path_of("payload")))?;
    let required = body.object("paymentRequirements")?.ok_or_else(|| missing(body.path_of("paymentRequirements")))?;
    Ok((payload, required))
}

fn network(required: &Object<'_>, served: Served<'_>) -> Result<String, Refused> {
    match required.text("network")? {
        Some(network) if served.network.is(network) => Ok(network.to_owned()),
        Some(_) | None => Err(Refused::new(PayReason::NetworkMismatch)),
    }
}

/// A signed message and everything that has to agree with it; `stated` is the payload or its `authorization`.
fn single(stated: &Object<'_>, required: &Object<'_>, served: Served<'_>) -> Result<SinglePayment, Refused> {
    let network = network(required, served)?;
    let signed = Signed::read(stated, served)?;
    let payer = key(stated, "payer")?.ok_or_else(|| {
        Refused::because(PayReason::BadRequest, format!("`{}` is required.", stated.path_of("payer")))
    })?;
    let ciphertext = ciphertext(stated)?;
    let prefix = hex::encode(&ciphertext[..16]);
    if signed.terms.ciphertext_start() != prefix {
        return Err(mismatch("ciphertext"));
    }
    let recipient = signed.recipient;
    if key(stated, "mint")?.is_some_and(|asset| asset != served.asset) {
        return Err(Refused::new(PayReason::AssetMismatch));
    }
    // Wherever the requirements say it, they say of asset, recipient and amount what was signed.
    let required = requirements::read(required, served)?;
    let another = "`paymentRequirements` ask for another payment than the signed message makes.";
    required.check(&served.asset, &recipient, signed.amount).map_err(|reason| Refused::because(reason, another))?;
    let proof = funding::proof(stated).map_err(|refused| Refused::because(PayReason::BadRequest, refused.detail))?;
    Ok(SinglePayment {
        payer,
        recipient,
        asset: served.asset,
        amount: signed.amount,
        nonce: signed.terms.nonce.clone(),
        network,
        ciphertext,
        content: ContentHash(Sha256::digest(&signed.json).into()),
        message: signed.message,
        signature: signed.signature,
        source: key(stated, "sourceAccount")?,
        destination: match key(stated, "paymentReceiver")? {
            Some(named) => Some(named),
            None => key(stated, "destAccount")?,
        },
        funding: proof,
        funding_required: required.funding_required,
    })
}

fn ciphertext(stated: &Object<'_>) -> Result<Vec<u8>, Refused> {
    let text = stated.text("ciphertext")?.ok_or_else(|| Refused::new(PayReason::MissingCiphertext))?;
    ciphertext::read(text)
        .ok_or_else(|| Refused::because(PayReason::CiphertextNotOurs, "`ciphertext` is not 114 to 152 bytes in hex."))
}

fn key(object: &Object<'_>, member: &str) -> Result<Option<Pubkey>, Refused> {
    let Some(text) = object.text(member)? else { return Ok(None) };
    let malformed = || format!("`{}` is not a public key in base58.", object.path_of(member));
    parse_key(text).map(Some).ok_or_else(|| Refused::because(PayReason::BadRequest, malformed()))
}

fn mismatch(member: &str) -> Refused {
    Refused::because(
        PayReason::MessageMismatch,
        format!("The signed message's `{member}` is not what the request says."),
    )
}

/// Reads 64 bytes in base64 or in 128 hex digits.
fn signature(text: &str) -> Option<[u8; 64]> {
    let bytes = match text.len() {
        128 => hex::decode(text).ok()?,
        88 => STANDARD.decode(text).ok()?,
        _ => return None,
    };
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests;
