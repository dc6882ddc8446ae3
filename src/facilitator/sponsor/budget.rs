//! Sponsored lamports: what is asked before anything is signed, and what is done when the answer is no.
//!
//! The ledger decides: [`crate::ledger::Ledger::record_signed`] books a transaction or refuses it, in one transaction. What
//! is remembered here only spares the work of preparing what would be refused again: a limit that was reached is left alone for
//! a while, and whoever would meet it is told so before anything is held, encrypted or simulated.

use crate::{
    chain::{inspect::InspectedApprove, keys::Signer},
    domain::{
        budget::{BudgetSubject, OverBudget, Scope},
        reason::{PayReason, SessionReason},
        session::Session,
        settlement::{Allowances, Cost, Settlement},
    },
    facilitator::{PayRefusal, SessionError, SessionRefusal, error::SignFailure, sponsor::Sponsor},
    ledger::LedgerError,
    programs::inco_token::IncoAccount,
};
use solana_pubkey::Pubkey;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a limit that was reached is left alone at most: attempts that are proved dead free it earlier than its window says.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// How long a limit is left alone that waiting does not free; an operator may raise it.
const FIXED_LIMIT_BACKOFF: Duration = Duration::from_secs(30);
/// How many limits are remembered before those that may be tried again are forgotten.
const REMEMBERED: usize = 1_024;
/// What a transfer may cost in fees, for the first look at a fee payer's balance: three signatures.
const USUAL_FEE: u64 = 15_000;
/// What creating an account costs beside its rent: one signature, in lamports.
const CREATION_FEE: u64 = 5_000;
/// What two decrypt allowances cost in rent, roughly, for the first look at the spender's balance.
const USUAL_RENT: u64 = 2_000_000;

/// Whose limit: the scope and the session, user or merchant; nothing for limits of everybody.
type LimitKey = (Scope, [u8; 32]);

/// A limit that was reached lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReachedLimit {
    /// When it is tried again.
    until: Instant,
    /// Whether a plain transfer, which costs its fee only, still fits.
    pub(crate) fee_fits: bool,
    /// What payers are told.
    pub(crate) reason: PayReason,
    /// Seconds after which coming back may help.
    pub(crate) retry_after: Option<u64>,
}

/// Limits that were reached lately.
#[derive(Default)]
pub(crate) struct ExhaustedBudgets(Mutex<HashMap<LimitKey, ReachedLimit>>);

impl ExhaustedBudgets {
    fn remember(&self, subject: Option<&BudgetSubject>, over: &OverBudget) {
        let Some(key) = limit_key(over.scope, subject) else { return };
        let wait =
            over.retry_after.map_or(FIXED_LIMIT_BACKOFF, |seconds| Duration::from_secs(seconds).min(LONGEST_BACKOFF));
        let now = Instant::now();
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() >= REMEMBERED {
            limits.retain(|_, limit| limit.until > now);
        }
        let limit = ReachedLimit {
            until: now + wait,
            fee_fits: over.fee_fits,
            reason: over.scope.reason(),
            retry_after: Some(again_in(over)),
        };
        limits.insert(key, limit);
    }

    /// Forgets what transfers without a proof have met: their user has proved a balance.
    fn forget_unproven(&self, user: &Pubkey) {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.remove(&(Scope::UnprovenUserHour, user.to_bytes()));
    }

    /// The limits, reached lately, that a transaction of this budget subject would meet.
    fn of(&self, subject: &BudgetSubject) -> Vec<ReachedLimit> {
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let keys = Scope::ALL.into_iter().filter_map(|scope| limit_key(scope, Some(subject)));
        keys.filter_map(|key| limits.get(&key)).filter(|limit| limit.until > now).copied().collect()
    }
}

