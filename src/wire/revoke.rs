//! The bodies of revokes whose fee the facilitator pays (`spec/session.md` §4).

use crate::wire::{
    json::{self, Object},
    opening::{self, RefusedOpening},
};
use serde::{Deserialize, Serialize};

/// The body of `POST /sessions/revoke` and `POST /sessions/{id}/revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeBody {
    /// The revoke with the wallet's signature, base64.
    pub transaction: String,
}

/// Reads the body of a revoke: the transaction, which nothing is known of yet.
pub fn revoking(body: &[u8]) -> Result<String, RefusedOpening> {
    let json = json::read(body)?;
    Ok(opening::text(&Object::root(&json)?, "transaction")?.to_owned())
}

/// A revoke that waits for its wallet's signature: the answer of `POST /sessions/revoke-offer`, and `revoke` of an answer to a close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeOffer {
    /// The transaction with empty signatures, base64. It can be signed and sent for some 45 seconds.
    pub transaction: String,
}

/// The answer of a revoke that has landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeAnswer {
    /// The transaction, base58.
    pub transaction: String,
    /// The wallet, base58.
    pub user: String,
    /// The mint, base58.
    pub asset: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoke_names_its_transaction() {
        assert_eq!(revoking(br#"{"transaction":"AQID"}"#).as_deref(), Ok("AQID"));
        for body in [r"{}", r#"{"transaction":""}"#, r#"{"transaction":7}"#, "[]", "{"] {
            assert!(revoking(body.as_bytes()).is_err(), "{body}");
        }
    }
}
