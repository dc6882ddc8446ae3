//! What was recorded of a wallet is driven to its end by the one driver, and its outcome is read back from the ledger.

use super::{Confirmed, Delegations, OnboardError, RefusedOnboarding, session_account_round};
use crate::{
    domain::mpp::{
        choices::Backend,
        delegation::{Delegation, DelegationState, IssuedKind, IssuedMessage, IssuedState, IssuedTransaction},
        reason::OnboardReason,
    },
    facilitator::settlement::driver::Until,
    ledger::{DelegationKey, IssuedKey, Work},
};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

impl Delegations {
    /// Has a recorded message carried, whoever hangs up, and waits for it at most until the caller's time is over.
    pub(super) async fn carry(self: &Arc<Self>, work: Work, deadline: Instant) {
        let shared = Arc::clone(&self.shared);
        let carried = self.shared.core.tasks.spawn_detached(async move {
            // A background round that finds it unfinished leaves it to us.
            let _queued = shared.settlements.queued.start(work.settlement.id);
            shared.dispatch.carry(work, Until::Landed, None).await;
        });
        // Whatever it came to, and whoever drove it, the ledger says.
        let _ = timeout_at(deadline, carried).await;
    }

    /// Answers when the outcome is known, or when the caller's time is over.
    pub(super) async fn await_and_answer(
        &self,
        message: IssuedMessage,
        deadline: Instant,
    ) -> Result<Confirmed, OnboardError> {
        // One that waits for its wallet still, or for nothing any more, is carried by nobody.
        let Some(transaction) = message.state.transaction() else { return Err(OnboardReason::Pending.into()) };
        let key = IssuedKey::Id(message.id);
        let look = || self.shared.core.ledger.find_issued(&key);
        let is_known = |found: &Option<IssuedMessage>| {
            !matches!(found.as_ref().unwrap_or(&message).state, IssuedState::OnItsWay(_))
        };
        let found = self.shared.settlements.await_outcome(transaction.settlement, deadline, look, is_known).await?;
        let message = found.unwrap_or(message);
        match message.state {
            IssuedState::Landed(transaction) => self.landed(&message, transaction).await,
            IssuedState::Released(transaction) => Err(self.failed(&message, transaction)),
            IssuedState::Waiting | IssuedState::Voided | IssuedState::OnItsWay(_) => Err(OnboardReason::Pending.into()),
        }
    }

    fn failed(&self, message: &IssuedMessage, transaction: IssuedTransaction) -> OnboardError {
        if message.kind == IssuedKind::Leave {
            self.failed_leaves.note(message.buyer);
        }
        let detail = format!("The transaction {} had no effect.", transaction.signature);
        RefusedOnboarding::because(OnboardReason::SettlementFailed, detail).into()
    }

    /// How the delegation stands after what has landed; read from the chain where it is active, so that its role is known.
    async fn landed(&self, message: &IssuedMessage, of: IssuedTransaction) -> Result<Confirmed, OnboardError> {
        if message.kind == IssuedKind::Leave {
            self.failed_leaves.forget(&message.buyer);
        }
        let core = &self.shared.core;
        let found = core.ledger.delegation(&DelegationKey::Id(message.delegation)).await?;
        let delegation = found.ok_or(OnboardReason::InternalError)?;
        let (role, remaining) = self.role_now(&delegation, of).await?;
        Ok(Confirmed {
            account: delegation.account,
            kind: message.kind,
            transaction: of.signature,
            is_active: delegation.state == DelegationState::Active,
            role,
            remaining,
        })
    }

    /// The role of an active delegation, and what may still move by it.
    async fn role_now(
        &self,
        delegation: &Delegation,
        of: IssuedTransaction,
    ) -> Result<(Option<u32>, Option<u64>), OnboardError> {
        if delegation.state != DelegationState::Active {
            return Ok((None, None));
        }
        let slot = self.shared.core.ledger.load_work(of.settlement).await?.settlement.landed_at.unwrap_or(0);
        let read = self.read_now(delegation, slot).await?;
        let role = match delegation.backend {
            Backend::SplDelegate => Some(session_account_round::ROLE),
            Backend::Swig => read.and_then(|read| read.role).map(|role| role.role),
        };
        Ok((role, read.map(|read| read.reading.remaining)))
    }
}
