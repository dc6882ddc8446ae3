//! The approve of a payer who asks no node: from what the facilitator's `POST /sessions/prepare` tells (ADR 0055).
//!
//! The message is built here from pinned addresses. Of the answer a blockhash, a handle and a number of lamports go into it, and
//! one that is false makes a transaction that fails: the program checks the allowance's address, and the grant is the
//! facilitator's own. An account is never created by it: on a frozen one that would reset the balance (`spec/inco.md` §4).

use super::{Approve, ApproveError, Grant, Ground};
use crate::{
    client::rpc::{PayerRpc, RpcError},
    domain::{grant::PUBLISHED_GRANT, signed},
    programs::ciphertext::canonical_decimal,
    wire::prepare::{PrepareAnswer, PrepareBody},
};
use solana_hash::Hash;
use solana_transaction::versioned::VersionedTransaction;

impl Approve<'_> {
    /// What the facilitator is asked.
    pub(in crate::client) fn question(&self) -> PrepareBody {
        PrepareBody {
            user: self.user.to_string(),
            asset: self.mint.to_string(),
            ciphertext: hex::encode(self.ciphertext),
        }
    }

    /// The transaction that the facilitator's answer makes, with all signatures missing; `decimals` are those that its terms tell.
    ///
    /// Fails with [`ApproveError::Prepared`] where the answer cannot be true, and with [`ApproveError::WouldFail`] where the
    /// wallet lacks SOL and the payer wants none.
    pub(in crate::client) fn by_answer(
        &self,
        told: &PrepareAnswer,
        decimals: Option<u8>,
    ) -> Result<VersionedTransaction, ApproveError> {
        let decimals = decimals.ok_or(ApproveError::Prepared("it does not tell the asset's decimals"))?;
        // A hash has the form of a key: 32 bytes in base58.
        let blockhash = signed::parse_key(&told.recent_blockhash)
            .map(|hash| Hash::new_from_array(hash.to_bytes()))
            .ok_or(ApproveError::Prepared("its blockhash is none"))?;
        let handle = canonical_decimal(told.handle.as_bytes()).ok_or(ApproveError::Prepared("its handle is none"))?;
        if handle == 0 {
            return Err(ApproveError::Prepared("its handle names nothing"));
        }
        let most = self.most_grant();
        let grant = match self.grant {
            Grant::Always => most,
            Grant::WhenNeeded => told.grant_lamports.min(most),
            Grant::Never if told.grant_lamports > 0 => {
                return Err(ApproveError::WouldFail(format!("the wallet lacks {} lamports", told.grant_lamports)));
            }
            Grant::Never => 0,
        };
        let ground = Ground { decimals, creates: false, wallet: 0 };
        let allowance = self.programs.decrypt_allowance(handle, &self.spender);
        Ok(self.build(&ground, (grant > 0).then_some(grant), Some(allowance), blockhash))
    }

    /// Refuses a recipient that is no wallet, as the payer's own node tells.
    pub(in crate::client) async fn check_recipient_at(&self, rpc: &dyn PayerRpc) -> Result<(), ApproveError> {
        let told = rpc.accounts(&[self.recipient]).await?;
        let [recipient] = <[_; 1]>::try_from(told).map_err(|_| RpcError::Impossible { what: "accounts" })?;
        self.check_recipient(recipient.as_ref())
    }

    /// The most that is asked for, in lamports.
    pub(super) fn most_grant(&self) -> u64 {
        self.max_grant.map_or(PUBLISHED_GRANT, |most| most.min(PUBLISHED_GRANT))
    }
}

#[cfg(test)]
mod tests;
