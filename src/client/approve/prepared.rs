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
mod tests {
    use super::*;
    use crate::programs::Programs;
    use solana_pubkey::Pubkey;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn approve(grant: Grant) -> Approve<'static> {
        Approve {
            programs: Programs::default(),
            fee_payer: key(1),
            spender: key(2),
            user: key(3),
            recipient: key(4),
            mint: key(5),
            ciphertext: &[7; 114],
            grant,
            max_grant: Some(1_000_000),
        }
    }

    fn told(grant_lamports: u64) -> PrepareAnswer {
        PrepareAnswer {
            recent_blockhash: key(9).to_string(),
            last_valid_block_height: 10,
            handle: "77".to_owned(),
            grant_lamports,
            standing: None,
        }
    }

    #[test]
    fn an_answer_makes_an_approve_for_the_pinned_facilitator_and_creates_nothing() {
        let built = approve(Grant::WhenNeeded).by_answer(&told(5), Some(6)).expect("builds");
        let keys = built.message.static_account_keys();
        assert_eq!((keys[0], keys[1]), (key(1), key(3)), "the fee payer, and the user signs");
        assert!(keys.contains(&Programs::default().decrypt_allowance(77, &key(2))));
        assert_eq!(built.message.instructions().len(), 2, "a grant and an approve");
        let without = approve(Grant::WhenNeeded).by_answer(&told(0), Some(6)).expect("builds");
        assert_eq!(without.message.instructions().len(), 1, "an approve alone");
    }

    #[test]
    fn no_answer_makes_a_payer_ask_for_more_than_the_terms_allow() {
        let lamports = |grant, answer| {
            let built = approve(grant).by_answer(&answer, Some(6)).expect("builds");
            let data = &built.message.instructions()[0].data;
            data.strip_prefix(&[2, 0, 0, 0]).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("a u64")))
        };
        assert_eq!(lamports(Grant::WhenNeeded, told(960_480)), Some(960_480));
        assert_eq!(lamports(Grant::WhenNeeded, told(u64::MAX)), Some(1_000_000));
        assert_eq!(lamports(Grant::Always, told(0)), Some(1_000_000));
        assert_eq!(lamports(Grant::Never, told(0)), None);
        assert!(matches!(approve(Grant::Never).by_answer(&told(1), Some(6)), Err(ApproveError::WouldFail(_))));
    }

    #[test]
    fn an_answer_that_cannot_be_true_makes_nothing() {
        let refused = |change: fn(&mut PrepareAnswer), decimals| {
            let mut answer = told(0);
            change(&mut answer);
            let built = approve(Grant::WhenNeeded).by_answer(&answer, decimals);
            assert!(matches!(built, Err(ApproveError::Prepared(_))), "{answer:?}: {built:?}");
        };
        refused(|_| (), None);
        refused(|told| told.handle = "0".to_owned(), Some(6));
        refused(|told| told.handle = "-1".to_owned(), Some(6));
        refused(|told| told.handle = "9".repeat(40), Some(6));
        refused(|told| told.handle = "007".to_owned(), Some(6));
        refused(|told| told.recent_blockhash = "0OIl".to_owned(), Some(6));
        refused(|told| told.recent_blockhash = String::new(), Some(6));
    }
}
