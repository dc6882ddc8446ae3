//! What stands behind a session: the payer's proved balance, and how much of the session may be on its way.

use crate::{
    domain::{
        amount::Amount,
        budget::Credit,
        clock::UnixSeconds,
        funding::{Bound, Funding, FundingDemand, FundingPolicy, Source},
        payment::SessionPayment,
        session::{CapCheck, Session},
    },
    facilitator::{FundingSettings, SessionError, core::Core},
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;
use std::collections::{HashMap, hash_map::Entry};

/// How many transfers of a proven session may be in flight together.
const PROVEN_IN_FLIGHT: usize = 8;

/// How much of a session may be on its way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarryLimit {
    /// The most one transfer carries, in base units.
    pub(crate) most: Amount,
    /// How many transfers of the session may be in flight together, at least one.
    pub(crate) most_in_flight: usize,
}

/// What is known of the account behind a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// What is known of the balance.
    pub funding: Funding,
    /// Whether the account was frozen at the last look: payments go on when it is thawed.
    pub frozen: bool,
    /// What the session may still pay now, in base units.
    pub remaining: Amount,
}

impl Core {
    /// The limit for the session's next transfer. A session that nothing proves funded carries little, one at a time, so
    /// that one short balance cannot turn many served calls into one transfer of zero. A proven one carries whatever its
    /// look is worth: it is signed after one, or beside others that were (ADR 0035).
    pub(crate) async fn carry_limit(&self, session: &Session) -> Result<CarryLimit, LedgerError> {
        let unproven = CarryLimit { most: self.settings.transfers.unproven_exposure, most_in_flight: 1 };
        Ok(match self.covering_bound(session).await? {
            Some(bound) => CarryLimit {
                most: bound.amount.min(self.settings.funding.look_exposure).max(unproven.most),
                most_in_flight: PROVEN_IN_FLIGHT,
            },
            None => unproven,
        })
    }

    /// The proof that covers what is held and captured of a session's account, where one does. More than was approved may
    /// move zero too, so it covers nothing of a session whose approved amount nobody knows.
    async fn covering_bound(&self, session: &Session) -> Result<Option<Bound>, LedgerError> {
        let demand = self.demand_on(session.user());
        if self.settings.funding.policy == FundingPolicy::Off || !demand.counts_for(session.cap_check) {
            return Ok(None);
        }
        let source = self.source_of(session).await?;
        let counting = source.counting(self.clock.now(), demand.max_age);
        Ok(counting.filter(|bound| bound.covers(Amount::ZERO)).copied())
    }

    /// Whether a payer's balance is proved to cover what is held and captured; a look that fails proves nothing. Where no
    /// balance is ever proved, each payer is as good as the other.
    pub(crate) async fn is_proven(&self, session: &Session) -> bool {
        self.settings.funding.policy == FundingPolicy::Off
            || self.covering_bound(session).await.is_ok_and(|bound| bound.is_some())
    }

    /// The credit by which a session's payer shares places. What cannot be read is none.
    pub(crate) async fn credit(&self, session: &Session) -> Credit {
        self.credit_of(session.user(), self.is_proven(session)).await
    }

    /// As [`Core::credit`], of a payer outside any session.
    pub(crate) async fn credit_of_payer(&self, payer: &Pubkey) -> Credit {
        self.credit_of(payer, self.is_proven_payer(payer)).await
    }

    async fn credit_of(&self, user: &Pubkey, is_proven: impl Future<Output = bool>) -> Credit {
        if self.ledger.has_credit(user, self.clock.now()).await.unwrap_or(false) {
            Credit::Earned
        } else if is_proven.await {
            Credit::Newcomer
        } else {
            Credit::Start
        }
    }

    /// What is known of the account behind a session as it stands.
    pub(crate) async fn backing(&self, session: &Session) -> Result<Backing, SessionError> {
        Ok(self.backing_after(session, Amount::ZERO, self.clock.now()).await?)
    }

