//! Vouchers on the wire: the facilitator's answer, which a buyer hands on whole in the header `x-mpp-voucher`.
//!
//! What readers of JSON or of numbers understand differently is no voucher here, whatever its signature.

use crate::{
    domain::{
        amount::Amount,
        mpp::voucher::{Certificate, MAX_SEQUENCE, Presented, SIGNED_PREFIX, Voucher, VoucherFault, read_units},
    },
    wire::{
        json::{self, Object},
        mpp::canonical,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::Value;
use solana_pubkey::Pubkey;

/// The header's name.
pub const X_MPP_VOUCHER: &str = "x-mpp-voucher";
/// The longest header that is read, in bytes.
pub const MAX_VOUCHER_LENGTH: usize = 8 * 1024;

/// A voucher's members in the published order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoucherJson {
    channel_id: String,
    payer: String,
    recipient: String,
    cumulative_amount: String,
    sequence: u64,
    meter: String,
    units: String,
    server_nonce: String,
    chain_id: String,
    channel_program: String,
}

/// What a channel's certificate was made for beside what the voucher says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoucherTerms {
    deposit: String,
    expires: u64,
}

/// The answer of `POST /mpp/session/voucher`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VoucherAnswer {
    success: bool,
    ok: bool,
    voucher: VoucherJson,
    signature: String,
    signer: String,
    signature_type: &'static str,
    issuer: String,
    certificate: String,
    terms: VoucherTerms,
}

impl From<&Voucher> for VoucherJson {
    fn from(voucher: &Voucher) -> Self {
        Self {
            channel_id: voucher.channel_id.clone(),
            payer: voucher.payer.clone(),
            recipient: voucher.recipient.clone(),
            cumulative_amount: voucher.cumulative_amount.to_string(),
            sequence: voucher.sequence,
            meter: voucher.meter.clone(),
            units: voucher.units.to_string(),
            server_nonce: voucher.server_nonce.clone(),
            chain_id: voucher.chain_id.clone(),
            channel_program: voucher.channel_program.clone(),
        }
    }
}

impl VoucherAnswer {
    /// The answer that gives a voucher, its signature by the channel's key, and the channel's certificate.
    pub fn new(
        voucher: &Voucher,
        signature: &[u8; 64],
        signer: &Pubkey,
        issuer: &Pubkey,
        certificate: &Certificate,
    ) -> Self {
        Self {
            success: true,
            ok: true,
            voucher: voucher.into(),
            signature: STANDARD.encode(signature),
            signer: signer.to_string(),
            signature_type: "ed25519",
            issuer: issuer.to_string(),
            certificate: STANDARD.encode(certificate.signature),
            terms: VoucherTerms { deposit: certificate.deposit.to_string(), expires: certificate.expires },
        }
    }
}

/// Reads the header `x-mpp-voucher`; the signature is not verified. Never panics.
pub fn read(header: &str) -> Result<Presented, VoucherFault> {
    if header.len() > MAX_VOUCHER_LENGTH {
        return Err(VoucherFault::Malformed);
    }
    let json = json::read(header.as_bytes()).map_err(|_| VoucherFault::Malformed)?;
    let answer = Object::root(&json).map_err(|_| VoucherFault::Malformed)?;
    let member = |name: &str| answer.get(name).filter(|value| value.as_str() != Some(""));
    let missing = || VoucherFault::MissingFields;
    let signed = member("voucher").ok_or_else(missing)?;
    let signature = member("signature").ok_or_else(missing)?;
    let signer = member("signer").ok_or_else(missing)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(VoucherFault::Malformed);
    let canonical = canonical::text(signed).map_err(|_| VoucherFault::Malformed)?;
    if has_prototype(signed) {
        return Err(VoucherFault::Malformed);
    }
    Ok(Presented {
        voucher: members(&Object::at(signed, "voucher".to_owned()).map_err(|_| VoucherFault::Malformed)?)?,
        signed_bytes: [SIGNED_PREFIX.as_bytes(), canonical.as_bytes()].concat(),
        signature: text(signature)?,
        signer: text(signer)?,
        signature_type: signature_type(json.get("signatureType")),
        certificate: certificate(&answer),
    })
}

/// The ten members, each of its type and in its one spelling.
fn members(voucher: &Object<'_>) -> Result<Voucher, VoucherFault> {
    let text = |name: &str| voucher.text(name).ok().flatten().map(str::to_owned).ok_or(VoucherFault::Malformed);
    let sequence = voucher.integer("sequence").ok().flatten().filter(|number| (1..=MAX_SEQUENCE).contains(number));
    Ok(Voucher {
        channel_id: text("channelId")?,
        payer: text("payer")?,
        recipient: text("recipient")?,
        cumulative_amount: Amount::parse_positive(&text("cumulativeAmount")?).map_err(|_| VoucherFault::Malformed)?,
        sequence: sequence.ok_or(VoucherFault::Malformed)?,
        meter: text("meter")?,
        units: read_units(&text("units")?).ok_or(VoucherFault::Malformed)?,
        server_nonce: text("serverNonce")?,
        chain_id: text("chainId")?,
        channel_program: text("channelProgram")?,
    })
}

/// The type as JavaScript would write it into a sentence.
fn signature_type(value: Option<&Value>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What came along of the issuer's word; what cannot be one is none.
fn certificate(answer: &Object<'_>) -> Option<Certificate> {
    let signature = STANDARD.decode(answer.text("certificate").ok()??).ok()?.try_into().ok()?;
    let terms = answer.object("terms").ok()??;
    let deposit = Amount::parse_positive(terms.text("deposit").ok()??).ok()?;
    Some(Certificate { signature, deposit, expires: terms.integer("expires").ok()?? })
}

/// Whether a member anywhere is called `__proto__`, which JavaScript takes for something else.
fn has_prototype(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_prototype),
        Value::Object(members) => members.iter().any(|(name, member)| name == "__proto__" || has_prototype(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
