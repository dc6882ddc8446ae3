//! A revoke that its wallet has signed: recorded, sent, and answered for.
//!
//! The order is the promise. A repeat is recognised before anything else; then the transaction is compared with the template,
//! the opening lock is taken, the account is looked at, and the revoke is run once and written with our signature in one verb.
//! Only then may anybody send it, and whoever hangs up, it is driven to its end. A process that is killed in between leaves an
//! unfinished settlement, which the next start takes up by [`Revocations::resume`].

use super::{ALONE, Revocations, not_allowed, refusal_of};
use crate::{
    chain::{
        LiveBlockhash,
        inspect::{TransactionRefusal, payers_transaction::PayersTransaction, revoke::InspectedRevoke},
    },
    domain::{
        hold::ContentHash,
        reason::SessionReason,
        revocation::{Revocation, RevocationKey, RevocationPlan, RevocationState},
        session::SessionId,
        settlement::{Cost, RevocationId, SettlementId, Subject},
    },
    facilitator::{
        SessionError, SessionRefusal,
        locks::{opening_lock::OpeningGuard, wait_quota::WaitPermit},
        settlement::{driver::Until, finality::NotFinal, sign::attempt},
        sponsor::budget::over_budget_refusal,
    },
    ledger::{LedgerError, RevocationRecorded, Work},
};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long the opening lock is waited for: who has it may be landing an approve.
const LOCKED_WITHIN: Duration = Duration::from_secs(2);
/// So many blocks after its blockhash was told a revoke is refused: it has 25 left in which to land.
const MOST_BLOCKS_SINCE_TOLD: u64 = 125;
const NO_LIFE: &str =
    "its blockhash is dead or about to be, or is none that this facilitator told lately; ask for a new transaction";
/// How long openings are kept out at most after a landing. A blockhash is dead by then, so what a fork has taken back cannot land
/// after a new approve.
const LONGEST_WATCH: Duration = Duration::from_mins(2);

/// A revoke that has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The transaction.
    pub transaction: Signature,
    /// The wallet.
    pub user: Pubkey,
    /// The mint.
    pub asset: Pubkey,
}

impl Revocations {
    /// Carries out a revoke that its wallet has signed; see [`crate::facilitator::Facilitator::revoke`].
    pub(crate) async fn revoke(
        self: &Arc<Self>,
        session: Option<SessionId>,
        text: &str,
    ) -> Result<Revoked, SessionError> {
        let deadline = Instant::now() + self.core.settings.answer_deadline;
        let transaction = PayersTransaction::read(text).map_err(|refusal| not_allowed(refusal.to_string()))?;
        let user = *transaction.payer().ok_or_else(|| not_allowed(TransactionRefusal::Signers.to_string()))?;
        self.check_session(session, &user).await?;
        let signed = ContentHash(transaction.message_hash());
        if let Some(known) = self.core.ledger.find_revocation(&RevocationKey::Signed(signed)).await? {
            return self.answer_known(known, deadline).await;
        }
        let inspected = self.inspect(&transaction, user)?;
        self.check_bar(&user).await?;
        let life = self.life(inspected.blockhash()).await?;
        let Some(_permit) = self.permit(&user).await else { return Err(SessionRefusal::wallet_busy().into()) };
        let guard = self.keep_openings_out(&user).await;
        // Whoever had the lock may have carried out these very bytes.
        if let Some(known) = self.core.ledger.find_revocation(&RevocationKey::Signed(signed)).await? {
            drop(guard);
            return self.await_and_answer(known, deadline).await;
        }
        let guard = guard?;
        self.check_account(&user).await?;
        self.run(&inspected).await?;
        match self.record(user, inspected, life, signed).await? {
            (revocation, Some(work)) => self.carry_and_answer(revocation, work, guard, deadline).await,
            (known, None) => {
                drop(guard);
                self.await_and_answer(known, deadline).await
            }
        }
    }

    /// A session that is named has to be the wallet's own.
    async fn check_session(&self, session: Option<SessionId>, user: &Pubkey) -> Result<(), SessionError> {
        let Some(id) = session else { return Ok(()) };
        let session = self.core.existing(id).await?;
        if session.user() == user && session.intent.asset == self.core.settings.served.asset {
            return Ok(());
        }
        Err(not_allowed("the transaction is not signed by the session's wallet").about(id).into())
    }