/// Whose a limit is; none for a settlement's own, which nobody else meets.
fn limit_key(scope: Scope, subject: Option<&BudgetSubject>) -> Option<LimitKey> {
    let key = match (scope, subject) {
        (Scope::Hour | Scope::Day, _) => [0; 32],
        (Scope::Settlement, _) | (_, None) => return None,
        (Scope::Session, Some(subject)) => {
            let mut key = [0; 32];
            key[..16].copy_from_slice(&subject.session?.to_bytes());
            key
        }
        // That a newcomer meets what all of them share says nothing of those who have credit.
        (
            Scope::UnprovenUserHour | Scope::UserHour | Scope::UserDay | Scope::NewcomersHour | Scope::NewcomersDay,
            Some(subject),
        ) => subject.user.to_bytes(),
        (Scope::MerchantHour, Some(subject)) => subject.recipient.to_bytes(),
    };
    Some((scope, key))
}

impl Sponsor {
    /// The one look before an attempt for a session is prepared: whether a limit that it would meet was reached, and who pays
    /// its fee. Refuses with the limit's reason, and with `insufficient_sponsor_balance` when no key can pay. The answer
    /// that binds is the ledger's, when the attempt is recorded.
    pub(crate) fn choose_fee_payer(
        &self,
        session: &Session,
        fits: impl Fn(&Arc<dyn Signer>) -> bool,
    ) -> Result<Arc<dyn Signer>, SignFailure> {
        if let Some(limit) = self.reached_limit(session, self.core.settings.transfers.each_buys()) {
            return Err(SignFailure::refused(limit.reason, "a budget is used up"));
        }
        let payer = self.fee_payers.choose(USUAL_FEE, &self.core.keys.spender, fits);
        payer.ok_or_else(no_funded_key)
    }

    /// Deducts a capture's cost in lamports: `fee` from `payer`, `rent` from the spender.
    pub(crate) fn charge_capture(&self, payer: &Pubkey, fee: u64, rent: u64) -> Result<(), SignFailure> {
        let spender = self.core.keys.spender.pubkey();
        if *payer == spender {
            return self.charge(payer, fee.saturating_add(rent));
        }
        self.charge(&spender, rent)?;
        self.charge(payer, fee)
    }

    /// Deducts `lamports` from a key's known balance; refuses when it would fall below its floor.
    pub(crate) fn charge(&self, payer: &Pubkey, lamports: u64) -> Result<(), SignFailure> {
        if !self.fee_payers.can_pay(payer, lamports) {
            return Err(no_funded_key());
        }
        self.fee_payers.charge(payer, lamports);
        Ok(())
    }

    /// A limit that stops transfers of this session for now: those that buy decrypt allowances, or all of them.
    pub(crate) fn reached_limit(&self, session: &Session, buys: Allowances) -> Option<ReachedLimit> {
        self.exhausted.of(&BudgetSubject::of(session)).into_iter().find(|limit| buys.are_bought() || !limit.fee_fits)
    }

    /// Whether budgets and the spender's balance let a transfer of this session buy decrypt allowances for now.
    pub(crate) fn may_buy_allowances(&self, session: &Session) -> bool {
        self.reached_limit(session, Allowances::Bought).is_none()
            && self.fee_payers.can_pay(&self.core.keys.spender.pubkey(), USUAL_RENT)
    }

    /// A payment that would only be refused after its hold is refused before it, and leaves no trace.
    pub(crate) fn budget_refusal(&self, session: &Session) -> Option<PayRefusal> {
        let limit = self.reached_limit(session, self.core.settings.transfers.each_buys())?;
        Some(PayRefusal::new(limit.reason).of(session.user()).again_in(limit.retry_after))
    }

    /// A user has proved a balance: limits of transfers without a proof do not stop what it covers.
    pub(crate) fn has_proved(&self, user: &Pubkey) {
        self.exhausted.forget_unproven(user);
    }

    /// When a payment that was released for this reason may be made anew.
    pub(crate) fn again_in(&self, session: &Session, reason: PayReason) -> Option<u64> {
        self.exhausted.of(&BudgetSubject::of(session)).into_iter().find(|limit| limit.reason == reason)?.retry_after
    }