    /// What is known of the account behind a session once `more` base units are held too.
    pub(crate) async fn backing_after(
        &self,
        session: &Session,
        more: Amount,
        now: UnixSeconds,
    ) -> Result<Backing, LedgerError> {
        let exposure = self.unverified_exposure(session).await?;
        Ok(self.backing_by(&self.source_of(session).await?, session, (more, exposure), now))
    }

    /// What a session may spend in all while its approved amount is unverified, beside the others on its approval.
    pub(crate) async fn unverified_exposure(&self, session: &Session) -> Result<Amount, LedgerError> {
        let limit = self.settings.payments.unverified_exposure;
        match session.cap_check {
            CapCheck::Verified => Ok(limit),
            CapCheck::Unverified => {
                let beside = self.ledger.unverified_beside(session.id).await?;
                Ok(limit.checked_sub(beside).unwrap_or_default())
            }
        }
    }

    /// What is known of the accounts behind sessions, each account looked up once: a wallet has one for all that it has opened in
    /// an asset.
    pub(crate) async fn backings(&self, sessions: &[Session]) -> Result<Vec<Backing>, LedgerError> {
        let now = self.clock.now();
        let mut sources = HashMap::new();
        let mut backings = Vec::with_capacity(sessions.len());
        for session in sessions {
            let source = match sources.entry((*session.user(), session.intent.asset)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.source_of(session).await?),
            };
            let exposure = self.unverified_exposure(session).await?;
            backings.push(self.backing_by(source, session, (Amount::ZERO, exposure), now));
        }
        Ok(backings)
    }

    fn backing_by(
        &self,
        source: &Source,
        session: &Session,
        (more, exposure): (Amount, Amount),
        now: UnixSeconds,
    ) -> Backing {
        let funding = match self.settings.funding.policy {
            FundingPolicy::Off => Funding::Unproven,
            FundingPolicy::Advisory | FundingPolicy::Required => {
                source.level(session.cap_check, more, now, &self.demand_on(session.user()))
            }
        };
        let remaining = session.remaining(exposure);
        Backing { funding, frozen: source.frozen, remaining }
    }

    /// Whether a wallet's balance is proved to cover what is claimed of it; as [`Core::is_proven`], outside any session.
    pub(crate) async fn is_proven_payer(&self, payer: &Pubkey) -> bool {
        let now = self.clock.now();
        let (policy, max_age) = (self.settings.funding.policy, self.demand_on(payer).max_age);
        let covers = |source: Source| source.counting(now, max_age).is_some_and(|bound| bound.covers(Amount::ZERO));
        let source = self.ledger.source(payer, &self.settings.served.asset).await;
        policy == FundingPolicy::Off || source.is_ok_and(|source| source.is_some_and(covers))
    }

    pub(crate) async fn source_of(&self, session: &Session) -> Result<Source, LedgerError> {
        let (user, asset) = (session.user(), &session.intent.asset);
        let known = self.ledger.source(user, asset).await?;
        Ok(known.unwrap_or_else(|| Source::unknown(*user, *asset)))
    }

    /// What the operator asks of this payer's balance. While nothing explains what their account shows as delegated, no proof counts:
    /// a transfer may move nothing.
    pub(crate) fn demand_on(&self, payer: &Pubkey) -> FundingDemand {
        let demand = self.demand();
        FundingDemand { max_age: if self.doubted.contains(payer) { 0 } else { demand.max_age }, ..demand }
    }

    /// What the operator asks of any payer's balance.
    pub(crate) fn demand(&self) -> FundingDemand {
        let FundingSettings { policy, max_age, .. } = self.settings.funding;
        FundingDemand {
            required: policy == FundingPolicy::Required,
            // Without a monitor no proof counts.
            max_age: if policy == FundingPolicy::Off { 0 } else { max_age },
            cap_binds: self.settings.transfers.delegation.is_lowered(),
        }
    }

    /// What a payment asks of its payer's balance: what the operator asks, or more where the merchant demands it.
    pub(crate) fn demand_of(&self, payment: &SessionPayment) -> FundingDemand {
        let ours = self.demand();
        FundingDemand { required: ours.required || payment.funding_required, ..ours }
    }
}