    /// A permit to wait for this wallet's revoke.
    async fn permit(&self, user: &Pubkey) -> Option<WaitPermit<Pubkey>> {
        self.locks.waits.acquire(*user, self.core.credit_of_payer(user)).await
    }

    /// Waits until no opening of this wallet is under way, and keeps one from starting.
    async fn keep_openings_out(&self, user: &Pubkey) -> Result<OpeningGuard, SessionRefusal> {
        let opening = self.locks.openings.opening_within(user, &self.core.settings.served.asset, LOCKED_WITHIN).await;
        opening.ok_or_else(SessionRefusal::wallet_busy)
    }

    /// How long a transaction on this blockhash can land, where that is known and long enough. What cannot land any more holds its
    /// places until that is proved; so it would, at no cost, with a blockhash of which nobody knows when it dies.
    async fn life(&self, hash: &Hash) -> Result<LiveBlockhash, SessionError> {
        let newest = self.core.chain.latest_blockhash().await?.last_valid_block_height;
        let is_young =
            |told: &LiveBlockhash| newest.saturating_sub(told.last_valid_block_height) <= MOST_BLOCKS_SINCE_TOLD;
        let told = self.core.chain.told_blockhash(hash).filter(is_young);
        told.ok_or_else(|| not_allowed(NO_LIFE).into())
    }

    /// Runs the transaction before anything is written: what fails on chain costs us its fee.
    async fn run(&self, inspected: &InspectedRevoke) -> Result<(), SessionError> {
        match self.core.chain.simulate(inspected.transaction(), &[]).await?.error {
            None => Ok(()),
            Some(error) => {
                let detail = format!("the chain would refuse it: {error}");
                Err(SessionRefusal::because(SessionReason::RevokeSubmitFailed, detail).into())
            }
        }
    }

    /// Adds our signature and writes everything in one verb; without work it was recorded before. From then on it is a revoke.
    async fn record(
        &self,
        user: Pubkey,
        inspected: InspectedRevoke,
        life: LiveBlockhash,
        signed: ContentHash,
    ) -> Result<(Revocation, Option<Work>), SessionError> {
        let cost = Cost { fee: inspected.fee(), ..Cost::default() };
        let fee_payer = *inspected.fee_payer();
        let no_funds = || SessionRefusal::new(SessionReason::InsufficientSponsorBalance);
        let signer = self.sponsor.fee_payers.signer(&fee_payer).ok_or_else(no_funds)?;
        if !self.sponsor.fee_payers.can_pay(&fee_payer, cost.fee) {
            return Err(no_funds().into());
        }
        let countersigned = inspected.countersign(&**signer).map_err(|error| SessionError::Broken(Box::new(error)))?;
        let settlement = self.core.next_settlement_id();
        let plan = RevocationPlan {
            id: RevocationId(uuid::Builder::from_random_bytes(self.core.random_id()).into_uuid()),
            settlement,
            user,
            asset: self.core.settings.served.asset,
            signed,
            limits: self.core.settings.openings.revocations,
        };
        let attempt = attempt(settlement, 1, countersigned, life, cost);
        match self.core.ledger.record_revocation(&plan, attempt, self.core.clock.now()).await? {
            RevocationRecorded::Recorded(revocation, work) => {
                self.sponsor.fee_payers.charge(&fee_payer, cost.fee);
                Ok((*revocation, Some(*work)))
            }
            RevocationRecorded::Known(known) => Ok((*known, None)),
            RevocationRecorded::Barred(bar) => Err(refusal_of(bar).into()),
            RevocationRecorded::OverBudget(over) => Err(over_budget_refusal(&over).into()),
        }
    }

    /// Has a recorded revoke carried, and answers when it has landed or the caller's time is over.
    async fn carry_and_answer(
        self: &Arc<Self>,
        revocation: Revocation,
        work: Work,
        guard: OpeningGuard,
        deadline: Instant,
    ) -> Result<Revoked, SessionError> {
        let this = Arc::clone(self);
        let carried = self.core.tasks.spawn_detached(async move { this.carry(work, guard).await });
        // Whatever it came to, and whoever drove it, the ledger says.
        let _ = tokio::time::timeout_at(deadline, carried).await;
        self.await_and_answer(revocation, deadline).await
    }

