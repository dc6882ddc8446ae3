//! `POST /sessions/prepare` (`spec/session.md` §7): what a payer without a node of their own needs to build an approve.

use crate::{
    domain::reason::SessionReason,
    wire::{
        ciphertext,
        json::{self, Object},
        opening::{self, RefusedOpening},
    },
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

/// The body of `POST /sessions/prepare` as a client writes it; the facilitator reads it with [`preparing`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareBody {
    /// The wallet that approves, base58.
    pub user: String,
    /// The mint, base58.
    pub asset: String,
    /// The encrypted amount that is to be approved, lower-case hex.
    pub ciphertext: String,
}

/// A well-formed request to prepare an approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparing {
    /// The wallet that approves.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
    /// 114 to 152 bytes, and nothing more is known of them.
    pub ciphertext: Vec<u8>,
}

/// The answer of `POST /sessions/prepare`. It tells what the chain shows everybody, and no amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrepareAnswer {
    /// A blockhash to build the approve on, base58.
    pub recent_blockhash: String,
    /// The block height after which it is dead.
    pub last_valid_block_height: u64,
    /// The handle that the approved amount will have, plain decimal: the spender's decrypt allowance is derived from it.
    pub handle: String,
    /// What the wallet lacks for the allowance's rent, in lamports, where the facilitator may give it; else 0.
    pub grant_lamports: u64,
    /// The approve that stands on the account; absent where none does, or nobody knows which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<StandingApprove>,
}

/// An approve on chain that sessions may be opened on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingApprove {
    /// Its transaction, base58.
    pub approve_tx_signature: String,
}

/// Reads the body of `POST /sessions/prepare`.
pub fn preparing(body: &[u8]) -> Result<Preparing, RefusedOpening> {
    let json = json::read(body)?;
    let body = Object::root(&json)?;
    Ok(Preparing {
        user: opening::key(&body, "user", SessionReason::InvalidUser)?,
        asset: opening::key(&body, "asset", SessionReason::AssetNotAllowed)?,
        ciphertext: ciphertext(opening::text(&body, "ciphertext")?)?,
    })
}

fn ciphertext(text: &str) -> Result<Vec<u8>, RefusedOpening> {
    ciphertext::read(text).ok_or_else(|| {
        let detail = "`ciphertext` must be 114 to 152 bytes in lower-case hex.";
        RefusedOpening::because(SessionReason::BadRequest, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9";

    fn read(ciphertext: &str) -> Result<Preparing, RefusedOpening> {
        let body = serde_json::json!({ "user": KEY, "asset": KEY, "ciphertext": ciphertext });
        preparing(body.to_string().as_bytes())
    }

    #[test]
    fn a_ciphertext_has_114_to_152_bytes_in_lower_case_hex() {
        for bytes in [114, 115, 152] {
            assert_eq!(read(&"ab".repeat(bytes)).map(|read| read.ciphertext), Ok(vec![0xab; bytes]));
        }
        for text in ["ab".repeat(113), "ab".repeat(153), "AB".repeat(114), "zz".repeat(114), "a".repeat(229)] {
            assert_eq!(read(&text).expect_err("refused").reason, SessionReason::BadRequest, "{text}");
        }
        assert_eq!(read("").expect_err("refused").field, Some("ciphertext"));
    }

    #[test]
    fn an_answer_without_a_standing_approve_names_none() {
        let answer = PrepareAnswer {
            recent_blockhash: KEY.to_owned(),
            last_valid_block_height: 7,
            handle: u128::MAX.to_string(),
            grant_lamports: 0,
            standing: None,
        };
        let written = serde_json::json!({
            "recentBlockhash": KEY, "lastValidBlockHeight": 7, "handle": u128::MAX.to_string(), "grantLamports": 0,
        });
        assert_eq!(serde_json::to_value(&answer).ok(), Some(written.clone()));
        assert_eq!(serde_json::from_value::<PrepareAnswer>(written).ok(), Some(answer));
    }
}
