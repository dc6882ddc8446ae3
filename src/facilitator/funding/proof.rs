//! Funding proofs: whether "settled" means "paid" (`spec/settlement.md` §5, R-02).
//!
//! A proof is the payer's own attested decryption of his balance. It is believed when the pinned attestation key signed
//! it and the account holds that very handle in a state whose slot is known; from then on the ledger counts everything
//! against it, and [`super::monitor`] watches the account's history.

use crate::{
    chain::history::Page,
    domain::{
        amount::Amount,
        clock::UnixSeconds,
        funding::{Funding, FundingDemand, FundingPolicy, FundingProof, NewBound, Source},
        reason::SessionReason,
        session::{Session, SessionId, SessionState},
    },
    facilitator::{Facilitator, SessionError, SessionRefusal, events::SessionEvent, funding::proof_rate_limit},
    ledger::{LedgerError, Proved},
};
use solana_pubkey::Pubkey;
use tokio::time::Instant;

/// How many transfers of a proven session may be in flight together.
const PROVEN_WINDOW: usize = 8;
/// How much of an account's history is read with a proof.
const HISTORY_OF_A_PROOF: usize = 50;

/// How much of a session may be on its way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarryLimit {
    /// The most one transfer carries, in base units.
    pub(crate) most: Amount,
    /// How many transfers of the session may be in flight together, at least one.
    pub(crate) window: usize,
}

/// What is known of the account behind a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// What is known of the balance.
    pub funding: Funding,
    /// Whether the account was frozen at the last look: payments go on when it is thawed.
    pub frozen: bool,
}

impl Facilitator {
    /// The limit for the session's next transfer. A session that nothing proves funded carries little, one at a time, so
    /// that one short balance cannot turn many served calls into one transfer of zero. A proven one carries whatever its
    /// bound covers, which is everything that waits.
    pub(crate) async fn carry_limit(&self, session: &Session) -> Result<CarryLimit, LedgerError> {
        let unproven = CarryLimit { most: self.settings.unproven_exposure, window: 1 };
        if self.settings.funding.policy == FundingPolicy::Off {
            return Ok(unproven);
        }
        // More than was approved may move zero too, and nobody knows what was.
        if !self.demand(false).counts_for(session.cap_check) {
            return Ok(unproven);
        }
        let source = self.source_of(session).await?;
        let counting = source.counting(self.clock.now(), self.settings.funding.max_age);
        Ok(match counting.filter(|bound| bound.covers(Amount::ZERO)) {
            Some(bound) => CarryLimit { most: bound.amount.max(unproven.most), window: PROVEN_WINDOW },
            None => unproven,
        })
    }

    /// What is known of the account behind a session.
    pub async fn backing(&self, session: &Session) -> Result<Backing, SessionError> {
        Ok(self.backing_after(session, Amount::ZERO, self.clock.now()).await?)
    }

    /// The same once `more` is held too.
    pub(crate) async fn backing_after(
        &self,
        session: &Session,
        more: Amount,
        now: UnixSeconds,
    ) -> Result<Backing, LedgerError> {
        let source = self.source_of(session).await?;
        let funding = match self.settings.funding.policy {
            FundingPolicy::Off => Funding::Unproven,
            FundingPolicy::Advisory | FundingPolicy::Required => {
                source.level(session.cap_check, more, now, &self.demand(false))
            }
        };
        Ok(Backing { funding, frozen: source.frozen })
    }

    async fn source_of(&self, session: &Session) -> Result<Source, LedgerError> {
        let (user, asset) = (session.user(), &session.intent.asset);
        let known = self.ledger.source(user, asset).await?;
        Ok(known.unwrap_or_else(|| Source::unknown(*user, *asset)))
    }

    /// What a payment asks of its payer's balance: the operator's policy, or more where the merchant demands it.
    pub(crate) fn demand(&self, by_merchant: bool) -> FundingDemand {
        let FundingSettings { policy, max_age, .. } = self.settings.funding;
        FundingDemand {
            required: by_merchant || policy == FundingPolicy::Required,
            // Without a monitor no proof counts.
            max_age: if policy == FundingPolicy::Off { 0 } else { max_age },
            cap_binds: self.settings.delegation_lowers,
        }
    }

    /// Takes a proof for an open session. Refuses with `invalid_funding_proof`, `stale_funding_proof`,
    /// `session_not_open`, `source_not_ready`, `delegate_mismatch`, and `session_busy` while a proof of this user is being
    /// read or right after this one was; where no proofs are taken it changes nothing.
    pub async fn prove_funding(&self, id: SessionId, proof: &FundingProof) -> Result<(Session, Backing), SessionError> {
        let session = self.existing(id).await?;
        self.check_proof(proof)?;
        if session.state != SessionState::Open {
            return Err(SessionRefusal::new(SessionReason::SessionNotOpen).about(id).into());
        }
        self.accept_proof(session.user(), proof).await?;
        let backing = self.backing(&session).await?;
        self.events.publish(id, SessionEvent::Funding(backing.funding));
        Ok((session, backing))
    }