    /// Drives a revoke until it has landed or come to nothing, and keeps openings out until it can land no more.
    async fn carry(self: &Arc<Self>, work: Work, guard: OpeningGuard) {
        let id = work.settlement.id;
        // A background round that finds it unfinished leaves it to us.
        let Some(_queued) = self.settlements.queued.start(id) else { return };
        self.dispatch.carry(work, Until::Landed, None).await;
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move { this.keep_out_until_the_end(id, guard).await });
    }

    /// Keeps openings out until nothing of a settlement can change any more.
    async fn keep_out_until_the_end(&self, id: SettlementId, guard: OpeningGuard) {
        let _nothing_opens = guard;
        let look = || self.core.ledger.load_work(id);
        let is_over = |work: &Work| work.settlement.state.is_terminal();
        // Whatever the ledger says, or does not: it is over then.
        let _ = self.settlements.await_outcome(id, Instant::now() + LONGEST_WATCH, look, is_over).await;
    }

    /// Goes on with a revoke that was recorded before, with its wallet's opening lock. A task that has the lock already works at
    /// it, or at an opening of the wallet; the next round looks again.
    ///
    /// The lock is taken here and not in the task, so that after a start no session opens before the revoke has ended.
    pub(crate) async fn resume(self: &Arc<Self>, work: Work) -> Result<(), LedgerError> {
        let Some(guard) = self.lock_again(&work).await? else { return Ok(()) };
        let this = Arc::clone(self);
        self.core.tasks.spawn(async move { this.carry(work, guard).await });
        Ok(())
    }

    /// Drives again a revoke that the watch over finality finds gone, with its wallet's opening lock. Where a task has the lock, it
    /// is one that keeps openings out until this revoke has ended, or an opening, which the ledger has told that it is on its way.
    pub(crate) async fn drive_again(self: &Arc<Self>, not_final: NotFinal) -> Result<(), LedgerError> {
        let work = match not_final {
            NotFinal::Unfinished(work) => return self.resume(work).await,
            NotFinal::TakenBack(work) => work,
        };
        let (this, id) = (Arc::clone(self), work.settlement.id);
        let guard = self.lock_again(&work).await;
        self.core.tasks.spawn(async move {
            this.dispatch.redrive_after_fork(work).await;
            if let Ok(Some(guard)) = guard {
                this.keep_out_until_the_end(id, guard).await;
            }
        });
        Ok(())
    }

    /// The opening lock of a recorded revoke's wallet; none where a task has it.
    async fn lock_again(&self, work: &Work) -> Result<Option<OpeningGuard>, LedgerError> {
        let Subject::Revocation(id) = work.settlement.subject else { return Ok(None) };
        let known = self.core.ledger.find_revocation(&RevocationKey::Id(id)).await?;
        Ok(known.and_then(|known| self.locks.openings.try_opening(&known.user, &known.asset)))
    }

    /// Answers for a revoke that was recorded before: waits while its outcome is open, unless enough wait already.
    async fn answer_known(&self, known: Revocation, deadline: Instant) -> Result<Revoked, SessionError> {
        match self.permit(&known.user).await {
            Some(_permit) => self.await_and_answer(known, deadline).await,
            None => answer(&known),
        }
    }

    /// Answers when the outcome is known, or when the caller's time is over.
    async fn await_and_answer(&self, revocation: Revocation, deadline: Instant) -> Result<Revoked, SessionError> {
        let key = RevocationKey::Id(revocation.id);
        let look = || self.core.ledger.find_revocation(&key);
        let is_known =
            |found: &Option<Revocation>| found.as_ref().is_none_or(|found| found.state != RevocationState::OnItsWay);
        let found = self.settlements.await_outcome(revocation.settlement, deadline, look, is_known).await?;
        answer(&found.unwrap_or(revocation))
    }
}

/// Tells how a revoke stands; nothing moves by it, so its success may be told to everybody who has the signed bytes.
fn answer(revocation: &Revocation) -> Result<Revoked, SessionError> {
    let Revocation { transaction, user, asset, .. } = *revocation;
    let refuse = |reason, detail: String| Err(SessionError::from(SessionRefusal::because(reason, detail)));
    match revocation.state {
        RevocationState::Landed => Ok(Revoked { transaction, user, asset }),
        RevocationState::OnItsWay => {
            let detail = format!("The revoke was sent as {transaction}, and its outcome is not known yet; repeat.");
            refuse(SessionReason::RevokePending, detail)
        }
        RevocationState::Released => {
            let detail = format!("The revoke {transaction} had no effect; ask for a new transaction, or {ALONE}.");
            refuse(SessionReason::RevokeSubmitFailed, detail)
        }
    }
}
