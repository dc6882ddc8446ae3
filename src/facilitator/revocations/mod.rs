//! Revokes: a wallet without SOL takes our delegation back, and we pay the fee (`spec/session.md` §4, ADR 0054).
//!
//! Owns how often accounts are looked at beside a close; what was signed is in the ledger, and what is offered is remembered
//! nowhere. Takes wait permits and the opening lock of the wallet and asset, co-signs the revoke and has it carried by
//! [`super::dispatch`].
//!
//! Promises: nothing is co-signed but one revoke of the signing wallet's own token account, while no session of it is live and
//! nothing is held; and no session of it opens before the revoke can land no more.

pub(crate) mod land;
pub(crate) mod look_rate;
pub(crate) mod offer;

use crate::{
    chain::{
        fees::ComputeBudget,
        inspect::{
            payers_transaction::PayersTransaction,
            revoke::{InspectedRevoke, RevokeTemplate},
        },
    },
    domain::{reason::SessionReason, revocation::RevocationBar},
    facilitator::{
        SessionError, SessionRefusal, core::Core, dispatch::Dispatch, locks::Locks, settlement::Settlements,
        sponsor::Sponsor,
    },
};
pub use land::Revoked;
use look_rate::LookRate;
pub use offer::{RevokeOfferRequest, UnsignedRevoke};
use solana_pubkey::Pubkey;
use std::sync::Arc;

/// What everybody can do who is refused a revoke at our cost.
const ALONE: &str = "a wallet with SOL revokes at any time without us";

/// When it may be worth repeating while a payment is not final, in seconds.
const UNTIL_FINAL: u64 = 5;

/// Takes revokes.
pub(crate) struct Revocations {
    core: Arc<Core>,
    locks: Arc<Locks>,
    sponsor: Arc<Sponsor>,
    settlements: Arc<Settlements>,
    dispatch: Arc<Dispatch>,
    looks: LookRate,
}

impl Revocations {
    pub(crate) fn new(
        core: &Arc<Core>,
        locks: &Arc<Locks>,
        sponsor: &Arc<Sponsor>,
        settlements: &Arc<Settlements>,
        dispatch: &Arc<Dispatch>,
    ) -> Self {
        Self {
            core: Arc::clone(core),
            locks: Arc::clone(locks),
            sponsor: Arc::clone(sponsor),
            settlements: Arc::clone(settlements),
            dispatch: Arc::clone(dispatch),
            looks: LookRate::new(),
        }
    }

    /// The transaction, where it is this wallet's revoke and nothing more; refuses with `revoke_not_allowed`.
    fn inspect(&self, transaction: &PayersTransaction, user: Pubkey) -> Result<InspectedRevoke, SessionRefusal> {
        let (our_keys, spender) = (self.sponsor.fee_payers.all(), self.core.keys.spender.pubkey());
        let fee_payers = self.sponsor.fee_payers.apart_from(&spender);
        let template = RevokeTemplate {
            programs: &self.core.settings.served.programs,
            user,
            mint: self.core.settings.served.asset,
            fee_payers: &fee_payers,
            our_keys: &our_keys,
            compute: ComputeBudget {
                units: self.core.settings.openings.max_approve_units,
                price: self.core.settings.transfers.max_priority_fee,
            },
        };
        template.inspect(transaction).map_err(|refusal| not_allowed(refusal.to_string()))
    }

    /// Refuses where no revoke of this wallet is paid for now; the ledger decides when one is recorded.
    async fn check_bar(&self, user: &Pubkey) -> Result<(), SessionError> {
        self.bar(user).await?.map_or(Ok(()), |bar| Err(refusal_of(bar).into()))
    }

    /// Refuses where none would be paid for in a moment either: until a wallet has signed, what landed has become final.
    async fn check_bar_of_offer(&self, user: &Pubkey) -> Result<(), SessionError> {
        let bar = self.bar(user).await?.filter(|bar| *bar != RevocationBar::NotFinal);
        bar.map_or(Ok(()), |bar| Err(refusal_of(bar).into()))
    }

    async fn bar(&self, user: &Pubkey) -> Result<Option<RevocationBar>, SessionError> {
        let (asset, now) = (&self.core.settings.served.asset, self.core.clock.now());
        let limits = self.core.settings.openings.revocations;
        Ok(self.core.ledger.revocation_bar(user, asset, limits, now).await?)
    }

    /// Refuses where on chain there is nothing of ours to take back: what revokes nothing would only cost its fee.
    async fn check_account(&self, user: &Pubkey) -> Result<(), SessionError> {
        let (_, [account]) = self.core.these_now([self.core.token_account(user)], 0).await?;
        let delegated = self.core.delegated(account.as_ref(), user, SessionReason::SourceNotReady);
        delegated.map(drop).map_err(|refusal| match refusal.reason {
            SessionReason::DelegateMismatch => {
                let detail = "On chain the delegate is not this facilitator: there is nothing to revoke.";
                SessionRefusal::because(SessionReason::DelegateMismatch, detail).into()
            }
            _ => refusal.into(),
        })
    }
}

fn not_allowed(detail: impl Into<String>) -> SessionRefusal {
    SessionRefusal::because(SessionReason::RevokeNotAllowed, detail)
}

/// What a wallet is told whose revoke is not paid for.
fn refusal_of(bar: RevocationBar) -> SessionRefusal {
    match bar {
        RevocationBar::NoSession => {
            let detail = format!("this facilitator knows no session of this wallet and asset; {ALONE}");
            SessionRefusal::because(SessionReason::SessionNotFound, detail)
        }
        RevocationBar::InUse => {
            let detail = format!(
                "a session of this wallet and asset is live or holds something; close all sessions first. {ALONE}"
            );
            SessionRefusal::because(SessionReason::SessionBusy, detail)
        }
        RevocationBar::OnItsWay => {
            let detail = "a revoke of this wallet and asset is on its way";
            SessionRefusal::because(SessionReason::SessionBusy, detail)
        }
        RevocationBar::TooMany { again_in } => {
            let detail = format!("few revokes are paid for a wallet and day, and few at a time; {ALONE}");
            SessionRefusal::because(SessionReason::QuotaExceeded, detail).again_in(Some(again_in))
        }
        RevocationBar::NotFinal => {
            let detail = "a payment of this wallet and asset has landed and is not final yet; repeat";
            SessionRefusal::because(SessionReason::SessionBusy, detail).again_in(Some(UNTIL_FINAL))
        }
    }
}
