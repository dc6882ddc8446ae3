//! Whether the approval that is on record for an account is still what its delegate slot holds (`spec/session.md` §7, "behind
//! our back").
//!
//! The owner approves anew or lowers an approve without asking us. With us still as the delegate that shows in one place only:
//! the handle of the delegated amount. Where transfers lower that amount each of ours changes it as well, so there the history
//! is read; where they do not, any other handle is somebody else's doing.
//!
//! A list of an account's history may lack what the account shows already. So no other amount is noted as an approval's unless
//! something listed explains it, and what a transfer explains is looked at once more when no entry can be missing any more.
//!
//! Promises: what follows is written under the payer's opening lock and after a second read, so that no approve of ours is on its
//! way; until then nothing is promised on an account that shows another amount where no transfer of ours explains it.

use crate::{
    chain::{ChainAccount, ChainError, keys::Signer},
    covalidator::{CovalidatorError, RequestSigner},
    domain::{
        amount::Amount,
        approval::{Approval, LandedApprove, SeenDelegation},
        funding::Source,
        session::SessionId,
    },
    facilitator::{
        events::SessionEvent,
        funding::{FundingMonitor, approve_history::Changes, approves::single_approve, monitor::LOCK_PATIENCE},
        looks::account_history::ExamineError,
        token_accounts::decoded,
    },
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use std::{sync::Arc, time::Duration};

/// What an account's delegated amount looks like beside what was noted of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delegated {
    /// As it was noted, or nothing stands for the account.
    AsNoted,
    /// As it was noted, and an entry that explains it otherwise could still be missing from the history then.
    Unsettled,
    /// Another one, and the slot of the state that was noted.
    Another {
        /// None where the slot was not noted.
        since: Option<u64>,
    },
}

impl FundingMonitor {
    /// For each of these accounts what its delegated amount looks like beside what was noted when its approval was last known to
    /// stand.
    pub(super) async fn compare_delegated(
        &self,
        sources: &[Source],
        told: &[Option<ChainAccount>],
    ) -> Result<Vec<Delegated>, LedgerError> {
        let users: Vec<Pubkey> = sources.iter().map(|source| source.user).collect();
        let known = self.core.ledger.seen_delegations(&users, &self.core.settings.served.asset).await?;
        let shown = |account: &Option<ChainAccount>| decoded(account.clone()).map(|account| account.delegated_amount);
        let compared =
            |(known, account): (Option<SeenDelegation>, &Option<ChainAccount>)| match known.zip(shown(account)) {
                Some((seen, shown)) if seen.handle != Some(shown) => Delegated::Another { since: seen.slot },
                Some((seen, _)) if !seen.is_settled => Delegated::Unsettled,
                _ => Delegated::AsNoted,
            };
        Ok(known.into_iter().zip(told).map(compared).collect())
    }

    /// Doubts the delegation of an account that shows an amount which no transfer of ours explains, and trusts one again that shows
    /// what was noted. Whether another approve stands there is found out by [`Self::confirm_replaced`].
    pub(super) async fn doubt_unexplained(&self, user: &Pubkey, delegated: Delegated) -> Result<(), LedgerError> {
        let Delegated::Another { since } = delegated else {
            self.core.doubted.clear(user);
            return Ok(());
        };
        let Some(since) = since else { return Ok(()) };
        let is_lowered = self.core.settings.transfers.delegation.is_lowered();
        let asset = &self.core.settings.served.asset;
        if !is_lowered || !self.core.ledger.may_have_moved_since(user, asset, since).await? {
            self.core.doubted.doubt(user);
        }
        Ok(())
    }

