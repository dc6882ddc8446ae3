//! Where an approve's blockhash and handle come from: the facilitator, or the payer's own node.

use super::{SessionClient, repeats::Repeats};
use crate::{
    client::{
        approve::{Approve, ApproveError},
        error::SessionClientError,
        facilitator::{FacilitatorError, PrepareReply, Refused},
        opening::OpenOptions,
        rpc::PayerRpc,
        terms::Terms,
    },
    programs::ciphertext,
};
use solana_pubkey::Pubkey;
use solana_transaction::versioned::VersionedTransaction;
use std::time::Duration;

impl SessionClient {
    /// The approve to be signed.
    ///
    /// The facilitator is asked for what it needs of the chain. Where that gives nothing usable (an older facilitator has no such
    /// route, and it never creates an account), the payer's own node is asked, if there is one.
    pub(super) async fn approve(
        &self,
        user: &Pubkey,
        options: &OpenOptions,
        terms: &Terms,
    ) -> Result<VersionedTransaction, SessionClientError> {
        let total = options.approval.total().or(options.approve_total).unwrap_or(options.cap);
        let total = u128::from(total.get());
        let ciphertext = ciphertext::encrypt(&self.settings.encryption_key, total, self.chance.as_ref());
        let approve = Approve {
            programs: self.settings.programs,
            fee_payer: terms.facilitator.fee_payer,
            spender: terms.facilitator.spender,
            user: *user,
            recipient: options.recipient,
            mint: self.settings.asset,
            ciphertext: &ciphertext,
            grant: options.grant,
            max_grant: terms.max_grant_lamports,
        };
        let Some(rpc) = self.rpc.as_deref() else {
            return self.approve_by_facilitator(&approve, terms, options.patience).await;
        };
        check_recipient(&approve, rpc).await?;
        match self.approve_by_facilitator(&approve, terms, Duration::ZERO).await {
            Ok(prepared) => Ok(prepared),
            Err(error) => {
                tracing::debug!(%error, "the facilitator prepares no approve; the payer's RPC is asked");
                Ok(approve.prepare(rpc).await?)
            }
        }
    }

    /// The approve as the facilitator's answer makes it, which is asked for again until it is told or `patience` ends.
    async fn approve_by_facilitator(
        &self,
        approve: &Approve<'_>,
        terms: &Terms,
        patience: Duration,
    ) -> Result<VersionedTransaction, SessionClientError> {
        let (question, mut repeats) = (approve.question(), Repeats::within(patience));
        loop {
            let (last, asked) = match self.http.prepare(&terms.sessions_path, &question).await {
                Ok(PrepareReply::Told(answer)) => return Ok(approve.by_answer(&answer, terms.decimals)?),
                Ok(PrepareReply::NotServed) => return Err(ApproveError::NoNode.into()),
                Ok(PrepareReply::Refused(Refused { body, may_pass: true, retry_after })) => {
                    (SessionClientError::Refused(body), retry_after)
                }
                Ok(PrepareReply::Refused(Refused { body, .. })) => return Err(SessionClientError::Refused(body)),
                Err(error @ FacilitatorError::Unreachable(_)) => (error.into(), None),
                Err(error) => return Err(error.into()),
            };
            if !repeats.wait(asked).await {
                return Err(last);
            }
        }
    }
}

/// Refuses a recipient that is no wallet before the wallet is asked. A node that does not answer keeps nobody from opening: the
/// facilitator looks, too.
async fn check_recipient(approve: &Approve<'_>, rpc: &dyn PayerRpc) -> Result<(), ApproveError> {
    match approve.check_recipient_at(rpc).await {
        Err(ApproveError::Rpc(error)) => {
            tracing::debug!(%error, "the recipient is left for the facilitator to check");
            Ok(())
        }
        checked => checked,
    }
}