    /// The ledger refused an attempt. Says why the settlement is given up; none when it may be signed again without what
    /// it cannot buy.
    pub(crate) async fn note_over_budget(
        &self,
        settlement: &Settlement,
        buys: Allowances,
        over: &OverBudget,
    ) -> Result<Option<PayReason>, LedgerError> {
        let session = match settlement.session() {
            Some(id) => self.core.ledger.session(id).await?,
            None => None,
        };
        self.exhausted.remember(session.as_ref().map(BudgetSubject::of).as_ref(), over);
        tracing::warn!(
            settlement = %settlement.id, purpose = settlement.purpose.word(), scope = over.scope.word(),
            part = over.part.word(), retry_after = over.retry_after, "a budget is used up"
        );
        let may_go_without = buys.are_bought()
            && over.fee_fits
            && settlement.purpose.may_go_without_allowances()
            && !self.core.settings.transfers.each_buys().are_bought();
        Ok((!may_go_without).then(|| over.scope.reason()))
    }

    /// What an approve costs us at most. The user's account counts even when it exists: they can close it before the
    /// approve lands. What was really spent is asked afterwards.
    pub(crate) async fn approve_cost(&self, approve: &InspectedApprove) -> Result<Cost, SessionError> {
        let rent = if approve.creates_account() { self.core.chain.rent(IncoAccount::SIZE).await? } else { 0 };
        Ok(Cost { fee: approve.fee(), rent, grant: approve.grant() })
    }

    /// What creating a token account costs us.
    pub(crate) async fn creation_cost(&self) -> Result<Cost, SessionError> {
        Ok(Cost { fee: CREATION_FEE, rent: self.core.chain.rent(IncoAccount::SIZE).await?, grant: 0 })
    }

    /// What a whole opening costs us at most: its own approve, and the `creation` of the recipient's account.
    pub(crate) async fn opening_cost(
        &self,
        approve: Option<&InspectedApprove>,
        creation: Cost,
    ) -> Result<Cost, SessionError> {
        let approve = match approve {
            Some(approve) => self.approve_cost(approve).await?,
            None => Cost::default(),
        };
        let (fee, rent) = (approve.fee.saturating_add(creation.fee), approve.rent.saturating_add(creation.rent));
        Ok(Cost { fee, rent, grant: approve.grant })
    }

    /// Who pays for a transaction that others sign, too, where a budget allows its `fee`, in lamports. The ledger decides when the
    /// signed one is recorded.
    pub(crate) async fn name_fee_payer(
        &self,
        subject: &BudgetSubject,
        fee: u64,
    ) -> Result<Result<Pubkey, NoFeePayer>, LedgerError> {
        let cost = Cost { fee, ..Cost::default() };
        if let Some(over) = self.core.ledger.over_budget(subject, cost, self.core.clock.now()).await? {
            return Ok(Err(NoFeePayer::OverBudget(over)));
        }
        let chosen = self.fee_payers.choose_apart(fee, &self.core.keys.spender.pubkey());
        Ok(chosen.map(|key| key.pubkey()).ok_or(NoFeePayer::NoFunds))
    }

    /// Refuses an opening that a budget would stop, before it leaves a trace: `quota_exceeded`.
    pub(crate) async fn check_opening_budget(&self, session: &Session, cost: Cost) -> Result<(), SessionError> {
        match self.core.ledger.over_budget(&BudgetSubject::of(session), cost, self.core.clock.now()).await? {
            Some(over) => Err(over_budget_refusal(&over).into()),
            None => Ok(()),
        }
    }
}

/// Why nobody pays for a transaction.
pub(crate) enum NoFeePayer {
    /// A budget does not cover its fee.
    OverBudget(OverBudget),
    /// Every key that pays would fall below its floor.
    NoFunds,
}

/// No key can pay.
fn no_funded_key() -> SignFailure {
    SignFailure::refused(PayReason::InsufficientSponsorBalance, "a key that pays would fall below its floor")
}

/// Seconds after which coming back may help whom a budget stops.
pub(crate) fn again_in(over: &OverBudget) -> u64 {
    over.retry_after.unwrap_or(FIXED_LIMIT_BACKOFF.as_secs())
}

/// An opening that a budget stops.
pub(crate) fn over_budget_refusal(over: &OverBudget) -> SessionRefusal {
    SessionRefusal::because(SessionReason::QuotaExceeded, "the budget for sponsored fees, rents and grants is used up")
        .again_in(Some(again_in(over)))
}
