//! The witness of a channel's settlement: what is left on chain of the grant that it was made from (`spec/mpp.md` §11).
//!
//! Every transfer by a grant lowers what is left of it, so a landing that endpoints hide shows. Only where the rest is exactly what
//! was granted less what is known to have landed is it believed that a dead settlement had no effect. The rest is taken as it was
//! read: what the buyer approved by themselves says nothing, and holds it.
//!
//! Where nothing can be signed by the grant any more, nothing is signed anew whatever is written, and an error that is final is
//! believed without it: else whoever revokes while their channels are settled would have each held until an operator comes.

use super::{Settlements, driver::Drive};
use crate::{
    domain::{
        mpp::{
            delegation::Delegation,
            money::{Role, Verdict, witness, witness_of_error},
        },
        settlement::{Event, HeldBecause, Observation, Subject},
    },
    facilitator::delegated::{self, SeenDelegation},
    ledger::{DelegationKey, LedgerError},
};

/// In how many slots a blockhash is dead at the earliest.
const LIFE: u64 = 151;

impl Settlements {
    /// Writes that a channel's settlement had no effect, where the grant says so, too; else it is held.
    pub(super) async fn step_without_effect(&self, drive: &mut Drive, event: Event) -> Result<(), LedgerError> {
        match self.grant_says(drive, &event).await? {
            Some(Verdict::Absent) => self.step_record(drive, event).await,
            Some(Verdict::Landed | Verdict::Hold) => self.step_hold(drive, HeldBecause::Moved).await,
            None => {
                drive.saw(Observation::Unknown);
                drive.back_off().await;
                Ok(())
            }
        }
    }

    /// What is left of the grant says of the live attempt; none where the chain does not tell.
    async fn grant_says(&self, drive: &Drive, event: &Event) -> Result<Option<Verdict>, LedgerError> {
        let gone = || LedgerError::Inconsistent("a settlement's channel or delegation is gone".to_owned());
        let Subject::Channel(id) = drive.settlement.subject else { return Err(gone()) };
        let record = self.core.ledger.find_channel(id.into()).await?.ok_or_else(gone)?;
        let account = DelegationKey::Account(record.channel.terms.account);
        let delegation = self.core.ledger.delegation(&account).await?.ok_or_else(gone)?;
        let generation = record.settling.map(|settling| settling.generation);
        let judged = |told: Verdict, role: Role| match event {
            Event::Refused { .. } => witness_of_error(told, role),
            _ => told,
        };
        let Some(grant) = delegation.grant.filter(|grant| Some(grant.terms.generation) == generation) else {
            // Another grant stands by now, and says nothing of this one, by which nothing is signed any more.
            return Ok(Some(judged(Verdict::Hold, Role::Gone)));
        };
        let signed = drive.attempt.as_ref().map_or(0, |attempt| attempt.get().signed_at_slot);
        let at_least = match event {
            Event::Refused { slot, .. } => *slot,
            _ => signed.saturating_add(LIFE),
        };
        match self.core.read_delegations(std::slice::from_ref(&delegation), at_least).await {
            Ok(seen) => {
                let seen = seen.first().copied().flatten();
                let left = seen.map_or(0, |seen| seen.reading.remaining);
                let told = witness(grant.terms.limit, &[grant.moved], drive.settlement.amount, left);
                Ok(Some(judged(told, self.role_now(&delegation, seen))))
            }
            Err(error) => {
                tracing::debug!(settlement = %drive.settlement.id, %error, "what is left of a grant is not told now");
                Ok(None)
            }
        }
    }

    /// Whether anything can be signed by a grant, as it was read.
    fn role_now(&self, delegation: &Delegation, seen: Option<SeenDelegation>) -> Role {
        match seen {
            Some(seen) if seen.reading.role != Role::Gone => {
                delegated::at(delegation, seen.reading, self.core.clock.now()).role
            }
            _ => Role::Gone,
        }
    }
}
