//! Whether the approval that is on record for an account is still what its delegate slot holds (`spec/session.md` §7, "behind
//! our back").
//!
//! The owner approves anew or lowers an approve without asking us. With us still as the delegate that shows in one place only:
//! the handle of the delegated amount. Where transfers lower that amount each of ours changes it as well, so there the history
//! is read; where they do not, any other handle is somebody else's doing.
//!
//! Promises: what follows is written under the payer's opening lock and after a second read, so that no approve of ours is on its
//! way; until then nothing is promised on an account that shows another amount where no transfer of ours explains it.

use crate::{
    chain::{
        ChainAccount, ChainError,
        history::{MAX_PAGE, Page, SeenTransaction},
        keys::Signer,
    },
    covalidator::{CovalidatorError, RequestSigner},
    domain::{
        amount::Amount,
        approval::{Approval, LandedApprove, SeenDelegation},
        funding::Source,
        session::SessionId,
    },
    facilitator::{
        events::SessionEvent,
        funding::{
            FundingMonitor,
            approves::{is_harmless, single_approve},
            monitor::LOCK_PATIENCE,
        },
        looks::account_history::ExamineError,
        token_accounts::decoded,
    },
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{sync::Arc, time::Duration};

/// The most entries of one history that are read one by one.
const MOST_READ: usize = 64;

/// What an account's history says of what came after one of its transactions.
pub(crate) struct Changes {
    /// Whether that transaction is listed.
    pub(crate) is_listed: bool,
    /// The newest one since that may have touched the account's delegation.
    pub(crate) newest: Option<(Signature, SeenTransaction)>,
}

impl FundingMonitor {
    /// What has happened to the delegation of a payer's account since this transaction, as a node tells that knows the slot
    /// `at_least`. Fails with `Unfinished` where there is more than is read.
    pub(crate) async fn changes_since(
        &self,
        user: &Pubkey,
        approve: &Signature,
        at_least: u64,
    ) -> Result<Changes, ExamineError> {
        let source = self.core.token_account(user);
        let listed = self.core.chain.history(&source, Page { before: None, limit: MAX_PAGE, at_least }).await?;
        let place = listed.iter().position(|entry| entry.signature == *approve && !entry.failed);
        let later: Vec<Signature> = listed[..place.unwrap_or(listed.len())]
            .iter()
            .filter(|entry| !entry.failed)
            .map(|entry| entry.signature)
            .collect();
        let ours = self.core.ledger.known_transfers(&later).await?;
        let unknown: Vec<&Signature> = later.iter().filter(|signature| !ours.contains(signature)).collect();
        for (number, signature) in unknown.into_iter().enumerate() {
            if number >= MOST_READ {
                return Err(ExamineError::Unfinished);
            }
            // Listed a moment before it can be shown: the next look goes on.
            let seen = self.core.chain.transaction(signature).await?.ok_or(ExamineError::Unfinished)?;
            if !seen.failed && !is_harmless(&seen, &self.core.settings.served.programs, &source) {
                return Ok(Changes { is_listed: place.is_some(), newest: Some((*signature, seen)) });
            }
        }
        Ok(Changes { is_listed: place.is_some(), newest: None })
    }

    /// For each of these accounts whether it shows another delegated amount than when its approval was last known to stand.
    pub(super) async fn which_show_another_amount(
        &self,
        sources: &[Source],
        told: &[Option<ChainAccount>],
    ) -> Result<Vec<bool>, LedgerError> {
        let users: Vec<Pubkey> = sources.iter().map(|source| source.user).collect();
        let known = self.core.ledger.seen_delegations(&users, &self.core.settings.served.asset).await?;
        let shown = |account: &Option<ChainAccount>| decoded(account.clone()).map(|account| account.delegated_amount);
        let differs = |(known, account): (Option<SeenDelegation>, &Option<ChainAccount>)| {
            known.zip(shown(account)).is_some_and(|(seen, shown)| seen.handle != Some(shown))
        };
        Ok(known.into_iter().zip(told).map(differs).collect())
    }

    /// An account shows another delegated amount: finds out in the background whether another approve stands there.
    pub(super) fn confirm_replaced(self: &Arc<Self>, user: Pubkey, first: u64) {
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move {
            // What is not looked at now is seen again in the next round.
            let Ok(_request) = this.judging.try_acquire() else { return };
            let Some(_running) = this.rereading.start(user) else { return };
            let opening = this.locks.openings.opening(&user, &this.core.settings.served.asset);
            let Ok(_opening) = tokio::time::timeout(LOCK_PATIENCE, opening).await else { return };
            if let Err(error) = this.judge_delegation(&user, first).await {
                tracing::info!(%error, "which approve stands for a payer's account is looked at in the next round");
            }
        });
    }

    async fn judge_delegation(self: &Arc<Self>, user: &Pubkey, first: u64) -> Result<(), ExamineError> {
        let asset = self.core.settings.served.asset;
        let (slot, account) = self.account_after(user, first).await?;
        let Some(account) = decoded(account).filter(|account| self.core.is_delegate(account)) else { return Ok(()) };
        let shown = account.delegated_amount;
        let Some(current) = self.core.ledger.current_approval(user, &asset).await? else { return Ok(()) };
        if current.seen == Some(shown) {
            return Ok(());
        }
        let changes = self.changes_since(user, &current.signature, slot).await?;
        let Some((signature, seen)) = changes.newest else {
            // One from before approvals were kept bears the name that a caller gave it.
            if changes.is_listed || !current.is_complete {
                self.core.ledger.note_delegation(user, &asset, &current.signature, shown).await?;
                return Ok(());
            }
            return Err(ExamineError::Unfinished);
        };
        let programs = &self.core.settings.served.programs;
        let source = self.core.token_account(user);
        let approve = single_approve(&seen, programs, &source, &self.core.keys.spender.pubkey());
        let handle = approve.and_then(|approve| approve.handle).unwrap_or(shown);
        let amount = match self.decrypt_delegated(handle, self.core.settings.openings.cap_check_deadline).await {
            Ok(amount) => Some(amount),
            // Nobody will ever tell us.
            Err(CovalidatorError::NotAllowed { .. }) => None,
            Err(_) => return Err(ExamineError::Unfinished),
        };
        self.land_approval(user, &LandedApprove { signature, amount, handle, seen: shown, slot }).await?;
        Ok(())
    }

    /// Notes that this approve stands for a payer's account, and settles what sessions hold that it does not back any more.
    pub(crate) async fn land_approval(
        self: &Arc<Self>,
        user: &Pubkey,
        approve: &LandedApprove,
    ) -> Result<(), LedgerError> {
        let ended = self.core.ledger.land_approval(user, &self.core.settings.served.asset, approve).await?;
        tracing::info!(ended = ended.len(), "another approve stands for a payer's account");
        self.tell_ended(&ended);
        Ok(())
    }

    /// Notes what an approval delegated, and settles what sessions hold that it does not back.
    pub(crate) async fn learn_approved(
        self: &Arc<Self>,
        approval: &Approval,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        let Approval { user, asset, signature, .. } = approval;
        let ended = self.core.ledger.learn_approved(user, asset, signature, amount).await?;
        self.tell_ended(&ended);
        Ok(())
    }

    fn tell_ended(self: &Arc<Self>, ended: &[SessionId]) {
        for id in ended {
            self.core.events.publish(*id, SessionEvent::Recorded);
            self.dispatch.settle_promises(*id);
        }
    }

    /// Decrypts the delegated amount: the one balance-like number the facilitator has a right to read.
    pub(crate) async fn decrypt_delegated(&self, handle: u128, patience: Duration) -> Result<Amount, CovalidatorError> {
        let signer = SpenderRequests(Arc::clone(&self.core.keys.spender));
        let value = self.core.covalidator.decrypt(handle, &signer, patience).await?;
        // More than the ledger can count is more than any cap: as good as the largest amount.
        Ok(u64::try_from(value.plaintext).ok().and_then(Amount::new).unwrap_or(Amount::MAX))
    }

    /// The account in a state later than `first`, and not older than anything we know of.
    pub(super) async fn account_after(
        &self,
        user: &Pubkey,
        first: u64,
    ) -> Result<(u64, Option<ChainAccount>), ChainError> {
        let account = self.core.token_account(user);
        let mut tries = 0;
        loop {
            match self.core.these_now([account], first.saturating_add(1)).await {
                Ok((slot, [told])) => return Ok((slot, told)),
                Err(error) if tries >= SECOND_LOOKS => return Err(error),
                // The node is not there yet; a slot takes this long.
                Err(_) => tokio::time::sleep(SECOND_LOOK_PAUSE).await,
            }
            tries += 1;
        }
    }
}

/// How often a second read is tried, and the pause between two tries: the node has to have moved on by a slot.
const SECOND_LOOKS: usize = 10;
const SECOND_LOOK_PAUSE: Duration = Duration::from_millis(400);

/// The spender, asking the Covalidator for what was delegated to it.
struct SpenderRequests(Arc<dyn Signer>);

impl RequestSigner for SpenderRequests {
    fn address(&self) -> Pubkey {
        self.0.pubkey()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}
