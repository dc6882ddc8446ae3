//! Funding proofs: whether "settled" means "paid" (`spec/settlement.md` §5, R-02).
//!
//! A proof is the payer's own attested decryption of their balance. It is believed when the pinned attestation key signed
//! it and the account holds that very handle in a state whose slot is known; from then on the ledger counts everything
//! against it, and [`super::monitor`] watches the account's history.

use crate::{
    chain::history::Page,
    domain::{
        amount::Amount,
        funding::{FundingPolicy, FundingProof, NewBound},
        reason::SessionReason,
        session::{Session, SessionId, SessionState},
    },
    facilitator::{
        Backing, SessionError, SessionRefusal,
        events::SessionEvent,
        funding::{FundingMonitor, proof_rate_limit},
    },
    ledger::{LedgerError, Proved},
};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use tokio::time::Instant;

/// How much of an account's history is read with a proof.
const HISTORY_OF_A_PROOF: usize = 50;

/// Who has to be the delegate of an account whose balance is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delegate {
    /// We: it is proved for a session.
    HasToBeUs,
    /// Whoever it is: its owner pays by a signature of their own.
    MayBeAnybody,
}

impl FundingMonitor {
    /// Takes a proof for an open session. Refuses with `invalid_funding_proof`, `stale_funding_proof`,
    /// `session_not_open`, `source_not_ready`, `delegate_mismatch`, and `session_busy` while a proof of this user is being
    /// read or right after this one was; where no proofs are taken it changes nothing.
    pub(crate) async fn prove_funding(
        &self,
        id: SessionId,
        proof: &FundingProof,
    ) -> Result<(Session, Backing), SessionError> {
        let session = self.core.existing(id).await?;
        self.check_proof(proof)?;
        if session.state != SessionState::Open {
            return Err(SessionRefusal::new(SessionReason::SessionNotOpen).about(id).into());
        }
        self.accept_proof(session.user(), proof, Delegate::HasToBeUs).await?;
        let backing = self.core.backing(&session).await?;
        self.core.events.publish(id, SessionEvent::Funding(backing.funding));
        Ok((session, backing))
    }

    /// Whether the pinned key vouches for a proof; costs nothing.
    pub(crate) fn check_proof(&self, proof: &FundingProof) -> Result<(), SessionRefusal> {
        // Handle 0 is "never held anything": there is nothing to decrypt, so nothing to attest.
        if proof.handle != 0 && self.core.covalidator.attests(proof.handle, proof.plaintext, &proof.signature) {
            Ok(())
        } else {
            Err(SessionRefusal::new(SessionReason::InvalidFundingProof))
        }
    }

    /// Compares a checked proof with the account on chain and records it as the user's proved balance.
    pub(crate) async fn accept_proof(
        &self,
        user: &Pubkey,
        proof: &FundingProof,
        delegate: Delegate,
    ) -> Result<(), SessionError> {
        if self.core.settings.funding.policy == FundingPolicy::Off {
            return Ok(());
        }
        let busy = |detail| {
            SessionRefusal::because(SessionReason::SessionBusy, detail)
                .again_in(Some(proof_rate_limit::PAUSE.as_secs()))
        };
        // Each costs two reads of the chain: one at a time, and the same one is not read again.
        let Some(_turn) = self.proving.start(*user) else {
            return Err(busy("a proof of this user is being read").into());
        };
        if self.is_proved_by(user, proof).await? {
            return Ok(());
        }
        // Nor soon where what it is claimed for is to be counted anew, or where it was stale.
        if !self.proof_limit.may_read(user, proof.handle, Instant::now()) {
            return Err(busy("this proof was read a moment ago").into());
        }
        let account = self.core.token_account(user);
        let (slot, [held]) = self.core.these_now([account], 0).await?;
        let held = self.core.usable(held.as_ref(), user, SessionReason::SourceNotReady)?;
        let held = held.ok_or_else(|| SessionRefusal::new(SessionReason::SourceNotReady))?;
        if delegate == Delegate::HasToBeUs && !self.core.is_delegate(&held) {
            // Without us nothing can be paid from a session; the history tells whether another one has moved anything.
            return Err(SessionRefusal::new(SessionReason::DelegateMismatch).into());
        }
        if held.amount != proof.handle {
            return Err(SessionRefusal::new(SessionReason::StaleFundingProof).into());
        }
        let anchor = self.anchor(&account, slot).await?;
        let bound = NewBound {
            user: *user,
            asset: self.core.settings.served.asset,
            // More than the ledger counts is more than any payment needs: a lower bound stays one.
            amount: u64::try_from(proof.plaintext).ok().and_then(Amount::new).unwrap_or(Amount::MAX),
            handle: proof.handle,
            slot,
            anchor,
            now: self.core.clock.now(),
        };
        self.looks.before_proof(user).await?;
        match self.core.ledger.prove_funding(&bound).await? {
            Proved::Counts(_) => {
                self.looks.state.forget(user);
                self.sponsor.has_proved(user);
                Ok(())
            }
            Proved::Outdated => Err(SessionRefusal::new(SessionReason::StaleFundingProof).into()),
        }
    }

    /// The last transaction up to a slot. What landed after it is examined by the monitor, which begins there.
    async fn anchor(&self, account: &Pubkey, slot: u64) -> Result<Option<Signature>, SessionError> {
        let page = Page { before: None, limit: HISTORY_OF_A_PROOF, at_least: slot };
        let history = self.core.chain.history(account, page).await?;
        let anchor = history.iter().find(|listed| listed.slot <= slot).map(|listed| listed.signature);
        if anchor.is_none() && history.len() == HISTORY_OF_A_PROOF {
            let detail = "the account changes faster than it can be read; prove again";
            return Err(SessionRefusal::because(SessionReason::StaleFundingProof, detail).into());
        }
        Ok(anchor)
    }

    /// Whether this very handle is what counts already. The account may have changed since, but then the history tells.
    async fn is_proved_by(&self, user: &Pubkey, proof: &FundingProof) -> Result<bool, LedgerError> {
        let known = self.core.ledger.source(user, &self.core.settings.served.asset).await?;
        let counting =
            known.as_ref().and_then(|k| k.counting(self.core.clock.now(), self.core.settings.funding.max_age));
        Ok(counting.is_some_and(|bound| bound.handle == proof.handle && bound.claimed == Amount::ZERO))
    }
}