    /// An account shows another delegated amount, or one that is not settled: finds out in the background whether another approve
    /// stands there.
    pub(super) fn confirm_replaced(self: &Arc<Self>, user: Pubkey, first: u64) {
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move {
            // One task for each account; they wait in the order in which they came.
            let Some(_waiting) = this.judged.start(user) else { return };
            let Ok(_permit) = this.judging.acquire().await else { return };
            let Some(_running) = this.rereading.start(user) else { return };
            let asset = &this.core.settings.served.asset;
            let opening = this.locks.openings.opening_within(&user, asset, LOCK_PATIENCE).await;
            let Some(_opening) = opening else { return };
            match this.judge_delegation(&user, first).await {
                Ok(()) => this.core.doubted.clear(&user),
                Err(error) => {
                    tracing::info!(%error, "which approve stands for a payer's account is looked at in the next round");
                    if let ExamineError::Unfinished = error {
                        this.core.doubted.doubt(&user);
                    }
                }
            }
        });
    }

    async fn judge_delegation(self: &Arc<Self>, user: &Pubkey, first: u64) -> Result<(), ExamineError> {
        let asset = self.core.settings.served.asset;
        let (slot, account) = self.account_after(user, first).await?;
        let Some(account) = decoded(account).filter(|account| self.core.is_delegate(account)) else { return Ok(()) };
        let shown = account.delegated_amount;
        let Some(current) = self.core.ledger.current_approval(user, &asset).await? else { return Ok(()) };
        let changes = self.changes_since(user, &current.signature, slot).await?;
        let Some((signature, seen)) = &changes.newest else {
            return self.keep_standing(&current, (shown, slot), &changes).await;
        };
        let signature = *signature;
        let programs = &self.core.settings.served.programs;
        let source = self.core.token_account(user);
        let approve = single_approve(seen, programs, &source, &self.core.keys.spender.pubkey());
        let delegation = self.core.settings.transfers.delegation;
        let told = approve.and_then(|approve| approve.handle);
        if told.is_some_and(|told| told != shown) && !changes.explain(delegation, Some(seen.slot)) {
            // One that is newer still is not listed yet.
            return Err(ExamineError::Unfinished);
        }
        let handle = told.unwrap_or(shown);
        let amount = match self.decrypt_delegated(handle, self.core.settings.openings.cap_check_deadline).await {
            Ok(amount) => Some(amount),
            // Nobody will ever tell us.
            Err(CovalidatorError::NotAllowed { .. }) => None,
            Err(_) => return Err(ExamineError::Unfinished),
        };
        let landed =
            LandedApprove { signature, amount, handle, seen: shown, seen_slot: slot, slot: seen.slot, delegation };
        self.land_approval(user, &landed).await?;
        Ok(())
    }

    /// Nothing in the history has replaced the approval that is on record: notes what its account shows, where something explains
    /// that. A node writes the list later than the account, so what nothing explains may be a newer approve.
    async fn keep_standing(
        &self,
        current: &Approval,
        (shown, slot): (u128, u64),
        changes: &Changes,
    ) -> Result<(), ExamineError> {
        if current.seen == Some(shown) {
            // Noted before; how far the history bears it out is on record now.
            return Ok(());
        }
        let delegation = self.core.settings.transfers.delegation;
        let is_explained = current.handle == Some(shown) || changes.explain(delegation, current.seen_slot);
        // One from before approvals were kept bears the name that a caller gave it.
        let is_former = !current.is_complete && (current.seen.is_none() || delegation.is_lowered());
        if !(is_former || (changes.is_listed && is_explained)) {
            return Err(ExamineError::Unfinished);
        }
        let Approval { user, asset, signature, .. } = current;
        Ok(self.core.ledger.note_delegation(user, asset, signature, (shown, slot)).await?)
    }

    /// Notes that this approve stands for a payer's account, and settles what sessions hold that it does not back any more.
    pub(crate) async fn land_approval(
        self: &Arc<Self>,
        user: &Pubkey,
        approve: &LandedApprove,
    ) -> Result<(), LedgerError> {
        let ended = self.core.ledger.land_approval(user, &self.core.settings.served.asset, approve).await?;
        tracing::info!(ended = ended.len(), "another approve stands for a payer's account");
        self.core.doubted.clear(user);
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
