//! Signing what was accepted as proven: only while its payer's balance is known to stand (ADR 0035).
//!
//! Promises: an attempt that carries proven payments is signed after a look at the account, or while another one that was
//! is in flight and no more was signed since than may ride on one look. Where the proof is lost by then, nothing is signed
//! for a caller who demands one.

use super::{Settlements, driver::Drive};
use crate::{
    domain::{
        amount::Amount,
        funding::{Funding, Ride},
        reason::PayReason,
        settlement::Attempt,
    },
    facilitator::{error::SignFailure, looks::Looked},
    ledger::LedgerError,
};
use solana_pubkey::Pubkey;

/// What of a settlement was accepted as proven.
struct Proven {
    user: Pubkey,
    asset: Pubkey,
    units: Amount,
}

impl Settlements {
    /// Signs the next attempt, and has the payer's account looked at meanwhile where something of it is proven. None where
    /// the driver has to decide anew: a proof is lost, a look came to nothing, or nothing is to be signed any more.
    pub(crate) async fn sign_backed(
        &self,
        drive: &mut Drive,
    ) -> Result<Option<Result<Attempt, SignFailure>>, LedgerError> {
        if self.lacks_demanded_proof(drive).await? {
            drive.give_up(PayReason::FundingUnproven);
            return Ok(None);
        }
        let Some(proven) = self.proven(drive).await? else {
            return Ok(Some(self.sign(&drive.settlement, drive.access()).await));
        };
        // An attempt of its own that came to nothing is nothing to ride with.
        drive.rider = None;
        let (signed, looked) =
            tokio::join!(self.sign(&drive.settlement, drive.access()), self.looks.before_signing(&proven.user));
        let (looked, rider) = looked?;
        drive.rider = rider;
        let looked = match (looked, &signed) {
            (Looked::Stands, Ok(_)) => self.ride(&proven).await?,
            (looked, _) => looked,
        };
        if looked == Looked::Stands {
            return Ok(Some(signed));
        }
        drive.rider = None;
        // What it carries may be unproven by now.
        drive.carried = None;
        drive.back_off().await;
        Ok(None)
    }

    /// Counts it as signed, after another look where too much was signed since the last one.
    async fn ride(&self, proven: &Proven) -> Result<Looked, LedgerError> {
        let most = self.core.settings.funding.look_exposure;
        loop {
            match self.core.ledger.ride_on_look(&proven.user, &proven.asset, proven.units, most).await? {
                Ride::Counted => return Ok(Looked::Stands),
                Ride::LookFirst => match self.looks.again(&proven.user).await? {
                    Looked::Stands => {}
                    looked => return Ok(looked),
                },
            }
        }
    }

    /// Whether a caller demands a proof for a payment that has none any more.
    async fn lacks_demanded_proof(&self, drive: &mut Drive) -> Result<bool, LedgerError> {
        let unproven =
            self.carried(drive).await?.iter().filter(|hold| hold.funding != Funding::Proven && !hold.reported);
        Ok(self.waiters.any_asks_for_proof(unproven.map(|hold| hold.id)))
    }

    async fn proven(&self, drive: &mut Drive) -> Result<Option<Proven>, LedgerError> {
        let proven = self.carried(drive).await?.iter().filter(|hold| hold.funding == Funding::Proven);
        let units = proven.fold(Amount::ZERO, |sum, hold| sum.checked_add(hold.amount).unwrap_or(Amount::MAX));
        let Some(session) = drive.settlement.pays_from().filter(|_| units > Amount::ZERO) else { return Ok(None) };
        let session = self.core.ledger.session(session).await?;
        Ok(session.map(|session| Proven { user: *session.user(), asset: session.intent.asset, units }))
    }
}
