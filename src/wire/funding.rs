//! The decoding of funding proofs (`spec/session.md` §4): the payer's attested balance, member of `POST /sessions` and
//! body of `POST /sessions/{id}/funding`.

use crate::{
    domain::{funding::FundingProof, reason::SessionReason, signed},
    wire::{
        json::{self, Object},
        opening::RefusedOpening,
    },
};
use serde::{Deserialize, Serialize};

/// The member's name.
pub const FUNDING_PROOF: &str = "fundingProof";

/// A proof as a payer writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundingProofBody {
    /// The balance's handle, plain decimal, as the Covalidator is asked for it.
    pub handle: String,
    /// What it decrypts to, in base units, plain decimal.
    pub plaintext: String,
    /// The Covalidator's attestation, base58.
    pub signature: String,
}

/// The body of `POST /sessions/{id}/funding` as a payer writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingBody {
    /// The proof.
    pub funding_proof: FundingProofBody,
}

impl From<&FundingProof> for FundingProofBody {
    fn from(proof: &FundingProof) -> Self {
        Self {
            handle: proof.handle.to_string(),
            plaintext: proof.plaintext.to_string(),
            signature: bs58::encode(proof.signature).into_string(),
        }
    }
}

/// Reads the body of `POST /sessions/{id}/funding`.
pub fn proof_body(body: &[u8]) -> Result<FundingProof, RefusedOpening> {
    let json = json::read(body)?;
    proof(&Object::root(&json)?)?.ok_or_else(|| RefusedOpening::missing(FUNDING_PROOF))
}

/// Reads the optional member of an opening, or of a single payment.
pub(super) fn proof(body: &Object<'_>) -> Result<Option<FundingProof>, RefusedOpening> {
    let Some(proof) = body.object(FUNDING_PROOF)? else { return Ok(None) };
    let text = |name: &'static str| -> Result<&str, RefusedOpening> {
        let path = proof.path_of(name);
        proof.text(name)?.ok_or_else(|| malformed(format!("`{path}` is required.")))
    };
    Ok(Some(FundingProof {
        handle: number(text("handle")?, &proof.path_of("handle"))?,
        plaintext: number(text("plaintext")?, &proof.path_of("plaintext"))?,
        signature: signed::parse_signature(text("signature")?)
            .ok_or_else(|| malformed("`fundingProof.signature` must be 64 bytes in base58.".to_owned()))?,
    }))
}

/// Plain digits without leading zeros: what is attested has one spelling.
fn number(text: &str, path: &str) -> Result<u128, RefusedOpening> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let parsed = if plain && text.len() <= 39 { text.parse().ok() } else { None };
    parsed.ok_or_else(|| malformed(format!("`{path}` must be a plain decimal number of at most 128 bits.")))
}

fn malformed(detail: String) -> RefusedOpening {
    RefusedOpening::because(SessionReason::InvalidFundingProof, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(handle: &str, plaintext: &str, signature: &str) -> String {
        format!(r#"{{"fundingProof":{{"handle":"{handle}","plaintext":"{plaintext}","signature":"{signature}"}}}}"#)
    }

    #[test]
    fn a_proof_comes_back_as_it_was_written() {
        let proof = FundingProof { handle: u128::MAX, plaintext: 12_345, signature: [7; 64] };
        let written = serde_json::to_vec(&FundingBody { funding_proof: (&proof).into() }).expect("writes");
        assert_eq!(proof_body(&written), Ok(proof));
    }

    #[test]
    fn other_spellings_and_sizes_are_refused_by_name() {
        let signature = bs58::encode([7; 64]).into_string();
        let too_large = "340282366920938463463374607431768211456";
        for (handle, plaintext, signature) in [
            ("01", "1", signature.as_str()),
            ("1", "-1", &signature),
            ("1", "1.0", &signature),
            ("", "1", &signature),
            (too_large, "1", &signature),
            ("1", "1", "short"),
        ] {
            let refused = proof_body(body(handle, plaintext, signature).as_bytes()).expect_err("refused");
            assert_eq!(refused.reason, SessionReason::InvalidFundingProof, "{handle} {plaintext}");
        }
        assert_eq!(proof_body(b"{}").expect_err("refused").reason, SessionReason::MissingField);
        assert_eq!(proof_body(b"[]").expect_err("refused").reason, SessionReason::BadRequest);
    }
}
