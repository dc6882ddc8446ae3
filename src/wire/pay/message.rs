//! The message that a payer signs for a single payment.

use super::{Served, mismatch, signature};
use crate::{
    domain::{
        amount::Amount,
        reason::PayReason,
        signed::parse_key,
        single_payment::{MAX_MESSAGE_BYTES, MAX_SINGLE_NONCE, SHORT_MESSAGE, short_message},
    },
    wire::{
        json::{self, Object},
        payment::Refused,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use solana_pubkey::Pubkey;

/// Hex digits of the ciphertext that a message names.
const NAMED_DIGITS: usize = 32;
/// The members of a message; it has all of them and no other.
const MEMBERS: [&str; 6] = ["ciphertext", "amount", "decimals", "recipient", "network", "nonce"];
/// Significant digits that a JSON number of any reader keeps.
const KEPT_DIGITS: usize = 15;

/// A message in the published client's members and order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayMessage {
    /// The first 32 hex digits of the encrypted amount, and `...`.
    pub ciphertext: String,
    /// Whole tokens.
    pub amount: String,
    /// The asset's decimals.
    pub decimals: u8,
    /// The wallet that is paid, base58.
    pub recipient: String,
    /// Any spelling of the network.
    pub network: String,
    /// Of the payer's choice, 1 to 64 printable ASCII characters, once for ever.
    pub nonce: String,
}

impl PayMessage {
    /// The hex digits that a message names of an encrypted amount in hex.
    pub fn named(ciphertext: &str) -> String {
        format!("{}...", ciphertext.chars().take(NAMED_DIGITS).collect::<String>())
    }

    /// The hex digits of the encrypted amount that it names.
    pub(super) fn ciphertext_start(&self) -> &str {
        self.ciphertext.strip_suffix("...").unwrap_or(&self.ciphertext)
    }
}

/// A message, what it says, and the signature over it, which nobody has verified.
pub(super) struct Signed {
    /// The bytes that were signed.
    pub(super) message: Vec<u8>,
    /// The JSON: those bytes, or the details whose hash they name.
    pub(super) json: Vec<u8>,
    pub(super) signature: [u8; 64],
    pub(super) terms: PayMessage,
    pub(super) recipient: Pubkey,
    pub(super) amount: Amount,
}

impl Signed {
    /// Reads `message`, `signature` and, where the message is the short one, `details`.
    pub(super) fn read(stated: &Object<'_>, served: Served<'_>) -> Result<Self, Refused> {
        let required = |member: &str| {
            let missing =
                || Refused::because(PayReason::BadRequest, format!("`{}` is required.", stated.path_of(member)));
            stated.text(member)?.ok_or_else(missing)
        };
        let message = required("message")?;
        let signature = signature(required("signature")?).ok_or_else(|| {
            Refused::because(PayReason::InvalidSignature, "`signature` is not 64 bytes in base64 or in 128 hex digits.")
        })?;
        let json = match stated.text("details")? {
            Some(details) if message == short_message(details.as_bytes()) => details,
            Some(_) => return Err(invalid("`message` is not the one that stands for `details`")),
            None if message.starts_with(SHORT_MESSAGE) => {
                return Err(invalid("`details`, for which the short message stands, are missing"));
            }
            None => message,
        };
        let terms = terms(json.as_bytes(), served)?;
        let recipient = parse_key(&terms.recipient).ok_or_else(|| invalid("`recipient` is no public key in base58"))?;
        let amount = tokens(&Value::from(terms.amount.as_str()), served.decimals)?;
        let (message, json) = (message.as_bytes().to_vec(), json.as_bytes().to_vec());
        Ok(Self { message, json, signature, terms, recipient, amount })
    }
}

fn terms(bytes: &[u8], served: Served<'_>) -> Result<PayMessage, Refused> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(invalid(&format!("it has more than {MAX_MESSAGE_BYTES} bytes")));
    }
    let json = json::read(bytes).map_err(|error| invalid(&error.to_string()))?;
    let object = Object::root(&json).map_err(|error| invalid(&error.to_string()))?;
    if let Some(unknown) = object.members().keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        let shown: String = unknown.chars().filter(char::is_ascii_graphic).take(32).collect();
        return Err(invalid(&format!("`{shown}` is no member of it")));
    }
    let member = |name: &str| object.get(name).ok_or_else(|| invalid(&format!("`{name}` is missing")));
    let text = |name: &str| {
        let text = member(name)?.as_str();
        text.map(str::to_owned).ok_or_else(|| invalid(&format!("`{name}` must be a string")))
    };
    decimals_of(member("decimals")?, served.decimals)?;
    let amount = match member("amount")? {
        Value::String(text) => text.clone(),
        number => written(number)?,
    };
    let read = PayMessage {
        ciphertext: text("ciphertext")?,
        amount,
        decimals: served.decimals,
        recipient: text("recipient")?,
        network: text("network")?,
        nonce: text("nonce")?,
    };
    let digits = read.ciphertext_start();
    if digits.len() != NAMED_DIGITS {
        return Err(invalid("`ciphertext` must be the first 32 hex digits of the encrypted amount"));
    }
    if !served.network.is(&read.network) {
        return Err(mismatch("network"));
    }
    let is_nonce = (1..=MAX_SINGLE_NONCE).contains(&read.nonce.len());
    if !is_nonce || !read.nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid("`nonce` must be 1 to 64 printable ASCII characters without spaces"));
    }
    Ok(read)
}

/// Whole tokens in base units, positive: by decimal digits, never by a float.
pub(super) fn tokens(value: &Value, decimals: u8) -> Result<Amount, Refused> {
    let text = match value {
        Value::String(text) => text.clone(),
        number => written(number)?,
    };
    let refuse = |why: String| Refused::because(PayReason::InvalidAmount, format!("`amount`: {why}."));
    match Amount::parse_decimal(&text, decimals) {
        Ok(Amount::ZERO) => Err(refuse("it must be greater than zero".to_owned())),
        Ok(amount) => Ok(amount),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// The digits of a JSON number, where every reader of JSON keeps all of them.
fn written(value: &Value) -> Result<String, Refused> {
    let refuse = |why: &str| Refused::because(PayReason::InvalidAmount, format!("`amount`: {why}."));
    let Value::Number(number) = value else { return Err(refuse("write whole tokens, as in \"0.29\"")) };
    let text = number.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if number.is_f64() && (digits > KEPT_DIGITS || text.contains('e')) {
        return Err(refuse("a number of so many digits is not exact in JSON; write it as a string"));
    }
    Ok(text)
}

/// Decimals have to be the asset's.
pub(super) fn decimals_of(value: &Value, served: u8) -> Result<(), Refused> {
    let decimals = match value {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    if decimals == Some(u64::from(served)) {
        return Ok(());
    }
    Err(Refused::because(PayReason::InvalidDecimals, format!("`decimals`: the asset has {served}.")))
}

fn invalid(why: &str) -> Refused {
    Refused::because(PayReason::InvalidMessage, format!("The signed message: {why}."))
}