    /// Whether the pinned key vouches for a proof; costs nothing.
    pub(crate) fn check_proof(&self, proof: &FundingProof) -> Result<(), SessionRefusal> {
        // Handle 0 is "never held anything": there is nothing to decrypt, so nothing to attest.
        if proof.handle != 0 && self.covalidator.attests(proof.handle, proof.plaintext, &proof.signature) {
            Ok(())
        } else {
            Err(SessionRefusal::new(SessionReason::InvalidFundingProof))
        }
    }

    /// Holds a proof that was checked against the account, and records it.
    pub(crate) async fn accept_proof(&self, user: &Pubkey, proof: &FundingProof) -> Result<(), SessionError> {
        if self.settings.funding.policy == FundingPolicy::Off {
            return Ok(());
        }
        let busy = |detail| {
            SessionRefusal::because(SessionReason::SessionBusy, detail)
                .again_in(Some(proof_rate_limit::PAUSE.as_secs()))
        };
        // Each costs two reads of the chain: one at a time, and the same one is not read again.
        let Some(_turn) = self.proving.claim(*user) else {
            return Err(busy("a proof of this user is being read").into());
        };
        if self.is_proved_by(user, proof).await? {
            return Ok(());
        }
        // Nor soon where what it is claimed for is to be counted anew, or where it was stale.
        if !self.readings.may_read(user, proof.handle, Instant::now()) {
            return Err(busy("this proof was read a moment ago").into());
        }
        let account = self.token_account(user);
        let (slot, [held]) = self.these_now([account], 0).await?;
        let held = self.usable(held.as_ref(), user, SessionReason::SourceNotReady)?;
        let held = held.ok_or_else(|| SessionRefusal::new(SessionReason::SourceNotReady))?;
        if !self.is_delegate(&held) {
            // Another delegate may move the balance without the owner's signature.
            return Err(SessionRefusal::new(SessionReason::DelegateMismatch).into());
        }
        if held.amount != proof.handle {
            return Err(SessionRefusal::new(SessionReason::StaleFundingProof).into());
        }
        // What landed after that slot is examined by the monitor, which begins there.
        let page = Page { before: None, limit: HISTORY_OF_A_PROOF, at_least: slot };
        let history = self.chain.history(&account, page).await?;
        let anchor = history.iter().find(|listed| listed.slot <= slot).map(|listed| listed.signature);
        if anchor.is_none() && history.len() == HISTORY_OF_A_PROOF {
            let detail = "the account changes faster than it can be read; prove again";
            return Err(SessionRefusal::because(SessionReason::StaleFundingProof, detail).into());
        }
        let bound = NewBound {
            user: *user,
            asset: self.settings.asset,
            // More than the ledger counts is more than any payment needs: a lower bound stays one.
            amount: u64::try_from(proof.plaintext).ok().and_then(Amount::new).unwrap_or(Amount::MAX),
            handle: proof.handle,
            slot,
            anchor,
            now: self.clock.now(),
        };
        match self.ledger.prove_funding(&bound).await? {
            Proved::Counts(_) => {
                self.watch.forget(user);
                Ok(())
            }
            Proved::Outdated => Err(SessionRefusal::new(SessionReason::StaleFundingProof).into()),
        }
    }

    /// Whether this very handle is what counts already. The account may have changed since, but then the history tells.
    async fn is_proved_by(&self, user: &Pubkey, proof: &FundingProof) -> Result<bool, LedgerError> {
        let known = self.ledger.source(user, &self.settings.asset).await?;
        let counting = known.as_ref().and_then(|k| k.counting(self.clock.now(), self.settings.funding.max_age));
        Ok(counting.is_some_and(|bound| bound.handle == proof.handle && bound.claimed == Amount::ZERO))
    }
}

/// What an operator decides about proofs and the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingSettings {
    /// Whether proofs are taken and demanded.
    pub policy: FundingPolicy,
    /// How long ago an account may have been looked at for its proof to count, in seconds.
    pub max_age: u64,
    /// How often every account with an open session is looked at.
    pub interval: std::time::Duration,
    /// The most RPC requests that one round makes for histories; accounts themselves are always read.
    pub requests_per_round: u32,
}

impl Default for FundingSettings {
    /// Advisory, 60 seconds, looks every 15 seconds with at most 300 requests.
    fn default() -> Self {
        Self {
            policy: FundingPolicy::Advisory,
            max_age: 60,
            interval: std::time::Duration::from_secs(15),
            requests_per_round: 300,
        }
    }
}
